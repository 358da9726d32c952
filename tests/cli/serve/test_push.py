"""News for open pages: who gets what, and who is let go."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import msgspec
import pytest

from cli.serve import push as channel
from cli.serve import tokens
from cli.serve.push import BACKLOG, LISTENERS, PING, Full, Push
from tests.cli.daemons import until
from tests.cli.served import OWN, Served, request, serving


class News(msgspec.Struct):
    """Something to tell."""

    seq: int


def frame(number: int, event: str = "usage") -> bytes:
    return b'event: %s\ndata: {"seq":%d}\n\n' % (event.encode(), number)


def test_everyone_who_listens_hears_what_is_published_after() -> None:
    """In order, from whatever thread it comes; first comes a greeting."""

    async def main() -> list[list[bytes]]:
        push = Push()
        listeners = [push.subscribe() for _ in range(3)]
        first = [await anext(listener) for listener in listeners]

        def publish() -> None:
            for number in range(5):
                push.publish("usage", News(number))

        threading.Thread(target=publish).start()
        return [first, *[[await anext(listener) for _ in range(5)] for listener in listeners]]

    first, *heard = asyncio.run(main())
    assert first == [b"event: hello\ndata: {}\n\n"] * 3
    assert heard == [[frame(number) for number in range(5)]] * 3


def test_a_new_listener_learns_the_state_of_usage_at_once() -> None:
    """The last news of usage, so that a page knows whether it missed any; other news are over."""

    async def main() -> bytes:
        push = Push()
        push.publish("usage", News(1))
        push.publish("usage", News(2))
        push.publish("import", News(3))
        return await anext(push.subscribe())

    assert asyncio.run(main()) == frame(2)


def test_a_listener_that_takes_nothing_is_let_go() -> None:
    """Its backlog is bounded; the others hear everything, and it hears that its stream ends."""

    async def main() -> tuple[int, list[bytes], int]:
        push = Push()
        slow, quick = push.subscribe(), push.subscribe()
        await anext(slow)
        await anext(quick)
        heard = []
        rest = [b"still waiting"]
        for number in range(BACKLOG + 1):
            push.publish("usage", News(number))
            heard.append(await anext(quick))
        with suppress(TimeoutError):
            async with asyncio.timeout(90):
                rest = [piece async for piece in slow]
        return len(rest), heard, push.listening

    rest, heard, listening = asyncio.run(main())
    assert (rest, listening) == (0, 1)
    assert heard == [frame(number) for number in range(BACKLOG + 1)]


def test_silence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping after each, so that both ends notice when the other has gone."""
    monkeypatch.setattr(channel, "HEARTBEAT_S", 0.02)

    async def main() -> list[bytes]:
        push = Push()
        listener = push.subscribe()
        heard = [await anext(listener) for _ in range(3)]
        push.publish("usage", News(7))
        # It may have been silent for long enough once more before that came.
        while heard[-1] == PING:
            heard.append(await anext(listener))
        return heard

    heard = asyncio.run(main())
    assert (heard[1:3], heard[-1]) == ([PING, PING], frame(7))


def test_there_are_only_so_many_listeners() -> None:
    """One more is told so; when one goes there is a place again."""

    async def main() -> None:
        push = Push()
        listeners = [push.subscribe() for _ in range(LISTENERS)]
        for listener in listeners:
            await anext(listener)
        with pytest.raises(Full):
            await anext(push.subscribe())
        await listeners[0].aclose()
        assert push.listening == LISTENERS - 1
        await anext(push.subscribe())

    asyncio.run(main())


def test_closing_ends_every_stream() -> None:
    """Those that listen and those that come later; nobody waits for the next ping."""

    async def main() -> list[list[bytes]]:
        push = Push()
        listener = push.subscribe()
        await anext(listener)
        push.close()
        return [[piece async for piece in listener], [piece async for piece in push.subscribe()]]

    before, after = asyncio.run(main())
    assert (before, len(after)) == ([], 1)


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("pushed"), OWN) as site:
        yield site


def events(served: Served, token: str, number: int) -> bytes:
    """What comes on a stream until `number` frames, or until it ends; news are published once it listens."""
    with served.connect() as connection:
        connection.sendall(request("/api/events", host=served.host, token=token))
        came = b""
        while came.count(b"\n\n") < number:
            piece = connection.recv(65536)
            if not piece:
                break
            came += piece
            if b"hello" in came:
                served.push.publish("usage", News(5))
        return came


def test_a_browser_hears_news_as_events(served: Served) -> None:
    """A stream of type text/event-stream, each event with its data; it counts as a listener while it is open."""
    came = events(served, served.token(), 2)

    assert b"Content-Type: text/event-stream\r\n" in came
    assert b'event: usage\ndata: {"seq":5}\n\n' in came


def test_a_page_that_was_logged_out_hears_no_more(served: Served) -> None:
    """Whoever rotates the token, or leaves, ends the streams of these sessions with the next news."""
    session = served.access.login(served.access.code("admin", time.time()), time.time())
    with served.connect() as connection:
        connection.sendall(request("/api/events", headers=[("Cookie", f"ringlet-{served.port}={session}")], host=served.host))
        came = b""
        while b"hello" not in came:
            came += connection.recv(65536)
        tokens.rotate(served.paths, "admin")
        served.push.publish("usage", News(8))
        while b'"seq":8' not in came and (piece := connection.recv(65536)):
            came += piece
    assert b'"seq":8' not in came


def test_a_viewer_hears_nothing(served: Served) -> None:
    """News are about usage, which is the admin's."""
    assert served.ask("/api/events", token=served.token("viewer")).status == 403
    assert served.ask("/api/events").status == 401


def test_a_page_that_is_gone_is_forgotten(served: Served) -> None:
    """As soon as its connection ends."""
    with served.connect() as connection:
        connection.sendall(request("/api/events", host=served.host, token=served.token()))
        until(lambda: served.push.listening == 1)
    until(lambda: served.push.listening == 0)

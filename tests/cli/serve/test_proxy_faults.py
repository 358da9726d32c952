"""Faults while streams run: what an agent sees through the proxy is, byte for byte, what it would have seen without it."""

import asyncio
import gzip
import os
import random
import threading
from collections.abc import Awaitable, Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from cli.serve import logfile, returning
from ingest.wire.capture import Capture
from pipeline.log import Log
from tests.cli.proxied import Got, Said, Stand, cut, standing
from tests.ingest.wired import sse

USAGE = {"input_tokens": 10, "output_tokens": 1}


def reply(number: int) -> bytes:
    """A streamed reply of Anthropic's, long enough to be cut."""
    text = "".join(random.Random(number).choices('abc \n"{}', k=3000))
    return sse(
        [
            {"type": "message_start", "message": {"id": f"msg_{number}", "model": "claude-sonnet-5", "usage": USAGE}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
            {"type": "message_stop"},
        ]
    )


def framed(body: bytes, coding: str = "") -> bytes:
    """A whole HTTP reply in one chunk."""
    named = f"Content-Encoding: {coding}\r\n" if coding else ""
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n{named}Transfer-Encoding: chunked\r\n\r\n"
    return head.encode() + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


def damaged(kind: str, number: int) -> tuple[bytes, bool]:
    """What a provider sends, and whether it then resets the connection instead of closing it."""
    rnd = random.Random(number)
    packed = gzip.compress(reply(number), mtime=0)
    match kind:
        case "gzip cut short":
            return framed(packed[: rnd.randrange(5, len(packed))], "gzip"), False
        case "gzip damaged":
            at = rnd.randrange(12, len(packed))
            return framed(packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :], "gzip"), False
        case "not gzip at all":
            return framed(reply(number), "gzip"), False
        case "reset":
            whole = framed(reply(number))
            return whole[: rnd.randrange(150, len(whole) - 10)], True
        case "closed too soon":
            whole = framed(reply(number))
            return whole[: rnd.randrange(150, len(whole) - 10)], False
        case "shorter than said":
            body = reply(number)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(body) + 7}\r\n\r\n"
            return head.encode() + body, False
        case "no JSON in it":
            return framed(b"data: {\x00\xff usage\n\ndata: [[[[\n\n: \r\r\n" * 50), False
    raise ValueError(kind)


async def heard(port: int, target: str) -> tuple[bytes, bool]:
    """The body of a reply as far as it came, and whether it was whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    body = b""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in head:
            while size := int(await reader.readline() or b"x", 16):
                got = await reader.read(size)
                body += got
                while len(got) < size:
                    more = await reader.read(size - len(got))
                    if not more:
                        return body, False
                    got += more
                    body += more
                if await reader.readexactly(2) != b"\r\n":
                    return body, False
            return body, True
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            piece = await reader.read(length - len(body))
            if not piece:
                return body, False
            body += piece
        return body, True
    except (ConnectionError, asyncio.IncompleteReadError, ValueError):
        return body, False
    finally:
        writer.close()


def play(home: Path, body: Callable[[Stand, int], Awaitable[None]], kind: str) -> Stand:
    """A provider with that fault before a proxy."""

    async def scene() -> Stand:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            await reader.readexactly(2)
            said, resets = damaged(kind, int(head.split("/")[1]))
            for piece in cut(said, random.Random(len(said))):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            # What was sent is taken before the connection is: a reset takes along what was not.
            await asyncio.sleep(0.3 if resets else 0.05)
            writer.transport.abort() if resets else writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = f'[providers.bad]\nbilling = "metered"\nendpoint = "http://127.0.0.1:{port}"\n'
        async with standing(home, lambda _: Said(), settings=settings) as stand:
            await body(stand, port)
        server.close()
        return stand

    return asyncio.run(scene())


@pytest.mark.parametrize(
    "kind", ["gzip cut short", "gzip damaged", "not gzip at all", "reset", "closed too soon", "shorter than said", "no JSON in it"]
)
def test_a_broken_reply_is_as_broken_as_without_us(tmp_path: Path, kind: str) -> None:
    """Sixty replies with each fault: as many bytes arrive, the same ones, and whether it was all can be told as well as directly."""

    async def body(stand: Stand, port: int) -> None:
        async def one(number: int) -> None:
            way = f"/{number}/v1/messages"
            direct = await heard(port, way)
            through = await heard(stand.port, stand.url(way, provider="bad").partition(str(stand.port))[2])
            assert through == direct

        for start in range(0, 60, 20):
            await asyncio.gather(*map(one, range(start, start + 20)))

    stand = play(tmp_path, body, kind)

    assert stand.tap.tally.dropped == 0
    for _, _, _, _, _, prompt, output, status in stand.calls():
        # What was told before the fault counts, and nothing else does.
        assert (prompt, output in (1, 5), status in ("ok", "error")) == (10, True, True)


def fickle(sizes: list[int]) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A provider that answers the first request of a connection, and ends it when it has read the head of the second."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answers in (True, False):
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except asyncio.IncompleteReadError:
                break
            if answers:
                sizes.append(len(await reader.readexactly(int(head.lower().split("content-length: ")[1].split("\r\n")[0]))))
                body = reply(len(sizes))
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
        writer.close()

    return serve


def test_a_connection_that_was_kept_too_long_is_no_fault_of_the_agents(tmp_path: Path) -> None:
    """Where a provider ends a connection that we kept, the call goes over another, with all of its body."""
    sizes: list[int] = []

    async def scene() -> None:
        server = await asyncio.start_server(fickle(sizes), "127.0.0.1", 0)
        settings = f'[providers.bad]\nbilling = "metered"\nendpoint = "http://127.0.0.1:{server.sockets[0].getsockname()[1]}"\n'
        async with standing(tmp_path, lambda _: Said(), settings=settings) as stand:
            url = stand.url("/v1/messages", provider="bad")
            for number, size in enumerate((2, 2, 700_000, 5), 1):
                async with stand.client.post(url, data=b"x" * size) as answered:
                    assert (answered.status, await answered.read()) == (200, reply(number))
            # What is too much to be remembered is told to the agent, which sends it again.
            async with stand.client.post(url, data=b"x" * (3 << 20)) as answered:
                assert answered.status in (200, 502)
        server.close()

    asyncio.run(scene())

    assert sizes[:4] == [2, 2, 700_000, 5]


def test_a_provider_that_falls_silent_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a reply too: the agent sees that it is not whole. One that speaks now and then may take as long as it likes."""
    monkeypatch.setattr(returning, "SILENCE_S", 3.0)
    # In all it takes longer than one may be silent, and no pause comes near that.
    slow, dead = ([whole[at : at + size] for at in range(0, len(whole), size)] for whole, size in ((reply(1), 100), (reply(2), 1500)))
    assert len(slow) * 0.1 > returning.SILENCE_S

    async def scene() -> Stand:
        on = asyncio.Event()

        def says(got: Got) -> Said:
            return Said(pieces=slow, pause_s=0.1) if "/slow/" in got.line else Said(pieces=dead[:2], until=on)

        async with standing(tmp_path, says) as stand:
            told = [await heard(stand.port, stand.url(f"/{way}/v1/messages").partition(str(stand.port))[2]) for way in ("slow", "dead")]
            assert told == [(b"".join(slow), True), (dead[0], False)]
            on.set()
        return stand

    stand = asyncio.run(scene())

    assert sorted(call[7] for call in stand.calls()) == ["error", "ok"]


def test_the_last_byte_has_gone_before_anything_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes to read along, the agent has its whole reply: here it takes until the agent says so."""
    whole, has_all, in_time = reply(1), threading.Event(), []
    end = Capture.end

    def waits(*words: Any) -> Any:
        in_time.append(has_all.wait(90))
        return end(*words)

    monkeypatch.setattr(Capture, "end", waits)

    def ask(port: int, target: str) -> bytes:
        asking = HTTPConnection("127.0.0.1", port, timeout=90)
        asking.request("POST", target, body=b"{}")
        body = asking.getresponse().read()
        has_all.set()
        asking.close()
        return body

    async def scene() -> None:
        async with standing(tmp_path, lambda _: Said(pieces=[whole])) as stand:
            target = stand.url("/v1/messages").partition(str(stand.port))[2]
            assert await asyncio.to_thread(ask, stand.port, target) == whole

    asyncio.run(scene())

    assert in_time == [True]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_file_that_cannot_be_written_alters_no_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the daemon's own log is full and the journal cannot be written, a hundred streams pass, also those that are warned about."""
    whole = reply(1)
    monkeypatch.setattr(logfile, "opened", lambda _: os.open("/dev/full", os.O_WRONLY))
    handlers = logfile.begin(str(tmp_path / "daemon.log"))

    def opened() -> Log:
        raise OSError(28, "no space left")

    def says(got: Got) -> Said:
        return Said(pieces=cut(whole, random.Random(len(got.line))), breaks="/odd/" in got.line)

    async def scene() -> None:
        async with standing(tmp_path / "home", says, opened=opened) as stand:
            ways = [stand.url(f"/{number}/{'odd' if number % 2 else 'even'}/v1/messages") for number in range(100)]
            for way in ways:
                body, all_of_it = await heard(stand.port, way.partition(str(stand.port))[2])
                assert (body, all_of_it) == (whole, "/even/" in way)

    try:
        asyncio.run(scene())
    finally:
        logfile.end(handlers)

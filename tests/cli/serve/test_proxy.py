"""The proxy: everything passes as it came, and is counted beside it."""

import asyncio
import gzip
import json
import random
import shutil
import sqlite3
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import zstandard
from yarl import URL

from cli.serve import usage_asked
from cli.serve.returning import Passed
from ingest import tap as taps
from ingest.wire.capture import Capture
from pipeline.errors import Held
from pipeline.log import Log
from tests.cli.proxied import Got, Said, Stand, cut, standing, until
from tests.ingest.wired import RECORDED, sse

KEY = "sk-ant-api03-canary0canary0canary0"


def anthropic(name: str, output: int, text: str = "hello") -> bytes:
    """A streamed reply of Anthropic's."""
    usage = {"input_tokens": 10, "output_tokens": 1}
    return sse(
        [
            {"type": "message_start", "message": {"id": name, "model": "claude-sonnet-5", "usage": usage}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": output}},
            {"type": "message_stop"},
        ]
    )


def run(home: Path, says: Callable[[Got], Said], body: Callable[[Stand], Awaitable[None]], **words: Any) -> Stand:
    """Play a scene to its end; the stand afterwards, everything committed."""

    async def scene() -> Stand:
        async with standing(home, says, **words) as stand:
            await body(stand)
        return stand

    return asyncio.run(scene())


async def asked(stand: Stand, url: str, *, method: str = "POST", **words: Any) -> tuple[int, str | None, list[tuple[bytes, bytes]], bytes]:
    """Status, reason, headers and body of a reply, as they came."""
    async with stand.client.request(method, URL(url, encoded=True), allow_redirects=False, **words) as reply:
        return reply.status, reply.reason, list(reply.raw_headers), await reply.read()


def test_a_thousand_streams_pass_unchanged_and_each_is_counted(tmp_path: Path) -> None:
    """Whatever the pieces and the coding: the bytes are the provider's, and the calls are what they hold."""
    rnd = random.Random(7)
    packed: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}
    bodies: dict[str, Said] = {}
    known: dict[str, tuple[int, int]] = {}
    plain: dict[str, bytes] = {}
    for number in range(1000):
        name, output, coding = f"msg_{number}", rnd.randint(2, 900), rnd.choice(sorted(packed))
        text = "".join(rnd.choice('aä\n\r"{}:,') for _ in range(rnd.randint(0, 300)))
        body = packed[coding](anthropic(name, output, text))
        headers = [("Content-Type", "text/event-stream"), ("X-Number", str(number)), *[("Content-Encoding", coding)] * bool(coding)]
        plain[f"/{number}/v1/messages"] = body
        bodies[f"/{number}/v1/messages"] = Said(headers=headers, pieces=cut(body, rnd))
        known[name] = (10, output)

    async def scene(stand: Stand) -> None:
        async def one(path: str) -> bool:
            status, reason, headers, body = await asked(stand, stand.url(path), data=b"{}", headers={"x-api-key": KEY})
            number = path.split("/")[1].encode()
            return (status, reason, dict(headers)[b"X-Number"], body) == (200, "Said", number, plain[path])

        paths = list(bodies)
        for start in range(0, 1000, 50):
            assert all(await asyncio.gather(*map(one, paths[start : start + 50])))

    stand = run(tmp_path, lambda got: bodies[got.line.split()[1]], scene)

    assert sorted(call[5:7] for call in stand.calls()) == sorted(known.values())
    assert (stand.tap.tally.captured, stand.tap.tally.dropped) == (1000, 0)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
def test_recorded_streams_pass_unchanged_and_are_counted(tmp_path: Path) -> None:
    """Recorded streams through the proxy give the totals that they are known to hold."""
    from tests.ingest.test_wire_recorded import KNOWN, body_of

    ways = {
        "anthropic": "/v1/messages",
        "chat": "/v1/chat/completions",
        "responses": "/v1/responses",
        "interactions": "/v1beta/interactions",
    }
    streams = {
        f"/{at}{ways.get(KNOWN[name][0].value, '/v1beta/models/m:streamGenerateContent')}": name for at, name in enumerate(sorted(KNOWN))
    }
    rnd = random.Random(11)

    async def scene(stand: Stand) -> None:
        for path, name in streams.items():
            assert (await asked(stand, stand.url(path), data=b'{"stream_options":null}'))[3] == body_of(name)

    stand = run(tmp_path, lambda got: Said(pieces=cut(body_of(streams[got.line.split()[1]]), rnd, 40)), scene)

    expected = sorted((model, input, output) for _, calls in KNOWN.values() for model, input, output, *_ in calls)
    assert sorted(call[4:7] for call in stand.calls()) == expected


@pytest.mark.parametrize(
    "said",
    [
        Said(status=404, headers=[("Content-Type", "application/json"), ("Content-Length", "2")], pieces=[b"{}"]),
        Said(status=529, headers=[("Retry-After", "3"), ("X-A", "1"), ("X-A", "2")], pieces=[b"over", b"loaded"]),
        Said(status=204, headers=[("X-Empty", "yes")]),
        Said(status=302, headers=[("Location", "https://example.org/elsewhere"), ("Content-Length", "0")]),
        Said(headers=[("Content-Type", "application/x"), ("Date", "yesterday"), ("Server", "theirs")], pieces=[bytes(range(256)) * 900]),
        Said(headers=[("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"), ("Content-Length", "0")]),
        Said(status=304, headers=[("ETag", "x"), ("Content-Length", "9")]),
        Said(headers=[("X-City", "Z\udcfcrich"), ("X-Own", "ü"), ("X-Signs", "a\x01b\tc"), ("X-None", "")], pieces=[b"x"]),
    ],
)  # fmt: skip
def test_status_and_headers_are_the_providers(tmp_path: Path, said: Said) -> None:
    """Refusals, redirects, empty and binary replies come as they would directly: no header more, none less, none changed."""

    async def scene(stand: Stand) -> None:
        through, directly = await asked(stand, stand.url("/v1/messages")), await asked(stand, stand.direct("/v1/messages"))
        assert through == directly

    stand = run(tmp_path, lambda _: said, scene)

    assert stand.calls() == []


@pytest.mark.parametrize("value", ["a\rX-More: 1", "a\x00b", "a\r\rb"])
def test_no_header_of_a_provider_becomes_two(tmp_path: Path, value: str) -> None:
    """A head goes on as it came, so one that some reader might divide in another place does not go on at all."""

    async def scene(stand: Stand) -> None:
        status, _, headers, _ = await asked(stand, stand.url("/v1/messages"))
        assert (status, [name for name, _ in headers if name.lower() in (b"x-own", b"x-more")]) == (502, [])

    run(tmp_path, lambda _: Said(headers=[("X-Own", value)], pieces=[b"x"]), scene)


def test_a_request_arrives_as_it_was_sent(tmp_path: Path) -> None:
    """Method, path, query, body, key and unknown headers reach the provider; what belongs to one connection does not."""
    headers = {
        "Authorization": f"Bearer {KEY}",
        "X-Own": "ö",
        "anthropic-version": "2023-06-01",
        "Accept-Encoding": "gzip, br",
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "Proxy-Authorization": "Basic x",
    }

    async def scene(stand: Stand) -> None:
        await asked(stand, stand.url("/v1/messages?beta=true&q=%2F"), data=b'{"a":1}', headers=headers)

    (got,) = run(tmp_path, lambda _: Said(pieces=[b"x"]), scene).provider.got

    assert got.line == "POST /v1/messages?beta=true&q=%2F HTTP/1.1"
    assert got.body == b'{"a":1}'
    assert (got.header("authorization"), got.header("x-own"), got.header("anthropic-version")) == (f"Bearer {KEY}", "ö", "2023-06-01")
    assert got.header("accept-encoding") == "gzip"
    assert [got.header(name) for name in ("x-hop", "proxy-authorization", "te", "upgrade")] == [None] * 4
    assert (got.header("content-length"), got.header("transfer-encoding")) == ("7", None)


def test_a_head_may_come_in_pieces(tmp_path: Path) -> None:
    """One that is as large as any that passes whole, with a key of several kilobytes, passes in two pieces too; a larger one does not."""

    async def answered(port: int, target: str, size: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n" + f"X-Part: {'k' * 9_900}\r\n" * (size // 10_000)
        writer.write(head.encode())
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(b"X-Last: 1\r\n\r\n")
        status = await reader.readline()
        writer.close()
        return status.split()[1]

    async def scene(stand: Stand) -> None:
        target = stand.url("/v1/models").partition(str(stand.port))[2]
        assert [await answered(stand.port, target, size) for size in (10_000, 50_000, 80_000)] == [b"200", b"200", b"431"]

    (_, got) = run(tmp_path, lambda _: Said(pieces=[b"x"]), scene).provider.got

    assert [len(value) for name, value in got.headers if name == "X-Part"] == [9_900] * 5


def test_a_large_request_is_not_kept(tmp_path: Path) -> None:
    """A request in chunks passes in chunks, whatever its size."""
    whole = b"x" * (20 << 20)

    async def pieces() -> Any:
        for start in range(0, len(whole), 1 << 20):
            yield whole[start : start + (1 << 20)]

    async def scene(stand: Stand) -> None:
        await asked(stand, stand.url("/v1/messages"), data=pieces())

    (got,) = run(tmp_path, lambda _: Said(pieces=[b"x"]), scene).provider.got

    assert got.body == whole
    assert got.header("transfer-encoding") == "chunked"


def test_a_call_is_the_profiles_that_its_address_names(tmp_path: Path) -> None:
    """Two profiles at once: each call is that of the way it came in by, with the agent that its profile runs or that names itself."""

    async def scene(stand: Stand) -> None:
        (tmp_path / "profiles.json").write_text('{"profiles":[{"name":"work","agent":"claude"},{"name":"home"}]}')
        agent = {"User-Agent": "codex_cli_rs/0.1 (x)"}
        for profile in ("work", "home", "default"):
            await asked(stand, stand.url(f"/{profile}/v1/messages", profile=profile), data=b"{}", headers=agent)

    stand = run(tmp_path, lambda got: Said(pieces=[anthropic("msg_" + got.line.split("/")[1], 5)]), scene)

    assert sorted(call[1:4] for call in stand.calls()) == [
        ("default", "codex", "here"),
        ("home", "codex", "here"),
        ("work", "claude", "here"),
    ]


# Usage that must be asked for


def chat(*, with_usage: bool) -> list[bytes]:
    """The events of a streamed chat."""
    told = [{"id": "c", "model": "m", "choices": [{"delta": {"content": text}}]} for text in ("a", "b")]
    last = {"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}
    return [sse([each]) for each in [*told, *[last] * with_usage]] + [b"data: [DONE]\n\n"]


def chats(got: Got) -> Said:
    """As OpenAI answers: usage where it is asked for."""
    wants = (json.loads(got.body).get("stream_options") or {}).get("include_usage", False)
    return Said(pieces=cut(b"".join(chat(with_usage=wants)), random.Random(len(got.body))))


@pytest.mark.parametrize("options", [None, {}, {"include_obfuscation": False}, {"include_usage": False}])
def test_usage_is_asked_for_and_hidden(tmp_path: Path, options: Any) -> None:
    """A client that did not ask gets the stream that it would have got; the call is counted all the same."""
    request = {"model": "m", "stream": True, "temperature": 0.10, **({} if options is None else {"stream_options": options})}

    async def scene(stand: Stand) -> None:
        reply = await asked(stand, stand.url("/v1/chat/completions"), data=json.dumps(request).encode())
        assert reply[3] == b"".join(chat(with_usage=False))

    stand = run(tmp_path, chats, scene)

    sent = json.loads(stand.provider.got[0].body)
    assert sent == {**request, "stream_options": {**(options or {}), "include_usage": True}}
    assert [call[4:7] for call in stand.calls()] == [("m", 7, 2)]


def test_a_client_that_asks_for_usage_gets_it(tmp_path: Path) -> None:
    """Who asks gets the chunk, and a request that asks is passed byte for byte."""
    request = b'{"model":"m",  "stream":true,"stream_options":{"include_usage":true}}'

    async def scene(stand: Stand) -> None:
        assert (await asked(stand, stand.url("/v1/chat/completions"), data=request))[3] == b"".join(chat(with_usage=True))

    stand = run(tmp_path, chats, scene)

    assert [got.body for got in stand.provider.got] == [request]
    assert len(stand.calls()) == 1


def test_a_provider_that_minds_being_asked_is_not_asked_again(tmp_path: Path) -> None:
    """Where the added option is refused, the request goes as it was written, and so do all later ones."""
    request = b'{"model":"m","stream":true}'

    def strict(got: Got) -> Said:
        if b"stream_options" in got.body:
            return Said(status=422, headers=[("Content-Type", "application/json")], pieces=[b'{"detail":"extra_forbidden"}'])
        return Said(pieces=chat(with_usage=False))

    async def scene(stand: Stand) -> None:
        for _ in range(2):
            reply = await asked(stand, stand.url("/v1/chat/completions"), data=request)
            assert (reply[0], reply[3]) == (200, b"".join(chat(with_usage=False)))

    stand = run(tmp_path, strict, scene)

    assert [b"stream_options" in got.body for got in stand.provider.got] == [True, False, False]


@pytest.mark.parametrize("request_body", [b"", b"not json", b'{"model":"m"}', b'{"stream":false}', b"[]", b'{"stream":"yes"}'])
def test_what_needs_no_asking_passes_as_it_is(tmp_path: Path, request_body: bytes) -> None:
    """A request that does not stream, or is none, is not touched."""

    async def scene(stand: Stand) -> None:
        await asked(stand, stand.url("/v1/chat/completions"), data=request_body)

    (got,) = run(tmp_path, lambda _: Said(pieces=[b"x"]), scene).provider.got

    assert got.body == request_body


# Ends


def test_a_client_that_goes_ends_the_call_and_keeps_what_was_used(tmp_path: Path) -> None:
    """The provider is let go, though it would speak on; what was known by then is an aborted call."""
    first = anthropic("msg_1", 5).split(b"\n\n")[0] + b"\n\n"

    async def scene(stand: Stand) -> None:
        async with stand.client.post(stand.url("/v1/messages"), data=b"{}") as reply:
            assert await reply.content.readany() == first
            reply.close()
        await until(lambda: stand.proxy.at_work == 0)

    never = asyncio.Event()
    stand = run(tmp_path, lambda _: Said(pieces=[first, b": more\n\n"], until=never), scene)

    assert [call[5:] for call in stand.calls()] == [(10, 1, "aborted")]


@pytest.mark.parametrize("fails", ["send", "write_eof"])
def test_what_a_provider_sent_counts_though_the_agent_went_as_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    """Also the piece that could not be handed on, be it the reply's last or not: the provider has used what it says."""
    first, last = anthropic("msg_1", 28).split(b"\n\n", 1)
    pieces = [first + b"\n\n", last]
    headers = [("Content-Type", "text/event-stream")]
    if fails == "write_eof":
        # The last piece ends the reply.
        headers.append(("Content-Length", str(sum(map(len, pieces)))))
    handed_on = Passed.send
    sent = 0

    def send(self: Passed, piece: bytes) -> bool:
        nonlocal sent
        sent += 1
        if sent > 1:
            raise ConnectionResetError
        return handed_on(self, piece)

    async def write_eof(self: Passed, data: bytes = b"") -> None:
        raise ConnectionResetError

    monkeypatch.setattr(Passed, fails, {"send": send, "write_eof": write_eof}[fails])

    async def scene(stand: Stand) -> None:
        with suppress(aiohttp.ClientError):
            await asked(stand, stand.url("/v1/messages"), data=b"{}")

    stand = run(tmp_path, lambda _: Said(headers=headers, pieces=pieces, pause_s=0.05), scene)

    assert [call[5:7] for call in stand.calls()] == [(10, 28)]


def test_a_reply_that_breaks_off_is_seen_to(tmp_path: Path) -> None:
    """Where the provider's side ends early the agent sees no whole reply, and the call failed."""
    first = anthropic("msg_1", 5).split(b"\n\n")[0] + b"\n\n"

    async def scene(stand: Stand) -> None:
        with pytest.raises(aiohttp.ClientPayloadError):
            await asked(stand, stand.url("/v1/messages"), data=b"{}")

    stand = run(tmp_path, lambda _: Said(pieces=[first], breaks=True), scene)

    assert [call[5:] for call in stand.calls()] == [(10, 1, "error")]


def test_a_provider_that_is_not_there_is_a_bad_gateway(tmp_path: Path) -> None:
    """502, in words, and the proxy lives on."""

    async def scene(stand: Stand) -> None:
        status, _, _, body = await asked(stand, stand.url("/v1/messages", provider="gone"), data=b"{}")
        assert (status, json.loads(body)["error"]["code"]) == (502, "no_connection")
        assert (await asked(stand, stand.url("/v1/messages"), data=b"{}"))[0] == 200

    run(tmp_path, lambda _: Said(pieces=[b"x"]), scene, settings='[providers.gone]\nbilling="local"\nendpoint="http://127.0.0.1:1"\n')


def test_a_slow_client_slows_only_its_own_provider(tmp_path: Path) -> None:
    """What a client does not take stays with the provider: little of a large reply is ever kept here."""
    sent = 0

    class Counting(list[bytes]):
        def __iter__(self) -> Any:
            nonlocal sent
            for _ in range(800):
                sent += 64 << 10
                yield b"x" * (64 << 10)

        def __len__(self) -> int:
            return 800

    async def scene(stand: Stand) -> None:
        async with stand.client.post(stand.url("/v1/messages"), data=b"{}") as reply:
            await reply.content.readexactly(10)
            await asyncio.sleep(0.5)
            # Sockets' own buffers on four ends take some of it.
            assert sent < 30 << 20
            assert (await asyncio.wait_for(asked(stand, f"http://127.0.0.1:{stand.port}/healthz", method="GET"), 90))[0] == 200
            reply.close()

    run(tmp_path, lambda _: Said(headers=[("Content-Type", "application/octet-stream")], pieces=Counting()), scene)


# Faults of ours


class Broken:
    """Things that may go wrong beside a stream."""

    @staticmethod
    def parser(monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(Capture, "feed", fails)

    @staticmethod
    def tap(monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(taps.Tap, "begin", fails)

    @staticmethod
    def end(monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr(taps.Tap, "keep", fails)

    @staticmethod
    def queue(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(taps, "WAITING", 0)

    @staticmethod
    def asking(monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(usage_asked, "asking", fails)
        monkeypatch.setattr(taps, "WAITING", 0)


@pytest.mark.parametrize("fault", ["parser", "tap", "end", "queue", "asking"])
def test_a_fault_of_ours_alters_no_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """With each fault two hundred streams pass whole, and every capture that was lost is counted."""
    getattr(Broken, fault)(monkeypatch)
    rnd = random.Random(3)
    body = anthropic("msg_1", 5)

    async def scene(stand: Stand) -> None:
        for _ in range(4):
            replies = await asyncio.gather(*(asked(stand, stand.url("/v1/messages"), data=b"{}") for _ in range(45)))
            replies += await asyncio.gather(*(asked(stand, stand.url("/v1/chat/completions"), data=b'{"stream":true}') for _ in range(5)))
            assert {reply[3] for reply in replies} == {body}

    stand = run(tmp_path, lambda _: Said(pieces=cut(body, rnd)), scene)

    assert (stand.tap.tally.captured, stand.tap.tally.dropped) == (0, 200)


@pytest.mark.parametrize("fault", ["locked", "full"])
def test_a_log_that_cannot_be_written_alters_no_stream(tmp_path: Path, fault: str) -> None:
    """A journal that is locked, and a disk that is full: two hundred streams pass whole; a lock that ends has cost nothing."""
    body = anthropic("msg_{}", 5)
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    Log.open(store).close()
    locks: list[sqlite3.Connection] = []

    def opened() -> Log:
        if fault == "full":
            raise Held("no space left")
        return Log.open(store)

    async def scene(stand: Stand) -> None:
        if fault == "locked":
            locks.append(sqlite3.connect(store / "journal.db", isolation_level=None, check_same_thread=False))
            locks[0].execute("BEGIN IMMEDIATE")
        replies = await asyncio.gather(*(asked(stand, stand.url(f"/{number}/v1/messages"), data=b"{}") for number in range(200)))
        assert all(len(reply[3]) >= len(body) - 2 for reply in replies)
        for lock in locks:
            lock.execute("ROLLBACK")
            lock.close()

    numbers = iter(range(10**6))
    stand = run(tmp_path / "home", lambda _: Said(pieces=[anthropic(f"msg_{next(numbers)}", 5)]), scene, opened=opened)

    assert stand.tap.tally.dropped == (200 if fault == "full" else 0)
    with Log.open(store) as log:
        assert len(list(log.calls(*(log.span() or (0, 0))))) == (0 if fault == "full" else 200)


def test_no_key_is_kept(tmp_path: Path) -> None:
    """A key that passes stands in no file afterwards."""
    headers = {"Authorization": f"Bearer {KEY}", "x-api-key": KEY, "Cookie": KEY}

    async def scene(stand: Stand) -> None:
        await asked(stand, stand.url("/v1/messages"), data=KEY.encode(), headers=headers)
        await asked(stand, stand.url(f"/v1/{KEY}", provider="gone"), data=b"{}", headers=headers)

    run(
        tmp_path,
        lambda _: Said(pieces=[anthropic("msg_1", 5)]),
        scene,
        settings='[providers.gone]\nbilling="local"\nendpoint="http://127.0.0.1:1"\n',
    )

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"canary" in path.read_bytes()] == []
    assert any(path.suffix == ".parquet" for path in files)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_certificate_that_is_not_good_gets_no_key(tmp_path: Path) -> None:
    """A provider that cannot prove its name is sent nothing: the agent sees 502 with the reason."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    heard: list[bytes] = []

    async def scene(stand: Stand) -> None:
        async def listen(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            heard.append(await reader.read(100))

        server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        config = stand.paths.config
        Path(config).write_text(f'[providers.forged]\nbilling = "metered"\nendpoint = "https://localhost:{port}"\n')
        status, _, _, body = await asked(stand, stand.url("/v1/messages", provider="forged"), data=b"{}", headers={"x-api-key": KEY})
        assert (status, json.loads(body)["error"]["code"]) == (502, "bad_certificate")
        server.close()

    run(tmp_path / "home", lambda _: Said(pieces=[b"x"]), scene)

    assert not any(KEY.encode() in piece for piece in heard)

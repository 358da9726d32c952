"""WebSockets through the proxy: after the handshake the bytes of either side are the other's, and nothing is read of them."""

import asyncio
import base64
import hashlib
import os
import random
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cli.serve import tunnel
from ingest.passed import SOURCE
from pipeline.log import Log
from tests.cli.proxied import Said, Stand, cut, standing, until

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
WAY = "/v1/responses?x=%2F"


class Peer:
    """A provider that takes every handshake and then talks as it is told to."""

    def __init__(self, talk: Talk, *, early: bytes = b"", status: str = "101 Switching Protocols", body: bytes = b"") -> None:
        self.heads: list[str] = []
        self.early = early
        self._talk, self._status, self._body = talk, status, body

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])}
            accept = base64.b64encode(hashlib.sha1((told.get("sec-websocket-key", "") + GUID).encode()).digest()).decode()
            says = [f"HTTP/1.1 {self._status}", f"Sec-WebSocket-Accept: {accept}", "X-Own: theirs"]
            if self._status.startswith("101"):
                says += ["Upgrade: websocket", "Connection: Upgrade"]
            else:
                says += [f"Content-Length: {len(self._body)}"]
            writer.write("\r\n".join([*says, "", ""]).encode() + (self.early or self._body))
            await writer.drain()
            if self._status.startswith("101"):
                await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(4096):
        writer.write(piece)
        await writer.drain()


def scene(home: Path, peer: Peer, body: Callable[[Stand], Awaitable[None]], *, tls: ssl.SSLContext | None = None) -> Stand:
    """A proxy before that provider, played to its end."""
    return asyncio.run(played(home, peer, body, tls=tls))


async def played(home: Path, peer: Peer, body: Callable[[Stand], Awaitable[None]], *, tls: ssl.SSLContext | None = None) -> Stand:
    """The same, in the loop of whoever asks."""
    server = await asyncio.start_server(peer, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    place = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    settings = f'[providers.peer]\nbilling = "metered"\nendpoint = "{place}"\n'
    async with standing(home, lambda _: Said(), settings=settings) as stand:
        await asyncio.wait_for(body(stand), 180)
        await until(lambda: stand.proxy.at_work == 0)
    server.close()
    return stand


async def opened(stand: Stand, *headers: str, early: bytes = b"", profile: str = "default") -> tuple[str, Ends]:
    """The head of the reply to a handshake, and the two directions."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port, limit=1 << 22)
    target = stand.url(WAY, profile=profile, provider="peer").partition(str(stand.port))[2]
    lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{stand.port}", "Connection: Upgrade", "Upgrade: websocket", *headers]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Authorization: Bearer canary", "", ""]
    writer.write("\r\n".join(lines).encode() + early)
    return (await reader.readuntil(b"\r\n\r\n")).decode(), (reader, writer)


def test_what_is_said_comes_back_byte_for_byte(tmp_path: Path) -> None:
    """Ten tunnels at once, a million bytes each in any pieces: what an echo gives back is what was said, and each is counted as unread."""
    peer = Peer(echo)

    async def one(stand: Stand, number: int) -> bool:
        said = random.Random(number).randbytes(1_000_000)
        head, (reader, writer) = await opened(stand)
        assert head.startswith("HTTP/1.1 101 Switching Protocols\r\n")
        assert {"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "X-Own: theirs", "Upgrade: websocket"} <= set(head.split("\r\n"))

        async def say() -> None:
            for piece in cut(said, random.Random(number), 60):
                writer.write(piece)
                await writer.drain()

        saying = asyncio.create_task(say())
        heard = await reader.readexactly(len(said))
        await saying
        writer.close()
        return heard == said

    async def body(stand: Stand) -> None:
        assert all(await asyncio.gather(*(one(stand, number) for number in range(10))))

    stand = scene(tmp_path, peer, body)

    assert all(head.startswith(f"GET {WAY} HTTP/1.1\r\n") and "Authorization: Bearer canary\r\n" in head for head in peer.heads)
    assert (stand.tap.tally.uncaptured, stand.tap.tally.captured, stand.tap.tally.dropped) == (10, 0, 0)
    with Log.open(stand.paths.data) as log:
        (known,) = log.sources([SOURCE.path])
        assert known.seen == {"uncaptured_upgrade": 10}


def test_nothing_is_lost_that_was_said_with_the_handshake(tmp_path: Path) -> None:
    """First words that come together with a head, from either side, arrive before all others."""

    async def body(stand: Stand) -> None:
        _, (reader, writer) = await opened(stand, early=b"first")
        assert await reader.readexactly(14) == b"greetingsfirst"
        writer.write(b"then")
        assert await reader.readexactly(4) == b"then"
        writer.close()

    scene(tmp_path, Peer(echo, early=b"greetings"), body)


def test_an_end_of_one_direction_leaves_the_other(tmp_path: Path) -> None:
    """Whoever has said all may still listen, on both sides."""

    async def farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = await reader.read()
        writer.write(b"heard " + heard)
        await writer.drain()

    async def first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"that is all")
        writer.write_eof()
        late.append(await reader.read())

    late: list[bytes] = []

    async def near(stand: Stand) -> None:
        _, (reader, writer) = await opened(stand)
        writer.write(b"x" * 100_000)
        writer.write_eof()
        assert await reader.read() == b"heard " + b"x" * 100_000
        writer.close()

    async def far(stand: Stand) -> None:
        _, (reader, writer) = await opened(stand)
        assert await reader.read() == b"that is all"
        writer.write(b"late words")
        writer.close()
        while not late:
            await asyncio.sleep(0.01)

    scene(tmp_path / "near", Peer(farewell), near)
    scene(tmp_path / "far", Peer(first), far)

    assert late == [b"late words"]


@pytest.mark.parametrize("who", ["agent", "provider"])
def test_whoever_goes_ends_it_for_the_other(tmp_path: Path, who: str) -> None:
    """A connection that is reset on one side ends on the other at once."""
    ended = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        if who == "provider":
            writer.transport.abort()
            return
        try:
            await reader.read()
        finally:
            ended.set()

    async def body(stand: Stand) -> None:
        _, (reader, writer) = await opened(stand)
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)
        if who == "agent":
            writer.transport.abort()
            await asyncio.wait_for(ended.wait(), 90)
        else:
            assert await asyncio.wait_for(reader.read(), 90) == b""
        writer.close()

    scene(tmp_path, Peer(talk), body)


def test_a_handshake_that_is_refused_comes_as_it_is(tmp_path: Path) -> None:
    """An agent that is told to use something else falls back by itself; the connection goes on."""
    body_of = b'{"error":"no websockets"}'

    async def body(stand: Stand) -> None:
        head, (reader, writer) = await opened(stand)
        assert head.startswith("HTTP/1.1 426 Upgrade Required\r\n")
        assert await reader.readexactly(len(body_of)) == body_of
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{stand.port}\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"
        writer.close()

    scene(tmp_path, Peer(echo, status="426 Upgrade Required", body=body_of), body)


def test_where_nobody_else_counts_an_agent_is_asked_to_use_http(tmp_path: Path) -> None:
    """A profile whose captured calls count in place of its agent's log: what cannot be read would count nowhere, so it is 426."""
    peer = Peer(echo)
    rows = [f'{{"name":"{name}","agent":"{agent}"{since}}}' for name, agent, since in (
        ("wire", "codex", ',"captured_from":"2026-01-01"'), ("log", "codex", ""), ("both", "claude", ',"captured_from":"2026-01-01"'),
    )]  # fmt: skip

    async def body(stand: Stand) -> None:
        (tmp_path / "profiles.json").write_text(f'{{"profiles":[{",".join(rows)}]}}')
        for profile, status in (("wire", "426"), ("log", "101"), ("both", "101")):
            head, (_, writer) = await opened(stand, profile=profile)
            assert head.split()[1] == status
            writer.close()

    scene(tmp_path, peer, body)

    assert len(peer.heads) == 2


@pytest.mark.parametrize(
    "headers", [("Origin: http://evil.example",), ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: websocket"), ("Content-Length: 5",)]
)
def test_no_page_opens_one(tmp_path: Path, headers: tuple[str, ...]) -> None:
    """A handshake that a browser makes, or that is no plain one, reaches no provider."""
    peer = Peer(echo)

    async def body(stand: Stand) -> None:
        head, (_, writer) = await opened(stand, *headers)
        assert head.split()[1] in ("400", "403")
        writer.close()

    scene(tmp_path, peer, body)

    assert peer.heads == []


def test_who_takes_nothing_is_sent_little(tmp_path: Path) -> None:
    """What the agent does not take stays with the provider."""
    sent = 0

    async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async def body(stand: Stand) -> None:
        _, (_, writer) = await opened(stand)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # it can read
        await asyncio.sleep(1)
        # Sockets' own buffers on four ends take some of it.
        assert sent < 30 << 20
        writer.transport.abort()

    scene(tmp_path, Peer(floods), body)


def test_silence_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither side says anything for too long, both are let go; and soon where the daemon ends."""

    async def body(stand: Stand) -> None:
        _, (reader, writer) = await opened(stand)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        if ending:
            stand.proxy.is_ending = True
        else:
            # From here on, and not before: however long it took until now was no silence.
            monkeypatch.setattr(tunnel, "SILENCE_S", 0.5)
        assert await asyncio.wait_for(reader.read(), 90) == b""
        writer.close()

    ending = True
    scene(tmp_path / "ending", Peer(echo), body)
    ending = False
    scene(tmp_path / "silent", Peer(echo), body)


def certified(place: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of `localhost`, which is its own authority, and a server's side of it."""
    key, certificate = place / "key.pem", place / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


NO_OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")


@NO_OPENSSL
def test_it_is_as_closed_as_any_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a provider over TLS whose certificate is good the bytes pass; to one that cannot prove its name none goes."""
    certificate, context = certified(tmp_path)

    async def good(stand: Stand) -> None:
        said = os.urandom(200_000)
        head, (reader, writer) = await opened(stand)
        assert head.startswith("HTTP/1.1 101")
        writer.write(said)
        assert await reader.readexactly(len(said)) == said
        writer.close()

    async def bad(stand: Stand) -> None:
        head, (_, writer) = await opened(stand)
        assert head.startswith("HTTP/1.1 502")
        writer.close()

    proved, forged = Peer(echo), Peer(echo)
    scene(tmp_path / "bad", forged, bad, tls=context)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    scene(tmp_path / "good", proved, good, tls=context)

    assert (len(proved.heads), forged.heads) == (1, [])


def test_a_reply_that_switches_unasked_is_none(tmp_path: Path) -> None:
    """A provider that begins another protocol by itself is a bad gateway."""

    async def body(stand: Stand) -> None:
        reply: Any = await stand.client.get(stand.url("/x", provider="peer"))
        assert reply.status == 502
        reply.close()

    scene(tmp_path, Peer(echo), body)


@NO_OPENSSL
@pytest.mark.parametrize("around", ["", "localhost"])
def test_the_networks_own_proxy_is_gone_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, around: str) -> None:
    """Where the daemon's environment names one, calls go by it: it is asked for a tunnel, and sees nothing of what passes."""
    certificate, context = certified(tmp_path)
    asked: list[bytes] = []
    seen = bytearray()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            seen.extend(piece)
            writer.write(piece)
        writer.close()

    async def network(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        host, _, port = asked[-1].split()[1].decode().partition(":")
        far = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Established\r\n\r\n")
        await asyncio.gather(pipe(reader, far[1]), pipe(far[0], writer))

    async def body(stand: Stand) -> None:
        head, (reader, writer) = await opened(stand)
        assert head.startswith("HTTP/1.1 101")
        writer.write(b"a secret word")
        assert await reader.readexactly(13) == b"a secret word"
        writer.close()

    async def play() -> None:
        server = await asyncio.start_server(network, "127.0.0.1", 0)
        monkeypatch.setenv("HTTPS_PROXY", f"localhost:{server.sockets[0].getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", around)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        await played(tmp_path / "home", peer, body, tls=context)
        server.close()

    peer = Peer(echo)
    asyncio.run(play())

    assert [line.startswith(b"CONNECT localhost:") for line in asked] == [True] * (not around)
    assert (len(peer.heads), b"secret" in seen, b"canary" in seen) == (1, False, False)

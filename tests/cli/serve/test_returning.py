"""A reply's way back: when its bytes go on, and whose a connection is afterwards."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from cli.serve.returning import Body
from tests.cli.proxied import Said, Stand, standing
from tests.ingest.wired import sse

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"

Says = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


async def provider(says: Says) -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(says, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def request(reader: asyncio.StreamReader) -> None:
    """Read a request whose body is `{}`."""
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(2)


@pytest.mark.parametrize("together", [True, False])
def test_a_head_goes_with_what_came_with_it_and_waits_for_nothing(tmp_path: Path, together: bool) -> None:
    """In one write with the first piece, where both came at once; at once, where the provider thinks after its head."""
    heads: asyncio.Queue[None] = asyncio.Queue()

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        if together:
            writer.write(HEAD + chunk(b"data: 1\n\n"))
        else:
            writer.write(HEAD)
            await heads.get()
            writer.write(chunk(b"data: 1\n\n"))
        await heads.get()
        writer.write(END)
        writer.close()

    async def scene() -> None:
        server, port = await provider(says)
        settings = f'[providers.bare]\nbilling = "metered"\nendpoint = "http://127.0.0.1:{port}"\n'
        async with standing(tmp_path, lambda _: Said(), settings=settings) as stand:
            target = stand.url("/v1/messages", provider="bare").partition(str(stand.port))[2]
            reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
            writer.write(f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{stand.port}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            first = await reader.read(1 << 16)
            if together:
                assert first.endswith(b"\r\n\r\n" + chunk(b"data: 1\n\n"))
            else:
                assert first.endswith(b"chunked\r\n\r\n")
                heads.put_nowait(None)
                assert await reader.read(1 << 16) == chunk(b"data: 1\n\n")
            heads.put_nowait(None)
            assert await reader.readexactly(5) == END
            writer.close()
        server.close()

    asyncio.run(asyncio.wait_for(scene(), 180))


def test_a_connection_is_anothers_once_its_reply_has_ended() -> None:
    """Though the agent has not taken that reply yet: the next goes over the same connection, and neither sees anything of the other."""
    connections = 0
    more = asyncio.Event()

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await request(reader)
        writer.write(HEAD + chunk(b"one "))
        await more.wait()
        writer.write(chunk(b"two ") + END)
        await request(reader)
        writer.write(HEAD + chunk(b"three"))
        await request(reader)

    async def scene() -> None:
        server, port = await provider(says)
        took: list[bytes] = []
        taken, takes = asyncio.Event(), asyncio.Event()

        def onward(piece: bytes) -> bool:
            took.append(piece)
            taken.set()
            return False

        async def drained() -> None:
            await takes.wait()

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            first = await session.post(f"http://127.0.0.1:{port}/", data=b"{}")
            one = Body(first)
            carried = asyncio.create_task(one.carried(onward, drained))
            await taken.wait()
            more.set()
            second = await session.post(f"http://127.0.0.1:{port}/", data=b"{}")
            two = Body(second)
            takes.set()
            assert (took, await carried) == ([b"one "], b"two ")
            one.close()
            assert two.early() == b"three"
            two.close()
            second.close()
        server.close()

    asyncio.run(asyncio.wait_for(scene(), 180))

    assert connections == 1


@pytest.mark.parametrize("fails", ["onward", "drained"])
def test_what_the_agents_side_raises_reaches_the_task(fails: str) -> None:
    """An agent that is gone ends the call, whoever notices it: nothing is thrown into the provider's connection."""

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(HEAD)
        await asyncio.sleep(0.05)
        writer.write(chunk(b"one"))
        await reader.read()
        writer.close()

    def onward(_: bytes) -> bool:
        if fails == "onward":
            raise ConnectionResetError
        return False

    async def drained() -> None:
        raise ConnectionAbortedError

    async def scene() -> None:
        server, port = await provider(says)
        async with aiohttp.ClientSession() as session:
            reply = await session.post(f"http://127.0.0.1:{port}/", data=b"{}")
            body = Body(reply)
            with pytest.raises(ConnectionResetError if fails == "onward" else ConnectionAbortedError):
                await body.carried(onward, drained)
            body.close()
            reply.close()
        server.close()

    asyncio.run(asyncio.wait_for(scene(), 180))


def certified(home: Path) -> tuple[ssl.SSLContext, Path]:
    """A provider's side of TLS, and the file that says whom to trust."""
    key, certificate = home / "key.pem", home / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    named = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *named, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_reply_over_tls_passes_whole_or_is_seen_to_be_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a provider far away: whole replies over one kept connection, then one that breaks off and one that is no HTTP any more."""
    context, certificate = certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    usage = {"input_tokens": 9, "output_tokens": 1}
    start = {"type": "message_start", "message": {"id": "msg_%d", "model": "claude-sonnet-5", "usage": usage}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 28}}
    first, whole = sse([start]), sse([start, end, {"type": "message_stop"}])
    connections = 0

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for number in range(10 * connections, 10 * connections + 10):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            writer.write(HEAD)
            if b"/whole/" in head:
                told = whole % number
                for at in range(0, len(told), 50):
                    writer.write(chunk(told[at : at + 50]))
                    await asyncio.sleep(0)
                writer.write(END)
                continue
            writer.write(chunk(first % number))
            await asyncio.sleep(0.05)
            if b"/garbage/" in head:
                writer.write(b"this is no chunk\r\n")
                await reader.read()
            writer.transport.abort()
            return

    async def scene() -> Stand:
        server = await asyncio.start_server(says, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        settings = f'[providers.far]\nbilling = "metered"\nendpoint = "https://localhost:{port}"\n'
        async with standing(tmp_path / "home", lambda _: Said(), settings=settings) as stand:
            for number in range(5):
                async with stand.client.post(stand.url("/whole/v1/messages", provider="far"), data=b"{}") as reply:
                    assert await reply.read() == whole % (10 + number)
            assert connections == 1
            for way in ("cut", "garbage"):
                async with stand.client.post(stand.url(f"/{way}/v1/messages", provider="far"), data=b"{}") as reply:
                    assert (await reply.content.readany()).startswith(b'data: {"type": "message_start"')
                    with pytest.raises(aiohttp.ClientPayloadError):
                        await reply.read()
        server.close()
        return stand

    stand = asyncio.run(asyncio.wait_for(scene(), 180))

    assert sorted((call[6], call[7]) for call in stand.calls()) == [(1, "error")] * 2 + [(28, "ok")] * 5

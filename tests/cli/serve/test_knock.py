"""How the command line speaks to its daemon: it sends the token to nobody who has not proved to have it."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cli.paths import Paths
from cli.serve import knock, tokens
from pipeline.errors import NothingFound, RingletError
from tests.cli.served import OWN, Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "home", OWN) as site:
        yield site


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def test_our_own_daemon_is_asked(served: Served) -> None:
    """It proves itself, then it is sent the token, and its answer comes without its envelope."""
    knock.prove(url(served.port), served.paths)

    assert msgspec.json.decode(knock.ask(url(served.port), served.paths, "/api/session")) == {"role": "admin"}
    code = knock.login_code(url(served.port), served.paths, "viewer")
    session = served.access.login(code, time.time())
    assert session is not None
    assert served.access.session(session, time.time()) == "viewer"


def test_a_refusal_is_told_as_the_daemon_told_it(served: Served) -> None:
    """With what mends it."""
    with pytest.raises(RingletError, match="no profile 'x'; valid: a, b"):
        knock.ask(url(served.port), served.paths, "/api/fails?text=unknown")


def test_another_daemon_proves_nothing(served: Served, tmp_path: Path) -> None:
    """One that has another token, as another user's has, gets none of ours."""
    other = Paths(str(tmp_path / "other"), "")

    with pytest.raises(RingletError, match="another program answers there"):
        knock.prove(url(served.port), other)


def test_nobody_there_is_told(tmp_path: Path) -> None:
    """With the command that starts a daemon."""
    # Held, so that nobody else gets the port, and not listened at.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(NothingFound, match="ringlet daemon start"):
            knock.prove(url(free.getsockname()[1]), Paths(str(tmp_path / "home"), ""))


class Squatter:
    """Another program that took the port: answers everything with the same, and remembers what it was sent."""

    def __init__(self, answer: bytes, relay: int | None = None) -> None:
        self.heard = b""
        self.port = 0
        self._answer = answer
        self._relay = relay
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                asked = connection.recv(65536)
                self.heard += asked
                if self._relay is None:
                    connection.sendall(self._answer)
                    continue
                with socket.create_connection(("127.0.0.1", self._relay)) as real:
                    real.sendall(asked.replace(b"127.0.0.1:%d" % self.port, b"127.0.0.1:%d" % self._relay))
                    time.sleep(0.2)
                    connection.sendall(real.recv(65536))

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b'{"success":true,"data":{}}',
        b'{"success":true,"data":{"proof":null}}',
        b'{"success":true,"data":{"proof":""}}',
        b'{"success":true,"data":{"proof":"' + b"0" * 64 + b'"}}',
        b'{"success":true,"data":{"proof":"\xc3\xa4"}}',
        b'{"success":true,"data":[1]}',
        b'{"success":true,"data":7}',
        b'{"success":false,"error":{"message":"no"}}',
        b'["' + b"[" * 5000,
    ],
)
def test_whoever_took_the_port_is_sent_no_token(tmp_path: Path, body: bytes) -> None:
    """Whatever it answers: it hears a number that is good for nothing."""
    squatter = Squatter(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    where = Paths(str(tmp_path / "home"), "")
    for ask in (knock.prove, knock.login_code):
        with pytest.raises(RingletError, match="another program answers there"):
            ask(url(squatter.port), where)
    squatter.close()

    assert b"GET /api/proof?nonce=" in squatter.heard
    assert b"uthorization" not in squatter.heard
    assert tokens.token(where, "admin").encode() not in squatter.heard


def test_what_speaks_no_http_is_another_program(tmp_path: Path) -> None:
    """It is told as such, not as a failure of ours."""
    squatter = Squatter(b"SSH-2.0-OpenSSH_9.2\r\n")
    with pytest.raises(RingletError, match="another program answers there"):
        knock.prove(url(squatter.port), Paths(str(tmp_path / "home"), ""))
    squatter.close()


def test_a_proof_cannot_be_fetched_from_the_real_daemon(served: Served) -> None:
    """Whoever passes the question on gets a proof for another port than the one that was asked."""
    squatter = Squatter(b"", relay=served.port)
    with pytest.raises(RingletError, match="another program answers there"):
        knock.ask(url(squatter.port), served.paths, "/api/session")
    squatter.close()

    assert served.token().encode() not in squatter.heard

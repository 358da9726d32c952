"""A receiver of webhooks for tests: keeps what it gets, and answers as it is told."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec


class Got(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]

    @property
    def fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.json.decode(self.body)
        return fields


class Receiver:
    """Listens on this machine; `status` is what it answers with from now on."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.connections = 0
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: Callable[[], Iterator[bytes]] = lambda: iter((b"ok",))
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for piece in receiver.body():
                    try:
                        self.wfile.write(piece)
                    except OSError:
                        return

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # who hangs up, as some tests do, is no news

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def over(self, context: ssl.SSLContext) -> None:
        """From now on it speaks TLS."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/T000/secret-path"

    @property
    def keys(self) -> list[str]:
        """Idempotency keys in the order in which they came, each as often as it came."""
        return [got.key for got in self.got]

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for it; the bound is for a test that would wait for ever."""
        end = time.monotonic() + 90
        while not true():
            assert time.monotonic() < end, self.got
            time.sleep(0.01)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens until the end."""
    receiver = Receiver()
    receiver._thread.start()
    try:
        yield receiver
    finally:
        receiver._server.shutdown()
        receiver._server.server_close()
        receiver._thread.join()

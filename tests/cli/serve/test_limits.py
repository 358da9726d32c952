"""How much and how long: what happens at each bound, and that good requests are answered all the while."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from cli.serve.limits import Limits
from tests.cli.daemons import until
from tests.cli.served import OWN, Answer, Gate, Served, received, request, serving

SHORT = Limits(head_s=0.4, body_s=0.4, idle_s=3.0, write_s=0.5, wait_s=0.2, connections=40, at_work=4)
JSON = ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def shared() -> Gate:
    return Gate()


@pytest.fixture
def gate(shared: Gate) -> Gate:
    shared.close()
    return shared


@pytest.fixture(scope="module")
def served(shared: Gate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("limits"), OWN, shared, SHORT) as site:
        yield site


def dripped(served: Served, content: bytes, pause_s: float = 0.05) -> Answer:
    """The answer to bytes that come one by one."""
    with served.connect() as connection:
        for byte in content:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(pause_s)
        return received(connection)


@pytest.mark.parametrize(
    "content",
    [b"G", b"GET /api/open HTTP/1.1\r\n", b"GET /api/open HTTP/1.1\r\nHost: 127", b"GET /api/open HTTP/1.1\r\nX-A: b\r\n", b"\r\n"],
)
def test_headers_that_do_not_come_are_not_waited_for(served: Served, content: bytes) -> None:
    """408 after their time, however far they have come."""
    assert served.raw(content).status == 408


def test_headers_that_drip_are_cut_off(served: Served) -> None:
    """A byte now and then does not make the time begin again."""
    assert dripped(served, request("/api/open", host=served.host)).status in (0, 408)


def test_a_body_that_does_not_come_is_not_waited_for(served: Served) -> None:
    """408 after its time; what did come is nothing."""
    head = request("/api/login", "POST", [JSON, ("Content-Length", "20")], host=served.host)

    assert served.raw(head).status == 408
    assert served.raw(head + b'{"code":').status == 408


def test_a_body_that_ends_early_is_no_body(served: Served) -> None:
    """The connection's end is not the body's."""
    with served.connect() as connection:
        connection.sendall(request("/api/login", "POST", [JSON, ("Content-Length", "20")], host=served.host) + b'{"code":')
        connection.shutdown(socket.SHUT_WR)
        assert received(connection).status in (0, 400, 408)


@pytest.mark.parametrize("size", [17_000, 100_000, 3_000_000])
def test_headers_without_end_are_cut_off(served: Served, size: int) -> None:
    """431 at 16 KiB, in however many pieces and lines they come."""
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 500) for number in range(size // 508))

    with served.connect() as connection:
        try:
            for at in range(0, len(lines), 4000):
                connection.sendall(b"GET /api/open HTTP/1.1\r\n"[: 24 if at == 0 else 0] + lines[at : at + 4000])
        except OSError:
            pass
        assert received(connection).status in (0, 400, 431)


def test_an_idle_connection_is_closed(served: Served) -> None:
    """Whether it was ever used or not."""
    with served.connect() as unused, served.connect() as used:
        used.sendall(request("/api/open", host=served.host))
        assert received(used).status == 200
        # They would wait for longer than the server does.
        assert (unused.recv(1), used.recv(1)) == (b"", b"")


@pytest.mark.parametrize("path", ["/api/endless", "/api/large"])
def test_a_client_that_does_not_read_is_let_go(served: Served, path: str) -> None:
    """An answer, endless or in one piece, to somebody who takes nothing of it ends, and leaves nothing behind."""
    with served.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request(path, host=served.host, token=served.token()))
        until(lambda: not served.server.connections)


def at_work(gate: Gate, number: int) -> None:
    """Wait until so many questions are being answered."""
    until(lambda: gate.waiting >= number)


def test_more_questions_than_places_wait_and_are_sent_away(served: Served, gate: Gate) -> None:
    """429 with the time to wait; those at work are answered, and so is what needs no work."""
    found: list[int] = []
    slow = [threading.Thread(target=lambda: found.append(served.ask("/api/slow", token=served.token()).status)) for _ in range(4)]
    for thread in slow:
        thread.start()
    at_work(gate, 4)
    late = served.ask("/api/echo", token=served.token())

    assert (late.status, late.headers["retry-after"]) == (429, "1")
    assert served.ask("/api/session", token=served.token()).status == 200
    assert served.ask("/usage").status == 200
    gate.opened.set()
    for thread in slow:
        thread.join()
    assert found == [200] * 4
    assert served.ask("/api/echo", token=served.token()).status == 200


def test_200_slow_connections_keep_no_good_one_out(served: Served) -> None:
    """Beyond the number of connections the oldest that only waits goes; a good client does not notice."""
    slow: list[socket.socket] = []
    try:
        for number in range(200):
            connection = served.connect()
            connection.sendall(b"GET /api/open HTTP/1.1\r\n"[: number % 24])
            slow.append(connection)
            if number % 10 == 0:
                assert served.ask("/api/echo", token=served.token()).status == 200
        # Of those that have to go the server hears that they went a moment later.
        until(lambda: len(served.server.connections) <= SHORT.connections)
    finally:
        for connection in slow:
            connection.close()


def test_connections_at_work_are_not_given_up_for_others(served: Served, gate: Gate) -> None:
    """Those that wait go first, so a question that is being answered is answered."""
    found: list[int] = []
    slow = threading.Thread(target=lambda: found.append(served.ask("/api/slow", token=served.token()).status))
    slow.start()
    at_work(gate, 1)
    waiting = [served.connect() for _ in range(SHORT.connections + 20)]
    assert served.ask("/api/echo", token=served.token()).status == 200
    gate.opened.set()
    slow.join()
    for connection in waiting:
        connection.close()

    assert found == [200]


def test_one_connection_serves_many_requests(served: Served) -> None:
    """Also those that were sent before the answer to the first: each has its answer, in order."""
    with served.connect() as connection:
        connection.sendall(b"".join(request(f"/api/echo?number={number}", host=served.host, token=served.token()) for number in range(10)))
        came = b""
        while came.count(b'"number":') < 10:
            came += connection.recv(65536)
    assert [came.index(b'"number":%d}' % number) for number in range(10)] == sorted(
        came.index(b'"number":%d}' % number) for number in range(10)
    )


def test_a_refusal_ends_its_connection(served: Served) -> None:
    """What was sent behind a trick is not read as a request."""
    with served.connect() as connection:
        connection.sendall(request("/api/open", host="evil.com") + request("/api/open", host=served.host))
        assert received(connection).status == 421
        with pytest.raises((ConnectionResetError, AssertionError)):
            assert connection.recv(1)

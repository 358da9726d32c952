"""Which requests are looked at at all, told from their first lines."""

import pytest

from cli.serve.doors import BODY_BYTES, HEAD_BYTES, Doors, Refused, doors, let_in

HERE = doors("127.0.0.1", 8765)
HOST = (b"Host", b"127.0.0.1:8765")


def refused(target: str = "/api/usage", *headers: tuple[bytes, bytes], method: str = "GET", doors: Doors = HERE) -> int:
    """The status that a request is refused with; 0 where it is let in."""
    try:
        let_in(method, target, (1, 1), headers, doors)
    except Refused as error:
        return error.status
    return 0


def test_the_address_and_localhost_are_the_only_names() -> None:
    """A daemon on 127.0.0.1 is asked by that address or `localhost`, each with the port."""
    assert HERE.hosts == {b"127.0.0.1:8765", b"localhost:8765"}
    assert HERE.origins == {b"http://127.0.0.1:8765", b"http://localhost:8765"}


def test_another_address_has_no_other_name() -> None:
    """What listens elsewhere is asked by exactly that address, an IPv6 one in brackets."""
    assert doors("192.168.1.5", 9000).hosts == {b"192.168.1.5:9000"}
    assert doors("::1", 9000).hosts == {b"[::1]:9000"}


def test_port_80_goes_without_saying() -> None:
    """Browsers leave the usual port out, so there it must be left out."""
    assert doors("127.0.0.1", 80).hosts == {b"127.0.0.1", b"localhost"}
    assert doors("127.0.0.1", 80).origins == {b"http://127.0.0.1", b"http://localhost"}


@pytest.mark.parametrize(
    "host", [b"127.0.0.1:8765.evil.com", b"127.0.0.1:87650", b"127.0.0.1", b"LOCALHOST:8765", b"localhost.:8765", b"evil.com"]
)
def test_a_name_must_be_the_same_letter_by_letter(host: bytes) -> None:
    """A name that only begins or ends like ours, or is written otherwise, is somebody else's: 421."""
    assert refused("/", (b"Host", host)) == 421


def test_no_host_or_two_is_no_request() -> None:
    """400: it cannot be told whom it is for."""
    assert refused("/") == 400
    assert refused("/", (b"Host", b"")) == 400
    assert refused("/", HOST, HOST) == 400


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        (b"Origin", b"http://127.0.0.1:8765", 0),
        (b"Origin", b"http://localhost:8765", 0),
        (b"Origin", b"http://127.0.0.1:8765.evil.com", 403),
        (b"Origin", b"http://127.0.0.1:87651", 403),
        (b"Origin", b"null", 403),
        (b"Origin", b"", 403),
        (b"Sec-Fetch-Site", b"same-origin", 0),
        (b"Sec-Fetch-Site", b"none", 0),
        (b"Sec-Fetch-Site", b"same-site", 403),
        (b"Sec-Fetch-Site", b"cross-site", 403),
        (b"Sec-Fetch-Site", b"same-origin-x", 403),
    ],
)
def test_only_our_own_pages_and_people_ask(header: bytes, value: bytes, status: int) -> None:
    """Whatever says that it comes from another site is refused; a program says nothing at all."""
    assert refused("/api/usage", HOST, (header, value)) == status


@pytest.mark.parametrize("target", ["http://127.0.0.1:8765/", "*", "", "api", "/a b", "/a#b", "/ä", "/\x00", "evil.com:80"])
def test_an_address_is_a_plain_path(target: str) -> None:
    """A proxy's forms, and letters that no address has, are no request."""
    assert refused(target, HOST) == 400


def test_a_path_stays_as_it_is() -> None:
    """Nothing is unquoted, folded or joined: another spelling of a path is another path."""
    head = let_in("GET", "/api/%75sage/../x//?a=%2f", (1, 1), [HOST], HERE)

    assert (head.path, head.query) == ("/api/%75sage/../x//", "a=%2f")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"Content-Length", b"%d" % BODY_BYTES)], 0),
        ([(b"Content-Length", b"%d" % (BODY_BYTES + 1))], 413),
        ([(b"Content-Length", b"9" * 5000)], 413),
        ([(b"Content-Length", b"+1")], 400),
        ([(b"Content-Length", b"1"), (b"Content-Length", b"1")], 400),
        ([(b"Transfer-Encoding", b"chunked")], 411),
        ([(b"Content-Encoding", b"gzip")], 415),
        ([(b"Expect", b"100-continue")], 417),
        ([(b"Upgrade", b"websocket")], 400),
        ([(b"X-A", b"a" * (HEAD_BYTES - 60))], 0),
        ([(b"X-A", b"a" * HEAD_BYTES)], 431),
    ],
)
def test_a_body_tells_its_size_once_and_is_small(headers: list[tuple[bytes, bytes]], status: int) -> None:
    """No chunks, no compression, no second length, at most 1 MiB, and 16 KiB of headers."""
    assert refused("/api/login", HOST, *headers, method="POST") == status


def test_get_has_no_body() -> None:
    """A body that nobody reads would be the next request."""
    assert refused("/api/usage", HOST, (b"Content-Length", b"5")) == 400
    assert refused("/api/usage", HOST, (b"Content-Length", b"0")) == 0


@pytest.mark.parametrize("version", [(0, 9), (1, 2), (2, 0)])
def test_other_versions_of_http_are_other_languages(version: tuple[int, int]) -> None:
    """HTTP/1.0 and 1.1, no other."""
    with pytest.raises(Refused):
        let_in("GET", "/", version, [HOST], HERE)

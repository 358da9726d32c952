"""What a browser may do with an answer: the headers of every answer there is, letter by letter."""

from collections.abc import Iterator

import pytest

from cli.serve.routes import ROUTES
from tests.cli.served import Answer, Served, daemon

ALL = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "server": "ringlet",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
DATA = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
PASSING = {"date", "content-length", "connection", "transfer-encoding"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with daemon(tmp_path_factory.mktemp("answered")) as site:
        yield site


def shown(answer: Answer) -> dict[str, str]:
    """The headers but for those that say when, how long and how the connection goes on."""
    return {name: value for name, value in answer.headers.items() if name not in PASSING}


TYPES = {
    "/metrics": "text/plain; version=0.0.4; charset=utf-8",
    "/api/usage/export": "text/csv; charset=utf-8",
    "/api/events": "text/event-stream",
}
ASKED = {"/api/proof": f"/api/proof?nonce={'0' * 64}"}


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=lambda route: route.path)
def test_every_answer_of_the_api_is_for_its_own_pages_alone(served: Served, route) -> None:  # type: ignore[no-untyped-def]
    """Not stored, not framed, not sniffed, not shared, and no script could run in it; there is no CORS header."""
    answer = served.ask(ASKED.get(route.path, route.path), token=served.token())
    found = shown(answer)
    found.pop("content-disposition", None)

    assert answer.status == 200
    assert found == ALL | {
        "cache-control": "no-store",
        "content-security-policy": DATA,
        "content-type": TYPES.get(route.path, "application/json"),
    }


@pytest.mark.parametrize(
    ("path", "content_type", "cache"),
    [
        ("/usage", "text/html; charset=utf-8", "no-store"),
        ("/login", "text/html; charset=utf-8", "no-store"),
        ("/assets/app.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/assets/style/base.css", "text/css; charset=utf-8", "no-cache"),
        ("/assets/ring.svg", "image/svg+xml", "no-cache"),
    ],
)
def test_a_page_runs_only_what_the_daemon_serves(served: Served, path: str, content_type: str, cache: str) -> None:
    """No inline script or style, no `eval`, no other host, no frame around it."""
    found = shown(served.ask(path))
    found.pop("etag", None)

    assert found == ALL | {"cache-control": cache, "content-security-policy": PAGE, "content-type": content_type}


@pytest.mark.parametrize(
    ("content", "status", "more"),
    [
        (b"GET /api/usage HTTP/1.1\r\nHost: evil.com\r\n\r\n", 421, {}),
        (b"GET /none HTTP/1.1\r\nHost: HOST\r\n\r\n", 404, {}),
        (b"GET /api/usage HTTP/1.1\r\nHost: HOST\r\n\r\n", 401, {"www-authenticate": 'Bearer realm="ringlet"'}),
        (b"GET /api/usage HTTP/1.1\r\nHost: HOST\r\nOrigin: http://evil.com\r\n\r\n", 403, {}),
        (b"OPTIONS /api/usage HTTP/1.1\r\nHost: HOST\r\n\r\n", 405, {"allow": "GET"}),
        (b"OPTIONS /api/login HTTP/1.1\r\nHost: HOST\r\n\r\n", 405, {"allow": "POST"}),
        (b"OPTIONS /usage HTTP/1.1\r\nHost: HOST\r\n\r\n", 405, {"allow": "GET"}),
        (b"GET /api/health?x=1 HTTP/1.1\r\nHost: HOST\r\n\r\n", 400, {}),
        (b"GET /api/usage HTTP/1.1\r\n\r\n", 400, {}),
        (b"GET /api/usage HTTP/1.1\r\nHost: HOST\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431, {}),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400, {}),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000, 400, {}),
    ],
)
def test_every_refusal_has_the_same_headers(served: Served, content: bytes, status: int, more: dict[str, str]) -> None:
    """Also those that no route gave, and those to what is no request at all."""
    answer = served.raw(content.replace(b"HOST", served.host.encode()))

    assert answer.status == status
    assert shown(answer) == ALL | {"cache-control": "no-store", "content-security-policy": DATA, "content-type": "application/json"} | more
    assert answer.error["message"]

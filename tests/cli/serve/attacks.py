"""Requests that must never be answered: the list of attacks on the daemon's web side.

Each is an otherwise good request with the admin's token, so that what is wrong with it is the one thing its name says.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cli.serve.route import Route
from tests.cli.served import request

JSON = ("Content-Type", "application/json")


class Attack(NamedTuple):
    """One request."""

    name: str
    content: bytes
    statuses: tuple[int, ...]
    """The answers that are right; 0: the connection is closed."""


def hosts(port: int) -> list[str]:
    """Values of Host that are not the daemon's, many of which a lenient reader takes for it."""
    local = [f"127.0.0.1:{port}", f"localhost:{port}"]
    names = [
        *("evil.com", "localhost.evil.com", "127.0.0.1.evil.com", "127.0.0.1.nip.io", "evil.com.localhost", "sub.localhost", "localhostx"),
        *("0.0.0.0", "127.0.0.2", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.01", "127.000.000.001"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[::]", "::1", "::ffff:127.0.0.1", "[::1%lo]"),
        *("LOCALHOST", "Localhost", "localhost.", "127.0.0.1.", "localhost..", ".localhost", "xn--localhost-", "ⓛocalhost", "１２７.0.0.1"),
        *("user@127.0.0.1", "user:pass@localhost", "evil.com@127.0.0.1", "127.0.0.1#evil.com", "127.0.0.1/evil", "127.0.0.1\\evil.com"),
        *("127.0.0.1%00", "127.0.0.1%2eevil.com", "127.0.0.1 evil.com", "127.0.0.1,evil.com", "127.0.0.1;evil.com", "http://127.0.0.1"),
    ]
    ports = ["", ":", ":80", ":0", f":{port + 1}", f":{port}0", f":0{port}", f":+{port}", f":{port} ", f":{port}:{port}", f":{port}.", ":x"]
    return [f"{name}:{port}" for name in names] + [
        *(f"{name}{end}" for name in ("127.0.0.1", "localhost") for end in ports if end not in (f":{port} ",)),
        *(f"{name}, evil.com" for name in local),
        *(f"evil.com, {name}" for name in local),
    ]


def wrong_hosts(port: int, token: str, routes: Sequence[Route]) -> Iterator[Attack]:
    """Every such name on every route, and requests whose host is told twice, not at all or in the address."""
    good = f"127.0.0.1:{port}"
    for route in routes:
        for host in hosts(port):
            yield Attack(f"host {host} {route.path}", asked(route, host, token), (400, 421))
    for line in ("Host:", "Host: ", "hOsT:", f"Host : {good}", f" Host: {good}", f"X-Host: {good}", f"X-Forwarded-Host: {good}"):
        head = f"GET /api/usage HTTP/1.1\r\n{line}\r\nAuthorization: Bearer {token}\r\n\r\n"
        yield Attack(f"host line {line!r}", head.encode(), (400,))
    for one, other in ((good, good), (good, "evil.com"), ("evil.com", good), (good, ""), ("", good)):
        head = f"GET /api/usage HTTP/1.1\r\nHost: {one}\r\nhost: {other}\r\nAuthorization: Bearer {token}\r\n\r\n"
        yield Attack(f"two hosts {one} {other}", head.encode(), (400,))
    for address in (
        "http://evil.com/api/usage",
        f"http://{good}/api/usage",
        f"https://{good}/api/usage",
        f"http://evil.com:{port}/",
        f"//{good}/api/usage",
    ):
        yield Attack(f"address {address}", request(address, host=good, token=token), (400, 404))
    for version in ("1.0", "0.9", "2.0", "1.2", "9.9", "1.10", "x"):
        head = f"GET /api/usage HTTP/{version}\r\nAuthorization: Bearer {token}\r\n\r\n"
        yield Attack(f"no host, HTTP/{version}", head.encode(), (400,))


def elsewhere(port: int) -> list[tuple[tuple[str, str], ...]]:
    """Headers by which a browser tells that another site's page asks, or that somebody would like to look as if none did."""
    good = f"http://127.0.0.1:{port}"
    origins = [
        *("null", "", "http://evil.com", "https://evil.com", f"http://evil.com:{port}", f"http://127.0.0.1.evil.com:{port}", "file://"),
        *(f"http://localhost.evil.com:{port}", f"https://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", "http://127.0.0.1", f"{good}/"),
        *(f"{good}.evil.com", f"{good}@evil.com", f"HTTP://127.0.0.1:{port}", f"{good} http://evil.com", f"http://evil.com {good}", "*"),
        *(
            f"http://user@127.0.0.1:{port}",
            f"http://[::1]:{port}",
            f"http://0.0.0.0:{port}",
            f"ws://127.0.0.1:{port}",
            "chrome-extension://x",
        ),
        *(f"//127.0.0.1:{port}", f"127.0.0.1:{port}", f"{good}0", f"{good}%00", f"http://LOCALHOST:{port}", f"http://localhost.:{port}"),
    ]
    sites = [
        "cross-site",
        "same-site",
        "Same-Origin",
        "same-origin, none",
        "",
        "nonee",
        "xnone",
        "cross-site, same-origin",
        "none;q=1",
        "null",
    ]
    return [
        *((("Origin", origin),) for origin in origins),
        *((("Sec-Fetch-Site", site),) for site in sites),
        *((("Origin", good), ("Sec-Fetch-Site", site)) for site in ("cross-site", "same-site")),
        (("Origin", "http://evil.com"), ("Sec-Fetch-Site", "same-origin")),
        (("Origin", "null"), ("Sec-Fetch-Site", "none")),
        (("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")),
        (("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "script")),
        (("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")),
        (("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "websocket"), ("Sec-Fetch-Dest", "websocket")),
        (("Origin", good), ("Origin", "http://evil.com")),
        (("Origin", "http://evil.com"), ("Origin", good)),
        (("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")),
    ]


def from_elsewhere(port: int, token: str, routes: Sequence[Route]) -> Iterator[Attack]:
    """Every such combination on every route and page."""
    for route in routes:
        for headers in elsewhere(port):
            yield Attack(f"{headers} {route.path}", asked(route, f"127.0.0.1:{port}", token, headers), (400, 403))
    for page in ("/", "/usage", "/login", "/assets/app.js", "/assets/vega.js", "/none"):
        for headers in elsewhere(port):
            yield Attack(f"{headers} {page}", request(page, headers=headers, host=f"127.0.0.1:{port}"), (400, 403))


def methods(port: int, token: str, routes: Sequence[Route]) -> Iterator[Attack]:
    """Every other method on every route: also those that ask what is allowed, and those that would change what GET asks for."""
    known = ["HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "LINK", "PROPFIND", "MKCOL", "PURGE", "SEARCH", "M-SEARCH", "QUERY"]
    odd = ["get", "Get", "GETT", "GE", "POSTS", "post", "X", "G\tET", "GET\x00", "PRI", "ÄT", "GET,POST", "*"]
    for route in routes:
        wrong = "POST" if route.method == "GET" else "GET"
        for method in ("OPTIONS", wrong, *known):
            yield Attack(f"{method} {route.path}", asked(route, f"127.0.0.1:{port}", token, method=method), (400, 405))
        preflight = (("Origin", "http://evil.com"), ("Access-Control-Request-Method", "POST"), ("Sec-Fetch-Mode", "cors"))
        yield Attack(f"preflight {route.path}", asked(route, f"127.0.0.1:{port}", token, preflight, method="OPTIONS"), (403, 405))
    for method in odd:
        yield Attack(f"{method!r}", request("/api/usage", method, host=f"127.0.0.1:{port}", token=token), (400, 405))
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"):
        headers = ((name, "POST"), JSON)
        yield Attack(name, request("/api/usage/import-claude", "GET", headers, host=f"127.0.0.1:{port}", token=token), (400, 405))


TARGETS = [
    *("/../etc/passwd", "/..%2fetc/passwd", "/%2e%2e/etc/passwd", "/%2e%2e%2fetc%2fpasswd", "/..\\etc\\passwd", "/..%5cetc%5cpasswd"),
    *("/assets/%61pp.js", "/assets%2fapp.js", "/%61ssets/app.js", "/%75sage", "/assets/core/%2e%2e/app.js", "/usage%2f..", "/login%3f"),
    *("/assets/../../access.py", "/assets/../http.py", "/assets/..%2f..%2faccess.py", "/assets/%2e%2e/%2e%2e/tokens.py", "/assets/....//x"),
    *(
        "/assets/..%252f..%252faccess.py",
        "/assets/%c0%ae%c0%ae/x",
        "/assets/..;/x",
        "/assets/.%00./x",
        "/assets/\u2025/x",
        "/assets/app.js%00",
    ),
    *(
        "/assets/app.js/",
        "/assets/app.js%20",
        "/assets/app.js.",
        "/assets//app.js",
        "/assets/./app.js",
        "/assets/core/../app.js",
        "//assets/app.js",
    ),
    *("/assets", "/assets/", "/assets/core", "/assets/core/", "/assets/index.html", "/assets/login.html", "/index.html", "/login.html"),
    *("/assets/drawing.json", "/assets/charts/", "/assets/charts/../app.js", "/assets/charts/..%2fapp.js", "/assets/charts/none.json"),
    *(
        "/assets/charts//etc/passwd",
        "/assets/charts/%2fetc%2fpasswd",
        "/assets//etc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "///etc/passwd",
    ),
    *(
        "/proc/self/environ",
        "/.git/config",
        "/access/admin.token",
        "/journal.db",
        "/daemon.json",
        "/daemon.log",
        "/config.toml",
        "/dev/zero",
    ),
    *(
        "/api/usage/",
        "/api//usage",
        "//api/usage",
        "/./api/usage",
        "/api/./usage",
        "/api/x/../usage",
        "/API/usage",
        "/api/Usage",
        "/api%2fusage",
    ),
    *(
        "/api/%75sage",
        "/%61pi/usage",
        "/api/usage%3f",
        "/api/usage;x=1",
        "/api/usage%00",
        "/api/usage.json",
        "/api/usage#x",
        "/api/usage%23",
    ),
    *(
        "/api\\usage",
        "/api/usage\\",
        "/api",
        "/api/",
        "/api/none",
        "/api/usage/none",
        "/metrics/",
        "/usage/",
        "/usage/..",
        "/login/",
        "/Usage",
    ),
    *(
        "*",
        "/*",
        "usage",
        "api/usage",
        "?",
        "#",
        "",
        " ",
        "\\",
        "..",
        "../",
        "file:///etc/passwd",
        "evil.com:80",
        "127.0.0.1:1",
        "javascript:1",
    ),
    *("/\x00", "/a\x00b", "/a b", "/a\tb", "/a\x7fb", "/\xff", "/ä", "/%", "/%z", "/%0d%0aX:1", "/" + "a" * 7000, "/" + "../" * 2000),
    *("/" + "a" * 9000, "/" + "a" * 100_000, "/api/health?" + "a" * 9000, "/" + "%2e" * 3000),
]
"""Addresses that lead nowhere, however they are read."""


def targets(port: int, token: str) -> Iterator[Attack]:
    """Each of `TARGETS`."""
    for target in TARGETS:
        content = request(target, host=f"127.0.0.1:{port}", token=token)
        yield Attack(f"target {target[:60]!r}", content, (0, 400, 404, 431))
    for method in ("POST",):
        for target in TARGETS[:40]:
            content = request(target, method, (JSON,), body=b"{}", host=f"127.0.0.1:{port}", token=token)
            yield Attack(f"{method} {target[:60]!r}", content, (0, 400, 404, 405, 431))


def strangers(port: int, token: str, viewer: str, routes: Sequence[Route]) -> Iterator[Attack]:
    """Tokens, cookies and codes that are none, on every closed route; and a viewer's on what is the admin's."""
    host = f"127.0.0.1:{port}"
    closed = [route for route in routes if route.role != "open"]
    for route in closed:
        yield Attack(f"no token {route.path}", asked(route, host, None), (401,))
        yield Attack(f"wrong token {route.path}", asked(route, host, "ringlet_" + "A" * 43), (401, 429))
        if route.role == "admin":
            yield Attack(f"viewer {route.path}", asked(route, host, viewer), (403,))
    values = [
        *("", "Bearer", "Bearer ", f"Basic {token}", f"Token {token}", token, f"Bearer{token}", f"Bearer: {token}", f"Bearer {token[:-1]}"),
        *(f"Bearer {token}A", f"Bearer {token[1:]}", f"Bearer {token.upper()}", f"Bearer {token.lower()}", f"Bearer {token} {token}"),
        *(f"Bearer {token},{token}", f'Bearer "{token}"', f"Bearer token={token}", f"Bearer {token}%00", f"Bearer {token}=", "Bearer null"),
        *(
            "Bearer undefined",
            "Bearer *",
            "Bearer %",
            "Bearer ringlet_",
            f"Bearer {'A' * 4000}",
            "Bearer äöü",
            "Bearer \udcff",
            "Basic Og==",
        ),
        *("Digest username=admin", "Negotiate x", f"Bearer {viewer[:-1]}", f"bearer\t{token}", f"Bearer {token};", f"Bearer {token[:20]}"),
        *(
            "Basic YWRtaW46YWRtaW4=",
            "Basic YWRtaW46",
            "Bearer admin",
            "Bearer true",
            "Bearer 0",
            "Bearer {}",
            "Bearer ' OR 1=1",
            "Bearer ../",
        ),
    ]
    for value in values:
        yield Attack(f"Authorization {value[:30]!r}", request("/api/usage", headers=[("Authorization", value)], host=host), (400, 401, 429))
    for name in (
        "X-Authorization",
        "Proxy-Authorization",
        "X-Api-Key",
        "Authorization2",
        "X-Token",
        "Token",
        "X-Forwarded-User",
        "Remote-User",
    ):
        yield Attack(name, request("/api/usage", headers=[(name, f"Bearer {token}")], host=host), (401,))
    two = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x")]
    yield Attack("two tokens", request("/api/usage", headers=two, host=host), (400,))
    yield Attack("two tokens, good last", request("/api/usage", headers=two[::-1], host=host), (400,))
    for query in (f"token={token}", f"access_token={token}", f"authorization=Bearer%20{token}", f"api_key={token}", f"code={token}"):
        yield Attack(f"query {query[:20]}", request(f"/api/usage?{query}", host=host), (401,))
    names = [f"ringlet-{port}", "ringlet", "session", "token", "admin", f"RINGLET-{port}", f"__Host-ringlet-{port}", f"ringlet-{port}0"]
    for name in names:
        for value in (token, "A" * 43, "", "admin", '"' + "A" * 43 + '"', "A" * 43 + "=", "../access/admin.token"):
            yield Attack(f"cookie {name}={value[:12]}", request("/api/usage", headers=[("Cookie", f"{name}={value}")], host=host), (401,))
    for code in ("", "A" * 22, token, "../", "' OR 1=1", "x" * 5000, "\\u0000"):
        body = b'{"code":"%s"}' % code.encode()
        yield Attack(f"code {code[:10]}", request("/api/login", "POST", [JSON], body=body, host=host), (400, 401, 429))


def parameters(port: int, token: str) -> Iterator[Attack]:
    """Parameters that are none, are repeated, are empty, hold what no name holds, or are simply too much."""
    queries = [
        *(
            "periode=today",
            "Period=today",
            "period=",
            "period",
            "=today",
            "&period=today",
            "period=today&",
            "period=today&&tz=UTC",
            "?",
            "&",
        ),
        *(
            "period=today&period=all",
            "period=today&period=today",
            "period[]=today",
            "period[0]=today",
            "period.x=1",
            "__proto__=1",
            "self=1",
        ),
        *("period=%00", "period=today%00", "period=%0d%0aSet-Cookie:x=1", "period=%1b[2J", "period=%7f", "profile=%08", "model=a%0ab"),
        *(
            "period=%ff",
            "period=%c3%28",
            "period=%ed%a0%80",
            "%ff=1",
            "period=%f0%28%8c%28",
            "period=" + "a" * 5000,
            "a=1&" * 300,
            "a=1&" * 60,
        ),
        *(
            "period=nope",
            "period=-1d",
            "period=0d",
            "period=99999999999999999999d",
            "period=today'--",
            "since=2026-13-01",
            "since=x",
            "until=x",
        ),
        *(
            "since=2026-05-02&until=2026-05-01",
            "since=0000-00-00",
            "period=today&since=2026-05-01",
            "tz=../../etc/passwd",
            "tz=/etc/passwd",
        ),
        *(f"tz={name}" for name in ("localtime", "Factory", "posixrules", "posix/Europe/Berlin", "right/Europe/Berlin")),
        *("tz=Mars/Olympus", "tz=UTC%00", "tz=.", "cost_mode=free", "source=none", "initiator=none", "week_start=never", "agent=../../x"),
        *("profile=../../../etc/passwd", "profile=nobody-of-that-name", "provider=nobody-of-that-name", "model=no-such-model", "limit=1"),
        *("callback=alert", "jsonp=x", "format=json", "_=1", "debug=1", "pretty=1", "token=x", "constructor=1", "$where=1", "%24ne=1"),
    ]
    host = f"127.0.0.1:{port}"
    for query in queries:
        yield Attack(f"query {query[:40]!r}", request(f"/api/usage?{query}", host=host, token=token), (400, 431))
    for path, query in (
        *(
            ("/api/usage/rollup", text)
            for text in ("by=", "by=none", "by=day,day", "by=a,b,c", "by=profile,", "limit=0", "limit=10001", "limit=x")
        ),
        *(
            ("/api/usage/rollup", text)
            for text in ("limit=1e9", "limit=-1", "limit=1.5", "sort=none", "sort=cost:up", "limit=99999999999999999999")
        ),
        *(("/api/usage/series", text) for text in ("bucket=second", "bucket=", "by=none", "bucket=day,week", "bucket=hour&by=")),
        *(
            ("/api/usage/records", text)
            for text in ("page=0", "page=-1", "page=x", "per_page=101", "per_page=0", "page=1e99", "source=none")
        ),
        *(
            ("/api/usage/export", text)
            for text in ("format=exe", "format=../x", "format=csv%00", "raw=perhaps", "format=", "by=none", "file=/tmp/x")
        ),
        *(("/api/usage/top", text) for text in ("rank=none", "limit=0", "limit=10001", "rank=")),
        *(("/api/prices", text) for text in ("at=x", "at=2026-99-99", "model=", "at=" + "9" * 40)),
        *(
            ("/api/proof", text)
            for text in ("", "nonce=", "nonce=x", "nonce=" + "A" * 64, "nonce=" + "0" * 63, "nonce=" + "0" * 65, "n=" + "0" * 64)
        ),
        *(("/api/health", text) for text in ("x=1", "period=today", "=")),
        *(("/api/session", text) for text in ("x=1", "role=admin")),
        *(("/metrics", text) for text in ("x=1", "name[]=1")),
    ):
        yield Attack(f"{path} {query[:30]!r}", request(f"{path}?{query}", host=host, token=token), (400, 431))


def roots(port: int, token: str) -> Iterator[Attack]:
    """Folders that an import must not read."""
    for folder in (
        *(
            "/",
            "/etc",
            "/etc/passwd",
            "/proc/self",
            "/proc/self/environ",
            "/proc/self/root",
            "/dev",
            "/dev/zero",
            "/dev/stdin",
            "/root",
            "/tmp",
        ),
        *(
            "..",
            "../..",
            ".",
            "./",
            "~",
            "~root",
            "~/.ssh",
            "$HOME",
            "%24HOME",
            "..%2f..%2fetc",
            "%2e%2e%2f",
            "%252e%252e",
            "/etc%00",
            "a%00b",
        ),
        *(
            "file:///etc",
            "http://evil.com/",
            "//evil.com/share",
            "\\\\evil.com\\share",
            "C:\\",
            "%5c%5c",
            "-",
            "--help",
            "%20",
            "%0a",
            "*",
            "?*",
        ),
        *(
            "/.claude",
            "/home/x/.claude",
            ".claude",
            "claude",
            "%c0%ae%c0%ae",
            "%ff",
            "a" * 4000,
            "/" + "a/" * 2000,
            "/etc/../etc",
            "//etc",
            "",
        ),
    ):
        path = f"/api/usage/import-claude?claude_dir={folder}"
        yield Attack(f"folder {folder[:30]!r}", request(path, "POST", (JSON,), host=f"127.0.0.1:{port}", token=token), (400, 431))


def bodies(port: int, token: str) -> Iterator[Attack]:
    """Bodies of another kind, in another form, or of another size than they claim."""
    host = f"127.0.0.1:{port}"
    kinds = [
        *(
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/json",
            "application/jsonx",
            "*/*",
            "",
        ),
        *(
            "application/json, text/plain",
            "text/plain; application/json",
            "application/x-json",
            "application/csp-report",
            "application/ld+json",
        ),
        *("application/json\t x", "text/html", "application/octet-stream", "application", "json", "application/ json", "image/png"),
    ]
    for path in ("/api/login", "/api/login/code", "/api/usage/import-claude"):
        for kind in kinds:
            sent = request(path, "POST", [("Content-Type", kind)], body=b"{}", host=host, token=token)
            yield Attack(f"{path} as {kind!r}", sent, (400, 415))
        yield Attack(f"{path} as nothing", request(path, "POST", body=b"{}", host=host, token=token), (415,))
    deep = b"[" * 100_000
    for body in (
        *(
            b"",
            b" ",
            b"{",
            b"}",
            b"[]",
            b"null",
            b"true",
            b"1",
            b'"x"',
            b"{}",
            b'{"code":1}',
            b'{"code":null}',
            b'{"code":["x"]}',
            b'{"code":{}}',
        ),
        *(
            b'{"Code":"x"}',
            b'{"code":"x","more":1}',
            b'{"code":"x"}{"code":"x"}',
            b'{"code":"x"} x',
            b"{'code':'x'}",
            b'{code:"x"}',
            b"\xff\xfe",
        ),
        *(
            b'{"code":"\xff"}',
            b'{"code":"\\ud800"}',
            b'\xef\xbb\xbf{"code":"x"}',
            deep,
            b'{"code":' + deep,
            b'{"a":' * 50_000,
            b"\x00" * 100,
        ),
        *(
            b'{"code":"' + b"x" * 200_000 + b'"}',
            b'{"code":1e999999}',
            b'{"code":-0}',
            b'{"code":NaN}',
            b'{"\\u0063ode":1}',
            b"<xml/>",
            b"code=x",
        ),
    ):
        sent = request("/api/login", "POST", [JSON], body=body, host=host)
        yield Attack(f"login {body[:20]!r}", sent, (400, 401, 429))
    yield Attack("code in the address", request("/api/login?code=x", "POST", [JSON], host=host), (400,))
    for length in (
        "1048577",
        "999999999999",
        "9" * 30,
        "-1",
        "+1",
        "1.5",
        "0x10",
        "1e3",
        "",
        " ",
        "1,1",
        "1 1",
        "²",
        "１",
        "1\t2",
        "9" * 4000,
    ):
        head = f"POST /api/login HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{{}}"
        yield Attack(f"length {length[:12]!r}", head.encode(), (0, 400, 413, 431))
    for coding in ("gzip", "deflate", "br", "zstd", "identity", "x", "gzip, gzip", ""):
        headers = [JSON, ("Content-Encoding", coding)]
        yield Attack(f"coded {coding}", request("/api/login", "POST", headers, body=b"\x1f\x8b\x08", host=host), (400, 415))
    large = b'{"code":"' + b"x" * (2 << 20) + b'"}'
    yield Attack("2 MiB", request("/api/login", "POST", [JSON], body=large, host=host), (0, 413))
    yield Attack("a body to GET", request("/api/usage", "GET", [JSON], body=b"{}", host=host, token=token), (400,))
    yield Attack("expect", request("/api/login", "POST", [JSON, ("Expect", "100-continue")], body=b"{}", host=host), (417,))
    yield Attack("expect x", request("/api/usage", headers=[("Expect", "x")], host=host, token=token), (417,))


def heads(port: int, token: str) -> Iterator[Attack]:
    """Headers that are too many, too long, malformed, or ask for another protocol."""
    host = f"127.0.0.1:{port}"
    sizes = [("X-A", "a" * 9000), ("X-A", "a" * 20_000), ("X-A", "a" * 200_000), ("a" * 9000, "x"), ("Cookie", "a=b; " * 3000)]
    for name, value in sizes:
        yield Attack(f"long {name[:6]} {len(value)}", request("/api/usage", headers=[(name, value)], host=host, token=token), (0, 400, 431))
    for number in (70, 200, 2000):
        many = [(f"X-{count}", "a" * 20) for count in range(number)]
        yield Attack(f"{number} headers", request("/api/usage", headers=many, host=host, token=token), (0, 400, 431))
    three = [(f"X-{count}", "a" * 6000) for count in range(3)]
    yield Attack("18 kB of headers", request("/api/usage", headers=three, host=host, token=token), (431,))
    for protocol in ("websocket", "h2c", "HTTP/2.0", "TLS/1.0", "x"):
        headers = [("Connection", "Upgrade"), ("Upgrade", protocol), ("Sec-WebSocket-Key", "x" * 24), ("Sec-WebSocket-Version", "13")]
        yield Attack(f"upgrade {protocol}", request("/api/events", headers=headers, host=host, token=token), (400,))
    start = f"GET /api/usage HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    for line in (
        *(
            "X",
            ": x",
            " X: y",
            "X : y",
            "X\t: y",
            "X\x00: y",
            "X: a\x00b",
            "X: a\rb",
            "X: a\nb",
            "X: \x01",
            "(x): y",
            "x y: z",
            "Ä: x",
            "@: x",
        ),
        *(
            "X: y\r\n folded",
            "X: y\r\n\tfolded",
            "\x7f: x",
            "X:y\x0b",
            '"x": y',
            "x{}: y",
            "x/y: z",
            "x=y: z",
            "x,y: z",
            "[x]: y",
            "x;y: z",
            "<x>: y",
        ),
    ):
        yield Attack(f"line {line!r}", f"{start}{line}\r\n\r\n".encode(), (0, 400))
    for first in (
        *("GET", "GET /api/usage", "GET /api/usage HTTP/1.1 x", "GET /api/usage http/1.1"),
        *(
            "GET\t/api/usage\tHTTP/1.1",
            " GET /api/usage HTTP/1.1",
            "GET /api/usage HTTP/1",
            "GET /api/usage HTTP/11",
            "GET /api/usage HTTP/1,1",
        ),
        *(
            "GET /api/usage FTP/1.1",
            "GET /api/usage HTTPS/1.1",
            "\x16\x03\x01\x02",
            "PRI * HTTP/2.0",
            "SSH-2.0-x",
            "\x00" * 20,
            "GET /api/usage HTTP/1.1\x00",
        ),
    ):
        yield Attack(f"first line {first!r}", f"{first}\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode(), (0, 400, 405))


def smuggled(port: int, token: str) -> Iterator[Attack]:
    """Requests that two readers would end at different places, with a good one hidden behind; none of the two may be answered well."""
    host = f"127.0.0.1:{port}"
    hidden = request("/api/usage", host=host, token=token)
    start = f"POST /api/usage/import-claude HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    codings = [
        *(
            "chunked",
            "Chunked",
            "CHUNKED",
            " chunked",
            "chunked ",
            "\tchunked",
            "xchunked",
            "chunked, identity",
            "identity, chunked",
            "gzip, chunked",
        ),
        *(
            "chunked, chunked",
            "identity",
            "gzip",
            "x",
            "",
            '"chunked"',
            "chunked;x=1",
            ",chunked",
            "chunked,",
            "\x0bchunked",
            "cow",
            "chunk",
        ),
    ]
    for coding in codings:
        for length in (None, 0, 4, len(hidden)):
            size = "" if length is None else f"Content-Length: {length}\r\n"
            for body in (b"0\r\n\r\n", b""):
                content = f"{start}{size}Transfer-Encoding: {coding}\r\n\r\n".encode() + body + hidden
                yield Attack(f"coding {coding!r} length {length} {body!r}", content, (0, 400, 411))
    names = [
        "Transfer-Encoding ",
        " Transfer-Encoding",
        "Transfer-Encoding\t",
        "Transfer_Encoding\x00",
        "X\nTransfer-Encoding",
        "X\rTransfer-Encoding",
    ]
    for name in names:
        content = f"{start}{name}: chunked\r\nContent-Length: 4\r\n\r\n".encode() + b"0\r\n\r\n" + hidden
        yield Attack(f"name {name!r}", content, (0, 400, 411))
    for one, other in ((0, 4), (4, 0), (4, 4), (0, 0), (4, len(hidden)), ("4", "+4"), ("0", "00"), ("4", "0x4")):
        content = f"{start}Content-Length: {one}\r\nContent-Length: {other}\r\n\r\n".encode() + hidden
        yield Attack(f"lengths {one} {other}", content, (0, 400))
    for chunk in (
        b"-1\r\n",
        b"0x1\r\n",
        b"ffffffffffffffffff\r\n",
        b"1;" + b"x" * 9000,
        b"g\r\n",
        b" 1\r\n",
        b"1 \r\nx\r\n",
        b"\r\n",
        b"1\nx\n0\n\n",
    ):
        content = f"{start}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk + hidden
        yield Attack(f"chunk {chunk[:12]!r}", content, (0, 400, 411))
    for ending in ("\n\n", "\r\r", "\n\r\n\r", "\r\n\n", "\n\r\n"):
        content = f"GET /api/none HTTP/1.1\r\nHost: {host}{ending}".encode() + hidden
        yield Attack(f"ending {ending!r}", content, (0, 400, 404))
    for first in ("http://evil.com/", "*", "evil.com:80"):
        yield Attack(f"behind {first}", request(first, host=host) + hidden, (0, 400))
    yield Attack("behind another host", request("/api/health", host="evil.com") + hidden, (421,))


def asked(route: Route, host: str, token: str | None, headers: Sequence[tuple[str, str]] = (), *, method: str | None = None) -> bytes:
    """A good request to a route, but for what the caller changes."""
    method = method or route.method
    path = f"{route.path}?nonce={'0' * 64}" if route.path == "/api/proof" else route.path
    body = b'{"code":"x"}' if method == "POST" and route.path == "/api/login" else b""
    return request(path, method, (JSON, *headers) if method == "POST" else headers, body=body, host=host, token=token)

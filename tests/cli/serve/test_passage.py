"""Which requests pass the proxy: an agent's own, and nothing that a page or a trick could send."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.paths import Paths, paths
from cli.serve import entrances
from cli.serve.doors import Refused, doors
from cli.serve.entrances import Entrances, upstream
from cli.serve.outgoing import Elsewhere, allowed, check
from cli.serve.passage import Asked, let_through, onward, readable, switched
from cli.serve.usage_asked import Hider
from pipeline import durable
from pipeline.errors import RingletError, UnknownName
from pipeline.profiles import Profile, Rules
from tests.sizes import times

HOSTS = doors("127.0.0.1", 8766).hosts
HOST = (b"Host", b"127.0.0.1:8766")


def passed(target: str = "/w/anthropic/v1/messages", *headers: tuple[bytes, bytes], method: str = "POST", host: Any = HOST) -> Asked:
    """A request that is let through."""
    return let_through(method, target, (1, 1), [*([host] if host else []), *headers], HOSTS)


def refused(*args: Any, **words: Any) -> int:
    """The status of a request that is not."""
    with pytest.raises(Refused) as found:
        passed(*args, **words)
    return found.value.status


def test_an_address_is_a_profile_a_provider_and_a_path() -> None:
    """The first two parts lead the way, the rest is the provider's, as it was written."""
    asked = passed("/w/anthropic/v1/messages?beta=true&x=%2f")

    assert (asked.word, asked.provider, asked.path, asked.query) == ("w", "anthropic", "/v1/messages", "?beta=true&x=%2f")


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/v1/messages", "HTTP://127.0.0.1:8766/w/a/b", "https://api.anthropic.com/v1", "evil.example:443", "*", "",
        "w/anthropic/v1", "\\w\\anthropic", "/w/anthropic\\v1", "/w/anthropic/../x", "/w/anthropic/./x", "/w/anthropic/%2e%2e/x",
        "/w/anthropic/.%2E/x", "/w/anthropic/a/..", "/../w/anthropic/x", "/w/anthropic/x#y", "/w/anthropic/ x", "/w/anthropic/\tx",
        "/w/anthropic/\r\nX: y", "/w/anthropic/ü", "/w/anthropic/\x00", "ftp://x/", "//evil.example/x", "///", "/", "/w", "/w/", "//",
        "/w//v1/messages", "ws://x/y", "@evil.example/x", ":443", "?x", "#", " /w/a/b", "/%2e/a/b", "/w/%2e%2E/b", "/w/../b", "file:///etc/x",
        "//127.0.0.1:8765/api/x", "javascript:1", "/w/anthropic/a/%2e/b", "/w/anthropic/a/%2E%2E", "127.0.0.1:22", "[::1]:22", "/\\evil/x",
        "/w/anthropic/..%2fx", "/w/anthropic/%2e%2e%2F%2e%2e/x", "/w/anthropic/a%5C..%5cx", "/w/anthropic/v1%2f..", "/w/anthropic/a%2f.%2f",
        "http:/w/a", "http:///w/a", "/w/a/b\x7f", "/w/a/b\u2028", "/w/a/\udcff",
    ],
)  # fmt: skip
def test_no_other_form_of_address_passes(target: str) -> None:
    """Addresses of other servers, tunnels, steps backward and characters that no path has: fifty forms, none passes."""
    assert refused(target) in (400, 404)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "connect", "PRI", "get", "FOO"])
def test_only_the_plain_methods_pass(method: str) -> None:
    """There is no tunnel, and no method beyond the usual ones."""
    assert refused(method=method) == 405


@pytest.mark.parametrize(
    "headers",
    [
        *([(b"Origin", origin)] for origin in (b"null", b"http://127.0.0.1:8766", b"https://evil.example", b"http://localhost:8766", b"")),
        *([(b"Sec-Fetch-Site", site)] for site in (b"cross-site", b"same-origin", b"same-site", b"none", b"")),
        *([(b"Sec-Fetch-Mode", mode)] for mode in (b"no-cors", b"navigate", b"same-origin", b"CORS", b"")),
        [(b"Sec-Fetch-Mode", b"cors"), (b"Sec-Fetch-Site", b"cross-site")],
        [(b"Sec-Fetch-Mode", b"cors"), (b"Origin", b"https://evil.example")],
        [(b"Sec-Fetch-Mode", b"cors"), (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64)")],
        [(b"Sec-Fetch-Mode", b"websocket"), (b"Origin", b"null")],
        *([(b"Sec-Fetch-Dest", what)] for what in (b"empty", b"document", b"image", b"script", b"iframe")),
        [(b"Sec-Fetch-User", b"?1")],
        [(b"Sec-Fetch-Storage-Access", b"none")],
        [(b"origin", b"x")],
        [(b"ORIGIN", b"x")],
        [(b"Access-Control-Request-Method", b"POST")],
        [(b"Access-Control-Request-Headers", b"x-api-key")],
        [(b"Access-Control-Request-Private-Network", b"true")],
        [(b"x-api-key", b"k"), (b"Origin", b"https://claude.ai")],
        [(b"sec-fetch-mode", b"x"), (b"User-Agent", b"claude-cli/2.1")],
        [(b"SEC-FETCH-SITE", b"none")],
    ],
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_no_page_gets_through(method: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Whatever a browser says of where a request comes from: it comes from a browser."""
    assert refused("/w/anthropic/v1/messages", *headers, method=method) == 403


def test_a_program_that_fetches_as_node_does_is_no_browser() -> None:
    """Node's own `fetch` names the mode of each call, `cors`, and nothing else of what a browser would say: agents on Node pass."""
    assert passed("/w/anthropic/v1/messages", (b"User-Agent", b"claude-cli/2.1"), (b"sec-fetch-mode", b"cors")).provider == "anthropic"
    assert passed("/w/anthropic/v1/messages", (b"sec-fetch-mode", b"websocket")).provider == "anthropic"


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example", b"127.0.0.1", b"localhost", b"localhost.:8766", b"LOCALHOST:8766", b"0.0.0.0:8766", b"[::1]:8766",
        b"127.1:8766", b"127.0.0.1:8766:1", b"user@127.0.0.1:8766", b"localhost.evil.example:8766", b"0x7f.1:8766",
    ],
)  # fmt: skip
def test_it_is_known_by_its_own_name_only(host: bytes) -> None:
    """A name that somebody else lets point here is not ours."""
    assert refused(host=(b"Host", host)) == 421


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Content-Length", b"5"), (b"Content-Length", b"6")],
        [(b"Content-Length", b"5"), (b"content-length", b"5")],
        [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"identity")],
        *([(b"Transfer-Encoding", how)] for how in (b"identity", b"gzip, chunked", b"chunked, chunked", b"xchunked", b"\x0bchunked")),
        *([(b"Content-Length", many)] for many in (b"-1", b"+5", b"5 5", b"5,5", b"0x5", b"1e3", b"", b"9" * 20, "５".encode(), b"5_0")),
        [(b"Host", b"127.0.0.1:8766")],
        [(b"X", b"a\rb")],
        [(b"X", b"a\nb")],
        [(b"X", b"a\x00b")],
        [(b"X", b"\xff\xfe")],
    ],
)  # fmt: skip
def test_no_request_is_two(headers: list[tuple[bytes, bytes]]) -> None:
    """Where two readers could see two bodies, or two heads, nobody is asked."""
    assert refused("/w/anthropic/v1/messages", *headers) == 400


WEBSOCKET = ((b"Connection", b"keep-alive, Upgrade"), (b"Upgrade", b"WebSocket"))


def test_a_websocket_is_asked_for_by_a_get_without_a_body() -> None:
    """Its headers go along; as anything but that it is refused."""
    asked = passed("/w/openai/v1/responses", *WEBSOCKET, (b"Sec-WebSocket-Key", b"k"), method="GET")

    assert (asked.upgrades, asked.headers) == (True, (("Sec-WebSocket-Key", "k"),))
    assert switched(asked.headers)[1:] == [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    assert refused("/w/openai/v1/responses", *WEBSOCKET, method="POST") == 400
    assert refused("/w/openai/v1/responses", *WEBSOCKET, (b"Content-Length", b"3"), method="GET") == 400
    assert refused("/w/openai/v1/responses", *WEBSOCKET, (b"Origin", b"http://evil.example"), method="GET") == 403


@pytest.mark.parametrize(
    "headers",
    [
        ((b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"x")),
        ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket, h2c")),
        ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"), (b"Upgrade", b"websocket")),
        ((b"Upgrade", b"websocket"),),
        ((b"Connection", b"Upgrade"),),
    ],
)
def test_another_protocol_is_not_offered(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """A request that would rather speak something else, or does not say so in the one way, goes on as plain HTTP."""
    asked = passed("/w/openai/v1/responses", *headers)

    assert (asked.upgrades, asked.headers) == (False, ())


NAMES = st.from_regex(r"\A[A-Za-z0-9-]{1,12}\Z")
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=times(300), deadline=None)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=12))
def test_all_other_headers_go_along_in_order(headers: list[tuple[str, str]]) -> None:
    """What is not of one connection reaches the other side as it is, repeated ones too."""
    try:
        asked = passed("/w/a/b", *((name.encode(), value.encode()) for name, value in headers))
    except Refused:
        return
    gone = {"connection", "keep-alive", "te", "trailer", "upgrade", "transfer-encoding", "host", "expect", "proxy-authorization"}
    named = {part.strip().lower() for name, value in headers if name.lower() == "connection" for part in value.split(",")}

    assert list(asked.headers) == [each for each in headers if each[0].lower() not in gone | named]


def test_a_connections_own_headers_stay_behind() -> None:
    """And so do those that it names; but nobody can have a key or a length left out that way."""
    told = [
        ("Connection", "x-a, authorization, content-length"),
        ("X-A", "1"),
        ("Authorization", "k"),
        ("Content-Length", "3"),
        ("TE", "t"),
    ]

    assert onward(told) == [("Authorization", "k"), ("Content-Length", "3")]


def test_only_what_can_be_read_is_accepted() -> None:
    """For a reply that is read no coding is asked for that is not understood; for one that is changed, none."""
    assert readable([("A", "1"), ("accept-encoding", "br, gzip")], plain=False) == [("A", "1"), ("accept-encoding", "gzip")]
    assert readable([("Accept-Encoding", "br"), ("A", "1")], plain=True) == [("A", "1"), ("Accept-Encoding", "identity")]


# Where it leads


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://api.example.org", "ftp://x", "https://", "https://user:pw@host", "https://host/?q", "https://host#x", "//host", "host", "",
        "https://host:port", "https://hö.st", "http://10.0.0.1", "http://localhost.evil.example",
    ],
)  # fmt: skip
def test_keys_go_nowhere_unverified(endpoint: str) -> None:
    """An endpoint is https, or on this machine; it holds no secret and no question."""
    with pytest.raises(RingletError):
        upstream("x", endpoint, configured=True)


def test_the_daemon_itself_is_no_provider() -> None:
    """An upstream on a port of the daemon's own would ask itself forever."""
    with pytest.raises(Elsewhere):
        check(upstream("x", "http://127.0.0.1:8766", configured=True), {8766})
    with pytest.raises(Elsewhere):
        check(upstream("x", "http://localhost:8765/api", configured=True), {8765, 8766})
    check(upstream("x", "http://127.0.0.1:11434", configured=True), {8765, 8766})


@pytest.mark.parametrize(
    ("address", "here", "good"),
    [
        ("93.184.216.34", False, True),
        ("127.0.0.1", False, False),
        ("127.0.0.1", True, True),
        ("::1", False, False),
        ("169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("::ffff:127.0.0.1", False, False),
        ("64:ff9b::7f00:1", False, False),
        ("64:ff9b:1::7f00:1", False, False),
        ("::ffff:0:127.0.0.1", False, False),
        ("::127.0.0.1", False, False),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", False, False),
        ("2002:a9fe:a9fe::", False, False),
        ("64:ff9b::5db8:d822", False, True),
        ("0.0.0.0", True, False),
        ("224.0.0.1", True, False),
    ],
)
def test_a_providers_name_does_not_lead_home(address: str, here: bool, good: bool) -> None:
    """A name that is looked up to this machine or its link, in whatever disguise, is refused, unless it was configured to stand here."""
    assert allowed(address, 443, here=here, own_ports={8766}) is good
    assert not allowed("127.0.0.1", 8766, here=True, own_ports={8766})


def home(tmp_path: Any, text: str = "", profiles: str = "{}") -> Paths:
    """A store with this configuration."""
    where = paths({"RINGLET_HOME": str(tmp_path)})
    durable.prepare_home(where.data, create=True)
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "profiles.json").write_text(profiles)
    return where


def test_a_profiles_address_is_its_own_and_stays(tmp_path: Any) -> None:
    """The same address for the same profile, another for each, and none for what is no profile; made profiles are known at once."""
    where = home(tmp_path, profiles='{"profiles":[{"name":"work","agent":"claude"}]}')
    ways = Entrances(where)
    word = entrances.word(where, "work")

    found = ways.profile(word)
    assert found is not None
    assert (found.name, found.agent) == ("work", "claude")
    assert word == entrances.word(where, "work") != entrances.word(where, "default")
    assert ways.profile("work") is ways.profile("") is ways.profile(word[:-1]) is None
    assert ways.profile(entrances.word(where, "new")) is None

    (tmp_path / "profiles.json").write_text('{"profiles":[{"name":"work"},{"name":"new"}]}')
    assert ways.profile(entrances.word(where, "new")) is not None
    assert entrances.address(where, 8766, "work", "groq") == f"http://127.0.0.1:8766/{word}/groq"


def test_the_configuration_adds_and_moves_providers(tmp_path: Any) -> None:
    """A provider has its known place, or the one that is configured; one that must not be used is told of."""
    row = '[providers.{}]\nbilling = "metered"\nendpoint = "{}"\n'
    text = row.format("corp", "https://llm.corp.example/base") + row.format("bad", "http://x.example")
    ways = Entrances(home(tmp_path, text))

    anybody = Profile(name="default")
    corp, anthropic = ways.upstream(anybody, "corp"), ways.upstream(anybody, "anthropic")
    assert (corp.base, anthropic.base) == ("https://llm.corp.example/base", "https://api.anthropic.com")
    with pytest.raises(RingletError, match=r"providers\.bad\.endpoint http://x\.example"):
        ways.upstream(anybody, "bad")
    with pytest.raises(UnknownName):
        ways.upstream(anybody, "nobody")


def test_a_profiles_own_endpoint_is_where_its_providers_calls_go(tmp_path: Any) -> None:
    """Its way to its provider leads there and nowhere else, also where that must not be used; other profiles' ways are as they were."""
    rows = (
        '{"name":"work","agent":"claude","provider":"self","endpoint":"https://llm.corp.example/x/"}',
        '{"name":"far","agent":"codex","provider":"openai","endpoint":"http://10.0.0.1/v1"}',
        '{"name":"gate","agent":"codex","provider":"corp","endpoint":"http://127.0.0.1:9/v1"}',
        '{"name":"plain","agent":"claude"}',
    )
    where = home(tmp_path, profiles=f'{{"profiles":[{",".join(rows)}]}}')
    ways, rules = Entrances(where), Rules.load(where.profiles)

    def base(name: str, provider: str) -> str:
        return ways.upstream(rules.find(name), provider).base

    assert (base("work", "anthropic"), base("work", "openai")) == ("https://llm.corp.example/x", "https://api.openai.com")
    assert (base("plain", "anthropic"), base("gate", "corp")) == ("https://api.anthropic.com", "http://127.0.0.1:9/v1")
    with pytest.raises(RingletError, match=r"profile 'far': endpoint http://10\.0\.0\.1/v1"):
        base("far", "openai")
    with pytest.raises(UnknownName):
        base("plain", "corp")
    assert (ways.is_here("llm.corp.example"), ways.is_here("api.openai.com")) == (True, False)


def test_an_address_outlives_a_new_name(tmp_path: Any) -> None:
    """An agent that runs while its profile is renamed goes on, and its calls are the profile's."""
    where = home(tmp_path, profiles='{"profiles":[{"name":"work"}]}')
    ways, word = Entrances(where), entrances.word(where, "work")
    assert ways.profile(word) is not None
    (tmp_path / "profiles.json").write_bytes(Rules.load(where.profiles).rename("work", "day-job").dump())

    found = ways.profile(word)
    assert found is not None
    assert (found.name, entrances.word(where, found.mark)) == ("day-job", word)


def test_a_mistake_in_a_file_cuts_nobody_off(tmp_path: Any) -> None:
    """While the configuration or the profiles cannot be read, all ways lead where they led."""
    where = home(tmp_path, profiles='{"profiles":[{"name":"work"}]}')
    ways, word = Entrances(where), entrances.word(where, "work")
    assert ways.profile(word) is not None

    (tmp_path / "config.toml").write_text("[capture\n")
    assert ways.profile(word) is not None
    (tmp_path / "profiles.json").write_text("nonsense")
    assert ways.upstream(Profile(name="work"), "anthropic").host == "api.anthropic.com"


# Hiding


@settings(max_examples=times(200), deadline=None)
@given(st.lists(st.integers(0, 400), max_size=12), st.sampled_from((b"\n", b"\r\n", b"\r")))
def test_only_the_event_with_nothing_but_usage_is_hidden(cuts: list[int], end: bytes) -> None:
    """In any pieces and with any line ends: every other byte comes out as it came in, in order."""
    events = [
        b'data: {"choices":[],"prompt_filter_results":[]}',
        b": a remark",
        b'data: {"choices":[{"delta":{"content":"\\"usage\\" {}"}}],"usage":null}',
        b'data: {"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}',
        b'data: {"choices":[],"usage":{"prompt_tokens":1}}',
        b"data: [DONE]",
        b"data: an unfinished one",
    ]
    stream = (end * 2).join(events)
    places = [0, *sorted(place % (len(stream) + 1) for place in cuts), len(stream)]
    hider = Hider()

    out = b"".join(hider.feed(stream[start:stop]) for start, stop in pairwise(places)) + hider.end()

    assert out == (end * 2).join([*events[:4], *events[5:]])

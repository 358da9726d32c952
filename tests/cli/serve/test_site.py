"""What happens to a request: who may ask what, how a browser comes in, and what an error looks like."""

import logging
import os
import re
import time
from collections.abc import Iterator

import msgspec
import pytest

from cli.serve import tokens
from tests.cli.daemons import until
from tests.cli.served import CANARY, OWN, Answer, Served, request, serving

JSON = ("Content-Type", "application/json")


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("site"), OWN) as site:
        yield site


def login(served: Served, role: tokens.Role = "admin", headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    code = served.access.code(role, time.time())
    return served.ask("/api/login", "POST", [JSON, *headers], body=msgspec.json.encode({"code": code}))


def cookie(answer: Answer) -> tuple[str, str]:
    """The header by which a browser sends back what it was given."""
    return ("Cookie", answer.headers["set-cookie"].partition(";")[0])


@pytest.mark.parametrize(
    ("path", "nobody", "viewer", "admin"),
    [("/api/open", 200, 200, 200), ("/api/seen", 401, 200, 200), ("/api/echo", 401, 403, 200), ("/api/session", 401, 200, 200)],
)
def test_a_route_answers_its_role_and_those_above(served: Served, path: str, nobody: int, viewer: int, admin: int) -> None:
    """Anybody, whoever has a token, or the admin alone; the same by token and by session."""
    assert served.ask(path).status == nobody
    for role, status in (("viewer", viewer), ("admin", admin)):
        assert served.ask(path, token=tokens.token(served.paths, role)).status == status  # type: ignore[arg-type]
        assert served.ask(path, headers=[cookie(login(served, role))]).status == status  # type: ignore[arg-type]


def test_who_is_refused_is_told_what_opens(served: Served) -> None:
    """401 names the command and the scheme; 403 says that it is the admin's."""
    nobody, viewer = served.ask("/api/echo"), served.ask("/api/echo", token=served.token("viewer"))

    assert (nobody.error["code"], nobody.error["mend"]) == ("not_known", "ringlet daemon login")
    assert nobody.headers["www-authenticate"] == 'Bearer realm="ringlet"'
    assert viewer.error["code"] == "admin_only"


def test_a_code_becomes_a_cookie_that_no_script_and_no_other_site_gets(served: Served) -> None:
    """HttpOnly and SameSite=Strict, sent to the API only, named after the port; the code is used up."""
    code = served.access.code("admin", time.time())
    first, second = (served.ask("/api/login", "POST", [JSON], body=b'{"code":"%s"}' % code.encode()) for _ in range(2))

    assert first.body == b'{"success":true,"data":{"role":"admin"}}'
    name, _, rest = first.headers["set-cookie"].partition("=")
    assert name == f"ringlet-{served.port}"
    assert re.fullmatch(r"[\w-]{43}; Path=/api; Max-Age=2592000; HttpOnly; SameSite=Strict", rest)
    assert (second.status, "set-cookie" in second.headers) == (401, False)


def test_leaving_ends_the_session_on_both_sides(served: Served) -> None:
    """The browser is told to forget the cookie, and the daemon forgets it too."""
    session = cookie(login(served))
    left = served.ask("/api/logout", "POST", [JSON, session])

    assert left.headers["set-cookie"].startswith(f"ringlet-{served.port}=; Path=/api; Max-Age=0;")
    assert served.ask("/api/session", headers=[session]).status == 401


def test_a_wrong_token_is_not_mended_by_a_good_cookie(served: Served) -> None:
    """Whoever sends a token means it."""
    assert served.ask("/api/session", headers=[cookie(login(served)), ("Authorization", "Bearer x")]).status == 401


def test_cookies_of_others_beside_ours_do_no_harm(served: Served) -> None:
    """All programs of one machine share a browser's cookies for its address."""
    name, value = cookie(login(served))

    assert served.ask("/api/session", headers=[(name, f"a=b; ringlet-1={'A' * 43}; {value}; c")]).status == 200


def test_only_a_token_makes_codes(served: Served) -> None:
    """A session cannot be copied into another, and a viewer makes none."""
    session = cookie(login(served))
    made = served.ask("/api/login/code", "POST", [JSON], body=b'{"role":"viewer"}', token=served.token())
    data = msgspec.json.decode(made.body)["data"]

    assert data["good_s"] == 60
    assert served.access.session(served.access.login(data["code"], time.time()) or "", time.time()) == "viewer"
    assert served.ask("/api/login/code", "POST", [JSON, session]).status == 403
    assert served.ask("/api/login/code", "POST", [JSON], token=served.token("viewer")).status == 403


def test_a_code_in_the_address_is_refused(served: Served) -> None:
    """Addresses stand in histories and logs."""
    code = served.access.code("admin", time.time())
    answer = served.ask(f"/api/login?code={code}", "POST", [JSON])

    assert (answer.status, answer.error["message"]) == (400, "parameters of this route stand in the body")


def test_failures_are_throttled_and_the_right_token_goes_on(served: Served) -> None:
    """Ten wrong tokens or codes, then 429 with the time to wait; nobody is locked out by somebody else."""
    wrong = [served.ask("/api/echo", token="ringlet_" + "A" * 43) for _ in range(8)]
    wrong += [served.ask("/api/login", "POST", [JSON], body=b'{"code":"x"}') for _ in range(2)]
    late = [served.ask("/api/echo", token="x"), served.ask("/api/login", "POST", [JSON], body=b'{"code":"x"}')]

    assert [answer.status for answer in wrong] == [401] * 10
    assert [answer.status for answer in late] == [429, 429]
    assert 1 <= int(late[0].headers["retry-after"]) <= 61
    assert served.ask("/api/echo", token=served.token()).status == 200
    assert login(served).status == 200


def test_a_page_without_a_session_is_no_attack(served: Served) -> None:
    """Old cookies are not counted as failures: the page must learn that it has to log in."""
    session = cookie(login(served))
    tokens.rotate(served.paths, "admin")

    assert {served.ask("/api/session", headers=[session]).status for _ in range(20)} == {401}


def test_a_write_needs_a_token_or_json(served: Served) -> None:
    """A form or plain text is what another site could send; a program with a token and nothing to say needs no type."""
    session = cookie(login(served))

    assert served.ask("/api/write", "POST", [session]).status == 415
    assert served.ask("/api/write", "POST", [session, ("Content-Type", "text/plain")], body=b"{}").status == 415
    assert served.ask("/api/write", "POST", [session, ("Content-Type", "application/json; charset=utf-8")]).status == 200
    assert served.ask("/api/write?text=a", "POST", token=served.token()).status == 200
    assert served.ask("/api/write", "POST", body=b"{}", token=served.token()).status == 415


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("unknown", 400, "unknown_name"),
        ("missing", 404, "nothing_found"),
        ("held", 409, "held"),
        ("partly", 503, "partly_done"),
        ("damaged", 500, "damaged"),
    ],
)
def test_an_error_with_a_name_has_its_status_and_what_mends_it(served: Served, kind: str, status: int, code: str) -> None:
    """The status follows from the exit code that the same error has in a shell."""
    answer = served.ask(f"/api/fails?text={kind}", token=served.token())

    assert (answer.status, answer.error["code"]) == (status, code)
    assert msgspec.json.decode(answer.body)["success"] is False


@pytest.mark.parametrize(
    ("kind", "status", "code", "says"), [("full", 503, "partly_done", "free some space"), ("shut", 500, "failed", "make it readable")]
)
def test_a_disk_that_refuses_is_no_mistake_of_ours(served: Served, kind: str, status: int, code: str, says: str) -> None:
    """A full or read-only disk is named, with the place and what mends it, as a command names it."""
    answer = served.ask(f"/api/fails?text={kind}", token=served.token())

    assert (answer.status, answer.error["code"], answer.error["where"]) == (status, code, "/x")
    assert says in answer.error["mend"]


def test_another_error_of_the_system_shows_a_number(served: Served) -> None:
    """Nobody could mend it, and its text may quote anything."""
    answer = served.ask("/api/fails?text=broken", token=served.token())

    assert (answer.status, answer.error["code"]) == (500, "failed")
    assert CANARY.encode() not in answer.body


def test_valid_values_come_with_the_error(served: Served) -> None:
    """As a list, besides the sentence."""
    assert served.ask("/api/fails?text=unknown", token=served.token()).error == {
        "code": "unknown_name",
        "message": "no profile 'x'",
        "where": None,
        "mend": "valid: a, b",
        "valid": ["a", "b"],
    }


def test_a_mistake_of_ours_shows_a_number_and_nothing_else(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the same number and the place, but not the text of the error either: it may quote what was read."""
    answer = served.ask("/api/fails?text=secret", token=served.token())

    number = re.fullmatch(r"a mistake of ringlet's own, number ([0-9a-f]{8})", answer.error["message"])
    assert answer.status == 500
    assert number is not None
    assert f"{number[1]} at /api/fails: ValueError at served.py" in caplog.text
    assert CANARY not in caplog.text
    assert CANARY.encode() not in answer.body
    assert b"Traceback" not in answer.body


def test_texts_of_errors_lose_what_looks_like_a_secret(served: Served) -> None:
    """Also an error that we name may quote something pasted into the wrong place."""
    assert served.ask("/api/fails?text=named", token=served.token()).error["message"] == "cannot read [redacted]"
    assert CANARY not in str(served.ask(f"/api/echo?{CANARY}=1", token=served.token()).error)


def test_requests_are_logged_by_their_route_alone(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Never the address as it came, a header or a body: and nothing at all unless asked for."""
    served.ask(f"/api/echo?text={CANARY}", headers=[("X-Api-Key", CANARY)], token=served.token())
    served.ask(f"/{CANARY}")
    assert caplog.text == ""

    with caplog.at_level(logging.DEBUG, "ringlet.http"):
        served.ask(f"/api/echo?text={CANARY}", headers=[("X-Api-Key", CANARY)], token=served.token())
        served.ask(f"/{CANARY}")
        # A line is written after the answer is made, and the answer read maybe before.
        until(lambda: len(caplog.records) >= 2)
    lines = [record.getMessage().partition(",")[0] for record in caplog.records]
    assert lines == ["GET /api/echo 200", "GET (no route) 404"]


def test_a_stream_comes_piece_by_piece_as_a_file(served: Served) -> None:
    """With its type and name, and the headers that all answers have."""
    answer = served.ask("/api/streamed", token=served.token())

    assert answer.headers["content-disposition"] == 'attachment; filename="three.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_stream_that_breaks_is_never_taken_for_a_whole_one(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Before its first piece it is an error like any other; after it, the connection ends without the stream's end, and the log tells."""
    assert served.ask("/api/broken?text=soon", token=served.token()).status == 500
    with served.connect() as connection:
        connection.sendall(request("/api/broken?text=late", host=served.host, token=served.token()))
        came = b""
        while piece := connection.recv(65536):
            came += piece

    assert came.endswith(b"\r\n\r\n4\r\none\n\r\n")
    assert "at a stream: ValueError at served.py" in caplog.text
    assert CANARY not in caplog.text


def test_asking_keeps_the_daemon_and_knocking_does_not(served: Served) -> None:
    """Whoever is let in counts; whoever is refused, or only asks whether it lives, does not."""
    before = served.server.asked_at
    served.ask("/api/echo")
    served.ask("/api/echo", host="evil.com", token=served.token())
    served.ask(f"/api/proof?nonce={'0' * 64}")
    assert served.server.asked_at == before

    served.ask("/api/echo", token=served.token())
    assert served.server.asked_at > before


def test_a_proof_that_cannot_be_made_tells_nobody_where_the_token_lies(served: Served) -> None:
    """Anybody may ask for one."""
    os.chmod(tokens.file(served.paths, "admin"), 0o644)
    answer = served.ask(f"/api/proof?nonce={'0' * 64}")

    assert (answer.status, answer.error["mend"]) == (500, "ringlet daemon token --rotate")
    assert served.paths.data.encode() not in answer.body


@pytest.mark.parametrize("path", ["/usage", "/profiles", "/prices", "/health", "/login", "/assets/app.js", "/assets/style/base.css"])
def test_pages_hold_no_data_and_need_no_login(served: Served, path: str) -> None:
    """What they show they ask the API for, which knows who asks."""
    assert served.ask(path).status == 200


def test_the_root_leads_to_the_usage_page(served: Served) -> None:
    """And nothing of a request decides where."""
    answer = served.ask("/?next=http://evil.com")

    assert (answer.status, answer.headers["location"]) == (302, "/usage")


def test_an_asset_is_sent_again_only_when_it_has_changed(served: Served) -> None:
    """Its tag is its content's; a page is always sent."""
    first = served.ask("/assets/app.js")
    again = served.ask("/assets/app.js", headers=[("If-None-Match", first.headers["etag"])])

    assert (again.status, again.body) == (304, b"")
    assert served.ask("/assets/app.js", headers=[("If-None-Match", '"x"')]).status == 200
    assert "etag" not in served.ask("/usage").headers

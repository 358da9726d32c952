"""Secrets in the wrong places: whatever is put into a request, no file, no output and no answer holds it afterwards."""

import logging
import os
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from cli.serve import logfile, tokens
from cli.serve.logfile import redacted
from tests.cli.served import CANARY, OWN, daemon, request, serving

JSON = ("Content-Type", "application/json")
SHAPES = [
    CANARY,
    "sk-proj-Canary1234567890abcdef",
    "ghp_canary0123456789abcdefghijklmnopqrst",
    "github_pat_canary0123456789",
    "AKIACANARY0123456789",
    "AIzaCanary0123456789abcdefghij",
    "xoxb-canary-0123456789",
    "ringlet_" + "canary0" * 6 + "A",
    "eyJjYW5hcnkiOjF9.eyJjYW5hcnkiOjF9.c2lnbmF0dXJl",
    "https://hooks.slack.com/services/T0/B0/canary",
    "Bearer canary0123456789",
]
PLAIN = "plaincanarythatlookslikenothing"
PLACES = (
    "path",
    "query name",
    "query value",
    "host",
    "origin",
    "site",
    "method",
    "header name",
    "header",
    "cookie",
    "token",
    "agent",
    "body",
    "code",
    "type",
)


def put(place: str, secret: str, host: str, token: str) -> bytes:
    """A request with a secret in one place."""
    quoted = secret.replace(" ", "%20").replace("/", "%2F").replace(":", "%3A")
    match place:
        case "path":
            return request(f"/{quoted}", host=host)
        case "query name":
            return request(f"/api/usage?{quoted}=1", host=host, token=token)
        case "query value":
            return request(f"/api/usage?profile={quoted}", host=host, token=token)
        case "host":
            return request("/api/usage", host=secret, token=token)
        case "origin":
            return request("/api/usage", headers=[("Origin", secret)], host=host, token=token)
        case "site":
            return request("/api/usage", headers=[("Sec-Fetch-Site", secret)], host=host, token=token)
        case "method":
            return request("/api/usage", secret.partition(" ")[0], host=host, token=token)
        case "header name":
            return request("/api/health", headers=[(secret.replace(" ", "-"), "x")], host=host)
        case "header":
            return request("/api/health", headers=[("X-Api-Key", f"{secret}\x01")], host=host)
        case "cookie":
            return request("/api/usage", headers=[("Cookie", f"ringlet={secret}")], host=host)
        case "token":
            return request("/api/usage", host=host, token=secret)
        case "agent":
            return request("/api/health", headers=[("User-Agent", secret), ("Referer", secret)], host=host)
        case "body":
            return request("/api/login", "POST", [JSON], body=msgspec.json.encode({secret: secret}), host=host)
        case "code":
            return request("/api/login", "POST", [JSON], body=msgspec.json.encode({"code": secret}), host=host)
        case _:
            return request("/api/login", "POST", [("Content-Type", secret)], body=b"{}", host=host)


def files(home: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_no_secret_of_a_request_is_found_anywhere_later(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Not in an answer, a log line (all of them switched on), a file of the data home or the output, known shape or not."""
    found: list[tuple[str, str, str]] = []
    with daemon(tmp_path / "home") as served:
        handlers = logfile.begin(os.path.join(served.paths.data, "daemon.log"))
        logging.getLogger().setLevel(logging.DEBUG)
        try:
            for place in PLACES:
                for secret in (*SHAPES, PLAIN):
                    with served.connect() as connection:
                        connection.sendall(put(place, secret, served.host, served.token()))
                        came = b""
                        # A refusal ends the connection, maybe before its answer is read.
                        with suppress(ConnectionResetError):
                            came = connection.recv(1 << 16)
                    # The name that was asked for is told to whoever asked, unless it looks like a secret.
                    if secret.encode() in came and not (secret == PLAIN and place in ("query name", "query value", "body")):
                        found.append(("answer", place, secret))
        finally:
            logfile.end(handlers)
            logging.getLogger().setLevel(logging.WARNING)
        kept = files(Path(served.paths.data))
        own = {tokens.token(served.paths, role) for role in tokens.ROLES}
    output = "".join(capfd.readouterr())
    for secret in (*SHAPES, PLAIN):
        found += [("file", path, secret) for path, content in kept.items() if secret.encode() in content]
        found += [("output", "", secret)] if secret in output else []
    for token in own:
        found += [
            ("file", path, "our token") for path, content in kept.items() if token.encode() in content and not path.endswith(".token")
        ]
        found += [("output", "", "our token")] if token in output else []

    assert found == []
    assert any(path.endswith("daemon.log") for path in kept)


def test_no_secret_of_an_error_is_found_in_the_log(tmp_path: Path) -> None:
    """A mistake of ours whose text quotes one leaves its place in the log, and nothing else."""
    with serving(tmp_path / "home", OWN) as served:
        handlers = logfile.begin(os.path.join(served.paths.data, "daemon.log"))
        try:
            for kind in ("secret", "named"):
                served.ask(f"/api/fails?text={kind}", token=served.token())
        finally:
            logfile.end(handlers)
        log = Path(served.paths.data, "daemon.log").read_text()

    assert "ValueError at served.py" in log
    assert CANARY not in log


@pytest.mark.parametrize(
    "secret",
    [
        *SHAPES,
        "x-api-key: canary12345",
        "password=canary12345",
        "access_token=canary12345",
        "client-secret: canary12345",
        "Authorization: Basic Y2FuYXJ5",
    ],
)
def test_what_looks_like_a_secret_is_taken_out_of_any_text(secret: str) -> None:
    """Keys of providers, tokens, addresses of hooks; the words around them stay."""
    text = redacted(f"could not send {secret}, will try again")

    assert text == "could not send [redacted], will try again"


def test_a_password_in_an_address_is_taken_out() -> None:
    """The address itself stays readable."""
    assert redacted("GET https://user:canary@example.com/x") == "GET https://[redacted]@example.com/x"


@pytest.mark.parametrize(
    "text",
    [
        "/home/me/access/admin.token: open to other users",
        "/home/me/.claude is no folder",
        "no profile 'task-force'",
        "the disk is full",
        "claude-sonnet-4-5-20250929",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """An error must say what is wrong."""
    assert redacted(text) == text

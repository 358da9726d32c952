"""What the tap hears of a call that passes: a fault on the way there costs one capture and nothing else."""

from pathlib import Path

import pytest

from cli.serve import tapping
from cli.serve.entrances import upstream
from cli.serve.passage import Asked
from cli.serve.tapping import Tapping
from ingest.tap import Tap
from ingest.wire.recognise import Kind
from pipeline.log import Log
from pipeline.profiles import Profile
from tests.ingest.wired import SSE

ASKED = Asked(
    word="w", provider="anthropic", path="/v1/messages", query="", headers=(), length=2, has_body=True, upgrades=False, waits=False
)
PIECE = b'event: message_start\ndata: {"type": "message_start", "message": {"id": "m'


def heard(tap: Tap) -> Tapping:
    """A call whose reply has begun."""
    call = Tapping(tap, ASKED, Kind.ANTHROPIC, Profile(name="work"), upstream("anthropic", "https://api.anthropic.com", configured=False))
    call.begin(200, {"content-type": SSE})
    call.feed(PIECE)
    return call


def test_a_call_that_cannot_be_told_of_is_lost_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it fails to say whose a reply was, the reply is counted as lost, its memory is free again, and the log has no text of it."""

    def fails(_: object) -> str:
        raise ValueError("sk-canary")

    monkeypatch.setattr(tapping, "session_of", fails)
    tap = Tap(lambda: Log.open(tmp_path))
    call = heard(tap)
    assert tap.held > 0

    call.end("ok")
    call.end("ok")

    assert (tap.tally.dropped, tap.held) == (1, 0)
    assert "ValueError" in caplog.text
    assert "canary" not in caplog.text


def test_what_nobody_reads_needs_no_reply() -> None:
    """A call may end, or pass unread, whose reply never began: nothing is lost by that."""
    tap = Tap(lambda: Log.open("/nowhere"))
    call = Tapping(tap, ASKED, Kind.ANTHROPIC, Profile(name="work"), upstream("anthropic", "https://api.anthropic.com", configured=False))

    call.feed(PIECE)
    call.end("aborted")
    call.passed("upgrade", 7)

    assert (tap.tally.dropped, tap.tally.uncaptured, tap.held) == (0, 1, 0)

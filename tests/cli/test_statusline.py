"""The status line: what it shows of what an agent says and of what ringlet knows, and that it never fails."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import gate
from cli.main import run as full
from cli.statusline import Known, Told, line, told
from tests.cli.homes import at_home, mixed, reply, ringlet, run, transcript
from views.pricing.money import attodollars

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    mixed(tmp_path)
    (tmp_path / "rl" / "config.toml").write_text("[budgets.default]\nweek = 20\nmonth = 19\n")
    assert ringlet(tmp_path, "usage").code == 0
    return tmp_path


def shown(home: Path, *words: str, said: object = None, **environ: str) -> str:
    """The line as a program of its own prints it, at noon of no special day: only all-time sums are the tests' business."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PYTHONPATH": str(ROOT), **environ}
    content = said if isinstance(said, bytes) else json.dumps(said).encode()
    command = [sys.executable, "-m", "ringlet", "statusline", *words]
    # All that is said is there from the beginning: whoever speaks late is not heard.
    with TemporaryFile() as speaks:
        speaks.write(content)
        speaks.seek(0)
        done = subprocess.run(command, env=env, cwd=ROOT, stdin=speaks, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def test_the_line_says_what_the_agent_and_the_logs_say(home: Path) -> None:
    """Model, cost of the session, and use of the context are the agent's word; the day's cost is ringlet's, and nothing was spent today."""
    said = {"model": {"display_name": "Opus 4.7"}, "cost": {"total_cost_usd": 1.255}, "context_window": {"used_percentage": 42.4}}

    assert shown(home, said=said, NO_COLOR="1") == "Opus 4.7 | $1.26 session | $0.00 today | 42% context\n"


def test_day_and_budget_are_of_the_profile(home: Path) -> None:
    """13 May cost 18.832, of which one call's price is unknown; with 0.0045 of 12 May 19 - 18.8365 = 0.1635 of the month is left."""
    with_profile = ringlet(home, "statusline", "--profile", "default").out

    assert "$18.83* today" in with_profile
    assert "$0.16 left this month" in with_profile
    assert "left" not in ringlet(home, "statusline").out
    assert ringlet(home, "statusline", "--profile", "acme").out == "$0.00 today\n"


def test_new_lines_count_at_once(home: Path) -> None:
    """What the agent has just written is in the line: 0.0045 more."""
    transcript(home, "new", reply(90, "2026-05-13T11:30:00Z", input=100_000, output=0))

    assert "$19.13* today" in ringlet(home, "statusline").out


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"model":7,"cost":[],"context_window":"x"}'])
def test_what_is_no_account_of_a_session_leaves_the_day(home: Path, said: bytes) -> None:
    """Nothing, half a text, and values of other kinds are left out of the line."""
    assert shown(home, said=said) == "$0.00 today\n"


@pytest.mark.parametrize("trouble", ["config", "profile", "home"])
def test_without_figures_the_line_shows_the_rest(home: Path, trouble: str) -> None:
    """No settings, no such profile, no home: the agent's own words are all that is known, and that is no error."""
    if trouble == "config":
        (home / "rl" / "config.toml").write_text("[")
    environ = {"RINGLET_HOME": "", "HOME": ""} if trouble == "home" else {}
    words = ["--profile", "nobody"] if trouble == "profile" else []

    assert shown(home, *words, said={"model": {"id": "claude-opus-4-7"}}, **environ) == "claude-opus-4-7\n"


def test_the_line_is_never_empty() -> None:
    """An agent blanks its line when nothing comes back."""
    assert line(Told(), Known()) == "ringlet"


@pytest.mark.parametrize(
    ("said", "context"),
    [
        ({"used_percentage": 0}, 0),
        ({"used_percentage": "83.5"}, 84),
        ({"used_percentage": None, "context_window_size": 200_000, "current_usage": None}, None),
        (
            {
                "context_window_size": 200_000,
                "current_usage": {
                    "input_tokens": 1000,
                    "output_tokens": 9,
                    "cache_creation_input_tokens": 9000,
                    "cache_read_input_tokens": 90_000,
                },
            },
            50,
        ),
        ({"used_percentage": -1}, None),
        ({"context_window_size": 0, "current_usage": {"input_tokens": 1}}, None),
    ],
)
def test_context_is_stated_or_worked_out(said: object, context: int | None) -> None:
    """Where no percentage is stated it is what the last call's prompt takes of the window; the answer is not part of it."""
    assert told(json.dumps({"context_window": said}).encode()).context == context


def test_money_keeps_its_digits() -> None:
    """The agent's cost is read as it is written, not as the nearest binary fraction."""
    assert told(b'{"cost":{"total_cost_usd":0.1}}').cost == attodollars("0.1")


def test_a_name_cannot_move_the_cursor() -> None:
    """Control characters and halves of letters in a model's name are replaced, and a long one is cut."""
    assert told(b'{"model":"a\\u001b[2J\\ud800"}').model == "a�[2J�"
    assert told(json.dumps({"model": "m" * 50}).encode()).model == "m" * 39 + "…"


def test_a_narrow_line_leaves_out_what_matters_least() -> None:
    """First the model goes, then the session, then the context; the budget stays to the last."""
    said = Told(model="Opus", cost=10**18, context=50)
    known = Known(day=2 * 10**18, left=3 * 10**18, limit=10**19, period="day")

    assert line(said, known, plain=True) == "Opus | $1.00 session | $2.00 today | $3.00 left today | 50% context"
    assert line(said, known, plain=True, width=60) == "$1.00 session | $2.00 today | $3.00 left today | 50% context"
    assert line(said, known, plain=True, width=40) == "$2.00 today | $3.00 left today"
    assert line(said, known, plain=True, width=3) == "$3.00 left today"


@pytest.mark.parametrize(
    ("left", "shown"), [(5, "$5.00 left today"), (1, "\x1b[33m$1.00 left today\x1b[0m"), (-2, "\x1b[31m$2.00 over today\x1b[0m")]
)
def test_colours_warn(left: int, shown: str) -> None:
    """Less than a fifth of a budget is yellow, nothing of it red."""
    assert line(Told(), Known(left=left * 10**18, limit=10**19, period="day")) == shown


def test_colours_of_the_context() -> None:
    """From 80 % of the context it is yellow, from 95 % red."""
    assert [line(Told(context=percent), Known())[:5] for percent in (79, 80, 95)] == ["79% c", "\x1b[33m", "\x1b[31m"]


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.floats() | st.text(max_size=5),
        lambda inner: st.dictionaries(
            st.sampled_from(
                [
                    "model",
                    "cost",
                    "context_window",
                    "total_cost_usd",
                    "used_percentage",
                    "display_name",
                    "current_usage",
                    "context_window_size",
                ]
            ),
            inner,
            max_size=3,
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_nothing_said_is_an_error(said: bytes) -> None:
    """Whatever the bytes are, a line comes of them."""
    assert line(told(said), Known(), plain=True).isprintable()


@pytest.mark.parametrize("words", [[], ["--profile", "default"], ["--profile=acme"], ["--profile", "nobody"]])
def test_both_ways_show_the_same_line(home: Path, words: list[str]) -> None:
    """The gate's line is that of the full command line."""
    with at_home(home):
        assert gate.options(words, gate.STATUSLINE) is not None
        assert run(gate.main, ["statusline", *words]) == run(full, ["statusline", *words])

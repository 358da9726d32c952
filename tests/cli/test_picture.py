"""`ringlet usage chart`: pictures of what `ringlet usage` tells."""

import re
import struct
from pathlib import Path

import pytest

from tests.cli.homes import mixed, reply, ringlet, transcript


def svg(home: Path, *argv: str) -> str:
    """The picture that a command line draws."""
    path = home / "usage.svg"
    outcome = ringlet(home, "usage", "chart", "--out", str(path), *argv)
    assert (outcome.code, outcome.err) == (0, "")
    return path.read_text()


def texts(picture: str) -> list[str]:
    """What is written in it."""
    return [text for text in re.findall(r"<text[^>]*>([^<]*)<", picture) if text]


def test_a_chart_is_headed_by_its_question(tmp_path: Path) -> None:
    """The heading names range and filters, and the axis has the days of the range: 11 to 13 May."""
    mixed(tmp_path)
    shown = texts(svg(tmp_path, "--period", "week", "--profile", "default"))

    assert "This week · default" in shown
    assert [text for text in shown if text.startswith("May ")] == ["May 11", "May 12", "May 13"]
    assert {"Prompt", "Completion"} <= set(shown)


def test_a_chart_shows_what_the_table_says(tmp_path: Path) -> None:
    """On May 13 two million prompt tokens went into one call, and the picture tells the exact number of the day."""
    mixed(tmp_path)

    # 2,000,000 + (1,000 + 4,000 + 90,000) + 1,000 + 1,000 + 1,000 prompt; 300,000 + 4 x 100 completion
    assert "Date: Wednesday, May 13, 2026; Prompt: 2,098,000; Completion: 300,400" in svg(tmp_path, "--period", "today")


def test_cost_over_time_is_one_flag_away(tmp_path: Path) -> None:
    """`--cost` draws the cost of each day, hour, week or month in place of its tokens."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z", input=1_000_000, output=0))

    # 1,000,000 tokens at 3 USD per million, doubled beyond 200,000
    assert "$6.00" in texts(svg(tmp_path, "--period", "today", "--cost"))
    assert "$6.00" in texts(svg(tmp_path, "--period", "today", "--cost", "--by", "hour"))


def test_hours_without_a_call_keep_their_place(tmp_path: Path) -> None:
    """Between the first hour with a call and the last one every hour stands on the axis."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T06:50:00Z"), reply(2, "2026-05-13T09:10:00Z"))
    shown = texts(svg(tmp_path, "--period", "today", "--by", "hour"))

    assert [text for text in shown if ":" in text] == ["06:00", "07:00", "08:00", "09:00"]


def test_initiators_are_told_apart(tmp_path: Path) -> None:
    """Of 2,000 + 200 tokens half are the main agent's and half a subagent's, which counts as a task."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"), reply(2, "2026-05-13T09:01:00Z", sidechain=True))
    picture = svg(tmp_path, "--period", "today", "--by", "initiator")

    assert "Main Agent: 1,100; Task Agent: 1,100; Heartbeat: 0" in picture


def test_names_are_ranked_by_cost(tmp_path: Path) -> None:
    """Any other grouping is a ranking, the dearest first; what has no price stands at the end with a -."""
    mixed(tmp_path)
    shown = texts(svg(tmp_path, "--period", "all", "--by", "model", "--provider", "anthropic"))

    names = [text for text in shown if text.startswith(("claude", "mystery"))]
    assert names[0] == "claude-sonnet-4-5-20250929"
    assert names[-1] == "mystery-9"
    assert "-" in shown


def test_sources_are_a_ring(tmp_path: Path) -> None:
    """By source the picture is a ring that tells the share of each."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"), reply(2, "2026-05-13T09:01:00Z", sidechain=True))

    assert "Source: Agent; Cost: &lt;$0.01; Share: 50.0%" in svg(tmp_path, "--period", "today", "--by", "source")


def test_a_name_is_text(tmp_path: Path) -> None:
    """A model that is named like markup is shown by its name and is none."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z", model="<script>alert(1)</script>"))
    picture = svg(tmp_path, "--period", "today", "--by", "model")

    assert "<script" not in picture
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in picture


def test_a_png_is_drawn_twice_as_fine(tmp_path: Path) -> None:
    """The ending of the file's name decides its format; a PNG is for screens of today."""
    mixed(tmp_path)
    path = tmp_path / "usage.PNG"

    assert ringlet(tmp_path, "usage", "chart", "--period", "week", "--out", str(path)).code == 0
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">I", content[16:20])[0] > 1720


def test_a_range_without_usage_is_a_picture_too(tmp_path: Path) -> None:
    """Where nothing was used the axis still has its days."""
    mixed(tmp_path)

    assert "Apr 1" in texts(svg(tmp_path, "--since", "2026-04-01", "--until", "2026-04-02"))


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["chart"], "add --out"),
        (["chart", "--out", "usage.gif"], "name it .svg or .png"),
        (["chart", "--out", "usage.svg", "--json"], "a chart is a picture"),
        (["chart", "--out", "usage.svg", "--export", "csv"], "a chart is a picture"),
        (["chart", "--out", "usage.svg", "--sort", "cost"], "--sort is for names"),
        (["chart", "--out", "usage.svg", "--by", "moon"], "no grouping 'moon'"),
        (["--cost"], "--cost belongs to usage chart"),
    ],
)
def test_what_is_no_chart_is_wrong_usage(tmp_path: Path, argv: list[str], said: str) -> None:
    """A command line that no picture can come of exits 2, says why, and writes nothing."""
    mixed(tmp_path)
    outcome = ringlet(tmp_path, "usage", *argv)

    assert outcome.code == 2
    assert said in outcome.err
    assert not list(tmp_path.glob("usage.*"))

"""The charts' definitions, as the chart library draws them: axes, labels, heights and what the pointer is told."""

import re
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import vl_convert

from cli import charts

SVG = "{http://www.w3.org/2000/svg}"


def days(count: int, **fields: Any) -> list[dict[str, Any]]:
    """That many days from May 1, 2026, all alike."""
    alike = {"prompt": 300, "completion": 100, "total": 400, "main": 200, "task": 150, "heartbeat": 50, "cost": 1.5, "requests": 2}
    return [{"at": str(date(2026, 5, 1) + timedelta(at)), **alike, **fields} for at in range(count)]


def drawn(name: str, rows: list[dict[str, Any]], *, width: int = 900) -> ElementTree.Element:
    """The chart with these rows, 200 pixels high."""
    specification = charts.specification(name) | {"width": width, "height": 200, "datasets": {charts.ROWS: rows}}
    return ElementTree.fromstring(vl_convert.vegalite_to_svg(specification, vl_version=charts.GRAMMAR))


def labels(picture: ElementTree.Element) -> tuple[list[str], list[str]]:
    """What stands at the axis below and at the one on the left, as far as it is to be seen."""
    axes = [group for group in picture.iter(f"{SVG}g") if group.get("aria-label", "").startswith(("X-axis", "Y-axis"))]
    return tuple([text.text for text in axis.iter(f"{SVG}text") if text.text] for axis in axes)  # type: ignore[return-value]


def bars(picture: ElementTree.Element, rows: list[dict[str, Any]], *parts: str) -> list[tuple[str, str, float, float]]:
    """Day, part, upper edge and height of each part of a bar, of rows and parts as they were given."""
    group = next(group for group in picture.iter(f"{SVG}g") if "layer_0_marks" in group.get("class", ""))
    edges = [re.search(r"M[\d.]+,([\d.]+)h[\d.]+v([\d.]+)", path.get("d", "")) for path in group.iter(f"{SVG}path")]
    places = [(row["at"], part) for row in rows for part in parts]
    return [(day, part, float(edge[1]), float(edge[2])) for (day, part), edge in zip(places, edges, strict=True) if edge]


def told(picture: ElementTree.Element) -> list[str]:
    """What the columns tell who points at them."""
    said = [path.get("aria-label", "") for path in picture.iter(f"{SVG}path")]
    return [text for text in said if "Date:" in text or "Time:" in text or "Source:" in text]


@pytest.mark.parametrize(("name", "most"), [("tokens", 400), ("initiators", 400)])
def test_the_height_has_three_labels(name: str, most: int) -> None:
    """The axis of amounts says nothing, half and all of the highest day, and no more."""
    rows = days(3)
    rows[1] |= {"total": 1_500_000, "prompt": 1_400_000, "completion": 100_000}

    assert labels(drawn(name, days(3)))[1] == ["0", f"{most // 2}", f"{most}"]
    assert labels(drawn(name, rows))[1] == ["0", "750.0K", "1.5M"]


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (14, 14), (15, 5), (31, 11), (32, 5), (90, 13)])
def test_days_are_labelled_by_how_many_there_are(count: int, shown: int) -> None:
    """Up to 14 days each has its label, up to 31 every third, beyond that every seventh; the first always has one."""
    below = labels(drawn("tokens", days(count)))[0]

    assert len(below) == shown
    assert below[0] == "May 1"


def test_a_range_of_more_than_a_year_says_which() -> None:
    """Where a day comes twice its label has the year."""
    assert labels(drawn("tokens", days(366)))[0][0] == "May 1"
    assert labels(drawn("cost", days(400)))[0][0] == "May 1, 2026"


@pytest.mark.parametrize("name", ["tokens", "initiators", "cost"])
def test_a_bar_is_a_pixel_wide_at_least(name: str) -> None:
    """Also where there are more days than pixels: one day of use in three years is seen."""
    groups = [group for group in drawn(name, days(1100), width=600).iter(f"{SVG}g") if "layer_0_marks" in group.get("class", "")]
    paths = [path.get("d", "") for group in groups for path in group.iter(f"{SVG}path")]
    widths = [float(found[1]) for path in paths if (found := re.search(r"h([\d.]+)", path))]

    assert len(widths) >= 1100
    assert min(widths) >= 0.99


def test_prompt_stands_below_completion() -> None:
    """The lower part of a bar is the prompt, in the solid colour, and the parts add up to the bar."""
    found = {part: (top, height) for _, part, top, height in bars(drawn("tokens", days(1)), days(1), "prompt", "completion")}

    assert found["prompt"] == (50, 150)
    assert found["completion"] == (0, 50)


def test_initiators_stand_in_their_order() -> None:
    """From bottom to top: main agent, task agent, heartbeat."""
    found = {part: (top, height) for _, part, top, height in bars(drawn("initiators", days(1)), days(1), "main", "task", "heartbeat")}

    assert found == {"main": (100, 100), "task": (25, 75), "heartbeat": (0, 25)}


def test_a_day_of_almost_nothing_can_be_seen() -> None:
    """A day with any token is at least 8 % as high as the highest; a day without one is not drawn at all."""
    rows = days(3)
    rows[0] |= {"prompt": 1_000_000, "completion": 0, "total": 1_000_000}
    rows[1] |= {"prompt": 3, "completion": 1, "total": 4}
    rows[2] |= {"prompt": 0, "completion": 0, "total": 0, "cost": 0}

    heights: dict[str, float] = {}
    for day, _, _, height in bars(drawn("tokens", rows), rows, "prompt", "completion"):
        heights[day] = heights.get(day, 0) + height
    assert heights["2026-05-02"] == pytest.approx(16)
    assert heights["2026-05-03"] == 0


def test_the_pointer_is_told_the_exact_numbers() -> None:
    """Full date, prompt, completion and cost, whatever height was drawn; an unknown cost is -, a tiny one is not nothing."""
    rows = days(3)
    rows[0] |= {"prompt": 1_234_567, "completion": 89, "cost": 12.345}
    rows[1] |= {"cost": None}
    rows[2] |= {"cost": 0.001}
    said = told(drawn("tokens", rows))

    assert "Date: Friday, May 1, 2026; Prompt: 1,234,567; Completion: 89; Est. cost: $12.35" in said[0]
    assert said[1].endswith("Est. cost: -")
    assert said[2].endswith("Est. cost: <$0.01")


def test_days_stand_in_their_order() -> None:
    """Days without usage or without a cost keep their place between the others."""
    rows = days(4)
    rows[0] |= {"cost": None}
    rows[2] |= {"cost": 0, "total": 0, "prompt": 0, "completion": 0}

    for name in ("tokens", "cost"):
        assert labels(drawn(name, rows))[0] == ["May 1", "May 2", "May 3", "May 4"]


def test_hours_keep_the_clock_they_are_told_in() -> None:
    """An hour is labelled by the clock of its own zone, wherever it is drawn."""
    rows = [row | {"at": f"2026-05-13T{hour:02}:00+09:00"} for hour, row in zip((8, 9), days(2), strict=True)]
    picture = drawn("cost", rows)

    assert labels(picture)[0] == ["08:00", "09:00"]
    assert "Time: Wednesday, May 13, 2026, 08:00; Cost: $1.50" in told(picture)[0]


def test_the_ring_tells_shares() -> None:
    """Each source is an arc that tells its cost and its share; one without cost is none."""
    rows: list[dict[str, Any]] = [
        {"source": "Chat", "cost": 3, "requests": 1200},
        {"source": "Agent", "cost": 1, "requests": 1},
        {"source": "Memory", "cost": None, "requests": 1},
    ]
    said = told(drawn("sources", rows))

    assert len(said) == 2
    assert "Source: Chat; Cost: $3.00; Share: 75.0%; Requests: 1,200" in said[0]


def test_every_colour_can_be_set() -> None:
    """A colour is a parameter of its chart, so that the page can choose it for light and dark."""
    for name in charts.CHARTS:
        params = {param["name"]: param.get("value") for param in charts.specification(name)["params"]}
        own = {f"{colour}_colour": value for colour, value in charts.COLOURS.items()}

        assert {key: value for key, value in params.items() if key in own}.items() <= own.items()
        assert any(key in own for key in params)

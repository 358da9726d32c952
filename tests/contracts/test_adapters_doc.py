"""The adapter that `docs/adapters.md` shows is a complete one, and reads the lines that the page shows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ingest.adapter import Place
from pipeline.batch import Batch
from pipeline.events import Rejected, Seen, UsageEvent
from tests.contracts.model import calls_of

PAGE = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text()
QUARANTINE = (Path(__file__).parents[2] / "docs" / "quarantine.md").read_text()
FIXTURES = Path(__file__).parents[2] / "data-fixtures"


def block(language: str, nth: int = 0) -> str:
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return blocks[nth]


@pytest.fixture(scope="module")
def lark() -> Any:
    """The page's `ADAPTER`."""
    names: dict[str, Any] = {"__name__": "lark"}
    exec(compile(block("python"), "docs/adapters.md", "exec"), names)
    return names["ADAPTER"]


def test_the_page_shows_a_working_adapter(lark: Any) -> None:
    """The line on the page gives the call on the page; an error is counted, a bad count rejected, garbage is nothing."""
    expected = json.loads(block("json", 1))
    lines = [
        block("json").strip().encode(),
        b'{"kind": "error", "out": 0}',
        b'{"kind": "reply", "id": "r-2", "at": 1788256806, "in": -1, "out": 5}',
        b"garbage",
        block("json").strip().encode(),
    ]
    state = lark.start(Place(path="sessions/s-1.jsonl", root="/home/ada/.lark"))
    batch, rejected, seen = Batch(), [], []
    for line in lines:
        state, events = lark.step(lark.load(lark.dump(state)), line)
        batch.add(
            (event for event in events if isinstance(event, UsageEvent)), root="/home/ada/.lark", source=1, offset=0, length=len(line)
        )
        rejected += [event.reason for event in events if isinstance(event, Rejected)]
        seen += [event.what for event in events if isinstance(event, Seen)]

    (call,) = calls_of([batch])
    (wanted,) = expected["calls"]
    assert {name: call[name] for name in wanted} == wanted
    assert {reason: rejected.count(reason) for reason in rejected} == expected["rejected"]
    assert {what: seen.count(what) for what in seen} == expected["seen"]


def test_the_page_shows_where_logs_lie(lark: Any) -> None:
    """The agent's variable moves its home."""
    assert [home.path for home in lark.homes({}, "/home/ada")] == ["/home/ada/.lark"]
    assert [home.path for home in lark.homes({"LARK_HOME": "/srv/lark"}, "/home/ada")] == ["/srv/lark"]


def test_every_reason_and_counter_of_the_cases_is_explained() -> None:
    """`docs/quarantine.md` names each reason and each counter that a case shows."""
    shown = [json.loads(path.read_text()) for path in FIXTURES.glob("*/*/expected.json")]
    names = {name for case in shown for part in ("rejected", "seen") for name in case.get(part, {})}

    assert names
    assert not [name for name in names if f"`{name}`" not in QUARANTINE]

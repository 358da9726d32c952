"""Every adapter's cases, imported as a user's logs are: discovered, read in bulk, committed, and read again."""

import json
import shutil
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.reader import Manner
from ingest.registry import adapter as adapter_of
from ingest.run import refresh
from pipeline.log import Log
from tests.contracts.model import COUNTERS, EPOCH

CASES = sorted(path.parent for path in (Path(__file__).parents[2] / "data-fixtures").glob("*/*/expected.json"))
DAYS = (-800_000, 3_000_000)
LONG_AGO_NS = 4_000_000_000_000_000_000
NAMES = ("day", "model", "session", "initiator", *COUNTERS)


def imported(log: Log, case: Path, home: Path) -> tuple[int, int]:
    """(new calls, sightings) of one import of the case's home, as it lies at `home`."""
    summary = refresh(
        log,
        [adapter_of(case.parent.name)],
        {},
        "/nobody",
        Manner(now_ns=LONG_AGO_NS),
        further={case.parent.name: [str(home)]},
    )
    assert not summary.troubles
    return summary.new, summary.events


def calls(log: Log) -> Iterable[tuple[str, ...]]:
    found = list(log.calls(*DAYS))
    dims = log.dims({call.dim for call in found})
    for call in found:
        day = (EPOCH + timedelta(microseconds=call.at_us)).date().isoformat()
        about = dims[call.dim]
        yield (day, str(about.model), str(about.session), about.initiator, *(str(getattr(call, name)) for name in COUNTERS))


def expected(case: Path) -> list[tuple[str, ...]]:
    wanted: list[dict[str, Any]] = json.loads((case / "expected.json").read_text())["calls"]
    return sorted(tuple(str(call.get(name, 0 if name in COUNTERS else None)) for name in NAMES) for call in wanted)


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_imported_case_is_what_it_shows(case: Path, tmp_path: Path) -> None:
    """An import gives exactly the calls worked out by hand; importing again, or a copy of the whole tree, gives none more."""
    copy = tmp_path / "copy"
    shutil.copytree(case / "home", copy)
    with Log.open(tmp_path / "store") as log:
        new, _ = imported(log, case, case / "home")
        assert new == len(expected(case))
        assert sorted(calls(log)) == expected(case)

        assert imported(log, case, case / "home") == (0, 0)
        assert imported(log, case, copy)[0] == 0
        assert sorted(calls(log)) == expected(case)

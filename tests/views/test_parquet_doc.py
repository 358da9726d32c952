"""docs/parquet.md names every column there is, and its examples run as they stand."""

import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipeline.log import Log
from pipeline.schema import SCHEMA
from tests.views.stores import START, commit, days_later, event, terms
from views.catalog import VIEWS
from views.columns import CALLS, MEASURES
from views.materialize import refresh

DOC = (Path(__file__).parents[2] / "docs" / "parquet.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0].strip("# `"): part for part in re.split(r"^(?=##+ )", DOC, flags=re.MULTILINE)}

TYPES = {
    "Binary": "binary",
    "Boolean": "boolean",
    "Categorical": "string",
    "Date": "date",
    "Datetime(time_unit='us', time_zone='UTC')": "timestamp",
    "Decimal(precision=38, scale=18)": "decimal(38,18)",
    "Float64": "double",
    "Int64": "int64",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC, re.DOTALL)


def documented(section: str) -> list[tuple[str, str]]:
    """(column, type) of the rows of a section's table."""
    return re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]", SECTIONS[section], re.MULTILINE)


def told(columns: dict[str, pl.DataType]) -> list[tuple[str, str]]:
    return [(name, TYPES[str(kind)]) for name, kind in columns.items()]


def asked(question: str) -> list[tuple[object, ...]]:
    """What DuckDB answers."""
    return duckdb.connect().execute(question).fetchall()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small store with sealed events and views, as the working directory."""
    home = tmp_path_factory.mktemp("doc") / "home"
    with Log.open(home) as log:
        commit(
            log, event("a", input=1000, output=10), event("a", output=30, input=1000), event("b", model="other", at=days_later(1), output=1)
        )
        log.seal()
        commit(log, event("c", at=START.replace(minute=40), output=2))
        log.seal()
        refresh(str(home / "views"), log, terms())
    before = Path.cwd()
    os.chdir(home)
    yield home
    os.chdir(before)


def test_every_column_of_the_log_is_documented() -> None:
    """The table of `events/` has each column in its order, with its type, and the two that are in the path."""
    kinds = {"timestamp[us, tz=UTC]": "timestamp", "decimal128(38, 18)": "decimal(38,18)", "bool": "boolean"}
    kinds |= {"list<item: binary>": "list of binary", "map<string, string>": "map of string to string"}
    columns = [(field.name, kinds.get(str(field.type), str(field.type))) for field in SCHEMA]

    assert documented("events/`, version 1") == [*columns, ("date", "date"), ("machine", "string")]


def test_every_column_of_every_view_is_documented() -> None:
    """Each view's columns stand in its section or in the measures and spans that it shares with others, with their types."""
    measures, spans = documented("Measures"), documented("Spans")

    assert documented("calls") == told(CALLS)
    assert measures == told(MEASURES)
    for known in VIEWS[1:3]:
        assert [*documented(known.name), *measures] == told(known.columns)
    groups = dict(re.findall(r"^\| `(by_\w+)` \| (.*) \|$", SECTIONS["Roll-ups"], re.MULTILINE))
    assert list(groups) == [known.name for known in VIEWS[3:]]
    for known in VIEWS[3:]:
        names = set(re.findall(r"\w+", groups[known.name]))
        extra = {"parent_session", "profile", "project"} if known.name == "by_session" else {"sessions"}
        assert set(known.columns) == names | extra | dict(measures).keys() | (dict(spans).keys() - {"sessions"})


def test_examples_in_sql_run(store: Path) -> None:
    """Each DuckDB example gives what the events say."""
    tokens, projects, days = (asked(block) for block in blocks("sql"))

    assert tokens == [("claude-sonnet-4-5", 2, 32), ("other", 1, 1)]
    assert projects == [("/src/shop", Decimal("0.003480000000000000"), 3)]
    assert [(cost, unpriced) for _, cost, unpriced in days] == [(Decimal("0.003480000000000000"), 0), (None, 1)]


def test_examples_in_python_run(store: Path) -> None:
    """Each Polars and pandas example runs and gives what the events say."""
    answers = []
    for block in blocks("python"):
        scope: dict[str, object] = {}
        exec(block, scope)
        answers.append(scope["answer"])
    by_model, half_hours, days, remainders = answers

    assert isinstance(by_model, pl.DataFrame)
    assert isinstance(half_hours, pl.DataFrame)
    assert sorted(by_model["calls"]) == [1, 2]
    assert half_hours["requests"].to_list() == [1, 1, 1]
    assert list(days["output"]) == [32, 1]  # type: ignore[index]
    assert list(remainders) == [Decimal(0)] * 2  # type: ignore[call-overload]


def test_plain_readers_agree_with_the_views(store: Path) -> None:
    """Sums of the log, of the calls and of every roll-up are the same in DuckDB."""
    log = asked("SELECT sum(requests), sum(input), sum(output) FROM read_parquet('events/**/*.parquet')")

    for known in VIEWS:
        requests = "count(*)" if known.name == "calls" else "sum(requests)"
        found = asked(f"SELECT {requests}, sum(input), sum(output) FROM read_parquet('views/{known.name}/**/*.parquet')")
        assert found == log

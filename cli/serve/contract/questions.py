"""What can be asked by HTTP: one struct for the parameters of every question.

Decides their names, types and bounds; `docs/api.md` and `/api/openapi.json` follow from here. What a parameter means is `cli.ask`'s
business.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from views.calendar import PERIODS, WEEKDAYS
from views.matching import INITIATORS, SOURCES
from views.query import COST_MODES, GROUPINGS, SORTS

Text = Annotated[str, Meta(max_length=1000)]
Day = Annotated[
    str, Meta(max_length=10, description="Calendar day, such as 2026-05-01.", extra_json_schema={"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})
]


def _one_of(*words: str) -> Meta:
    """Words that `cli.ask` knows: the document lists them, `cli.ask` says which there are to whoever gives another."""
    return Meta(extra_json_schema={"enum": list(words)})


_PERIOD = "|".join((*(name for name in PERIODS if name[0].isalpha() or name == "24h"), "[1-9][0-9]{0,5}d"))
Period = Annotated[
    Text,
    Meta(
        description="24h (rolling), today, yesterday, week, last-week, month, last-month, 7d, 30d, any Nd, year, all.",
        extra_json_schema={"pattern": f"^({_PERIOD})$"},
    ),
]
Sort = Annotated[
    Text,
    Meta(description="A key, with :asc or :desc behind it.", extra_json_schema={"pattern": f"^({'|'.join(SORTS)})(:asc|:desc)?$"}),
]
By = Annotated[
    Text,
    Meta(
        description=f"One grouping, or two with a comma between them: {', '.join(GROUPINGS)}.",
        extra_json_schema={"pattern": f"^({'|'.join(GROUPINGS)})(,({'|'.join(GROUPINGS)}))?$"},
    ),
]
PARTS = ("initiator", "source", "provider", "model", "profile", "agent")
"""What the points of a series can be divided into."""


class Filters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls are meant; all that is given must hold at once. The words are those of `ringlet usage`."""

    period: Period | None = None
    since: Day | None = None
    until: Day | None = None
    """Included. Dates and `period` exclude each other."""
    profile: Text | None = None
    provider: Text | None = None
    model: Annotated[Text | None, Meta(description="An id, also with a date or -latest behind it; or a pattern such as claude-*.")] = None
    agent: Text | None = None
    project: Annotated[Text | None, Meta(description="A path, its last folder, or a pattern.")] = None
    session: Annotated[Text | None, Meta(description="An id, or its first eight or more characters.")] = None
    initiator: Annotated[Text, _one_of(*INITIATORS)] | None = None
    source: Annotated[Text, _one_of(*SOURCES)] | None = None
    tz: Annotated[Text | None, Meta(description="IANA zone of the calendar days; the configured one without it.")] = None
    week_start: Annotated[Text, _one_of(*WEEKDAYS)] | None = None
    cost_mode: Annotated[Text, _one_of(*COST_MODES)] | None = None


Limit = Annotated[int, Meta(ge=1, le=10_000)]


class RollupParams(Filters, frozen=True, kw_only=True):
    """Which groups."""

    by: By = "profile"
    sort: Sort | None = None
    limit: Limit | None = None


class SeriesParams(Filters, frozen=True, kw_only=True):
    """Which points in time."""

    bucket: Literal["hour", "day", "week", "month"] = "day"
    by: Annotated[Text, _one_of(*PARTS)] | None = None
    """What each point is divided into."""


class TopParams(Filters, frozen=True, kw_only=True):
    """Which conversations, and by what they are ranked."""

    rank: Literal["cost", "tokens"] = "cost"
    limit: Limit = 10


class RecordsParams(Filters, frozen=True, kw_only=True):
    """Which calls, and which page of them."""

    search: Annotated[Text | None, Meta(description="Part of a record's name, in upper or lower case.")] = None
    page: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 1
    per_page: Annotated[int, Meta(ge=1, le=100)] = 20


class FilterValuesParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the offered models belong to, and whose days are meant."""

    provider: Text | None = None
    tz: Text | None = None


class ExportParams(RollupParams, frozen=True, kw_only=True):
    """Which rows, and how they are written. Without `by` a row is a call."""

    by: By | None = None  # type: ignore[assignment]
    format: Literal["csv", "json", "jsonl", "parquet"] = "csv"
    raw: bool = False
    """Leave cells of a CSV alone that a spreadsheet would run as formulas."""


class ImportParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is imported."""

    claude_dir: Annotated[Text | None, Meta(description="A home of Claude Code that is configured here; without it, all of them.")] = None


class PricesParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose price, and on which day."""

    model: Text | None = None
    """Without it: all models that have calls."""
    at: Day | None = None
    """UTC day of the call; today without it."""
    provider: Text | None = None


class DoctorParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How closely to look."""

    deep: bool = False
    """Also read every segment back and compare it with what was written."""

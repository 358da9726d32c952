"""What Claude Code's `stats-cache.json` remembers of transcripts that are gone.

Decides how its sums are read and how much of them is certainly lost. They never become events: their days are local, the mix of classes
in `tokensByModel` is unknown, they lag behind, and old versions counted the copies of a streamed reply. What they say beyond the calls
that are known is therefore shown beside the totals, as a lower bound. Opens no file.
"""

from collections.abc import Mapping
from datetime import date

import msgspec

from ingest import decode

NAME = "stats-cache.json"
"""Name of the file in Claude Code's configuration folder."""

_CLASSES = {
    "input": "inputTokens",
    "output": "outputTokens",
    "cache_read": "cacheReadInputTokens",
    "cache_write": "cacheCreationInputTokens",
}


class ModelSums(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens of one model over all time, by class."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says; whatever in it cannot be believed is left out."""

    days: dict[date, dict[str, int]]
    """Tokens by the user's local day and model, in an unknown mix of classes."""
    models: dict[str, ModelSums]
    first_day: date | None = None
    """Day of the first session that Claude Code remembers."""
    unreadable: int = 0
    """Entries that were left out."""


class Lost(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens that were used and that no transcript holds any more: at least so many."""

    model: str
    day: date | None
    """Local day; None for a difference in the sum over all time."""
    tokens: int


def parse(document: bytes) -> Stats:
    """What `stats-cache.json` says. Raises `ingest.decode.BadRecord` where it is no JSON object."""
    (content, *_) = decode.objects(document)
    days: dict[date, dict[str, int]] = {}
    bad = 0
    for entry in _list(content.get("dailyModelTokens")):
        day = _day(entry.get("date")) if isinstance(entry, dict) else None
        sums = entry.get("tokensByModel") if isinstance(entry, dict) else None
        if day is None or not isinstance(sums, dict):
            bad += 1
            continue
        for model, value in sums.items():
            try:
                days.setdefault(day, {})[model] = decode.count(value)
            except decode.BadRecord:
                bad += 1
    models: dict[str, ModelSums] = {}
    usage = content.get("modelUsage")
    for model, sums in usage.items() if isinstance(usage, dict) else ():
        try:
            models[model] = ModelSums(**{ours: decode.count(sums.get(theirs)) for ours, theirs in _CLASSES.items()})
        except (decode.BadRecord, AttributeError):
            bad += 1
    return Stats(days=days, models=models, first_day=_day(content.get("firstSessionDate")), unreadable=bad)


def lost_by_day(stats: Stats, known: Mapping[tuple[date, str], int]) -> list[Lost]:
    """What each day lacks, by day and model; `known` is the tokens of all classes of the calls known on a local day.

    Only what exceeds all known tokens of the day is certainly lost, because it is unknown which classes the file added up.
    """
    return [
        Lost(model=model, day=day, tokens=said - known.get((day, model), 0))
        for day, sums in sorted(stats.days.items())
        for model, said in sorted(sums.items())
        if said > known.get((day, model), 0)
    ]


def lost_by_model(stats: Stats, known: Mapping[str, ModelSums]) -> list[tuple[str, ModelSums]]:
    """What each model lacks over all time, class by class; `known` is its known calls. Models that lack nothing are left out."""
    nothing = ModelSums()
    found = []
    for model, said in sorted(stats.models.items()):
        have = known.get(model, nothing)
        lack = ModelSums(**{name: max(0, getattr(said, name) - getattr(have, name)) for name in _CLASSES})
        if lack != nothing:
            found.append((model, lack))
    return found


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _day(value: object) -> date | None:
    """The day of an ISO date or moment; None for anything else."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None

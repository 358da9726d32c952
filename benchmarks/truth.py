"""What a corpus is known to hold, and the small things that all its writers share.

Decides how the truth is counted: per UTC day and model, one call once.
"""

import random
from collections.abc import Sequence
from datetime import date, datetime
from typing import TypeVar

CLASSES = ("requests", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "web_searches")
END = date(2026, 11, 20)

Truth = dict[str, dict[str, dict[str, int]]]
"""UTC day, model, class of tokens."""

T = TypeVar("T")


def count(truth: Truth, at: datetime, model: str, **tokens: int) -> None:
    """Add one call to the sums of its UTC day and model."""
    row = truth.setdefault(at.isoformat()[:10], {}).setdefault(model, dict.fromkeys(CLASSES, 0))
    row["requests"] += 1
    for name, value in tokens.items():
        row[name] += value


def iso(at: datetime) -> str:
    return f"{at.isoformat()[:19]}.{at.microsecond // 1000:03d}Z"


def uuid(rng: random.Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def pick(rng: random.Random, weighted: Sequence[tuple[T, int]]) -> T:
    return rng.choices([item for item, _ in weighted], [weight for _, weight in weighted])[0]


def summed(truth: Truth) -> dict[str, int]:
    """All days and models of one agent added up."""
    rows = [row for models in truth.values() for row in models.values()]
    return {name: sum(row[name] for row in rows) for name in CLASSES}

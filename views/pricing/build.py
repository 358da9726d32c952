"""Builds the shipped price book from a price history and lists of corrections: `python -m views.pricing.build HISTORY CORRECTIONS...`.

Decides which listings of the history are believed. Run by hand when the history grows; its output is committed.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from views.pricing import listing
from views.pricing.book import SHIPPED, Entry, Fields, Row
from views.pricing.money import ratio

SOURCE = "weekly releases of the litellm package (MIT, BerriAI): model_prices_and_context_window.json, and price-corrections.jsonl"
FAR_TOO_DEAR = 50
"""A listing whose input and output both fall by this factor in the next one was in another unit."""


def build(history: Iterable[str], corrections: Iterable[str]) -> tuple[bytes, Counter[str]]:
    """The book file, and how many listings were left out and why. Raises ValueError where a rate times a factor has no exact value."""
    left_out: Counter[str] = Counter()
    listed: dict[str, list[Row]] = defaultdict(list)
    providers: dict[str, str] = {}
    days = []
    for text in history:
        row = json.loads(text, parse_float=str, parse_int=str)
        if row["mode"] not in listing.MODES:
            left_out["not a chat, completion or responses model"] += 1
            continue
        day = listing.day_of(row["from"])
        days.append(day)
        try:
            fields = listing.fields_of(row["prices"])
        except listing.Unbelievable as why:
            left_out["a rate in another unit" if "USD per token" in str(why) else str(why)] += 1
            continue
        listed[row["model"]].append(Row(day, fields, "shipped"))
        providers[row["model"]] = row["provider"]
    corrected: dict[str, list[tuple[int, int | None, Fields]]] = defaultdict(list)
    for text in corrections:
        row = json.loads(text, parse_float=str, parse_int=str)
        until = None if row["until"] is None else listing.day_of(row["until"])
        corrected[row["model"]].append((listing.day_of(row["from"]), until, _corrected_fields(row["set"])))
    for model, rows in listed.items():
        rows.sort(key=lambda row: row.day)
        for index in reversed(range(len(rows) - 1)):
            if _falls_far(rows[index].fields, rows[index + 1].fields):
                left_out["a rate in another unit"] += 1
                del rows[index]
        _check(model, rows, corrected[model])
    unknown = corrected.keys() - listed.keys()
    if unknown:
        raise ValueError(f"corrections of models that the history does not list: {', '.join(sorted(unknown))}")
    lines = [listing.line(Entry(model, providers[model], rows), corrected[model]) for model, rows in listed.items()]
    header = {
        "source": SOURCE,
        "from": listing.iso(min(days)),
        "until": listing.iso(max(days)),
        "models": str(len(lines)),
        "rows": str(sum(map(len, listed.values()))),
        "corrections": str(sum(map(len, corrected.values()))),
    }
    return listing.file(lines, header), left_out


def _corrected_fields(changes: dict[str, str | None]) -> Fields:
    fields = listing.fields_of({name: value for name, value in changes.items() if value is not None})
    # A name stands for one field: read it with any price to learn which.
    return fields | {field: None for name, value in changes.items() if value is None for field in listing.fields_of({name: "1e-6"})}


def _falls_far(before: Fields, after: Fields) -> bool:
    def times(field: str) -> float:
        first, then = before.get(field), after.get(field)
        return int(first) / int(then) if first and then else 0.0

    return times("i") >= FAR_TOO_DEAR and times("o") >= FAR_TOO_DEAR


def _check(model: str, rows: list[Row], corrections: list[tuple[int, int | None, Fields]]) -> None:
    for fields in [row.fields for row in rows] + [changes for _, _, changes in corrections]:
        factors = [(1, 1)]
        for name in sorted(fields):
            if name.startswith("x."):
                more, less = map(int, str(fields[name]).split("/"))
                factors += [(factor * more, divisor * less) for factor, divisor in factors]
        if "claude" in model.lower():
            factors += [(factor * more, divisor * less) for factor, divisor in factors for more, less in ((5, 4), (2, 1), (1, 10))]
        for field, value in fields.items():
            if isinstance(value, int) and field[0] in "iorwhg" and any(ratio(value, *by) * by[1] != value * by[0] for by in factors):
                raise ValueError(f"{model}: {field} = {value} attodollars has no exact value under its factors")


def main(arguments: list[str]) -> int:
    """Write the shipped book from the files that the arguments name."""
    history, *corrections = arguments
    texts = [text for path in corrections for text in Path(path).read_text(encoding="utf-8").splitlines() if text.strip()]
    book, left_out = build(Path(history).read_text(encoding="utf-8").splitlines(), texts)
    Path(SHIPPED).write_bytes(book)
    print(f"{SHIPPED}: {len(book):,} bytes")
    for why, count in left_out.most_common():
        print(f"left out {count}: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

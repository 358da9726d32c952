"""A provider's cost export beside what the log says: which file it is, what it bills per UTC day and model, and how both compare.

Decides which columns are read and when two names are one model. Amounts are attodollars; nothing is converted between currencies.
Headers of the consoles' exports as seen in 2026-11: Anthropic's costs (usage_date_utc, model, token_type, cost_usd), where models have
display names ("Claude Haiku 4.5"), and OpenAI's costs (start_time_iso, amount_value, amount_currency, line_item), where an item is
"model, class".
"""

import csv
from collections.abc import Iterable, Mapping
from datetime import date

import msgspec

from pipeline.errors import RingletError
from views.pricing.money import attodollars

Key = tuple[str, str]
"""UTC day, and a model's name as `model_name` leaves it."""


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns of a file mean what; `provider` bills, where the file is of a known kind."""

    name: str = "columns as named"
    date: str
    model: str
    amount: str
    currency: str | None = None
    provider: str | None = None


KNOWN = (
    Format(name="Anthropic console", date="usage_date_utc", model="model", amount="cost_usd", provider="anthropic"),
    Format(
        name="OpenAI console",
        date="start_time_iso",
        model="line_item",
        amount="amount_value",
        currency="amount_currency",
        provider="openai",
    ),
)


class Invoice(msgspec.Struct, kw_only=True):
    """What a file bills, and its rows that cannot be read: (line number, reason)."""

    format: Format
    amounts: dict[Key, int] = {}
    bad: list[tuple[int, str]] = []


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One day and model: attodollars on either side, None where that side knows nothing of it."""

    day: str
    model: str
    ours: int | None
    theirs: int | None


def parsed(text: str, columns: Mapping[str, str | None]) -> Invoice:
    """The invoice in a CSV text; `columns` names date, model and amount where somebody did. Raises RingletError for an unknown header."""
    lines = csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True), strict=True)
    header = [name.strip() for name in next(lines, [])]
    found = _format(header, columns)
    invoice = Invoice(format=found)
    places = [header.index(name) for name in (found.date, found.model, found.amount)]
    currency = None if found.currency is None or found.currency not in header else header.index(found.currency)
    while True:
        try:
            row = next(lines)
        except StopIteration:
            return invoice
        except csv.Error as error:
            invoice.bad.append((lines.line_num, str(error)))
            continue
        if not any(row):
            continue
        try:
            day, model, amount = (row[place].strip() for place in places)
            unit = "" if currency is None else row[currency].strip().lower()
            if not amount and not unit and currency is not None:
                continue  # A day without costs.
            if unit not in ("", "usd"):
                raise ValueError(f"the amount is in {unit[:10]}, not in usd")
            key = date.fromisoformat(day[:10]).isoformat(), model_name(model)
            invoice.amounts[key] = invoice.amounts.get(key, 0) + attodollars(amount.replace("$", "").replace(",", ""))
        except IndexError:
            invoice.bad.append((lines.line_num, "too few columns"))
        except ValueError as error:
            invoice.bad.append((lines.line_num, str(error)))


def model_name(name: str) -> str:
    """One spelling for a model's id, its dated id and its display name; what follows a comma names a token class."""
    words = name.partition(",")[0].strip().lower().replace(".", "-").replace(" ", "-").removesuffix("-latest").split("-")
    if len(words[-1]) == 8 and words[-1].isdigit():
        words = words[:-1]
    elif len(words) > 3 and [len(word) for word in words[-3:]] == [4, 2, 2] and "".join(words[-3:]).isdigit():
        words = words[:-3]
    # The older ones have the version before the family's name, display names always behind it.
    return "-".join(sorted(words, key=str.isdigit) if words[0] == "claude" else words) or "no model named"


def reconciled(ours: Mapping[Key, int | None], theirs: Mapping[Key, int]) -> list[Compared]:
    """Every day and model that either side knows, by day and name."""
    return [Compared(day=key[0], model=key[1], ours=ours.get(key), theirs=theirs.get(key)) for key in sorted({*ours, *theirs})]


def ratio(ours: Iterable[int | None], theirs: Iterable[int | None]) -> float | None:
    """Ours by theirs; None where theirs is nothing."""
    billed = sum(each or 0 for each in theirs)
    return None if not billed else sum(each or 0 for each in ours) / billed


def _format(header: list[str], columns: Mapping[str, str | None]) -> Format:
    known = next((each for each in KNOWN if {each.date, each.model, each.amount} <= set(header)), None)
    named = {name: column for name, column in columns.items() if column is not None}
    if known is not None:
        known = msgspec.structs.replace(known, **named)
    elif {"date", "model", "amount"} <= named.keys():
        known = Format(date=named["date"], model=named["model"], amount=named["amount"])
    missing = [] if known is None else [name for name in (known.date, known.model, known.amount) if name not in header]
    if known is None or missing:
        what = f"has no column {missing[0]!r}" if missing else "is no export that is known by its header"
        shown = ", ".join(name[:30] for name in header[:20])
        raise RingletError(f"{what}; its columns: {shown}", mend="name them: --date-column, --model-column, --amount-column")
    return known

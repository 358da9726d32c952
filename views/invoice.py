"""A provider's cost export: which file it is, and what it bills per UTC day and model.

Decides which columns are read, which rows are left out, and what is said of a row that cannot be read. What a cell says is
`views.invoice_cells`' business; nothing is converted between currencies.

Headers of the consoles' exports as seen in 2026-11: Anthropic's costs (usage_date_utc, model, token_type, cost_usd, list_price_usd …),
where models have display names ("Claude Haiku 4.5"), and OpenAI's costs (start_time_iso, amount_value, amount_currency, line_item), where
an item is "model, class"; grouped by project those name no item.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping

import msgspec

from pipeline.errors import RingletError, UnknownName
from views import invoice_cells as cells
from views.pricing.money import ratio

Key = tuple[str, str]
"""UTC day, and a model's name as `invoice_cells.model_name` leaves it."""

EVERY_MODEL = "all models"
"""The model of each row of a file that names none."""

_SEPARATORS = ",;\t|"
_CURRENCIES = ("currency", "amount_currency", "cost_currency", "billing_currency")
_CENTS = re.compile(r"(?:^|[_(])cents?(?:[_)]|$)")
_OTHER_CURRENCY = re.compile(r"(?:^|[_(])(eur|gbp|jpy|cny|inr|chf|cad|aud)(?:[_)]|$)")
_LONGEST_CELL = 1 << 20


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns of a file mean what; `provider` bills, where the file is of a known kind."""

    name: str = "columns as named"
    date: str
    model: str | None
    amount: str
    provider: str | None = None


KNOWN = (
    Format(name="Anthropic console", date="usage_date_utc", model="model", amount="cost_usd", provider="anthropic"),
    Format(name="OpenAI console", date="start_time_iso", model="line_item", amount="amount_value", provider="openai"),
    Format(name="OpenAI console, no items", date="start_time_iso", model=None, amount="amount_value", provider="openai"),
)


class Invoice(msgspec.Struct, kw_only=True):
    """What a file bills, and its rows that cannot be read: (line number, reason)."""

    format: Format
    in_cents: bool = False
    """The header says that amounts are cents."""
    amounts: dict[Key, int] = {}
    """Attodollars; credits count as what they are, less than nothing."""
    totals: list[int] = []
    """Lines that add up others, and are left out."""
    bad: list[tuple[int, str]] = []


class _Row(msgspec.Struct):
    line: int
    day: str
    model: str
    amount: str
    currency: str


def parsed(text: str, columns: Mapping[str, str | None]) -> Invoice:
    """The invoice in a CSV text; `columns` names date, model and amount where somebody did.

    Raises RingletError for a header that nobody knows or that bills another currency, UnknownName for a column that is not there.
    """
    text = text.removeprefix("\ufeff")
    skipped = 0
    first, _, rest = text.partition("\n")
    separator = None
    if re.fullmatch(r"sep=[,;|\t]", first.strip("\r")):
        # What Excel is told to separate columns by.
        separator, text, skipped = first[4], rest, 1
    if not text.strip():
        raise RingletError("is empty", mend="export it again")
    separator = separator or _separator(text)
    csv.field_size_limit(_LONGEST_CELL)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    invoice = Invoice(format=Format(date="", model=None, amount=""))
    header: list[str] | None = None
    rows = []
    for line, row in _rows(lines, invoice, skipped):
        if header is None:
            header = [name.strip() for name in row]
            invoice.format = _format(header, columns)
            places = _places(header, invoice.format)
            invoice.in_cents = bool(_CENTS.search(_known(invoice.format.amount)))
        elif any(cell.strip() for cell in row):
            found = _row(line, row, places)
            if found is None:
                invoice.bad.append((line, f"has {len(row)} columns, the header {len(header)}"))
            else:
                rows.append(found)
    if header is None:
        raise RingletError("has no header that can be read", mend="export it again as CSV")
    _bill(invoice, rows, separator)
    invoice.bad.sort()
    return invoice


def _rows(lines: Iterator[list[str]], invoice: Invoice, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Each record and the line that it begins on."""
    while True:
        begin = lines.line_num + 1 + skipped  # type: ignore[attr-defined]
        try:
            row = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            open_quote = "unexpected end of data" in str(error)
            invoice.bad.append((begin, "opens a quote that nothing closes, so what follows is lost" if open_quote else str(error)))
            continue
        if row:
            yield begin, row


def _row(line: int, row: list[str], places: tuple[int, int | None, int, int | None]) -> _Row | None:
    day, model, amount, currency = places
    if len(row) <= max(place for place in places if place is not None):
        return None
    return _Row(
        line, row[day].strip(), "" if model is None else row[model].strip(), row[amount], "" if currency is None else row[currency].strip()
    )


def _bill(invoice: Invoice, rows: list[_Row], separator: str) -> None:
    """Put down what each row bills: how numbers and dates are meant, all rows tell together."""
    mark = cells.decimal_mark((row.amount for row in rows), separated_by=separator)
    order = cells.date_order(row.day for row in rows)
    for row in rows:
        names = {each.lower().rstrip(" :") for each in (row.day, row.model)}
        if names & cells.TOTALS or (not row.day and not row.model):
            invoice.totals.append(row.line)
            continue
        if not row.amount.strip() and not row.currency:
            continue  # A day without costs.
        try:
            if row.currency.lower() not in ("", "usd", "$", "us$"):
                raise ValueError(f"the amount is in {row.currency[:10]}, not in USD")
            day, amount = cells.utc_day(row.day, order), cells.amount(row.amount, mark)
        except ValueError as error:
            invoice.bad.append((row.line, str(error)))
            continue
        key = day, EVERY_MODEL if invoice.format.model is None else cells.model_name(row.model)
        invoice.amounts[key] = invoice.amounts.get(key, 0) + (ratio(amount, 1, 100) if invoice.in_cents else amount)


def _separator(text: str) -> str:
    """What separates the columns: that which the first line has most of."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(_SEPARATORS, key=lambda mark: (first.count(mark), -_SEPARATORS.index(mark)))


def _known(name: str) -> str:
    """A column's name as it is compared: exports differ in case and spaces."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _places(header: list[str], found: Format) -> tuple[int, int | None, int, int | None]:
    """Where day, model, amount and currency stand."""
    names = [_known(name) for name in header]
    currency = next((names.index(each) for each in _CURRENCIES if each in names), None)
    other = _OTHER_CURRENCY.search(_known(found.amount))
    if other:
        raise RingletError(f"its amounts are in {other[1].upper()}, not in US dollars", mend="export it in US dollars")
    model = None if found.model is None else names.index(_known(found.model))
    return names.index(_known(found.date)), model, names.index(_known(found.amount)), currency


def _format(header: list[str], columns: Mapping[str, str | None]) -> Format:
    names = {_known(name) for name in header}
    named = {name: column for name, column in columns.items() if column is not None}
    for column in named.values():
        if _known(column) not in names:
            raise UnknownName(f"has no column {column!r}; there are: {', '.join(header)}", valid=tuple(header))
    for known in KNOWN:
        if {known.date, known.amount, known.model or known.date} <= names:
            return msgspec.structs.replace(known, **named)
    missing = [f"--{name}-column" for name in ("date", "model", "amount") if name not in named]
    if missing:
        what = f"is no cost export that ringlet knows; its columns are: {', '.join(header)[:400]}"
        raise RingletError(what, mend=f"name the columns with {', '.join(missing)}")
    return Format(date=named["date"], model=named["model"], amount=named["amount"])

"""The price book: for each model dated rows, each field of a row in the book's own short words.

Decides what was listed on a day: history, corrections on top, late-added fields filled backwards, the user's table above both. Which
model a call means is `models`' business, which rate of a row a call pays is `cost`'s.

One model is one line of a sorted file, so that a lookup reads one line and not the book:

    key TAB name TAB provider TAB row TAB row ...

`key` is the name in lower case; `name` is empty where it is the same. A row is `day:field=value,field=value,-field`: the first row of a
line is whole, every later one says what changed; days count from 1970-01-01. A correction is `!from..until:field=value,-field` (`until`
empty = open). An amount is `3e12`: an integer of attodollars (10^-18 US dollars) with its zeros folded. Fields:

    i o r w h g s    input, output, cache read, cache write (5 minutes), cache write (1 hour), reasoning, one web search
    i@200000         the same where the whole prompt exceeds 200,000 tokens
    i.batch          the same in a service tier; i@200000.flex is both
    i~               the same inside the off-peak hours `p`
    x.fast x.us      factors as a fraction, 6/1 and 11/10
    p                off-peak hours: minutes that the weekday's zone is ahead of UTC | weekdays : minute-minute + ... | ...
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

Fields = dict[str, int | str | None]
"""A row's fields: attodollars, or text for factors and hours; None in a correction says that there is no such rate."""
SHIPPED = os.path.join(os.path.dirname(__file__), "data", "book.tsv")
SYNCED = "synced.tsv"
ALWAYS = -(10**6)
"""The day of a row of the user's that names none."""


class Row:
    """What one model's listing said from `day` on. `origin` is shipped, corrected, synced or table (the user's)."""

    __slots__ = ("day", "fields", "origin", "rates")

    def __init__(self, day: int, fields: Fields, origin: str) -> None:
        self.day = day
        self.fields = fields
        self.origin = origin
        self.rates: dict[tuple[object, ...], Any] = {}
        """Filled and read by `cost`: what the row comes to, by the shapes that were asked for."""


class Entry:
    """One model's rows, oldest first; `provider` as the price list names it, empty in the user's table."""

    __slots__ = ("name", "provider", "rows")

    def __init__(self, name: str, provider: str, rows: list[Row]) -> None:
        self.name = name
        self.provider = provider
        self.rows = rows

    def at(self, day: int) -> Row | None:
        """The row in force on `day`. Before the first row the first row holds, except in the user's table, where `from` is meant."""
        found = None
        for row in self.rows:
            if row.day > day:
                break
            found = row
        if found is None and self.rows[0].origin != "table":
            return self.rows[0]
        return found


class Book:
    """The shipped history, what `registry sync` has added, and the user's table, as texts in the format above."""

    __slots__ = ("_known", "_overrides", "_shipped", "_steps", "_synced", "matches")

    def __init__(self, shipped: bytes, synced: bytes = b"", overrides: bytes = b"") -> None:
        self._shipped = shipped
        self._synced = synced
        self._overrides = overrides
        self._known: dict[tuple[str, bool], list[Entry]] = {}
        self._steps: tuple[int, ...] | None = None
        self.matches: dict[tuple[str | None, str], Any] = {}
        """Filled and read by `cost`: which listings may price a model of a provider, as far as they were looked for."""

    def find(self, name: str) -> list[Entry]:
        """The listed models of that name in any spelling of its letters, the exact spelling first; corrected and filled."""
        known = self._known.get((name, False))
        if known is None:
            found: dict[str, Entry] = {}
            corrections: dict[str, list[tuple[int, int | None, Fields]]] = {}
            for origin, text in (("shipped", self._shipped), ("synced", self._synced)):
                for line in lines_of(text, name):
                    try:
                        entry, corrected = _parse(line, origin)
                    except ValueError:
                        # A damaged file must not keep anybody from their numbers; `sync.trouble` reports it.
                        continue
                    older = found.get(entry.name)
                    if older is not None:
                        entry.rows = _merged(older.rows, entry.rows)
                    found[entry.name] = entry
                    corrections.setdefault(entry.name, []).extend(corrected)
            for entry in found.values():
                entry.rows = _filled(_corrected(entry.rows, corrections[entry.name]))
            known = sorted(found.values(), key=lambda entry: entry.name != name)
            self._known[name, False] = known
        return known

    @property
    def overridden(self) -> bool:
        """Whether the user's table has any row."""
        return bool(self._overrides)

    def override(self, name: str) -> Entry | None:
        """The user's own rows for that name; nothing is filled or corrected in them."""
        known = self._known.get((name, True))
        if known is None:
            known = [_parse(line, "table")[0] for line in lines_of(self._overrides, name)]
            known.sort(key=lambda entry: entry.name != name)
            self._known[name, True] = known
        return known[0] if known else None

    def steps(self) -> tuple[int, ...]:
        """Every prompt size above which some model costs more, rising. `n` exceeds a step when n > step (providers for which n >= step
        is enough are listed one below)."""
        if self._steps is None:
            self._steps = tuple(
                sorted({int(step) for text in (self._shipped, self._synced) for step in header(text, "steps").split() if step.isdigit()})
            )
        return self._steps


def open_book(prices: str | None, overrides: bytes = b"") -> Book:
    """The book with what was synced into the folder `prices`; `overrides` from `listing.table`."""
    synced = b""
    if prices is not None:
        try:
            with open(os.path.join(prices, SYNCED), "rb") as file:
                synced = file.read()
        except FileNotFoundError:
            pass
    with open(SHIPPED, "rb") as file:
        return Book(file.read(), synced, overrides)


def newest(text: bytes, name: str) -> Row | None:
    """The newest row that a book file has of exactly that model, as it was listed: not corrected, nothing filled."""
    for line in lines_of(text, name):
        entry, _ = _parse(line, "shipped")
        if entry.name == name:
            return entry.rows[-1]
    return None


def entries(text: bytes, origin: str) -> "Iterator[Entry]":
    """Every line of a book file, as it was listed; a line that cannot be read, or was cut, is passed over."""
    for line in text.decode("utf-8", "replace").split("\n")[:-1]:
        if line and not line.startswith("#"):
            try:
                yield _parse(line, origin)[0]
            except ValueError:
                continue


def header(text: bytes, name: str) -> str:
    """The value of a `# name: value` line at the head of a book file; empty where there is none."""
    wanted = b"# " + name.encode() + b": "
    position = 0
    while text.startswith(b"#", position):
        end = text.find(b"\n", position)
        if end < 0:
            break
        if text.startswith(wanted, position):
            return text[position + len(wanted) : end].decode()
        position = end + 1
    return ""


def lines_of(text: bytes, name: str) -> "Iterator[str]":
    """The lines of a sorted book file whose key is `name` in lower case."""
    key = name.lower().encode("utf-8", "replace")
    if b"\t" in key or b"\n" in key or b"\r" in key:
        return
    wanted = key + b"\t"
    low, high = 0, len(text)
    while low < high:
        middle = (low + high) // 2
        start = text.rfind(b"\n", low, middle) + 1 or low
        end = text.find(b"\n", middle)
        end = len(text) if end < 0 else end + 1
        # A comment sorts before every name: no key begins with "#".
        if text.startswith(b"#", start) or text[start : text.find(b"\t", start, end) + 1] < wanted:
            low = end
        else:
            high = start
    # A line without its end was cut: what is left of its last amount would be another one.
    while text.startswith(wanted, low) and (end := text.find(b"\n", low)) >= 0:
        yield text[low:end].decode("utf-8", "replace")
        low = end + 1


def amount(text: str) -> int:
    """Attodollars of `3e12`."""
    digits, _, zeros = text.partition("e")
    return int(digits) * 10 ** int(zeros) if zeros else int(digits)


def _parse(line: str, origin: str) -> "tuple[Entry, list[tuple[int, int | None, Fields]]]":
    key, name, provider, *parts = line.split("\t")
    rows: list[Row] = []
    corrections: list[tuple[int, int | None, Fields]] = []
    fields: Fields = {}
    for part in parts:
        when, _, changes = part.partition(":")
        if when.startswith("!"):
            first, _, last = when[1:].partition("..")
            corrected: Fields = {}
            _change(corrected, changes, keep_none=True)
            corrections.append((int(first), int(last) if last else None, corrected))
        else:
            fields = dict(fields)
            _change(fields, changes, keep_none=False)
            rows.append(Row(int(when), fields, origin))
    if not rows:
        raise ValueError("a line without a row")
    return Entry(name or key, provider, rows), corrections


def _change(fields: Fields, changes: str, *, keep_none: bool) -> None:
    for change in changes.split(",") if changes else ():
        if change.startswith("-"):
            if keep_none:
                fields[change[1:]] = None
            else:
                fields.pop(change[1:], None)
        else:
            field, _, value = change.partition("=")
            fields[field] = value if field == "p" or field.startswith("x.") else amount(value)


def _merged(older: list[Row], newer: list[Row]) -> list[Row]:
    days = {row.day: row for row in older}
    days.update({row.day: row for row in newer})
    return [days[day] for day in sorted(days)]


def _corrected(rows: list[Row], corrections: "list[tuple[int, int | None, Fields]]") -> list[Row]:
    """`rows` with every correction laid over the days it holds for; None in a corrected field says that there is no such rate."""
    if not corrections:
        return rows
    days = {row.day for row in rows}
    for first, last, _ in corrections:
        days.update(day for day in (first, last) if day is not None and day > rows[0].day)
    listed = Entry("", "", rows)
    result = []
    for day in sorted(days):
        row = listed.at(day)
        assert row is not None, "before the first row the first row holds"
        fields, origin = row.fields, row.origin
        for first, last, changes in corrections:
            if first <= day and (last is None or day < last):
                fields, origin = {**fields, **changes}, "corrected"
        result.append(Row(day, fields, origin))
    return result


def _filled(rows: list[Row]) -> list[Row]:
    """`rows` with every field that was only listed late filled backwards, up to its first listing.

    It is filled only through rows of the same input and output rate: what is first listed with or after a price change says nothing about
    the price before it (a model that moved to another model's price list would get that list's tiers for its cheaper past). A field that
    was listed and is missing later was taken away, and stays away until it is listed again.
    """
    seen: set[str] = set(rows[0].fields)
    for index in range(1, len(rows)):
        fields = rows[index].fields
        late = fields.keys() - seen
        if not late:
            continue
        seen |= late
        listed = {field: fields[field] for field in late if fields[field] is not None}
        for older in range(index - 1, -1, -1):
            row = rows[older]
            if any(row.fields.get(base) not in (None, fields.get(base)) for base in ("i", "o")):
                break
            rows[older] = Row(row.day, {**listed, **row.fields}, row.origin)
    return rows

"""How an answer looks in a terminal.

Decides headings, columns, widths, bars and the notes under a table; numbers are written by `cli.figures`. Pure: an answer and a look in,
text out. Imports no library, because the commands that must answer at once print through it.
"""

from cli.figures import count, duration, usd
from views import calendar
from views.query import Answer, Query, Row, Totals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NARROW = 80
_WITH_BARS = 100
_BLOCKS = " ▏▎▍▌▋▊▉█"

_DIM, _BOLD, _YELLOW, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[33m", "\x1b[0m"


class Look:
    """What the output can show."""

    __slots__ = ("classes", "color", "width")

    def __init__(self, *, width: int = NARROW, color: bool = False, classes: bool = False) -> None:
        self.width = width
        """Columns; a pipe has `NARROW`."""
        self.color = color
        self.classes = classes
        """Show the four token classes in place of in / out."""


def summary(answer: Answer, look: Look) -> str:
    """`ringlet usage`: the totals, then a row per profile with its agents and providers."""
    totals = answer.totals
    lines = [
        _styled(heading(answer.query), _BOLD, look),
        "",
        *_facts(
            ("Input tokens", count(totals.input)),
            ("Output tokens", count(totals.output)),
            ("Cache creation", count(totals.cache_write)),
            ("Cache read", count(totals.cache_read)),
            ("Cost", usd(totals.cost) + ("*" if totals.unpriced_requests else "")),
            ("Sessions", count(totals.sessions)),
            ("Runtime", duration(totals.runtime_us)),
        ),
        "",
    ]
    return "\n".join(lines) + "\n" + _table(answer, _SUMMARY, look) + _notes(answer, look)


def table(answer: Answer, look: Look) -> str:
    """`ringlet usage models` and its like: a row per group and the totals."""
    return f"{_styled(heading(answer.query), _BOLD, look)}\n\n" + _table(answer, _COLUMNS[answer.query.by], look) + _notes(answer, look)


def nothing_in_range(answer: Answer, what: str) -> str:
    """The one line for a range without any call; `what` is the grouping's subcommand or empty."""
    query = answer.query
    filters = "".join(f" --{name} {_quoted(value)}" for name, value in query.filters().items())
    where = " for these filters" if filters else ""
    if answer.last_day is None:
        return f"No usage is recorded{where}.\n"
    day = calendar.iso_day(answer.last_day)
    command = " ".join(part for part in ("ringlet usage", what, f"--since {day} --until {day}") if part) + filters
    return f"No usage {_range_words(query)}{where}. The last day with data is {day}: {command}\n"


def _range_words(query: Query) -> str:
    """The range as it ends a sentence: `today`, `in the last 7 days`, `on 2026-05-01`, `from 2026-05-01 to 2026-05-12`."""
    if query.period is None:
        if query.first_day is not None and query.first_day == query.last_day:
            return f"on {calendar.iso_day(query.first_day)}"
        return query.label if query.first_day is None else f"from {query.label}"
    words = query.label[:1].lower() + query.label[1:]
    counted = words.startswith("last ") and query.period not in ("last-week", "last-month")
    return f"in the {words}" if counted else f"in {words}" if query.period == "all" else words


def heading(query: Query) -> str:
    """What was asked: range, dates and filters in a line."""
    dates = ""
    if query.period is not None and query.first_day is not None and query.last_day is not None and query.since_us is None:
        first, last = calendar.iso_day(query.first_day), calendar.iso_day(query.last_day)
        dates = f" ({first})" if first == last else f" ({first} to {last})"
    filters = "".join(f" · {name} {_clean(value)}" for name, value in query.filters().items())
    return f"Usage · {query.label}{dates}{filters}"


def _facts(*facts: "tuple[str, str]") -> "list[str]":
    left = max(len(name) for name, _ in facts)
    right = max(len(value) for _, value in facts)
    return [f"{name:<{left}}  {value:>{right}}" for name, value in facts]


class _Column:
    """One column: its title, what a row shows in it, and whether it stands to the right."""

    __slots__ = ("of", "right", "title", "total")

    def __init__(
        self, title: str, of: "Callable[[Row], str]", *, right: bool = True, total: "Callable[[Totals], str] | None" = None
    ) -> None:
        self.title = title
        self.of = of
        self.right = right
        self.total = total


def _sum(title: str, of: "Callable[[Totals], str]") -> _Column:
    return _Column(title, of, total=of)


def _cost(totals: Totals) -> str:
    return usd(totals.cost) + ("*" if totals.unpriced_requests else "")


def _in_out(totals: Totals) -> str:
    return f"{count(totals.prompt, 'short')} / {count(totals.output, 'short')}"


def _last_used(totals: Totals) -> str:
    return "-" if totals.last_at_us is None else calendar.iso_time(totals.last_at_us)[:16].replace("T", " ")


def _several(names: "Sequence[str]") -> str:
    return "-" if not names else ", ".join(names) if len(names) < 3 else f"{names[0]} +{len(names) - 1}"


def _name(title: str) -> _Column:
    return _Column(title, lambda row: _clean(row.key) if row.key is not None else "unknown", right=False)


_TOKENS, _COST = _sum("TOKENS", _in_out), _sum("COST", _cost)
_REQUESTS = _sum("REQUESTS", lambda totals: count(totals.requests))
_SESSIONS = _sum("SESSIONS", lambda totals: count(totals.sessions))
_RUNTIME = _sum("RUNTIME", lambda totals: duration(totals.runtime_us))
_LAST_USED = _sum("LAST USED (UTC)", _last_used)
_CLASSES = (
    _sum("INPUT", lambda totals: count(totals.input)),
    _sum("OUTPUT", lambda totals: count(totals.output)),
    _sum("CACHE WRITE", lambda totals: count(totals.cache_write)),
    _sum("CACHE READ", lambda totals: count(totals.cache_read)),
)
_AGENT = _Column("AGENT", lambda row: _clean(_several(row.agents)), right=False)
_PROVIDER = _Column("PROVIDER", lambda row: _clean(_several(row.providers)), right=False)
_WHAT = _Column("TITLE OR PROJECT", lambda row: _clean(row.title or _tail(row.project or "-")), right=False)

_SUMMARY = (_name("PROFILE"), _AGENT, _PROVIDER, _Column("TOKENS", _in_out), _COST)
"""The totals above this table already say the tokens."""
_COLUMNS = {
    "profile": (_name("PROFILE"), _TOKENS, _COST, _SESSIONS, _LAST_USED),
    "model": (_name("MODEL"), _REQUESTS, _TOKENS, _COST),
    "provider": (_name("PROVIDER"), _REQUESTS, _TOKENS, _COST),
    "agent": (_name("AGENT"), _SESSIONS, _REQUESTS, _TOKENS, _COST),
    "project": (_name("PROJECT"), _SESSIONS, _TOKENS, _COST),
    "initiator": (_name("INITIATOR"), _SESSIONS, _REQUESTS, _TOKENS, _COST),
    "source": (_name("SOURCE"), _SESSIONS, _REQUESTS, _TOKENS, _COST),
    "session": (_name("SESSION"), _WHAT, _RUNTIME, _TOKENS, _COST),
    "day": (_name("DATE"), _TOKENS, _COST),
    "week": (_name("WEEK OF"), _TOKENS, _COST),
    "month": (_name("MONTH"), _TOKENS, _COST),
    "block": (_Column("BLOCK", lambda row: row.title or "", right=False), _REQUESTS, _TOKENS, _COST),
    "hour": (_Column("HOUR", lambda row: (row.key or "")[:16].replace("T", " "), right=False), _TOKENS, _COST),
}
_FURTHER = ((_REQUESTS,), _CLASSES, (_SESSIONS,), (_RUNTIME,), (_LAST_USED,))
"""Columns that a wide terminal adds, in this order, as far as they fit; of the token classes all or none, because they add up."""


def _table(answer: Answer, columns: "Sequence[_Column]", look: Look) -> str:
    rows = answer.rows
    chosen = [part for column in columns for part in (_CLASSES if column.of is _in_out and look.classes else (column,))]
    cells = [_cells(column, answer) for column in chosen]
    cells[0][-1] = "TOTAL"
    bar = 0
    if look.width >= _WITH_BARS and len(rows) > 1:
        bar = 14
    if look.width > NARROW:
        for group in _FURTHER:
            added = [column for column in group if column not in chosen]
            further = [_cells(column, answer) for column in added]
            if _width([*cells, *further]) + (bar + 2 if bar else 0) <= look.width:
                chosen += added
                cells += further
    widths = [max(columns_of(text) for text in column) for column in cells]
    _shrink(widths, chosen, look.width - (bar + 2 if bar else 0))
    if bar:
        bar = min(bar + look.width - (sum(widths) + 2 * len(widths) + bar), 40)
        bars = _bars(rows, bar)
    lines = []
    for at in range(len(rows) + 2):
        parts = [_fitted(column[at], width, right=kind.right) for column, width, kind in zip(cells, widths, chosen, strict=True)]
        if bar and 0 < at <= len(rows):
            parts.append(bars[at - 1])
        lines.append("  ".join(parts).rstrip())
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([_styled(lines[0], _DIM, look), *lines[1:-1], _styled(rule, _DIM, look), _styled(lines[-1], _BOLD, look)]) + "\n"


def _cells(column: _Column, answer: Answer) -> "list[str]":
    """Title, rows and total of a column."""
    return [column.title, *map(column.of, answer.rows), column.total(answer.totals) if column.total else ""]


def _width(cells: "Sequence[Sequence[str]]") -> int:
    return sum(max(columns_of(text) for text in column) for column in cells) + 2 * (len(cells) - 1)


def _shrink(widths: "list[int]", columns: "Sequence[_Column]", room: int) -> None:
    """Take what is too much from the widest names, down to twelve columns each."""
    over = sum(widths) + 2 * (len(widths) - 1) - room
    while over > 0:
        names = [at for at, column in enumerate(columns) if not column.right and widths[at] > 12]
        if not names:
            return
        widest = max(names, key=lambda at: widths[at])
        widths[widest] -= 1
        over -= 1


def _fitted(text: str, width: int, *, right: bool) -> str:
    taken = columns_of(text)
    if taken > width:
        while text and columns_of(text) > width - 1:
            text = text[:-1]
        text += "…"
        taken = columns_of(text)
    return " " * (width - taken) + text if right else text + " " * (width - taken)


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes: wide letters take two, those that join the one before them none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # 1 ms, only for names that need it

    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _bars(rows: "Sequence[Row]", width: int) -> "list[str]":
    by_cost = any(row.cost for row in rows)
    sizes = [max((row.cost or 0) if by_cost else row.tokens, 0) for row in rows]
    most = max(sizes)
    eighths = [0 if not most else -(-size * width * 8 // most) for size in sizes]
    return [_BLOCKS[8] * (size // 8) + (_BLOCKS[size % 8] if size % 8 else "") for size in eighths]


def _notes(answer: Answer, look: Look) -> str:
    totals, notes = answer.totals, []
    if totals.unpriced_requests:
        models = ", ".join(_head(_clean(model)) for model in answer.unpriced_models[:3]) + (" …" if len(answer.unpriced_models) > 3 else "")
        first = _quoted(answer.unpriced_models[0]) if answer.unpriced_models else "MODEL"
        calls = "1 call has" if totals.unpriced_requests == 1 else f"{count(totals.unpriced_requests)} calls have"
        if answer.query.cost_mode == "logged":
            notes.append(f"* {calls} no cost in the log and none here ({models}).")
            notes.append("  At list prices: --cost-mode auto.")
        else:
            notes.append(f"* {calls} no known price and no cost here ({models}).")
            notes.append(f"  Why: ringlet prices show {first}. Newer prices: ringlet registry sync.")
    if totals.unbilled_requests:
        calls = "1 call is" if totals.unbilled_requests == 1 else f"{count(totals.unbilled_requests)} calls are"
        if answer.cost_policy == "self-only":
            notes.append(f'- {calls} without cost: cost_policy is "self-only", and the provider of')
            notes.append("  their profile is not self: ringlet profiles list. For costs of all that bill")
            notes.append('  per token, config.toml: [usage] cost_policy = "metered".')
        else:
            notes.append(f"- {calls} not billed per token (local or managed provider) and without cost.")
            notes.append("  Which: ringlet usage providers. If one does bill per token, say so in")
            notes.append('  config.toml: [providers.NAME] billing = "metered".')
    if answer.lost is not None:
        tokens, start, end = answer.lost
        days = calendar.iso_day(start) + (f" to {calendar.iso_day(end)}" if end > start else "")
        notes.append(f"! Claude Code remembers at least {count(tokens, 'short')} more tokens ({days}) whose logs are gone.")
        notes.append("  They are in none of these numbers: ringlet doctor.")
    return "".join(["\n", *(_styled(note, _YELLOW, look) + "\n" for note in notes)]) if notes else ""


def _styled(text: str, style: str, look: Look) -> str:
    return f"{style}{text}{_PLAIN}" if look.color else text


def _clean(text: str) -> str:
    """A name from a log as a terminal may show it: nothing in it moves the cursor."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "�" for letter in text)


def _tail(path: str) -> str:
    return path if len(path) <= 40 else "…" + path[-39:]


def _head(name: str) -> str:
    return name if len(name) <= 40 else name[:39] + "…"


def _quoted(text: str) -> str:
    """As one word of a shell command."""
    if text and all(letter.isalnum() or letter in "-_./:@%+=," for letter in text):
        return text
    return "'" + _clean(text).replace("'", "'\\''") + "'"

"""The text of a snapshot: how days and a header become the two files, and how the files become days again.

Decides the format that `views.snapshot` answers from. Writes no file. Both files are lines of tab-separated fields:

    today   `ringlet snapshot VERSION DIGEST`, where the digest covers all that follows; header lines, each with its name first; an empty
            line; combinations; days.
    base    `ringlet base VERSION NAME`, where the name is the digest of all that follows; the bytes of each section; the sections:
            combinations, rows of everything, a row per day, everything in one day, (day, offset) of each day, days.
    k       one combination: profile, agent, provider, model, initiator; cells number them from 0
    d       a day, whose cells follow
    c       a cell: combination, `tally.NUMBERS`, first and last time
    s       a session in it: digest, combination, first and last time

A row is worked out: what it is about, number of sessions, their runtime, its combinations, and the numbers of a cell. Rows of everything
are about `total` or about one of `tally.FIELDS` that has one value in all of its combinations; the row of a day is about its date.

Money is attodollars, times are microseconds since 1970 UTC, a day is a local day of the header's zone.
"""

from collections.abc import Iterable, Mapping

from views import calendar
from views.snapshot import VERSION, Base, Header, Snapshot, digest, first_line
from views.tally import FIELDS, add, nothing, widen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from views.tally import Combo, Spans


class Day:
    """One local day: sums and times per combination of (profile, agent, provider, model, initiator), and who was at work when."""

    __slots__ = ("cells", "sessions")

    def __init__(self) -> None:
        self.cells: dict[Combo, list[int]] = {}
        """`NUMBERS`, then the first and last time."""
        self.sessions: dict[tuple[str, Combo], tuple[int, int]] = {}
        """First and last time by (session, combination); a session is named by a digest of agent and session id."""


def days_of(snapshot: Snapshot) -> "dict[int, Day]":
    """Every day of a snapshot. Raises `Stale`."""
    found: dict[int, Day] = {}
    with Base(snapshot.base_path, snapshot.base_name) as base:
        _read(base.combos, base.days(None, None), found)
    _read(snapshot.combos, snapshot.lines, found)
    return found


def open_days_of(snapshot: Snapshot) -> "dict[int, Day]":
    """The days that the base of a snapshot does not hold."""
    found: dict[int, Day] = {}
    _read(snapshot.combos, snapshot.lines, found)
    return found


def base_text(days: "Mapping[int, Day]", end_day: int) -> "tuple[bytes, str]":
    """The base file for all of `days` before `end_day`, and its name."""
    closed = sorted(day for day in days if day < end_day and days[day].cells)
    combos = _numbered(days[day] for day in closed)
    everything = _in_one([days[day] for day in closed])
    blocks: list[bytes] = []
    offsets: list[str] = []
    offset = 0
    for number in closed:
        block = _block(number, days[number], combos)
        offsets += [str(number), str(offset)]
        offset += len(block)
        blocks.append(block)
    rows = [_row("total", everything, combos)] if closed else []
    for place, field in enumerate(FIELDS[:4]):
        values = dict.fromkeys(combo[place] for combo in everything.cells)
        rows += [_row(field, _part(everything, place, value), combos) for value in values]
    sections = [
        _combo_lines(combos),
        "".join(rows).encode(),
        "".join(_row(calendar.iso_day(number), days[number], combos) for number in closed).encode(),
        _block(0, everything, combos),
        "\t".join(offsets).encode(),
        b"".join(blocks),
    ]
    rest = ("\t".join(str(len(section)) for section in sections) + "\n").encode() + b"".join(sections)
    name = digest(rest)
    return f"ringlet base {VERSION} {name}\n".encode() + rest, name


def _in_one(days: "Iterable[Day]") -> Day:
    """All days as if they were one."""
    whole = Day()
    for day in days:
        for combo, numbers in day.cells.items():
            add(whole.cells.setdefault(combo, nothing()), numbers)
        for key, span in day.sessions.items():
            widen(whole.sessions, key, span)
    return whole


def _part(day: Day, place: int, value: "str | None") -> Day:
    """What a day holds of the combinations with this value in one field."""
    part = Day()
    part.cells = {combo: numbers for combo, numbers in day.cells.items() if combo[place] == value}
    part.sessions = {(session, combo): span for (session, combo), span in day.sessions.items() if combo[place] == value}
    return part


def _row(about: str, day: Day, combos: "Mapping[Combo, int]") -> str:
    """The row of a day."""
    whole: list[int] = nothing()
    for numbers in day.cells.values():
        add(whole, numbers)
    present: Spans = {}
    for (session, _), span in day.sessions.items():
        widen(present, session, span)
    runtime = sum(last - first for first, last in present.values())
    members = ",".join(str(combos[combo]) for combo in day.cells)
    return "\t".join(map(str, (about, len(present), runtime, members, *whole))) + "\n"


def today_text(header: Header, base_name: str, end_day: int, days: "Mapping[int, Day]") -> bytes:
    """The small file: the header and those of `days` from `end_day` on; it goes with the base of that name, which holds those before."""
    lines = [
        f"base\t{base_name}\t{end_day}",
        f"position\t{header.position[0]}\t{header.position[1]}",
        f"as_of\t{header.as_of_us}",
        f"zone\t{_escaped(header.tz)}\t{header.week_start}",
        f"cost\t{header.cost_mode}\t{header.cost_policy}",
        "\t".join(["midnights", str(header.first_day), *map(str, header.midnights)]),
        f"folders\t{header.folders}",
        "\t".join(["profiles", *map(_escaped, header.profiles)]),
        f"proof\t{header.proof}",
    ]
    lines += [f"env\t{_escaped(name)}\t{_escaped(value)}" for name, value in header.env.items()]
    lines += [f"stamp\t{_escaped(path)}\t{value}" for path, value in header.stamps.items()]
    lines += [
        f"budget\t{_escaped(name)}\t{period}\t{amount}" for name, limits in header.budgets.items() for period, amount in limits.items()
    ]
    for root, folders, names, journalled in header.places:
        parts = "".join("\t" + _escaped(part) for part in (*folders, *names))
        lines.append(f"place\t{_escaped(root)}\t{int(journalled)}\t{len(folders)}{parts}")
    open_days = sorted(day for day in days if day >= end_day and days[day].cells)
    combos = _numbered(days[day] for day in open_days)
    blocks = [_block(day, days[day], combos) for day in open_days]
    head = ("\n".join(lines) + "\n\n").encode("utf-8", "surrogatepass")
    rest = head + _combo_lines(combos) + b"".join(blocks)
    return first_line(rest) + b"\n" + rest


def _read(combos: "list[Combo]", lines: "Iterable[str]", found: "dict[int, Day]") -> None:
    day = Day()
    for line in lines:
        kind, _, rest = line.partition("\t")
        if kind == "d":
            day = found.setdefault(int(rest), Day())
        elif kind == "c":
            number, *values = rest.split("\t")
            day.cells[combos[int(number)]] = list(map(int, values))
        elif kind == "s":
            session, number, first, last = rest.split("\t")
            day.sessions[session, combos[int(number)]] = int(first), int(last)


def _numbered(days: "Iterable[Day]") -> "dict[Combo, int]":
    combos: dict[Combo, int] = {}
    for day in days:
        for combo in day.cells:
            combos.setdefault(combo, len(combos))
    return combos


def _block(number: int, day: Day, combos: "Mapping[Combo, int]") -> bytes:
    lines = [f"d\t{number}\n"]
    lines += ["\t".join(["c", str(combos[combo]), *map(str, numbers)]) + "\n" for combo, numbers in day.cells.items()]
    lines += [f"s\t{session}\t{combos[combo]}\t{first}\t{last}\n" for (session, combo), (first, last) in day.sessions.items()]
    return "".join(lines).encode("utf-8", "surrogatepass")


def _combo_lines(combos: "Iterable[Combo]") -> bytes:
    return "".join("\t".join(["k", *map(_escaped, combo)]) + "\n" for combo in combos).encode("utf-8", "surrogatepass")


def _escaped(text: "str | None") -> str:
    """A name as one field; the empty field is None."""
    if text is None:
        return ""
    return text.replace("%", "%25").replace("\t", "%09").replace("\n", "%0A").replace("\r", "%0D") or "%00"

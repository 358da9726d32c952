"""The snapshot: two small text files from which the common questions are answered without any library.

Decides which questions they answer and how a reader trusts them. `snapshot.base` holds the closed days, `snapshot.today` the days after
them and what proves both fresh; their format is in `views.snapshot_text`, what the numbers are is counted by `views.recount`. Whether a
snapshot is fresh is decided by whoever asks, from its header.

A torn or foreign file is simply no snapshot. This module imports nothing that the bare interpreter has not loaded;
`tests/cli/test_hot_imports.py` holds that.
"""

from os import fstat, stat

from views import calendar
from views.query import Answer, Query, Row, Totals, arrange
from views.tally import FIELDS, Closed, Sums, day_row, row_of, sum_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from views.tally import Combo

    Walk = tuple[str, tuple[str, ...], tuple[str, ...], bool]

VERSION = "5"
TODAY = "snapshot.today"
BASE = "snapshot.base"

_COMBOS, _ROWS, _DAY_ROWS, _EVERYTHING, _INDEX, _DAYS = range(6)
"""The sections of the base."""
_SECTIONS = 6
_ANSWERED = ("profile", "model", "provider", "agent", "day", "week", "month")


class Header:
    """What a snapshot was made from, and what proves that it still holds."""

    __slots__ = (
        "as_of_us",
        "budgets",
        "cost_mode",
        "cost_policy",
        "env",
        "first_day",
        "folders",
        "midnights",
        "places",
        "position",
        "profiles",
        "proof",
        "stamps",
        "tz",
        "week_start",
    )

    def __init__(
        self,
        *,
        position: "tuple[str, int]",
        as_of_us: int,
        tz: str,
        week_start: int,
        cost_mode: str,
        cost_policy: str,
        first_day: int,
        midnights: "Sequence[int]",
        env: "Mapping[str, str | None]",
        stamps: "Mapping[str, str]",
        folders: str,
        places: "Sequence[Walk]",
        proof: str,
        profiles: "Sequence[str]",
        budgets: "Mapping[str, Mapping[str, int]]",
    ) -> None:
        self.position = position
        """Epoch and sequence number of the log."""
        self.as_of_us = as_of_us
        self.tz = tz
        self.week_start = week_start
        self.cost_mode = cost_mode
        self.cost_policy = cost_policy
        """Which calls have a cost, as the settings say."""
        self.first_day = first_day
        """The day that `midnights` begins with: the local day on which the snapshot was made."""
        self.midnights = midnights
        """When that day and the coming ones begin; past the last one nobody knows the local day without a zone database."""
        self.env = env
        """Environment variables that decided where logs lie and which zone holds; None = not set."""
        self.stamps = stamps
        """`stamp` of every file and folder that decided prices, profiles, settings and the zone."""
        self.folders = folders
        """`pipeline.log_folders.mark` of the log: while it holds, no other machine's segments have come."""
        self.places = places
        """Where to look for log files, as `ingest.sweep` takes it."""
        self.proof = proof
        """`proof_of` the look at all log files that came before they were read; empty = must be read again."""
        self.profiles = profiles
        """The profiles that there are, with calls or without."""
        self.budgets = budgets
        """Attodollars by profile and period (`day`, `week`, `month`), as the settings say: a short question reads no settings."""


class Snapshot:
    """The two files, read as far as a question needs."""

    __slots__ = ("base_name", "base_path", "combos", "end_day", "header", "lines")

    def __init__(self, header: Header, base_path: str, base_name: str, end_day: int, combos: "list[Combo]", lines: "list[str]") -> None:
        self.header = header
        self.base_path = base_path
        self.base_name = base_name
        """The digest that the base must bear to belong here."""
        self.end_day = end_day
        """The first day that the base does not hold."""
        self.combos = combos
        self.lines = lines
        """The cells of the days that the base does not hold; they number `combos`."""

    def today(self, now_us: int) -> "int | None":
        """The local day of an instant; None where this snapshot does not know."""
        return calendar.day_under(self.header.midnights, self.header.first_day, now_us)

    @property
    def last_day(self) -> "int | None":
        """The last day outside the base on which there is a call; None where there is none."""
        return max((int(line[2:]) for line in self.lines if line[:1] == "d"), default=None)

    def names(self, field: str) -> "list[str]":
        """The names of a field (`profile`, `agent`, `provider`, `model`) that occur in any call, a to z. Raises `Stale`."""
        place = FIELDS.index(field)
        with Base(self.base_path, self.base_name) as base:
            return sorted({name for combo in (*base.combos, *self.combos) if (name := combo[place]) is not None})

    def check_base(self) -> None:
        """Raises `Stale` where the base is missing, cut or another one."""
        with Base(self.base_path, self.base_name):
            pass

    def answers(self, query: Query) -> bool:
        """Whether the snapshot holds enough to answer a question."""
        return (
            query.by in _ANSWERED
            and query.since_us is None
            and query.project is None
            and query.session is None
            and query.initiator is None
            and query.source is None
            and query.split is None
            and query.tz == self.header.tz
            and query.cost_mode == self.header.cost_mode
        )

    def answer(self, query: Query) -> Answer:
        """The answer to a question that `answers` holds for. Raises `Stale`."""
        if query.first_day is None and query.last_day is None and not query.filters() and query.by not in ("week", "month"):
            return self._all_time(query)
        sums = Sums(query)
        totals = Totals()
        last_day = None
        if query.first_day is not None and query.first_day >= self.end_day:
            sums.take(self.combos, self.lines)
            sum_up(totals, sums.groups())
        if not totals.requests:
            sums, last_day = self._with_base(query, totals)

        def profiles() -> list[Row]:
            rows = [row_of(name, groups) for name, groups in sums.by(FIELDS.index("profile")).items()]
            return arrange(query.grouped("profile"), rows)

        return Answer(
            query,
            totals,
            arrange(query, sums.rows()),
            profiles,
            last_day=last_day,
            unpriced_models=sums.unpriced_models,
            as_of_us=self.header.as_of_us,
        )

    def totals(self, queries: "Sequence[Query]") -> "list[Totals]":
        """The sums for questions that `answers` holds for, without sessions and runtime: all that limits need. Raises `Stale`."""
        sums = [Sums(query, present=False) for query in queries]
        earlier = [query for query in queries if query.first_day is None or query.first_day < self.end_day]
        if earlier:
            with Base(self.base_path, self.base_name) as base:
                for query, found in zip(queries, sums, strict=True):
                    if query in earlier:
                        whole = query.first_day is None and query.last_day is None
                        found.take(base.combos, base.everything() if whole else base.days(query.first_day, query.last_day))
        totals = [Totals() for _ in queries]
        for into, found in zip(totals, sums, strict=True):
            found.take(self.combos, self.lines)
            sum_up(into, found.groups())
        return totals

    def _with_base(self, query: Query, totals: Totals) -> "tuple[Sums, int | None]":
        """The sums over both files, which `totals` are filled with; the last day with anything if they hold nothing."""
        with Base(self.base_path, self.base_name) as base:
            sums = Sums(query)
            whole = query.first_day is None and query.last_day is None
            if whole and query.by not in ("day", "week", "month"):
                sums.take(base.combos, base.everything())
            else:
                sums.take(base.combos, base.days(query.first_day, query.last_day))
            sums.take(self.combos, self.lines)
            sum_up(totals, sums.groups())
            if totals.requests:
                return sums, None
            if not query.filters():
                return sums, base.last_day if self.last_day is None else self.last_day
            anywhere = Sums(query, anywhere=True)
            anywhere.take(base.combos, base.days(None, None))
            anywhere.take(self.combos, self.lines)
            return sums, anywhere.last_day

    def _all_time(self, query: Query) -> Answer:
        """The answer over everything, from the rows of the closed days and the cells of those after them."""
        with Base(self.base_path, self.base_name) as base:
            sums = Sums(query)
            sums.take(self.combos, self.lines)
            closed = Closed(base.rows(), base.combos)
            sessions = sums.sessions()
            if sessions:
                closed.look_up(sessions, base.everything())
            totals = Totals()
            closed.sum_up(totals, sums.groups())
            rows = [*base.day_rows(), *sums.rows()] if query.by == "day" else closed.grown(sums, query.by)
            last_day = None
            if not totals.requests:
                last_day = base.last_day if self.last_day is None else self.last_day
        return Answer(
            query,
            totals,
            arrange(query, rows),
            lambda: arrange(query.grouped("profile"), closed.grown(sums, "profile")),
            last_day=last_day,
            unpriced_models=sorted({*sums.unpriced_models, *closed.unpriced_models}) if totals.unpriced_requests else (),
            as_of_us=self.header.as_of_us,
        )


class Stale(Exception):
    """The base and the small file were not written together; making them anew mends it."""


def load(views: str) -> "Snapshot | None":
    """The snapshot in the folder `views`; None where there is none that this version understands."""
    try:
        with open(views + "/" + TODAY, "rb") as file:
            return parsed(file.read(), views)
    except OSError:
        return None


def parsed(text: bytes, views: str) -> "Snapshot | None":
    """The snapshot whose small file reads so and whose base lies in the folder `views`; None for anything else."""
    first, _, rest = text.partition(b"\n")
    if first != first_line(rest):
        return None
    head, _, body = rest.decode("utf-8", "surrogatepass").partition("\n\n")
    values: dict[str, list[str]] = {}
    env: dict[str, str | None] = {}
    stamps: dict[str, str] = {}
    places: list[Walk] = []
    budgets: dict[str, dict[str, int]] = {}
    for line in head.split("\n"):
        name, *fields = line.split("\t")
        if name == "env":
            env[text_of(fields[0])] = name_of(fields[1])
        elif name == "stamp":
            stamps[text_of(fields[0])] = fields[1]
        elif name == "budget":
            budgets.setdefault(text_of(fields[0]), {})[fields[1]] = int(fields[2])
        elif name == "place":
            cut = int(fields[2])
            parts = [text_of(field) for field in fields[3:]]
            places.append((text_of(fields[0]), tuple(parts[:cut]), tuple(parts[cut:]), fields[1] == "1"))
        else:
            values[name] = fields
    header = Header(
        position=(values["position"][0], int(values["position"][1])),
        as_of_us=int(values["as_of"][0]),
        tz=text_of(values["zone"][0]),
        week_start=int(values["zone"][1]),
        cost_mode=values["cost"][0],
        cost_policy=values["cost"][1],
        first_day=int(values["midnights"][0]),
        midnights=[int(at) for at in values["midnights"][1:]],
        env=env,
        stamps=stamps,
        folders=values["folders"][0],
        places=places,
        proof=values["proof"][0],
        profiles=[text_of(field) for field in values["profiles"]],
        budgets=budgets,
    )
    combos, lines = split(body)
    return Snapshot(header, views + "/" + BASE, values["base"][0], int(values["base"][1]), combos, lines)


def stamp(path: str) -> str:
    """What tells whether a file or folder is still the one it was: inode, size and time, or `-` where there is nothing."""
    try:
        status = stat(path)
    except (OSError, ValueError):
        return "-"
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def proof_of(looks: "Sequence[tuple[str, int, int, int]]") -> str:
    """A digest of a look at all log files, as `ingest.sweep.sweep` gives it, whatever its order."""
    return digest(repr(sorted(looks)).encode("utf-8", "surrogatepass"))


class Base:
    """The base file, open; a missing one is an empty one if the small file says so."""

    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._name = name
        self.combos: list[Combo] = []

    def __enter__(self) -> "Base":
        try:
            self._file = open(self._path, "rb")
        except OSError:
            raise Stale from None
        try:
            if self._file.readline() != f"ringlet base {VERSION} {self._name}\n".encode():
                raise Stale
            self._sizes = [int(size) for size in self._file.readline().split()]
            # The name covers every byte, but hashing them all would take longer than the answer: a cut file has another size.
            self._start = self._file.tell()
            if len(self._sizes) != _SECTIONS or fstat(self._file.fileno()).st_size != self._start + sum(self._sizes):
                raise Stale
        except (Stale, ValueError):
            self._file.close()
            raise Stale from None
        self.combos = split(self._section(_COMBOS))[0]
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _section(self, number: int, start: int = 0, end: "int | None" = None) -> str:
        """A section, or its bytes from `start` to `end`."""
        self._file.seek(self._start + sum(self._sizes[:number]) + start)
        return self._file.read(max((self._sizes[number] if end is None else end) - start, 0)).decode("utf-8", "surrogatepass")

    def _index(self) -> "list[tuple[int, int]]":
        offsets = [int(number) for number in self._section(_INDEX).split()]
        return list(zip(offsets[::2], offsets[1::2], strict=True))

    @property
    def last_day(self) -> "int | None":
        """The last day that the file holds; None where it holds none."""
        index = self._index()
        return index[-1][0] if index else None

    def rows(self) -> "list[str]":
        """The rows of everything, as `tally.Closed` reads them."""
        return self._section(_ROWS).split("\n")[:-1]

    def day_rows(self) -> "list[Row]":
        """One unfiltered row for each closed day."""
        return [day_row(line, self.combos) for line in self._section(_DAY_ROWS).split("\n")[:-1]]

    def everything(self) -> "list[str]":
        """Lines of all closed days in one."""
        return self._section(_EVERYTHING).split("\n")

    def days(self, first_day: "int | None", last_day: "int | None") -> "list[str]":
        """Lines of the closed days from `first_day` to `last_day`."""
        index = self._index()
        start = next((offset for day, offset in index if first_day is None or day >= first_day), None)
        if start is None:
            return []
        end = None if last_day is None else next((offset for day, offset in index if day > last_day), None)
        return self._section(_DAYS, start, end).split("\n")


def split(body: str) -> "tuple[list[Combo], list[str]]":
    """The combinations at the beginning of a body, and the lines after them."""
    combos: list[Combo] = []
    lines = body.split("\n")
    for at, line in enumerate(lines):
        if line[:2] != "k\t":
            return combos, lines[at:]
        profile, agent, provider, model, initiator = line[2:].split("\t")
        combos.append((text_of(profile), text_of(agent), name_of(provider), name_of(model), text_of(initiator)))
    return combos, []


def name_of(field: str) -> "str | None":
    """The name that a field holds; None where it is empty, which no name is."""
    return text_of(field) if field else None


def text_of(field: str) -> str:
    """The text that a field holds: tabs, ends of lines and percent signs stand escaped in it."""
    if "%" not in field:
        return field
    return field.replace("%00", "").replace("%0D", "\r").replace("%0A", "\n").replace("%09", "\t").replace("%25", "%")


def digest(text: bytes) -> str:
    """128 bits over a text, in hexadecimal."""
    try:
        from _blake2 import blake2b  # hashlib takes 1 ms to load
    except ImportError:
        from hashlib import blake2b
    return blake2b(text, digest_size=16).hexdigest()


def first_line(rest: bytes) -> bytes:
    """The first line of a small file whose other lines are `rest`."""
    return f"ringlet snapshot {VERSION} {digest(rest)}".encode()

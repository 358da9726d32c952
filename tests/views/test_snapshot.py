"""The snapshot's two files: what is written comes back, whatever the names, and nothing else is believed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from views import calendar
from views.query import Query, Totals
from views.snapshot import BASE, TODAY, Header, Snapshot, Stale, load, proof_of, stamp
from views.snapshot_text import Day, base_text, days_of, today_text
from views.tally import NUMBERS, add, nothing

END = calendar.day_of(2026, 5, 13)
NAMES = st.text(st.characters(codec=None), max_size=8)
COMBOS = st.tuples(NAMES.filter(bool), st.just("claude"), st.none() | NAMES, st.none() | NAMES, st.sampled_from(["main", "subagent"]))
CELLS = st.dictionaries(
    COMBOS, st.tuples(st.integers(1, 9), *(st.integers(-3, 10**24) for _ in NUMBERS[1:]), st.integers(0, 9), st.integers(9, 99))
)


def day(cells: Mapping[Any, tuple[int, ...]], session: str = "s") -> Day:
    made = Day()
    for combo, numbers in cells.items():
        made.cells[combo] = list(numbers)
        made.sessions[session, combo] = numbers[-2], numbers[-1]
    return made


def header(**changed: object) -> Header:
    fields: dict[str, object] = {
        "position": ("e1", 7),
        "as_of_us": 5,
        "tz": "Europe/Berlin",
        "week_start": 6,
        "cost_mode": "auto",
        "cost_policy": "metered",
        "first_day": END,
        "midnights": [10, 20, 30],
        "env": {"HOME": "/h\tx\n%", "CODEX_HOME": None, "EMPTY": ""},
        "stamps": {"/config": "1:2:3", "/none\udcff": "-"},
        "folders": "f",
        "places": [("/h", ("projects", "**"), ("*.jsonl", "x"), False), ("/db", (), ("*.db",), True)],
        "proof": "p",
        "profiles": ["default", "work\t%"],
        "budgets": {"work\t%": {"day": 10**19, "month": 0}},
    }
    return Header(**{**fields, **changed})  # type: ignore[arg-type]


def write(folder: Path, days: dict[int, Day], made: Header | None = None) -> Snapshot:
    text, name = base_text(days, END)
    (folder / BASE).write_bytes(text)
    (folder / TODAY).write_bytes(today_text(made or header(), name, END, days))
    snapshot = load(str(folder))
    assert snapshot is not None
    return snapshot


@settings(deadline=None)
@given(days=st.dictionaries(st.integers(END - 3, END + 1), CELLS.filter(bool)))
def test_days_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, days: dict[int, dict[Any, tuple[int, ...]]]) -> None:
    """Whatever names and numbers a day holds, closed or open: reading gives what was written."""
    made = {number: day(cells) for number, cells in days.items()}
    found = days_of(write(tmp_path_factory.mktemp("views"), made))

    assert {number: (each.cells, each.sessions) for number, each in found.items()} == {
        number: (each.cells, each.sessions) for number, each in made.items()
    }


def test_header_comes_back_as_it_was(tmp_path: Path) -> None:
    """Paths and variables with tabs, newlines, percent signs, undecodable bytes, empty and missing values all survive."""
    found = write(tmp_path, {}).header

    assert {name: getattr(found, name) for name in Header.__slots__} == {name: getattr(header(), name) for name in Header.__slots__}


def test_every_changed_byte_of_the_small_file_is_noticed(tmp_path: Path) -> None:
    """A file in which any one byte differs, or that ends early, is no snapshot."""
    write(tmp_path, {END: day({("p", "claude", None, None, "main"): (1,) * 17})})
    path = tmp_path / TODAY
    text = path.read_bytes()
    for at in range(0, len(text), 7):
        path.write_bytes(text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :])
        assert load(str(tmp_path)) is None
        path.write_bytes(text[:at])
        assert load(str(tmp_path)) is None


def test_files_of_two_snapshots_do_not_mix(tmp_path: Path) -> None:
    """The small file names its base; with another, a cut or no base at all it is stale."""
    cells = {("p", "claude", None, "m", "main"): (1,) * 17}
    write(tmp_path, {END - 1: day(cells)})
    other = (tmp_path / BASE).read_bytes()
    snapshot = write(tmp_path, {END - 2: day(cells)})
    query = Query(now_us=0, today=END, tz="Europe/Berlin")
    good = (tmp_path / BASE).read_bytes()
    assert snapshot.answer(query).totals.requests == 1

    for damaged in (other, good[:-1], b""):
        (tmp_path / BASE).write_bytes(damaged)
        with pytest.raises(Stale):
            snapshot.answer(query)
    (tmp_path / BASE).unlink()
    with pytest.raises(Stale):
        snapshot.answer(query)


def test_a_session_over_several_days_and_files_counts_once(tmp_path: Path) -> None:
    """One session at work on two closed days and today is one session, from its first call to its last."""
    combo = ("p", "claude", "anthropic", "m", "main")
    spans = {END - 2: (100, 200), END - 1: (300, 400), END: (500, 650)}
    days = {number: day({combo: (1, *(0 for _ in NUMBERS[1:]), first, last)}) for number, (first, last) in spans.items()}
    snapshot = write(tmp_path, days)

    def asked(first: int | None, last: int | None) -> tuple[int, int]:
        totals = snapshot.answer(Query(now_us=0, today=END, tz="Europe/Berlin", first_day=first, last_day=last)).totals
        return totals.sessions, totals.runtime_us

    assert asked(None, None) == (1, 550)
    assert asked(END - 1, END) == (1, 350)
    assert asked(END, END) == (1, 150)
    assert asked(END - 2, END - 1) == (1, 300)


SHARED = st.tuples(st.sampled_from("pq"), st.sampled_from(["claude", "codex"]), st.none() | st.just("x"), st.none() | st.just("m"))
WORK = st.dictionaries(
    st.tuples(st.sampled_from("abc"), SHARED),
    st.tuples(*(st.integers(0, 9) for _ in NUMBERS), st.integers(0, 50), st.integers(50, 99)),
    min_size=1,
)


@settings(max_examples=times(80), deadline=None)
@given(
    work=st.dictionaries(st.integers(END - 3, END + 1), WORK, min_size=1),
    by=st.sampled_from(["profile", "agent", "provider", "model", "day"]),
)
def test_what_is_worked_out_is_what_the_days_say(tmp_path_factory: pytest.TempPathFactory, work: dict[int, Any], by: str) -> None:
    """All time, told from rows worked out beforehand, is the range that holds every day, told from the cells."""
    days: dict[int, Day] = {}
    for number, cells in work.items():
        made = days.setdefault(number, Day())
        for (session, combo), numbers in cells.items():
            first, last = number * 100 + numbers[-2], number * 100 + numbers[-1]
            add(made.cells.setdefault((*combo, "main"), nothing()), [1, *numbers[1:-2], first, last])
            made.sessions[session, (*combo, "main")] = first, last
    snapshot = write(tmp_path_factory.mktemp("views"), days)

    def told(**bounds: int) -> tuple[Any, ...]:
        answer = snapshot.answer(Query(now_us=0, today=END, tz="Europe/Berlin", by=by, **bounds))  # type: ignore[arg-type]
        rows = [facts(row) for row in answer.rows if row.requests]
        return facts(answer.totals), rows, [facts(row) for row in answer.profiles], list(answer.unpriced_models)

    assert told() == told(first_day=END - 3, last_day=END + 1)


@settings(max_examples=times(80), deadline=None)
@given(
    work=st.dictionaries(st.integers(END - 3, END + 1), WORK, min_size=1),
    ranges=st.lists(st.tuples(st.none() | st.integers(END - 4, END + 2), st.none() | st.integers(END - 4, END + 2)), max_size=3),
    profile=st.sampled_from([None, "p", "nobody"]),
)
def test_sums_alone_are_those_of_the_answers(
    tmp_path_factory: pytest.TempPathFactory, work: dict[int, Any], ranges: list[tuple[int | None, int | None]], profile: str | None
) -> None:
    """What limits are compared with is what the answers to the same questions say, whatever their ranges."""
    days: dict[int, Day] = {}
    for number, cells in work.items():
        made = days.setdefault(number, Day())
        for (session, combo), numbers in cells.items():
            first, last = number * 100 + numbers[-2], number * 100 + numbers[-1]
            add(made.cells.setdefault((*combo, "main"), nothing()), [1, *numbers[1:-2], first, last])
            made.sessions[session, (*combo, "main")] = first, last
    snapshot = write(tmp_path_factory.mktemp("views"), days)
    queries = [
        Query(now_us=0, today=END, tz="Europe/Berlin", first_day=first, last_day=last, profile=profile)
        for first, last in ranges
        if first is None or last is None or first <= last
    ]

    def sums(totals: Totals) -> dict[str, Any]:
        return {name: value for name, value in facts(totals).items() if name not in ("sessions", "runtime_us")}

    assert [sums(totals) for totals in snapshot.totals(queries)] == [sums(snapshot.answer(query).totals) for query in queries]


def facts(totals: Totals) -> dict[str, Any]:
    names = [name for kind in type(totals).__mro__ for name in getattr(kind, "__slots__", ()) if name[0] != "_"]
    return {name: getattr(totals, name) for name in names}


def test_the_snapshot_knows_which_questions_it_cannot_answer(tmp_path: Path) -> None:
    """Projects, sessions, hours, the rolling day, another zone and another cost mode need more than it holds."""
    snapshot = write(tmp_path, {})

    def answers(**options: object) -> bool:
        return snapshot.answers(Query(**{"now_us": 0, "today": END, "tz": "Europe/Berlin", **options}))  # type: ignore[arg-type]

    assert answers(by="week", model="m*", profile="p")
    assert not any(
        (
            answers(by="project"),
            answers(by="session"),
            answers(by="hour"),
            answers(project="x"),
            answers(session="x"),
            answers(since_us=1),
            answers(tz="UTC"),
            answers(cost_mode="logged"),
        )
    )


def test_the_local_day_is_known_until_the_last_midnight(tmp_path: Path) -> None:
    """Inside the known midnights an instant has a day; before and after them nobody knows."""
    snapshot = write(tmp_path, {})

    assert [snapshot.today(at) for at in (9, 10, 19, 20, 29, 30)] == [None, END, END, END + 1, END + 1, None]


def test_proof_depends_on_every_fact_and_on_no_order() -> None:
    """Another path, inode, size or time gives another proof; another order of the same files does not."""
    look = [("/a", 1, 2, 3), ("/b", 4, 5, 6)]
    others = [("/a", 1, 2, 4), ("/a", 1, 9, 3), ("/a", 8, 2, 3), ("/c", 1, 2, 3)]

    assert proof_of(look) == proof_of(look[::-1])
    assert len({proof_of(look), *(proof_of([other, look[1]]) for other in others), proof_of(look[:1])}) == 6


def test_stamp_tells_a_file_from_another(tmp_path: Path) -> None:
    """A missing file, a file, the same name with other content: three stamps."""
    path = tmp_path / "x"
    stamps = [stamp(str(path))]
    for text in ("a", "bc"):
        path.write_text(text)
        stamps.append(stamp(str(path)))

    assert stamps[0] == "-"
    assert len(set(stamps)) == 3

"""Rows of another program's SQLite database: which are read, how they are written down, and what happens when they can't be read."""

import json
import os
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline import foreign, rows
from pipeline.rows import Join, Mark, RowQuery, RowsUnavailable, read_rows

QUERY = RowQuery(table="message", columns=("id", "session_id", "time_updated", "data"), overlap=10)


def database(path: Path, *, wal: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    if wal:
        db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_updated INTEGER, data TEXT)")
    return db


def add(db: sqlite3.Connection, id: str, updated: int, data: str = "{}", session: str = "s") -> None:
    db.execute("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?)", (id, session, updated, data))


def read(path: Path, query: RowQuery = QUERY, mark: Mark | None = None, *, now_ms: int | None = None) -> tuple[list[str], Mark | None]:
    """The ids that one look gives, and the mark after it."""
    ids = []
    for reached, record in read_rows(str(path), query, mark, now_ms=now_ms):
        mark = reached
        ids.append(json.loads(record)["row"]["id"])
    return ids, mark


def test_a_record_is_canonical_json_with_its_table(tmp_path: Path) -> None:
    """A record names its table and holds the wanted columns, keys sorted, without spaces."""
    with database(tmp_path / "a.db") as db:
        add(db, "m1", 5, '{"b":1}')

    ((_, record),) = read_rows(str(tmp_path / "a.db"), QUERY)

    assert record == b'{"row":{"data":"{\\"b\\":1}","id":"m1","session_id":"s","time_updated":5},"table":"message"}'


def test_rows_in_the_wal_alone_are_read(tmp_path: Path) -> None:
    """Rows that another program has committed but not yet moved into the main file are seen, while it stays open."""
    db = database(tmp_path / "a.db", wal=True)
    add(db, "m1", 5)
    assert (tmp_path / "a.db-wal").stat().st_size > 0

    ids, _ = read(tmp_path / "a.db")

    assert ids == ["m1"]
    db.close()


def test_a_missing_table_has_no_rows_and_a_missing_column_is_left_out(tmp_path: Path) -> None:
    """An older version of the program lacks tables and columns; that is no failure."""
    db = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    db.execute("CREATE TABLE message (id TEXT PRIMARY KEY, data TEXT)")
    db.execute("INSERT INTO message VALUES ('m1', '{}')")
    db.close()

    ((_, record),) = read_rows(str(tmp_path / "a.db"), QUERY)

    assert json.loads(record)["row"] == {"id": "m1", "data": "{}"}
    assert list(read_rows(str(tmp_path / "a.db"), RowQuery(table="session_v2", columns=("id",)))) == []


def test_a_second_look_reads_what_changed_and_the_overlap(tmp_path: Path) -> None:
    """After a look only rows updated since, or at most `overlap` before its newest row, come again."""
    with database(tmp_path / "a.db") as db:
        add(db, "m1", 100)
        add(db, "m2", 200)
        _, mark = read(tmp_path / "a.db")
        add(db, "m0", 195)
        add(db, "m3", 300)

        ids, mark = read(tmp_path / "a.db", mark=mark)
        again, _ = read(tmp_path / "a.db", mark=mark)

    assert ids == ["m2", "m0", "m3"]
    assert again == ["m3"]


def test_a_row_changed_in_place_comes_again(tmp_path: Path) -> None:
    """A row whose `updated` grew is read again, whatever its id."""
    with database(tmp_path / "a.db") as db:
        add(db, "m1", 100)
        add(db, "m2", 200)
        _, mark = read(tmp_path / "a.db")
        db.execute("UPDATE message SET time_updated = 400, data = '{\"new\":1}' WHERE id = 'm1'")

        ids, _ = read(tmp_path / "a.db", mark=mark)

    assert ids == ["m1", "m2"]


@pytest.mark.parametrize("page", [1, 500])
def test_a_time_to_come_hides_no_row_that_changes_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    """A row that came from a machine whose clock is ahead does not keep the changes of the others from being read."""
    monkeypatch.setattr(rows, "PAGE_ROWS", page)
    with database(tmp_path / "a.db") as db:
        add(db, "m1", 100)
        add(db, "m2", 9_000)
        _, mark = read(tmp_path / "a.db", now_ms=110)
        db.execute("UPDATE message SET time_updated = 120 WHERE id = 'm1'")

        ids, _ = read(tmp_path / "a.db", mark=mark, now_ms=130)

    assert ids == ["m1", "m2"]


def test_after_a_clock_was_set_back_all_is_read_again(tmp_path: Path) -> None:
    """What changed since then is older than what was read before; once the whole was read, looks are short again."""
    with database(tmp_path / "a.db") as db:
        add(db, "m1", 9_000)
        add(db, "m2", 9_100)
        _, mark = read(tmp_path / "a.db", now_ms=9_100)
        db.execute("UPDATE message SET time_updated = 200 WHERE id = 'm1'")
        ids, mark = read(tmp_path / "a.db", mark=mark, now_ms=300)
        add(db, "m3", 310)

        again, _ = read(tmp_path / "a.db", mark=mark, now_ms=320)

    assert (ids, again) == (["m1", "m2"], ["m2", "m3"])


def test_a_row_written_late_with_an_old_time_is_read(tmp_path: Path) -> None:
    """A session that is imported into the database brings old times; its rows are new all the same."""
    with database(tmp_path / "a.db") as db:
        add(db, "m5", 5_000)
        _, mark = read(tmp_path / "a.db")
        add(db, "m1", 10)

        ids, _ = read(tmp_path / "a.db", mark=mark)

    assert ids == ["m5", "m1"]


def test_a_pass_resumes_behind_any_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that was broken off goes on behind the last kept mark and gives every other row once."""
    monkeypatch.setattr(rows, "PAGE_ROWS", 3)
    with database(tmp_path / "a.db") as db:
        for number in range(10):
            add(db, f"m{number}", number * 1_000)
    for kept in range(1, 10):
        reading = read_rows(str(tmp_path / "a.db"), QUERY)
        first = [next(reading) for _ in range(kept)]
        reading.close()

        rest, mark = read(tmp_path / "a.db", mark=rows.load(rows.dump({"message": first[-1][0]}))["message"])

        assert len(first) + len(rest) == 10
        assert read(tmp_path / "a.db", mark=mark)[0] == ["m9"]


def test_what_changes_during_a_pass_belongs_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row updated behind the reader's back while it pages through the table is not lost."""
    monkeypatch.setattr(rows, "PAGE_ROWS", 2)
    db = database(tmp_path / "a.db", wal=True)
    for number in range(6):
        add(db, f"m{number}", 100 + number)
    reading = read_rows(str(tmp_path / "a.db"), QUERY)
    next(reading)
    db.execute("UPDATE message SET time_updated = 9000 WHERE id = 'm0'")
    *_, (mark, _) = reading

    ids, _ = read(tmp_path / "a.db", mark=mark)

    assert "m0" in ids
    db.close()


def test_rows_renumbered_by_vacuum_are_read_anew(tmp_path: Path) -> None:
    """VACUUM gives new numbers to rows: everything is read once more instead of missing the newcomers, in the middle of a pass too."""
    with database(tmp_path / "a.db") as db:
        for number in range(6):
            add(db, f"m{number}", 1_000 + number)
        _, mark = read(tmp_path / "a.db")
        db.execute("DELETE FROM message WHERE id < 'm4'")
        db.execute("VACUUM")
        add(db, "m9", 1)

        ids, _ = read(tmp_path / "a.db", mark=mark)
        assert mark is not None
        within, _ = read(tmp_path / "a.db", mark=replace(mark, position=6))

    assert ids == within == ["m4", "m5", "m9"]


def test_joined_rows_stand_under_their_names(tmp_path: Path) -> None:
    """A join gives the columns of the row it names, through another join too, and null where there is none."""
    with database(tmp_path / "a.db") as db:
        db.execute("CREATE TABLE session (id TEXT PRIMARY KEY, boundary TEXT, title TEXT)")
        db.execute("INSERT INTO session VALUES ('s', 'm1', 'T')")
        add(db, "m1", 7)
        add(db, "m2", 8)
        add(db, "m3", 9, session="gone")
    query = RowQuery(
        table="message",
        columns=("id",),
        joins=(
            Join(name="session", table="session", on="session_id", columns=("title", "boundary", "unknown")),
            Join(name="limit", table="message", on="session.boundary", columns=("time_updated",)),
            Join(name="other", table="absent", on="session_id", columns=("id",)),
        ),
    )

    records = [json.loads(record) for _, record in read_rows(str(tmp_path / "a.db"), query)]

    assert records[1] == {
        "table": "message",
        "row": {"id": "m2"},
        "session": {"id": "s", "title": "T", "boundary": "m1"},
        "limit": {"id": "m1", "time_updated": 7},
        "other": None,
    }
    assert (records[2]["session"], records[2]["limit"]) == (None, None)


def test_only_rows_with_the_wanted_value_are_read(tmp_path: Path) -> None:
    """A condition holds where its column exists and asks nothing where it does not."""
    with database(tmp_path / "a.db") as db:
        add(db, "m1", 1, session="a")
        add(db, "m2", 2, session="b")
        add(db, "m3", 3, session="cc")

    query = RowQuery(table="message", columns=("id",), only=(("session_id", ("b", "c*")), ("type", ("assistant",))))

    assert read(tmp_path / "a.db", query)[0] == ["m2", "m3"]


def test_rows_that_never_change_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that only grows is read by row number: no time has to tell what is new, and all but the last numbers are read once."""
    query = RowQuery(table="message", columns=("id",), updated=None)
    with database(tmp_path / "a.db") as db:
        add(db, "m2", 5)
        _, mark = read(tmp_path / "a.db", query)
        monkeypatch.setattr(rows, "NUMBERS_AGAIN", 0)
        assert read(tmp_path / "a.db", query, mark)[0] == []
        add(db, "m1", 1)

        assert read(tmp_path / "a.db", query, mark)[0] == ["m1"]


def test_broken_text_and_odd_values_do_not_stop_a_pass(tmp_path: Path) -> None:
    """Text that is not UTF-8 gets U+FFFD, numbers and blobs are written as JSON has them."""
    with database(tmp_path / "a.db") as db:
        db.execute("INSERT INTO message VALUES ('m1', CAST(x'61ff' AS TEXT), 1.5, x'00ff')")

    ((_, record),) = read_rows(str(tmp_path / "a.db"), QUERY)

    assert json.loads(record)["row"] == {"id": "m1", "session_id": "a�", "time_updated": 1.5, "data": "AP8="}


def test_a_locked_database_is_read_from_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process holds the file exclusively, a private copy gives its rows; nothing is left behind."""
    monkeypatch.setattr(foreign, "BUSY_S", 0.05)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    db = database(tmp_path / "a.db")
    add(db, "m1", 1)
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")

    ids, mark = read(tmp_path / "a.db")

    assert (ids, mark) == (["m1"], Mark(updated=1, rowid=1, schema=1))
    db.close()
    assert os.listdir(tmp_path) == ["a.db"]


@pytest.mark.parametrize("content", [b"not a database at all, but long enough" * 40, None])
def test_what_can_not_be_read_is_unknown_and_not_nothing(tmp_path: Path, content: bytes | None) -> None:
    """A damaged file and one that vanished raise; they are never taken for an empty database."""
    if content is not None:
        (tmp_path / "a.db").write_bytes(content)

    with pytest.raises(RowsUnavailable):
        list(read_rows(str(tmp_path / "a.db"), QUERY))


def test_any_file_name_is_opened(tmp_path: Path) -> None:
    """Characters that mean something in a URI, and bytes that are no UTF-8, are part of the name."""
    path = os.path.join(os.fsencode(tmp_path), b"a?b#c%20 \xff.db")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE message (id TEXT PRIMARY KEY)")
        db.execute("INSERT INTO message VALUES ('m1')")

    assert read(Path(os.fsdecode(path)))[0] == ["m1"]


def test_reading_changes_nothing(tmp_path: Path) -> None:
    """The main file keeps its bytes and its time."""
    with database(tmp_path / "a.db") as db:
        add(db, "m1", 1)
    before = (tmp_path / "a.db").read_bytes(), (tmp_path / "a.db").stat().st_mtime_ns

    read(tmp_path / "a.db")

    assert ((tmp_path / "a.db").read_bytes(), (tmp_path / "a.db").stat().st_mtime_ns) == before

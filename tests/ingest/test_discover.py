"""Which sources are found, and where one has to look for them."""

from pathlib import Path

from ingest.discover import Found, Look, discover, looked
from ingest.sweep import sweep
from tests.ingest import toy

HOME = "/home/nobody"


def home(tmp_path: Path) -> Path:
    for path in ("logs/x/a.jsonl", "logs/b.jsonl.zst", "docs/s/m.json", "notes.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"1")
    return tmp_path


def test_every_file_of_an_agent_is_found_with_its_kind(tmp_path: Path) -> None:
    """Files that match a pattern are sources of that pattern's kind; others are none."""
    root = str(home(tmp_path))

    look = discover([toy.ADAPTER], {"TOY_HOME": root}, HOME)

    assert {(found.source.path[len(root) :], found.source.kind, found.source.root) for found in look.found} == {
        ("/logs/x/a.jsonl", "lines", root),
        ("/logs/b.jsonl.zst", "lines", root),
        ("/docs/s/m.json", "document", root),
    }


def test_a_home_is_looked_at_once_however_it_is_spelled(tmp_path: Path) -> None:
    """Two names of one folder are one home, so nothing is read twice."""
    root = home(tmp_path / "real")
    (tmp_path / "link").symlink_to(root)

    look = discover([toy.ADAPTER], {"TOY_HOME": str(root)}, HOME, {"toy": [str(tmp_path / "link"), str(root) + "/"]})

    assert len(look.found) == 3


def test_only_a_named_home_is_missed(tmp_path: Path) -> None:
    """That a default home is not there is normal; a home that the user named is reported."""
    assert discover([toy.ADAPTER], {}, str(tmp_path)).missing == []
    named = discover([toy.ADAPTER], {"TOY_HOME": str(tmp_path / "nowhere")}, str(tmp_path))
    assert [missing.path for missing in named.missing] == [str(tmp_path / "nowhere")]


def test_plain_walks_find_the_same_files(tmp_path: Path) -> None:
    """What a light command sweeps is what discovery finds, and it knows which variables that rests on."""
    root = str(home(tmp_path))
    environ = {"TOY_HOME": root, "OTHER": "1"}

    where = looked([toy.ADAPTER], environ, HOME)

    assert {path for path, *_ in sweep(where.walks)} == {found.source.path for found in discover([toy.ADAPTER], environ, HOME).found}
    assert where.environ == (("TOY_HOME", root),)


def test_a_look_just_taken_stands_for_another(tmp_path: Path) -> None:
    """Discovery among the files of a sweep finds what it finds by itself, at any depth of folders and in any home."""
    root = home(tmp_path / "one")
    for path in (
        "a.jsonl",
        "logs.jsonl",
        "logs/c.jsonl",
        "logs/x/y/d.jsonl",
        "docs/m.json",
        "docs/s/t/n.json",
        "docs/x/o.json",
        "logsx/e.jsonl",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"22")
    environ, further = {"TOY_HOME": str(root)}, {"toy": [str(home(tmp_path / "one-more"))]}
    swept = sweep(looked([toy.ADAPTER], environ, HOME, further).walks)

    by_itself = discover([toy.ADAPTER], environ, HOME, further)
    among = discover([toy.ADAPTER], environ, HOME, further, swept)

    def in_order(look: Look) -> list[Found]:
        return sorted(look.found, key=lambda found: found.source.path)

    assert len(by_itself.found) > 6
    assert in_order(among) == in_order(by_itself)
    assert (among.troubles, among.missing, among.looked_at) == (by_itself.troubles, by_itself.missing, by_itself.looked_at)

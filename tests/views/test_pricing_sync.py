"""What a fetched price file adds to the book."""

import json
from pathlib import Path

import pytest

from pipeline.errors import RingletError
from tests.views.pricing_rows import book_file, day
from views.pricing import sync
from views.pricing.book import Book

FLAT = {"input_cost_per_token": 3e-06, "output_cost_per_token": 15e-06}
ROW = FLAT | {"mode": "chat", "litellm_provider": "acme", "max_tokens": 8192}
SHIPPED = book_file({("m-1", "acme"): {"2025-01-06": FLAT}, ("m-2", "acme"): {"2025-01-06": FLAT}})
TODAY = day("2026-11-21")


def listed(**models: object) -> sync.Listed:
    return sync.read(json.dumps({name.replace("_", "-"): row for name, row in models.items()}).encode(), "here")


def test_every_row_is_judged_by_itself() -> None:
    """Good rows are kept, bad ones named with the reason, models that are no language models passed over."""
    rows = {
        "sample_spec": {"mode": "chat", "input_cost_per_token": "text"},
        "good": ROW,
        "per-million": ROW | {"input_cost_per_token": 3},
        "negative": ROW | {"output_cost_per_token": -1e-06},
        "nan": ROW | {"output_cost_per_token": float("nan")},
        "no-object": [],
        "no-price": {"mode": "chat", "litellm_provider": "acme"},
        "tab\tname": ROW,
        "picture": {"mode": "image_generation", "litellm_provider": "acme"},
    }
    found = sync.read(json.dumps(rows).encode(), "here")

    assert found.models.keys() == {"good"}
    assert found.models["good"] == ("acme", {"i": 3 * 10**12, "o": 15 * 10**12})
    assert found.rejected.keys() == {"per-million", "negative", "nan", "no-object", "no-price", "tab\tname"}
    assert found.others == 1


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"m": ', b"\xff\xfe", b'{"m": {"mode": "chat"}}', b"[" * 100_000, b"null"]
)
def test_what_is_no_price_file_is_refused(body: bytes) -> None:
    """Anything but a JSON object with at least one believable price is an error, before anything is stored."""
    with pytest.raises(RingletError):
        sync.read(body, "here")


def test_file_of_more_than_64_mib_is_refused() -> None:
    """A price file has a few megabytes."""
    with pytest.raises(RingletError, match="64 MiB"):
        sync.read(b" " * (64 * 2**20 + 1), "here")


def test_only_new_and_changed_models_get_a_row() -> None:
    """A model as listed before adds nothing; another price is a row from today; the past keeps its price."""
    added = sync.add(SHIPPED, b"", listed(m_1=ROW, m_2=ROW | {"input_cost_per_token": 2e-06}, m_3=ROW), TODAY)
    book = Book(SHIPPED, added.text)

    assert (added.new, added.changed) == (["m-3"], ["m-2"])
    rows = book.find("m-2")[0].rows
    assert [(row.day, row.fields["i"], row.origin) for row in rows] == [
        (day("2025-01-06"), 3 * 10**12, "shipped"),
        (TODAY, 2 * 10**12, "synced"),
    ]


def test_same_file_again_adds_nothing() -> None:
    """Syncing twice is syncing once, on any later day."""
    once = sync.add(SHIPPED, b"", listed(m_2=ROW | {"input_cost_per_token": 2e-06}), TODAY)
    twice = sync.add(SHIPPED, once.text, listed(m_2=ROW | {"input_cost_per_token": 2e-06}), TODAY + 9)

    assert (twice.text, twice.new, twice.changed) == (once.text, [], [])


def test_rows_are_appended_in_turn() -> None:
    """Each change of price is a further row; a model that is listed no more keeps its rows."""
    text = b""
    for days, price in ((0, 2e-06), (7, 1e-06)):
        text = sync.add(SHIPPED, text, listed(m_2=ROW | {"input_cost_per_token": price}), TODAY + days).text
    text = sync.add(SHIPPED, text, listed(m_1=ROW), TODAY + 14).text

    assert [(row.day - TODAY, row.fields["i"]) for row in Book(b"", text).find("m-2")[0].rows] == [(0, 2 * 10**12), (7, 10**12)]


def test_second_change_within_a_day_replaces_the_days_row() -> None:
    """A day has one price."""
    text = sync.add(SHIPPED, b"", listed(m_2=ROW | {"input_cost_per_token": 2e-06}), TODAY).text
    text = sync.add(SHIPPED, text, listed(m_2=ROW | {"input_cost_per_token": 1e-06}), TODAY).text

    assert [row.fields["i"] for row in Book(b"", text).find("m-2")[0].rows] == [10**12]


def test_newer_shipped_rows_come_before_a_comparison_with_older_synced_ones() -> None:
    """After an upgrade the shipped history may be newer than what was synced: then it is what a listing is compared with."""
    synced = book_file({("m-1", "acme"): {"2024-12-30": FLAT | {"input_cost_per_token": 9e-06}}})

    assert sync.add(SHIPPED, synced, listed(m_1=ROW), TODAY).changed == []


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    """The file, its rows and the record of the sync lie in the prices folder, for nobody else to read."""
    prices = str(tmp_path / "data" / "prices")
    added = sync.add(SHIPPED, b"", listed(m_3=ROW), TODAY)
    record = sync.Record(source="http://x", at="2026-11-21T00:00:00Z", etag='"1"', models=1, rejected={"bad": "why"})
    sync.keep(prices, b"{}", added, record)

    assert sync.load(prices) == (added.text, record)
    assert sync.latest(prices) == b"{}"
    assert sorted(path.name for path in Path(prices).iterdir()) == ["litellm-pricing.json", "sync.json", "synced.tsv"]
    assert {path.stat().st_mode & 0o777 for path in Path(prices).iterdir()} == {0o600}


@pytest.mark.parametrize("damage", [b"m-3\t\tacme\t12x:i=", b"\xff\xfe\x00", b"m-3\t\tacme\n", b"# models: 9\n"])
def test_damaged_synced_file_is_named_and_prices_as_if_it_were_not_there(tmp_path: Path, damage: bytes) -> None:
    """Damage costs the rows of the damaged lines, never the answer; doctor can say so."""
    (tmp_path / "synced.tsv").write_bytes(damage)

    assert sync.trouble(str(tmp_path)) is not None
    assert Book(SHIPPED, damage).find("m-3") == []
    assert len(Book(SHIPPED, damage).find("m-1")) == 1
    assert Book(SHIPPED, damage).steps() == ()
    assert sync.add(SHIPPED, damage, listed(m_3=ROW), TODAY).new == ["m-3"]


def test_a_synced_file_cut_anywhere_gives_no_other_price(tmp_path: Path) -> None:
    """An amount of which digits are gone is none: a model is priced as it was synced or not by that file, and doctor can say so."""
    whole = sync.add(SHIPPED, b"", listed(m_3=ROW), TODAY).text
    (wanted,) = Book(SHIPPED, whole).find("m-3")
    for length in range(1, len(whole)):
        (tmp_path / "synced.tsv").write_bytes(whole[:length])

        assert sync.trouble(str(tmp_path)) is not None
        assert [each.rows[0].fields for each in Book(SHIPPED, whole[:length]).find("m-3")] in ([], [wanted.rows[0].fields])


def test_whole_synced_file_has_no_trouble(tmp_path: Path) -> None:
    """Neither has one that was never made."""
    assert sync.trouble(str(tmp_path)) is None
    (tmp_path / "synced.tsv").write_bytes(sync.add(SHIPPED, b"", listed(m_3=ROW), TODAY).text)
    assert sync.trouble(str(tmp_path)) is None


def test_difference_names_the_months_that_cost_another_amount() -> None:
    """Per month before and after, only where they differ; a month without any priced call counts as 0."""
    before = {"2026-01": 5, "2026-02": 7}
    after = {"2026-02": 7, "2026-01": 6, "2025-12": 1}

    assert sync.difference(before, after) == [("2025-12", 0, 1), ("2026-01", 5, 6)]

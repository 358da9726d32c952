"""What a foreign number, time, text or amount is worth, and how a damaged record is read."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.decode import BadRecord, Count, believable, count, instant, objects, reported_count, text, usd
from pipeline.events import MAX_TOKENS

HALF_PAST = datetime(2026, 9, 1, 0, 30, tzinfo=UTC)
HALF_PAST_S = 1_788_222_600


def judged(judge: Callable[[Any], Any], value: object) -> Any:
    """What `judge` makes of `value`, or the reason why it does not believe it."""
    try:
        return judge(value)
    except BadRecord as bad:
        return bad.reason


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (7, 7),
        (2**40, 1_099_511_627_776),
        (5.0, 5),
        (-0.0, 0),
        (Decimal("5.00"), 5),
        (Decimal("1E+3"), 1000),
        (None, 0),
        (msgspec.UNSET, 0),
    ],
)
def test_a_counter_is_a_whole_number_however_it_is_written(value: object, number: int) -> None:
    """5.0 is 5, and what is not written is 0."""
    assert count(value) == number


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (-1, "negative"),
        (-0.5, "negative"),
        (Decimal("-1E+400"), "negative"),
        (2**40 + 1, "out_of_range"),
        (2**53, "out_of_range"),
        (2**63, "out_of_range"),
        (10**400, "out_of_range"),
        (Decimal("1E+400"), "out_of_range"),
        (float(2**41), "out_of_range"),
        ("5", "not_a_number"),
        (True, "not_a_number"),
        (False, "not_a_number"),
        (5.5, "not_a_number"),
        (Decimal("0.1"), "not_a_number"),
        (float("nan"), "not_a_number"),
        (float("inf"), "not_a_number"),
        (float("-inf"), "not_a_number"),
        ([5], "not_a_number"),
        ({}, "not_a_number"),
    ],
)
def test_an_unbelievable_counter_is_refused_and_never_clamped(value: object, why: str) -> None:
    """Negative, too large, fractional and textual counters each have their reason."""
    assert judged(count, value) == why


def test_not_reported_is_not_zero() -> None:
    """Where it matters whether a counter was written at all, null is None and 0 is 0."""
    assert (reported_count(None), reported_count(msgspec.UNSET), reported_count(0), reported_count(3)) == (None, None, 0, 3)


def test_a_rejected_record_tells_what_it_claims() -> None:
    """The believable counters of a record add up; none at all is unknown."""
    assert believable([5, -1, "7", None, 2.0]) == 7
    assert believable([None, "x"]) is None


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text() | st.binary())
def test_a_counter_is_in_range_or_refused(value: object) -> None:
    """Whatever is asked, the answer is from 0 to 2^40 or a reason."""
    found = judged(count, value)
    assert found in ("negative", "out_of_range", "not_a_number") or 0 <= found <= MAX_TOKENS


@given(st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.text(max_size=3))
def test_the_typed_counter_agrees_with_the_judge(value: object) -> None:
    """What the typed decoder takes, `count` takes for the same number."""
    try:
        decoded = msgspec.json.decode(json.dumps(value).encode(), type=Count | None)
    except ValueError:
        return
    assert count(value) == (decoded or 0)


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-09-01T00:30:00Z", HALF_PAST),
        ("2026-09-01T00:30:00.000Z", HALF_PAST),
        ("2026-09-01T02:30:00+02:00", HALF_PAST),
        ("2026-08-31T19:00:00-05:30", HALF_PAST),
        ("2026-09-01 00:30:00", HALF_PAST),
        ("2026-09-01T00:30:00.123456789Z", HALF_PAST + timedelta(microseconds=123_456)),
        (HALF_PAST_S, HALF_PAST),
        (float(HALF_PAST_S) + 0.25, HALF_PAST + timedelta(milliseconds=250)),
        (Decimal(HALF_PAST_S) + Decimal("0.000001"), HALF_PAST + timedelta(microseconds=1)),
        (HALF_PAST_S * 1_000 + 7, HALF_PAST + timedelta(milliseconds=7)),
        (HALF_PAST_S * 1_000_000 + 7, HALF_PAST + timedelta(microseconds=7)),
        (HALF_PAST_S * 1_000_000_000 + 7_999, HALF_PAST + timedelta(microseconds=7)),
        (str(HALF_PAST_S * 1_000), HALF_PAST),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_moment_in_utc(value: object, at: datetime) -> None:
    """ISO texts keep their offset's meaning, and the size of a Unix time tells its unit; what is finer than a microsecond is cut off."""
    assert instant(value) == at
    assert instant(value).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "yesterday",
        "[trimmed]",
        "2026-09-01",
        "20260901",
        "2026-13-01T00:00:00Z",
        "2026-09-01T25:00:00Z",
        0,
        -1,
        True,
        float("nan"),
        float("inf"),
        10**30,
        10**400,
        "9" * 60,
        Decimal("1E+500"),
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
        [],
        {},
        b"2026-09-01T00:30:00Z",
    ],
)
def test_what_is_no_time_is_refused(value: object) -> None:
    """A record without a moment is never dated some other way; a date alone is no moment."""
    assert judged(instant, value) == "bad_timestamp"


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=40))
def test_a_time_is_in_utc_or_refused(value: object) -> None:
    """Whatever is asked, the answer is a moment in UTC or a reason."""
    found = judged(instant, value)
    assert found == "bad_timestamp" or found.utcoffset() == timedelta(0)


@given(st.timedeltas(min_value=timedelta(days=-200_000), max_value=timedelta(days=2_000_000)), st.integers(-23, 23))
def test_an_offset_never_moves_the_moment(since: timedelta, hours: int) -> None:
    """The same moment written in any offset is the same moment."""
    at = HALF_PAST + since
    local = (at + timedelta(hours=hours)).replace(tzinfo=None).isoformat()
    assert instant(f"{local}{'-' if hours < 0 else '+'}{abs(hours):02d}:00") == at


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("opus", "opus"),
        ("café", "café"),
        ("", None),
        (None, None),
        (5, None),
        (["a"], None),
        ("half \ud83d", "half \ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
    ],
)
def test_a_text_can_be_stored(value: object, said: str | None) -> None:
    """Lone surrogates, which no database takes, become U+FFFD; an empty text says nothing."""
    assert text(value) == said


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (Decimal("0.0123456789012345"), "0.0123456789012345"),
        (Decimal("1E-7"), "0.0000001"),
        (0.1, "0.1"),
        (3, "3"),
        (0, "0"),
        (Decimal("1E-30"), "0.000000000000000000"),
    ],
)
def test_an_amount_keeps_its_digits(value: object, amount: str) -> None:
    """Dollars are exact to 18 places, as they were written."""
    found = usd(value)
    assert found is not None
    assert format(found, "f") == amount


@pytest.mark.parametrize(
    "value", [None, "0.1", True, -1, Decimal("-0.1"), Decimal("NaN"), Decimal("Infinity"), float("inf"), 10**9, Decimal("1E+400"), {}]
)
def test_what_is_no_amount_is_unknown(value: object) -> None:
    """An amount that cannot be is no amount: the tokens beside it still count."""
    assert usd(value) is None


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (b'{"a":1}', [{"a": 1}]),
        (b'  {"a":1}\r', [{"a": 1}]),
        (b'\xef\xbb\xbf{"a":1}', [{"a": 1}]),
        (b'\x00\x00\x00{"a":1}', [{"a": 1}]),
        (b'\x00\xef\xbb\xbf{"a":1}', [{"a": 1}]),
        ('{"a":"é"}'.encode("utf-16"), [{"a": "é"}]),
        (b'{"a":1}{"b":2}', [{"a": 1}, {"b": 2}]),
        (b'{"a":1} \n {"b":2}', [{"a": 1}, {"b": 2}]),
        (b'{"a":1,"a":2}', [{"a": 2}]),
        (b'{"a":"\xff"}', [{"a": "\ufffd"}]),
        (b'{"a":"x\x00y\ty"}', [{"a": "x\x00y\ty"}]),
        (b'{"a":"\\ud83d"}', [{"a": "\ud83d"}]),
        (b'{"a":0.10}', [{"a": Decimal("0.10")}]),
        (b'{"a":1e400}', [{"a": Decimal("1E+400")}]),
        (b'{"a":1' + b"0" * 5000 + b"}", [{"a": 10**40}]),
        (b'{"a":-1' + b"0" * 5000 + b"}", [{"a": -(10**40)}]),
    ],
)
def test_a_damaged_record_is_read_as_far_as_is_safe(record: bytes, found: list[dict[str, object]]) -> None:
    """Marks, NULs, control characters, broken UTF-8, lone surrogates and monstrous numbers do not hide an object."""
    assert objects(record) == found


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"", "unreadable"),
        (b"\x00\x00", "unreadable"),
        (b"hello", "unreadable"),
        (b'{"a":1', "unreadable"),
        (b'{"a":1} trailing', "unreadable"),
        (b'{"a":1}}', "unreadable"),
        (b"{'a':1}", "unreadable"),
        (b"[]", "not_an_object"),
        (b'[{"a":1}]', "not_an_object"),
        (b"5", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"a":1}[2]', "not_an_object"),
        (b"[" * 100_000, "unreadable"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 99_999, "unreadable"),
        (b"[" * 100_000 + b"]" * 100_000, "not_an_object"),
    ],
)
def test_what_is_no_object_is_refused(record: bytes, why: str) -> None:
    """A line of anything but whole objects has a reason."""
    assert judged(objects, record) == why


@pytest.mark.parametrize(
    "deep",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'[ {"a": [' * 50_000 + b'"]}\\"]}", "{["' + b"] }, 2]" * 50_000,
        b"[[],[" * 50_000 + b"]]" * 50_000,
    ],
)
def test_what_is_nested_too_deeply_hides_nothing_beside_it(deep: bytes) -> None:
    """Fields before and behind it are read, brackets and quotes inside its texts notwithstanding."""
    (found,) = objects(b'{"before":[[1]],"deep":' + deep + b',"behind":{"a":[2,{}]}}')
    assert (found["before"], found["behind"]) == ([[1]], {"a": [2, {}]})


@given(st.recursive(st.text() | st.integers(-9, 9), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=40))
@settings(max_examples=30, deadline=None)
def test_what_lies_too_deep_is_left_out_whatever_it_is(value: object) -> None:
    """From 65 deep on there is nothing, and all else is as it was: so every interpreter reads the same of a record."""
    said = json.dumps(value).encode()
    (found,) = objects(b'{"a":' + b"[" * 100_000 + said + b"]" * 100_000 + b',"b":' + said + b"}")
    depth, inside = 1, found["a"]
    while isinstance(inside, list):
        depth, (inside,) = depth + 1, inside

    assert (depth, inside, found["b"]) == (64, None, value)


@given(st.binary(max_size=80))
def test_any_bytes_are_objects_or_refused(record: bytes) -> None:
    """Whatever the bytes, the answer is a list of objects or a reason."""
    found = judged(objects, record)
    assert found in ("unreadable", "not_an_object") or (found and all(isinstance(each, dict) for each in found))


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text()))
def test_a_sound_record_reads_as_json_reads_it(value: dict[str, object]) -> None:
    """Tolerance costs nothing: what is sound comes out as it is."""
    assert objects(json.dumps(value).encode()) == [value]

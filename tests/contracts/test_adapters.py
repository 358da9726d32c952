"""What every adapter keeps, shown on the cases in `data-fixtures/<agent>/<case>`.

A case is an agent's home as it lies on disk (`home/`) and what is true about it, worked out by hand (`expected.json`): the rule it
shows, the calls in it, what is rejected by reason, what is only counted by name, and titles and parents of sessions.
`docs/adapters.md` says how to add one.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.adapter import Adapter, Place
from ingest.discover import Found, under
from ingest.reader import Manner, Work, read
from ingest.registry import adapter as adapter_of
from ingest.registry import adapters
from pipeline.batch import Batch
from pipeline.events import MAX_TOKENS, Rejected, Seen, UsageEvent
from pipeline.sources import Reading
from tests.contracts.model import COUNTERS, calls_of
from tests.sizes import times

FIXTURES = Path(__file__).parents[2] / "data-fixtures"
CASES = sorted(path.parent for path in FIXTURES.glob("*/*/expected.json"))
LONG_AGO_NS = 4_000_000_000_000_000_000
"""A now at which every file here has been quiet for long."""
HEAD_BYTES = 64 << 10

case = pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
agents = pytest.mark.parametrize("adapter", adapters(), ids=lambda adapter: adapter.agent)


def expected(case: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((case / "expected.json").read_text())
    return found


def sources(case: Path) -> tuple[Adapter[Any], list[Found]]:
    adapter = adapter_of(case.parent.name)
    return adapter, sorted(under(adapter, str(case / "home"), []), key=lambda found: found.source.path)


def readings(case: Path, *, prefilter: bool = True) -> tuple[list[Batch], list[Reading]]:
    """What one read of every source of the case gives."""
    adapter, found = sources(case)
    batches, looks = [], []
    for number, each in enumerate(found):
        batch = Batch()
        look = read(adapter, Work(found=each, source_id=number, cursor=None), batch, Manner(now_ns=LONG_AGO_NS, prefilter=prefilter))
        assert isinstance(look, Reading), look
        batches.append(batch)
        looks.append(look)
    return batches, looks


def text_of(path: str) -> bytes:
    content = Path(path).read_bytes()
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        with zstandard.ZstdDecompressor().stream_reader(content) as stream:
            return stream.read()
    return content


def line_sources(case: Path) -> Iterator[tuple[Adapter[Any], Place, list[bytes]]]:
    """The whole lines of every line source of the case."""
    adapter, found = sources(case)
    for each in found:
        if each.source.kind == "lines":
            text = text_of(each.source.path)
            path = Path(each.source.path).relative_to(case / "home").as_posix()
            yield adapter, Place(path=path, root=each.source.root, head=text[:HEAD_BYTES]), text.split(b"\n")[:-1]


def required(call: dict[str, Any]) -> tuple[str, ...]:
    names = ("day", "model", "session", "initiator")
    return tuple(str(call.get(name)) for name in names) + tuple(f"{call.get(name) or 0:>15}" for name in COUNTERS)


def agrees(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether the call is the wanted one in all that the case says about it; amounts are compared as texts, times as moments."""
    for name, value in wanted.items():
        if name == "at":
            if datetime.fromisoformat(found["at"]) != datetime.fromisoformat(value):
                return False
        elif (found[name] or 0) != value if name in COUNTERS else found[name] != value:
            return False
    return True


@case
def test_case_shows_its_calls(case: Path) -> None:
    """The calls of a case are exactly those worked out by hand: days, models, sessions, initiators and every token class."""
    wanted = expected(case)
    found = calls_of(readings(case)[0])

    assert sorted(map(required, found)) == sorted(map(required, wanted["calls"]))
    for each in wanted["calls"]:
        match = next((call for call in found if agrees(call, each)), None)
        assert match is not None, f"no call is {each}; found {[call for call in found if required(call) == required(each)]}"
        found.remove(match)


@case
def test_case_accounts_for_every_record(case: Path) -> None:
    """What is rejected and what is counted by name is as worked out by hand, and lines = events + ignored + quarantined."""
    wanted = expected(case)
    batches, looks = readings(case)

    assert Counter(each.reason for look in looks for each in look.quarantined) == Counter(wanted.get("rejected", {}))
    seen: Counter[str] = Counter()
    for batch, look in zip(batches, looks, strict=True):
        seen.update(look.seen)
        assert look.counts.lines == len(batch) + look.counts.ignored + len(look.quarantined)
    assert seen == Counter(wanted.get("seen", {}))


@case
def test_case_names_its_sessions(case: Path) -> None:
    """Titles and parents of sessions are those worked out by hand."""
    wanted = expected(case)
    sessions = [each for look in readings(case)[1] for each in look.sessions]

    assert {each.session: each.title for each in sessions if each.title} == wanted.get("titles", {})
    if "parents" in wanted:
        assert {each.session: each.parent for each in sessions if each.parent} == wanted["parents"]


@case
def test_prefilter_changes_nothing(case: Path) -> None:
    """Lines without the needle hold nothing: read with and without it, a case gives the same sightings."""
    with_it, without = readings(case)[0], readings(case, prefilter=False)[0]

    assert [batch.key for batch in with_it] == [batch.key for batch in without]
    assert [batch.rank for batch in with_it] == [batch.rank for batch in without]


@case
def test_order_of_sources_changes_nothing(case: Path) -> None:
    """Sources read in the opposite order end in the same calls."""
    batches = readings(case)[0]

    def ordered(batches: list[Batch]) -> list[str]:
        return sorted(json.dumps(call, sort_keys=True) for call in calls_of(batches))

    assert ordered(batches[::-1]) == ordered(batches)


@case
def test_reading_again_adds_nothing(case: Path) -> None:
    """The same sources read twice are the same calls."""
    batches = readings(case)[0]

    assert len(calls_of([*batches, *readings(case)[0]])) == len(calls_of(batches))


@case
def test_resume_at_every_line_equals_one_read(case: Path) -> None:
    """A fold that is dumped and loaded between any two lines gives what one uninterrupted fold gives."""
    for adapter, place, lines in line_sources(case):
        state = adapter.start(place)
        whole = []
        for line in lines:
            state, events = adapter.step(state, line)
            whole.append(events)

        state = adapter.start(place)
        for line, events in zip(lines, whole, strict=True):
            dumped = adapter.dump(state)
            state, resumed = adapter.step(adapter.load(dumped) if dumped else adapter.start(place), line)
            assert resumed == events


@case
def test_events_are_believable(case: Path) -> None:
    """Every event has a 16-byte key and rank, an owner rank below 2^63, a time in UTC and token classes from 0 to 2^40."""
    for adapter, place, lines in line_sources(case):
        state = adapter.start(place)
        for line in lines:
            state, events = adapter.step(state, line)
            for event in events:
                if isinstance(event, UsageEvent):
                    assert {len(event.key), len(event.rank), *map(len, event.aliases)} == {16}
                    assert all(len(offer) == 16 for offer in event.offers)
                    assert 0 <= event.owner_rank < 2**63
                    assert event.at.utcoffset() is not None
                    assert not event.at.utcoffset()
                    assert all(0 <= getattr(event.tokens, name) <= MAX_TOKENS for name in COUNTERS)
                    assert event.agent == adapter.agent


@agents
@given(record=st.binary(max_size=200), path=st.text(max_size=30))
@settings(max_examples=times(60), deadline=None)
def test_step_never_raises_for_garbage(adapter: Adapter[Any], record: bytes, path: str) -> None:
    """Bytes that are no record give nothing, a counter or a rejection, never an exception."""
    state = adapter.start(Place(path=path, root="/home", head=record))
    for each in (record, b'"output_tokens"' + record, b'{"message":' + record + b"}"):
        state, events = adapter.step(state, each)
        assert all(isinstance(event, UsageEvent | Rejected | Seen) for event in events)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@case
@given(data=st.data())
@settings(max_examples=times(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_step_never_raises_for_a_changed_record(case: Path, data: st.DataObject) -> None:
    """A real record with any of its values replaced by any JSON gives events, counters or rejections, never an exception."""
    for adapter, place, lines in line_sources(case):
        records = [value for value in map(_loaded, lines) if isinstance(value, dict)]
        if not records:
            continue
        value = data.draw(st.sampled_from(records))
        _replace_somewhere(value, data)
        _, events = adapter.step(adapter.start(place), json.dumps(value).encode())
        assert all(isinstance(event, UsageEvent | Rejected | Seen) for event in events)


@agents
def test_every_agent_has_a_case(adapter: Adapter[Any]) -> None:
    """An adapter is a module and a folder of cases, and its homes depend on nothing but what it is given."""
    assert [path for path in CASES if path.parent.name == adapter.agent]
    homes = adapter.homes({}, "/home/ada")
    assert homes
    assert all(home.path.startswith("/home/ada/") for home in homes)


def _loaded(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _replace_somewhere(value: dict[str, Any], data: st.DataObject) -> None:
    while value:
        name = data.draw(st.sampled_from(sorted(value)))
        if isinstance(value[name], dict) and data.draw(st.booleans()):
            value = value[name]
        else:
            value[name] = data.draw(JSON)
            return

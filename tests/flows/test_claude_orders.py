"""Claude's transcripts in the log: whatever the order and the portions in which lines arrive, the same calls are there in the end."""

import itertools
import json
import tempfile
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.adapter import Place
from ingest.adapters.claude import ADAPTER
from ingest.discover import under
from pipeline.batch import OWNER_FIELDS, Batch
from pipeline.events import UsageEvent
from pipeline.log import Log
from pipeline.sources import Cursor, Reading, Source
from tests.contracts.model import COUNTERS, EPOCH, calls_of
from tests.sizes import times

FIXTURES = Path(__file__).parents[2] / "data-fixtures" / "claude"
CASES = (
    "streaming",
    "placeholders",
    "subagents",
    "progress-copies",
    "resume-and-forks",
    "btw",
    "iterations",
    "missing-ids",
    "flat-usage-file",
)
DAYS = (-800_000, 3_000_000)
COMPARED = (
    "day",
    "at",
    "model",
    *OWNER_FIELDS,
    *COUNTERS,
    "reasoning",
    "web_searches",
    "tier",
    "speed",
    "status",
    "partial_output",
    "ttl_known",
)

Sighting = tuple[UsageEvent, str]
Call = tuple[str, ...]


def sightings(name: str) -> list[list[Sighting]]:
    """What each source of a case says, source by source."""
    home = FIXTURES / name / "home"
    found = []
    for each in sorted(under(ADAPTER, str(home), []), key=lambda found: found.source.path):
        content = Path(each.source.path).read_bytes()
        place_path = Path(each.source.path).relative_to(home).as_posix()
        found.append(list(events_of(place_path, content)))
    return found


def events_of(path: str, content: bytes) -> Iterable[Sighting]:
    state = ADAPTER.start(Place(path=path, root="/home/ada/.claude", head=content))
    for line in content.split(b"\n")[:-1]:
        state, events = ADAPTER.step(state, line)
        for event in events:
            if isinstance(event, UsageEvent):
                yield event, path


def batch_of(portion: Sequence[Sighting], numbers: dict[str, int]) -> Batch:
    batch = Batch()
    for event, path in portion:
        batch.add((event,), root="/home/ada/.claude", source=numbers[path], offset=0, length=1)
    return batch


def logged(portions: Sequence[Sequence[Sighting]]) -> list[Call]:
    """The calls in a new log after these portions were committed one by one."""
    paths = sorted({path for portion in portions for _, path in portion})
    with tempfile.TemporaryDirectory() as home, Log.open(Path(home) / "store") as log:
        numbers = log.register([Source(path=path, agent="claude", root="/home/ada/.claude") for path in paths])
        for portion in portions:
            committed(log, batch_of(portion, numbers), sorted({numbers[path] for _, path in portion}))
        return sorted(stored(log))


def committed(log: Log, batch: Batch, sources: Sequence[int]) -> None:
    """Commit as ingest does: sources that the log calls stale are read again, and here say the same again."""
    while True:
        cursors = {source.id: source.cursor for source in log.sources()}
        readings = [Reading(source_id=number, before=cursors[number], after=cursors[number] or Cursor()) for number in sources]
        if not log.commit(batch, readings, ingested_at_us=1).stale:
            return


def stored(log: Log) -> Iterable[Call]:
    calls = list(log.calls(*DAYS))
    dims = log.dims({call.dim for call in calls})
    for call in calls:
        at = EPOCH + timedelta(microseconds=call.at_us)
        known = {"at": at.isoformat(), "day": at.date().isoformat()}
        yield tuple(
            str(known[name] if name in known else getattr(call if hasattr(call, name) else dims[call.dim], name)) for name in COMPARED
        )


def plainly(portions: Sequence[Sequence[Sighting]]) -> list[Call]:
    """The same by the plain model."""
    numbers = {path: number for number, path in enumerate(sorted({path for portion in portions for _, path in portion}))}
    calls = calls_of(batch_of(portion, numbers) for portion in portions)
    return sorted(tuple(str(call[name]) for name in COMPARED) for call in calls)


@pytest.mark.parametrize("name", CASES)
def test_every_order_of_files_ends_in_the_same_calls(name: str) -> None:
    """Each case's files, committed in every order (up to 24), end in the calls that the plain model finds."""
    files = sightings(name)
    wanted = plainly(files)

    for order in itertools.islice(itertools.permutations(files), 24):
        assert logged(order) == wanted


@given(name=st.sampled_from(CASES), data=st.data())
@settings(max_examples=times(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_and_portions_of_lines_end_in_the_same_calls(name: str, data: st.DataObject) -> None:
    """Lines of all files shuffled together and committed in any portions end in the same calls, and again once more is no change."""
    lines = [sighting for file in sightings(name) for sighting in file]
    shuffled = data.draw(st.permutations(lines))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(lines) - 1)), max_size=6)))
    portions = [shuffled[start:end] for start, end in itertools.pairwise([0, *cuts, len(lines)])]
    wanted = plainly([lines])

    assert logged(portions) == wanted
    assert logged([*portions, lines]) == wanted


@st.composite
def transcripts(draw: st.DrawFn) -> list[list[Sighting]]:
    """Two transcripts of lines whose few ids, times and counts meet again and again."""
    few = st.integers(0, 2)
    files = []
    for session in ("s-1", "s-2"):
        lines = []
        for number in range(draw(st.integers(0, 7))):
            iterations = [{"type": "advisor_message", "model": "b", "input_tokens": draw(few), "output_tokens": draw(few)}]
            usage = {
                "input_tokens": draw(few),
                "output_tokens": draw(few),
                "cache_creation_input_tokens": draw(few),
                "output_tokens_details": draw(st.sampled_from([None, {"thinking_tokens": 1}])),
                "speed": draw(st.sampled_from([None, "fast"])),
                "iterations": draw(st.sampled_from([None, iterations])),
            }
            line = {
                "type": "assistant",
                "sessionId": session,
                "uuid": f"u-{number}",
                "timestamp": f"2026-09-0{draw(st.integers(1, 2))}T23:59:5{draw(few)}Z",
                "requestId": draw(st.sampled_from([None, "req_1", "req_2"])),
                "isSidechain": draw(st.booleans()),
                "forkedFrom": draw(st.sampled_from([None, None, {"sessionId": "s-0"}])),
                "version": draw(st.sampled_from(["2.1.40", "2.1.240"])),
                "message": {
                    "id": draw(st.sampled_from([None, "msg_1", "msg_2"])),
                    "model": draw(st.sampled_from(["a", "b"])),
                    "stop_reason": draw(st.sampled_from([None, "end_turn"])),
                    "usage": usage,
                },
            }
            lines.append(json.dumps(line).encode() + b"\n")
        files.append(list(events_of(f"projects/-w/{session}.jsonl", b"".join(lines))))
    return files


@given(files=transcripts(), data=st.data())
@settings(max_examples=times(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_lines_that_share_ids_in_every_way_end_in_the_calls_of_the_model(files: list[list[Sighting]], data: st.DataObject) -> None:
    """However messages, requests, sidechains and copies meet, the log ends in the model's calls, whatever the order and the portions."""
    lines = [sighting for file in files for sighting in file]
    shuffled = data.draw(st.permutations(lines))
    half = len(lines) // 2

    wanted = plainly([lines])
    assert logged([lines]) == wanted
    assert logged([shuffled[:half], shuffled[half:]]) == wanted


def test_all_cases_together_in_one_log() -> None:
    """All cases in one log, where ids of different cases meet, give what the plain model gives."""
    files = [[(event, f"{name}/{path}") for event, path in file] for name in CASES for file in sightings(name)]

    assert logged(files) == plainly(files) == logged(files[::-1])

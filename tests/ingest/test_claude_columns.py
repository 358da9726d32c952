"""The columnar way through Claude Code's transcripts is the adapter's fold, only faster."""

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import claude_columns, reader
from ingest.adapters.claude import ADAPTER
from ingest.discover import under
from ingest.reader import Manner, Work, read
from pipeline.batch import Batch
from pipeline.log import Log
from pipeline.sources import Reading
from tests.sizes import times

few = st.sampled_from


def usage(draw: st.DrawFn) -> dict[str, Any]:
    short, long = draw(few([0, 10, 20])), draw(few([0, 5]))
    block: dict[str, Any] = {"input_tokens": draw(few([1, 2, None])), "output_tokens": draw(few([0, 7, 8, 90, -1, None, 5.0]))}
    block["cache_read_input_tokens"] = draw(few([0, 100]))
    if draw(st.booleans()):
        block["cache_creation_input_tokens"] = draw(few([short + long, short, 30]))
    if draw(st.booleans()):
        block["cache_creation"] = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    if draw(few([False, False, True])):
        block["service_tier"] = draw(few(["standard", "priority", "", None]))
    if draw(few([False, False, True])):
        block["server_tool_use"] = {"web_search_requests": draw(few([0, 2, None]))}
    if draw(few([False, False, True])):
        block["output_tokens_details"] = {"thinking_tokens": draw(few([0, 3]))}
    if draw(few([False, False, True])):
        hop = {name: block.get(name) for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation")}
        block["iterations"] = [
            {"type": draw(few(["message", "advisor_message", "compaction", "fallback_message"])), "model": "other", **hop}
        ]
    return block


@st.composite
def lines(draw: st.DrawFn) -> str:
    second = draw(st.integers(0, 3))
    line: dict[str, Any] = {
        "type": draw(few(["assistant"] * 6 + ["user", None, "progress"])),
        "timestamp": draw(
            few([f"2026-09-01T10:00:0{second}.000Z"] * 6 + ["2026-09-01T12:00:00+02:00", "2026-09-01T10:00:00", "soon", 1788253200, None])
        ),
        "sessionId": draw(few(["s-1", "s-1", "s-2"])),
        "cwd": draw(few(["/w/app", "/w/app", "/w/lib", ""])),
        "version": draw(few(["2.1.40", "2.1.240"])),
        "requestId": draw(few(["r1", "r1", "r2", None])),
        "uuid": draw(few(["u1", "u2", None])),
    }
    odd: dict[str, list[Any]] = {
        "isSidechain": [True, False],
        "gitBranch": ["main", ""],
        "agentId": ["a1", "acompact-1"],
        "isApiErrorMessage": [True],
        "isCompactSummary": [True],
        "forkedFrom": [{"sessionId": "s-0"}],
        "costUSD": [0.25, 1e400, -1],
        "durationMs": [1200, 3.5],
        "entrypoint": ["cli", "memory"],
    }
    for name, values in odd.items():
        if draw(few([False, False, False, True])):
            line[name] = draw(few(values))
    message: dict[str, Any] = {
        "id": draw(few(["m1", "m1", "m2", "msg_bdrk_1", "", None])),
        "model": draw(few(["claude-opus-5", "claude-haiku-4-5", "<synthetic>"])),
    }
    message["stop_reason"] = draw(few([None, "end_turn"]))
    if draw(few([True, True, True, False])):
        message["usage"] = usage(draw)
    if line["type"] == "progress":
        line["data"] = {"type": "agent_progress", "message": {"type": "assistant", "message": message, "timestamp": line["timestamp"]}}
    else:
        line["message"] = message
    text = json.dumps(line)
    return draw(few([text] * 12 + [text[:-3], text.replace('"cwd"', '"x": "\\ud800", "cwd"'), '{"output_tokens"']))


def taken(home: Path, store: Path, fold: reader.Fold, chunk: int = 1 << 20) -> tuple[Reading, list[tuple[object, ...]]]:
    """The reading, and every call as a log has it afterwards."""
    batch = Batch()
    with Log.open(store) as log:
        (found,) = under(ADAPTER, str(home), [])
        number = log.register([found.source])[found.source.path]
        reading = read(ADAPTER, Work(found=found, source_id=number), batch, Manner(now_ns=2 * 10**18, buffer=bytearray(chunk)), fold)
        assert isinstance(reading, Reading)
        done = log.commit(batch, [reading], ingested_at_us=1)
        calls = list(log.calls(0, 2**23))
        dims = log.dims({call.dim for call in calls})
    rows = [
        (
            call.key,
            call.at_us,
            dims[call.dim],
            call.input,
            call.output,
            call.cache_read,
            call.cache_write_5m,
            call.cache_write_1h,
            call.web_searches,
            call.logged_cost,
            call.rank,
            call.owner_rank,
        )
        for call in calls
    ]
    return reading, [(done.new, done.duplicate + done.updated), *sorted(rows, key=lambda row: row[0])]


@settings(max_examples=times(75), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(lines(), max_size=9), few([1000, 1 << 20]))
def test_both_ways_end_in_the_same_calls_and_counts(tmp_path_factory: Any, content: list[str], chunk: int) -> None:
    """Whatever the lines say, and read in one part or in many, columns and fold give the log the same calls, and count, refuse and remember
    the same."""
    folder = tmp_path_factory.mktemp("both")
    path = folder / "home/projects/p/s-1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(line + "\n" for line in content))

    stepped, calls = taken(folder / "home", folder / "stepped", reader.fold)
    columnar, same_calls = taken(folder / "home", folder / "columnar", claude_columns.fold, chunk)

    assert same_calls == calls
    assert (columnar.counts, columnar.quarantined, columnar.seen) == (stepped.counts, stepped.quarantined, stepped.seen)
    assert columnar.after.state == stepped.after.state


def test_repeats_of_a_call_become_one_row(tmp_path: Path) -> None:
    """Four lines of one reply, as an agent writes them, are four sightings and one row: that is what makes it fast."""
    line = {"type": "assistant", "timestamp": "2026-09-01T10:00:00.000Z", "sessionId": "s-1", "requestId": "r1"}
    content = ""
    for output in (1, 2, 3, 40):
        line["message"] = {"id": "m1", "model": "claude-opus-5", "usage": {"input_tokens": 5, "output_tokens": output}}  # type: ignore[assignment]
        content += json.dumps(line) + "\n"
    path = tmp_path / "projects/p/s-1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    (found,) = under(ADAPTER, str(tmp_path), [])
    batch = Batch()

    reading = read(ADAPTER, Work(found=found, source_id=1), batch, Manner(now_ns=0), claude_columns.fold)

    assert isinstance(reading, Reading)
    assert (list(batch.output), reading.counts.lines, reading.counts.events) == ([40], 4, 4)


LONG = json.dumps({"type": "user", "message": {"content": "x" * 70_000}})
"""A prompt that nothing behind it is read early for."""


def reply(second: int, message: str, output: int, **said: Any) -> str:
    """A line of a reply; `said` stands beside its message."""
    usage_of_it = {"input_tokens": 5, "output_tokens": output}
    line = {
        "type": "assistant",
        "timestamp": f"2026-09-01T10:00:{second:02}.000Z",
        "sessionId": "s-1",
        "requestId": f"r-{message}",
        "message": {"id": message, "model": "claude-opus-5", "usage": usage_of_it},
        **said,
    }
    return json.dumps(line)


def same(folder: Path, content: list[str]) -> bool:
    """Whether both ways end in the same calls and counts."""
    path = folder / "home/projects/p/s-1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(line + "\n" for line in content))
    stepped, calls = taken(folder / "home", folder / "stepped", reader.fold)
    columnar, same_calls = taken(folder / "home", folder / "columnar", claude_columns.fold)
    return same_calls == calls and columnar.counts == stepped.counts


def test_a_cost_that_cannot_be_believed_says_nothing_of_the_next_one(tmp_path: Path) -> None:
    """A negative costUSD is none, and the record after it that states one has it from the provider all the same."""
    assert same(tmp_path, [reply(1, "m1", 7, costUSD=-1), reply(2, "m2", 7, costUSD=0.25)])


def test_a_name_that_only_looks_like_bedrocks_says_nothing_of_the_next_one(tmp_path: Path) -> None:
    """Bedrock bills what is named msg_bdrk_…; a name that has bdrk_ behind something else is not of that form."""
    assert same(tmp_path, [reply(1, "xyz_bdrk_1", 7), reply(2, "msg_bdrk_2", 7)])


def test_where_a_file_names_no_time_early_each_record_claims_from_its_own(tmp_path: Path) -> None:
    """A first prompt of more than 64 KiB hides when its session began: a reply is claimed from its first line on, not from the one that
    counts."""
    assert same(tmp_path, [LONG, reply(1, "m1", 7), reply(9, "m1", 90)])


def test_a_reply_that_began_before_a_copy_is_claimed_from_there(tmp_path: Path) -> None:
    """A copied line between two lines of a reply moves what the later of them claims from, not what the reply does."""
    assert same(tmp_path, [reply(1, "m1", 7), LONG, reply(5, "m2", 8, forkedFrom={"sessionId": "s-0"}), reply(9, "m1", 90)])

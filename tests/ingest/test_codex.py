"""How Codex's rollouts become calls, beyond the cases of `data-fixtures/codex`: recorded families in every order, homes, state."""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.adapter import Place
from ingest.adapters.codex import ADAPTER
from ingest.adapters.codex_thread import MAX_ANCESTORS
from ingest.adapters.codex_threads import THREADS, ThreadTotal, lost, thread_total
from ingest.discover import under
from ingest.reader import Manner, Work, read
from pipeline.batch import Batch
from pipeline.events import UsageEvent
from pipeline.sources import Reading, SessionInfo
from tests.contracts.model import calls_of
from tests.ingest.sightings import batch_of, by_session, encoded, others, stepped, usage
from tests.sizes import times

REAL = Path(__file__).parents[2] / ".." / "shared" / "fixtures" / "real" / "codex"
FAMILIES = REAL / "codexbar-issue2037"
FIXTURES = Path(__file__).parents[2] / "data-fixtures" / "codex"
PATH = "sessions/2026/09/01/rollout-x.jsonl"
recorded = pytest.mark.skipif(not REAL.is_dir(), reason="the recorded rollouts are not here")


def header(id: str = "t-1", at: str = "2026-09-01T09:00:00Z", **more: Any) -> bytes:
    return encoded({"timestamp": at, "type": "session_meta", "payload": {"id": id, "timestamp": at, "cwd": "/w/app", **more}})


def counters(prompt: int, cached: int, output: int, reasoning: int = 0) -> dict[str, int]:
    return {"input_tokens": prompt, "cached_input_tokens": cached, "output_tokens": output, "reasoning_output_tokens": reasoning}


def total(prompt: int, cached: int, output: int, at: str = "2026-09-01T09:00:05Z", **more: Any) -> bytes:
    info = {"total_token_usage": counters(prompt, cached, output), **more}
    return encoded({"timestamp": at, "type": "event_msg", "payload": {"type": "token_count", "info": info}})


def records_of(path: Path) -> list[bytes]:
    return path.read_bytes().rstrip(b"\n").split(b"\n")


def known_good(name: str) -> list[tuple[int, int, int, int, int, str | None, str]]:
    """(uncached, cached, written, output, reasoning, provider, initiator) of each call of a recorded file."""
    return [
        (
            each.tokens.input,
            each.tokens.cache_read,
            each.tokens.cache_write_5m,
            each.tokens.output,
            each.reasoning or 0,
            each.provider,
            each.initiator,
        )
        for each in usage(ADAPTER, name, records_of(REAL / name))
    ]


def test_every_order_of_a_fork_and_its_parent_gives_the_same_calls(tmp_path: Path) -> None:
    """Parent first, fork first, or either again: the copied calls are the parent's, once; without the parent the fork holds them."""
    case = FIXTURES / "fork-with-parent" / "home"
    parent, child = [(path.name, records_of(path)) for path in sorted(case.rglob("rollout-*.jsonl"), reverse=True)]

    orders = [(parent, child), (child, parent), (child, child, parent, child)]
    found = [by_session(tmp_path / str(number), ADAPTER, order) for number, order in enumerate(orders)]

    assert found == [{"parent-1": (3, 1500, 1500, 0, 170), "child-1": (1, 200, 100, 0, 10)}] * 3
    assert by_session(tmp_path / "alone", ADAPTER, [child]) == {"child-1": (3, 1500, 1000, 0, 160)}


def test_every_order_of_siblings_gives_the_same_calls(tmp_path: Path) -> None:
    """The history of a parent that is gone belongs to the earliest fork, in whatever order the forks are read."""
    case = FIXTURES / "fork-without-parent" / "home"
    files = [(path.name, records_of(path)) for path in sorted(case.rglob("*.jsonl"))]

    for number, order in enumerate(itertools.permutations(files)):
        assert by_session(tmp_path / str(number), ADAPTER, order) == {
            "sibling-1": (3, 1500, 1000, 0, 160),
            "sibling-2": (1, 600, 100, 0, 20),
            "grandchild-1": (1, 100, 0, 0, 5),
        }


@recorded
def test_recorded_fork_family_has_its_known_total(tmp_path: Path) -> None:
    """178 calls of the parent and 16 of its fork: 24,992,392 and 1,809,519 tokens, in both orders; the fork alone holds all 194."""
    folder = FAMILIES / "live-fork-4d90-52bf" / "codex-home" / "archived_sessions"
    parent, child = [(f"{name}.jsonl", records_of(folder / f"{name}.jsonl")) for name in ("parent", "child")]

    for number, order in enumerate([(parent, child), (child, parent)]):
        found = by_session(tmp_path / str(number), ADAPTER, order)
        assert found == {
            "parent-session": (178, 1_151_858, 23_737_856, 0, 102_678),
            "child-session": (16, 156_480, 1_646_080, 0, 6_959),
        }
        assert [sum(each[1:]) for each in found.values()] in ([24_992_392, 1_809_519], [1_809_519, 24_992_392])
    assert by_session(tmp_path / "alone", ADAPTER, [child]) == {"child-session": (194, 1_308_338, 25_383_936, 0, 109_637)}
    assert by_session(tmp_path / "parent", ADAPTER, [parent])["parent-session"][0] == 178


@recorded
def test_recorded_siblings_have_their_known_totals(tmp_path: Path) -> None:
    """The 135-row prefix of a missing parent is sibling-a's: 155 calls of 15,309,178 tokens; sibling-b's own are 3 of 3,093."""
    folder = FAMILIES / "missing-parent-siblings" / "codex-home" / "archived_sessions"
    files = [(path.name, records_of(path)) for path in sorted(folder.iterdir())]

    for number, order in enumerate(itertools.permutations(files)):
        found = by_session(tmp_path / str(number), ADAPTER, order)
        assert {session: (sums[0], sum(sums[1:])) for session, sums in found.items()} == {
            "sibling-a-session": (155, 15_309_178),
            "sibling-b-session": (3, 3_093),
        }


@recorded
@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("logpile/counter-reset-epochs.jsonl", [(200, 800, 0, 100, 40, None, "main"), (200, 700, 0, 60, 20, None, "main")]),
        ("logpile/replay-multisecond.jsonl", [(2000, 3000, 0, 500, 50, None, "main")]),
        ("agent-sessions/codex_053_rate_limit.jsonl", [(1211, 10_880, 0, 182, 128, None, "main")]),
        ("agent-sessions/small.jsonl", [(12_757, 3584, 0, 81, 63, "openai", "main")]),
        ("agentsview/traex_rollout_subagent.jsonl", [(600, 3600, 0, 180, 64, "trae", "subagent")]),
        ("ccusage/session-alpha.jsonl", [(750, 250, 0, 125, 75, None, "main"), (2000, 500, 0, 300, 200, None, "main")]),
        ("agent-sessions/codex_052_raw.jsonl", [(980, 0, 0, 640, 0, None, "main"), (640, 980, 0, 240, 0, None, "main")]),
    ],
)
def test_recorded_files_have_their_known_calls(name: str, calls: list[tuple[int, int, int, int, int, str | None, str]]) -> None:
    """Single recorded and hand-made files of other projects give the totals that their notes state."""
    assert known_good(name) == calls
    assert set(others(ADAPTER, name, records_of(REAL / name))) <= {"api_error"}


def test_a_compressed_rollout_is_the_rollout(tmp_path: Path) -> None:
    """`.jsonl.zst` gives the calls of the plain file; with both on disk each counts once."""
    plain = b"\n".join([header(), total(100, 60, 10), total(300, 160, 30)]) + b"\n"
    folder = tmp_path / "sessions" / "2026"
    folder.mkdir(parents=True)
    (folder / "rollout-a.jsonl.zst").write_bytes(zstandard.compress(plain))

    alone = calls_below(tmp_path)
    (folder / "rollout-a.jsonl").write_bytes(plain)

    assert [(call["input"], call["cache_read"], call["output"]) for call in alone] == [(40, 60, 10), (100, 100, 20)]
    assert len(calls_below(tmp_path)) == 2


def calls_below(home: Path) -> list[dict[str, Any]]:
    batch = Batch()
    for number, found in enumerate(under(ADAPTER, str(home), [])):
        assert isinstance(read(ADAPTER, Work(found=found, source_id=number, cursor=None), batch, Manner(now_ns=2**62)), Reading)
    return sorted(calls_of([batch]), key=lambda call: str(call["output"]))


def test_every_way_of_counting_it_wrong_is_avoided() -> None:
    """Repeated totals with a repeated last response, and responses that a total already holds, are not summed."""
    lines = [header(), *(total(1000, 0, 100, last_token_usage=counters(1000, 0, 100)) for _ in range(3))]

    assert [each.tokens.input for each in usage(ADAPTER, PATH, lines)] == [1000]


@pytest.mark.parametrize("last", [counters(100, 0, 10), counters(0, 0, 0)])
def test_a_total_that_goes_on_from_another_file_is_no_call(last: dict[str, int]) -> None:
    """The first total of a file holds what other files told already: a reverted thread begins a new file and counts on."""
    lines = [header(), total(5_100, 0, 510, last_token_usage=last), total(5_300, 0, 530)]

    assert [(each.tokens.input, each.tokens.output) for each in usage(ADAPTER, PATH, lines)] == [
        *([(100, 10)] if last["output_tokens"] else []),
        (200, 20),
    ]


def test_equal_totals_of_unrelated_threads_are_different_calls() -> None:
    """Two threads may use the same numbers at the same moment; only a copy in a fork is the same call."""
    one, two = (usage(ADAPTER, PATH, [header(id), total(1000, 0, 100)])[0] for id in ("t-1", "t-2"))

    assert not {one.key, *one.aliases, *one.offers} & {two.key, *two.aliases, *two.offers}


def test_a_spawned_subagent_copies_nothing() -> None:
    """A subagent without `forked_from_id` has no copied history, though its turns look older than its file."""
    source = {"subagent": {"thread_spawn": {"parent_thread_id": "t-0", "depth": 1}}}
    old_turn = encoded(
        {"timestamp": "2026-09-01T09:00:01Z", "type": "event_msg", "payload": {"type": "task_started", "started_at": 1_700_000_000}}
    )

    (call,) = usage(ADAPTER, PATH, [header(source=source), old_turn, total(10, 0, 1)])

    assert (call.initiator, call.session, call.parent_session, call.extra) == ("subagent", "t-1", "t-0", {})


def test_a_thread_began_when_its_header_says() -> None:
    """The header's own time counts, not that of the line which was written later: a turn in between is the fork's own."""
    begun = json.loads(header(at="2026-09-01T09:00:00Z", forked_from_id="t-0")) | {"timestamp": "2026-09-01T10:00:00Z"}
    own_turn = encoded(
        {"timestamp": "2026-09-01T10:00:01Z", "type": "event_msg", "payload": {"type": "task_started", "started_at": 1_788_255_000}}
    )

    lines = [encoded(begun), total(100, 0, 10), own_turn, total(120, 0, 12)]

    assert [each.tokens.input for each in usage(ADAPTER, PATH, lines)] == [20]


def test_another_threads_header_among_own_calls_copies_nothing() -> None:
    """Only before the first call is a second header one of copied history."""
    lines = [header(), total(100, 0, 10), header("t-9"), total(120, 0, 12)]

    assert [(each.session, each.tokens.input, each.extra) for each in usage(ADAPTER, PATH, lines)] == [("t-1", 100, {}), ("t-1", 20, {})]


def test_unresolved_copies_are_flagged() -> None:
    """A call that may be a copy says so, whoever turns out to own it."""
    (call,) = usage(ADAPTER, PATH, [header(forked_from_id="t-0"), total(10, 0, 1)])

    assert call.extra == {"replay": "unresolved"}


def test_a_turn_in_the_second_of_the_fork_is_the_forks_own() -> None:
    """Turns are stamped in whole seconds: one that begins in the second in which the file did is not older than it."""
    own_turn = encoded(
        {"timestamp": "2026-09-01T09:00:01Z", "type": "event_msg", "payload": {"type": "task_started", "started_at": 1_788_253_200}}
    )

    lines = [header(at="2026-09-01T09:00:00.900Z", forked_from_id="t-0"), total(100, 0, 10), own_turn, total(120, 0, 12)]

    assert [each.tokens.input for each in usage(ADAPTER, PATH, lines)] == [20]


def test_a_new_id_of_an_old_turn_does_not_end_the_copy() -> None:
    """When a turn started decides before what its id says: a fork that gives copied turns new ids has not asked for them again."""
    new_id = "0199dc00-0000-7000-8000-000000000000"  # made on 2025-10-13
    old_turn, own_turn = (
        encoded({"timestamp": "2025-10-01T09:00:01Z", "type": "event_msg", "payload": {"type": "task_started", "started_at": at}})
        for at in (1_700_000_000, 1_759_309_260)
    )
    context = encoded({"timestamp": "2025-10-01T09:00:01Z", "type": "turn_context", "payload": {"model": "m", "turn_id": new_id}})
    begun = header(at="2025-10-01T09:00:00Z", forked_from_id="t-0")
    lines = [begun, old_turn, context, total(500, 0, 50), own_turn, context, total(520, 0, 52)]

    assert [each.tokens.input for each in usage(ADAPTER, PATH, lines)] == [20]


def test_a_copied_message_does_not_end_the_copy() -> None:
    """A subagent's copy may hold the message that woke its parent; the older turn after it shows that the copy goes on."""
    woken = encoded({"timestamp": "2026-09-01T09:00:00Z", "type": "inter_agent_communication", "payload": {"trigger_turn": True}})
    old_turn, own_turn = (
        encoded({"timestamp": "2026-09-01T09:00:01Z", "type": "event_msg", "payload": {"type": "task_started", "started_at": at}})
        for at in (1_788_000_000, 1_788_253_260)
    )
    source = {"subagent": {"thread_spawn": {"parent_thread_id": "t-0", "depth": 2}}}
    lines = [header(forked_from_id="t-0", source=source), woken, old_turn, total(500, 0, 50), woken, own_turn, total(520, 0, 52)]

    assert [each.tokens.input for each in usage(ADAPTER, PATH, lines)] == [20]


@pytest.mark.parametrize(("spawned", "woke"), [(True, False), (True, None), (False, True)])
def test_only_the_message_that_wakes_a_subagent_ends_a_copy(spawned: bool, woke: bool | None) -> None:
    """Messages between agents are many: one that starts no turn, or in a person's fork, is part of what was copied."""
    source = {"subagent": {"thread_spawn": {"parent_thread_id": "t-0", "depth": 1}}} if spawned else "cli"
    message = encoded({"timestamp": "2026-09-01T09:00:00Z", "type": "inter_agent_communication", "payload": {"trigger_turn": woke}})
    own_turn = encoded(
        {"timestamp": "2026-09-01T09:00:01Z", "type": "event_msg", "payload": {"type": "task_started", "started_at": 1_788_253_260}}
    )
    lines = [header(forked_from_id="t-0", source=source), message, total(500, 0, 50), own_turn, total(520, 0, 52)]

    assert [each.tokens.input for each in usage(ADAPTER, PATH, lines)] == [20]


def test_another_threads_record_does_not_end_a_copy() -> None:
    """A record of the thread's own shows that its own part has begun; one of another thread counts for itself, as a copy."""
    payload = {"thread_id": "t-0", "response_id": "resp_0", "usage": counters(7, 0, 3)}
    record = encoded({"timestamp": "2026-09-01T09:00:00Z", "type": "token_usage_record", "payload": payload})
    own_turn = encoded(
        {"timestamp": "2026-09-01T09:00:01Z", "type": "event_msg", "payload": {"type": "task_started", "started_at": 1_788_253_260}}
    )
    lines = [header(forked_from_id="t-0"), record, total(500, 0, 50), own_turn, total(520, 0, 52)]

    assert [(each.tokens.input, each.extra) for each in usage(ADAPTER, PATH, lines)] == [(7, {"replay": "unresolved"}), (20, {})]


@pytest.mark.parametrize(("source", "initiator"), [("compact", "task"), ("review", "task"), ("cli", "main"), (None, "main"), ([], "main")])
def test_a_word_tells_who_started_a_thread(source: object, initiator: str) -> None:
    """What Codex starts by itself is mostly written as an object, and as a plain word by some builds."""
    (call,) = usage(ADAPTER, PATH, [header(source=source), total(10, 0, 1)])

    assert call.initiator == initiator


def test_no_time_span_decides_what_is_a_copy() -> None:
    """Own calls in the second of the fork count: nothing is dropped because it is stamped alike."""
    lines = [header(), *(total(100 * number, 0, number, at="2026-09-01T09:00:00Z") for number in (1, 2, 3))]

    assert len(usage(ADAPTER, PATH, lines)) == 3


@pytest.mark.parametrize(
    ("environ", "homes"),
    [
        ({}, [("/home/u/.codex", False)]),
        ({"CODEX_HOME": ""}, [("/home/u/.codex", False)]),
        ({"CODEX_HOME": "/a, /b ,"}, [("/a", True), ("/b", True)]),
    ],
)
def test_homes(environ: dict[str, str], homes: list[tuple[str, bool]]) -> None:
    """CODEX_HOME may list several folders; without it there is one."""
    assert [(each.path, each.named) for each in ADAPTER.homes(environ, "/home/u")] == homes


def test_identity_ignores_where_a_file_lies() -> None:
    """Archived, renamed or copied to another folder, a rollout holds the same calls; even one without a header."""
    for lines in ([header(), total(10, 0, 1)], [total(10, 0, 1)]):
        there = usage(ADAPTER, "archived_sessions/rollout-2026-09-01T09-00-00-t-1.jsonl.zst", lines)
        assert [each.key for each in usage(ADAPTER, PATH, lines)] == [each.key for each in there]


def test_state_stays_small() -> None:
    """What is remembered between two lines does not grow with the file, however many forks it descends from."""
    lines = [header(forked_from_id="p-0"), *(header(f"p-{number}", forked_from_id=f"p-{number + 1}") for number in range(40))]
    lines += [total(10 * number, number, number) for number in range(1, 2_000)]
    state = ADAPTER.start(Place(path=PATH, root="/r", head=b"\n".join(lines)[:65536]))
    for line in lines:
        state, _ = ADAPTER.step(state, line)

    assert len(state.ancestors) == MAX_ANCESTORS
    assert len(ADAPTER.dump(state)) < 400


def test_a_step_leaves_the_state_it_was_given() -> None:
    """The fold is pure: the same state and line give the same events again."""
    state = ADAPTER.start(Place(path=PATH, root="/r"))
    state, _ = ADAPTER.step(state, header())

    assert ADAPTER.step(state, total(10, 0, 1)) == ADAPTER.step(state, total(10, 0, 1))


@given(
    grown=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)), max_size=30),
    repeats=st.lists(st.integers(0, 2), min_size=30, max_size=30),
)
@settings(deadline=None)
def test_calls_sum_up_to_the_running_total(grown: list[tuple[int, int, int]], repeats: list[int]) -> None:
    """However often a total is repeated, the calls of a thread that was never reset sum up to its last total."""
    prompt = cached = output = 0
    lines = [header()]
    for fresh, reused, completion in grown:
        prompt, cached, output = prompt + fresh + reused, cached + reused, output + completion
        lines += [total(prompt, cached, output)] * (1 + repeats[len(lines) % 30])

    calls = usage(ADAPTER, PATH, lines)

    assert sum(each.tokens.input + each.tokens.cache_read for each in calls) == prompt
    assert sum(each.tokens.cache_read for each in calls) == cached
    assert sum(each.tokens.output for each in calls) == output
    assert len({each.key for each in calls}) == len(calls)


class Family:
    """Threads that descend from one another, as a build of Codex writes them that marks turns (`marks`) or one that does not."""

    def __init__(self, marks: bool, headers: bool) -> None:
        self.marks = marks
        self.headers = headers
        self.lines: list[list[bytes]] = []
        self.totals: list[list[tuple[int, int]]] = []
        """(prompt, output) after each call that a file holds, copies first."""
        self.own: list[list[int]] = []
        """Prompt tokens of each thread's own calls."""

    def add(self, parent: int | None, copied: int, count: int) -> None:
        """A thread that copies the first calls of its parent and goes on with `count` of its own, none as large as any sum of others."""
        number, history = len(self.lines), [] if parent is None else self.totals[parent][:copied]
        before_it = sum(map(len, self.own))
        calls = [1 << (before_it + call) for call in range(count)]
        at = datetime(2026, 9, 1 + number, tzinfo=UTC)
        lines = [header(f"t-{number}", at.isoformat(), **({} if parent is None else {"forked_from_id": f"t-{parent}"}))]
        if parent is not None:
            kept = [line for line in self.lines[parent] if self.headers or b"session_meta" not in line]
            ends = [index for index, line in enumerate(kept) if b"token_count" in line][: len(history)]
            lines += [encoded(json.loads(line) | {"timestamp": at.isoformat()}) for line in kept[: ends[-1] + 1 if ends else 0]]
        totals = list(history)
        for call in calls:
            before = totals[-1] if totals else (0, 0)
            totals.append((before[0] + call, before[1] + 1))
            if self.marks:
                payload = {"type": "task_started", "turn_id": "t", "started_at": int(at.timestamp()) + 60}
                lines.append(encoded({"timestamp": at.isoformat(), "type": "event_msg", "payload": payload}))
            lines.append(total(totals[-1][0], 0, totals[-1][1], at=at.isoformat()))
        self.lines.append(lines)
        self.totals.append(totals)
        self.own.append(calls)


@st.composite
def families(draw: st.DrawFn) -> Family:
    family = Family(draw(st.booleans()), draw(st.booleans()))
    calls = st.integers(1, 5)
    family.add(None, 0, draw(calls))
    for number in range(draw(st.integers(1, 5))):
        parent = draw(st.integers(0, number))
        family.add(parent, draw(st.integers(0, len(family.totals[parent]))), draw(calls))
    return family


@given(family=families(), data=st.data())
@settings(deadline=None, max_examples=times(150))
def test_a_family_counts_every_call_once(family: Family, data: st.DataObject) -> None:
    """Forks of forks, with and without marks and copied headers, read in any order: each call counts once, for the thread that made it."""
    order = data.draw(st.permutations(range(len(family.lines))))

    calls = calls_of([batch_of(usage(ADAPTER, PATH, family.lines[number])) for number in order])

    found: dict[Any, list[int]] = {f"t-{number}": [] for number in range(len(family.lines))}
    for call in calls:
        found[call["session"]].append(call["input"])
    assert {thread: sorted(each) for thread, each in found.items()} == {
        f"t-{number}": sorted(each) for number, each in enumerate(family.own)
    }


@given(family=families(), data=st.data())
@settings(deadline=None)
def test_what_forks_hold_of_a_lost_root_counts_once(family: Family, data: st.DataObject) -> None:
    """With the root gone its calls count once where a fork's copy is unresolved, and not where the copy is proven."""
    order = data.draw(st.permutations(range(1, len(family.lines))))
    held = {after[0] - before[0] for each in family.totals[1:] for before, after in itertools.pairwise([(0, 0), *each])}

    calls = calls_of([batch_of(usage(ADAPTER, PATH, family.lines[number])) for number in order])

    proven = set(family.own[0]) if family.marks else set()
    assert sorted(call["input"] for call in calls) == sorted(held - proven)


def test_a_line_of_conversation_is_never_usage() -> None:
    """Text that quotes a usage line stays text, compact or spaced, broken or whole."""
    quoted = json.loads(total(10, 0, 1))
    for line in (
        encoded(
            {
                "timestamp": "2026-09-01T09:00:05Z",
                "type": "response_item",
                "payload": {"type": "message", "content": encoded(quoted).decode()},
            }
        ),
        json.dumps({"type": "response_item", "payload": {"info": quoted["payload"]["info"], "type": "token_count"}}).encode(),
        b'{"type":"response_item","payload":{"type":"token_count"',
    ):
        assert stepped(ADAPTER, PATH, [header(), line])[1] == []


def test_a_tier_that_was_asked_for_is_kept_beside() -> None:
    """The tier a thread asks for is no fact of the bill: it is kept apart, and only where it is not the usual one."""

    def settings_with(tier: str | None) -> bytes:
        payload = {"type": "thread_settings_applied", "thread_settings": {"service_tier": tier}}
        return encoded({"timestamp": "2026-09-01T09:00:01Z", "type": "event_msg", "payload": payload})

    lines = [header(), settings_with("priority"), total(10, 0, 1), settings_with("default"), total(20, 0, 2)]

    assert [(each.tier, each.extra) for each in usage(ADAPTER, PATH, lines)] == [(None, {"asked_tier": "priority"}), (None, {})]


@pytest.mark.parametrize(("in_between", "count"), [("nothing", 1), ("turn", 2), ("sum", 2), ("another sum", 1)])
def test_a_record_explains_one_total(in_between: str, count: int) -> None:
    """A record of a response that looks like the one before is its own call, once a new turn or its sum over the thread says so; a sum
    that knows of other totals than the file says nothing."""
    usage_of = counters(100, 0, 10)
    payload = {"thread_id": "t-1", "response_id": "resp_2", "usage": usage_of}
    if in_between == "sum":
        payload["thread_token_usage"] = counters(200, 0, 20)
    if in_between == "another sum":
        payload["thread_token_usage"] = counters(900, 0, 90)
    record = encoded({"timestamp": "2026-09-01T09:00:09Z", "type": "token_usage_record", "payload": payload})
    turn = encoded({"timestamp": "2026-09-01T09:00:08Z", "type": "turn_context", "payload": {"model": "m"}})
    lines = [header(), total(100, 0, 10), *([turn] if in_between == "turn" else []), record, total(200, 0, 20)]

    calls = calls_of([batch_of(usage(ADAPTER, PATH, lines))])

    assert len(calls) == count


@pytest.mark.parametrize(("held", "initiator"), [(True, "main"), (False, "task")])
def test_only_a_record_that_no_total_holds_is_a_compaction_s(held: bool, initiator: str) -> None:
    """What a running total accounts for was asked by whoever asked the turn, though the thread is compacted right after."""
    payload = {"thread_id": "t-1", "response_id": "resp_1", "usage": counters(100, 0, 10)}
    record = encoded({"timestamp": "2026-09-01T09:00:09Z", "type": "token_usage_record", "payload": payload})
    compacted = encoded({"timestamp": "2026-09-01T09:00:10Z", "type": "compacted", "payload": {"message": ""}})
    lines = [header(), record, *([total(100, 0, 10)] if held else []), compacted]

    (call,) = calls_of([batch_of(usage(ADAPTER, PATH, lines))])

    assert (call["input"], call["output"], call["initiator"]) == (100, 10, initiator)


def test_reasoning_is_never_more_than_the_completion() -> None:
    """Files of other programs count reasoning apart: of ten tokens no more than ten were thought."""
    (call,) = usage(ADAPTER, PATH, [header(), total(0, 0, 0, total_token_usage=counters(100, 0, 10, 50))])

    assert (call.tokens.output, call.reasoning) == (10, 10)


@pytest.mark.parametrize("part", ["cached_input_tokens", "cache_write_input_tokens", "reasoning_output_tokens"])
@pytest.mark.parametrize("untold", [{}, {"null": None}])
def test_a_part_that_a_total_does_not_tell_has_not_fallen(part: str, untold: dict[str, None]) -> None:
    """A thread that goes on in a build that knows no such part goes on; only what is told to be lower begins anew."""
    first, second, third = ({"input_tokens": prompt, "output_tokens": output} for prompt, output in ((100, 30), (250, 40), (400, 60)))
    first[part], third[part] = 20, 25
    told = [{**each, **({part: None} if untold and part not in each else {})} for each in (first, second, third)]
    lines = [json.loads(total(0, 0, 0)) for _ in told]
    for line, counted in zip(lines, told, strict=True):
        line["payload"]["info"]["total_token_usage"] = counted
    found = [each.tokens for each in usage(ADAPTER, PATH, [header(), *map(encoded, lines)])]
    assert [each.input + each.cache_read + each.cache_write_5m for each in found] == [100, 150, 150]
    assert [each.output for each in found] == [30, 10, 20]


def test_a_total_that_fell_has_only_the_parts_that_it_tells() -> None:
    """A total that begins anew takes no part over from the one before."""
    lines = [json.loads(total(0, 0, 0)) for _ in range(2)]
    lines[0]["payload"]["info"]["total_token_usage"] = {"input_tokens": 100, "cached_input_tokens": 80, "output_tokens": 30}
    lines[1]["payload"]["info"]["total_token_usage"] = {"input_tokens": 50, "output_tokens": 5}
    found = [each.tokens for each in usage(ADAPTER, PATH, [header(), *map(encoded, lines)])]
    assert [(each.input, each.cache_read, each.output) for each in found] == [(20, 80, 30), (50, 0, 5)]


def test_a_total_that_is_its_last_response_alone_has_begun_anew() -> None:
    """Then a part that it does not tell is none, although the rest is no lower than before."""
    lines = [json.loads(total(0, 0, 0)) for _ in range(2)]
    lines[0]["payload"]["info"]["total_token_usage"] = {"input_tokens": 100, "cached_input_tokens": 80, "output_tokens": 30}
    lines[1]["payload"]["info"] = {name: {"input_tokens": 150, "output_tokens": 35} for name in ("total_token_usage", "last_token_usage")}
    found = [each.tokens for each in usage(ADAPTER, PATH, [header(), *map(encoded, lines)])]
    assert [(each.input, each.cache_read, each.output) for each in found] == [(20, 80, 30), (150, 0, 35)]


def test_a_total_that_grew_in_its_parts_alone_is_no_call() -> None:
    """After a compaction totals are filled up that nobody asked for: where neither prompt nor completion grew, nothing was used."""
    filled, later = (
        total(0, 0, 0, total_token_usage=counters(prompt, 0, output, 5) | {"total_tokens": 258_400})
        for prompt, output in ((100, 10), (130, 14))
    )
    lines = [header(), total(100, 0, 10), filled, later]

    assert [(each.tokens.input, each.tokens.output) for each in usage(ADAPTER, PATH, lines)] == [(100, 10), (30, 4)]
    assert others(ADAPTER, PATH, lines) == []


def test_a_record_that_contradicts_itself_is_rejected_once() -> None:
    """A record whose cached tokens exceed its prompt is no call, and the compaction after it tells of nothing."""
    payload = {"thread_id": "t-1", "response_id": "resp_1", "usage": counters(100, 200, 10)}
    record = encoded({"timestamp": "2026-09-01T09:00:09Z", "type": "token_usage_record", "payload": payload})
    compacted = encoded({"timestamp": "2026-09-01T09:00:10Z", "type": "compacted", "payload": {"message": ""}})

    assert others(ADAPTER, PATH, [header(), record, compacted]) == ["inconsistent"]
    assert usage(ADAPTER, PATH, [header(), record, compacted]) == []


def test_a_printed_turn_without_a_time_is_rejected() -> None:
    """What `codex exec --json` printed is dated by its thread's id; an id that holds no time leaves it undated, so it is no event."""
    printed = [
        encoded({"type": "thread.started", "thread_id": "t-1"}),
        encoded({"type": "turn.completed", "usage": {"input_tokens": 10, "output_tokens": 1}}),
    ]

    assert usage(ADAPTER, PATH, printed) == []
    assert others(ADAPTER, PATH, printed) == ["bad_timestamp"]


def test_parents_are_named_without_titles() -> None:
    """A subagent's parent is known though it has no name."""
    place = Place(path=PATH, root="/r")

    assert ADAPTER.sessions(place, header(parent_thread_id="t-0"), b"") == [SessionInfo(agent="codex", session="t-1", parent="t-0")]


@pytest.mark.parametrize(("named", "provider"), [("ringlet-openrouter", "openrouter"), ("ringlet", None), ("openai", "openai")])
def test_an_entry_of_ringlet_s_means_the_provider_behind_it(named: str, provider: str | None) -> None:
    """What a run of a profile told Codex to call its provider is no provider's name."""
    lines = [header(model_provider=named), total(100, 10, 5)]

    assert [event.provider for event in usage(ADAPTER, PATH, lines)] == [provider]


def test_a_total_without_classes_is_offered_but_never_an_event() -> None:
    """The thread database has one number per thread: its sum can be compared with the log, no token class can be given it."""
    row = {"id": "t-9", "created_at": 1_788_253_200, "tokens_used": 500, "model_provider": "openai", "cwd": "/w/app", "name": None}
    record = msgspec.json.encode({"table": "threads", "row": row}, order="deterministic")

    began_at = datetime(2026, 9, 1, 9, tzinfo=UTC)

    assert thread_total(record) == ThreadTotal(session="t-9", tokens=500, at=began_at, provider="openai", project="/w/app")
    assert (lost([record], {"t-8"}), lost([record], {"t-9"})) == ([thread_total(record)], [])
    assert not any(isinstance(event, UsageEvent) for event in stepped(ADAPTER, "state_5.sqlite", [record])[0])
    assert "title" not in THREADS.columns

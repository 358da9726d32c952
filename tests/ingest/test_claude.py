"""How Claude Code's transcripts become events, beyond the cases of `data-fixtures/claude`: homes, owners, identities, known good files."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapter import Place
from ingest.adapters.claude import ADAPTER, NEEDLE, file_of, home_of
from ingest.adapters.claude_call import hops_of, split_of, split_of_hop, writes_placeholders
from ingest.adapters.claude_line import CacheCreation, Iteration, Message, Usage
from pipeline.batch import Batch
from pipeline.events import Event, Rejected, Seen, Tokens, UsageEvent
from tests.contracts.model import COUNTERS, calls_of

REAL = Path(__file__).parents[2] / ".." / "shared" / "fixtures" / "real" / "claude"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the recorded transcripts are not here")


def record(**changes: Any) -> dict[str, Any]:
    """An assistant's line as Claude Code 2.1 writes it."""
    usage = {"input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 40, "output_tokens": 530}
    message = {"id": "msg_A", "model": "claude-opus-5", "stop_reason": "end_turn", "content": [], "usage": usage | changes.pop("usage", {})}
    return {
        "type": "assistant",
        "uuid": "u-2",
        "sessionId": "s-1",
        "timestamp": "2026-09-01T10:00:05.120Z",
        "cwd": "/w/app",
        "version": "2.1.240",
        "requestId": "req_A",
        "isSidechain": False,
        "message": message | changes.pop("message", {}),
        **changes,
    }


def step(value: object, path: str = "projects/-w-app/s-1.jsonl", head: bytes = b"") -> list[Event]:
    """What one line says at the beginning of a file."""
    line = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ADAPTER.step(ADAPTER.start(Place(path=path, root="/home/ada/.claude", head=head)), line)[1]


def event(value: object, path: str = "projects/-w-app/s-1.jsonl", head: bytes = b"") -> UsageEvent:
    """The one call of a line."""
    (found,) = step(value, path, head)
    assert isinstance(found, UsageEvent)
    return found


def calls_under(folder: Path, *, skip: str = "") -> list[dict[str, Any]]:
    """The calls of all transcripts below `folder`, read as a home without `projects/`."""
    batch = Batch()
    for path in sorted(folder.rglob("*.jsonl")):
        if skip and skip in path.name:
            continue
        text = path.read_bytes()
        state = ADAPTER.start(Place(path=path.relative_to(folder).as_posix(), root=str(folder), head=text[: 64 << 10]))
        for line in text.split(b"\n")[:-1]:
            state, events = ADAPTER.step(state, line)
            batch.add((each for each in events if isinstance(each, UsageEvent)), root=str(folder), source=1, offset=0, length=len(line))
    return calls_of([batch])


def counters(calls: list[dict[str, Any]]) -> list[tuple[int, ...]]:
    return sorted(tuple(call[name] for name in COUNTERS) for call in calls)


@pytest.mark.parametrize(
    ("environ", "folders"),
    [
        ({}, ["/h/.config/claude", "/h/.claude", "/h/.config/Claude", "/h/Library/Application Support/Claude"]),
        ({"XDG_CONFIG_HOME": "/x"}, ["/x/claude", "/h/.claude", "/x/Claude", "/h/Library/Application Support/Claude"]),
        ({"CLAUDE_CONFIG_DIR": "/a"}, ["/a", "/h/.config/Claude", "/h/Library/Application Support/Claude"]),
        ({"CLAUDE_CONFIG_DIR": " ,"}, ["/h/.config/claude", "/h/.claude", "/h/.config/Claude", "/h/Library/Application Support/Claude"]),
        (
            {"CLAUDE_CONFIG_DIR": "/a/, ~/work ,~,/b/projects,/b/projects/,/a"},
            ["/a", "/h/work", "/h", "/b", "/h/.config/Claude", "/h/Library/Application Support/Claude"],
        ),
        (
            {"CLAUDE_CONFIG_DIR": "/a", "APPDATA": "C:/R", "LOCALAPPDATA": "C:/L"},
            [
                "/a",
                "/h/.config/Claude",
                "/h/Library/Application Support/Claude",
                "C:/R/Claude",
                "C:/L/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude",
            ],
        ),
    ],
)
def test_homes(environ: dict[str, str], folders: list[str]) -> None:
    """Both folders of Claude Code, or those that CLAUDE_CONFIG_DIR lists (`~` expanded, `projects` folders too), and Desktop's."""
    assert [home.path for home in ADAPTER.homes(environ, "/h")] == folders


def test_only_homes_that_the_user_listed_are_missed() -> None:
    """A folder of CLAUDE_CONFIG_DIR that is not there is worth a message; a default one is not."""
    homes = ADAPTER.homes({"CLAUDE_CONFIG_DIR": "/a,~/b/projects"}, "/h")

    assert [home.path for home in homes if home.named] == ["/a", "/h/b"]
    assert not [home for home in ADAPTER.homes({}, "/h") if home.named]
    assert home_of("/", "/h").path == "/"


@pytest.mark.parametrize(
    ("path", "session", "initiator", "depth"),
    [
        ("projects/-w/s-1.jsonl", "s-1", "main", 3),
        ("projects/-w/s-1/subagents/agent-0a.jsonl", "s-1", "subagent", 5),
        ("projects/-w/s-1/subagents/workflows/wf-1/agent-0b.jsonl", "s-1", "subagent", 7),
        ("projects/-w/s-1/subagents/agent-acompact-0c.jsonl", "s-1", "task", 5),
        ("projects/-w/s-1/subagents/agent-aextract_memories-0d.jsonl", "s-1", "memory", 5),
        ("projects/-w/agent-0e.jsonl", None, "subagent", 3),
        ("projects/-w-memory-game/s-1.jsonl", "s-1", "main", 3),
    ],
)
def test_the_path_tells_session_and_initiator(path: str, session: str | None, initiator: str, depth: int) -> None:
    """A transcript is named after its session, a subagent's lies below it; a project's name says nothing."""
    file = file_of(Place(path=path, root="/home/ada/.claude"))

    assert (file.session, file.initiator, file.depth) == (session, initiator, depth)


def test_the_session_begins_with_the_first_time_in_the_file() -> None:
    """Lines without a time come first in many transcripts; the first time that is one counts, wherever it stands in its line."""
    lines = (
        b'{"type":"mode"}',
        b'{"timestamp":"[none]"}',
        b'{"snapshot":{"timestamp" :\t"2026-09-01T09:00:00Z"}}',
        b'{"timestamp":"2026-09-01T10:00:00Z"}',
    )
    head = b"\n".join(lines)

    assert file_of(Place(path="projects/-w/s-1.jsonl", root="/", head=head)).start_us == 1_788_253_200_000_000
    assert (
        file_of(Place(path="projects/-w/s-1.jsonl", root="/", head=b'{"a":"\\"timestamp\\":\\"2026-01-01T00:00:00Z\\""}')).start_us is None
    )


def test_a_file_without_a_time_yet_remembers_nothing() -> None:
    """Until a transcript has named a time its state is empty, so that the next look begins anew and learns when the session began."""
    early = ADAPTER.start(Place(path="projects/-w/s-1.jsonl", root="/", head=b'{"type":"mode"}\n'))
    late = ADAPTER.start(Place(path="projects/-w/s-1.jsonl", root="/", head=b'{"timestamp":"2026-09-01T10:00:00Z"}\n'))

    assert ADAPTER.dump(early) == b""
    assert ADAPTER.load(ADAPTER.dump(late)) == late


def test_a_copy_without_ids_is_the_call_of_the_line_that_it_names() -> None:
    """A reply that no provider gave an id is known by its line; a fork's copy has a line of its own and names the original's."""
    bare: dict[str, Any] = {"requestId": None, "message": {"id": None}}
    original = event(record(uuid="u-1", **bare))
    copy = event(record(uuid="u-2", sessionId="s-2", forkedFrom={"sessionId": "s-1", "messageUuid": "u-1"}, **bare))
    damaged = record(uuid="u-3", cwd="\ud800", forkedFrom={"sessionId": "s-1", "messageUuid": "u-1"}, **bare)

    assert original.aliases == ()
    assert (copy.key != original.key, copy.aliases) == (True, (original.key,))
    assert event(damaged).aliases == (original.key,)


def test_owners_are_ordered_by_how_they_came_by_a_call() -> None:
    """Not copied before copied, main before sidechain, the shorter path, the earlier session."""
    early, late = b'{"timestamp":"2026-09-01T08:00:00Z"}', b'{"timestamp":"2026-09-01T09:00:00Z"}'
    sub = "projects/-w/s-1/subagents/agent-1.jsonl"

    ranks = [
        event(record(), head=early).owner_rank,
        event(record(), head=late).owner_rank,
        event(record(), "projects/-w/x/chat.jsonl", early).owner_rank,
        event(record(isSidechain=True), head=early).owner_rank,
        event(record(isSidechain=True), sub, early).owner_rank,
        event(record(forkedFrom={"sessionId": "s-0"}), head=early).owner_rank,
    ]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


@pytest.mark.parametrize("field", ["version", "model", "service_tier"])
def test_records_that_say_something_else_are_ranked_apart(field: str) -> None:
    """Of two records that differ in nothing but a text, the same one counts in every order: no two of a thousand such have one rank."""

    def saying(text: str) -> dict[str, Any]:
        if field == "version":
            return record(version=text)
        return record(message={"model": text}) if field == "model" else record(usage={"service_tier": text})

    assert len({event(saying(f"9.9.{number}")).rank for number in range(1000)}) == 1000


def test_a_record_ranks_by_stop_reason_then_output_then_time() -> None:
    """A record with a stop reason beats any without, then the larger output, then the later line; equal ranks say the same."""
    ranks = [
        event(record(message={"stop_reason": None})).rank,
        event(record(message={"stop_reason": None}, usage={"output_tokens": 900})).rank,
        event(record(usage={"output_tokens": 529})).rank,
        event(record()).rank,
        event(record(timestamp="2026-09-01T10:00:06Z")).rank,
    ]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)
    assert event(record(usage={"speed": "fast"})).rank != event(record()).rank
    assert event(record(uuid="another", cwd="/elsewhere")).rank == event(record()).rank


def test_identity_is_what_the_provider_wrote() -> None:
    """Path, line, session, project and time of a record are no part of its identity; its ids are."""
    plain = event(record())

    assert event(record(sessionId="s-9", cwd="/x", uuid="u-9", timestamp=1_788_260_000), "projects/-x/s-9.jsonl").key == plain.key
    assert event(record(requestId="req_B")).key != plain.key
    assert event(record(message={"id": "msg_B"})).key != plain.key


def test_a_branch_is_known_by_its_head_also_where_texts_in_it_are_damaged() -> None:
    """`/branch` writes a line twice, at first without saying that it is copied: half an emoji in the line that says it hides nothing."""
    unsaid = json.dumps(record(sessionId="s-2")).encode()
    said = json.dumps(record(sessionId="s-2", forkedFrom={"sessionId": "s-1", "messageUuid": "u-2"}, slug="\ud83d")).encode()
    head = unsaid + b"\n" + said + b"\n"

    assert event(unsaid, "projects/-w-app/s-2.jsonl", head).owner_rank > event(record()).owner_rank
    assert event(unsaid, "projects/-w-app/s-2.jsonl", head).owner_rank >= 1 << 62


def test_what_a_fork_may_have_copied_belongs_to_the_session_that_began_before_it() -> None:
    """Beyond the lines that are known for copies, a fork's line claims its call only from the last of those on."""
    began = record(timestamp="2026-09-01T09:00:00Z")
    forked = record(timestamp="2026-09-01T09:00:07Z", sessionId="s-2", forkedFrom={"sessionId": "s-1", "messageUuid": "u-1"})
    heads = [b"".join(json.dumps(each).encode() + b"\n" for each in head) for head in ([began], [began, forked])]

    for session in ("0", "s-2", "s-3", "zz"):
        original = event(record(), "projects/-w-app/s-1.jsonl", heads[0])
        branch = event(record(sessionId=session), f"projects/-w-app/{session}.jsonl", heads[1])

        assert branch.key == original.key
        assert branch.owner_rank > original.owner_rank
        assert branch.owner_rank < 1 << 62


def test_a_copy_that_leaves_out_how_long_cache_writes_live_gives_way() -> None:
    """Of two records that agree in output and time the one with the breakdown counts: an hour's writes stay an hour's, whatever the ids."""
    for n in range(20):
        told = {"cache_creation_input_tokens": 50 + n, "cache_creation": {"ephemeral_1h_input_tokens": 50 + n}}
        untold = {"cache_creation_input_tokens": 50 + n}

        assert event(record(usage=told, message={"id": f"m{n}"})).rank > event(record(usage=untold, message={"id": f"m{n}"})).rank


def test_a_further_call_inside_a_reply_repeats_nothing_of_the_reply() -> None:
    """Searches, thinking, a stated cost and the time that all took are the reply's own: an advisor's call has none of them again."""
    advisor = {"type": "advisor_message", "model": "claude-fable-5", "input_tokens": 9, "output_tokens": 8}
    tools, thought = {"web_search_requests": 2}, {"thinking_tokens": 30}
    line = record(
        usage={"iterations": [advisor], "server_tool_use": tools, "output_tokens_details": thought}, costUSD=0.25, durationMs=1200
    )
    said = [
        (each.web_searches, each.reasoning, each.logged_cost_usd, each.logged_cost_basis, each.duration_ms)
        for each in step(line)
        if isinstance(each, UsageEvent)
    ]

    assert said == [(2, 30, Decimal("0.25"), "provider", 1200), (0, None, None, None, None)]


def test_a_line_in_a_subagents_file_is_a_sidechains() -> None:
    """Where a file lies says so, even where its lines do not: its replay of a parent's reply is found by the prompt."""
    line = record(isSidechain=False)
    below, beside = event(line, "projects/-w-app/s-1/subagents/agent-1.jsonl"), event(line, "projects/-w-app/x/y/s-1.jsonl")

    assert (len(below.aliases), len(beside.aliases)) == (1, 0)
    assert below.owner_rank > beside.owner_rank


def test_a_hop_of_a_reply_without_a_model_has_none() -> None:
    """An empty model is no model, for a compaction inside a reply as for the reply."""
    compaction = {"type": "compaction", "model": "", "input_tokens": 9, "output_tokens": 8}
    found = step(record(message={"model": ""}, usage={"iterations": [{"type": "message"}, compaction]}))
    assert [each.model for each in found if isinstance(each, UsageEvent)] == [None, None]


def test_a_further_call_inside_a_reply_is_named_by_its_position() -> None:
    """An advisor's call has an identity of its own, the same in every line of the reply."""
    advisor = {"type": "advisor_message", "model": "claude-fable-5", "input_tokens": 9, "output_tokens": 8}
    first = [each for each in step(record(usage={"iterations": [{"type": "message"}, advisor]})) if isinstance(each, UsageEvent)]
    again = [each for each in step(record(usage={"iterations": [None, advisor | {"output_tokens": 9}]})) if isinstance(each, UsageEvent)]

    assert len({each.key for each in first}) == 2
    assert first[1].tokens == Tokens(input=9, output=8)
    assert first[1].extra == {"iteration": "it1"}
    assert [each.key for each in again] == [each.key for each in first]


@pytest.mark.parametrize(
    ("version", "placeholders"),
    [
        ("2.1.96", True),
        ("2.1.97", False),
        ("2.1.240", False),
        ("2.2.0", False),
        ("1.0.128", True),
        ("2.0", True),
        ("next", False),
        (None, False),
    ],
)
def test_versions_that_wrote_placeholders(version: str | None, placeholders: bool) -> None:
    """Before 2.1.97 the output of a line without a stop reason was a placeholder; of an unknown version nothing is claimed."""
    assert writes_placeholders(version) is placeholders


def test_a_fallback_counts_what_was_written_before_it_only_where_the_top_level_leaves_it_out() -> None:
    """If the top level already adds the declined hop up, it is no call of its own."""
    hops = [
        Iteration(type="message", model="a", input_tokens=1, output_tokens=2),
        Iteration(type="fallback_message", model="b", input_tokens=3, output_tokens=4),
    ]

    def hidden(usage: Usage) -> list[str | None]:
        return [model for _, _, model in hops_of(Message(model="a", usage=usage), usage)]

    assert hidden(Usage(input_tokens=3, output_tokens=4, iterations=hops)) == ["a"]
    assert hidden(Usage(input_tokens=4, output_tokens=6, iterations=hops)) == []


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"])
def test_only_an_iteration_that_equals_the_top_level_splits_its_cache_writes(name: str) -> None:
    """600 written, 100 of them for five minutes and 500 for an hour, says the last iteration that agrees; a later one is another's."""
    whole: dict[str, Any] = {"input_tokens": 7, "output_tokens": 9, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 600}
    hops = [
        Iteration(**whole, cache_creation=CacheCreation(100, 500)),
        Iteration(**whole | {name: whole[name] + 1}, cache_creation=CacheCreation(600, 0)),
    ]
    split = split_of(Usage(**whole, cache_creation=CacheCreation(300, 500), iterations=hops))

    assert (split.cache_write_5m, split.cache_write_1h, split.ttl_known) == (100, 500, True)


def test_a_call_inside_a_reply_splits_its_writes_itself() -> None:
    """100 for five minutes and 500 for an hour, where nothing says otherwise; a sum that they are not is right, and all of it is 5m."""
    parts = CacheCreation(100, 500)
    splits = [split_of_hop(Iteration(cache_creation_input_tokens=flat, cache_creation=parts)) for flat in (None, 600, 700)]

    assert [(each.cache_write_5m, each.cache_write_1h, each.ttl_known) for each in splits] == [
        (100, 500, True),
        (100, 500, True),
        (700, 0, False),
    ]


@pytest.mark.parametrize(
    ("said", "initiator"),
    [
        ({"isCompactSummary": True}, "task"),
        ({"isSidechain": True, "agentId": "acompact-3f"}, "task"),
        ({"isSidechain": True, "agentId": "a3f"}, "subagent"),
        ({"entrypoint": "memory-extraction"}, "memory"),
        ({"isSidechain": True, "attributionAgent": "Memory"}, "memory"),
        ({"entrypoint": "cli", "attributionAgent": "reviewer"}, "main"),
    ],
)
def test_the_line_tells_the_initiator(said: dict[str, Any], initiator: str) -> None:
    """Wherever it stands, a line that speaks of compaction is a task's, and one that names memory is memory's."""
    assert event(record(**said)).initiator == initiator


@given(
    flat=st.none() | st.integers(0, 9),
    short=st.none() | st.integers(0, 9),
    long=st.none() | st.integers(0, 9),
    inner=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_cache_writes_add_up_to_the_flat_count(
    flat: int | None, short: int | None, long: int | None, inner: tuple[int, int] | None
) -> None:
    """Whatever the breakdowns say, 5m + 1h is the flat count where there is one, and an unknown split is all in 5m."""
    hops = [Iteration(cache_creation_input_tokens=flat, output_tokens=1, cache_creation=CacheCreation(*inner))] if inner else None
    split = split_of(Usage(output_tokens=1, cache_creation_input_tokens=flat, cache_creation=CacheCreation(short, long), iterations=hops))

    assert split.cache_write_5m + split.cache_write_1h == ((short or 0) + (long or 0) if flat is None else flat)
    assert split.ttl_known or not split.cache_write_1h


@pytest.mark.parametrize(
    ("kind", "type", "counts"),
    [
        ("agent_progress", "assistant", True),
        ("agent_progress", None, True),
        ("agent_progress", "user", False),
        ("bash_progress", "assistant", False),
    ],
)
def test_only_a_subagents_own_record_is_repeated_by_progress(kind: str, type: str | None, counts: bool) -> None:
    """Other usage in a progress line is counted by name: nobody knows what it is of. A copy is its subagent's, at its own time."""
    copy = {"type": type, "timestamp": "2026-09-01T10:00:03.000Z", "requestId": "req_B", "message": record()["message"]}
    line = record(type="progress", data={"type": kind, "message": copy})
    del line["message"]
    (found,) = step(line)

    if counts:
        assert isinstance(found, UsageEvent)
        assert (found.initiator, found.request_id, found.at.second) == ("subagent", "req_B", 3)
        assert found.owner_rank > event(record(isSidechain=True)).owner_rank
    else:
        assert found == Seen(what="usage_on_another_type_of_line")


def test_no_text_of_a_prompt_leaves_the_adapter() -> None:
    """Contents of messages are in no event, no rejection and no counter."""
    secret = {"content": [{"type": "text", "text": "sk-hidden"}]}
    shown = [
        step(record(message=secret)),
        step(record(message=secret, timestamp="sk-hidden")),
        step(record(message=secret, type="sk-hidden")),
    ]

    assert [type(each) for (each,) in shown] == [UsageEvent, Rejected, Seen]
    assert "sk-hidden" not in repr(shown)


def test_a_rejected_line_says_how_much_it_claims() -> None:
    """What is lost to a missing time or a bad counter is told in tokens: 6 + 40 + 530."""
    assert step(record(timestamp=None)) == [Rejected(reason="bad_timestamp", tokens=576)]
    assert step(record(usage={"input_tokens": -6})) == [Rejected(reason="negative", tokens=570)]
    assert step(b'{"message":{"usage":{' + NEEDLE) == [Rejected(reason="unreadable", tokens=None)]


@pytest.mark.parametrize(
    "name", ["type", "uuid", "sessionId", "cwd", "gitBranch", "version", "entrypoint", "requestId", "agentId", "attributionAgent"]
)
@pytest.mark.parametrize("value", [None, 5, True, [], {}, "\ud83d"])
def test_an_odd_envelope_hides_no_usage(name: str, value: object) -> None:
    """Any field around the message may be of any type: the tokens still count."""
    if name == "type" and value == "\ud83d":
        assert step(record(type=value)) == [Seen(what="usage_on_another_type_of_line")]
    else:
        assert event(record(**{name: value})).tokens == Tokens(input=6, output=530, cache_read=40)


@pytest.mark.parametrize("value", [None, 0.0])
@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("input_tokens", Tokens(output=530, cache_read=40)),
        ("cache_creation_input_tokens", Tokens(input=6, output=530, cache_read=40)),
        ("cache_read_input_tokens", Tokens(input=6, output=530)),
        ("output_tokens", Tokens(input=6, cache_read=40)),
    ],
)
def test_a_counter_that_is_null_is_zero(name: str, value: object, tokens: Tokens) -> None:
    """A null counter takes nothing from the others; a zero written as 0.0 is the same zero."""
    assert event(record(usage={name: value})).tokens == tokens


@pytest.mark.parametrize("part", ["cache_creation", "server_tool_use", "output_tokens_details", "iterations", "service_tier", "speed"])
@pytest.mark.parametrize("value", [None, [], {}, "", 7, True])
def test_an_odd_part_of_a_usage_block_hides_no_tokens(part: str, value: object) -> None:
    """Whatever stands where a breakdown or a price attribute should be, the counters still count."""
    assert event(record(usage={part: value})).tokens == Tokens(input=6, output=530, cache_read=40)


@real
@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("toktrack", [(100, 50, 20, 10, 0), (150, 75, 0, 0, 0), (500, 200, 0, 0, 0)]),
        ("logpile/-tmp-demo", [(10, 5, 20, 0, 0), (100, 40, 300, 50, 150)]),
        ("logpile/claims", [(10, 40, 30, 20, 0)]),
        ("agentsview", [(10, 5, 0, 0, 0)]),
        ("ccusage", [(100, 50, 10, 25, 0), (200, 75, 20, 50, 0), (300, 125, 40, 0, 0)]),
        (
            "claude-code-log",
            [(20, 35, 0, 0, 0), (25, 35, 0, 0, 0), (25, 120, 0, 0, 0), (45, 85, 0, 0, 0), (45, 110, 0, 0, 0), (78, 95, 0, 0, 0)],
        ),
        ("agent-sessions", [(10, 5, 0, 0, 0)]),
    ],
)
def test_known_good_totals(place: str, wanted: list[tuple[int, ...]]) -> None:
    """Files of other projects give the values that their authors worked out (input, output, cache read, 5m, 1h)."""
    assert counters(calls_under(REAL / place)) == wanted


@real
def test_known_good_cache_split() -> None:
    """Of 600 cache writes 100 live 5 minutes and 500 an hour, though the breakdown beside them says 800."""
    (call,) = [each for each in calls_under(REAL / "logpile") if each["model"] == "claude-fable-5" and each["session"] == "cache-match"]

    assert (call["cache_write_5m"], call["cache_write_1h"], call["ttl_known"]) == (100, 500, True)


@real
def test_known_good_owners() -> None:
    """A call that two sessions hold is the parent's; a subagent's is a subagent's."""
    assert [call["session"] for call in calls_under(REAL / "logpile" / "claims")] == ["claim-parent"]
    assert sorted(str(call["initiator"]) for call in calls_under(REAL / "logpile" / "-tmp-demo")) == ["main", "subagent"]


@real
def test_known_good_costs() -> None:
    """Costs that old versions wrote are the provider's, to the digit."""
    assert sorted(str(call["logged_cost_usd"]) for call in calls_under(REAL / "ccusage")) == ["0.12", "0.34", "0.56"]
    assert {call["logged_cost_basis"] for call in calls_under(REAL / "ccusage")} == {"provider"}

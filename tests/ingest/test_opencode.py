"""How OpenCode's stores become calls, beyond the cases of `data-fixtures/opencode`: updates, orders of import, homes, recorded files."""

import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapter import Place
from ingest.adapters.opencode import ADAPTER, FIRST, SECOND
from ingest.adapters.opencode_call import session_began_us
from pipeline.rows import read_rows
from pipeline.sources import SessionInfo
from tests.contracts.model import calls_of
from tests.ingest.sightings import batch_of, by_session, encoded, others, stepped, usage

REAL = Path(__file__).parents[2] / ".." / "shared" / "fixtures" / "real" / "opencode"
FIXTURES = Path(__file__).parents[2] / "data-fixtures" / "opencode"
recorded = pytest.mark.skipif(not REAL.is_dir(), reason="the recorded files are not here")

CREATED_MS = 1_788_253_200_000
"""2026-09-01T09:00:00Z."""


def message(**changes: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        "modelID": "claude-opus-4-8",
        "providerID": "anthropic",
        "time": {"created": CREATED_MS, "completed": CREATED_MS + 9000},
        "tokens": {"total": 612, "input": 12, "output": 600, "cache": {"read": 0, "write": 0}},
        **changes,
    }


def row(id: str, data: object, *, table: str = "message", session: dict[str, Any] | None = None, **columns: Any) -> bytes:
    about = {"id": id, "session_id": "ses_a", "time_created": CREATED_MS, "data": json.dumps(data), **columns}
    return msgspec.json.encode({"table": table, "row": about, "session": session}, order="deterministic")


def tokens(output: int, reasoning: int | None = None, total: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"input": 100, "output": output, "cache": {"read": 0, "write": 0}}
    return found | ({} if reasoning is None else {"reasoning": reasoning}) | ({} if total is None else {"total": total})


def test_a_row_updated_while_the_reply_streams_is_one_call() -> None:
    """Output 0 with reasoning is a reply in the middle; the row's later state is the same call and replaces it."""
    early = row("msg_1", message(tokens=tokens(0, 40), time={"created": CREATED_MS}))
    final = row("msg_1", message(tokens=tokens(600, 188, 888)))

    for order in itertools.permutations((early, final)):
        (call,) = calls_of([batch_of(usage(ADAPTER, "opencode.db", order))])
        assert (call["input"], call["output"], call["reasoning"]) == (100, 788, 188)


@pytest.mark.parametrize("case", sorted(path.parent.name for path in FIXTURES.glob("*/expected.json")))
def test_case_databases_hold_what_their_sql_says(case: str, tmp_path: Path) -> None:
    """The databases among the cases can be read by eye: each equals the SQL beside it."""
    for number, script in enumerate(sorted((FIXTURES / case).glob("*.sql"))):
        built, kept = sqlite3.connect(tmp_path / f"{number}.db"), sqlite3.connect(FIXTURES / case / "home" / script.stem)
        built.executescript(script.read_text())

        assert list(kept.iterdump()) == list(built.iterdump())
        built.close()
        kept.close()


def test_every_order_of_forks_gives_the_same_calls(tmp_path: Path) -> None:
    """Sessions of both generations committed one by one in any order: each call is the first session's, parent or not."""
    for case, query, wanted in (
        ("first-forks", FIRST, {"ses_p": (3, 50, 0, 0, 500), "ses_f": (1, 30, 0, 0, 300)}),
        ("second-database", SECOND, {"ses_p": (3, 600, 1000, 50, 65), "ses_f": (1, 400, 0, 0, 40), "ses_g": (1, 500, 0, 0, 50)}),
    ):
        records = [record for _, record in read_rows(str(FIXTURES / case / "home" / "opencode.db"), query)]
        sessions = {
            name: [each for each in records if json.loads(each)["row"]["session_id"] == name] for name in ("ses_p", "ses_f", "ses_g")
        }
        for number, order in enumerate(itertools.permutations(sessions.items())):
            files = [("opencode.db", records) for _, records in order]
            assert by_session(tmp_path / f"{case}-{number}", ADAPTER, files) == wanted
        without_parent = [("opencode.db", sessions["ses_g"]), ("opencode.db", sessions["ses_f"])]
        found = by_session(tmp_path / f"{case}-gone", ADAPTER, without_parent)
        assert sum(each[0] for each in found.values()) == (3 if case == "first-forks" else 4)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=4, unique=True))
def test_the_name_of_a_call_does_not_hang_on_which_copy_was_read_first(ids: list[int]) -> None:
    """A fork's copy that says all that the original says is ranked apart from it, so that the same one counts in every order of import."""
    ranks = [usage(ADAPTER, "opencode.db", [row(f"msg_{each}", message(), session_id=f"ses_{each}")])[0].rank for each in ids]

    assert len(set(ranks)) == len(ids)


@pytest.mark.parametrize(("boundary", "calls"), [(5, 1), (2, 1), (1, 2)])
def test_a_copy_of_a_reply_that_was_not_over_is_known_by_its_place(boundary: int, calls: int) -> None:
    """A fork of OpenCode 2 keeps the places of what it copies: up to its boundary a row is its parent's call, whatever it says of it."""

    def placed(id: str, inside: str, said: dict[str, Any], **about: Any) -> bytes:
        columns = {"id": id, "session_id": inside, "type": "assistant", "seq": 2, "data": json.dumps(said)}
        return msgspec.json.encode({"table": "session_message", "row": columns, **about}, order="deterministic")

    early = message(tokens=tokens(100), time={"created": CREATED_MS})
    original = placed("msg_1", "ses_p", message())
    copy = placed("msg_2", "ses_f", early, session={"fork_session_id": "ses_p"}, boundary={"seq": boundary})

    for order in ([original, copy], [copy, original]):
        found = calls_of([batch_of(usage(ADAPTER, "opencode.db", order))])
        assert len(found) == calls
        assert max((call["output"], call["session"]) for call in found) == (600, "ses_p")


def test_calls_of_parallel_sessions_stay_apart() -> None:
    """Two subagents started in the same millisecond are two calls, unless every time and counter agrees."""
    one = row("msg_1", message())
    other = row("msg_2", message(tokens={"total": 613, "input": 12, "output": 601, "cache": {"read": 0, "write": 0}}), session_id="ses_b")

    assert len(calls_of([batch_of(usage(ADAPTER, "opencode.db", [one, other]))])) == 2


def test_a_copy_in_another_database_is_the_same_message() -> None:
    """A database copied for another channel, and the JSON file a row was made from, hold the same call."""
    from_row = usage(ADAPTER, "opencode.db", [row("msg_1", message())])
    from_beta = usage(ADAPTER, "opencode-beta.db", [row("msg_1", message())])
    from_file = usage(ADAPTER, "storage/message/ses_a/msg_1.json", [encoded({"id": "msg_1", "sessionID": "ses_a", **message()})])

    assert {each.key for each in (*from_row, *from_beta, *from_file)} == {from_row[0].key}
    assert from_row[0].owner_rank < from_file[0].owner_rank


@pytest.mark.parametrize(
    ("cost", "logged", "flag"),
    [
        (0.0421, "0.0421", None),
        (0, "0", "not_per_token"),
        ({"input": 24}, None, None),
        (-1, None, None),
        ("3", None, None),
        (None, None, None),
    ],
)
def test_cost_is_the_agents_own_estimate(cost: object, logged: str | None, flag: str | None) -> None:
    """A cost is kept as the agent's; 0 says that a subscription pays; what is no amount is none."""
    (call,) = usage(ADAPTER, "opencode.db", [row("msg_1", message(cost=cost))])

    assert (None if call.logged_cost_usd is None else str(call.logged_cost_usd)) == logged
    assert call.logged_cost_basis == (None if logged is None else "agent")
    assert call.extra.get("billing") == flag


@pytest.mark.parametrize(
    ("changes", "soft"),
    [
        ({"tokens": tokens(50, 20, 170)}, False),
        ({"tokens": tokens(50, 20)}, True),
        ({"tokens": tokens(50, 0)}, False),
        ({"tokens": tokens(0, 20)}, False),
        ({"tokens": tokens(5, 20), "providerID": "openai"}, True),
    ],
)
def test_a_guess_about_reasoning_is_flagged(changes: dict[str, Any], soft: bool) -> None:
    """Where only provider and date say whether reasoning stands inside output, the call says that it was guessed."""
    (call,) = usage(ADAPTER, "opencode.db", [row("msg_1", message(**changes))])

    assert (call.extra.get("reasoning") == "soft") is soft


@pytest.mark.parametrize(
    ("table", "output", "reasoning", "counted"), [("message", 50, 20, 50), ("message", 20, 20, 20), ("session_message", 50, 20, 70)]
)
def test_the_second_generation_always_counts_reasoning_apart(table: str, output: int, reasoning: int, counted: int) -> None:
    """Without a sum OpenCode 1 had OpenAI's reasoning inside the output until May 2026, perhaps all of it; OpenCode 2 never had."""
    january_ms = 1_767_225_600_000
    data = message(tokens=tokens(output, reasoning), providerID="openai", time={"created": january_ms, "completed": january_ms + 9000})
    (call,) = usage(ADAPTER, "opencode.db", [row("msg_1", data, table=table, type="assistant")])

    assert (call.tokens.output, call.reasoning) == (counted, reasoning)


@pytest.mark.parametrize(("total", "output"), [(13_900, 788), (13_712, 600)])
def test_the_sum_tells_whether_reasoning_is_in_the_output(total: int, output: int) -> None:
    """12 in, 600 out, 188 thought, 12,000 read, 1,100 written: 13,900 with the thoughts beside the output, 13,712 with them in it."""
    said = {"total": total, "input": 12, "output": 600, "reasoning": 188, "cache": {"read": 12_000, "write": 1_100}}
    (call,) = usage(ADAPTER, "opencode.db", [row("msg_1", message(tokens=said))])

    assert (call.tokens.output, call.tokens.cache_read, call.tokens.cache_write_5m, call.extra) == (output, 12_000, 1_100, {})


@pytest.mark.parametrize("used", [{"input": 1}, {"output": 1}, {"reasoning": 1}, {"cache": {"read": 1}}, {"cache": {"write": 1}}])
def test_one_token_of_any_class_is_a_call(used: dict[str, Any]) -> None:
    """Only a message without any count is none."""
    (call,) = usage(ADAPTER, "opencode.db", [row("msg_1", message(tokens=used))])

    assert sum(msgspec.structs.astuple(call.tokens)) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "ok"),
        ({"name": "MessageAbortedError"}, "aborted"),
        ({"type": "aborted"}, "aborted"),
        ("aborted", "aborted"),
        ({"name": "APIError"}, "error"),
        ("broken", "error"),
    ],
)
def test_a_reply_that_failed_or_was_stopped_counts_what_it_used(error: object, status: str) -> None:
    """However this version writes why: the call says whether it failed or somebody stopped it."""
    (call,) = usage(ADAPTER, "opencode.db", [row("msg_1", message(error=error))])

    assert (call.status, call.tokens.output) == (status, 600)


@pytest.mark.parametrize(
    ("said", "initiator"),
    [
        ({}, "main"),
        ({"summary": {"title": "a diff"}}, "main"),
        ({"agent": "build", "mode": "plan"}, "main"),
        ({"summary": True}, "task"),
        ({"agent": "compaction"}, "task"),
        ({"mode": "compaction"}, "task"),
        ({"agent": "title"}, "task"),
        ({"mode": "summary"}, "task"),
    ],
)
def test_a_message_tells_what_it_was_for(said: dict[str, Any], initiator: str) -> None:
    """Compactions, titles and summaries are tasks, by whichever field says so, in a subagent's session too; else its calls are its own."""
    alone, below = (
        usage(ADAPTER, "opencode.db", [row("msg_1", message(**said), session={"parent_id": parent})])[0] for parent in (None, "ses_p")
    )

    assert (alone.initiator, below.initiator) == (initiator, "subagent" if initiator == "main" else "task")


def test_a_message_without_an_id_is_known_by_what_it_says() -> None:
    """A damaged row loses its name and not its call; read again it is the same."""
    one, again = (usage(ADAPTER, "opencode.db", [row("", message())])[0] for _ in range(2))

    assert one.tokens.output == 600
    assert one.message_id is None
    assert one.key == again.key


def test_the_row_names_a_message() -> None:
    """A copied message may still hold the ids of its original; the row's own columns count."""
    data = message(id="msg_old", sessionID="ses_old")
    (call,) = usage(ADAPTER, "opencode.db", [row("msg_1", data, session={"id": "ses_a", "directory": "/w/app", "version": "1.2.3"})])

    assert (call.message_id, call.session, call.project, call.agent_version) == ("msg_1", "ses_a", "/w/app", "1.2.3")


@pytest.mark.parametrize(
    "named",
    [
        {"modelID": "m", "providerID": "p"},
        {"modelID": None, "providerID": None, "model": {"modelID": "m", "providerID": "p"}},
        {"modelID": None, "providerID": None, "model": {"id": "m", "providerID": "p", "variant": "high"}},
    ],
)
def test_model_and_provider_stand_in_one_of_three_ways(named: dict[str, Any]) -> None:
    """Beside the tokens, or together in one object, whose name of the model changed."""
    (call,) = usage(ADAPTER, "opencode.db", [row("msg_1", message(**named))])

    assert (call.model, call.provider) == ("m", "p")


@pytest.mark.parametrize(
    ("said", "known"), [({"id": "msg_own", "sessionID": "ses_own"}, ("msg_own", "ses_own")), ({}, ("msg_place", "ses_place"))]
)
def test_a_file_names_itself_before_its_place_does(said: dict[str, Any], known: tuple[str, str]) -> None:
    """A copied file holds the message that it says; only one that says nothing is named by folder and file."""
    (call,) = usage(ADAPTER, "storage/message/ses_place/msg_place.json", [encoded(message(**said))])

    assert (call.message_id, call.session) == known


def test_an_error_without_tokens_is_counted_by_name() -> None:
    """A failed or stopped reply that used nothing is no call, and neither is a user's message."""
    nothing = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    failed, stopped = [{"name": name, "data": dict[str, object]()} for name in ("APIError", "MessageAbortedError")]
    records = [
        row("m1", message(tokens=nothing, error=failed)),
        row("m2", message(tokens=None, error=stopped)),
        row("m3", {"role": "user"}),
    ]

    assert others(ADAPTER, "opencode.db", records) == ["api_error", "aborted"]
    assert usage(ADAPTER, "opencode.db", records) == []


@pytest.mark.parametrize(
    ("environ", "homes"),
    [
        ({}, [("/home/u/.local/share/opencode", False)]),
        ({"XDG_DATA_HOME": "/x"}, [("/x/opencode", False)]),
        ({"OPENCODE_DATA_DIR": "/a,/b"}, [("/a", True), ("/b", True)]),
        ({"OPENCODE_DB": "/d/mine.db"}, [("/home/u/.local/share/opencode", False), ("/d", True)]),
        ({"OPENCODE_DB": "other.db"}, [("/home/u/.local/share/opencode", False)]),
    ],
)
def test_homes(environ: dict[str, str], homes: list[tuple[str, bool]]) -> None:
    """The data folder is where XDG says; OPENCODE_DATA_DIR replaces it, and OPENCODE_DB adds the folder of another database."""
    assert [(each.path, each.named) for each in ADAPTER.homes(environ, "/home/u")] == homes


def test_parts_are_no_sources() -> None:
    """`step-finish` parts repeat the tokens of their message: their files are not even read."""
    assert not any("part" in pattern.glob for pattern in ADAPTER.patterns)
    assert all(query.table != "part" for pattern in ADAPTER.patterns for query in pattern.queries)


@given(ms=st.integers(1_700_000_000_000, 1_900_000_000_000), after_ms=st.integers(-30_000_000_000, 30_000_000_000))
def test_a_session_id_tells_when_it_began(ms: int, after_ms: int) -> None:
    """An id counts down from the session's creation; within a year of its messages the time is exact to the millisecond."""
    digits = ((ms * 4096 + 1) ^ ((1 << 48) - 1)) & ((1 << 48) - 1)

    assert session_began_us(f"ses_{digits:012x}abcdefghijklmn", None, (ms + after_ms) * 1000) == ms * 1000


def test_sessions_have_titles_and_parents() -> None:
    """Titles come from session rows of both generations and from session files."""
    place = Place(path="opencode.db", root="/r")
    columns = {"id": "ses_f", "title": "Fork", "parent_id": None, "fork_session_id": "ses_p"}
    second = msgspec.json.encode({"table": "session_v2", "row": columns}, order="deterministic")
    file = Place(path="storage/session/p/ses_c.json", root="/r")

    assert ADAPTER.sessions(place, second, b"") == [SessionInfo(agent="opencode", session="ses_f", title="Fork", parent="ses_p")]
    assert ADAPTER.sessions(file, b'{"id":"ses_c","parentID":"ses_a","title":"Child"}', b"") == [
        SessionInfo(agent="opencode", session="ses_c", title="Child", parent="ses_a")
    ]
    assert stepped(ADAPTER, file.path, [b'{"id":"ses_c","title":"Child","tokens":1}']) == [[]]


@recorded
def test_recorded_files_have_their_known_calls() -> None:
    """Two messages with usage, one of them stopped and damaged (cost an object, path a text); one without."""
    found = {}
    for path in sorted(REAL.rglob("message/*/*.json")):
        place = path.relative_to(REAL).as_posix()
        found[path.name] = [
            (
                each.model,
                each.tokens.input,
                each.tokens.output,
                each.tokens.cache_read,
                each.tokens.cache_write_5m,
                each.status,
                each.project,
            )
            for each in usage(ADAPTER, place, [path.read_bytes()])
        ]

    assert found == {
        "msg_001.json": [("claude-sonnet-4-20250514", 1000, 500, 100, 50, "ok", None)],
        "msg_003_no_tokens.json": [],
        "msg_0002.json": [("gpt-4o-mini", 120, 16, 0, 0, "aborted", "/tmp/large")],
    }

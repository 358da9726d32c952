"""A small home directory with agents' logs, for tests of commands, and a way to run command lines in it."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

from cli import gate
from pipeline.batch import Batch
from pipeline.events import Initiator, Tokens, UsageEvent
from pipeline.log import Log
from pipeline.profiles import Profile, Rule, Rules
from pipeline.sources import Cursor, Reading, Source

NOON = "2026-05-13T12:00:00+00:00"
"""A Wednesday."""


class Outcome(NamedTuple):
    """What a command line left behind."""

    code: int
    out: str
    err: str


def reply(
    number: int,
    at: str,
    *,
    session: str = "s1",
    model: str = "claude-sonnet-4-5-20250929",
    project: str = "/src/shop",
    input: int = 1000,
    output: int = 100,
    read: int = 0,
    write: int = 0,
    sidechain: bool = False,
) -> str:
    """One line of a Claude Code transcript."""
    usage = {"input_tokens": input, "output_tokens": output, "cache_read_input_tokens": read, "cache_creation_input_tokens": write}
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": "end_turn",
        "usage": usage,
    }
    line: dict[str, Any] = {
        "type": "assistant",
        "uuid": f"u{number}",
        "timestamp": at,
        "sessionId": session,
        "cwd": project,
        "version": "2.1.240",
        "isSidechain": sidechain,
        "requestId": f"req_{number}",
        "message": message,
    }
    return json.dumps(line) + "\n"


def transcript(home: Path, name: str, *lines: str) -> Path:
    """A transcript of that name with those lines; written over if it is there."""
    path = home / ".claude" / "projects" / "-src" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))
    return path


def mixed(home: Path) -> None:
    """Two profiles, four models, a model without a price, a provider without a bill, subagents, a session over midnight, ten weeks."""
    transcript(
        home,
        "one",
        reply(1, "2026-05-13T09:00:00Z", input=2_000_000, output=300_000),
        reply(2, "2026-05-13T09:30:00Z", model="claude-opus-4-5-20251101", write=4000, read=90_000),
        reply(3, "2026-05-13T10:00:00Z", model="mystery-9", sidechain=True),
        reply(4, "2026-05-12T23:50:00Z"),
        reply(5, "2026-05-13T00:10:00Z", model="claude-sonnet-4-5", sidechain=True),
    )
    transcript(
        home,
        "two",
        reply(6, "2026-05-11T08:00:00Z", session="s2", project="/src/acme/api"),
        reply(7, "2026-05-11T20:00:00Z", session="s2", project="/src/acme/api", model="claude-haiku-4-5-20251001"),
        reply(8, "2026-05-04T12:00:00Z", session="s3", project="/src/acme/api"),
    )
    transcript(home, "three", reply(9, "2026-03-01T12:00:00Z", session="s4"), reply(10, "2026-03-02T00:30:00Z", session="s4"))
    transcript(home, "four", reply(11, "2026-05-13T11:00:00Z", session="s5", project="/src/local"))
    rules = Rules().create(Profile(name="acme"), (Rule(profile="acme", project="/src/acme"),))
    rules = rules.create(Profile(name="mine", provider="ollama"), (Rule(profile="mine", project="/src/local"),))
    (home / "rl").mkdir(mode=0o700, exist_ok=True)
    (home / "rl" / "profiles.json").write_bytes(rules.dump())


@contextmanager
def at_home(home: Path, *, now: str = NOON, zone: str = "UTC") -> Iterator[None]:
    """The process as it is for a user with this home, at this time."""
    before = dict(os.environ)
    kept = {name: value for name, value in before.items() if name in ("PATH", "LANG", "HYPOTHESIS_STORAGE_DIRECTORY")}
    os.environ.clear()
    os.environ.update(kept, HOME=str(home), RINGLET_HOME=str(home / "rl"), TZ=zone)
    clock, now_ns = time.time_ns, int(datetime.fromisoformat(now).timestamp()) * 10**9
    # Only the clock that commands read stands still: freezing all of datetime breaks libraries that are loaded meanwhile.
    time.time_ns = lambda: now_ns
    try:
        yield
    finally:
        time.time_ns = clock
        os.environ.clear()
        os.environ.update(before)


def ringlet(home: Path, *argv: str, now: str = NOON, zone: str = "UTC") -> Outcome:
    """Run a command line as this user, through the gate."""
    with at_home(home, now=now, zone=zone):
        return run(gate.main, argv)


def run(main: Any, argv: Sequence[str]) -> Outcome:
    """Run `main` and catch what it prints."""
    out, err = TextIOWrapper(BytesIO(), "utf-8", newline=""), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(argv))
    out.seek(0)
    return Outcome(code, out.read(), err.getvalue())


def called(
    home: Path, at: str, initiator: Initiator, number: int, *, tokens: int = 1000, model: str | None = "gpt-5.5", named: bool = True
) -> None:
    """A call that no agent's log tells of: of an agent that captures its own. Its session has a name if `named`."""
    (home / "rl").mkdir(mode=0o700, exist_ok=True)
    with Log.open(home / "rl") as log:
        path = str(home / f"captured-{number}.jsonl")
        source = log.register([Source(path=path, agent="grok", root=str(home))])[path]
        event = UsageEvent(
            key=number.to_bytes(16, "big"),
            at=datetime.fromisoformat(at).astimezone(UTC),
            agent="grok",
            provider="openai",
            model=model,
            session=f"grok-{number}" if named else None,
            project="/src/beat",
            initiator=initiator,
            tokens=Tokens(input=tokens, output=tokens // 10),
            duration_ms=1500,
            rank=bytes(16),
            owner_rank=number,
        )
        batch = Batch()
        batch.add([event], root=str(home), source=source, offset=0, length=1)
        reading = Reading(source_id=source, before=None, after=Cursor(offset=1))
        log.commit(batch, [reading], ingested_at_us=int(datetime.fromisoformat(NOON).timestamp()) * 1_000_000)

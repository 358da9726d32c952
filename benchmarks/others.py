"""Sessions of Codex and OpenCode for the corpus: small, with everything that makes them hard to count.

Decides what these agents' logs look like; `benchmarks.corpus` asks for them.
"""

import json
import random
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.truth import END, Truth, count, iso


def codex(out: Path, rng: random.Random, *, sessions: int, days: int) -> tuple[Truth, dict[str, int]]:
    """Write `.codex/sessions` below `out`: running totals, some told twice, and forks that replay their parent with new times."""
    truth: Truth = {}
    begin = datetime.combine(END - timedelta(days=days - 1), datetime.min.time(), UTC)
    history: list[tuple[dict[str, int], dict[str, int], str]] = []
    parent = ""
    shape = {"files": 0, "sessions": 0, "forks": 0}
    ended = begin
    for _ in range(sessions):
        now = begin + timedelta(days=rng.randrange(days), hours=rng.uniform(6, 18))
        forked = parent if parent and rng.random() < 0.15 else ""
        if forked:
            # Only what has been can be copied.
            now = ended + timedelta(minutes=rng.uniform(1, 600))
        thread = uuid7(rng, now)
        model = rng.choice(("gpt-5.4", "gpt-5.4-mini", "gpt-5.5"))
        meta = {"id": thread, "timestamp": iso(now), "cwd": "/home/dev/src/app", "originator": "codex_cli_rs", "cli_version": "0.146.0"}
        meta |= {"source": "cli", "model_provider": "openai"} | ({"forked_from_id": forked} if forked else {})
        lines = [rollout(now, "session_meta", meta)]
        total = dict.fromkeys(("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens"), 0)
        if forked:
            shape["forks"] += 1
            for turn_total, last, turn in history:
                now += timedelta(milliseconds=3)
                started = {"type": "task_started", "turn_id": turn, "started_at": int(begin.timestamp())}
                lines += [rollout(now, "event_msg", started), rollout(now, "turn_context", {"turn_id": turn, "model": model})]
                lines.append(counted(now, turn_total, last))
                total = dict(turn_total)
        own: list[tuple[dict[str, int], dict[str, int], str]] = list(history) if forked else []
        for _ in range(rng.randrange(4, 60)):
            now += timedelta(seconds=rng.uniform(4, 90))
            turn = uuid7(rng, now)
            started = {"type": "task_started", "turn_id": turn, "started_at": int(now.timestamp())}
            lines += [rollout(now, "event_msg", started), rollout(now, "turn_context", {"turn_id": turn, "model": model})]
            read, fresh, output = rng.randrange(2_000, 90_000), rng.randrange(200, 9_000), rng.randrange(20, 3_000)
            last = {"input_tokens": read + fresh, "cached_input_tokens": read}
            last |= {"output_tokens": output, "reasoning_output_tokens": output // 3}
            total = {name: total[name] + last[name] for name in total}
            now += timedelta(seconds=rng.uniform(2, 30))
            said = {"type": "message", "content": "x" * rng.randrange(200, 6_000)}
            lines += [rollout(now, "response_item", said), counted(now, total, last)]
            if rng.random() < 0.05:
                lines.append(counted(now + timedelta(seconds=1), total, last))
            count(truth, now, model, input=fresh, cache_read=read, output=output, reasoning=output // 3)
            own.append((dict(total), last, turn))
        folder = out / ".codex" / "sessions" / f"{now:%Y/%m/%d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"rollout-{now:%Y-%m-%dT%H-%M-%S}-{thread}.jsonl").write_text("".join(lines))
        shape["files"] += 1
        shape["sessions"] += 1
        parent, history, ended = thread, own, now
    return truth, shape


def rollout(at: datetime, kind: str, payload: Mapping[str, object]) -> str:
    return json.dumps({"timestamp": iso(at), "type": kind, "payload": payload}, separators=(",", ":")) + "\n"


def counted(at: datetime, total: dict[str, int], last: dict[str, int]) -> str:
    both = [tokens | {"total_tokens": tokens["input_tokens"] + tokens["output_tokens"]} for tokens in (total, last)]
    return rollout(at, "event_msg", {"type": "token_count", "info": {"total_token_usage": both[0], "last_token_usage": both[1]}})


def uuid7(rng: random.Random, at: datetime) -> str:
    text = f"{int(at.timestamp() * 1000):012x}7{rng.getrandbits(76):019x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-a{text[17:20]}-{text[20:]}"


def opencode(out: Path, rng: random.Random, *, sessions: int, days: int) -> tuple[Truth, dict[str, int]]:
    """Write `.local/share/opencode/opencode.db` below `out`: one row per message, forks with new ids and the old times."""
    truth: Truth = {}
    shape = {"sessions": 0, "messages": 0, "forks": 0}
    folder = out / ".local" / "share" / "opencode"
    folder.mkdir(parents=True, exist_ok=True)
    begin = datetime.combine(END - timedelta(days=days - 1), datetime.min.time(), UTC)
    db = sqlite3.connect(folder / "opencode.db")
    with db:
        db.execute("CREATE TABLE session (id TEXT PRIMARY KEY, parent_id TEXT, directory TEXT, title TEXT, time_created INTEGER)")
        db.execute("CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT)")
        for _ in range(sessions):
            now = begin + timedelta(days=rng.randrange(days), hours=rng.uniform(6, 18))
            messages: list[tuple[int, str]] = []
            for _ in range(rng.randrange(3, 40)):
                now += timedelta(seconds=rng.uniform(5, 60))
                created = int(now.timestamp() * 1000)
                completed = created + rng.randrange(2_000, 20_000)
                tokens = {"input": rng.randrange(3, 9_000), "output": rng.randrange(20, 2_000), "reasoning": rng.randrange(400)}
                cache = {"read": rng.randrange(90_000), "write": 0}
                data = {
                    "role": "assistant",
                    "modelID": "claude-sonnet-4-6",
                    "providerID": "anthropic",
                    "agent": "build",
                    "path": {"cwd": "/home/dev/src/lab", "root": "/home/dev/src/lab"},
                    "time": {"created": created, "completed": completed},
                    "cost": 0.01,
                    "tokens": {"total": sum(tokens.values()) + cache["read"], **tokens, "cache": cache},
                    "finish": "stop",
                }
                messages.append((created, json.dumps(data)))
                at = datetime.fromtimestamp(completed / 1000, UTC)
                sums = {"input": tokens["input"], "output": tokens["output"] + tokens["reasoning"], "cache_read": cache["read"]}
                count(truth, at, "claude-sonnet-4-6", **sums, reasoning=tokens["reasoning"])
            copies = 2 if rng.random() < 0.1 else 1
            shape["forks"] += copies - 1
            for _ in range(copies):
                session = f"ses_{rng.getrandbits(96):024x}"
                created = messages[0][0]
                db.execute("INSERT INTO session VALUES (?, NULL, '/home/dev/src/lab', 'Lab work', ?)", (session, created))
                rows = [(f"msg_{rng.getrandbits(96):024x}", session, at_ms, at_ms, text) for at_ms, text in messages]
                db.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?)", rows)
                shape["messages"] += len(rows)
            shape["sessions"] += 1
    db.close()
    return truth, shape

"""Logs of a busy half-year, made up from a seed, with the exact truth about them.

Decides what a realistic tree of transcripts looks like and writes it below `--out` as a home directory would hold it (`.claude`, and on
request `.codex` and `.local/share/opencode`), beside `truth.json`: per agent, UTC day and model the sums that any importer must find.
The same options give the same bytes. Only the standard library is needed:

    python -m benchmarks.corpus --bytes 200M --out /somewhere/corpus

What makes it realistic: most bytes stand in lines without usage (tool results); a reply is 1 to 4 lines that share their ids, in older
versions with an output that grows until the line that carries a stop reason; a third of the files are subagents'; forks copy lines
into other sessions; some files end in the middle of a line; tool results quote `"usage"`, escaped and as real nested objects.
`--traps` adds records on which trackers are known to differ (replayed asides, progress copies, advisor iterations); without it
other trackers find the same totals, so that a comparison of speed compares like with like.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.others import codex, opencode
from benchmarks.truth import END, Truth, count, iso, pick, summed, uuid

MODELS = (
    ("claude-opus-4-7", 30),
    ("claude-sonnet-4-6", 28),
    ("claude-opus-5", 12),
    ("claude-haiku-4-5-20251001", 14),
    ("claude-sonnet-4-5-20250929", 10),
    ("claude-opus-4-6", 6),
)
# Which lines of a reply tell the truth about its output changed twice: 2.1.97 put the final count on every line, and around
# 2.1.40 the final count was never written.
VERSIONS = (("2.1.40", "placeholder", 4), ("2.1.92", "growing", 36), ("2.1.240", "final", 40), ("2.1.251", "final", 20))
PROJECTS = ("app", "billing-service", "site", "infra/modules", "notes_2026", "client.acme", "mobile", "lab")
BRANCHES = ("main", "main", "fix/rounding", "feature/import", "release-4")
TOOLS = ("Read", "Bash", "Grep", "Edit", "Write", "Task")


def size_of(text: str) -> int:
    """Bytes that `200M`, `2G`, `512K` or a plain number stand for (powers of 1000)."""
    unit = {"K": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:].upper())
    return int(float(text[:-1]) * unit) if unit else int(text)


def texts(rng: random.Random) -> tuple[list[bytes], list[bytes]]:
    """Contents of JSON strings, ready to be pasted: (short ones of replies, long ones of tool results)."""
    words = ["the", "of", "call", "file", "test", "line", "price", "total", "read", "path", "error", "value", "größe", "—", "日本", "🙂"]
    decoys = ['{"type":"assistant","message":{"usage":{"output_tokens":99999}}}', 'grep "output_tokens" *.py', '"usage": null']

    def prose(length: int) -> bytes:
        lines: list[str] = []
        size = 0
        while size < length:
            line = " " * (4 * rng.randrange(4)) + " ".join(rng.choices(words, k=rng.randrange(3, 16)))
            if rng.random() < 0.02:
                line = rng.choice(decoys)
            if rng.random() < 0.1:
                line = f'\t"{line}" \\ {rng.getrandbits(40):x}'
            lines.append(line)
            size += len(line) + 2
        return json.dumps("\n".join(lines), ensure_ascii=False)[1:-1].encode()

    short = [prose(rng.choice((60, 200, 500, 900, 1800, 3600))) for _ in range(400)]
    long = [prose(int(min(60_000, 400 + rng.paretovariate(1.1) * 1700))) for _ in range(500)]
    return short, long


class Session:
    """One Claude Code session: its main file, its subagents' files and what they add to the truth."""

    def __init__(
        self, rng: random.Random, start: datetime, pools: tuple[list[bytes], list[bytes]], truth: Truth, traps: bool, lean: bool
    ) -> None:
        self.rng = rng
        self.now = start
        self.short, self.long = pools
        self.truth = truth
        self.traps = traps
        self.lean = lean
        self.id = uuid(rng)
        self.project = rng.choice(PROJECTS)
        self.cwd = f"/home/dev/src/{self.project}"
        self.folder = "-home-dev-src-" + self.project.replace("/", "-").replace(".", "-").replace("_", "-")
        self.version, self.habit = pick(rng, [((name, habit), weight) for name, habit, weight in VERSIONS])
        self.model = pick(rng, MODELS)
        self.branch = rng.choice(BRANCHES)
        self.usage_lines = 0
        self.replies: list[list[tuple[bytes, bytes, bytes]]] = []
        """The usage lines of each reply as (before session id, between session id and uuid, after), for forks to copy."""

    def later(self, seconds: float) -> datetime:
        self.now += timedelta(milliseconds=int(self.rng.uniform(0.2, 1.8) * seconds * 1000))
        return self.now

    def envelope(self, kind: str, extra: str = "") -> str:
        return f'"userType":"external","cwd":"{self.cwd}","version":"{self.version}","gitBranch":"{self.branch}",{extra}"type":"{kind}",'

    def reply(self, *, agent: str | None) -> list[bytes]:
        """The lines of one model reply, counted once."""
        rng = self.rng
        model = self.model if agent is None or rng.random() < 0.5 else "claude-haiku-4-5-20251001"
        message, request = f"msg_01{rng.getrandbits(96):024x}", f"req_011{rng.getrandbits(96):024x}"
        lines = rng.choices((1, 2, 3, 4), (40, 32, 18, 10))[0]
        final = int(rng.lognormvariate(5.6, 1.1)) + 1
        fresh, read, write = rng.randrange(2, 40), rng.randrange(4_000, 160_000), int(rng.lognormvariate(7.2, 1.2))
        if rng.random() < 0.05:
            fresh, read = rng.randrange(500, 20_000), 0
        searches = int(rng.random() < 0.01)
        thinking = final // 3 if self.habit == "final" and rng.random() < 0.3 else 0
        split = self.habit != "placeholder"
        hour = write if split and agent is None and rng.random() < 0.5 else 0
        usage = f'"usage":{{"input_tokens":{fresh},"cache_creation_input_tokens":{write},"cache_read_input_tokens":{read},'
        if split:
            usage += f'"cache_creation":{{"ephemeral_5m_input_tokens":{write - hour},"ephemeral_1h_input_tokens":{hour}}},'
        if searches:
            usage += '"server_tool_use":{"web_search_requests":1,"web_fetch_requests":0},'
        side = f'"isSidechain":true,"agentId":"{agent}",' if agent else '"isSidechain":false,'
        made: list[tuple[bytes, bytes, bytes]] = []
        best = (False, -1)
        kept = (self.now, 0)
        for index in range(lines):
            last = index == lines - 1
            output = final
            if self.habit == "placeholder" or (self.habit == "growing" and not last):
                output = min(final, rng.randrange(1, 9) + index)
            stop = self.habit != "placeholder" and (last or self.habit == "final")
            reason = ('"end_turn"' if rng.random() < 0.2 else '"tool_use"') if stop else "null"
            at = self.later(4)
            if (stop, output) >= best:
                best, kept = (stop, output), (at, output)
            details = f',"output_tokens_details":{{"thinking_tokens":{thinking}}}' if thinking else ""
            head = f'{{"parentUuid":"{uuid(rng)}",{side}{self.envelope("assistant")}"sessionId":"'
            middle = (
                f'","message":{{"model":"{model}","id":"{message}","type":"message","role":"assistant","content":[{{"type":"text","text":"'
            ).encode() + (b"ok" if self.lean else rng.choice(self.short))
            middle += (
                f'"}}],"stop_reason":{reason},"stop_sequence":null,{usage}"output_tokens":{output}{details},"service_tier":"standard"}}}},'
                f'"requestId":"{request}","uuid":"'
            ).encode()
            made.append((head.encode(), middle, f'","timestamp":"{iso(at)}"}}\n'.encode()))
        at, output = kept
        count(
            self.truth, at, model, input=fresh, output=output, cache_read=read,
            cache_write_5m=write - hour, cache_write_1h=hour, reasoning=thinking, web_searches=searches,
        )  # fmt: skip
        self.usage_lines += lines
        if agent is None:
            self.replies.append(made)
        out = [head + self.id.encode() + middle + uuid(rng).encode() + tail for head, middle, tail in made]
        if self.traps and agent is None and rng.random() < 0.02:
            out += self.trap(made[-1])
        return out

    def trap(self, line: tuple[bytes, bytes, bytes]) -> list[bytes]:
        """The reply once more, in a way that must not count: replayed as an aside under a new request id, or inside a progress line."""
        head, middle, tail = line
        copy = head + self.id.encode() + middle + uuid(self.rng).encode() + tail
        self.usage_lines += 1
        if self.rng.random() < 0.5:
            before, _, after = copy.rpartition(b'"requestId":"')
            renamed = before + b'"requestId":"req_012%024x' % self.rng.getrandbits(96) + after[after.index(b'"') :]
            return [renamed.replace(b'"isSidechain":false', b'"isSidechain":true', 1)]
        stamp = iso(self.now).encode()
        return [b'{"type":"progress","data":{"type":"agent_progress","message":%s},"timestamp":"%s"}\n' % (copy[:-1], stamp)]

    def between(self, *, agent: str | None) -> list[bytes]:
        """What stands between two replies: the tool's result or the user's prompt, seldom something else. No usage."""
        rng = self.rng
        side = f'"isSidechain":true,"agentId":"{agent}",' if agent else '"isSidechain":false,'
        at = self.later(12)
        body = b"ok" if self.lean else rng.choice(self.long)
        if rng.random() < 0.04:
            body = body * rng.randrange(2, 12)
        extra = ""
        if rng.random() < 0.03:
            # A finished subagent leaves a real nested usage object: a total over calls that are logged elsewhere.
            extra = f'"toolUseResult":{{"status":"completed","usage":{{"input_tokens":7,"output_tokens":{rng.randrange(9999)}}}}},'
        head = (
            f'{{"parentUuid":"{uuid(rng)}",{side}{self.envelope("user", extra)}"sessionId":"{self.id}","message":{{"role":"user","content":'
            f'[{{"tool_use_id":"toolu_01{rng.getrandbits(96):024x}","type":"tool_result","content":"'
        )
        lines = [head.encode() + body + f'"}}]}},"uuid":"{uuid(rng)}","timestamp":"{iso(at)}"}}\n'.encode()]
        odd = rng.random()
        if odd < 0.03:
            lines.append(
                f'{{"type":"file-history-snapshot","messageId":"{uuid(rng)}","snapshot":{{}},"isSnapshotUpdate":false}}\n'.encode()
            )
        elif odd < 0.06:
            said = f'"sessionId":"{self.id}","content":"hook ran","uuid":"{uuid(rng)}","timestamp":"{iso(at)}"}}\n'
            lines.append(f"{{{self.envelope('system')}{said}".encode())
        elif odd < 0.065:
            zeros = '"usage":{"input_tokens":0,"output_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}'
            lines.append(
                f'{{"isSidechain":false,{self.envelope("assistant")}"sessionId":"{self.id}","message":{{"id":"{uuid(rng)}","model":"<synthetic>",'
                f'"role":"assistant","stop_reason":"stop_sequence","content":[{{"type":"text","text":"API Error: 529"}}],{zeros}}},'
                f'"isApiErrorMessage":true,"uuid":"{uuid(rng)}","timestamp":"{iso(at)}"}}\n'.encode()
            )
        return lines

    def transcript(self, limit: int, *, agent: str | None = None) -> list[bytes]:
        """Lines of one file, about `limit` bytes in all."""
        lines: list[bytes] = []
        size = 0
        if agent is None:
            lines.append(f'{{"type":"summary","summary":"Work on {self.project}","leafUuid":"{uuid(self.rng)}"}}\n'.encode())
        while size < limit:
            if self.rng.random() < 0.01:
                self.later(5400)
            for line in (*self.between(agent=agent), *self.reply(agent=agent)):
                lines.append(line)
                size += len(line)
        if agent is None:
            lines.append(f'{{"type":"ai-title","aiTitle":"Work on {self.project}","sessionId":"{self.id}"}}\n'.encode())
        return lines

    def copied(self, session: str) -> list[bytes]:
        """The first replies once more: with this session's id as a resume writes them, with another's as a fork does. The same calls."""
        rng = self.rng
        mark = b""
        if session != self.id:
            mark = f'"forkedFrom":{{"sessionId":"{self.id}","messageUuid":"{uuid(rng)}"}},'.encode()
        lines = [line for reply in self.replies[: rng.randrange(5, 60)] for line in reply]
        self.usage_lines += len(lines)
        return [head + session.encode() + b'",' + mark + middle[2:] + uuid(rng).encode() + tail for head, middle, tail in lines]

    def torn(self) -> bytes:
        """The beginning of a line that was never finished; its call counts nowhere."""
        truth, self.truth = self.truth, {}
        line = self.reply(agent=None)[-1]
        self.truth = truth
        self.replies.pop()
        return line[: int(len(line) * self.rng.uniform(0.2, 0.95))]


def claude(
    out: Path, rng: random.Random, *, total_bytes: int, files: int, days: int, traps: bool, lean: bool
) -> tuple[Truth, dict[str, int]]:
    """Write `.claude/projects` below `out`; the truth about its calls and about its shape."""
    pools = texts(rng)
    truth: Truth = {}
    shape = dict.fromkeys(("files", "bytes", "lines", "usage_lines", "sessions", "torn_files"), 0)
    sessions = max(1, files * 2 // 3)
    starts = sorted(rng.uniform(0, days - 0.2) for _ in range(sessions))
    weights = [rng.lognormvariate(0, 1.1) for _ in range(sessions)]
    per_weight = total_bytes / sum(weights)
    begin = datetime.combine(END - timedelta(days=days - 1), datetime.min.time(), UTC)
    spare = files - sessions
    parent: Session | None = None
    for index, (start, weight) in enumerate(zip(starts, weights, strict=True)):
        session = Session(rng, begin + timedelta(days=start), pools, truth, traps, lean)
        folder = out / ".claude" / "projects" / session.folder
        folder.mkdir(parents=True, exist_ok=True)
        agents = min(spare, round(spare / (sessions - index) * rng.uniform(0, 2))) if index < sessions - 1 else spare
        spare -= agents
        limit = int(weight * per_weight)
        lines = parent.copied(session.id) if parent is not None and rng.random() < 0.05 else []
        lines += session.transcript(int(limit * (0.7 if agents else 1)) - sum(map(len, lines)))
        if rng.random() < 0.03:
            lines += session.copied(session.id)
        parts = [(folder / f"{session.id}.jsonl", lines)]
        for _ in range(agents):
            agent = f"{rng.getrandbits(32):08x}"
            below = folder / session.id / "subagents"
            below.mkdir(parents=True, exist_ok=True)
            parts.append((below / f"agent-{agent}.jsonl", session.transcript(int(limit * 0.3 / agents), agent=agent)))
        for path, content in parts:
            shape["lines"] += len(content)
            if rng.random() < 0.05:
                content.append(session.torn())
                shape["torn_files"] += 1
            data = b"".join(content)
            path.write_bytes(data)
            shape["files"] += 1
            shape["bytes"] += len(data)
        shape["sessions"] += 1
        if parent is not None:
            shape["usage_lines"] += parent.usage_lines
        parent = session
    shape["usage_lines"] += parent.usage_lines if parent is not None else 0
    return truth, shape


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write a corpus of agent logs and the truth about it.")
    parser.add_argument("--bytes", type=size_of, default=size_of("200M"), help="size of the Claude Code tree: 200M, 2G (default: 200M)")
    parser.add_argument("--files", type=int, help="number of transcript files (default: 1500 at 2G, 300 at 200M)")
    parser.add_argument("--days", type=int, default=200, help=f"days of history up to {END} (default: 200)")
    parser.add_argument("--codex", type=int, default=0, metavar="N", help="also N Codex sessions")
    parser.add_argument("--opencode", type=int, default=0, metavar="N", help="also N OpenCode sessions")
    parser.add_argument("--traps", action="store_true", help="also records on which trackers are known to differ")
    parser.add_argument("--lean", action="store_true", help="next to no text: many calls in few bytes (about 480,000 per GB)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder to write; must not exist or be empty")
    args = parser.parse_args(argv)
    out: Path = args.out
    if out.exists() and any(out.iterdir()):
        parser.error(f"{out} is not empty")
    out.mkdir(parents=True, exist_ok=True)
    files = args.files or max(2, round(1500 * (args.bytes / 2e9) ** 0.7))
    began = time.perf_counter()
    truths = {
        "claude": claude(
            out, random.Random(args.seed), total_bytes=args.bytes, files=files, days=args.days, traps=args.traps, lean=args.lean
        )
    }
    if args.codex:
        truths["codex"] = codex(out, random.Random(args.seed + 1), sessions=args.codex, days=args.days)
    if args.opencode:
        truths["opencode"] = opencode(out, random.Random(args.seed + 2), sessions=args.opencode, days=args.days)
    spent = time.perf_counter() - began
    agents = {
        name: {"total": summed(truth), "shape": shape, "days": dict(sorted(truth.items()))} for name, (truth, shape) in truths.items()
    }
    (out / "truth.json").write_text(json.dumps({"seed": args.seed, "agents": agents}, indent=1) + "\n")
    for agent, about in agents.items():
        print(agent, json.dumps(about["shape"]), json.dumps(about["total"]))
    megabytes = truths["claude"][1]["bytes"] / 1e6
    print(f"{megabytes:.0f} MB of transcripts in {spent:.1f} s ({megabytes / spent:.0f} MB/s)", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the kill tests share: transcripts that grow, ingesters that die, and the judgement over a store."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.log import Log

ROOT = Path(__file__).resolve().parents[2]
INGESTER = Path(__file__).with_name("ingester.py")


class Scene:
    """A store, the transcripts it is filled from, and what the ingesters acknowledged."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.root = folder / "claude"
        self.home = folder / "store"
        self.acknowledged = folder / "acknowledged"
        self.best: dict[str, int] = {}
        """Output of every call by message id: the largest of all its records counts."""
        (self.root / "projects" / "p").mkdir(parents=True)
        self.acknowledged.touch()

    def write(self, *, files: int = 6, lines: int = 25) -> None:
        """Append to the transcripts: new calls, better and worse records of old ones, copies of them in other files, other days."""
        for _ in range(files):
            path = self.root / "projects" / "p" / f"{self.rng.randrange(8)}.jsonl"
            with path.open("ab") as file:
                for _ in range(lines):
                    known = self.best and self.rng.random() < 0.4
                    message = self.rng.choice(list(self.best)) if known else f"msg_{len(self.best)}"
                    output = self.rng.randrange(1, 100_000)
                    self.best[message] = max(self.best.get(message, 0), output)
                    file.write(self.line(message, output))

    def line(self, message: str, output: int) -> bytes:
        return (
            b'{"type":"assistant","sessionId":"s","timestamp":"2026-05-0%dT10:00:00.000Z","requestId":"req_%s","message":{"id":"%s",'
            b'"role":"assistant","model":"claude-opus-4-7","stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":%d}}}\n'
            % (self.rng.randrange(1, 4), message.encode(), message.encode(), output)
        )

    def ingester(self, fault: str | None = None, *, preexec: Callable[[], None] | None = None) -> "subprocess.Popen[bytes]":
        """A further ingester; with `fault` ("step:n") it dies there; `preexec` runs in its process before it begins."""
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        env.pop("RINGLET_FAULT", None)
        if fault:
            env["RINGLET_FAULT"] = fault
        argv = [sys.executable, str(INGESTER), str(self.home), str(self.root), str(self.acknowledged), str(self.rng.randrange(10**6))]
        return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=preexec)

    def judge(self, *, complete: bool = False) -> None:
        """Nothing acknowledged is lost, nothing counts twice; with `complete` everything written is there, and no more."""
        self.plain_reader()
        due: dict[str, int] = {}
        for line in self.acknowledged.read_text().splitlines():
            message, least = line.split(" ")
            due[message] = max(due.get(message, 0), int(least))
        with Log.open(self.home) as log, log.snapshot():
            parts = [rows(segment.path) for segment in log.segments()]
            hot = log.hot_rows()
            known = sorted((call.at_us, call.output) for call in log.calls(0, 40_000))
        if hot is not None:
            parts.append(hot.select(COLUMNS))
        requests, output = sums(parts)
        assert set(requests.values()) <= {0, 1}, "a call counts twice or less than nothing"
        held = {message: output[message] for message, count in requests.items() if count == 1}
        lost = {message: (held.get(message), said) for message, said in due.items() if held.get(message, -1) < said}
        assert lost == {}, "acknowledged, but lost"
        assert sorted(held.values()) == sorted(value for _, value in known), "the journal and the log tell different stories"
        if complete:
            assert held == self.best

    def plain_reader(self) -> None:
        """Whoever reads `events/**/*.parquet` as they lie there finds whole files, and no call twice."""
        files = [path for path in (self.home / "events").rglob("*") if path.is_file()]
        assert all(path.suffix == ".parquet" for path in files)
        requests, _ = sums([rows(str(path)) for path in files])
        assert all(count <= 1 for count in requests.values()), "a plain reader counts a call twice"


COLUMNS = ["message_id", "requests", "output"]


def rows(path: str) -> pa.Table:
    return pq.ParquetFile(path).read(columns=COLUMNS)


def sums(parts: list[pa.Table]) -> tuple[dict[str, int], dict[str, int]]:
    """Requests and output by message id."""
    requests: dict[str, int] = {}
    output: dict[str, int] = {}
    for part in parts:
        for message, count, tokens in zip(*(part[name].to_pylist() for name in COLUMNS), strict=True):
            requests[message] = requests.get(message, 0) + count
            output[message] = output.get(message, 0) + tokens
    return requests, output

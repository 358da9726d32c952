"""What the kill tests share: transcripts that grow, ingesters that die, and the judgement over a store."""

import itertools
import multiprocessing
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.log import Log
from tests.faults import ingester

_forking = multiprocessing.get_context("forkserver")
# Forked from a process that has all loaded, an ingester is at work at once: to start Python takes longer than what is done here.
_forking.set_forkserver_preload([ingester.__name__, "pipeline.staging", "pipeline.compact"])


class Ingester:
    """An ingester at work; see `tests.faults.ingester.work`."""

    def __init__(self, said: Path, *args: object) -> None:
        self._said = said
        self._process = _forking.Process(target=ingester.work, args=args, daemon=True)
        self._process.start()

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        """Its exit code, or the negative of the signal that ended it."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    @property
    def error(self) -> str:
        """What it said of what went wrong."""
        return self._said.read_text() if self._said.exists() else ""


class Scene:
    """A store, the transcripts it is filled from, and what the ingesters acknowledged."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.root = folder / "claude"
        self.home = folder / "store"
        self.acknowledged = folder / "acknowledged"
        self.best: dict[str, int] = {}
        """Output of every call by message id: the largest of all its records counts."""
        self._numbers = itertools.count()
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

    def ingester(self, fault: str | None = None, *, largest: int | None = None) -> Ingester:
        """A further ingester; with `fault` ("step:n") it dies there; none of its files may grow beyond `largest` bytes."""
        said = self.acknowledged.with_name(f"said-{next(self._numbers)}")
        places = [str(place) for place in (self.home, self.root, self.acknowledged)]
        return Ingester(said, *places, self.rng.randrange(10**6), str(said), fault, largest)

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

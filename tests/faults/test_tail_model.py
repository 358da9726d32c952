"""Files that are appended, torn, truncated, rotated and replaced between looks, against a model of what must have been seen."""

import os
import random
import shutil
from pathlib import Path

import pytest

from ingest.adapters.claude import ADAPTER
from ingest.discover import under
from ingest.reader import Manner, Work, read, unchanged
from pipeline.batch import Batch
from pipeline.sources import Cursor, Reading
from tests.sizes import times

SEQUENCES = times(2_000)
GROUPS = 20
LONG_AFTER_NS = 4_000_000_000_000_000_000


def usage(call: int, output: int) -> bytes:
    """A whole line of a transcript that reports one call."""
    return (
        b'{"type":"assistant","sessionId":"s","timestamp":"2026-05-01T10:00:00.000Z","requestId":"req_%d","message":{"id":"msg_%d","role":"assistant",'
        b'"model":"claude-opus-4-7","stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":%d}}}\n' % (call, call, output)
    )


class World:
    """A folder of transcripts, whoever writes them, and ringlet's looks at it.

    `due` is the model: output by call, of all whole lines that any look found on disk. `got` is what the looks reported. Each change gets
    a time of its own, as on a file system with fine time stamps.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.root = folder
        self.folder = folder / "projects" / "p"
        self.folder.mkdir(parents=True)
        self.clock_ns = 1_800_000_000_000_000_000
        self.calls = 0
        self.cursors: dict[str, Cursor] = {}
        self.due: dict[int, int] = {}
        self.got: dict[int, int] = {}
        self.story: list[str] = []

    def lines(self) -> bytes:
        """Whole lines: calls, some of them seen before with a larger output, and lines that hold none."""
        made = []
        for _ in range(self.rng.randrange(1, 5)):
            fate = self.rng.random()
            if fate < 0.25:
                made.append(b'{"type":"user","message":{"content":"%s"}}\n' % (b"x" * self.rng.randrange(400)))
            elif fate < 0.4 and self.calls:
                made.append(usage(self.rng.randrange(self.calls), self.rng.randrange(1, 1000)))
            else:
                made.append(usage(self.calls, self.rng.randrange(1, 1000)))
                self.calls += 1
        return b"".join(made)

    def some_file(self) -> Path:
        files = sorted(self.folder.iterdir())
        if not files or (len(files) < 3 and self.rng.random() < 0.2):
            return self.folder / f"{self.rng.randrange(10**6)}.jsonl"
        return self.rng.choice(files)

    def write(self, path: Path, content: bytes, *, how: str = "ab") -> None:
        with path.open(how) as file:
            file.write(content)
        self.touch(path)

    def touch(self, path: Path) -> None:
        self.clock_ns += 1_000_000
        os.utime(path, ns=(self.clock_ns, self.clock_ns))

    def append(self) -> None:
        self.write(self.some_file(), self.lines())

    def append_part(self) -> None:
        """Some bytes, ending anywhere; a later append finishes the line or garbles it, as a crashed writer would."""
        content = self.lines()
        self.write(self.some_file(), content[: self.rng.randrange(1, len(content))])

    def append_slowly(self) -> None:
        """One line in two writes with a look in between."""
        path, content = self.some_file(), self.lines()
        cut = self.rng.randrange(1, len(content))
        self.write(path, content[:cut])
        self.look()
        self.write(path, content[cut:])

    def truncate(self) -> None:
        """Emptied in place and written again, as copytruncate does."""
        self.write(self.some_file(), self.lines() if self.rng.random() < 0.7 else b"", how="wb")

    def cut(self) -> None:
        """Shortened to any length, then perhaps written on."""
        path = self.some_file()
        if path.exists():
            os.truncate(path, self.rng.randrange(path.stat().st_size + 1))
            self.touch(path)
            if self.rng.random() < 0.5:
                self.write(path, b"\n" + self.lines())

    def replace(self) -> None:
        """Another file under the same name: shorter, longer, or of the same length."""
        path = self.some_file()
        old = path.stat().st_size if path.exists() else 0
        content = self.lines()
        if self.rng.random() < 0.4 and old > len(content):
            content += b" " * (old - len(content) - 1) + b"\n"
        other = path.with_suffix(".new")
        self.write(other, content)
        other.rename(path)

    def rotate(self) -> None:
        """Renamed to a name that is read as well, or to one that is not; a new file may take its place."""
        path = self.some_file()
        if path.exists():
            path.rename(path.with_name(f"{self.rng.randrange(10**6)}.{self.rng.choice(('jsonl', 'old'))}"))
            if self.rng.random() < 0.6:
                self.write(path, self.lines())

    def copy(self) -> None:
        """The same lines in a further file."""
        path = self.some_file()
        if path.exists():
            target = self.folder / f"{self.rng.randrange(10**6)}.jsonl"
            shutil.copyfile(path, target)
            self.touch(target)

    def delete(self) -> None:
        self.some_file().unlink(missing_ok=True)

    def look(self) -> None:
        """One look of ringlet's at everything, as `ringlet ingest` takes it; the model takes note of what there was to see."""
        for found in under(ADAPTER, str(self.root), []):
            content = Path(found.source.path).read_bytes()
            self.note(content)
            cursor = self.cursors.get(found.source.path)
            if unchanged(found, cursor):
                continue
            batch = Batch()
            work = Work(found=found, source_id=1, cursor=cursor)
            reading = read(ADAPTER, work, batch, Manner(now_ns=LONG_AFTER_NS, titles=False))
            assert isinstance(reading, Reading)
            counts = reading.counts
            assert counts.lines == counts.events + counts.ignored + counts.quarantined
            assert counts.events == len(batch)
            began = cursor.offset if cursor is not None and not counts.resets else 0
            assert reading.after.offset == began + counts.bytes
            assert b"\n" not in content[reading.after.offset :]
            self.cursors[found.source.path] = reading.after
            for message, output in zip(batch.message_id, batch.output, strict=True):
                assert message is not None
                call = int(message.removeprefix("msg_"))
                self.got[call] = max(self.got.get(call, 0), output)

    def note(self, content: bytes) -> None:
        """What stands in whole lines; where a writer lost a newline, a line is several whole objects or worth nothing."""
        known = {usage(call, output)[:-1]: (call, output) for call, output in self.written(content)}
        for line in content.split(b"\n")[:-1]:
            objects = line.strip(b" ").replace(b'}{"type"', b'}\n{"type"').split(b"\n")
            if all(whole in known or (whole.startswith(b'{"type":"user"') and whole.endswith(b'"}}')) for whole in objects):
                for call, output in (known[whole] for whole in objects if whole in known):
                    self.due[call] = max(self.due.get(call, 0), output)

    @staticmethod
    def written(content: bytes) -> list[tuple[int, int]]:
        """Every (call, output) that stands anywhere in `content`, whole lines or not."""
        found = []
        for part in content.split(b'"requestId":"req_')[1:]:
            call, _, rest = part.partition(b'"')
            output = rest.partition(b'"output_tokens":')[2].partition(b"}")[0]
            if call.isdigit() and output.isdigit():
                found.append((int(call), int(output)))
        return found

    def live(self, steps: int) -> None:
        changes = [self.append] * 8 + [self.append_part, self.append_slowly] * 2
        changes += [self.truncate, self.cut, self.replace, self.rotate, self.copy, self.delete]
        for _ in range(steps):
            change = self.rng.choice(changes)
            self.story.append(change.__name__)
            change()
            if self.rng.random() < 0.4:
                self.story.append("look")
                self.look()
        self.look()


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_line_that_was_there_to_see_is_seen(group: int, tmp_path: Path) -> None:
    """Whatever happens to the files between looks, each whole line that a look could see counts, and nothing else does."""
    for number in range(SEQUENCES // GROUPS):
        seed = group * 1_000_000 + number
        world = World(tmp_path / str(number), seed)
        world.live(steps=25)

        assert world.got == world.due, f"seed {seed}: {world.story}"
        shutil.rmtree(tmp_path / str(number))


def test_the_model_notices_a_reader_that_trusts_its_cursor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is worth something: without the check whether a cursor still holds, lines are missed."""

    def trusting(_fd: int, size: int, _first: bytes, cursor: Cursor, **_: bool) -> bool:
        return size >= cursor.offset

    monkeypatch.setattr("ingest.identity.holds", trusting)
    missed = 0
    for seed in range(40):
        world = World(tmp_path / str(seed), seed)
        try:
            world.live(steps=25)
        except AssertionError:
            missed += 1
        else:
            missed += world.got != world.due

    assert missed > 0

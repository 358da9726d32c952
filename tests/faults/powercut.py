"""What a disk may hold after the power was cut: every state that the recorded operations allow.

The model is harsher than any file system in use: of the changes of names that were not fsynced any subset may have happened, each
rename whole or not at all; of bytes that were not fsynced all, none or half may be there. What SQLite has committed is on the
disk: its own durability is not what is tested here.
"""

import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.durable import Fs

MANY = 64
"""So many subsets of un-synced changes are tried at one crash point when there are more."""

Op = tuple[str, str, str, bytes]
"""(operation, path, second path, bytes)"""


class Recorder(Fs):
    """The real file system, with a list of what was done to it. With `without` the n-th fsync is forgotten: a mutant of the code."""

    def __init__(self, home: Path, without: int | None = None) -> None:
        self.home = str(home)
        self.without = without
        self.syncs: list[str] = []
        self.ops: list[Op] = []

    def _note(self, op: str, path: str, other: str = "", content: bytes = b"") -> None:
        self.ops.append((op, os.path.relpath(path, self.home), other and os.path.relpath(other, self.home), content))

    def _synced(self, op: str, path: str) -> None:
        self.syncs.append(f"{op} {os.path.relpath(path, self.home)} after {' '.join(self.ops[-1][:3])}")
        if len(self.syncs) - 1 != self.without:
            self._note(op, path)

    def create(self, path: str) -> int:
        fd = super().create(path)
        self._note("create", path)
        return fd

    def write(self, fd: int, content: bytes | memoryview) -> None:
        super().write(fd, content)
        self._note("write", os.readlink(f"/proc/self/fd/{fd}"), content=bytes(content))

    def fsync(self, fd: int) -> None:
        super().fsync(fd)
        self._synced("fsync", os.readlink(f"/proc/self/fd/{fd}"))

    def fsync_dir(self, path: str) -> None:
        self._synced("fsync_dir", path)

    def mkdir(self, path: str) -> None:
        super().mkdir(path)
        self._note("mkdir", path)

    def rename_new(self, source: str, target: str) -> None:
        super().rename_new(source, target)
        self._note("rename", source, target)

    def replace(self, source: str, target: str) -> None:
        super().replace(source, target)
        self._note("rename", source, target)

    def exchange(self, one: str, other: str) -> bool:
        done = super().exchange(one, other)
        if done:
            self._note("exchange", one, other)
        return done

    def unlink(self, path: str) -> None:
        super().unlink(path)
        self._note("unlink", path)

    def rmdir(self, path: str) -> None:
        super().rmdir(path)
        self._note("unlink", path)

    def step(self, name: str) -> None:
        """In place of `durable.step`: at each commit the journal as it now is on the disk."""
        if name == "committed":
            content = b"".join(_framed(Path(self.home) / file) for file in ("journal.db", "journal.db-wal"))
            self._note("commit", self.home, content=content)


def _framed(path: Path) -> bytes:
    content = path.read_bytes() if path.exists() else b""
    return len(content).to_bytes(8, "big") + content


@dataclass
class File:
    content: bytes = b""
    synced: bytes = b""


@dataclass
class Folder:
    now: dict[str, "File | Folder"] = field(default_factory=dict)
    synced: dict[str, "File | Folder"] = field(default_factory=dict)


Part = tuple[Folder, str, "File | Folder | None"]


class Disk:
    """The files of a store, what of them is certain to survive, and what may."""

    def __init__(self, home: Path) -> None:
        self.root = self._loaded(home)
        self.pending: list[list[Part]] = []
        self.journal = b"".join(_framed(home / file) for file in ("journal.db", "journal.db-wal"))

    def _loaded(self, path: Path) -> Folder:
        folder = Folder()
        for entry in path.iterdir():
            if entry.is_dir():
                folder.now[entry.name] = self._loaded(entry)
            elif not entry.name.startswith("journal.db"):
                folder.now[entry.name] = File(entry.read_bytes(), entry.read_bytes())
        folder.synced = dict(folder.now)
        return folder

    def _folder(self, path: str) -> Folder:
        node: File | Folder = self.root
        for name in path.split("/"):
            if name not in ("", "."):
                assert isinstance(node, Folder)
                node = node.now[name]
        assert isinstance(node, Folder)
        return node

    def _entry(self, path: str) -> tuple[Folder, str]:
        parent, _, name = path.rpartition("/")
        return self._folder(parent), name

    def _change(self, *parts: Part) -> None:
        for folder, name, node in parts:
            if node is None:
                del folder.now[name]
            else:
                folder.now[name] = node
        self.pending.append(list(parts))

    def apply(self, op: Op) -> None:
        what, path, other, content = op
        if what == "commit":
            self.journal = content
            return
        if what == "fsync_dir":
            self._sync(self._folder(path))
            return
        folder, name = self._entry(path)
        if what in ("create", "mkdir"):
            self._change((folder, name, File() if what == "create" else Folder()))
        elif what == "unlink":
            self._change((folder, name, None))
        elif what in ("rename", "exchange"):
            target, new = self._entry(other)
            back = target.now[new] if what == "exchange" else None
            self._change((target, new, folder.now[name]), (folder, name, back))
        else:
            node = folder.now[name]
            assert isinstance(node, File)
            if what == "write":
                node.content += content
            else:
                node.synced = node.content

    def _sync(self, folder: Folder) -> None:
        """What was pending in one folder is certain; halves of a rename that lie in another folder stay pending."""
        folder.synced = dict(folder.now)
        left = [[part for part in change if part[0] is not folder] for change in self.pending]
        self.pending = [change for change in left if change]

    def states(self, rng: random.Random) -> Iterator[Callable[[Path], None]]:
        """Everything that may be found after a cut at this moment, each as a function that writes it to an empty folder."""
        count = len(self.pending)
        if 2**count <= MANY:
            subsets = list(itertools.product((False, True), repeat=count))
        else:
            drawn = {tuple(rng.random() < 0.5 for _ in range(count)) for _ in range(MANY - 2)}
            subsets = [(False,) * count, (True,) * count, *sorted(drawn)]
        for subset in subsets:
            for torn in ("full", "empty", "half"):
                yield lambda target, subset=subset, torn=torn: self._write(target, subset, torn)  # type: ignore[misc]
                if not self._unsynced(self.root):
                    break

    def _unsynced(self, folder: Folder) -> bool:
        nodes = (*folder.now.values(), *folder.synced.values())
        return any(self._unsynced(node) if isinstance(node, Folder) else node.content != node.synced for node in nodes)

    def _write(self, target: Path, subset: tuple[bool, ...], torn: str) -> None:
        entries: dict[int, dict[str, File | Folder]] = {}

        def entries_of(folder: Folder) -> dict[str, File | Folder]:
            return entries.setdefault(id(folder), dict(folder.synced))

        for wanted, change in zip(subset, self.pending, strict=True):
            if wanted:
                for folder, name, node in change:
                    if node is None:
                        entries_of(folder).pop(name, None)
                    else:
                        entries_of(folder)[name] = node

        def put(folder: Folder, path: Path) -> None:
            path.mkdir(mode=0o700)
            for name, node in entries_of(folder).items():
                if isinstance(node, Folder):
                    put(node, path / name)
                else:
                    rest = node.content[len(node.synced) :]
                    kept = {"full": rest, "empty": b"", "half": rest[: len(rest) // 2]}[torn]
                    (path / name).write_bytes(node.synced + kept)
                    (path / name).chmod(0o600)

        put(self.root, target)
        content = self.journal
        for file in ("journal.db", "journal.db-wal"):
            size = int.from_bytes(content[:8], "big")
            if size:
                (target / file).write_bytes(content[8 : 8 + size])
                (target / file).chmod(0o600)
            content = content[8 + size :]

"""Child processes that take numbers from one queue and leave bytes behind.

Decides how processes share work and hand back what they made. What the work is, its caller says. A child is forked where
`pipeline.forking` allows it, else it is a new interpreter, which takes a tenth of a second to start.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from struct import Struct

from pipeline import forking

_NUMBER = Struct("<I")
_LENGTH = Struct("<Q")
_START = "import sys; sys.path[:] = sys.argv[4:]; from ingest.crew import serve; serve(*sys.argv[1:4])"

Task = Callable[["Queue", Callable[[bytes], None]], None]
"""What a child does, with the queue and with a function that leaves bytes for `Crew.left`."""


class Queue:
    """The numbers from 0 up, each given once to one of the processes that share the queue.

    The numbers stand in a file without a name: processes forked after it was opened share its position, and a read moves it atomically.
    """

    fd: int

    def __init__(self, length: int) -> None:
        # Not a memory file: Linux does not move the position of one atomically.
        self.fd = _unlinked()
        os.write(self.fd, b"".join(map(_NUMBER.pack, range(length))))
        os.lseek(self.fd, 0, os.SEEK_SET)

    @classmethod
    def shared(cls, fd: int) -> "Queue":
        """A queue that another process has made."""
        queue = cls.__new__(cls)
        queue.fd = fd
        return queue

    def __iter__(self) -> Iterator[int]:
        while number := os.read(self.fd, _NUMBER.size):
            yield _NUMBER.unpack(number)[0]

    def position(self) -> int:
        """How many numbers have been taken, by anyone."""
        return os.lseek(self.fd, 0, os.SEEK_CUR) // _NUMBER.size

    def end(self) -> None:
        """No process gets another number."""
        os.lseek(self.fd, 0, os.SEEK_END)

    def close(self) -> None:
        """Give the file back."""
        os.close(self.fd)


class Crew:
    """Some children and what they leave."""

    def __init__(self) -> None:
        self._children: list[tuple[Callable[[], object], int]] = []

    def fork(self, queue: Queue, task: Task) -> None:
        """One child more, forked."""
        left = _nameless()
        child = forking.fork(lambda: task(queue, lambda content: _append(left, content)))
        self._children.append((partial(os.waitpid, child, 0), left))

    def start(self, queue: Queue, task: Task) -> None:
        """One child more, a new interpreter; `task` can be pickled. Where there is no room for a process, there is none."""
        import pickle  # with the next one 10 ms that only a large import should pay
        import subprocess

        said, left = _nameless(), _nameless()
        try:
            _append(said, pickle.dumps(task))
            files = (queue.fd, said, left)
            null = subprocess.DEVNULL
            with suppress(OSError):
                argv = [sys.executable, "-c", _START, *map(str, files), *sys.path]
                process = subprocess.Popen(argv, stdin=null, stdout=null, stderr=null, pass_fds=files)
                self._children.append((process.wait, left))
                left = -1
        finally:
            os.close(said)
            if left >= 0:
                os.close(left)

    def left(self) -> Iterator[memoryview]:
        """What each child left, piece by piece, once it is done; what one that died was writing is dropped.

        A piece lies in the file's own memory, and holds until the next is asked for.
        """
        import mmap  # of no use to what needs no children

        for wait, left in self._children:
            wait()
            size = os.fstat(left).st_size
            if size:
                with mmap.mmap(left, size, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as content:
                    end = 0
                    while (begin := end + _LENGTH.size) <= size:
                        end = begin + _LENGTH.unpack_from(content, end)[0]
                        if end <= size:
                            with content[begin:end] as piece:
                                yield piece
                os.ftruncate(left, 0)

    def close(self) -> None:
        """Give the files back; children that are not done lose what they do."""
        for _, left in self._children:
            os.close(left)


def serve(queue: str, said: str, left: str) -> None:
    """The whole life of a child that was started: the numbers of the files that it was handed."""
    import pickle

    forking.obey()
    os.lseek(int(said), 0, os.SEEK_SET)
    (length,) = _LENGTH.unpack(os.read(int(said), _LENGTH.size))
    task: Task = pickle.loads(_exactly(int(said), length) or b"")
    task(Queue.shared(int(queue)), lambda content: _append(int(left), content))


def _nameless() -> int:
    return os.memfd_create("ringlet") if hasattr(os, "memfd_create") else _unlinked()


def _unlinked() -> int:
    """A file without a name, in the folder for such."""
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):
            return os.open(os.environ.get("TMPDIR") or "/tmp", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    import tempfile  # takes 9 ms; it finds a folder also where files of that kind cannot be made

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _append(fd: int, content: bytes) -> None:
    for part in (_LENGTH.pack(len(content)), content):
        view = memoryview(part)
        while view:
            view = view[os.write(fd, view) :]


def _exactly(fd: int, length: int) -> bytearray | None:
    content = bytearray(length)
    view = memoryview(content)
    while view:
        part = os.read(fd, min(len(view), 1 << 24))
        if not part:
            return None
        view[: len(part)] = part
        view = view[len(part) :]
    view.release()
    return content

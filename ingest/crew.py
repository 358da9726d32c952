"""Child processes that take numbers from one queue and leave bytes behind.

Decides how processes share work and hand back what they made. What the work is, its caller says.
"""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from struct import Struct

_NUMBER = Struct("<I")
_LENGTH = Struct("<Q")
_HEAVY = ("polars", "pyarrow", "watchdog")


class Queue:
    """The numbers from 0 up, each given once to one of the processes that share the queue.

    The numbers stand in a file without a name: processes forked after it was opened share its position, and a read moves it atomically.
    """

    def __init__(self, length: int) -> None:
        # Not a memory file: Linux does not move the position of one atomically.
        with tempfile.TemporaryFile() as file:
            self._fd = os.dup(file.fileno())
        os.write(self._fd, b"".join(map(_NUMBER.pack, range(length))))
        os.lseek(self._fd, 0, os.SEEK_SET)

    def __iter__(self) -> Iterator[int]:
        while number := os.read(self._fd, _NUMBER.size):
            yield _NUMBER.unpack(number)[0]

    def position(self) -> int:
        """How many numbers have been taken, by anyone."""
        return os.lseek(self._fd, 0, os.SEEK_CUR) // _NUMBER.size

    def end(self) -> None:
        """No process gets another number."""
        os.lseek(self._fd, 0, os.SEEK_END)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._fd)


class Crew:
    """Some children and what they leave."""

    def __init__(self) -> None:
        self._children: list[tuple[int, int]] = []

    @staticmethod
    def possible() -> bool:
        """Whether this process may have children: forking is safe only before there are threads, its own or a library's."""
        if not hasattr(os, "fork") or sys.platform == "darwin":
            return False
        return threading.active_count() == 1 and not any(name in sys.modules for name in _HEAVY)

    def add(self, queue: Queue, work: Callable[[Queue, Callable[[bytes], None]], None]) -> None:
        """One child more; it calls `work` with the queue and with a function that leaves bytes for `left`."""
        left = _nameless()
        child = os.fork()
        if child:
            self._children.append((child, left))
            return
        code = 1
        try:
            # An interrupt from the terminal reaches the whole group; the parent decides what it means.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            work(queue, lambda content: _append(left, content))
            code = 0
        finally:
            # Nothing of the parent's may run here: no exit handlers, no second flush of its output.
            os._exit(code)

    def left(self) -> Iterator[bytearray]:
        """What each child left, piece by piece, once it is done; what one that died was writing is dropped."""
        for child, left in self._children:
            os.waitpid(child, 0)
            os.lseek(left, 0, os.SEEK_SET)
            while len(length := os.read(left, _LENGTH.size)) == _LENGTH.size:
                content = _exactly(left, _LENGTH.unpack(length)[0])
                if content is not None:
                    yield content
                    del content
            os.ftruncate(left, 0)

    def close(self) -> None:
        """Give the files back; children that are not done lose what they do."""
        for _, left in self._children:
            os.close(left)


def _nameless() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("ringlet")
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

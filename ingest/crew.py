"""Child processes that take numbers from one queue and leave bytes behind.

Decides how processes share work and hand back what they made. What the work is, its caller says.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from struct import Struct

from pipeline import forking

_NUMBER = Struct("<I")
_LENGTH = Struct("<Q")


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

    def add(self, queue: Queue, work: Callable[[Queue, Callable[[bytes], None]], None]) -> None:
        """One child more; it calls `work` with the queue and with a function that leaves bytes for `left`."""
        left = _nameless()
        self._children.append((forking.fork(lambda: work(queue, lambda content: _append(left, content))), left))

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

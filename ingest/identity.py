"""Whether a file is still the one that was read.

Decides when a cursor still holds. Opens nothing: it is given a descriptor that can be read at a position.
"""

import os

from pipeline.digests import blake2b
from pipeline.sources import Cursor

HEAD_BYTES = 1024
TAIL_BYTES = 256


def digest(content: bytes) -> bytes:
    """blake2b-128 of `content`."""
    return blake2b(content, digest_size=16).digest()


def head(fd: int, size: int) -> tuple[bytes, int]:
    """(digest, length) of the first bytes of a file that is `size` bytes long."""
    content = at(fd, 0, min(HEAD_BYTES, size))
    return digest(content), len(content)


def tail(fd: int, offset: int) -> bytes:
    """Digest of the bytes just before `offset`."""
    start = max(0, offset - TAIL_BYTES)
    return digest(at(fd, start, offset - start))


def holds(fd: int, size: int, first: bytes, cursor: Cursor, *, plain: bool = True) -> bool:
    """Whether what `cursor` has consumed is still there: the file is no shorter and begins, and ends before the cursor, as it did.

    `first` is how it begins, `HEAD_BYTES` of it or more as far as there are so many.
    Inode and time decide nothing: an inode can be given to another file, and a copy of the same bytes is as good as the bytes.
    A compressed file (`plain` false) is compared by its head alone; what it holds before the cursor is compared while it is read.
    """
    if size < cursor.head_length or digest(first[: cursor.head_length]) != cursor.head:
        return False
    return not plain or (size >= cursor.offset and tail(fd, cursor.offset) == cursor.tail)


def at(fd: int, offset: int, length: int) -> bytes:
    """Up to `length` bytes at `offset`."""
    if hasattr(os, "pread"):
        return os.pread(fd, length, offset)
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, length)

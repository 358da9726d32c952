"""A source's bytes, however they are stored.

Decides what may be opened at all, and how compressed and UTF-16 files become the text that lines are cut from: by their first bytes,
never by their name.
"""

import codecs
import io
import os
from abc import ABC, abstractmethod
from stat import S_ISREG

from ingest.lines import Readable

MAX_RATIO = 200
MAX_BYTES = 8 << 30
_FREE_BYTES = 64 << 20
_ZSTD = b"\x28\xb5\x2f\xfd"
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_PART = 1 << 18
_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)


def opened(path: str) -> tuple[int, os.stat_result]:
    """Descriptor and status of a regular file, opened for reading without waiting and without following a last link.

    Raises `OSError` for anything else.
    """
    fd = os.open(path, _FLAGS)
    try:
        status = os.fstat(fd)
        if not S_ISREG(status.st_mode):
            raise OSError(f"{path}: not a regular file")
    except BaseException:
        os.close(fd)
        raise
    return fd, status


def is_plain(first: bytes) -> bool:
    """Whether a file that begins so holds its text as it is."""
    return not first.startswith((_ZSTD, _GZIP, *_UTF16))


def text_of(fd: int, first: bytes) -> Readable:
    """The UTF-8 text of the file behind `fd`, which begins with `first`, from its start.

    A member or frame that was cut off ends the stream after what it gave. Reading raises `ValueError("damaged_compression")`, and
    `ValueError("too_large")` for what unfolds to more than a log can hold: past 200 times the stored size (after 64 MiB) or 8 GiB.
    """
    raw = io.FileIO(fd, "r", closefd=False)
    raw.seek(0)
    if first.startswith(_ZSTD):
        return _Unfolded(raw, *_zstd(raw))
    if first.startswith(_GZIP):
        return _Unfolded(raw, _Gzip(raw), _gzip_damage())
    if first.startswith(_UTF16):
        return _Utf16(raw)
    return raw


def rest_of(fd: int, offset: int, size: int) -> Readable:
    """The bytes of a plain file from `offset` on, to `size` at least: what it had when it was opened."""
    if hasattr(os, "preadv"):
        return _Rest(fd, offset, size)
    os.lseek(fd, offset, os.SEEK_SET)
    return io.FileIO(fd, "r", closefd=False)


def _zstd(raw: io.FileIO) -> tuple[Readable, type[Exception]]:
    # Only compressed logs pay for the library.
    import zstandard

    reader: Readable = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(raw, read_across_frames=True, closefd=False)
    return reader, zstandard.ZstdError


def _gzip_damage() -> type[Exception]:
    import zlib  # likewise

    return zlib.error


class _Rest:
    """As a rule a few lines, many times a second at worst: one call to the kernel for all of them."""

    def __init__(self, fd: int, offset: int, size: int) -> None:
        self._fd = fd
        self._offset = offset
        self._size = size

    def readinto(self, buffer: memoryview, /) -> int:
        if self._offset >= self._size:
            # What was written since is the next look's.
            return 0
        got = os.preadv(self._fd, (buffer,), self._offset)
        self._offset += got
        return got


class _Unfolded:
    """A decompressed stream that refuses to grow without bound."""

    def __init__(self, raw: io.FileIO, stream: Readable, damage: type[Exception]) -> None:
        self._raw = raw
        self._stream = stream
        self._damage = damage
        self._given = 0

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            got = self._stream.readinto(buffer) or 0
        except self._damage as error:
            raise ValueError("damaged_compression") from error
        self._given += got
        if self._given > MAX_BYTES or (self._given > _FREE_BYTES and self._given > MAX_RATIO * self._raw.tell()):
            raise ValueError("too_large")
        return got


class _Pending(ABC):
    """A stream whose next part comes as bytes of any length."""

    def __init__(self) -> None:
        self._pending = b""

    @abstractmethod
    def _part(self) -> bytes:
        """The next part; empty at the end."""

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._pending:
            self._pending = self._part()
        got = min(len(buffer), len(self._pending))
        buffer[:got] = self._pending[:got]
        self._pending = self._pending[got:]
        return got


class _Gzip(_Pending):
    """All members of a gzip file; one that was cut off gives what it holds."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__()
        self._raw = raw
        self._stored = b""
        import zlib  # likewise

        self._begin = zlib.decompressobj
        self._member = self._begin(31)

    def _part(self) -> bytes:
        while True:
            if not self._stored:
                self._stored = self._raw.read(_PART) or b""
                if not self._stored:
                    return b""
            if self._member.eof:
                if not self._stored.strip(b"\x00"):
                    self._stored = b""
                    continue
                self._member = self._begin(31)
            text = self._member.decompress(self._stored, _PART)
            self._stored = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if text:
                return text


class _Utf16(_Pending):
    """A UTF-16 file, by its byte-order mark, as UTF-8."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__()
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder("utf-16")("replace")

    def _part(self) -> bytes:
        while stored := self._raw.read(_PART):
            if text := self._decoder.decode(stored):
                return text.encode("utf-8", "replace")
        return b""

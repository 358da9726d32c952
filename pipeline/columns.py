"""Columns of values, a few bytes each instead of an object: what millions of sightings lie in between their lines and the log.

Decides how whole numbers, digests and texts lie in memory, and how rows are picked from a column. Which columns there are is decided by
`pipeline.batch` and `pipeline.record`.

A column lies as Arrow will have it, so it goes to another process and into a file without being taken apart.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from operator import itemgetter
from struct import Struct
from typing import Any, overload

DIGEST_BYTES = 16
_DIGEST = Struct(f"{DIGEST_BYTES}s")
_LENGTHS = {DIGEST_BYTES}
_FEW = 8
"""Up to an eighth of a column is picked value by value; for more it is unpacked as a whole."""
_first = itemgetter(0)

TYPE_CHECKING = False
if TYPE_CHECKING:
    Integers = array[int]
else:
    # Takes no parameters before Python 3.12.
    Integers = array


def integers() -> Integers:
    """An empty column of whole numbers below 2^63."""
    return array("q")


class Digests:
    """A column of values of 16 bytes, such as keys and ranks: a list of them to read and to append to."""

    __slots__ = ("content",)

    def __init__(self, content: bytes | bytearray = b"") -> None:
        self.content = bytearray(content)
        """The values, one behind the other."""

    def __len__(self) -> int:
        return len(self.content) // DIGEST_BYTES

    def __iter__(self) -> Iterator[bytes]:
        return map(_first, _DIGEST.iter_unpack(self.content))

    @overload
    def __getitem__(self, row: int) -> bytes: ...
    @overload
    def __getitem__(self, row: slice) -> "Digests": ...
    def __getitem__(self, row: int | slice) -> "bytes | Digests":
        if isinstance(row, slice):
            start, stop, _ = row.indices(len(self))
            return Digests(self.content[start * DIGEST_BYTES : stop * DIGEST_BYTES])
        start = range(len(self))[row] * DIGEST_BYTES
        return bytes(self.content[start : start + DIGEST_BYTES])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digests) and self.content == other.content

    def __iadd__(self, other: "Digests") -> "Digests":
        self.content += other.content
        return self

    def append(self, value: bytes) -> None:
        """One value more; ValueError for one of another length."""
        if len(value) != DIGEST_BYTES:
            raise ValueError(f"a digest has {DIGEST_BYTES} bytes")
        self.content += value

    def extend(self, values: "Digests | Iterable[bytes]") -> None:
        """Several values more; ValueError, and none of them, if one is of another length."""
        if isinstance(values, Digests):
            self.content += values.content
            return
        values = [*values]
        if set(map(len, values)) - _LENGTHS:
            raise ValueError(f"a digest has {DIGEST_BYTES} bytes")
        self.content += b"".join(values)

    def take(self, rows: Sequence[int]) -> "Digests":
        """The values at `rows`."""
        made = Digests()
        made.extend(_taken([*self], rows) if _FEW * len(rows) > len(self) else [self[row] for row in rows])
        return made

    def halves(self) -> tuple[Integers, Integers]:
        """The first and the second eight bytes of each, as signed big-endian numbers."""
        both = array("q", bytes(self.content))
        if sys.byteorder == "little":
            both.byteswap()
        return both[::2], both[1::2]


def head(value: bytes) -> int:
    """The first of the halves of one digest."""
    return int.from_bytes(value[:8], "big", signed=True)


class Texts:
    """A column of texts or None: a list of them to read and to append to."""

    __slots__ = ("_ends", "content", "known", "lengths")

    def __init__(self, content: bytes | bytearray = b"", lengths: "array[int] | None" = None, known: bytes | bytearray = b"") -> None:
        self.content = bytearray(content)
        """The texts in UTF-8, one behind the other."""
        self.lengths = array("i") if lengths is None else lengths
        """How many bytes each has."""
        self.known = bytearray(known)
        """A byte for each, zero where it is None."""
        self._ends: array[int] = array("i", (0,))

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[str | None]:
        start = 0
        for length, known in zip(self.lengths, self.known, strict=True):
            yield self.content[start : start + length].decode() if known else None
            start += length

    @overload
    def __getitem__(self, row: int) -> str | None: ...
    @overload
    def __getitem__(self, row: slice) -> "Texts": ...
    def __getitem__(self, row: int | slice) -> "str | Texts | None":
        if isinstance(row, slice):
            start, stop, _ = row.indices(len(self.lengths))
            if stop - start == len(self.lengths):
                return Texts(self.content, self.lengths[:], self.known)
            ends = self.ends()
            return Texts(self.content[ends[start] : ends[max(start, stop)]], self.lengths[start:stop], self.known[start:stop])
        row = range(len(self.lengths))[row]
        ends = self.ends()
        return self.content[ends[row] : ends[row + 1]].decode() if self.known[row] else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Texts) and (self.lengths, self.known, self.content) == (other.lengths, other.known, other.content)

    def __iadd__(self, other: "Texts") -> "Texts":
        self.content += other.content
        self.lengths += other.lengths
        self.known += other.known
        return self

    def append(self, value: str | None) -> None:
        """One text more."""
        text = b"" if value is None else value.encode()
        self.content += text
        self.lengths.append(len(text))
        self.known.append(value is not None)

    def extend(self, values: "Texts | Iterable[str | None]") -> None:
        """Several texts more."""
        if isinstance(values, Texts):
            self += values
            return
        values = [*values]
        known = b"\1" * len(values)
        try:
            joined = "".join(values)  # type: ignore[arg-type]
            texts: list[Any] = values
        except TypeError:
            texts = ["" if value is None else value for value in values]
            joined = "".join(texts)
            known = bytes([value is not None for value in values])
        # Before anything is added: a lone surrogate is no text.
        content = joined.encode()
        if len(content) != len(joined):
            texts = [text.encode() for text in texts]
        # A list becomes a column at once, anything else value by value.
        self.lengths += array("i", [*map(len, texts)])
        self.content += content
        self.known += known

    def missing(self) -> Iterator[int]:
        """The rows that are None."""
        row = self.known.find(0)
        while row >= 0:
            yield row
            row = self.known.find(0, row + 1)

    def take(self, rows: Sequence[int]) -> "Texts":
        """The texts at `rows`."""
        made = Texts()
        made.extend(_taken([*self], rows) if _FEW * len(rows) > len(self) else [self[row] for row in rows])
        return made

    def ends(self) -> "array[int]":
        """Where the texts begin and end in `content`: one number more than there are texts."""
        if len(self._ends) != len(self.lengths) + 1:
            self._ends = array("i", [*accumulate(self.lengths, initial=0)])
        return self._ends


_MANY = 64
"""Up to so many rows nobody looks for runs among them."""
_RUN = 4
"""Rows of a file mostly stay together. From so many in a row, to copy runs is quicker than to pick rows."""


def picked(column: Any, rows: Sequence[int]) -> Any:
    """The column's values at `rows`; a column of its own, of the same kind."""
    if len(rows) == len(column) and rows == range(len(column)):
        return column[:]
    if len(rows) == 1:
        return column[rows[0] : rows[0] + 1]
    if isinstance(column, Digests | Texts):
        return column.take(rows)
    values = _taken(column, rows)
    return array("q", values) if isinstance(column, array) else list(values)


class Pick:
    """The same rows picked from one column after another: `pick(column)` is `picked(column, rows)`."""

    def __init__(self, rows: Sequence[int]) -> None:
        self._rows = rows
        self._runs = [slice(rows[0], rows[0] + 1)] if len(rows) == 1 else []
        if len(rows) > _MANY:
            cuts = [at for at, (row, following) in enumerate(zip(rows, islice(rows, 1, None), strict=False), 1) if following - row != 1]
            if len(cuts) * _RUN < len(rows):
                starts, ends = [0, *cuts], [*cuts, len(rows)]
                self._runs = [slice(rows[start], rows[end - 1] + 1) for start, end in zip(starts, ends, strict=True)]

    def __call__(self, column: Any) -> Any:
        if not self._runs:
            return picked(column, self._rows)
        found = column[self._runs[0]]
        for run in self._runs[1:]:
            found += column[run]
        return found


def _taken(column: Sequence[Any], rows: Sequence[int]) -> Sequence[Any]:
    if len(rows) > 1:
        values: Sequence[Any] = itemgetter(*rows)(column)
        return values
    return [column[row] for row in rows]


def as_plain(value: object) -> object:
    """Columns as bytes, for msgspec's encoders."""
    if isinstance(value, array):
        return memoryview(value).cast("B")
    if isinstance(value, Digests):
        return value.content
    if isinstance(value, Texts):
        return value.content, memoryview(value.lengths).cast("B"), value.known
    raise TypeError(f"{type(value).__name__} is no column")


def as_column(kind: type, value: Any) -> object:
    """Columns from the bytes that `as_plain` made of them, for msgspec's decoders."""
    if kind is Digests:
        return Digests(value)
    if kind is Texts:
        lengths = array("i")
        lengths.frombytes(value[1])
        return Texts(value[0], lengths, value[2])
    column = integers()
    column.frombytes(value)
    return column

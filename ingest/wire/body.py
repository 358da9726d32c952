"""The bytes that a reply's body was before it was compressed for its way.

Decides which codings are understood and how much may come out of them. gzip, deflate and zstd are read; Brotli is not, because that would
take another library for what no provider's event stream uses unless it is asked to: the proxy does not pass on that a client takes it.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

import zstandard

from ingest.decode import BadRecord

BODY_BYTES = 256 << 20
"""So much may come out of one reply; a longer one is not captured."""
_PIECE = 1 << 20
_STEP = 1024
"""So much goes in at a time: what comes out of it is bounded by each coding, and what comes before some damage is not lost by it."""
_CODINGS = ("gzip", "x-gzip", "deflate", "zstd", "identity", "")


class Decoder(Protocol):
    """Takes a body piece by piece and gives what it was, no more at a time than is asked for; raises BadRecord for what is damaged or
    becomes too much."""

    def feed(self, piece: bytes) -> Iterator[bytes]: ...


def decoder(coding: str) -> Decoder | None:
    """What undoes a `Content-Encoding`, several of them too; None where one of them is not understood."""
    names = [name.strip().lower() for name in coding.split(",")]
    if any(name not in _CODINGS for name in names):
        return None
    steps: list[Decoder] = []
    for name in reversed(names):
        if name in ("gzip", "x-gzip", "deflate"):
            steps.append(_Zlib(gzip=name != "deflate"))
        elif name == "zstd":
            steps.append(_Zstd())
    return _Chain(steps)


def understood(accepted: str) -> str:
    """An `Accept-Encoding` without the codings that are not understood; `identity` where nothing is left."""
    kept = [each.strip() for each in accepted.split(",") if each.partition(";")[0].strip().lower() in _CODINGS[:-1]]
    return ", ".join(kept) or "identity"


class _Chain:
    def __init__(self, steps: list[Decoder]) -> None:
        self._steps = steps
        self._left = BODY_BYTES

    def feed(self, piece: bytes) -> Iterator[bytes]:
        pieces = iter((piece,))
        for step in self._steps:
            pieces = self._undone(step, pieces)
        return pieces

    def _undone(self, step: Decoder, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for each in pieces:
            for out in step.feed(each):
                self._left -= len(out)
                if self._left < 0:
                    raise BadRecord("too_long")
                yield out


class _Zlib:
    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._begun = b""
        self._inner = zlib.decompressobj(31) if gzip else None

    def feed(self, piece: bytes) -> Iterator[bytes]:
        if self._inner is None:
            # `deflate` means zlib's form, but some send what it holds without its head.
            piece = self._begun = self._begun + piece
            if len(piece) < 2:
                return
            is_zlib = piece[0] & 0x0F == 8 and int.from_bytes(piece[:2], "big") % 31 == 0
            self._inner = zlib.decompressobj(15 if is_zlib else -15)
        for at in range(0, len(piece), _STEP):
            yield from self._undone(self._inner, piece[at : at + _STEP])

    def _undone(self, inner: "zlib._Decompress", piece: bytes) -> Iterator[bytes]:
        while piece:
            if inner.eof:
                # Another member may follow; zeros are padding.
                piece = piece.lstrip(b"\0") if self._gzip else b""
                if not piece:
                    return
                inner = self._inner = zlib.decompressobj(31)
            try:
                out = inner.decompress(piece, _PIECE)
            except zlib.error:
                raise BadRecord("unreadable") from None
            piece = inner.unconsumed_tail or inner.unused_data
            if out:
                yield out


class _Zstd:
    def __init__(self) -> None:
        self._maker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self._inner = self._maker.decompressobj()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            if self._inner.eof:
                self._inner = self._maker.decompressobj()
            try:
                # What comes out of a step is bounded by the format: 128 KiB a block, a block at least three bytes.
                out = self._inner.decompress(piece[:_STEP])
            except zstandard.ZstdError:
                raise BadRecord("unreadable") from None
            piece = self._inner.unused_data + piece[_STEP:]
            if out:
                yield out

"""Decoding of compressed bodies (RFC 9110 section 8.4), never beyond the bytes that are needed.

A kilobyte may decode to a megabyte, so that what comes out is made a piece at a time.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_GZIP, _ZLIB, _RAW = 31, 15, -15
"""Window bits of zlib: with a gzip header, with a zlib header, with none."""
_WINDOW_BITS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}
_MAX_CODINGS = 3
_PIECE = 64 * 1024


class BodyDecoder:
    """Decodes the codings of one body, in the order in which they were applied."""

    def __init__(self, codings: tuple[str, ...], limit: int) -> None:
        names = [one for one in codings if one != "identity"]
        self.unknown = next((one for one in names if one not in _WINDOW_BITS), None)
        """A coding that can't be decoded; then bytes stay as they are."""
        if len(names) > _MAX_CODINGS and self.unknown is None:
            self.unknown = ", ".join(names)[:40]
        known = [] if self.unknown is not None else list(reversed(names))
        self._steps = [_Inflater(_WINDOW_BITS[one], limit) for one in known]
        self.error = ""
        """Why decoding failed; what was decoded before stays."""

    @property
    def active(self) -> bool:
        """Whether anything is decoded."""
        return bool(self._steps)

    @property
    def finished(self) -> bool:
        """Whether every coding reached its own end."""
        return all(one.finished for one in self._steps)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what more bytes decode to, in pieces; nothing after an error."""
        if self.error:
            return
        pieces: Iterable[bytes] = (data,)
        for step in self._steps:
            pieces = step.feed(pieces)
        try:
            yield from pieces
        except zlib.error as error:
            self.error = str(error)[:80]


class _Inflater:
    """One gzip or deflate coding. `deflate` without its zlib header is accepted, as browsers do."""

    def __init__(self, window_bits: int, limit: int) -> None:
        self._window_bits = window_bits
        self._left = limit
        self._zlib = zlib.decompressobj(window_bits)
        self._started = b"" if window_bits == _ZLIB else None
        """The first bytes of `deflate`; None once its format is known."""
        self.finished = False

    def feed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what pieces decode to; empty pieces too, so that the caller can pause between any two."""
        for data in pieces:
            yield from self._inflate(self._start(data))

    def _start(self, data: bytes) -> bytes:
        """Keep `deflate` back until its header shows which of the two formats it is (RFC 1950)."""
        if self._started is None:
            return data
        data = self._started + data
        self._started = data if len(data) < 2 else None
        if self._started is not None:
            return b""
        if data[0] & 0x0F != zlib.DEFLATED or int.from_bytes(data[:2]) % 31:
            self._zlib = zlib.decompressobj(_RAW)
        return data

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        full = True
        while full or data:
            if self._left <= 0 or (self.finished and not self._begin_member(data)):
                yield b""
                return
            piece = self._zlib.decompress(data, min(self._left, _PIECE))
            self._left -= len(piece)
            self.finished = self._zlib.eof
            data = self._zlib.unused_data if self.finished else self._zlib.unconsumed_tail
            full = len(piece) == _PIECE and not self.finished  # zlib may hold back more than the tail
            yield piece

    def _begin_member(self, data: bytes) -> bool:
        """Begin the next member of a gzip file (RFC 1952), if this is one."""
        if self._window_bits != _GZIP or not data.startswith(b"\x1f\x8b"):
            return False
        self._zlib = zlib.decompressobj(_GZIP)
        return True

"""Decoding of compressed bodies (RFC 9110 section 8.4), never beyond the bytes that are needed."""

from __future__ import annotations

import zlib

_GZIP, _ZLIB, _RAW = 31, 15, -15
"""Window bits of zlib: with a gzip header, with a zlib header, with none."""
_WINDOW_BITS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}
_MAX_CODINGS = 3


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

    def feed(self, data: bytes) -> bytes:
        """Return what more bytes decode to; b"" after an error."""
        if self.error:
            return b""
        try:
            for step in self._steps:
                data = step.feed(data)
        except zlib.error as error:
            self.error = str(error)[:80]
            return b""
        return data


class _Inflater:
    """One gzip or deflate coding. `deflate` without its zlib header is accepted, as browsers do."""

    def __init__(self, window_bits: int, limit: int) -> None:
        self._window_bits = window_bits
        self._left = limit
        self._zlib = zlib.decompressobj(window_bits)
        self._started = b""
        self.finished = False

    def feed(self, data: bytes) -> bytes:
        try:
            produced = self._inflate(data)
        except zlib.error:
            if self._window_bits != _ZLIB or len(self._started) > 1:
                raise
            self._window_bits, self._zlib = _RAW, zlib.decompressobj(_RAW)
            produced = self._inflate(self._started + data)
        self._started = (self._started + data)[:2]
        return produced

    def _inflate(self, data: bytes) -> bytes:
        produced = bytearray()
        while data and self._left > 0:
            piece = self._zlib.decompress(data, self._left)
            produced += piece
            self._left -= len(piece)
            if not self._zlib.eof:
                break
            self.finished, data = True, self._zlib.unused_data
            if self._window_bits != _GZIP or not data.startswith(b"\x1f\x8b"):
                break
            self.finished, self._zlib = False, zlib.decompressobj(_GZIP)  # the next member of RFC 1952
        return bytes(produced)

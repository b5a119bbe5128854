"""The part of an HTTP response received so far; both HTTP versions fill it."""

from __future__ import annotations

import asyncio
import hashlib
import html
import re

from egressd.clock import monotonic
from egressd.net.http.coding import BodyDecoder
from egressd.net.http.head import MAX_PARTS
from egressd.net.http.headers import parse_decimal
from egressd.net.http.request import ReadLimits
from egressd.net.scrub import scrub, scrub_bytes
from egressd.net.sockets.turns import LoopTurn

BODY_LIMIT = 512
_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{0,400})", re.IGNORECASE)
_TITLE_LIMIT = 200
_THROUGHPUT_MINIMUM = 64 * 1024
"""A shorter body says nothing about throughput."""
_NO_DECODER = BodyDecoder((), 0)
"""For bodies without a coding; it has no state."""


class ResponseBuffer:
    """One response. Once its head is complete, `timer` is shortened to the time its body may take."""

    def __init__(self, limits: ReadLimits, timer: asyncio.Timeout, turn: LoopTurn) -> None:
        self.limits = limits
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.received = 0
        self.complete = False
        """Whether the whole body was received."""
        self.violations: tuple[str, ...] = ()
        """What of the response breaks HTTP's rules, in words."""
        self.kept = bytearray()
        """The start of the body, decoded."""
        self._first_values: dict[str, str] = {}
        """The value of the first header of each lower-case name."""
        self._timer = timer
        self._turn = turn
        self._hash = hashlib.sha256() if limits.hashed else None
        self._decoder = _NO_DECODER
        self._decoded = 0
        self._head_at = 0.0
        self._last_at = 0.0

    def add_head(
        self,
        status: int,
        headers: tuple[tuple[str, str], ...],
        *,
        codings: tuple[str, ...] = (),
        violations: tuple[str, ...] = (),
    ) -> None:
        """Add the status and all headers of the final response, and its transfer codings."""
        self.status = status
        self.headers = headers
        self._first_values = {name.lower(): value for name, value in reversed(headers)}
        self.violations = violations
        codings = (*self._content_codings(), *codings)
        self._decoder = BodyDecoder(codings, self.limits.stop_after) if codings else _NO_DECODER
        self._head_at = self._last_at = monotonic()
        if self.limits.body_seconds is not None:
            sooner = asyncio.get_running_loop().time() + self.limits.body_seconds
            self._timer.reschedule(min(sooner, self._timer.when() or sooner))

    def _content_codings(self) -> tuple[str, ...]:
        if self.header("content-encoding") is None:
            return ()
        named = (value for name, value in self.headers if name.lower() == "content-encoding")
        return tuple(
            one.strip().lower() for value in named for one in value.split(",", MAX_PARTS) if one.strip()
        )

    async def add_body(self, data: bytes) -> None:
        """Add a piece of the body as sent; what it decodes to may be a thousand times as long."""
        self.received += len(data)
        self._last_at = monotonic()
        for piece in self._decoder.feed(data):
            self._decoded += len(piece)
            if len(self.kept) < self.limits.keep:
                self.kept += piece[: self.limits.keep - len(self.kept)]
            if self._hash is not None:
                self._hash.update(piece)
            await self._turn.share()

    def end_body(self) -> None:
        """Note that the whole body was received; a coding that does not end with it breaks the rules."""
        self.complete = True
        if self.status == 206 or not self.received or self._decoded >= self.limits.stop_after:
            return
        unfinished = "" if self._decoder.finished else "it ends in the middle of its coding"
        if why := self._decoder.error or unfinished:
            self.violations = (*self.violations, f"the compressed body can't be decoded: {why}")

    @property
    def enough(self) -> bool:
        """Whether enough of the body was received."""
        return self.complete or max(self.received, self._decoded) >= self.limits.stop_after

    @property
    def content_length(self) -> int | None:
        """The value of Content-Length; None where there is none."""
        return parse_decimal(self.header("content-length"))

    def header(self, name: str) -> str | None:
        """Return the value of the first header of that lower-case name."""
        return self._first_values.get(name)

    @property
    def throughput(self) -> float | None:
        """Body bytes per second; None where the body is too short to tell."""
        seconds = self._last_at - self._head_at
        if self.received < _THROUGHPUT_MINIMUM or seconds <= 0:
            return None
        return round(self.received / seconds, 1)

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of the whole body; None where only a part was read or sent."""
        whole = self.complete and self._decoder.finished and self._decoder.unknown is None
        if self._hash is None or not whole or self.status == 206:
            return None
        return self._hash.hexdigest()

    @property
    def decoded(self) -> int | None:
        """The size of the body after decoding; None where nothing had to be decoded."""
        return self._decoded if self._decoder.active else None

    @property
    def body_text(self) -> str:
        """The start of the body as text."""
        return scrub_bytes(bytes(self.kept), BODY_LIMIT)

    @property
    def der(self) -> bool | None:
        """Whether the body is one DER value of the length announced; None where there is no body.

        Only the first bytes are read: they hold the length, and a CRL may have many megabytes.
        """
        if not self.received:
            return None
        announced = None if self._decoder.active else self.content_length
        whole = self._decoded if self.complete else announced
        return is_der(bytes(self.kept[:8]), length=whole)

    @property
    def title(self) -> str:
        """The HTML title."""
        found = _TITLE.search(self.kept)
        return scrub(html.unescape(found[1].decode("utf-8", "replace")), _TITLE_LIMIT) if found else ""


def is_der(head: bytes, *, length: int | None) -> bool:
    """Return whether a body starts as a DER SEQUENCE (X.690 section 8.9), `length` bytes long if known."""
    if len(head) < 2 or head[0] != 0x30:
        return False
    size, octets = head[1], 0
    if size & 0x80:
        octets = size & 0x7F
        if not 1 <= octets <= 4 or len(head) < 2 + octets:
            return False
        size = int.from_bytes(head[2 : 2 + octets], "big")
    return length is None or size + 2 + octets == length

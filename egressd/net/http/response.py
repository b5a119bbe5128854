"""What has been taken in of an answer so far. Both HTTP versions pour into it."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable

from egressd.clock import monotonic
from egressd.net.http.headers import parse_decimal
from egressd.net.http.request import ReadLimits
from egressd.net.scrub import scrub, scrub_bytes

BODY_LIMIT = 512
_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{0,400})", re.IGNORECASE)
_TITLE_LIMIT = 200
_MEASURABLE = 64 * 1024
"""A download below this says nothing about speed."""


class ResponseBuffer:
    """One answer, as it comes in. `on_head` is called once its head is complete."""

    def __init__(self, limits: ReadLimits, on_head: Callable[[], None]) -> None:
        self.limits = limits
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.received = 0
        self.complete = False
        """Whether the whole body came."""
        self.kept = bytearray()
        self._on_head = on_head
        self._hash = hashlib.sha256() if limits.hashed else None
        self._begun = 0.0
        self._last = 0.0

    def add_head(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        """Take the status and all headers of the final answer."""
        self.status = status
        self.headers = headers
        self._begun = self._last = monotonic()
        self._on_head()

    def add_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.received += len(data)
        self._last = monotonic()
        if len(self.kept) < self.limits.keep:
            self.kept += data[: self.limits.keep - len(self.kept)]
        if self._hash is not None:
            self._hash.update(data)

    @property
    def enough(self) -> bool:
        """Whether enough of the body is here."""
        return self.complete or self.received >= self.limits.wanted

    @property
    def content_length(self) -> int | None:
        """What the answer promised."""
        return parse_decimal(self.header("content-length"))

    def header(self, name: str) -> str | None:
        """Return the first header of a name in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def throughput(self) -> float | None:
        """Body bytes per second; None where too few came to tell."""
        seconds = self._last - self._begun
        if self.received < _MEASURABLE or seconds <= 0:
            return None
        return round(self.received / seconds, 1)

    @property
    def sha256(self) -> str | None:
        """The digest of the whole body; None where only a part was read or sent."""
        if self._hash is None or not self.complete or self.status == 206:
            return None
        return self._hash.hexdigest()

    @property
    def body_text(self) -> str:
        """The start of the body as text."""
        return scrub_bytes(bytes(self.kept), BODY_LIMIT)

    @property
    def der(self) -> bool | None:
        """Whether the body is one DER value as long as the answer says; None where there is no body.

        Its inside is not read: a list of many megabytes shows its length in its first bytes.
        """
        if not self.received:
            return None
        whole = self.received if self.complete else self.content_length
        return is_der(bytes(self.kept[:8]), length=whole)

    @property
    def title(self) -> str:
        """The HTML title."""
        found = _TITLE.search(self.kept)
        return scrub(html.unescape(found[1].decode("utf-8", "replace")), _TITLE_LIMIT) if found else ""


def is_der(head: bytes, *, length: int | None) -> bool:
    """Whether a body starts as a DER SEQUENCE (X.690 section 8.9) that is `length` bytes long, if known."""
    if len(head) < 2 or head[0] != 0x30:
        return False
    size, octets = head[1], 0
    if size & 0x80:
        octets = size & 0x7F
        if not 1 <= octets <= 4 or len(head) < 2 + octets:
            return False
        size = int.from_bytes(head[2 : 2 + octets], "big")
    return length is None or size + 2 + octets == length

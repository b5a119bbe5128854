"""The head of an HTTP/1 response, read as leniently as clients do, and what of it breaks RFC 9112."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from egressd.model.observation import Failure
from egressd.net.http.headers import is_field_name, parse_decimal
from egressd.net.scrub import scrub, scrub_bytes
from egressd.net.sockets.errors import PhaseError

HEAD_LIMIT = 300 * 1024
"""Bytes that a response head may have, as in curl; Go accepts 10 MB. Many peers may send one at once."""
_MAX_LINES = 5000
"""Lines that a response head may have, as in curl."""
MAX_VIOLATIONS = 8
MAX_PARTS = 16
"""Parts of a header's value that are told apart, codings and lengths; the rest counts as one."""
_SNIPPET = 80
_PROTOCOL = b"HTTP/"
_END = re.compile(rb"\n\r?\n")
_EMPTY_LINES = re.compile(rb"(?:\r?\n)+")
_STATUS_LINE = re.compile(rb"HTTP/[0-9](?:\.[0-9])?[ \t]+([0-9]{3})(?![0-9]).*", re.IGNORECASE | re.DOTALL)
_STRICT_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] [0-9]{3}(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class ResponseHead(Struct, frozen=True, kw_only=True):
    """Status and headers of one response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    violations: tuple[str, ...] = ()
    """What breaks RFC 9112, in words."""


class BodyFraming(Struct, frozen=True, kw_only=True):
    """Where a body ends (RFC 9112 section 6.3), and the transfer codings that it has besides `chunked`."""

    chunked: bool = False
    length: int | None = None
    """None, and not chunked: the close of the connection ends it."""
    codings: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()


class HeadBuffer:
    """Collects bytes until a response head is complete."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._searched = 0
        self._skipped = 0

    def feed(self, data: bytes) -> None:
        """Add bytes."""
        self._data += data

    def take(self) -> bytes | None:
        """Take a complete head out of the buffer; None: more is needed.

        Raises:
            PhaseError: NOT_HTTP, where it can't be the start of a response; TOO_LARGE; FLOOD.
        """
        if not self._searched and (skipped := _EMPTY_LINES.match(self._data)):
            self._skipped += skipped.end()
            del self._data[: skipped.end()]
            if self._skipped > HEAD_LIMIT:
                raise PhaseError(Failure.FLOOD, f"{self._skipped} bytes of empty lines, and no status line")
        if not starts_like_http(self._data):
            raise PhaseError(Failure.NOT_HTTP, _snippet(bytes(self._data)))
        found = _END.search(self._data, max(0, self._searched - 2))
        self._searched = len(self._data)
        if found is None and self._searched <= HEAD_LIMIT:
            return None
        if found is None or found.start() > HEAD_LIMIT:
            raise PhaseError(Failure.TOO_LARGE, f"the head is larger than {HEAD_LIMIT} bytes")
        head = bytes(self._data[: found.start()])
        if head.count(b"\n") > _MAX_LINES:
            raise PhaseError(Failure.TOO_LARGE, f"the head has more than {_MAX_LINES} lines")
        del self._data[: found.end()]
        self._searched = 0
        return head

    @property
    def empty_lines(self) -> bool:
        """Whether empty lines came before the status line."""
        return self._skipped > 0

    @property
    def rest(self) -> bytes:
        """What came after the heads that were taken."""
        return bytes(self._data)


def _snippet(data: bytes) -> str:
    return scrub_bytes(data, _SNIPPET) or data[:32].hex()


def starts_like_http(data: bytes | bytearray) -> bool:
    """Return whether bytes are the start of a status line, as far as they go."""
    start = bytes(data[: len(_PROTOCOL)]).lstrip(b"\r\n").upper()
    return _PROTOCOL.startswith(start)


def parse_head(data: bytes) -> ResponseHead:
    """Parse a response head without its final empty line.

    Raises:
        PhaseError: NOT_HTTP; the first line is no status line.
    """
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    line = _STATUS_LINE.fullmatch(lines[0])
    if line is None or line[1] < b"100":
        raise PhaseError(Failure.NOT_HTTP, _snippet(lines[0]))
    violations = _Violations()
    if not _STRICT_STATUS_LINE.fullmatch(lines[0]):
        violations.add("status line {}", lines[0])
    headers = tuple(_read_fields(lines[1:], violations))
    return ResponseHead(status=int(line[1]), headers=headers, violations=tuple(violations.found))


class _Violations:
    """What breaks the rules, in words; the first few, as a head may have thousands."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, what: str, data: bytes) -> None:
        """Add a text with the bytes in question at its `{}`."""
        if len(self.found) < MAX_VIOLATIONS:
            self.found.append(what.format(f"`{scrub_bytes(data, 40)}`"))


def _read_fields(lines: list[bytes], violations: _Violations) -> Iterator[tuple[str, str]]:
    """Yield name and value of each header field, and add what is wrong with it to `violations`."""
    for line in _unfold(lines, violations):
        raw, colon, value = line.partition(b":")
        name = raw.rstrip(b" \t").decode("latin-1")
        text = value.strip(b" \t").decode("latin-1")
        if not colon:
            violations.add("a line without a colon: {}", line)
            continue
        if name and raw != raw.rstrip(b" \t"):
            violations.add("a space before the colon of {}", name.encode("latin-1"))
        if not is_field_name(name):
            violations.add("{} is no header name", name.encode("latin-1"))
        if _CONTROL.search(text):
            violations.add("a control character in {}", name.encode("latin-1"))
        yield scrub(name, _SNIPPET), text


def _unfold(lines: list[bytes], violations: _Violations) -> list[bytes]:
    """Join folded lines (RFC 9112 section 5.2)."""
    found: list[bytearray] = []
    for line in lines:
        if not line.startswith((b" ", b"\t")):
            found.append(bytearray(line))
        elif found:
            found[-1] += b" " + line.lstrip(b" \t")
        else:
            violations.add("a folded line before the first header: {}", line)
    return [bytes(line) for line in found]


def body_framing(headers: tuple[tuple[str, str], ...]) -> BodyFraming:
    """Return where the body of a response with these headers ends; Transfer-Encoding goes first."""
    named = _coding_list(headers)
    codings = [one for one in named if one not in ("identity", "chunked")]
    violations = ["Transfer-Encoding: identity, which HTTP/1.1 does not have"] if "identity" in named else []
    if "chunked" in named:
        if named.count("chunked") > 1 or [one for one in named if one != "identity"][-1] != "chunked":
            violations.append(f"Transfer-Encoding: {scrub(', '.join(named), _SNIPPET)}")
        return BodyFraming(chunked=True, codings=tuple(codings), violations=tuple(violations))
    if codings:
        return BodyFraming(codings=tuple(codings), violations=tuple(violations))
    announced = (value for name, value in headers if name.lower() == "content-length")
    lengths = {one.strip() for value in announced for one in value.split(",", MAX_PARTS)}
    length = parse_decimal(next(iter(lengths))) if len(lengths) == 1 else None
    if lengths and length is None:
        violations.append(f"Content-Length: {scrub(', '.join(sorted(lengths)), 40)}")
    return BodyFraming(length=length, violations=tuple(violations))


def _coding_list(headers: tuple[tuple[str, str], ...]) -> list[str]:
    values = (value for name, value in headers if name.lower() == "transfer-encoding")
    codings = (
        one.partition(";")[0].strip().lower() for value in values for one in value.split(",", MAX_PARTS)
    )
    return [scrub(one, 40) for one in codings if one]

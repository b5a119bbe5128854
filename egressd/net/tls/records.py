"""Passive parsing of TLS records (RFC 8446 section 5), as far as they are in cleartext.

Rule of the file: whatever the bytes are, it never raises, and it keeps a bounded amount.
"""

from __future__ import annotations

from egressd.model.observation import TlsAlert
from egressd.net.scrub import scrub

HEADER = 5
HEAD_LIMIT = 512
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
_TYPES = frozenset({CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, 24})
_MAX_PAYLOAD = 16384 + 2048
"""A record's payload, the expansion of TLS 1.2 included (RFC 5246 section 6.2.3)."""
SERVER_HELLO, CERTIFICATE_REQUEST = 2, 13
_SUPPORTED_VERSIONS = 43
_VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}
FATAL = 2


class RecordScanner:
    """Counts the records of one direction, and reads alerts and the ServerHello in cleartext."""

    def __init__(self) -> None:
        self.head = bytearray()
        """The first bytes, TLS or not."""
        self.size = 0
        self.records = 0
        self.alert: TlsAlert | None = None
        """The fatal alert, else the last warning."""
        self.version: str | None = None
        """The version chosen by the ServerHello."""
        self.server_hello = False
        self.certificate_request = False
        self.broken = False
        """Whether bytes came that are no TLS record."""
        self._header = bytearray()
        self._remaining = 0
        self._kind = 0
        self._cleartext = True
        self._alert = bytearray()
        self._messages = _HandshakeScanner()

    @property
    def is_tls(self) -> bool:
        """Whether the stream may be TLS, by its first bytes."""
        return not (self.broken and self.records == 0)

    def feed(self, data: bytes) -> None:
        """Parse more bytes of the stream."""
        self.size += len(data)
        if len(self.head) < HEAD_LIMIT:
            self.head += data[: HEAD_LIMIT - len(self.head)]
        position = 0
        while position < len(data) and not self.broken:
            position += (
                self._read_payload(data, position) if self._remaining else self._read_header(data, position)
            )

    def _read_header(self, data: bytes, position: int) -> int:
        """Read bytes of a record header; return how many."""
        taken = data[position : position + HEADER - len(self._header)]
        self._header += taken
        self.broken = not _may_be_header(self._header)
        if len(self._header) == HEADER and not self.broken:
            self._kind = self._header[0]
            self._remaining = int.from_bytes(self._header[3:5], "big")
            self._header.clear()
            self._alert.clear()
            self.records += 1
            self._cleartext = self._cleartext and self._kind not in {CHANGE_CIPHER_SPEC, APPLICATION_DATA}
        return len(taken)

    def _read_payload(self, data: bytes, position: int) -> int:
        """Read bytes of a record payload; return how many."""
        end = min(len(data), position + self._remaining)
        if self._kind == ALERT and self._remaining + len(self._alert) == 2:
            self._read_alert(data[position:end])
        elif self._kind == HANDSHAKE and self._cleartext:
            self._messages.feed(data[position:end])
            self._copy_results()
        self._remaining -= end - position
        return end - position

    def _read_alert(self, data: bytes) -> None:
        """Read an alert of two bytes; encrypted ones are longer."""
        self._alert += data
        if len(self._alert) < 2 or (self.alert is not None and self.alert.level == FATAL):
            return
        self.alert = TlsAlert(level=self._alert[0], description=self._alert[1])

    def _copy_results(self) -> None:
        self.server_hello = self._messages.server_hello
        self.certificate_request = self._messages.certificate_request
        self.version = self._messages.version

    @property
    def head_text(self) -> str:
        """The first bytes as text, as far as they are printable."""
        return "" if self.records else scrub(self.head.decode("utf-8", "ignore"), HEAD_LIMIT)


class _HandshakeScanner:
    """Parses the handshake messages of cleartext records; keeps the ServerHello only."""

    def __init__(self) -> None:
        self.server_hello = False
        self.certificate_request = False
        self.version: str | None = None
        self._header = bytearray()
        self._remaining = 0
        self._hello: bytearray | None = None

    def feed(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            position += (
                self._read_body(data, position) if self._remaining else self._read_header(data, position)
            )

    def _read_header(self, data: bytes, position: int) -> int:
        taken = data[position : position + 4 - len(self._header)]
        self._header += taken
        if len(self._header) == 4:
            kind, self._remaining = self._header[0], int.from_bytes(self._header[1:], "big")
            self._header.clear()
            self.server_hello |= kind == SERVER_HELLO
            self.certificate_request |= kind == CERTIFICATE_REQUEST
            self._hello = bytearray() if kind == SERVER_HELLO and self._remaining <= HEAD_LIMIT else None
        return len(taken)

    def _read_body(self, data: bytes, position: int) -> int:
        taken = data[position : position + self._remaining]
        self._remaining -= len(taken)
        if self._hello is not None:
            self._hello += taken
            if self._remaining == 0:
                self.version = server_hello_version(bytes(self._hello))
        return len(taken)


def _may_be_header(header: bytearray) -> bool:
    """Return whether this may be the start of a record header."""
    if header[:1] and header[0] not in _TYPES:
        return False
    if header[1:2] and header[1] != 3:
        return False
    return len(header) < HEADER or int.from_bytes(header[3:5], "big") <= _MAX_PAYLOAD


def server_hello_version(body: bytes) -> str | None:
    """Return the version a ServerHello chose (RFC 8446 section 4.1.3); None where it can't be read."""
    if len(body) < 35:
        return None
    version = int.from_bytes(body[:2], "big")
    position = 35 + body[34] + 3 + 2
    while position + 4 <= len(body):
        kind, size = int.from_bytes(body[position : position + 2], "big"), body[position + 2 : position + 4]
        if kind == _SUPPORTED_VERSIONS:
            version = int.from_bytes(body[position + 4 : position + 6], "big")
        position += 4 + int.from_bytes(size, "big")
    return _VERSIONS.get(version)

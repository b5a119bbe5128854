"""Passive parsing of TLS records (RFC 8446 section 5), as far as they are in cleartext.

Rule of the file: whatever the bytes are, it never raises, and it keeps a bounded amount.
"""

from __future__ import annotations

import struct

from egressd.model.observation import TlsAlert
from egressd.net.scrub import scrub

HEADER = 5
_RECORD = struct.Struct("!BBxH")
"""Type, version and size of a record."""
_MAJOR = 3
"""The first number of every version since SSL 3.0."""
HEAD_LIMIT = 512
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
_TYPES = frozenset({CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, 24})
_ENDS_CLEARTEXT = frozenset({CHANGE_CIPHER_SPEC, APPLICATION_DATA})
_ALERT_SIZE = 2
"""Bytes of an alert; encrypted ones are longer."""
_MAX_PAYLOAD = 16384 + 2048
"""A record's payload, the expansion of TLS 1.2 included (RFC 5246 section 6.2.3)."""
SERVER_HELLO, CERTIFICATE_REQUEST = 2, 13
_MESSAGE_HEADER = 4
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
        self.broken = False
        """Whether bytes came that are no TLS record."""
        self._header = b""
        """The start of a header whose rest has not come."""
        self._remaining = 0
        self._kind = 0
        self._reads = False
        """Whether the payload of the record is read, and not passed over."""
        self._cleartext = True
        self._alert = b""
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
        if self._header:
            data, self._header = self._header + data, b""
        position, end = 0, len(data)
        while position < end and not self.broken:
            if not self._remaining:
                self._read_header(data, position)
                position += HEADER
                continue
            stop = min(end, position + self._remaining)
            if self._reads:
                self._read_payload(data[position:stop])
            self._remaining -= stop - position
            position = stop

    def _read_header(self, data: bytes, position: int) -> None:
        """Read a record header, or the start of one."""
        if position + HEADER > len(data):
            self._header = data[position:]
            self.broken = not _may_be_header(self._header)
            return
        kind, major, size = _RECORD.unpack_from(data, position)
        if kind not in _TYPES or major != _MAJOR or size > _MAX_PAYLOAD:
            self.broken = True
            return
        self._kind, self._remaining = kind, size
        self._alert = b""
        self.records += 1
        self._cleartext = self._cleartext and kind not in _ENDS_CLEARTEXT
        self._reads = self._cleartext if kind == HANDSHAKE else kind == ALERT and size == _ALERT_SIZE

    def _read_payload(self, payload: bytes) -> None:
        """Read bytes of a payload that is in cleartext, or an alert."""
        if self._kind == ALERT:
            self._read_alert(payload)
        else:
            self._messages.feed(payload)

    def _read_alert(self, data: bytes) -> None:
        self._alert += data
        if len(self._alert) < _ALERT_SIZE or (self.alert is not None and self.alert.level == FATAL):
            return
        self.alert = TlsAlert(level=self._alert[0], description=self._alert[1])

    @property
    def server_hello(self) -> bool:
        """Whether a ServerHello began."""
        return self._messages.server_hello

    @property
    def certificate_request(self) -> bool:
        """Whether a CertificateRequest began."""
        return self._messages.certificate_request

    @property
    def version(self) -> str | None:
        """The version chosen by the ServerHello."""
        return self._messages.version

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
        self._header = b""
        """The start of a header whose rest has not come."""
        self._remaining = 0
        self._hello: bytes | None = None
        """What came of a ServerHello."""

    def feed(self, data: bytes) -> None:
        if self._header:
            data, self._header = self._header + data, b""
        position, end = 0, len(data)
        while position < end:
            if not self._remaining:
                position += self._read_header(data[position : position + _MESSAGE_HEADER])
                continue
            stop = min(end, position + self._remaining)
            self._remaining -= stop - position
            if self._hello is not None:
                self._read_hello(data[position:stop])
            position = stop

    def _read_header(self, header: bytes) -> int:
        """Read the header of a message, or the start of one; return its bytes."""
        if len(header) < _MESSAGE_HEADER:
            self._header = header
        else:
            kind, self._remaining = header[0], int.from_bytes(header[1:])
            self.server_hello |= kind == SERVER_HELLO
            self.certificate_request |= kind == CERTIFICATE_REQUEST
            self._hello = b"" if kind == SERVER_HELLO and self._remaining <= HEAD_LIMIT else None
        return len(header)

    def _read_hello(self, body: bytes) -> None:
        self._hello = (self._hello or b"") + body
        if self._remaining == 0:
            self.version = server_hello_version(self._hello)


def _may_be_header(header: bytes) -> bool:
    """Return whether a record header may begin so."""
    return header[0] in _TYPES and header[1:2] in {b"", bytes((_MAJOR,))}


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

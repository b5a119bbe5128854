"""Passive parsing of TLS records: it never raises, and the result does not depend on how bytes are cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from egressd.model.observation import TlsAlert
from egressd.net.tls.records import HEAD_LIMIT, RecordScanner, server_hello_version


def record(kind: int, payload: bytes) -> bytes:
    """Return a record."""
    return bytes([kind, 3, 3]) + len(payload).to_bytes(2, "big") + payload


def message(kind: int, body: bytes) -> bytes:
    """Return a handshake message."""
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def hello(*, extension: bytes = b"") -> bytes:
    """Return a ServerHello."""
    extensions = len(extension).to_bytes(2, "big") + extension
    return message(2, b"\x03\x03" + bytes(32) + b"\x02ab" + b"\x13\x01\x00" + extensions)


TLS13 = b"\x00\x2b\x00\x02\x03\x04"


def scan(data: bytes, *cuts: int) -> RecordScanner:
    """Feed bytes, cut at positions."""
    found = RecordScanner()
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        found.feed(data[start:end])
    return found


FLIGHT = (
    record(22, hello() + message(11, bytes(900))[:500])
    + record(22, message(11, bytes(900))[500:] + message(13, bytes(40)))
    + record(21, b"\x02\x28")
)


@given(st.lists(st.integers(0, 2000), max_size=8))
def test_flight_cut_anywhere(cuts: list[int]) -> None:
    """ServerHello, CertificateRequest and alert are seen however the bytes arrive."""
    found = scan(FLIGHT, *cuts)
    assert found.server_hello
    assert found.certificate_request
    assert found.version == "TLSv1.2"
    assert found.alert == TlsAlert(level=2, description=40)
    assert (found.records, found.size, found.is_tls) == (3, len(FLIGHT), True)


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=8))
def test_any_bytes(data: bytes, cuts: list[int]) -> None:
    """Garbage is counted and bounded, and cuts don't matter."""
    whole, pieces = scan(data), scan(data, *cuts)
    assert (whole.records, whole.is_tls, whole.alert) == (pieces.records, pieces.is_tls, pieces.alert)
    assert whole.head == pieces.head == data[:HEAD_LIMIT]


@given(st.binary(max_size=300))
def test_any_server_hello(body: bytes) -> None:
    """A ServerHello body of any bytes has a version or None."""
    server_hello_version(body)


def test_version_by_extension() -> None:
    """TLS 1.3 is in an extension."""
    assert scan(record(22, hello(extension=TLS13))).version == "TLSv1.3"


def test_fatal_alert_is_kept() -> None:
    """A later close_notify does not replace it."""
    found = scan(record(21, b"\x02\x50") + record(21, b"\x01\x00"))
    assert found.alert == TlsAlert(level=2, description=80)


def test_encrypted_records_are_not_parsed() -> None:
    """After ChangeCipherSpec the content of handshake records is ignored."""
    found = scan(record(20, b"\x01") + record(22, message(13, b"")) + record(21, bytes(26)))
    assert not found.certificate_request
    assert found.alert is None


def test_plain_text() -> None:
    """It is recognised from the first byte, and kept as text."""
    found = scan(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    assert not found.is_tls
    assert found.head_text == "HTTP/1.1 403 Forbidden"
    assert not scan(b"S").is_tls
    assert scan(b"\x16\x03").is_tls

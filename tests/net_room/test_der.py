"""A body is recognised as DER by its first bytes: a CRL may have many megabytes."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from egressd.net.http.response import is_der


def test_certificate_is_der(pki: object) -> None:
    """Real DER is one value of the announced length."""
    der = pki.root.certificate.public_bytes(serialization.Encoding.DER)  # type: ignore[attr-defined]  # conftest's
    assert is_der(der[:8], length=len(der))
    assert is_der(der[:8], length=None)
    assert not is_der(der[:8], length=len(der) - 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"0",
        b"<html><head>",
        b"-----BEGIN X509 CRL-----",
        b"\x31\x03\x02\x01\x01",
        b"0\x80",
        b"0\x85\1\1\1",
    ],
)
def test_other_bodies_are_not_der(body: bytes) -> None:
    """A page, PEM, another tag and an indefinite length are not."""
    assert not is_der(body[:8], length=len(body))


@given(st.binary(max_size=8), st.none() | st.integers(0, 1 << 40))
def test_any_bytes(head: bytes, length: int | None) -> None:
    """No bytes make it raise."""
    assert is_der(head, length=length) in (True, False)


@given(st.integers(0, 1 << 31))
def test_short_and_long_form_lengths(size: int) -> None:
    """Both forms of X.690 section 8.1.3 are read."""
    octets = size.to_bytes(max(1, (size.bit_length() + 7) // 8))
    head = bytes([0x30, size]) if size < 128 else bytes([0x30, 0x80 | len(octets)]) + octets
    assert is_der(head, length=len(head) + size)
    assert not is_der(head, length=len(head) + size + 1)

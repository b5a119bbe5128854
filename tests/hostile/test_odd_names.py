"""Certificates whose names are of types that a name need not have: read as far as they can be."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from egressd.net.tls.certificates import parse_certificate

ISSUER, SUBJECT = "the issuer", "the subject"
TAGS = range(1, 0x32)
"""ASN.1 types: BOOLEAN, INTEGER, BIT STRING (which OpenSSL takes in a name), ..., SET."""


@pytest.fixture(scope="module")
def certificate() -> bytes:
    """Return a certificate in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer, subject = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (ISSUER, SUBJECT))
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), 5, now, now + dt.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("odd.test")])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("name", [ISSUER, SUBJECT])
@pytest.mark.parametrize("first", [b"\0", b""])
def test_a_name_of_any_type(certificate: bytes, name: str, tag: int, first: bytes) -> None:
    """Whatever the type and its content, the certificate is read, and what can't be read is unknown."""
    changed = bytearray(certificate)
    at = certificate.index(name.encode())
    changed[at - 2] = tag
    changed[at : at + len(first)] = first  # no unused bits, in a BIT STRING
    facts = parse_certificate(bytes(changed)).facts
    assert all(text is None or text.isprintable() for text in (facts.subject, facts.issuer))
    assert len(facts.sha256) == 64

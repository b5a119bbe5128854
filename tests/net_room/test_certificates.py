"""Certificates: parsed facts, matching names, and the root a chain leads to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from egressd.clock import now
from egressd.net.handshake import chain_facts
from egressd.net.tls.anchors import RootSet
from egressd.net.tls.certificates import ParsedCertificate, host_matches, parse_certificate


def chain(*parties: Any) -> tuple[ParsedCertificate, ...]:
    """Parse certificates."""
    return tuple(parse_certificate(one.der) for one in parties)


def test_certificate_facts(pki: Any) -> None:
    """Names, dates, key and issuer URL are read; the same DER is parsed once."""
    leaf = pki.issue("leaf", issuer=pki.root, names=("web.test", "192.0.2.1"), aia="http://pki.test/ca.cer")
    facts = parse_certificate(leaf.der).facts
    assert facts.subject == "CN=leaf"
    assert facts.issuer == "CN=Test Root"
    assert facts.san == ("web.test", "192.0.2.1")
    assert (facts.key, facts.signature, facts.self_signed) == ("ec-secp256r1", "sha256", False)
    assert facts.issuer_urls == ("http://pki.test/ca.cer",)
    assert facts.serial == f"{leaf.certificate.serial_number:x}"
    assert parse_certificate(leaf.der) is parse_certificate(leaf.der)
    assert parse_certificate(pki.root.der).facts.self_signed


@given(st.binary(max_size=400))
def test_any_bytes_as_der(der: bytes) -> None:
    """Bytes that are no certificate have a fingerprint only."""
    assert parse_certificate(der).facts.sha256


@given(st.data())
def test_damaged_certificate(pki: Any, data: st.DataObject) -> None:
    """A certificate with any byte changed never raises."""
    der = bytearray(pki.root.der)
    der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    found = parse_certificate(bytes(der))
    chain_facts((found,), "web.test", pki.store(pki.root, public=(pki.root,)))


@pytest.mark.parametrize(
    ("pattern", "host", "covered"),
    [
        ("web.test", "WEB.test", True),
        ("web.test.", "web.test", True),
        ("*.web.test", "a.web.test", True),
        ("*.web.test", "a.b.web.test", False),
        ("*.web.test", "web.test", False),
        ("*.test", "web.test", False),
        ("*", "test", False),
        ("w*.web.test", "www.web.test", False),
    ],
)
def test_host_matches_pattern(pattern: str, host: str, covered: bool) -> None:
    """A wildcard stands for one label, at the left, and never for a whole top-level domain."""
    assert host_matches(pattern, host) is covered


def test_addresses_match_ip_names_only(pki: Any) -> None:
    """An address in a DNS name or CN does not match (RFC 6125)."""
    named = parse_certificate(pki.issue("192.0.2.1", issuer=pki.root, names=("192.0.2.1",)).der)
    assert named.matches("192.0.2.1")
    assert not named.matches("192.0.2.2")
    assert not parse_certificate(pki.issue("x", issuer=pki.root, names=("web.test",)).der).matches(
        "192.0.2.1"
    )


def test_chain_with_intermediate(pki: Any) -> None:
    """It leads to its own root only."""
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=("web.test",))
    assert RootSet([pki.root.der]).anchors(chain(leaf, pki.intermediate))
    assert not RootSet([pki.other_root.der]).anchors(chain(leaf, pki.intermediate))


def test_anchoring_ignores_time_and_names(pki: Any) -> None:
    """An expired certificate without names still leads to its issuer."""
    past = now() - timedelta(days=900)
    leaf = pki.issue("old", issuer=pki.root, not_before=past, not_after=past + timedelta(days=1))
    assert RootSet([pki.root.der]).anchors(chain(leaf))


def test_missing_intermediate(pki: Any) -> None:
    """The leaf alone leads to no root; an issuer known by name is reported."""
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=("web.test",))
    roots = RootSet([pki.root.der])
    assert not roots.anchors(chain(leaf))
    assert not roots.has_issuer_of(parse_certificate(leaf.der))
    assert roots.has_issuer_of(parse_certificate(pki.intermediate.der))


def test_leaf_is_no_issuer(pki: Any) -> None:
    """A public leaf used as a CA does not anchor a forged chain."""
    public_leaf = pki.issue("bought", issuer=pki.root, names=("mine.test",))
    forged = pki.issue("forged", issuer=public_leaf, names=("web.test",))
    assert not RootSet([pki.root.der]).anchors(chain(forged, public_leaf))


def test_same_name_is_not_the_root(pki: Any) -> None:
    """A CA with the name of a root is not that root."""
    impostor = pki.issue("Test Root", authority=True)
    leaf = pki.issue("leaf", issuer=impostor, names=("web.test",))
    roots = RootSet([pki.root.der])
    assert not roots.anchors(chain(leaf, impostor))
    assert roots.has_issuer_of(parse_certificate(leaf.der))


def test_any_order_of_chain(pki: Any) -> None:
    """Servers send extra certificates, in any order."""
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=("web.test",))
    assert RootSet([pki.root.der]).anchors(chain(leaf, pki.other_root, pki.root, pki.intermediate))


def test_leaf_as_its_own_anchor(pki: Any) -> None:
    """A self-signed certificate in the root set anchors itself."""
    own = pki.issue("own", names=("web.test",))
    assert RootSet([own.der]).anchors(chain(own))
    assert not RootSet([pki.root.der]).anchors(chain(own))


def test_empty_chain(pki: Any) -> None:
    """An empty chain leads to no root."""
    assert not RootSet([pki.root.der]).anchors(())


def test_unreadable_roots_are_ignored(pki: Any) -> None:
    """They anchor nothing and raise nothing."""
    assert len(RootSet([b"broken", pki.root.certificate.public_bytes(serialization.Encoding.DER)])) == 1

"""Certificates: facts, names, and whose signature is behind a chain."""

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
    """Describe parties."""
    return tuple(parse_certificate(one.der) for one in parties)


def test_facts_of_a_certificate(pki: Any) -> None:
    """Names, dates, key and issuer's address are read; the same DER is read once."""
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
def test_any_der(der: bytes) -> None:
    """Bytes that are no certificate have a fingerprint and nothing else."""
    assert parse_certificate(der).facts.sha256


@given(st.data())
def test_a_damaged_certificate(pki: Any, data: st.DataObject) -> None:
    """A certificate with any byte changed still ends in facts."""
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
def test_names_cover_hosts(pattern: str, host: str, covered: bool) -> None:
    """One label, at the left, and never a whole top-level domain."""
    assert host_matches(pattern, host) is covered


def test_addresses_are_covered_by_address_names_only(pki: Any) -> None:
    """An address in a DNS name or CN does not count (RFC 6125)."""
    named = parse_certificate(pki.issue("192.0.2.1", issuer=pki.root, names=("192.0.2.1",)).der)
    assert named.matches("192.0.2.1")
    assert not named.matches("192.0.2.2")
    assert not parse_certificate(pki.issue("x", issuer=pki.root, names=("web.test",)).der).matches(
        "192.0.2.1"
    )


def test_a_chain_through_an_intermediate(pki: Any) -> None:
    """It leads to its root, and to no other."""
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=("web.test",))
    assert RootSet([pki.root.der]).anchors(chain(leaf, pki.intermediate))
    assert not RootSet([pki.other_root.der]).anchors(chain(leaf, pki.intermediate))


def test_time_names_and_purpose_do_not_matter(pki: Any) -> None:
    """An expired certificate without names is still of who signed it."""
    past = now() - timedelta(days=900)
    leaf = pki.issue("old", issuer=pki.root, not_before=past, not_after=past + timedelta(days=1))
    assert RootSet([pki.root.der]).anchors(chain(leaf))


def test_a_missing_intermediate_anchors_nothing(pki: Any) -> None:
    """Nobody can tell from the leaf alone; a root known by name is said."""
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=("web.test",))
    roots = RootSet([pki.root.der])
    assert not roots.anchors(chain(leaf))
    assert not roots.has_issuer_of(parse_certificate(leaf.der))
    assert roots.has_issuer_of(parse_certificate(pki.intermediate.der))


def test_a_leaf_can_sign_nothing(pki: Any) -> None:
    """A public leaf used as an authority does not make a forged chain public."""
    public_leaf = pki.issue("bought", issuer=pki.root, names=("mine.test",))
    forged = pki.issue("forged", issuer=public_leaf, names=("web.test",))
    assert not RootSet([pki.root.der]).anchors(chain(forged, public_leaf))


def test_a_borrowed_name_signs_nothing(pki: Any) -> None:
    """An authority that only calls itself like a root is not that root."""
    impostor = pki.issue("Test Root", authority=True)
    leaf = pki.issue("leaf", issuer=impostor, names=("web.test",))
    roots = RootSet([pki.root.der])
    assert not roots.anchors(chain(leaf, impostor))
    assert roots.has_issuer_of(parse_certificate(leaf.der))


def test_the_order_of_the_chain_does_not_matter(pki: Any) -> None:
    """Servers send extra certificates, and in any order."""
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=("web.test",))
    assert RootSet([pki.root.der]).anchors(chain(leaf, pki.other_root, pki.root, pki.intermediate))


def test_a_leaf_that_is_trusted_itself(pki: Any) -> None:
    """A pinned self-signed certificate is its own anchor."""
    own = pki.issue("own", names=("web.test",))
    assert RootSet([own.der]).anchors(chain(own))
    assert not RootSet([pki.root.der]).anchors(chain(own))


def test_an_empty_chain(pki: Any) -> None:
    """Nothing leads nowhere."""
    assert not RootSet([pki.root.der]).anchors(())


def test_roots_that_cannot_be_read_are_passed_over(pki: Any) -> None:
    """They anchor nothing and break nothing."""
    assert len(RootSet([b"broken", pki.root.certificate.public_bytes(serialization.Encoding.DER)])) == 1

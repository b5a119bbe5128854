"""Certificates: parsed facts, matching names, and the root a chain leads to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from egressd.clock import now
from egressd.model.observation import ChainFacts
from egressd.net.tls.anchors import RootSet
from egressd.net.tls.certificates import ParsedCertificate, host_matches, parse_certificate
from egressd.net.tls.chain import chain_facts


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
    roots = RootSet([pki.root.der])
    chain_facts((found,), "web.test", public=roots, trusted=roots)


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


def facts(leaf: Any, *sent: Any, public: Any, trusted: Any = ()) -> ChainFacts:
    """Return what is told of a chain without OpenSSL's help."""
    return chain_facts(
        chain(leaf, *sent),
        "web.test",
        public=RootSet([one.der for one in public]),
        trusted=RootSet([one.der for one in trusted]),
    )


def subjects(found: ChainFacts) -> list[str | None]:
    """Return the names on the path, from the leaf up."""
    return [one.subject for one in found.path]


def test_path_has_what_counts_and_no_extras(pki: Any) -> None:
    """Root and intermediate are on it, in order; an extra is not, nor is a root that was not sent."""
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=("web.test",))
    found = facts(leaf, pki.other_root, leaf, pki.intermediate, public=(pki.root,))
    assert subjects(found) == ["CN=leaf", "CN=Test Intermediate", "CN=Test Root"]
    assert [one.sent for one in found.path] == [True, True, False]
    assert found.issuer_key == parse_certificate(pki.root.der).raw.key_id  # type: ignore[union-attr]
    assert found.unused_public is False


def test_of_two_ways_up_the_longer_lasting_counts(pki: Any) -> None:
    """A root may also be cross-signed by one that has ended: that end plays no part."""
    past = now() - timedelta(days=40)
    old = pki.issue("Old Root", authority=True, not_before=past, not_after=past + timedelta(days=30))
    crossed = pki.issue(
        "Test Root",
        issuer=old,
        authority=True,
        key=pki.root.key,
        not_before=past,
        not_after=past + timedelta(days=9),
    )
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=("web.test",))
    for roots in ((pki.root,), (old, pki.root)):
        found = facts(leaf, pki.intermediate, crossed, public=roots)
        assert subjects(found)[-1] == "CN=Test Root"
        assert (found.in_time, found.publicly_anchored) == (True, True)
    alone = facts(leaf, pki.intermediate, crossed, public=(old,))
    assert (alone.in_time, alone.publicly_anchored) == (False, True)


@pytest.mark.parametrize("instead", ["root", "stranger", "itself", "nothing"])
def test_gap_ends_the_path_at_the_leaf(pki: Any, instead: str) -> None:
    """Whatever stands where the intermediate belongs; a public certificate beside the path is seen."""
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=("web.test",))
    stranger = pki.issue("Test Other Intermediate", issuer=pki.root, authority=True)
    sent = {"root": (pki.root,), "stranger": (stranger,), "itself": (leaf,), "nothing": ()}[instead]
    found = facts(leaf, *sent, public=(pki.root,), trusted=(pki.root,))
    assert subjects(found) == ["CN=leaf"]
    assert (found.publicly_anchored, found.store_anchored) == (False, False)
    assert found.unused_public is (instead in {"root", "stranger"})
    assert found.issuer_key is None


VERSION_4 = (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03")
"""The field `version` of X.509 v3, and one that no version has."""


def refused(pki: Any, party: Any, issuer: Any) -> bytes:
    """Return a certificate as a version that strict parsers refuse, with a valid signature."""
    signed = party.certificate.tbs_certificate_bytes.replace(*VERSION_4)
    signature = issuer.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    content = signed + algorithm + _tlv(3, b"\0" + signature)
    return _tlv(0x30, content)


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 0xFF])
    return bytes([tag]) + length + content


def test_certificate_that_the_strict_parser_refuses(pki: Any) -> None:
    """Who signed it, its names and its dates are known; its alternative names are not."""
    leaf = pki.issue("leaf", issuer=pki.root, names=("web.test",))
    odd = parse_certificate(refused(pki, leaf, pki.root))
    plain = parse_certificate(leaf.der)
    assert (odd.facts.key, odd.has_names, odd.matches("web.test")) == (None, None, None)
    assert (odd.facts.subject, odd.facts.issuer) == ("CN=leaf", "CN=Test Root")
    assert (odd.facts.not_before, odd.facts.not_after) == (plain.facts.not_before, plain.facts.not_after)
    assert RootSet([pki.root.der]).anchors((odd,)) is True
    assert RootSet([pki.other_root.der]).anchors((odd,)) is False
    own = parse_certificate(refused(pki, pki.other_root, pki.other_root))
    assert own.facts.self_signed
    assert len(RootSet([refused(pki, pki.other_root, pki.other_root)])) == 1


def test_what_openssl_verified_counts_where_nothing_can_be_read(pki: Any) -> None:
    """A chain that verified up to a public root is public, whatever is in it."""
    odd, root = parse_certificate(b"0\x03odd"), parse_certificate(pki.root.der)
    roots, none = RootSet([pki.root.der]), RootSet([])
    alone = chain_facts((odd,), "web.test", public=roots, trusted=roots)
    assert (alone.publicly_anchored, alone.store_anchored, alone.in_time) == (None, None, None)
    verified = chain_facts((odd,), "web.test", public=roots, trusted=roots, built=(odd, root), verified=True)
    assert (verified.publicly_anchored, verified.store_anchored) == (True, True)
    private = chain_facts((odd,), "web.test", public=none, trusted=roots, built=(odd, root), verified=True)
    assert (private.publicly_anchored, private.store_anchored) == (None, True)


def test_names_are_compared_as_openssl_does(pki: Any) -> None:
    """Letters, blanks and the string type of a name do not matter; the key does."""
    authority = pki.issue("Some  AUTHORITY", authority=True)
    same = pki.issue("some authority", authority=True, key=authority.key)
    leaf = pki.issue("leaf", issuer=same, names=("web.test",))
    assert RootSet([authority.der]).anchors(chain(leaf)) is True


@pytest.mark.parametrize(
    "make",
    [
        lambda key, data: key.sign(data, padding.PKCS1v15(), hashes.SHA1()),
        lambda key, data: key.sign(data, padding.PKCS1v15(), hashes.MD5()),
    ],
)
def test_weak_signatures_are_checked(pki: Any, make: Any) -> None:
    """A weak hash is refused by OpenSSL and says who signed all the same."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    root = pki.issue("RSA Root", authority=True, key=key)
    leaf = pki.issue("leaf", issuer=root, names=("web.test",))
    algorithm = {20: "2a864886f70d010105", 16: "2a864886f70d010104"}
    oid = algorithm[20 if "SHA1" in make.__code__.co_names else 16]
    body = leaf.certificate.tbs_certificate_bytes
    ours = bytes.fromhex("300d06092a864886f70d01010b0500")
    weak = bytes.fromhex(f"300d0609{oid}0500")
    signed = body.replace(ours, weak)
    der = _tlv(0x30, signed + weak + _tlv(3, b"\0" + make(key, signed)))
    assert RootSet([root.der]).anchors((parse_certificate(der),)) is True


def test_ways_up_are_bounded(pki: Any) -> None:
    """Fifteen authorities that all sign each other make more ways up than can be walked."""
    first = pki.issue("Many", authority=True)
    many = [pki.issue("Many", authority=True, key=first.key) for _ in range(15)]
    leaf = pki.issue("leaf", issuer=first, names=("web.test",))
    roots = RootSet([pki.root.der])
    assert len(roots.paths(chain(leaf, *many))) < 200
    assert roots.anchors(chain(leaf, *many)) is None

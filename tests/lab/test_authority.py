"""Every kind of leaf has exactly its own error, judged by OpenSSL and by `cryptography`."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from egressd import clock
from egressd.lab.authority import MAX_CONTEXTS, CertificateAuthority
from egressd.lab.leaf import LeafKind

HOST = "mcr.microsoft.com"


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


def verify_code(
    authority: CertificateAuthority, leaf: LeafKind, *, flags: ssl.VerifyFlags | None = None
) -> int:
    """Do a handshake in memory; return OpenSSL's verify code, 0 where the chain is valid."""
    client = ssl.create_default_context(cafile=str(authority.trust_store))
    client.hostname_checks_common_name = False
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT
    client.verify_flags |= flags or ssl.VerifyFlags(0)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = authority.context(HOST, leaf).wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server, server_hostname=HOST)
    for _ in range(6):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_code
    return 0


def issued(authority: CertificateAuthority, host: str, kind: LeafKind) -> tuple[x509.Certificate, ...]:
    """Issue a leaf; return the chain that is sent."""
    chain, _ = authority.issue(host, kind)
    return tuple(x509.load_der_x509_certificate(one) for one in chain)


@pytest.mark.parametrize(
    ("leaf", "code"),
    [
        (LeafKind.GOOD, 0),
        (LeafKind.EXPIRED, 10),
        (LeafKind.EXPIRING, 0),
        (LeafKind.NOT_YET_VALID, 9),
        (LeafKind.SELF_SIGNED, 18),
        (LeafKind.WRONG_NAME, 62),
        (LeafKind.LEAF_ONLY, 20),
        (LeafKind.CN_ONLY, 62),
        (LeafKind.WEAK, 66),
        (LeafKind.WITHOUT_AKI, 0),
        (LeafKind.ROOT_NOT_IN_STORE, 20),
        (LeafKind.FOR_CLIENTS, 26),
        (LeafKind.UNDER_LEAF, 79),
        (LeafKind.TOO_DEEP, 25),
        (LeafKind.CONSTRAINED, 47),
        (LeafKind.DAMAGED, 7),
        (LeafKind.BAD_DATE, 14),
        (LeafKind.UNKNOWN_EXTENSION, 34),
        (LeafKind.AUTHORITY_FIRST, 62),
        (LeafKind.INSPECTION, 20),
        (LeafKind.INSPECTION_WITH_ROOT, 19),
        (LeafKind.INSPECTION_TRUSTED, 0),
        (LeafKind.ORIGIN_UNTRUSTED, 19),
    ],
)
def test_verify_code(authority: CertificateAuthority, leaf: LeafKind, code: int) -> None:
    """Each kind of leaf gives its documented X509_V_ERR code."""
    assert verify_code(authority, leaf) == code


def test_strict_verification(authority: CertificateAuthority) -> None:
    """Python 3.13 verifies strictly by default: only the leaf made for it fails."""
    strict = ssl.VERIFY_X509_STRICT
    assert verify_code(authority, LeafKind.GOOD, flags=strict) == 0
    assert verify_code(authority, LeafKind.INSPECTION_TRUSTED, flags=strict) == 0
    assert verify_code(authority, LeafKind.WITHOUT_AKI, flags=strict) == 85


def test_expired_inspection_leaf(authority: CertificateAuthority) -> None:
    """The chain leads to the inspection root, and the leaf has expired."""
    leaf, root = issued(authority, HOST, LeafKind.INSPECTION_EXPIRED)
    assert leaf.issuer == root.subject
    assert leaf.not_valid_after_utc < clock.now()


def test_roots_of_store_and_public_list(authority: CertificateAuthority) -> None:
    """The second public root is not in the trust store, and the trusted inspection root is not public."""
    trusted = {one.subject for one in x509.load_pem_x509_certificates(authority.trust_store.read_bytes())}
    public = {one.subject for one in x509.load_pem_x509_certificates(authority.public_roots.read_bytes())}
    _, intermediate = issued(authority, HOST, LeafKind.ROOT_NOT_IN_STORE)
    assert intermediate.issuer in public - trusted
    _, inspection = issued(authority, HOST, LeafKind.INSPECTION_TRUSTED)
    assert inspection.subject in trusted - public


def test_aia_and_crl(authority: CertificateAuthority) -> None:
    """The certificate at the AIA URL signed the leaf, and the CRL has the same issuer."""
    leaf, *_ = issued(authority, HOST, LeafKind.LEAF_ONLY)
    issuer = x509.load_der_x509_certificate(authority.issuing_certificate())
    leaf.verify_directly_issued_by(issuer)
    crl = x509.load_der_x509_crl(authority.revocation_list())
    assert crl.issuer == issuer.subject
    assert len(list(crl)) == 0


def test_contexts_are_bounded(authority: CertificateAuthority) -> None:
    """A name is issued for once; endless names do not fill the memory."""
    first = authority.context(HOST, LeafKind.GOOD)
    assert authority.context(HOST, LeafKind.GOOD) is first
    for number in range(MAX_CONTEXTS):
        authority._contexts["x", LeafKind.GOOD, str(number)] = first
    authority.context("another.example", LeafKind.GOOD)
    assert len(authority._contexts) == MAX_CONTEXTS
    assert (HOST, LeafKind.GOOD, "") not in authority._contexts


def test_freshly_issued_leaves(tmp_path: Path) -> None:
    """Where the lab's clock is ahead, good leaves are not yet valid by the host's."""
    authority = CertificateAuthority(
        tmp_path, now=lambda: clock.now() + timedelta(hours=1), freshly_issued=True
    )
    assert verify_code(authority, LeafKind.GOOD) == 9


@pytest.mark.parametrize("host", ["a" * 63 + "." + "b" * 63 + ".example", "192.0.2.7"])
def test_long_names_and_addresses(authority: CertificateAuthority, host: str) -> None:
    """A name longer than a CN, and an address, are in the SAN."""
    leaf, *_ = issued(authority, host, LeafKind.GOOD)
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one.value) for one in san] == [host]

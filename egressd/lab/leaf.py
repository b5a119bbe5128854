"""The lab's leaf certificates: good, or with one error each."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from msgspec import Struct

DAY = timedelta(days=1)
ORGANISATION = "egressd lab"
PKI_HOST = "www.microsoft.com"
AIA_FOLDER = "/pkiops/certs/"
AIA_PATH = f"{AIA_FOLDER}egressd-lab-issuing-ca.crt"
CRL_PATH = "/pkiops/crl/egressd-lab-issuing-ca.crl"
MANY = 4000
"""Names in a certificate of more than 100 KiB."""
_UNKNOWN_EXTENSION = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.25.1"), b"\x05\x00")

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class LeafKind(StrEnum):
    """The kinds of leaf certificates: good, or with one error."""

    GOOD = "good"
    EXPIRED = "expired"
    EXPIRING = "expiring"
    NOT_YET_VALID = "not_yet_valid"
    SELF_SIGNED = "self_signed"
    WRONG_NAME = "wrong_name"
    LEAF_ONLY = "leaf_only"
    CN_ONLY = "cn_only"
    WEAK = "weak"
    WITHOUT_AKI = "without_aki"
    ROOT_NOT_IN_STORE = "root_not_in_store"
    FOR_CLIENTS = "for_clients"
    UNDER_LEAF = "under_leaf"
    TOO_DEEP = "too_deep"
    CONSTRAINED = "constrained"
    DAMAGED = "damaged"
    BAD_DATE = "bad_date"
    UNKNOWN_EXTENSION = "unknown_extension"
    MANY_NAMES = "many_names"
    AUTHORITY_FIRST = "authority_first"
    INSPECTION = "inspection"
    INSPECTION_WITH_ROOT = "inspection_with_root"
    INSPECTION_TRUSTED = "inspection_trusted"
    INSPECTION_EXPIRED = "inspection_expired"
    ORIGIN_UNTRUSTED = "origin_untrusted"


class Issuer(Struct, frozen=True, kw_only=True):
    """A certificate authority: its certificate, its key, and the certificates sent with its leaves."""

    certificate: x509.Certificate
    key: Key
    sent: tuple[x509.Certificate, ...] = ()


class LeafSpec(Struct, frozen=True, kw_only=True):
    """How a kind of leaf is issued."""

    issuer: str
    """The key of its issuer in `issuers`; empty: self-signed."""
    starts: timedelta = -DAY
    ends: timedelta = 90 * DAY
    san: bool = True
    wrong_name: bool = False
    identifier: bool = True
    weak: bool = False
    chain: bool = True
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH
    unknown_extension: bool = False
    more_names: int = 0
    altered: bool = False
    """Whether its last byte is changed after it was signed."""
    month_13: bool = False
    """Whether it ends in a month that no calendar has."""
    authority_first: bool = False
    """Whether its issuer presents itself in its place, with the issuer's key."""


LEAF_SPECS: dict[LeafKind, LeafSpec] = {
    LeafKind.GOOD: LeafSpec(issuer="public"),
    LeafKind.EXPIRED: LeafSpec(issuer="public", starts=-91 * DAY, ends=-DAY),
    LeafKind.EXPIRING: LeafSpec(issuer="public", ends=3 * DAY),
    LeafKind.NOT_YET_VALID: LeafSpec(issuer="public", starts=timedelta(minutes=30)),
    LeafKind.SELF_SIGNED: LeafSpec(issuer=""),
    LeafKind.WRONG_NAME: LeafSpec(issuer="public", wrong_name=True),
    LeafKind.LEAF_ONLY: LeafSpec(issuer="public", chain=False),
    LeafKind.CN_ONLY: LeafSpec(issuer="public", san=False),
    LeafKind.WEAK: LeafSpec(issuer="public", weak=True),
    LeafKind.WITHOUT_AKI: LeafSpec(issuer="public", identifier=False),
    LeafKind.ROOT_NOT_IN_STORE: LeafSpec(issuer="other"),
    LeafKind.FOR_CLIENTS: LeafSpec(issuer="public", purpose=ExtendedKeyUsageOID.CLIENT_AUTH),
    LeafKind.UNDER_LEAF: LeafSpec(issuer="no_authority"),
    LeafKind.TOO_DEEP: LeafSpec(issuer="too_deep"),
    LeafKind.CONSTRAINED: LeafSpec(issuer="constrained"),
    LeafKind.DAMAGED: LeafSpec(issuer="public", altered=True),
    LeafKind.BAD_DATE: LeafSpec(issuer="public", month_13=True),
    LeafKind.UNKNOWN_EXTENSION: LeafSpec(issuer="public", unknown_extension=True),
    LeafKind.MANY_NAMES: LeafSpec(issuer="public", more_names=MANY),
    LeafKind.AUTHORITY_FIRST: LeafSpec(issuer="public", authority_first=True),
    LeafKind.INSPECTION: LeafSpec(issuer="inspection", chain=False),
    LeafKind.INSPECTION_WITH_ROOT: LeafSpec(issuer="inspection"),
    LeafKind.INSPECTION_TRUSTED: LeafSpec(issuer="inspection_trusted"),
    LeafKind.INSPECTION_EXPIRED: LeafSpec(issuer="inspection_trusted", starts=-91 * DAY, ends=-DAY),
    LeafKind.ORIGIN_UNTRUSTED: LeafSpec(issuer="origin_untrusted"),
}


def sign_leaf(host: str, key: Key, issuer: Issuer | None, spec: LeafSpec, moment: datetime) -> bytes:
    """Sign a leaf by its spec, self-signed without an issuer; return it in DER."""
    name = "portal.egressd-lab.test" if spec.wrong_name else host
    subject = distinguished_name(name, ORGANISATION if issuer is not None else "Appliance default")
    signer = issuer.certificate.subject if issuer is not None else subject
    builder = certificate_builder(
        subject, signer, key, starts=moment + spec.starts, ends=moment + spec.ends
    ).add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    for extension, critical in _extensions(name, issuer, spec):
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign(require_ec(issuer.key) if issuer is not None else key, hashes.SHA256())
    der = certificate.public_bytes(serialization.Encoding.DER)
    if spec.month_13 and issuer is not None:
        return _ending_in_month_13(certificate, require_ec(issuer.key))
    return der[:-1] + bytes([der[-1] ^ 1]) if spec.altered else der


def _extensions(name: str, issuer: Issuer | None, spec: LeafSpec) -> list[tuple[x509.ExtensionType, bool]]:
    """Return the extensions beyond basicConstraints, each with whether it is critical."""
    found: list[tuple[x509.ExtensionType, bool]] = [(x509.ExtendedKeyUsage([spec.purpose]), False)]
    if spec.issuer == "public":
        found += [(_access(), False), (_revocation_list(), False)]
    if spec.san:
        more = [x509.DNSName(f"name-{number:05d}.egressd-lab.test") for number in range(spec.more_names)]
        found.append((x509.SubjectAlternativeName([_general_name(name), *more]), False))
    if spec.unknown_extension:
        found.append((_UNKNOWN_EXTENSION, True))
    if spec.identifier and issuer is not None:
        found.append((key_identifier(issuer), False))
    return found


def _access() -> x509.AuthorityInformationAccess:
    where = x509.UniformResourceIdentifier(f"http://{PKI_HOST}{AIA_PATH}")
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)]
    )


def _revocation_list() -> x509.CRLDistributionPoints:
    where = x509.UniformResourceIdentifier(f"http://{PKI_HOST}{CRL_PATH}")
    point = x509.DistributionPoint(full_name=[where], relative_name=None, reasons=None, crl_issuer=None)
    return x509.CRLDistributionPoints([point])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _ending_in_month_13(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the certificate with another end, signed again (DER, X.690)."""
    end = certificate.not_valid_after_utc
    signed = certificate.tbs_certificate_bytes.replace(
        f"{end:%y%m%d%H%M%SZ}".encode(), f"{end:%y}13{end:%d%H%M%SZ}".encode()
    )
    signature = b"\0" + key.sign(signed, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    content = signed + algorithm + bytes([3, len(signature)]) + signature
    return bytes([0x30, 0x82]) + len(content).to_bytes(2, "big") + content


def require_ec(key: Key) -> ec.EllipticCurvePrivateKey:
    """Return the key of an authority: the lab's have EC keys."""
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the lab's authorities have EC keys")
    return key


def distinguished_name(common: str, organisation: str = ORGANISATION) -> x509.Name:
    """Return a subject; a CN holds 64 characters at most (RFC 5280 appendix A)."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common[:64]),
        ]
    )


def certificate_builder(
    subject: x509.Name, issuer: x509.Name, key: Key, *, starts: datetime, ends: datetime
) -> x509.CertificateBuilder:
    """Start a certificate with a serial number and a subject key identifier."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def key_identifier(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    """Return the identifier of an issuer's key."""
    extension = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)

"""Certificates for every way a chain can be right or wrong, as PEM files for real servers."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

NOW = dt.datetime.now(dt.UTC)
YEAR = dt.timedelta(days=365)
DAY = dt.timedelta(days=1)
ZONE = "azure.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate that signs others."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def _name(common: str, organization: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: Authority | None
) -> x509.CertificateBuilder:
    signer = issuer.key if issuer else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def authority(common: str, *, organization: str, issuer: Authority | None = None) -> Authority:
    """Mint a certificate authority: a root, or an intermediate where an issuer is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(common, organization), key, issuer)
        .not_valid_before(NOW - 5 * YEAR)
        .not_valid_after(NOW + 5 * YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign((issuer.key if issuer else key), hashes.SHA256())
    )
    return Authority(certificate=certificate, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a leaf should say."""

    issuer: Authority | None
    """None: signed by itself."""
    names: tuple[str, ...] = (f"*.{ZONE}", ZONE)
    """Empty: the name stands in the subject's CN only."""
    common: str = "server"
    organization: str = "Azure Example"
    since: dt.datetime = NOW - 30 * DAY
    until: dt.datetime = NOW + 200 * DAY
    sent_with: tuple[Authority, ...] = ()
    """What the server sends after the leaf."""


def leaf(folder: Path, name: str, order: Order) -> None:
    """Write `NAME.pem` (leaf and what is sent with it) and `NAME.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(order.common, order.organization), key, order.issuer)
        .not_valid_before(order.since)
        .not_valid_after(order.until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    if order.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(_general(order.names)), critical=False)
    if order.issuer is not None:
        builder = builder.add_extension(_where_the_issuer_is(), critical=False)
    signed = builder.sign(order.issuer.key if order.issuer else key, hashes.SHA256())
    chain = [signed.public_bytes(serialization.Encoding.PEM), *(one.pem() for one in order.sent_with)]
    (folder / f"{name}.pem").write_bytes(b"".join(chain))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _where_the_issuer_is() -> x509.AuthorityInformationAccess:
    where = x509.UniformResourceIdentifier(f"http://pki.{ZONE}/issuer.cer")
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)]
    )


def _general(names: tuple[str, ...]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def write_papers(folder: Path) -> None:
    """Mint every chain of the matrix; `public.pem` and `corporate.pem` are what an operator would trust."""
    public = authority("Example Public Root", organization="Example Trust Services")
    between = authority("Example Issuing CA 1", organization="Example Trust Services", issuer=public)
    corporate = authority("Corp Web Gateway Inspection CA", organization="Corp IT")
    (folder / "issuer.cer").write_bytes(between.certificate.public_bytes(serialization.Encoding.DER))
    (folder / "public.pem").write_bytes(public.pem())
    (folder / "corporate.pem").write_bytes(public.pem() + corporate.pem())
    orders = {
        "good": Order(issuer=between, sent_with=(between,)),
        "expired": Order(issuer=between, sent_with=(between,), since=NOW - 90 * DAY, until=NOW - DAY),
        "early": Order(issuer=between, sent_with=(between,), since=NOW + DAY),
        "other-name": Order(issuer=between, sent_with=(between,), names=("portal.elsewhere.example",)),
        "leaf-only": Order(issuer=between),
        "inspected": Order(issuer=corporate, sent_with=(corporate,)),
        "self-signed": Order(issuer=None),
        "no-san": Order(issuer=between, sent_with=(between,), names=(), common=f"no-san.{ZONE}"),
    }
    for name, order in orders.items():
        leaf(folder, name, order)

"""Certificate chains with every kind of error, as PEM files for real servers."""

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
class CertificateAuthority:
    """A certificate authority."""

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
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: CertificateAuthority | None
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


def authority(
    common: str, *, organization: str, issuer: CertificateAuthority | None = None
) -> CertificateAuthority:
    """Create a certificate authority: a root, or an intermediate if an issuer is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(common, organization), key, issuer)
        .not_valid_before(NOW - 5 * YEAR)
        .not_valid_after(NOW + 5 * YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign((issuer.key if issuer else key), hashes.SHA256())
    )
    return CertificateAuthority(certificate=certificate, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafSpec:
    """The fields of a leaf certificate."""

    issuer: CertificateAuthority | None
    """None: self-signed."""
    names: tuple[str, ...] = (f"*.{ZONE}", ZONE)
    """Empty: the name is in the common name only."""
    common: str = "server"
    organization: str = "Azure Example"
    since: dt.datetime = NOW - 30 * DAY
    until: dt.datetime = NOW + 200 * DAY
    sent_with: tuple[CertificateAuthority, ...] = ()
    """The certificates sent after the leaf."""


def leaf(folder: Path, name: str, spec: LeafSpec) -> None:
    """Write `NAME.pem` (leaf and the certificates sent with it) and `NAME.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(spec.common, spec.organization), key, spec.issuer)
        .not_valid_before(spec.since)
        .not_valid_after(spec.until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    if spec.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(_general(spec.names)), critical=False)
    if spec.issuer is not None:
        builder = builder.add_extension(_aia_extension(), critical=False)
    signed = builder.sign(spec.issuer.key if spec.issuer else key, hashes.SHA256())
    chain = [signed.public_bytes(serialization.Encoding.PEM), *(one.pem() for one in spec.sent_with)]
    (folder / f"{name}.pem").write_bytes(b"".join(chain))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _aia_extension() -> x509.AuthorityInformationAccess:
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


def write_certificates(folder: Path) -> None:
    """Create every chain of the matrix; `public.pem` and `corporate.pem` are trust stores."""
    public = authority("Example Public Root", organization="Example Trust Services")
    intermediate = authority("Example Issuing CA 1", organization="Example Trust Services", issuer=public)
    corporate = authority("Corp Web Gateway Inspection CA", organization="Corp IT")
    (folder / "issuer.cer").write_bytes(intermediate.certificate.public_bytes(serialization.Encoding.DER))
    (folder / "public.pem").write_bytes(public.pem())
    (folder / "corporate.pem").write_bytes(public.pem() + corporate.pem())
    specs = {
        "good": LeafSpec(issuer=intermediate, sent_with=(intermediate,)),
        "expired": LeafSpec(
            issuer=intermediate, sent_with=(intermediate,), since=NOW - 90 * DAY, until=NOW - DAY
        ),
        "early": LeafSpec(issuer=intermediate, sent_with=(intermediate,), since=NOW + DAY),
        "other-name": LeafSpec(
            issuer=intermediate, sent_with=(intermediate,), names=("portal.elsewhere.example",)
        ),
        "leaf-only": LeafSpec(issuer=intermediate),
        "inspected": LeafSpec(issuer=corporate, sent_with=(corporate,)),
        "self-signed": LeafSpec(issuer=None),
        "no-san": LeafSpec(issuer=intermediate, sent_with=(intermediate,), names=(), common=f"no-san.{ZONE}"),
    }
    for name, spec in specs.items():
        leaf(folder, name, spec)

"""Certificates of any shape: sizes of keys, digests, names, extensions, and chains put together by hand."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)
DIGESTS: Mapping[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
SHA256_WITH_RSA = bytes.fromhex("2a864886f70d01010b")
BROKEN_DIGESTS = {"md5": bytes.fromhex("2a864886f70d010104"), "sha1": bytes.fromhex("2a864886f70d010105")}
"""The object identifiers of RFC 8017 appendix A.2.4."""
PRIMES = {4096: 4, 8192: 5}
"""An RSA key of many primes is made in a fraction of the time; the public part shows nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A public key, and the private one as PEM."""

    public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    pem: bytes

    def signer(self) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
        """Return the private key for signing."""
        found = serialization.load_pem_private_key(self.pem, None)
        assert isinstance(found, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        return found


def rsa_key(bits: int = 2048) -> KeyPair:
    """Make an RSA key of any size, with openssl: cryptography makes no short ones."""
    made = _openssl(b"", "genrsa", "-primes", str(PRIMES.get(bits, 2)), str(bits))
    public = serialization.load_pem_public_key(_openssl(made, "pkey", "-pubout"))
    assert isinstance(public, rsa.RSAPublicKey)
    return KeyPair(public=public, pem=made)


def _openssl(stdin: bytes, *words: str) -> bytes:
    return subprocess.run(["openssl", *words], input=stdin, capture_output=True, check=True).stdout


def ec_key(curve: ec.EllipticCurve) -> KeyPair:
    """Make an EC key."""
    key = ec.generate_private_key(curve)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(public=key.public_key(), pem=pem)


@cache
def ordinary_key() -> KeyPair:
    """Return the key of every leaf for which it does not matter."""
    return rsa_key()


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate with its key, and who issued it."""

    certificate: x509.Certificate
    key: KeyPair

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)


def subject(common: str = "", organization: str = "") -> x509.Name:
    """Return a distinguished name; either part may be missing."""
    parts = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common[:64]))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts if value])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pki:
    """Where the certificates of an issuer say that its own certificate and its revocation list are."""

    issuer: str = ""
    revocations: str = ""

    def extensions(self) -> list[x509.ExtensionType]:
        """Return the two extensions, or none."""
        found: list[x509.ExtensionType] = []
        if self.issuer:
            where = x509.UniformResourceIdentifier(self.issuer)
            access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)
            found.append(x509.AuthorityInformationAccess([access]))
        if self.revocations:
            uri = x509.UniformResourceIdentifier(self.revocations)
            point = x509.DistributionPoint(full_name=[uri], relative_name=None, reasons=None, crl_issuer=None)
            found.append(x509.CRLDistributionPoints([point]))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority, root or intermediate."""

    issued: Issued
    pki: Pki = field(default_factory=Pki)
    """What the leaves it issues say."""

    @classmethod
    def make(
        cls,
        name: x509.Name,
        *,
        issuer: Authority | None = None,
        digest: str = "sha256",
        pki: Pki | None = None,
    ) -> Authority:
        """Make one with an RSA key; without an issuer it is a root."""
        key = rsa_key()
        builder = (
            _builder(
                name, key, issuer.issued if issuer else None, since=NOW - 900 * DAY, until=NOW + 900 * DAY
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        signed = _sign(builder, issuer.issued.key if issuer else key, digest)
        return cls(issued=Issued(certificate=signed, key=key), pki=pki or Pki())


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """The fields of a leaf certificate."""

    names: tuple[str, ...]
    """The alternative names; none: the extension is missing."""
    subject: x509.Name
    key: KeyPair = field(default_factory=ordinary_key)
    since: dt.datetime = NOW - 20 * DAY
    until: dt.datetime = NOW + 150 * DAY
    digest: str = "sha256"

    def issue(self, issuer: Authority | None) -> Issued:
        """Sign it; self-signed without an issuer."""
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            *((one, False) for one in (issuer.pki.extensions() if issuer else ())),
        ]
        if self.names:
            general = x509.SubjectAlternativeName([x509.DNSName(one) for one in self.names])
            extensions.append((general, len(list(self.subject)) == 0))
        signer = issuer.issued if issuer else None
        builder = _builder(self.subject, self.key, signer, since=self.since, until=self.until)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        signed = _sign(builder, signer.key if signer else self.key, self.digest)
        return Issued(certificate=signed, key=self.key)


def _builder(
    name: x509.Name, key: KeyPair, issuer: Issued | None, *, since: dt.datetime, until: dt.datetime
) -> x509.CertificateBuilder:
    signer = issuer.key if issuer else key
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return the key usage of an authority, or of a server whose key may also be used by RSA key exchange."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_encipherment=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(builder: x509.CertificateBuilder, signer: KeyPair, digest: str) -> x509.Certificate:
    """Sign with any digest: cryptography knows no broken ones, so openssl signs again with these."""
    good = builder.sign(signer.signer(), DIGESTS.get(digest, hashes.SHA256()))
    if digest in DIGESTS:
        return good
    algorithm = BROKEN_DIGESTS[digest]
    signed = good.tbs_certificate_bytes.replace(SHA256_WITH_RSA, algorithm)
    with NamedTemporaryFile() as key:
        Path(key.name).write_bytes(signer.pem)
        signature = _openssl(signed, "dgst", f"-{digest}", "-sign", key.name)
    der = good.public_bytes(serialization.Encoding.DER).replace(SHA256_WITH_RSA, algorithm)
    return x509.load_der_x509_certificate(der[: -len(signature)] + signature)


def revocation_list(authority: Authority, *revoked: Issued) -> bytes:
    """Return an authority's revocation list, in DER."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.issued.certificate.subject)
        .last_update(NOW - DAY)
        .next_update(NOW + 7 * DAY)
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder(one.certificate.serial_number, NOW - DAY)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.issued.key.signer(), hashes.SHA256()).public_bytes(
        serialization.Encoding.DER
    )


def write_chain(folder: Path, name: str, first: Issued, *rest: Issued) -> None:
    """Write `NAME.pem`, the certificates in this order, and `NAME.key`, the key of the first."""
    (folder / f"{name}.pem").write_bytes(first.pem + b"".join(one.pem for one in rest))
    (folder / f"{name}.key").write_bytes(first.key.pem)

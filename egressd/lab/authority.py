"""The lab's certificates: a public PKI, inspection devices, and a leaf for every certificate error.

All keys are generated for each lab and are worth nothing outside it. A leaf is issued at the first request
for its name, and kept.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from egressd import clock

DAY = timedelta(days=1)
ORGANISATION = "egressd lab"
PKI_HOST = "www.microsoft.com"
AIA_FOLDER = "/pkiops/certs/"
AIA_PATH = f"{AIA_FOLDER}egressd-lab-issuing-ca.crt"
CRL_PATH = "/pkiops/crl/egressd-lab-issuing-ca.crl"
MAX_CONTEXTS = 1000
"""SSL contexts kept: random server names must not fill the memory."""

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
    INSPECTION = "inspection"
    INSPECTION_WITH_ROOT = "inspection_with_root"
    INSPECTION_TRUSTED = "inspection_trusted"
    INSPECTION_EXPIRED = "inspection_expired"
    ORIGIN_UNTRUSTED = "origin_untrusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A certificate authority: its certificate, its key, and the certificates sent with its leaves."""

    certificate: x509.Certificate
    key: Key
    sent: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafSpec:
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
    LeafKind.INSPECTION: LeafSpec(issuer="inspection", chain=False),
    LeafKind.INSPECTION_WITH_ROOT: LeafSpec(issuer="inspection"),
    LeafKind.INSPECTION_TRUSTED: LeafSpec(issuer="inspection_trusted"),
    LeafKind.INSPECTION_EXPIRED: LeafSpec(issuer="inspection_trusted", starts=-91 * DAY, ends=-DAY),
    LeafKind.ORIGIN_UNTRUSTED: LeafSpec(issuer="origin_untrusted"),
}


@dataclass(slots=True)
class CertificateAuthority:
    """Issues all certificates. `directory` gets the PEM files that clients of the lab read."""

    directory: Path
    now: Callable[[], datetime] = clock.now
    freshly_issued: bool = False
    """Whether good leaves are only half an hour old: for a lab whose clock is ahead of the host's."""
    issuers: dict[str, Issuer] = field(init=False)
    _leaf_key: ec.EllipticCurvePrivateKey = field(init=False)
    _weak_key: rsa.RSAPrivateKey | None = field(init=False, default=None)
    _contexts: OrderedDict[tuple[str, LeafKind, str], ssl.SSLContext] = field(
        init=False, default_factory=OrderedDict
    )

    def __post_init__(self) -> None:
        moment = self.now()
        public = _root("Global Root G2", moment)
        other = _root("Second Global Root", moment)
        trusted = _root("Corporate Inspection CA, deployed", moment, organisation="Example Corp")
        inspection = _root("Corporate Inspection CA", moment, organisation="Example Corp")
        distrust = _root('Not trusted by "Corporate Inspection CA"', moment, organisation="Example Corp")
        self._leaf_key = _new_key()
        self.issuers = {
            "public": _intermediate("TLS Issuing CA 01", public, moment),
            "other": _intermediate("TLS Issuing CA 02", other, moment),
            "inspection": _with_root(inspection),
            "inspection_trusted": _with_root(trusted),
            "origin_untrusted": _with_root(distrust),
        }
        _write_pem(self.trust_store, public.certificate, trusted.certificate)
        _write_pem(self.public_roots, public.certificate, other.certificate)

    @property
    def trust_store(self) -> Path:
        """The trust store of the simulated agent, a PEM file."""
        return self.directory / "trust-store.pem"

    @property
    def public_roots(self) -> Path:
        """The public roots of the lab, a PEM file."""
        return self.directory / "public-roots.pem"

    def issuing_certificate(self) -> bytes:
        """Return the intermediate that `AIA_PATH` points to, in DER."""
        return self.issuers["public"].certificate.public_bytes(serialization.Encoding.DER)

    def revocation_list(self) -> bytes:
        """Return a fresh, empty CRL of the public intermediate, in DER."""
        issuer = self.issuers["public"]
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(self.now() - DAY)
            .next_update(self.now() + 7 * DAY)
        )
        return builder.sign(_require_ec(issuer.key), hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def context(self, host: str, leaf: LeafKind, variant: str = "") -> ssl.SSLContext:
        """Return the server's TLS context for a name.

        `variant` is `http1_only`, `tls12`, `client_certificate`, or empty.
        """
        key = (host, leaf, variant)
        if key not in self._contexts:
            self._contexts[key] = self._make_context(host, leaf, variant)
            while len(self._contexts) > MAX_CONTEXTS:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(key)
        return self._contexts[key]

    def clear_contexts(self) -> None:
        """Drop all contexts: new leaves are issued by the lab's current clock."""
        self._contexts.clear()

    def issue(self, host: str, leaf: LeafKind) -> tuple[tuple[x509.Certificate, ...], Key]:
        """Issue a leaf; return the chain to send and the leaf's key."""
        spec = LEAF_SPECS[leaf]
        if self.freshly_issued and leaf is LeafKind.GOOD:
            spec = replace(spec, starts=-timedelta(minutes=30))
        key = self._weak_rsa_key() if spec.weak else self._leaf_key
        issuer = self.issuers.get(spec.issuer)
        certificate = _sign_leaf(_leaf_name(host, spec), key, issuer, spec, self.now())
        sent = issuer.sent if issuer is not None and spec.chain else ()
        return (certificate, *sent), key

    def _weak_rsa_key(self) -> rsa.RSAPrivateKey:
        if self._weak_key is None:
            self._weak_key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - weak on purpose
        return self._weak_key

    def _make_context(self, host: str, leaf: LeafKind, variant: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if leaf is LeafKind.WEAK:
            context.set_ciphers("DEFAULT@SECLEVEL=0")
        chain, key = self.issue(host, leaf)
        file = self.directory / "leaf.pem"
        _write_pem(file, *chain, key=key)
        context.load_cert_chain(file)
        context.set_alpn_protocols(["http/1.1"] if variant == "http1_only" else ["h2", "http/1.1"])
        if variant == "tls12":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        if variant == "client_certificate":
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.trust_store)
        return context


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _require_ec(key: Key) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the lab's authorities have EC keys")
    return key


def _name(common: str, organisation: str = ORGANISATION) -> x509.Name:
    """Return a subject; a CN holds 64 characters at most (RFC 5280 appendix A)."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common[:64]),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, *, starts: datetime, ends: datetime
) -> x509.CertificateBuilder:
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


def _authority_extensions(builder: x509.CertificateBuilder, *, below: int | None) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    constraints = x509.BasicConstraints(ca=True, path_length=below)
    return builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)


def _root(common: str, moment: datetime, *, organisation: str = ORGANISATION) -> Issuer:
    key = _new_key()
    name = _name(f"{organisation} {common}" if organisation == ORGANISATION else common, organisation)
    builder = _builder(name, name, key, starts=moment - 365 * DAY, ends=moment + 3650 * DAY)
    certificate = _authority_extensions(builder, below=None).sign(key, hashes.SHA256())
    return Issuer(certificate=certificate, key=key)


def _intermediate(common: str, root: Issuer, moment: datetime) -> Issuer:
    key = _new_key()
    name = _name(f"{ORGANISATION} {common}")
    builder = _builder(
        name, root.certificate.subject, key, starts=moment - 300 * DAY, ends=moment + 1800 * DAY
    ).add_extension(_key_identifier(root), critical=False)
    certificate = _authority_extensions(builder, below=0).sign(_require_ec(root.key), hashes.SHA256())
    return Issuer(certificate=certificate, key=key, sent=(certificate,))


def _with_root(root: Issuer) -> Issuer:
    """Return a root that signs leaves directly and is sent with them."""
    return Issuer(certificate=root.certificate, key=root.key, sent=(root.certificate,))


def _key_identifier(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    extension = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)


def _leaf_name(host: str, spec: LeafSpec) -> str:
    return "portal.egressd-lab.test" if spec.wrong_name else host


def _sign_leaf(
    host: str, key: Key, issuer: Issuer | None, spec: LeafSpec, moment: datetime
) -> x509.Certificate:
    """Sign a leaf by its spec; self-signed without an issuer."""
    subject = _name(host) if issuer is not None else _name(host, "Appliance default")
    signer = issuer.certificate.subject if issuer is not None else subject
    builder = _builder(subject, signer, key, starts=moment + spec.starts, ends=moment + spec.ends)
    builder = _leaf_extensions(builder, spec.issuer)
    if spec.san:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
    if issuer is None:
        return builder.sign(key, hashes.SHA256())
    if spec.identifier:
        builder = builder.add_extension(_key_identifier(issuer), critical=False)
    return builder.sign(_require_ec(issuer.key), hashes.SHA256())


def _leaf_extensions(builder: x509.CertificateBuilder, issuer: str) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    if issuer != "public":
        return builder
    access = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS,
        x509.UniformResourceIdentifier(f"http://{PKI_HOST}{AIA_PATH}"),
    )
    point = x509.DistributionPoint(
        full_name=[x509.UniformResourceIdentifier(f"http://{PKI_HOST}{CRL_PATH}")],
        relative_name=None,
        reasons=None,
        crl_issuer=None,
    )
    return builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False).add_extension(
        x509.CRLDistributionPoints([point]), critical=False
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_pem(path: Path, *certificates: x509.Certificate, key: Key | None = None) -> None:
    """Write PEM: the key first, if there is one, then the certificates."""
    parts = [one.public_bytes(serialization.Encoding.PEM) for one in certificates]
    if key is not None:
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        parts.insert(0, pem)
    path.write_bytes(b"".join(parts))

"""The lab's certificates: a public PKI, inspection devices, and a leaf for every certificate error.

All keys are generated for each lab and are worth nothing outside it. A leaf is issued at the first request
for its name, and kept.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec.structs import replace

from egressd import clock
from egressd.lab.diffie_hellman import MODP_2048, parameters_pem
from egressd.lab.leaf import (
    DAY,
    LEAF_SPECS,
    ORGANISATION,
    Issuer,
    Key,
    LeafKind,
    certificate_builder,
    distinguished_name,
    key_identifier,
    require_ec,
    sign_leaf,
)

MAX_CONTEXTS = 1000
"""SSL contexts kept: random server names must not fill the memory."""
DHE_ONLY = "dhe_only"
"""The variant without ECDHE: finite-field Diffie-Hellman of 2048 bits, which agents do not have."""


@dataclass(slots=True)
class CertificateAuthority:
    """Issues all certificates. `directory` gets the PEM files that clients of the lab read."""

    directory: Path
    now: Callable[[], datetime] = clock.now
    freshly_issued: bool = False
    """Whether good leaves are only half an hour old: for a lab whose clock is ahead of the host's."""
    issuers: dict[str, Issuer] = field(init=False)
    _leaf_key: ec.EllipticCurvePrivateKey = field(init=False)
    _rsa_keys: dict[int, rsa.RSAPrivateKey] = field(init=False, default_factory=dict)
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
        issuing = _intermediate("TLS Issuing CA 01", public, moment)
        self.issuers = {
            "public": issuing,
            "other": _intermediate("TLS Issuing CA 02", other, moment),
            "too_deep": _intermediate("TLS Issuing CA below 01", issuing, moment),
            "no_authority": _intermediate("No Authority", public, moment, authority=False),
            "constrained": _intermediate("Constrained CA", public, moment, names="egressd-lab.test"),
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
        return builder.sign(require_ec(issuer.key), hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def context(self, host: str, leaf: LeafKind, variant: str = "") -> ssl.SSLContext:
        """Return the server's TLS context for a name.

        `variant` is `http1_only`, `tls12`, `client_certificate`, `dhe_only`, or empty.
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

    def issue(self, host: str, leaf: LeafKind, *, bits: int = 0) -> tuple[tuple[bytes, ...], Key]:
        """Issue a leaf; return the chain to send in DER, and the key of its first certificate.

        `bits`: the size of an RSA key in the place of the EC key.
        """
        spec = LEAF_SPECS[leaf]
        if self.freshly_issued and leaf is LeafKind.GOOD:
            spec = replace(spec, starts=-timedelta(minutes=30))
        key = self._rsa_key(1024 if spec.weak else bits) if spec.weak or bits else self._leaf_key
        issuer = self.issuers.get(spec.issuer)
        certificate = sign_leaf(host, key, issuer, spec, self.now())
        above = issuer.sent if issuer is not None and spec.chain else ()
        sent = tuple(one.public_bytes(serialization.Encoding.DER) for one in above)
        if spec.authority_first and issuer is not None:
            return (*sent, certificate), issuer.key
        return (certificate, *sent), key

    def _rsa_key(self, bits: int) -> rsa.RSAPrivateKey:
        if bits not in self._rsa_keys:
            self._rsa_keys[bits] = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        return self._rsa_keys[bits]

    def _make_context(self, host: str, leaf: LeafKind, variant: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if leaf is LeafKind.WEAK:
            context.set_ciphers("DEFAULT@SECLEVEL=0")
        chain, key = self.issue(host, leaf, bits=2048 if variant == DHE_ONLY else 0)
        file = self.directory / "leaf.pem"
        _write_chain(file, chain, key)
        context.load_cert_chain(file)
        context.set_alpn_protocols(["http/1.1"] if variant == "http1_only" else ["h2", "http/1.1"])
        if variant in {"tls12", DHE_ONLY}:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        if variant == DHE_ONLY:
            self._offer_dhe_alone(context)
        if variant == "client_certificate":
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.trust_store)
        return context

    def _offer_dhe_alone(self, context: ssl.SSLContext) -> None:
        file = self.directory / "dh.pem"
        file.write_text(parameters_pem(MODP_2048), encoding="ascii")
        context.set_ciphers("DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256")
        context.load_dh_params(str(file))


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


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
    name = distinguished_name(
        f"{organisation} {common}" if organisation == ORGANISATION else common, organisation
    )
    builder = certificate_builder(name, name, key, starts=moment - 365 * DAY, ends=moment + 3650 * DAY)
    certificate = _authority_extensions(builder, below=None).sign(key, hashes.SHA256())
    return Issuer(certificate=certificate, key=key)


def _intermediate(
    common: str, above: Issuer, moment: datetime, *, authority: bool = True, names: str = ""
) -> Issuer:
    """Return an authority below another one; `names`: the only domain it may sign for."""
    key = _new_key()
    name = distinguished_name(f"{ORGANISATION} {common}")
    builder = certificate_builder(
        name, above.certificate.subject, key, starts=moment - 300 * DAY, ends=moment + 1800 * DAY
    ).add_extension(key_identifier(above), critical=False)
    if names:
        allowed = x509.NameConstraints(permitted_subtrees=[x509.DNSName(names)], excluded_subtrees=None)
        builder = builder.add_extension(allowed, critical=True)
    if authority:
        builder = _authority_extensions(builder, below=0)
    else:
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    certificate = builder.sign(require_ec(above.key), hashes.SHA256())
    return Issuer(certificate=certificate, key=key, sent=(certificate, *above.sent))


def _with_root(root: Issuer) -> Issuer:
    """Return a root that signs leaves directly and is sent with them."""
    return Issuer(certificate=root.certificate, key=root.key, sent=(root.certificate,))


def _write_pem(path: Path, *certificates: x509.Certificate) -> None:
    path.write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates))


def _write_chain(path: Path, chain: tuple[bytes, ...], key: Key) -> None:
    """Write PEM: the key first, then the certificates."""
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem + b"".join(ssl.DER_cert_to_PEM_cert(one).encode() for one in chain))

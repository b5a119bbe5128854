"""Certificates parsed from DER, each once: chains repeat.

Rule of the file: another parser may reject what OpenSSL accepts. What can't be read is None; nothing here
raises.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import accumulate, islice
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from msgspec import Struct

from egressd.clock import now, timestamp
from egressd.model.observation import Certificate
from egressd.net.scrub import scrub
from egressd.net.sockets.literal import parse_literal
from egressd.net.tls.cache import SizedCache
from egressd.net.tls.der import RawCertificate, read_certificate
from egressd.net.tls.signatures import is_signed_by

_MAX_NAMES = 100
_NAMES_LIMIT = 4096
_MAX_URLS = 8
_URLS_LIMIT = 1000
_TEXT_LIMIT = 500
_SERIAL_LIMIT = 64
_COPIES = 4
"""How often the bytes of a certificate stand in what is kept of it, texts included."""
_OVERHEAD = 4096

T = TypeVar("T")


class ParsedCertificate(Struct, frozen=True, kw_only=True, eq=False):
    """A certificate: the facts to record, and what `ChainFacts` need."""

    facts: Certificate
    raw: RawCertificate | None
    """What is needed to tell who signed it; None: it is no certificate."""
    has_names: bool | None
    """Whether it has alternative names; None: they can't be read."""
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    common_names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None

    @property
    def in_time(self) -> bool | None:
        """Whether it is valid now by this host's clock; None where its dates can't be read."""
        if self.not_before is None or self.not_after is None:
            return None
        return self.not_before <= now() <= self.not_after

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParsedCertificate) and self.facts.sha256 == other.facts.sha256

    def __hash__(self) -> int:
        return hash(self.facts.sha256)

    def matches(self, host: str) -> bool | None:
        """Return whether a subjectAltName matches a host (RFC 6125); None: the names can't be read."""
        if self.has_names is None:
            return None
        address = parse_literal(host)
        if address is not None:
            return str(address) in self.addresses
        return any(host_matches(name, host) for name in self.dns_names)

    def common_name_matches(self, host: str) -> bool:
        """Return whether the subject's common name matches a host, as old clients check it."""
        return any(host_matches(name, host) for name in self.common_names)


def host_matches(pattern: str, host: str) -> bool:
    """Return whether a certificate's name matches a host: exactly, or with `*` as the leftmost label."""
    pattern, host = pattern.lower().rstrip("."), host.lower().rstrip(".")
    if not pattern.startswith("*."):
        return pattern == host
    _, _, parent = host.partition(".")
    return "." in pattern[2:] and parent == pattern[2:]


_known: SizedCache[bytes, ParsedCertificate] = SizedCache(8 * 1024 * 1024)
"""By SHA-256."""
_signed: SizedCache[tuple[str, str], tuple[bool | None]] = SizedCache(4096)
"""Whether the second signed the first, by SHA-256."""


def parse_certificate(der: bytes) -> ParsedCertificate:
    """Parse a certificate, or return what is known of it."""
    digest = hashlib.sha256(der).digest()
    known = _known.get(digest)
    if known is None:
        known = _parse_der(der)
        _known.put(digest, known, size=_OVERHEAD + _COPIES * len(der))
    return known


def _parse_der(der: bytes) -> ParsedCertificate:
    raw = _try(lambda: read_certificate(der), None)
    if raw is None:
        return _refused(der, None)
    with warnings.catch_warnings():
        # cryptography warns about certificates that break a rule; judging them is up to attribution.
        warnings.simplefilter("ignore")
        parsed = _try(lambda: x509.load_der_x509_certificate(der), None)
        return _refused(der, raw) if parsed is None else _facts_of(der, parsed, raw)


def _refused(der: bytes, raw: RawCertificate | None) -> ParsedCertificate:
    """Return what is known of a certificate that the strict parser refuses."""
    facts = Certificate(
        subject=scrub(str(raw.subject), _TEXT_LIMIT) if raw is not None else None,
        issuer=scrub(str(raw.issuer), _TEXT_LIMIT) if raw is not None else None,
        san=(),
        serial=None,
        not_before=_moment(raw.not_before) if raw is not None else None,
        not_after=_moment(raw.not_after) if raw is not None else None,
        sha256=hashlib.sha256(der).hexdigest(),
        key=None,
        signature=None,
        self_signed=_is_self_signed(raw),
    )
    return ParsedCertificate(
        facts=facts,
        raw=raw,
        has_names=None,
        not_before=raw.not_before if raw is not None else None,
        not_after=raw.not_after if raw is not None else None,
    )


def _facts_of(der: bytes, parsed: x509.Certificate, raw: RawCertificate) -> ParsedCertificate:
    names = _try(lambda: _alternative_names(parsed), None)
    dns_names, addresses = names or ((), ())
    not_before = _try(lambda: parsed.not_valid_before_utc, None)
    not_after = _try(lambda: parsed.not_valid_after_utc, None)
    facts = Certificate(
        subject=_name_text(lambda: parsed.subject),
        issuer=_name_text(lambda: parsed.issuer),
        san=_first((*dns_names, *addresses)[:_MAX_NAMES], each=255, together=_NAMES_LIMIT),
        serial=_try(lambda: scrub(f"{parsed.serial_number:x}", _SERIAL_LIMIT), None),
        not_before=_moment(not_before),
        not_after=_moment(not_after),
        sha256=hashlib.sha256(der).hexdigest(),
        key=_try(lambda: _key_type(parsed), None),
        signature=_try(lambda: _signature_hash(parsed), None),
        self_signed=_is_self_signed(raw),
        ocsp_urls=_aia_urls(parsed, AuthorityInformationAccessOID.OCSP),
        issuer_urls=_aia_urls(parsed, AuthorityInformationAccessOID.CA_ISSUERS),
        crl_urls=_try(lambda: _crl_urls(parsed), ()),
    )
    return ParsedCertificate(
        facts=facts,
        raw=raw,
        has_names=None if names is None else bool(dns_names or addresses),
        dns_names=dns_names,
        addresses=addresses,
        common_names=_try(lambda: _common_names(parsed), ()),
        not_before=not_before,
        not_after=not_after,
    )


def names_as_issuer(certificate: ParsedCertificate, issuer: ParsedCertificate) -> bool:
    """Return whether a certificate has the subject of another as its issuer."""
    if certificate.raw is None or issuer.raw is None:
        return False
    return certificate.raw.issuer.key == issuer.raw.subject.key


def is_signed(certificate: ParsedCertificate, issuer: ParsedCertificate) -> bool | None:
    """Return whether the key of an issuer signed a certificate; None: that can't be checked here."""
    if certificate.raw is None or issuer.raw is None:
        return None
    pair = certificate.facts.sha256, issuer.facts.sha256
    known = _signed.get(pair)
    if known is None:
        known = (is_signed_by(certificate.raw, issuer.raw),)
        _signed.put(pair, known)
    return known[0]


def _is_self_signed(raw: RawCertificate | None) -> bool:
    return raw is not None and raw.issuer.key == raw.subject.key and is_signed_by(raw, raw) is True


def _moment(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment is not None else None


def _try(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except (MemoryError, OSError, ImportError):  # this host lacks something
        raise
    except Exception:  # noqa: BLE001 - hostile DER: cryptography raises many exceptions, each means "unreadable"
        return otherwise


def _name_text(read: Callable[[], x509.Name]) -> str | None:
    return _try(lambda: scrub(read().rfc4514_string(), _TEXT_LIMIT), None)


def _common_names(parsed: x509.Certificate) -> tuple[str, ...]:
    return tuple(str(one.value) for one in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def _alternative_names(parsed: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return DNS names and addresses. Raises where the extensions, or the names in them, can't be read."""
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), ()
    addresses = tuple(str(one) for one in names.get_values_for_type(x509.IPAddress))
    return tuple(names.get_values_for_type(x509.DNSName)), addresses


def _key_type(parsed: x509.Certificate) -> str:
    key = parsed.public_key()
    match key:
        case rsa.RSAPublicKey():
            return f"rsa{key.key_size}"
        case ec.EllipticCurvePublicKey():
            return f"ec-{key.curve.name}"
        case dsa.DSAPublicKey():
            return f"dsa{key.key_size}"
        case _:
            return type(key).__name__.removesuffix("PublicKey").lower()


def _signature_hash(parsed: x509.Certificate) -> str:
    algorithm = parsed.signature_hash_algorithm
    return algorithm.name if algorithm else parsed.signature_algorithm_oid.dotted_string


def _aia_urls(parsed: x509.Certificate, method: x509.ObjectIdentifier) -> tuple[str, ...]:
    found = _try(
        lambda: parsed.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value, None
    )
    return _url_values(one.access_location for one in found or () if one.access_method == method)


def _crl_urls(parsed: x509.Certificate) -> tuple[str, ...]:
    points = parsed.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    return _url_values(name for point in points for name in point.full_name or ())


def _url_values(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    found = (one.value for one in names if isinstance(one, x509.UniformResourceIdentifier))
    return _first(islice(found, _MAX_URLS), each=_TEXT_LIMIT, together=_URLS_LIMIT)


def _first(texts: Iterable[str], *, each: int, together: int) -> tuple[str, ...]:
    """Return texts, cut, as many as have so many characters together."""
    cut = [scrub(one, each) for one in texts]
    ends = accumulate(map(len, cut))
    return tuple(one for one, end in zip(cut, ends, strict=True) if end <= together)

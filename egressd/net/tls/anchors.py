"""Trust anchors: whether a chain leads to one of a set of roots, regardless of time, name and purpose.

This is not verification: OpenSSL does that, as the agent would. It tells who issued a chain, so only
signatures and basicConstraints count. It can't be forged without the key of a root.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable

from cryptography import x509

from egressd.net.tls.certificates import ParsedCertificate, is_authority, is_issued_by

_MAX_SENT = 16
_MAX_SIGNATURES = 64
_MAX_CACHED = 4096


class RootSet:
    """A set of root certificates."""

    def __init__(self, ders: Iterable[bytes]) -> None:
        self._digests: set[str] = set()
        self._by_subject: dict[bytes, list[x509.Certificate]] = {}
        self._cache: dict[tuple[str, ...], bool] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for der in ders:
                self._add(der)

    def _add(self, der: bytes) -> None:
        try:
            root = x509.load_der_x509_certificate(der)
            self._by_subject.setdefault(root.subject.public_bytes(), []).append(root)
        except ValueError:
            return  # a root that OpenSSL can read and this parser can't anchors nothing
        self._digests.add(hashlib.sha256(der).hexdigest())

    def __len__(self) -> int:
        return len(self._digests)

    def anchors(self, chain: tuple[ParsedCertificate, ...]) -> bool:
        """Return whether a chain, leaf first, leads to one of the roots."""
        key = tuple(one.facts.sha256 for one in chain)
        known = self._cache.get(key)
        if known is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            known = self._cache[key] = self._search(chain[:_MAX_SENT])
        return known

    def has_issuer_of(self, certificate: ParsedCertificate) -> bool:
        """Return whether a root has the issuer name of a certificate as its subject."""
        return bool(certificate.parsed and self._issuers_by_name(certificate.parsed))

    def _search(self, chain: tuple[ParsedCertificate, ...]) -> bool:
        leaf = chain[0].parsed if chain else None
        if leaf is None:
            return False
        if chain[0].facts.sha256 in self._digests:
            return True
        sent = [one.parsed for one in chain[1:] if one.parsed is not None and is_authority(one.parsed)]
        reached, signatures = [leaf], _MAX_SIGNATURES
        while reached and signatures > 0:
            current = reached.pop()
            roots = self._issuers_by_name(current)
            signatures -= len(roots) + len(sent)
            if any(is_issued_by(current, root) for root in roots):
                return True
            issuers = [one for one in sent if is_issued_by(current, one)]
            sent = [one for one in sent if one not in issuers]
            reached += issuers
        return False

    def _issuers_by_name(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        try:
            return self._by_subject.get(certificate.issuer.public_bytes(), [])
        except ValueError:
            return []

"""Trust anchors, and the ways by which a chain leads to one of them, regardless of time, name and purpose.

This is not verification: OpenSSL does that, as the agent would. It tells who issued a chain, so only
signatures and basicConstraints count. It can't be forged without the key of a root.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from msgspec import Struct

from egressd.model.observation import ChainFacts
from egressd.net.tls.cache import SizedCache
from egressd.net.tls.certificates import ParsedCertificate, is_signed, names_as_issuer, parse_certificate
from egressd.net.tls.der import NameKey

_MAX_SENT = 16
_MAX_SIGNATURES = 48
"""That are checked for one chain. One takes up to a millisecond."""
_MAX_OF_ONE_NAME = 4
"""Certificates of one authority; it has several after a renewal or a cross-signature."""
_MAX_STEPS = 64
_KEPT_BYTES = 4 * 1024 * 1024
"""Of chains whose ways are known."""
_OVERHEAD = 1024
"""What a certificate on a way takes besides its bytes."""


Digests = tuple[str, ...]


class ChainPath(Struct, frozen=True, kw_only=True):
    """Certificates from the leaf up, each signed by the next."""

    certificates: tuple[ParsedCertificate, ...]
    anchored: bool | None
    """Whether the last one is a root of the set; None: a signature on the way can't be checked here."""

    @property
    def ends(self) -> datetime | None:
        """When the first of them ends; None where one of the ends can't be read."""
        ends = [one.not_after for one in self.certificates]
        known = [one for one in ends if one is not None]
        return min(known) if known and len(known) == len(ends) else None

    @property
    def in_time(self) -> bool | None:
        """Whether all are valid now by this host's clock; None where a date can't be read."""
        times = [one.in_time for one in self.certificates]
        return None if None in times else all(times)

    def __len__(self) -> int:
        return len(self.certificates)


class ChainReading(Struct, frozen=True, kw_only=True):
    """What can be told of a chain whatever the host and the time."""

    facts: ChainFacts
    """Without the names and the time."""
    path: ChainPath
    """The one that counts, which is in time or not."""


def anchored(paths: Iterable[ChainPath]) -> bool | None:
    """Return whether one of these paths leads to a root; None: it can't be told."""
    ends = {one.anchored for one in paths}
    return True if True in ends else None if None in ends else False


class RootSet:
    """A set of root certificates."""

    def __init__(self, ders: Iterable[bytes]) -> None:
        self._digests: set[str] = set()
        self._by_subject: dict[NameKey, list[ParsedCertificate]] = {}
        self._known: SizedCache[Digests, tuple[ChainPath, ...]] = SizedCache(_KEPT_BYTES)
        """By the digests of a chain: most targets send one that another has sent, or they did before."""
        self.readings: SizedCache[tuple[RootSet, Digests, Digests, bool], ChainReading] = SizedCache(
            _KEPT_BYTES
        )
        """By the public roots beside these, the digests sent and built, and whether OpenSSL accepted them."""
        for der in ders:
            self._add(der)

    def _add(self, der: bytes) -> None:
        root = parse_certificate(der)
        if root.raw is None:
            return  # a root that OpenSSL can read and nobody else anchors nothing
        self._by_subject.setdefault(root.raw.subject.key, []).append(root)
        self._digests.add(root.facts.sha256)

    def extended(self, ders: Iterable[bytes]) -> RootSet:
        """Return a set that has these roots as well."""
        other = RootSet(())
        other._digests = set(self._digests)
        other._by_subject = {name: list(roots) for name, roots in self._by_subject.items()}
        for der in ders:
            other._add(der)
        return other

    def __len__(self) -> int:
        return len(self._digests)

    def __contains__(self, certificate: ParsedCertificate) -> bool:
        return certificate.facts.sha256 in self._digests

    def anchors(self, chain: tuple[ParsedCertificate, ...]) -> bool | None:
        """Return whether a chain, leaf first, leads to one of the roots; None: it can't be told."""
        return anchored(self.paths(chain))

    def paths(self, chain: tuple[ParsedCertificate, ...]) -> tuple[ChainPath, ...]:
        """Return every way up from the leaf, through those sent in any order, to a root or an end."""
        digests = digests_of(chain)
        known = self._known.get(digests)
        if known is None:
            known = tuple(_Search(self, chain[1:_MAX_SENT]).paths_of(chain[:1]))
            self._known.put(digests, known, size=chain_size(chain))
        return known

    def has_issuer_of(self, certificate: ParsedCertificate) -> bool:
        """Return whether a root has the issuer name of a certificate as its subject."""
        return bool(self.issuers_of(certificate))

    def issuers_of(self, certificate: ParsedCertificate) -> list[ParsedCertificate]:
        """Return the roots with the name of a certificate's issuer."""
        return self._by_subject.get(certificate.raw.issuer.key, []) if certificate.raw is not None else []


def digests_of(chain: tuple[ParsedCertificate, ...]) -> Digests:
    """Return the SHA-256 of each certificate."""
    return tuple([one.facts.sha256 for one in chain])


def chain_size(chain: tuple[ParsedCertificate, ...]) -> int:
    """Return about how many bytes it takes to keep what is known of a chain."""
    return sum(len(one.raw.signed) for one in chain if one.raw is not None) + _OVERHEAD * len(chain)


class _Search:
    """The ways up from one leaf; what a hostile chain may cost is bounded."""

    def __init__(self, roots: RootSet, sent: tuple[ParsedCertificate, ...]) -> None:
        self._roots = roots
        self._sent = tuple(one for one in sent if one.raw is not None and one.raw.is_authority)
        self._results: dict[tuple[str, str], bool | None] = {}
        self._steps = 0
        self._signatures = 0

    def paths_of(self, path: tuple[ParsedCertificate, ...]) -> Iterator[ChainPath]:
        """Yield the ways that begin with some certificates; none for an empty chain."""
        if not path:
            return
        if path[-1] in self._roots:
            yield ChainPath(certificates=path, anchored=True)
            return
        self._steps += 1
        if self._steps > _MAX_STEPS:
            yield ChainPath(certificates=path, anchored=None)
            return
        roots = self._roots.issuers_of(path[-1])
        sent = [one for one in self._issuers_sent(path[-1]) if one not in roots and one not in path]
        above = [one for one in (*roots, *sent) if self._is_issued_by(path[-1], one)]
        for one in above:
            if one in roots:
                yield ChainPath(certificates=(*path, one), anchored=True)
            else:
                yield from self.paths_of((*path, one))
        if not above:
            results = (self._results.get(_pair(path[-1], one), False) for one in (*roots, *sent))
            unread = path[-1].raw is None
            yield ChainPath(certificates=path, anchored=None if unread or None in results else False)

    def _issuers_sent(self, one: ParsedCertificate) -> list[ParsedCertificate]:
        named = (other for other in self._sent if names_as_issuer(one, other))
        return list(islice(named, _MAX_OF_ONE_NAME))

    def _is_issued_by(self, one: ParsedCertificate, issuer: ParsedCertificate) -> bool | None:
        pair = _pair(one, issuer)
        if pair not in self._results:
            self._signatures += 1
            self._results[pair] = is_signed(one, issuer) if self._signatures <= _MAX_SIGNATURES else None
        return self._results[pair]


def _pair(one: ParsedCertificate, issuer: ParsedCertificate) -> tuple[str, str]:
    return one.facts.sha256, issuer.facts.sha256

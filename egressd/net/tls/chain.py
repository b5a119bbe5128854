"""What can be told of a received chain: the path that counts, the authority at its top, and the names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from egressd.model.observation import ChainFacts, PathCertificate
from egressd.net.tls.anchors import ChainPath, ChainReading, RootSet, anchored, chain_size, digests_of
from egressd.net.tls.certificates import ParsedCertificate

Chain = tuple[ParsedCertificate, ...]
_UNKNOWN_END = datetime.min.replace(tzinfo=UTC)


def chain_facts(
    sent: Chain, host: str, *, public: RootSet, trusted: RootSet, built: Chain = (), verified: bool = False
) -> ChainFacts:
    """Return what can be told of a chain, leaf first.

    `built` is what OpenSSL built from it and from the trust store, `verified` whether it accepted that.
    """
    key = public, digests_of(sent), digests_of(built), verified
    reading = trusted.readings.get(key)
    if reading is None:
        reading = _read(sent, public=public, trusted=trusted, built=built, verified=verified)
        trusted.readings.put(key, reading, size=chain_size(sent) + chain_size(built))
    name_matches = sent[0].matches(host)
    return replace(
        reading.facts,
        name_matches=name_matches,
        common_name_matches=not name_matches and sent[0].common_name_matches(host),
        in_time=reading.path.in_time,
    )


def _read(sent: Chain, *, public: RootSet, trusted: RootSet, built: Chain, verified: bool) -> ChainReading:
    """Return what can be told whatever the host and the time."""
    known = tuple(dict.fromkeys((*sent, *built[1:])))
    verified = verified and bool(built)
    by_public, by_store = public.paths(known), list(trusted.paths(known))
    if verified and not any(one.anchored for one in by_store):
        by_store.append(ChainPath(certificates=built, anchored=True))
    is_public = anchored(by_public)
    if verified and is_public is not True:  # OpenSSL has read what could not be read here
        is_public = public.anchors((built[-1], *sent)) or is_public
    path = _best(by_store if verified else (*by_store, *by_public))
    top = path.certificates[-1]
    facts = ChainFacts(
        publicly_anchored=is_public,
        store_anchored=anchored(by_store),
        name_matches=None,
        common_name_matches=None,
        in_time=None,
        issuer_known_public=public.has_issuer_of(top),
        path=tuple(_recorded(one, sent) for one in path.certificates),
        issuer_key=_issuer_key(path),
        unused_public=any(
            public.anchors((one, *sent)) is True for one in sent if one not in path.certificates
        ),
    )
    return ChainReading(facts=facts, path=path)


def _best(paths: Sequence[ChainPath]) -> ChainPath:
    """Return the path to a root that lasts longest; without one the path that leads highest."""
    complete = [one for one in paths if one.anchored]
    if complete:
        return max(complete, key=lambda one: (one.ends or _UNKNOWN_END, -len(one)))
    return max(paths, key=len)


def _issuer_key(path: ChainPath) -> str | None:
    top = path.certificates[-1]
    if top.raw is None:
        return None
    return top.raw.key_id if path.anchored or top.facts.self_signed else top.raw.issuer_key_id


def _recorded(one: ParsedCertificate, sent: Chain) -> PathCertificate:
    return PathCertificate(
        sha256=one.facts.sha256,
        subject=one.facts.subject,
        key_id=one.raw.key_id if one.raw is not None else None,
        not_after=one.facts.not_after,
        sent=one in sent,
    )

"""What a received chain shows of its authority: its key, and whether only a link to it is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from egressd.attribution.facts.stats import DIRECT
from egressd.model.observation import Certificate, Phase, TcpObservation, TlsObservation
from egressd.model.recording import Trail

UNREADABLE_AUTHORITY = "an authority whose name can't be read"


def issuer_of(one: TlsObservation) -> str:
    """Return the name of the authority that signed the chain; empty where no certificate was sent."""
    return (one.issuer or UNREADABLE_AUTHORITY) if one.chain else ""


def authority_key(one: TlsObservation) -> str | None:
    """Return the key identifier of the authority that signed the chain: names are anybody's, keys are not."""
    return one.facts.issuer_key if one.facts is not None else None


def is_anchored(one: TlsObservation, *, publicly: bool) -> bool:
    """Whether a chain is known to lead to a public root, or is known not to."""
    return one.facts is not None and one.facts.publicly_anchored is publicly


def open_end(one: TlsObservation) -> Certificate | None:
    """Return the certificate whose issuer was not found; None where the path leads to a root."""
    facts = one.facts
    if facts is None or facts.publicly_anchored or facts.store_anchored or not one.chain:
        return None
    sent = {held.sha256: held for held in one.chain}
    top = next((sent[held.sha256] for held in reversed(one.path) if held.sha256 in sent), None)
    return top if top is not None and not top.self_signed else None


def names_its_issuer(one: TlsObservation) -> bool:
    """Whether a certificate of the path says where its issuer can be downloaded (RFC 5280, 4.2.2.1)."""
    path = {held.sha256 for held in one.path}
    return any(held.issuer_urls for held in one.chain if held.sha256 in path)


def lacks_public_link(one: TlsObservation, *, public: AbstractSet[str]) -> bool:
    """Whether only a certificate between this chain and a public root was not sent.

    `public` are the keys of public authorities. An authority known by its key, or a public certificate sent
    in the missing one's place, tell a gap from a forgery.
    """
    if open_end(one) is None or one.facts is None:
        return False
    return one.facts.unused_public is True or one.facts.issuer_key in public


def may_lack_link(one: TlsObservation, *, public: AbstractSet[str]) -> bool:
    """Whether a chain that ends below a root lacks a link, or says where one can be downloaded."""
    return lacks_public_link(one, public=public) or (open_end(one) is not None and names_its_issuer(one))


def public_authorities(seen: Iterable[TlsObservation]) -> frozenset[str]:
    """Return the key identifiers of the authorities on the paths that lead to public roots."""
    return frozenset(
        held.key_id
        for one in seen
        if one.facts is not None and is_anchored(one, publicly=True)
        for held in one.facts.path[1:]
        if held.key_id is not None
    )


def private_authorities(
    seen: Iterable[TlsObservation], *, public: AbstractSet[str]
) -> Iterator[tuple[str, str]]:
    """Yield authority and name of chains that lead to no public root, unless one may only lack a link."""
    for one in seen:
        key = authority_key(one)
        if key is not None and is_anchored(one, publicly=False) and not may_lack_link(one, public=public):
            yield key, one.sni.lower()


def proven_names(trails: Iterable[Trail]) -> Iterator[tuple[tuple[str, str, int], str]]:
    """Yield source, address and port with the server names that were proven there by a public chain."""
    for trail in trails:
        last = next(reversed(trail.handshakes), None) if trail.path == DIRECT else None
        if last is None or last.failure is not None or not is_anchored(last, publicly=True):
            continue
        tcp = trail.seen(Phase.TCP)
        if isinstance(tcp, TcpObservation):
            yield (trail.source, tcp.remote_address, tcp.remote_port), last.sni.lower()

"""Conditions for an address that is not the server's: its class, who else gave one, what answered there.

An address that was given and works is never wrong. A private one is normal for the operator's own names.
"""

from __future__ import annotations

from egressd.attribution.blame.suspects import ADDRESS_IN_DOUBT, Signature
from egressd.attribution.control_results.contrast import Contrast, passed_if
from egressd.attribution.control_results.resolvers import (
    DENIALS,
    address_proven,
    answered_by_other_resolver,
    given_address,
    is_injected,
    name_answered,
    other_address_proven,
    other_address_works,
    other_resolver_answers,
    wildcard_proven,
    zone_denies,
)
from egressd.attribution.facts.address import AddressKind, is_nat64, is_shared
from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import sinkhole_product
from egressd.attribution.rules.clue import Clue
from egressd.attribution.rules.condition import needs, on_failure
from egressd.attribution.rules.dns.private_link import private_link
from egressd.model.observation import DnsObservation, Failure, Phase
from egressd.model.plan import ControlKind
from egressd.model.settings import SYSTEM_RESOLVER
from egressd.model.verdict import Confidence, Outcome

_WRONG_SERVER = frozenset({Failure.VERIFY, Failure.NOT_TLS})
_LOCAL_NAMES = ("localhost", "localhost.localdomain", "localhost6", "ip6-localhost")


def _kind(context: TrailContext) -> AddressKind | None:
    return context.index.kind_of_address(given_address(context))


def _broken(context: TrailContext) -> bool:
    return context.failed_in in (Phase.TCP, Phase.TLS, Phase.NTP)


def _dead(context: TrailContext) -> bool:
    """Whether nothing at the address answered: no connection, or no byte of TLS."""
    no_answer = context.tls is not None and not context.tls.server_hello and context.tls.alert is None
    dead_tls = context.failed_in is Phase.TLS and no_answer
    return context.failed_in in (Phase.TCP, Phase.NTP) or dead_tls


def _refused_by_loopback(context: TrailContext) -> bool:
    return _kind(context) is AddressKind.LOOPBACK and context.failed_in in (Phase.TCP, Phase.NTP)


def _is_own_name(context: TrailContext) -> bool:
    """Whether the name is this host's own, for which a loopback address is right."""
    name = context.dns.name.lower().rstrip(".") if context.dns is not None else ""
    own = context.index.recording.vantage.host.lower()
    return name in _LOCAL_NAMES or name.endswith(".localhost") or name in (own, own.partition(".")[0])


@needs(Clue.UNFINISHED)
def sinkhole(context: TrailContext) -> bool:
    """Whether a filter's own address was given; a complete conversation with it proves otherwise."""
    if not name_answered(context) or context.dns is None:
        return False
    known = sinkhole_product(given_address(context), context.dns.cnames)
    return bool(known) and (context.trail.redirected or not context.complete)


@needs(Clue.UNFINISHED, Clue.ADDRESS)
def null_answer(context: TrailContext) -> bool:
    """Whether the address leads nowhere: the unspecified one, or a loopback one where nothing listens."""
    if not name_answered(context) or context.complete or context.duplicate_answer or _is_own_name(context):
        return False
    dead_loopback = _refused_by_loopback(context) and not context.trail.redirected
    return _kind(context) is AddressKind.NULL or dead_loopback


def _reserved(context: TrailContext) -> bool:
    """Whether no server of this name can have the address; the operator's own may lie in shared space."""
    kind = _kind(context)
    if not name_answered(context) or context.target.internal:
        return False
    if not context.owned:
        return kind in (AddressKind.SYNTHETIC, AddressKind.LEGACY)
    return kind is AddressKind.SYNTHETIC and not is_shared(given_address(context))


@on_failure
def synthetic_address(context: TrailContext) -> bool:
    """Whether nothing answers at an address that a public server can't have."""
    return _reserved(context) and _dead(context)


@needs(Clue.ADDRESS)
def synthetic_works(context: TrailContext) -> bool:
    """Whether a tunnelling client answers for the name, and leads to the server."""
    return _reserved(context) and context.complete and not context.trail.redirected


def outcome_if_works(_: TrailContext) -> Outcome | None:
    """Call it information where the address works."""
    return Outcome.OK


def sure_of_synthetic(context: TrailContext) -> Confidence:
    """Return medium for a network that is assigned to somebody, and could be used one day."""
    return Confidence.CONFIRMED if _kind(context) is AddressKind.SYNTHETIC else Confidence.MEDIUM


@on_failure
def doubtful_address(context: TrailContext) -> bool:
    """Whether names of several owners got addresses in a row, and nothing answers at any of them."""
    if not name_answered(context) or context.trail.redirected or context.owned or not _dead(context):
        return False
    return (context.source, given_address(context)) in context.index.peers.invented


@on_failure
def bogon(context: TrailContext) -> bool:
    """Whether a public name got a private address that does not work.

    The operator's own names are private by right, unless the server proves the name at a public address.
    """
    if not name_answered(context) or context.target.internal or private_link(context):
        return False
    broken = _kind(context) is AddressKind.PRIVATE and _broken(context)
    return broken and (not context.owned or other_address_proven(context))


def injected_address(context: TrailContext) -> bool:
    """Whether an address that runs no DNS gave the same address, and it does not work."""
    found = context.control_results(ControlKind.TESTNET_DNS, DnsObservation)
    same = any(given_address(context) in one.answers for one in found)
    return name_answered(context) and is_injected(context) and same and not context.complete


@on_failure
def unexpected_address(context: TrailContext) -> bool:
    """Whether this address fails, and the server proved the name at one that only other resolvers gave.

    Where no server can prove a name (no TLS), an address that works counts instead.
    """
    if (
        not name_answered(context)
        or context.trail.redirected
        or context.public_tls
        or context.failing is None
    ):
        return False
    if context.failed_in is Phase.DNS or context.failed_in is Phase.HTTP:
        return False
    if injected_address(context):
        return True
    return other_address_proven(context) if _proves_names(context) else other_address_works(context)


def _proves_names(context: TrailContext) -> bool:
    return context.probe.protocol.encrypted


def sure_of_unexpected(context: TrailContext) -> Confidence:
    """Return how sure it is that the address is wrong: another one is right, which is more than it works."""
    if injected_address(context):
        return Confidence.CONFIRMED
    if not other_address_proven(context):
        return Confidence.LOW
    return Confidence.HIGH if _wrong_server(context) else Confidence.MEDIUM


def _wrong_server(context: TrailContext) -> bool:
    return context.failing is not None and context.failing.failure in _WRONG_SERVER


def suspects_of_unexpected(context: TrailContext) -> Signature | None:
    """Suspect the path too where nothing answered: the address may be right, and closed from here."""
    return None if _wrong_server(context) or injected_address(context) else ADDRESS_IN_DOUBT


@needs(Clue.OTHER_LOOKUPS)
def disputed(context: TrailContext) -> bool:
    """Whether another resolver shows the zone's own denial, and no server proved the name anywhere."""
    if not name_answered(context) or context.trail.redirected or address_proven(context):
        return False
    return any(one.failure in DENIALS and zone_denies(one.queries) for one in other_resolver_answers(context))


@needs(Clue.UNFINISHED)
def search_list_applied(context: TrailContext) -> bool:
    """Whether getaddrinfo found another name: the one asked for with a domain of the search list added."""
    own = context.dns
    if own is None or not context.uses_system_resolver or not name_answered(context) or context.complete:
        return False
    asked = own.name.lower().rstrip(".")
    return any(one.lower().startswith(f"{asked}.") for one in own.cnames)


@on_failure
def system_differs(context: TrailContext) -> bool:
    """Whether only getaddrinfo gives an address, and that address does not work."""
    if not name_answered(context) or context.trail.redirected or context.failing is None:
        return False
    others = [one for one in other_resolver_answers(context) if one.answers]
    own = bool(others) and not any(context.address in one.answers for one in others)
    return own and context.uses_system_resolver


@on_failure
def nxdomain_rewritten(context: TrailContext) -> bool:
    """Whether labels that can't exist have the same address, in a zone that has no wildcard.

    The operator's own zone may well have one: then a label of an unrelated zone must have the address too.
    """
    if not name_answered(context) or context.failing is None or wildcard_proven(context):
        return False
    return _rewritten_everywhere(context) or (not context.owned and bool(_domains_alike(context)))


def _rewritten_everywhere(context: TrailContext) -> bool:
    resolver = context.dns.resolver if context.dns is not None else ""
    known = context.index.peers.is_nxdomain_rewrite(context.source, resolver, context.address)
    return known or len(_domains_alike(context)) > 1


def _domains_alike(context: TrailContext) -> frozenset[str]:
    """Return the domains of the labels that got the same address from the same resolver."""
    own = context.dns.resolver if context.dns is not None else ""
    return frozenset(
        domain_of(one.name)
        for one in context.control_results(ControlKind.SIBLING_NAME, DnsObservation)
        if context.address in one.answers and one.resolver == own
    )


def sure_of_rewriting(context: TrailContext) -> Confidence:
    """Return medium for one zone alone: a wildcard record looks the same."""
    return Confidence.CONFIRMED if _rewritten_everywhere(context) else Confidence.MEDIUM


@needs(Clue.ADDRESS)
def synthesized(context: TrailContext) -> bool:
    """Whether the address was made by DNS64."""
    return name_answered(context) and is_nat64(context.address)


def by_tls_or_other_resolver(context: TrailContext) -> Contrast:
    """Compare with other resolvers; a wrong server in TLS is as good."""
    return passed_if(answered_by_other_resolver(context) or context.failed_in is Phase.TLS)


def by_other_resolver(context: TrailContext) -> Contrast:
    """Compare with the other resolvers; that one failed says nothing about this one."""
    return passed_if(answered_by_other_resolver(context))


@on_failure
def system_lookup_fails(context: TrailContext) -> bool:
    """Whether getaddrinfo denies a name that its own nameservers have; a slow one denies nothing."""
    own = context.dns
    denied = own is not None and own.failure in DENIALS
    return denied and context.trail.resolver == SYSTEM_RESOLVER and answered_by_other_resolver(context)

"""What other resolvers, later questions and other names say about an answer: which of them is right?

A resolver that disagrees with another one is not wrong for that. What decides is what answers at the address:
a server that proves its name, or the zone's own word that there is no such name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from egressd.attribution.facts.address import parse_ip
from egressd.attribution.facts.stats import ANSWERS, MESSAGES, observations
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import DnsObservation, DnsQuery, Failure, HttpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
from egressd.model.settings import SYSTEM_RESOLVER

BLOCKED_EDE = frozenset({15, 16, 17})
"""Blocked, Censored, Filtered (RFC 8914)."""
DENIALS = frozenset({Failure.NXDOMAIN, Failure.NODATA})


def given_address(context: TrailContext) -> str:
    """Return the address that the name was given; empty where there is none."""
    return context.address or next(iter(context.dns.answers if context.dns is not None else ()), "")


def name_answered(context: TrailContext) -> bool:
    """Whether a name was answered with an address; an IP literal as host is no answer."""
    own = context.dns
    if own is None or own.failure is not None or context.proxied:
        return False
    return parse_ip(own.name.rstrip(".")) is None


def is_contradicted(context: TrailContext) -> bool:
    """Whether one query for the name got two different answers: a second party answers on the path."""
    return context.dns is not None and any(one.other_answers for one in context.dns.queries)


def is_injected(context: TrailContext) -> bool:
    """Whether an address that runs no DNS answers for this name, and not for names in general."""
    if context.source in context.index.dns_intercepted:
        return False
    found = context.control_results(ControlKind.TESTNET_DNS, DnsObservation)
    return any(one.failure in MESSAGES for one in found)


def other_resolver_answers(context: TrailContext) -> tuple[DnsObservation, ...]:
    """Return what other resolvers answered to the same question; getaddrinfo is left out."""
    own = context.dns
    if own is None:
        return ()
    asked = (*_answers(context), *context.control_results(ControlKind.OTHER_RESOLVER, DnsObservation))
    return tuple(
        one
        for one in asked
        if one.resolver not in (own.resolver, SYSTEM_RESOLVER) and _question(one) == _question(own)
    )


def answered_by_other_resolver(context: TrailContext) -> bool:
    """Whether another resolver answered the same question with addresses."""
    return any(one.answers for one in other_resolver_answers(context))


def name_denied_elsewhere(context: TrailContext) -> bool:
    """Whether another resolver says that there is no such name."""
    return any(one.failure is Failure.NXDOMAIN for one in other_resolver_answers(context))


def denied_by_other_resolver(context: TrailContext) -> bool:
    """Whether another resolver was asked, and none of them has an address."""
    others = other_resolver_answers(context)
    return bool(others) and all(one.failure in DENIALS for one in others)


def says_blocked(context: TrailContext) -> bool:
    """Whether the answer itself says that the name is blocked (RFC 8914)."""
    queries = context.dns.queries if context.dns is not None else ()
    return any(error.code in BLOCKED_EDE for one in queries for error in one.extended_errors)


def zone_denies(queries: tuple[DnsQuery, ...]) -> bool:
    """Whether an answer without addresses carries the zone's SOA, as the zone's own word does."""
    return any(one.authority_soa is True for one in queries)


def other_type_answered(context: TrailContext) -> bool:
    """Whether the same resolver has an answer of the other type for the same name."""
    own = context.dns
    return own is not None and any(
        (one.resolver, one.name) == (own.resolver, own.name) and one.type != own.type and bool(one.answers)
        for one in _answers(context)
    )


def answered_when_asked_again(context: TrailContext) -> bool:
    """Whether the same resolver answered the same question later, when given more time."""
    own = context.dns
    if own is None or own.failure in ANSWERS:
        return False
    again = (*_answers(context), *context.control_results(ControlKind.DNS_REPEAT, DnsObservation))
    return any(
        one.resolver == own.resolver and _question(one) == _question(own) and one.failure in ANSWERS
        for one in again
    )


def answered_for_other_family(context: TrailContext) -> bool:
    """Whether any resolver has addresses of the other family for the name, and none of this one."""
    own = context.dns
    if own is None:
        return False
    name = own.name.lower()
    asked = (*_answers(context), *context.control_results(ControlKind.OTHER_FAMILY, DnsObservation))
    given = {one.type for one in asked if one.name.lower() == name and one.answers}
    return bool(given) and own.type not in given


def resolvers_that_gave(context: TrailContext, address: str | None) -> frozenset[str]:
    """Return the resolvers that gave an address for the name; getaddrinfo asks one of them."""
    return frozenset(
        one.resolver
        for one in _answers(context)
        if address in one.answers and one.resolver != SYSTEM_RESOLVER
    )


def other_address_proven(context: TrailContext) -> bool:
    """Whether only other resolvers gave an address of the family at which the server proved the name."""
    return _only_others_gave(context, _proved_name)


def other_address_works(context: TrailContext) -> bool:
    """Whether only other resolvers gave an address of the family at which the conversation succeeded."""
    return _only_others_gave(context, lambda trail: _succeeded(context, trail))


def address_proven(context: TrailContext) -> bool:
    """Whether the server proved the name at any address."""
    return any(map(_proved_name, _host_trails(context)))


def wildcard_proven(context: TrailContext) -> bool:
    """Whether the server's certificate names the wildcard that random labels of the zone fall under."""
    tls = context.tls
    if tls is None or not tls.chain or tls.facts is None or tls.facts.publicly_anchored is False:
        return False
    labels = [one.host for one in context.controls(ControlKind.SIBLING_NAME)]
    names = {name.lower() for name in tls.chain[0].san}
    return any(f"*.{label.partition('.')[2]}".lower() in names for label in labels)


def _only_others_gave(context: TrailContext, is_right: Callable[[Trail], bool]) -> bool:
    """Whether a right address is known, and no resolver that gave this one gave any right one."""
    own = resolvers_that_gave(context, context.trail.address)
    if not own or context.trail.redirected or context.proxied:
        return False
    same = (one for one in _host_trails(context) if one.family is context.trail.family)
    right = [resolvers_that_gave(context, one.address) for one in same if is_right(one)]
    known = [one for one in right if one]
    return bool(known) and not any(one & own for one in known)


def _proved_name(trail: Trail) -> bool:
    """Whether the server proved the name by a chain to a public root."""
    tls = next((one for one in reversed(trail.observations) if isinstance(one, TlsObservation)), None)
    if tls is None or tls.failure is not None:
        return False
    return tls.facts is None or tls.facts.publicly_anchored is not False


def _succeeded(context: TrailContext, trail: Trail) -> bool:
    """Whether a conversation got to its end; for plain HTTP, with what the row expects."""
    last = trail.last
    if trail.seen(context.last_phase) is None or last is None or last.failure is not None:
        return False
    return not isinstance(last, HttpObservation) or last.status is not None


def _host_trails(context: TrailContext) -> Iterator[Trail]:
    """Yield the trails of every probe of the same host from the same source."""
    for probe in context.index.probes_by_host.get(context.probe.host, ()):
        if probe.source == context.source and not probe.via_proxy:
            yield from context.index.trails.get(probe.id, ())


def _answers(context: TrailContext) -> Iterator[DnsObservation]:
    return (one for _, one in observations(context.probe_trails, DnsObservation))


def _question(one: DnsObservation) -> tuple[str, str]:
    return one.name.lower(), one.type

"""Conditions for a lookup that gave no address: silent, slow, refused, denied, or of the other family."""

from __future__ import annotations

from egressd.attribution.blame.suspects import EGRESSD_ITSELF, RESOLVER_FAILS, Signature
from egressd.attribution.control_results.contrast import Contrast, passed_if
from egressd.attribution.control_results.resolvers import (
    DENIALS,
    address_proven,
    answered_by_other_resolver,
    answered_for_other_family,
    answered_when_asked_again,
    denied_by_other_resolver,
    is_contradicted,
    is_injected,
    other_resolver_answers,
    other_type_answered,
    says_blocked,
    zone_denies,
)
from egressd.attribution.facts.stats import ANSWERS
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.condition import is_port_unreachable, on_failure, phase_failed
from egressd.model.observation import DnsObservation, DnsQuery, Failure, Phase
from egressd.model.plan import ControlKind
from egressd.model.settings import Family
from egressd.model.verdict import Confidence, Outcome

LITERAL = "literal"
"""The resolver of a host that is an address already."""

failed = phase_failed(Phase.DNS)
nxdomain = phase_failed(Phase.DNS, Failure.NXDOMAIN)
nodata = phase_failed(Phase.DNS, Failure.NODATA)
malformed = phase_failed(Phase.DNS, Failure.MALFORMED)
too_large = phase_failed(Phase.DNS, Failure.TOO_LARGE)
_denied = phase_failed(Phase.DNS, *DENIALS)
_timed_out = phase_failed(Phase.DNS, Failure.TIMEOUT)
_tcp_failed = phase_failed(Phase.DNS, Failure.CLOSED, Failure.RESET, Failure.REFUSED, Failure.UNREACHABLE)
_no_result = phase_failed(Phase.DNS, Failure.TIMEOUT, Failure.RCODE, Failure.OS_ERROR)
_no_message = phase_failed(Phase.DNS, Failure.UNREACHABLE, Failure.RESET, Failure.CLOSED)
_rcode_failed = phase_failed(Phase.DNS, Failure.RCODE)
_getaddrinfo_silent = phase_failed(Phase.DNS, Failure.TIMEOUT, Failure.OS_ERROR)


def queries_of(context: TrailContext) -> tuple[DnsQuery, ...]:
    """Return the queries of the lookup."""
    return context.dns.queries if context.dns is not None else ()


def _rcode(context: TrailContext, rcode: str) -> bool:
    dns = context.dns
    return dns is not None and dns.failure is Failure.RCODE and dns.rcode == rcode


def _other_names_answered(context: TrailContext) -> bool:
    """Whether the resolver answered other names, so that this one is treated differently."""
    return context.dns is not None and _has_other(context.resolver_stats.answered, context.dns.name)


def _other_names_prompt(context: TrailContext) -> bool:
    """Whether the resolver answered other names at once: one that is slow for all drops nothing."""
    return context.dns is not None and _has_other(context.resolver_stats.prompt, context.dns.name)


def _has_other(names: frozenset[str], own: str) -> bool:
    return len(names) > (own.lower() in names)


@on_failure
def derived_name_absent(context: TrailContext) -> bool:
    """Whether there is no such name as egressd derived, as far as is known: it was a guess."""
    if not (context.derived and _denied(context)) or says_blocked(context):
        return False
    return not (answered_by_other_resolver(context) or other_type_answered(context))


@on_failure
def silent(context: TrailContext) -> bool:
    """Whether no message came back, over UDP or over the TCP that was tried after it."""
    if _timed_out(context):
        return True
    lost = any(one.transport == "udp" and one.failure is Failure.TIMEOUT for one in queries_of(context))
    return lost and _tcp_failed(context)


@on_failure
def no_resolver(context: TrailContext) -> bool:
    """Whether this host has no resolver."""
    unknown = context.uses_system_resolver and not context.index.has_resolver
    return failed(context) and unknown and not context.resolver_stats.answered


@on_failure
def no_listener(context: TrailContext) -> bool:
    """Whether nothing listens on the resolver's port."""
    refused = any(one.failure is Failure.REFUSED and one.transport == "udp" for one in queries_of(context))
    return failed(context) and (is_port_unreachable(context) or refused)


@on_failure
def slow(context: TrailContext) -> bool:
    """Whether the lookup has no result only because more patience was needed.

    The same question was answered later; or the resolver answers every name late, so that this one may only
    take longer still; or getaddrinfo ran out of time where its nameservers answer.
    """
    if not failed(context) or context.dns is None or context.dns.failure in ANSWERS:
        return False
    if answered_when_asked_again(context):
        return True
    if context.uses_system_resolver:
        return _getaddrinfo_silent(context) and answered_by_other_resolver(context)
    return silent(context) and _other_names_answered(context) and not _other_names_prompt(context)


def outcome_if_slow(_: TrailContext) -> Outcome | None:
    """Leave a target open for which no address came in time: nobody proved that there is none."""
    return Outcome.UNKNOWN


@on_failure
def only_other_family(context: TrailContext) -> bool:
    """Whether the name, or the address given as host, is of the other family alone."""
    if not _denied(context) or context.dns is None:
        return False
    return context.dns.resolver == LITERAL or answered_for_other_family(context)


def _other_family(context: TrailContext) -> Family:
    is_ipv4 = context.dns is not None and context.dns.type == "A"
    return Family.IPV6 if is_ipv4 else Family.IPV4


def _family_left_out(context: TrailContext) -> bool:
    plan = context.index.recording.plan
    return _other_family(context) not in plan.limits.families


def suspects_of_other_family(context: TrailContext) -> Signature | None:
    """Suspect egressd's own configuration where it leaves the family out."""
    return EGRESSD_ITSELF if _family_left_out(context) else None


def outcome_of_other_family(context: TrailContext) -> Outcome | None:
    """Leave the target open where it was not tried in the family it has."""
    return Outcome.UNKNOWN if _family_left_out(context) else None


@on_failure
def aaaa_broken(context: TrailContext) -> bool:
    """Whether AAAA fails where A is answered; an empty answer is right, and all that getaddrinfo says."""
    own = context.dns
    if own is None or own.type != "AAAA" or not other_type_answered(context):
        return False
    if context.uses_system_resolver and _denied(context):
        return False
    return nxdomain(context) or silent(context) or _rcode_failed(context) or malformed(context)


@on_failure
def dropped_name(context: TrailContext) -> bool:
    """Whether this name alone gets no answer from a resolver that answers others at once."""
    return silent(context) and _other_names_prompt(context)


@on_failure
def resolver_unreachable(context: TrailContext) -> bool:
    """Whether the resolver answers nothing at all; getaddrinfo reports that in several ways."""
    if _no_result(context) and context.uses_system_resolver and not context.resolver_stats.answered:
        return True
    nothing = silent(context) or _no_message(context)
    return nothing and not _other_names_answered(context)


def sure_of_silence(context: TrailContext) -> Confidence:
    """Return high where another resolver answers the same question: then the name is none that is slow."""
    answers = any(one.failure in ANSWERS for one in other_resolver_answers(context))
    return Confidence.HIGH if answers else Confidence.MEDIUM


@on_failure
def refused_client(context: TrailContext) -> bool:
    """Whether every name is refused."""
    return _rcode(context, "REFUSED") and not _other_names_answered(context)


@on_failure
def refused_name(context: TrailContext) -> bool:
    """Whether this name is refused and others are not."""
    return _rcode(context, "REFUSED") and _other_names_answered(context)


@on_failure
def servfail(context: TrailContext) -> bool:
    """Whether the resolver gave up."""
    return _rcode(context, "SERVFAIL")


@on_failure
def no_recursion(context: TrailContext) -> bool:
    """Whether the server names other servers instead of asking them."""
    return nodata(context) and any(one.referral is True for one in queries_of(context))


@on_failure
def query_rejected(context: TrailContext) -> bool:
    """Whether the server can't process the query, with EDNS or without."""
    return any(_rcode(context, one) for one in ("FORMERR", "NOTIMP", "BADVERS"))


def _others_disagree_unproven(context: TrailContext) -> bool:
    """Whether another resolver has addresses, and at none of them a server proved the name."""
    return answered_by_other_resolver(context) and not address_proven(context)


@on_failure
def denial_disputed(context: TrailContext) -> bool:
    """Whether the zone's own word stands against an address at which no server proved the name."""
    own_word = zone_denies(queries_of(context)) and not says_blocked(context)
    return _denied(context) and own_word and _others_disagree_unproven(context)


@on_failure
def nxdomain_filtered(context: TrailContext) -> bool:
    """Whether the name is denied, and the denial is not the zone's."""
    return nxdomain(context) and not denial_disputed(context)


@on_failure
def nodata_filtered(context: TrailContext) -> bool:
    """Whether the answer is empty, and that is not the zone's word."""
    return nodata(context) and not denial_disputed(context)


@on_failure
def name_absent(context: TrailContext) -> bool:
    """Whether the zone itself has no such name or type; getaddrinfo is believed, as it shows no SOA."""
    if not _denied(context) or answered_by_other_resolver(context):
        return False
    if says_blocked(context) or is_injected(context) or is_contradicted(context):
        return False
    if context.uses_system_resolver or zone_denies(queries_of(context)):
        return True
    other_soa = any(zone_denies(other.queries) for other in other_resolver_answers(context))
    return nxdomain(context) and denied_by_other_resolver(context) and other_soa


def sure_of_absence(context: TrailContext) -> Confidence:
    """Return high where two resolvers agree; one voice alone may be a filter's."""
    return Confidence.HIGH if denied_by_other_resolver(context) else Confidence.MEDIUM


def sure_of_denial(context: TrailContext) -> Confidence:
    """Return how sure it is that the name exists: another resolver has it, or the denial is no zone's."""
    if says_blocked(context) or is_injected(context) or is_contradicted(context):
        return Confidence.CONFIRMED
    if not answered_by_other_resolver(context):
        return Confidence.MEDIUM
    return Confidence.CONFIRMED if address_proven(context) else Confidence.MEDIUM


def zone_silent(context: TrailContext) -> bool:
    """Whether a sibling label of the name got no answer either."""
    siblings = [*context.control_results(ControlKind.SIBLING_NAME, DnsObservation)]
    return bool(siblings) and all(one.failure not in ANSWERS for one in siblings)


def resolver_if_zone_silent(context: TrailContext) -> Signature | None:
    """Where all of the zone is silent, the resolver may not reach its servers."""
    return RESOLVER_FAILS if zone_silent(context) else None


def by_other_name(context: TrailContext) -> Contrast:
    """Compare with other names, and with other resolvers."""
    return passed_if(_other_names_answered(context) or answered_by_other_resolver(context))


def by_sibling(context: TrailContext) -> Contrast:
    """Compare with the zone: where all of it is silent, the resolver may not reach its servers."""
    return Contrast.NONE if zone_silent(context) else by_other_name(context)

"""What is wrong with a target that can be reached: addresses that fail, or that work only sometimes."""

from __future__ import annotations

from itertools import groupby

from egressd.attribution.blame.suspects import (
    ANSWERS_DIFFER,
    CUT_SOMETIMES,
    REFUSED_SOMETIMES,
    SILENT_SOMETIMES,
    Signature,
)
from egressd.attribution.certainty import OBSERVED, SILENCE, at
from egressd.attribution.control_results.tries import CUT, is_packet_loss, works_sometimes
from egressd.attribution.facts.loss_pattern import LossPattern
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.rule import Rule
from egressd.attribution.trail_judgement import Match, TrailJudgement
from egressd.model.observation import Failure, Phase
from egressd.model.settings import Family
from egressd.model.verdict import Confidence

STALE_RULE_TTL = 300
"""Seconds: addresses with a TTL this short change before a firewall refreshes its list of them."""
ADDRESS_RULE_CODES = frozenset(
    {"tcp_ip_blocked_silent", "tcp_refused", "tcp_port_blocked", "tcp_reset_after_accept"}
)
"""TCP failures that, at some addresses of a name only, mean a rule that misses addresses."""
ENDED = CUT | {Failure.TIMEOUT}
"""How a conversation ends without a word: where it works at another address, the address is the fact."""
PROVEN_ELSEWHERE = frozenset(
    {
        "tls_pmtu_blackhole_inbound",
        "tls_pmtu_blackhole_outbound",
        "tls_large_hello_intolerant",
        "tcp_synproxy_stall",
    }
)
"""Codes that say more than that it is this address."""


def _how_it_ended(context: TrailContext) -> Signature:
    """Return who can cause what was seen only now and then."""
    failing = context.failing
    if failing is None or failing.failure is Failure.TIMEOUT:
        return SILENT_SOMETIMES
    if failing.failure is Failure.REFUSED:
        return REFUSED_SOMETIMES
    return CUT_SOMETIMES if failing.failure in CUT else ANSWERS_DIFFER


INTERMITTENT = Rule(reason="path_intermittent", certainty=OBSERVED, suspects=_how_it_ended)
PATH_LOSS = Rule(reason="path_loss", certainty=at(Confidence.MEDIUM))
LOSS_RULES = {
    LossPattern.RATE: Rule(reason="tcp_rate_limited", certainty=at(Confidence.MEDIUM)),
    LossPattern.CONCURRENCY: Rule(reason="nat_ports_exhausted", certainty=at(Confidence.LOW)),
}
SOME_ADDRESSES = Rule(reason="tcp_some_ips_blocked", certainty=at(Confidence.HIGH))
BROKEN_FAMILY = {
    Family.IPV4: Rule(reason="tcp_ipv4_broken", certainty=at(Confidence.HIGH)),
    Family.IPV6: Rule(reason="tcp_ipv6_broken", certainty=at(Confidence.HIGH)),
}
STALE_ADDRESSES = Rule(reason="tcp_fqdn_rule_stale_ip", certainty=at(Confidence.MEDIUM))
SOME_AFTER_CONNECT = Rule(reason="path_some_ips_broken", certainty=SILENCE)
FAMILY_AFTER_CONNECT = {
    Family.IPV4: Rule(reason="path_ipv4_broken", certainty=SILENCE),
    Family.IPV6: Rule(reason="path_ipv6_broken", certainty=SILENCE),
}


def intermittent(context: TrailContext) -> Match:
    """Return what explains that a conversation only sometimes fails; only silence can be loss."""
    rule = PATH_LOSS if is_packet_loss(context) else INTERMITTENT
    if context.loss_pattern is not None:
        rule = LOSS_RULES[context.loss_pattern]
    return Match(context=context, rule=rule, phase=context.failed_in)


def partial_faults(dials: list[TrailJudgement]) -> list[Match]:
    """Return what is wrong with the addresses that do not work, or only sometimes."""
    found: list[Match] = []
    for _, group in groupby(sorted(dials, key=_candidate), key=_candidate):
        tries = sorted(group, key=lambda one: one.rank)
        failed = [one for one in tries if not one.works and one.primary is not None]
        if not failed:
            continue
        if len(failed) < len(tries) or works_sometimes(failed[0].context):
            found.append(intermittent(failed[0].context))
        else:
            found += _address_fails(failed[0], dials)
    return found


def _candidate(one: TrailJudgement) -> tuple[str, str]:
    return one.context.trail.family.value, one.context.trail.address or ""


def _address_fails(one: TrailJudgement, dials: list[TrailJudgement]) -> list[Match]:
    """Return what is wrong with an address at which every try failed, the most telling first."""
    primary, context = one.primary, one.context
    if primary is None:
        raise RuntimeError("a trail without a cause counted as a failed one")
    family = context.trail.family
    whole_family = not any(_ever_works(other) for other in dials if other.context.trail.family is family)
    if primary.phase is Phase.TCP:
        return _not_connected(one, primary, dials, whole_family=whole_family)
    if context.proxied or primary.phase is Phase.DNS:  # another's address tells nothing of the path
        return [primary]
    rule = FAMILY_AFTER_CONNECT[family] if whole_family else SOME_AFTER_CONNECT
    found = [Match(context=context, rule=rule, phase=primary.phase), primary]
    unexplained = context.failing is not None and context.failing.failure in ENDED
    return found if unexplained and primary.code not in PROVEN_ELSEWHERE else found[::-1]


def _ever_works(one: TrailJudgement) -> bool:
    return one.works or works_sometimes(one.context)


def _not_connected(
    one: TrailJudgement, primary: Match, dials: list[TrailJudgement], *, whole_family: bool
) -> list[Match]:
    context = one.context
    rule = SOME_ADDRESSES if primary.code in ADDRESS_RULE_CODES else primary.rule
    if whole_family:
        rule = BROKEN_FAMILY[context.trail.family]
    found = [Match(context=context, rule=rule, phase=Phase.TCP)]
    if _known_by_other_resolver(one, dials):
        found.append(Match(context=context, rule=STALE_ADDRESSES, phase=Phase.TCP))
    return found


def _known_by_other_resolver(one: TrailJudgement, dials: list[TrailJudgement]) -> bool:
    """Whether a short-lived address is silent, and one that only another resolver gave works."""
    own, tcp = one.context.dns, one.context.tcp
    silent = tcp is not None and tcp.failure is Failure.TIMEOUT
    if not silent or own is None or own.ttl is None or own.ttl > STALE_RULE_TTL:
        return False
    return any(
        other.works
        and (answer := other.context.dns) is not None
        and (answer.resolver != own.resolver and answer.type == own.type)
        and other.context.address not in own.answers
        for other in dials
    )

"""Detectors of firewall rules that are missing: for one of several alternatives, port 80, or a wildcard."""

from __future__ import annotations

import re
from collections import defaultdict

from egressd.attribution.advice import listed
from egressd.attribution.blame.elimination import SharedFact
from egressd.attribution.blame.parties import FAR_END
from egressd.attribution.certainty import highest
from egressd.attribution.detectors.build import build_finding, find_devices
from egressd.attribution.detectors.detector_input import DetectorInput, is_random
from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.target_judgement import TargetJudgement
from egressd.model.verdict import Blame, Confidence, Finding, Outcome, choices_of, team_of
from egressd.wording import host_port

NO_RULE = re.compile(
    r"tls_(sni_(reset|dropped)|reset_|fin_|stall|plaintext|partial|alert|all_hellos)"
    r"|tcp_(ip_blocked|refused|admin|port_blocked|reset|some_ips|egress)"
    r"|dns_(nxdomain_f|nodata_f|null|sinkhole|refused_name|dropped|bogon)"
    r"|proxy_(denied|port_denied|tunnel_closed|tunnel_stall)|http_azure_firewall"
)
"""Codes of a missing rule for a name or an address: never a certificate, nor an answer inside TLS."""
EVERY_OWNER = SharedFact(
    says="no server of several owners answers on port 80, and most do on 443",
    rules_out=FAR_END | {Blame.LOCAL_GATEWAY},
    points_to=(Blame.FIREWALL_L3L4,),
)
ANSWERED_BEFORE = SharedFact(
    says="the far end answered unknown names in the baseline",
    rules_out=FAR_END,
    points_to=(Blame.FIREWALL_L7, Blame.FIREWALL_L3L4, Blame.EXPLICIT_PROXY, Blame.DNS_FILTER),
)


def choice(inputs: DetectorInput) -> list[Finding]:
    """Detect that no row of a choice works from some source: one finding for all of them."""
    plan = inputs.index.recording.plan
    outcomes = {(one.target.id, one.source): one.outcome for one in inputs.judgements}
    failing: defaultdict[str, set[str]] = defaultdict(set)
    for one in choices_of(plan.targets, plan.unsampled, outcomes):
        if one.outcome in (Outcome.BLOCKED, Outcome.DOWN):
            failing[one.name] |= {name for name in one.members if not outcomes[name, one.source].reachable}
    open_by_id = {one.target.id: one for one in inputs.open if one.target.is_proof}
    return [
        _choice(inputs, name, [open_by_id[one] for one in sorted(members) if one in open_by_id])
        for name, members in sorted(failing.items())
        if all(one in open_by_id or not inputs.index.targets[one].is_proof for one in members)
    ]


def _choice(inputs: DetectorInput, name: str, some: list[TargetJudgement]) -> Finding:
    places = listed(
        (host_port(one.target.destination, one.target.port) for one in some), "names with their ports"
    )
    needed = f"one of {places} is needed"
    return build_finding(
        inputs, "site_choice_unreachable", name, some, shown=needed, facts=(), host=places, lines=(needed,)
    )


def port80(inputs: DetectorInput) -> list[Finding]:
    """Detect that port 80 is closed everywhere while 443 is open nearly everywhere."""
    plain = [one for one in inputs.worst if one.target.port == 80]
    secure = [one for one in inputs.worst if one.target.port == 443]
    reached = [one for one in secure if one.outcome.reachable]
    closed = [one for one in inputs.open if one.target.port == 80 and one.outcome is Outcome.BLOCKED]
    if len(closed) < 2 or len(closed) < len(plain) or 2 * len(reached) <= len(secure):
        return []
    owners = {domain_of(one.probe.host) for one in closed}
    facts = (EVERY_OWNER,) if len(owners) > 1 else ()
    return [build_finding(inputs, "site_port80_blocked", "", closed, facts=facts)]


def wildcard(inputs: DetectorInput) -> list[Finding]:
    """Detect that listed hosts of a wildcard get through, and a random label does not."""
    named = {(one.target.pattern, one.target.port) for one in inputs.reachable if not is_random(one)}
    missed: defaultdict[tuple[str, int], list[TargetJudgement]] = defaultdict(list)
    for one in inputs.open:
        key = (one.target.pattern, one.target.port)
        if is_random(one) and key in named and _no_rule(one):
            missed[key].append(one)
    return [
        build_finding(
            inputs,
            "site_wildcard_rule_incomplete",
            f"{pattern}:{port}",
            some,
            sure=_baseline_confidence(inputs, some),
            facts=() if _baseline_confidence(inputs, some) is None else (ANSWERED_BEFORE,),
        )
        for (pattern, port), some in sorted(missed.items())
    ]


def _baseline_confidence(inputs: DetectorInput, some: list[TargetJudgement]) -> Confidence | None:
    """Return the verdicts' own confidence where a baseline shows how the far end treats unknown names."""
    verdicts = [inputs.verdict(one) for one in some]
    if not all("baseline_answered" in one.flags for one in verdicts):
        return None
    return highest(one.confidence for one in verdicts)


def suffix(inputs: DetectorInput) -> list[Finding]:
    """Detect that all hosts of a wildcard lack a rule, and others on the same port do not."""
    groups: defaultdict[tuple[str, int], list[TargetJudgement]] = defaultdict(list)
    for one in inputs.worst:
        if "*" in one.target.pattern:
            groups[one.target.pattern, one.target.port].append(one)
    unclaimed = {one.target.id for one in inputs.open}
    passing = {one.target.port for one in inputs.reachable}
    return [
        build_finding(inputs, "site_suffix_rule_missing", f"{pattern}:{port}", some, facts=(), host=pattern)
        for (pattern, port), some in sorted(groups.items())
        if port in passing
        and _missing(some)
        and all(one.target.id in unclaimed for one in some)
        and _have_one_team(inputs, some)
    ]


def _have_one_team(inputs: DetectorInput, some: list[TargetJudgement]) -> bool:
    """Whether one team is asked about all: a filtered name and a closed port lack no rule in common."""
    blamed = {inputs.verdict(one).blame for one in some}
    return len({team_of(one) for one in blamed if one is not None}) == 1


def _missing(some: list[TargetJudgement]) -> bool:
    hosts = {one.probe.host for one in some if not is_random(one)}
    return len(hosts) > 1 and all(_no_rule(one) for one in some)


def _no_rule(one: TargetJudgement) -> bool:
    return one.outcome is Outcome.BLOCKED and NO_RULE.match(one.code) is not None


def shared_cause(inputs: DetectorInput) -> list[Finding]:
    """Detect any other cause that two targets share."""
    return find_devices(inputs, inputs.open, least=2)

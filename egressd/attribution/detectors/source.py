"""Detector of a rule that lacks a source: another source of this host reaches the same targets.

Only the source differs, at the same time, so the rule exists and does not list the address.
"""

from __future__ import annotations

import re
from collections import defaultdict

from egressd.attribution.advice import source_address
from egressd.attribution.blame.elimination import SharedFact
from egressd.attribution.blame.parties import FAR_END
from egressd.attribution.certainty import highest, lower
from egressd.attribution.detectors.build import build_finding
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.target_judgement import TargetJudgement
from egressd.model.verdict import Blame, Confidence, Finding

DENIED_TO_SOURCE = re.compile(
    r"tls_(sni_(reset|dropped)|reset_|fin_|stall|plaintext|partial|alert|all_hellos)"
    r"|tcp_(ip_blocked|refused|admin|port_blocked|reset|egress)"
    r"|dns_(resolver_unreachable|refused_name|dropped|admin)"
    r"|proxy_(denied|unreachable)|ntp_(no_answer|refused)|http_(azure_firewall|block_page)"
)
"""Codes of a rule that does not list the source."""
OTHER_SOURCE = SharedFact(
    says="another source of this host reached the same targets at the same time",
    rules_out=FAR_END | {Blame.UPSTREAM_PATH, Blame.LOCAL_GATEWAY, Blame.PATH_MTU_LINK},
    points_to=(Blame.FIREWALL_L3L4, Blame.FIREWALL_L7, Blame.EXPLICIT_PROXY),
)
"""Only the source differs: what is left are rules that name it."""
SEVERAL = 2
"""From so many targets on, chance is excluded."""


def missing_for_source(inputs: DetectorInput) -> list[Finding]:
    """Group the targets that the same sources miss and another source of this host reaches."""
    targets: defaultdict[str, list[TargetJudgement]] = defaultdict(list)
    for one in inputs.judgements:
        targets[one.target.id].append(one)
    groups: defaultdict[tuple[str, ...], list[TargetJudgement]] = defaultdict(list)
    for target in sorted(targets):
        missed = _missed(targets[target])
        if missed and target not in inputs.claimed:
            groups[tuple(one.source for one in missed)] += missed
    return [_finding(inputs, some, targets) for _, some in sorted(groups.items())]


def _missed(judgements: list[TargetJudgement]) -> list[TargetJudgement]:
    """Return the judgements from the sources that miss the target; none where anything else is wrong."""
    failed = sorted((one for one in judgements if not one.outcome.reachable), key=lambda one: one.source)
    if len(failed) == len(judgements) or not all(DENIED_TO_SOURCE.match(one.code) for one in failed):
        return []
    return failed


def _finding(
    inputs: DetectorInput, some: list[TargetJudgement], targets: dict[str, list[TargetJudgement]]
) -> Finding:
    addresses = {one.source: source_address(inputs.index, one.source) for one in some}
    every = (view for one in some for view in targets[one.target.id])
    reached = {one.source for one in every if one.outcome.reachable} - set(addresses)
    peers = ", ".join(sorted({source_address(inputs.index, one) for one in reached}))
    named = ", ".join(
        name if name == address else f"{name}, {address}" for name, address in addresses.items()
    )
    return build_finding(
        inputs,
        "site_source_rule_missing",
        named,
        some,
        sure=_sure(inputs, some),
        lines=(f"the same {_count(some)} reached from {peers}",),
        facts=(OTHER_SOURCE,),
        source=", ".join(dict.fromkeys(addresses.values())),
        peers=peers,
    )


def _count(some: list[TargetJudgement]) -> str:
    targets = len({one.target.id for one in some})
    return "target is" if targets == 1 else f"{targets} targets are"


def _sure(inputs: DetectorInput, some: list[TargetJudgement]) -> Confidence:
    """Return high for several targets: they are as good as a decisive control."""
    if len({one.target.id for one in some}) >= SEVERAL:
        return Confidence.HIGH
    return lower(highest(inputs.verdict(one).confidence for one in some), Confidence.HIGH)

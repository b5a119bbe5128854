"""A source that is left out: the same targets are reached from another source of this host.

Only the source differs, in the same minute, so the rule is there and lacks an address.
"""

from __future__ import annotations

import re
from collections import defaultdict

from egressd.attribution.advice import listed, source_address
from egressd.attribution.confidence import worse
from egressd.attribution.detectors.build import finding
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.target_judgement import TargetJudgement
from egressd.model.verdict import Confidence, Finding

DENIED_TO_SOURCE = re.compile(
    r"tls_(sni_(reset|dropped)|reset_|fin_|stall|plaintext|partial|alert|all_hellos)"
    r"|tcp_(ip_blocked|refused|admin|port_blocked|reset|egress)"
    r"|dns_(resolver_unreachable|refused_name|dropped|admin)"
    r"|proxy_(denied|unreachable)|ntp_(no_answer|refused)|http_(azure_firewall|block_page)"
)
"""Codes of what a rule does to a source it does not name."""
SEVERAL = 2
"""From so many targets on, chance is out."""


def missing_for_source(inputs: DetectorInput) -> list[Finding]:
    """Put together the targets that the same sources miss and another source of this host reaches."""
    targets: defaultdict[str, list[TargetJudgement]] = defaultdict(list)
    for one in inputs.judgements:
        targets[one.target.id].append(one)
    groups: defaultdict[tuple[str, ...], list[TargetJudgement]] = defaultdict(list)
    for target in sorted(targets):
        missed = _missed(targets[target])
        if missed and target not in inputs.claimed:
            groups[tuple(one.source for one in missed)] += missed
    return [_finding(inputs, some, targets) for _, some in sorted(groups.items())]


def _missed(views: list[TargetJudgement]) -> list[TargetJudgement]:
    """Return the views from sources that are left out; none where something else is wrong as well."""
    failed = sorted((one for one in views if not one.outcome.reachable), key=lambda one: one.source)
    if len(failed) == len(views) or not all(DENIED_TO_SOURCE.match(one.code) for one in failed):
        return []
    return failed


def _finding(
    inputs: DetectorInput, some: list[TargetJudgement], targets: dict[str, list[TargetJudgement]]
) -> Finding:
    addresses = {one.source: source_address(inputs.index, one.source) for one in some}
    reached = {
        view.source for one in some for view in targets[one.target.id] if view.outcome.reachable
    } - set(addresses)
    peers = listed(sorted(source_address(inputs.index, one) for one in reached))
    named = ", ".join(name if name == place else f"{name}, {place}" for name, place in addresses.items())
    return finding(
        inputs,
        "site_source_rule_missing",
        named,
        some,
        sure=_sure(inputs, some),
        lines=(f"the same {_count(some)} reached from {peers}",),
        source=listed(list(addresses.values())),
        peers=peers,
    )


def _count(some: list[TargetJudgement]) -> str:
    targets = len({one.target.id for one in some})
    return "target is" if targets == 1 else f"{targets} targets are"


def _sure(inputs: DetectorInput, some: list[TargetJudgement]) -> Confidence:
    """Several targets that only one source misses are as good as a decisive control."""
    if len({one.target.id for one in some}) >= SEVERAL:
        return Confidence.HIGH
    surest = min((inputs.verdict(one).confidence for one in some), key=tuple(Confidence).index)
    return worse(surest, Confidence.HIGH)

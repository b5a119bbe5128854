"""Detector of address rules that lack a service tag: nothing of it connects, and other tags do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from egressd.attribution.blame.elimination import SharedFact
from egressd.attribution.certainty import highest, lower
from egressd.attribution.detectors.build import build_finding
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.service_tags.ranges import covers, tags_with
from egressd.attribution.target_judgement import TargetJudgement
from egressd.model.settings import ServiceTag
from egressd.model.verdict import Blame, Confidence, Finding, Outcome

BY_ADDRESS = re.compile(
    r"tcp_(ip_blocked_silent|refused|refused_icmp_port|refused_by_middlebox|admin_prohibited)"
)
"""Codes of a connect that failed: no name was sent yet, so that only the address can have decided."""
LEAST_NAMES = 2
"""Names that share nothing but the tag: one name alone lacks a rule for itself."""


def incomplete_tags(inputs: DetectorInput) -> list[Finding]:
    """Return a finding for each tag of which no address connects, while those of other tags do."""
    tags = inputs.index.recording.plan.service_tags
    if tags is None:
        return []
    failing: defaultdict[str, list[TargetJudgement]] = defaultdict(list)
    for one in inputs.open:
        if one.outcome is Outcome.BLOCKED and BY_ADDRESS.fullmatch(one.code) and (address := _dialled(one)):
            for name in tags_with(tags, one.target.service_tags, address)[:1]:
                failing[name.lower()].append(one)
    found: list[Finding] = []
    for tag in tags.tags:
        some = failing[tag.name.lower()]
        several = len({one.target.destination for one in some}) >= LEAST_NAMES
        if several and not _connects(inputs, tag, some):
            passing = [one.name for one in tags.tags if one is not tag and _connects(inputs, one, some)]
            found += [_finding(inputs, tag, some, passing)] if passing else []
    return found


def _dialled(one: TargetJudgement) -> str:
    """Return the address that failed; empty behind a proxy, whose address it would be."""
    match = one.deciding_match
    return match.context.dialled[0] if match is not None and not match.context.proxied else ""


def _connects(inputs: DetectorInput, tag: ServiceTag, some: Iterable[TargetJudgement]) -> bool:
    """Whether a source that fails connects to some address of a tag, on the same port."""
    index = inputs.index
    places = {(one.source, one.probe.port) for one in some if one.source not in index.accept_all}
    return any(
        at == port and bool(covers(tag, address))
        for source, port in places
        for address, at in index.connected(source)
    )


def _finding(
    inputs: DetectorInput, tag: ServiceTag, some: list[TargetJudgement], passing: list[str]
) -> Finding:
    others = ", ".join(passing)
    says = f"no address of the service tag {tag.name} connects, and addresses of {others} do on the same port"
    return build_finding(
        inputs,
        "site_service_tag_incomplete",
        tag.name,
        some,
        sure=lower(highest(inputs.verdict(one).confidence for one in some), Confidence.MEDIUM),
        lines=(says,),
        facts=(SharedFact(says=says, rules_out=frozenset(), points_to=(Blame.FIREWALL_L3L4,)),),
        tags=tag.name,
        peers=others,
    )

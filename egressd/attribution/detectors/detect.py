"""Run the detectors in their order: the first that claims a target explains it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial

from msgspec.structs import replace

from egressd.attribution.detectors import missing_rules, path
from egressd.attribution.detectors.detector_input import DetectorInput, Verdicts
from egressd.attribution.detectors.environment import nxdomain_rewriting, unused_proxy
from egressd.attribution.detectors.inspection import inspected
from egressd.attribution.detectors.private_link import private_endpoints
from egressd.attribution.detectors.revocation import revocation
from egressd.attribution.detectors.source import missing_for_source
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.service_tags.incomplete import incomplete_tags
from egressd.attribution.target_judgement import TargetJudgement
from egressd.errors import OnBug, Part, isolate, raise_bug
from egressd.model.verdict import Finding

UNCLAIMING: tuple[Callable[[DetectorInput], list[Finding]], ...] = (
    lambda inputs: path.accept_all(inputs.index),
    lambda inputs: path.dns_interception(inputs.index),
    lambda inputs: nxdomain_rewriting(inputs.index),
    unused_proxy,
    lambda inputs: revocation(inputs.index),
)
"""Detectors of what is wrong beside whatever fails: they claim no target."""

DETECTORS: tuple[Callable[[DetectorInput], list[Finding]], ...] = (
    missing_for_source,
    private_endpoints,
    path.outage,
    path.clock,
    path.proxy_needed,
    inspected,
    path.path_wide,
    missing_rules.choice,
    missing_rules.port80,
    incomplete_tags,
    missing_rules.wildcard,
    missing_rules.suffix,
    path.compared_paths,
    missing_rules.shared_cause,
)


def detect_findings(
    index: SweepIndex, judgements: Iterable[TargetJudgement], verdicts: Verdicts, *, on_bug: OnBug = raise_bug
) -> tuple[Finding, ...]:
    """Return the findings of a sweep, in an order that depends on the facts only.

    A detector with a bug finds nothing, and the others go on.
    """
    inputs = DetectorInput.build(index, judgements, verdicts)
    found: list[Finding] = []
    for detect_one in UNCLAIMING:
        found += isolate(Part.FINDINGS, on_bug, partial(detect_one, inputs), _nothing)
    for detect in DETECTORS:
        fresh = isolate(Part.FINDINGS, on_bug, partial(detect, inputs), _nothing)
        found += fresh
        claimed = (target for finding in fresh for target in finding.targets)
        inputs = replace(inputs, claimed=inputs.claimed | frozenset(claimed))
    return _distinct(found)


def _nothing(_why: str) -> list[Finding]:
    return []


def _distinct(found: list[Finding]) -> tuple[Finding, ...]:
    """Number the findings whose ids would be the same."""
    seen: defaultdict[str, int] = defaultdict(int)
    named: list[Finding] = []
    for one in found:
        seen[one.id] += 1
        again = seen[one.id]
        named.append(one if again == 1 else replace(one, id=f"{one.id}-{again}"))
    return tuple(named)

"""Run the detectors in their order: the first that claims a target explains it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from egressd.attribution.detectors import missing_rules, path
from egressd.attribution.detectors.detector_input import DetectorInput, Verdicts
from egressd.attribution.detectors.environment import nxdomain_rewriting, unused_proxy
from egressd.attribution.detectors.inspection import inspected
from egressd.attribution.detectors.revocation import revocation
from egressd.attribution.detectors.source import missing_for_source
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.target_judgement import TargetJudgement
from egressd.model.verdict import Finding

DETECTORS: tuple[Callable[[DetectorInput], list[Finding]], ...] = (
    missing_for_source,
    path.outage,
    path.clock,
    path.proxy_needed,
    inspected,
    path.path_wide,
    missing_rules.port80,
    missing_rules.wildcard,
    missing_rules.suffix,
    path.compared_paths,
    missing_rules.shared_cause,
)


def detect_findings(
    index: SweepIndex, judgements: Iterable[TargetJudgement], verdicts: Verdicts
) -> tuple[Finding, ...]:
    """Return the findings of a sweep, in an order that depends on the facts only."""
    inputs = DetectorInput.build(index, judgements, verdicts)
    found = [
        *path.accept_all(index),
        *path.dns_interception(index),
        *nxdomain_rewriting(index),
        *unused_proxy(inputs),
    ]
    found += revocation(index)
    for detect in DETECTORS:
        fresh = detect(inputs)
        found += fresh
        claimed = (target for finding in fresh for target in finding.targets)
        inputs = replace(inputs, claimed=inputs.claimed | frozenset(claimed))
    return _distinct(found)


def _distinct(found: list[Finding]) -> tuple[Finding, ...]:
    """Number the findings whose ids would be the same."""
    seen: defaultdict[str, int] = defaultdict(int)
    named: list[Finding] = []
    for one in found:
        seen[one.id] += 1
        again = seen[one.id]
        named.append(one if again == 1 else replace(one, id=f"{one.id}-{again}"))
    return tuple(named)

"""Detectors of faults in the surroundings, whether or not a target fails for them yet."""

from __future__ import annotations

from egressd.attribution.advice import source_address
from egressd.attribution.detectors.build import finding_about_path, titled
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.reasons import REASONS
from egressd.model.observation import DnsObservation
from egressd.model.plan import ControlKind
from egressd.model.verdict import Confidence, Finding


def nxdomain_rewriting(index: SweepIndex) -> list[Finding]:
    """Detect resolvers that give one address for labels of unrelated zones, none of which can exist."""
    return [
        _rewriting(index, source, resolver, addresses)
        for (source, resolver), addresses in sorted(index.peers.nxdomain_rewrites.items())
    ]


def _rewriting(index: SweepIndex, source: str, resolver: str, addresses: frozenset[str]) -> Finding:
    reason = REASONS["dns_nxdomain_rewritten"]
    answers = [
        one
        for control in index.controls.get("", ())
        if control.kind is ControlKind.SIBLING_NAME and control.source == source
        for _, one in observations(control.trails, DnsObservation)
        if one.resolver == resolver and addresses & set(one.answers)
    ]
    return finding_about_path(
        reason.code,
        f"{source} {resolver}",
        sure=Confidence.CONFIRMED,
        title=titled(reason, resolver, (source,), index.recording.plan),
        evidence=tuple(
            f"{resolver} queried for {one.type} {one.name} at {one.started}: {' '.join(one.answers)}, "
            f"and there is no such name"
            for one in answers
        ),
        sources=(source,),
        values={
            "source": source_address(index, source),
            "resolver": resolver,
            "host": answers[0].name,
            "time": answers[0].started,
        },
    )


def unused_proxy(inputs: DetectorInput) -> list[Finding]:
    """Detect that the environment names a proxy, egressd is configured with none, and targets fail."""
    names = inputs.index.unused_proxy_variables
    failing = [one for one in inputs.worst if one.code and not one.outcome.reachable]
    if not names or not failing:
        return []
    seen = (
        f"the environment has {', '.join(names)}; egressd uses no proxy and dialled directly",
        f"{len(failing)} of {len(inputs.worst)} targets can't be used this way",
    )
    values = {"time": inputs.index.recording.started}
    return [
        finding_about_path(
            "local_proxy_config_mismatch", "", sure=Confidence.MEDIUM, evidence=seen, values=values
        )
    ]

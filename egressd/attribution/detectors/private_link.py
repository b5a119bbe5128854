"""Detector of private endpoints that contradict each other, or what the configuration says of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from egressd.attribution.certainty import highest
from egressd.attribution.detectors.build import build_finding
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.facts.peer_comparison import NameView, scope_of
from egressd.attribution.target_judgement import TargetJudgement, device_of
from egressd.model.verdict import Finding

PUBLIC = "dns_private_link_public"
MIXED = "dns_private_link_mixed"
ONE_FAMILY = "dns_private_link_one_family"
UNEXPECTED = "dns_private_link_unexpected"
OWN_NAMES = "own names"
"""The scope of the operator's own endpoints."""


def private_endpoints(inputs: DetectorInput) -> list[Finding]:
    """Detect a scope that is private in part, and endpoints that nobody expects: each cause once."""
    by_scope: defaultdict[str, list[TargetJudgement]] = defaultdict(list)
    by_resolver: defaultdict[str, list[TargetJudgement]] = defaultdict(list)
    for one in inputs.open:
        if one.code in (PUBLIC, MIXED, ONE_FAMILY):
            by_scope[scope_of(one.probe.host) or OWN_NAMES].append(one)
        elif one.code == UNEXPECTED and one.deciding_match is not None:
            by_resolver[device_of(one.deciding_match)].append(one)
    return [
        *(_of_scope(inputs, scope, some) for scope, some in sorted(by_scope.items())),
        *(
            build_finding(inputs, UNEXPECTED, resolver, some)
            for resolver, some in sorted(by_resolver.items())
        ),
    ]


def _of_scope(inputs: DetectorInput, scope: str, wrong: list[TargetJudgement]) -> Finding:
    """Return the finding of a scope: it names what is private there, and what is public."""
    codes = {one.code for one in wrong}
    code = next(one for one in (PUBLIC, MIXED, ONE_FAMILY) if one in codes)
    beside = [] if code == ONE_FAMILY else list(_beside(inputs, scope))
    return build_finding(
        inputs,
        code,
        scope,
        [*wrong, *beside],
        sure=highest(inputs.verdict(one).confidence for one in wrong),
        lines=tuple(_lines(inputs, (*wrong, *beside))),
    )


def _beside(inputs: DetectorInput, scope: str) -> Iterator[TargetJudgement]:
    """Yield the other names of the scope, which are right by themselves."""
    for one in inputs.reachable:
        if one.code or not one.target.is_proof or scope_of(one.probe.host) != scope:
            continue
        view = _view(inputs, one)
        if view is not None and (view.private or view.public):
            yield one


def _view(inputs: DetectorInput, one: TargetJudgement) -> NameView | None:
    return inputs.index.peers.view(one.source, one.probe.host)


def _lines(inputs: DetectorInput, some: Iterable[TargetJudgement]) -> Iterator[str]:
    """Yield a line with the private names, and one with the public ones."""
    private: dict[str, str] = {}
    public: dict[str, str] = {}
    for one in some:
        view = _view(inputs, one)
        if view is not None and view.private:
            private[one.probe.host] = view.shown
        if view is not None and view.public:
            public[one.probe.host] = view.shown
    for title, names in (("private here", private), ("public here", public)):
        if names:
            yield f"{title}: " + "; ".join(f"{name} ({shown})" for name, shown in names.items())

"""The detectors in their order: who comes first explains a target, and nobody after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from egressd.attribution.facts.whole import Whole
from egressd.attribution.opinion import Opinion
from egressd.attribution.site import names, path
from egressd.attribution.site.field import Field, Verdicts, lay_out
from egressd.attribution.site.inspection import inspected
from egressd.attribution.site.revocation import revocation
from egressd.attribution.site.source import left_out
from egressd.attribution.site.surroundings import inventing, proxy_untold
from egressd.model.verdict import Finding

DETECTORS: tuple[Callable[[Field], list[Finding]], ...] = (
    left_out,
    path.outage,
    path.clock,
    path.proxy_needed,
    inspected,
    path.whole_path,
    names.port80,
    names.wildcard,
    names.suffix,
    path.two_paths,
    names.shared,
)


def find(whole: Whole, opinions: Iterable[Opinion], verdicts: Verdicts) -> tuple[Finding, ...]:
    """Return the findings of a sweep, in an order that depends on nothing but the facts."""
    field = lay_out(whole, opinions, verdicts)
    found = [*path.accepting(whole), *path.intercepting(whole), *inventing(whole), *proxy_untold(field)]
    found += revocation(whole)
    for detect in DETECTORS:
        fresh = detect(field)
        found += fresh
        claimed = (target for finding in fresh for target in finding.targets)
        field = replace(field, claimed=field.claimed | frozenset(claimed))
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

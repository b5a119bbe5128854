"""Compare the direct path with the proxy for one target: which works, and what that says of the proxy.

The path that programs will use decides; the other one only explains.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable

from msgspec.structs import replace

from egressd.attribution.certainty import at
from egressd.attribution.probe_judgement import ProbeJudgement
from egressd.attribution.rules.rule import Rule
from egressd.attribution.target_judgement import TargetJudgement
from egressd.attribution.trail_judgement import Match
from egressd.model.observation import Phase
from egressd.model.verdict import Confidence, Outcome

BREAKS, REQUIRED, SITE = "proxy_breaks_path", "proxy_required", "site_requires_proxy"
ABOUT_ALL = frozenset(
    {
        "proxy_name_unresolvable",
        "proxy_unreachable",
        "proxy_certificate_untrusted",
        "proxy_auth_required",
        "proxy_auth_rejected",
        "proxy_auth_unsupported",
        "proxy_not_connect_capable",
    }
)
"""Causes that concern every name behind the proxy."""
NAMES_THE_DEVICE = "tls_mitm_"


BREAKS_PATH = Rule(reason=BREAKS, certainty=at(Confidence.HIGH))


def compare_paths(own: TargetJudgement, other: TargetJudgement | None) -> TargetJudgement:
    """Return the judgement of the path in use, with what the other path adds to it."""
    if other is None or own.result is None or other.result is None:
        return own
    return replace(own, result=_explain(own, own.result, other.result), other_path=other.result)


def _explain(own: TargetJudgement, ours: ProbeJudgement, theirs: ProbeJudgement) -> ProbeJudgement:
    if Outcome.UNKNOWN in (ours.outcome, theirs.outcome) and not theirs.outcome.reachable:
        return ours
    if ours.outcome.reachable and not theirs.outcome.reachable and own.probe.via_proxy:
        return _adding(ours, REQUIRED, *_no_names(theirs))
    if theirs.outcome.reachable and not ours.outcome.reachable:
        return _broken(ours) if own.probe.via_proxy else _adding(ours, REQUIRED)
    return ours


def _no_names(theirs: ProbeJudgement) -> tuple[str, ...]:
    """Note that names need not resolve here: the proxy resolves them."""
    in_dns = theirs.match is not None and theirs.match.phase is Phase.DNS
    return ("dns_not_required",) if in_dns else ()


def _broken(ours: ProbeJudgement) -> ProbeJudgement:
    """Report that the proxy breaks what works without it, unless a cause is more specific."""
    match = ours.match
    if match is None or match.code in ABOUT_ALL or match.code.startswith(NAMES_THE_DEVICE):
        return _adding(ours, BREAKS)
    breaks = Match(context=match.context, rule=BREAKS_PATH, phase=match.phase or Phase.PROXY)
    also = tuple(dict.fromkeys((match.code, *ours.also)))
    return replace(ours, outcome=Outcome.BLOCKED, match=breaks, also=also, causes=(breaks, *ours.causes))


def _adding(result: ProbeJudgement, *codes: str) -> ProbeJudgement:
    return replace(result, also=tuple(dict.fromkeys((*result.also, *codes))))


def needs_proxy(judgements: Iterable[TargetJudgement]) -> list[TargetJudgement]:
    """Return the targets that fail directly, as configured, where every one of them works by proxy."""
    compared = [one for one in judgements if one.other_path is not None and not one.probe.via_proxy]
    return compared if len(compared) > 1 and all(_only_other_works(one) for one in compared) else []


def _only_other_works(one: TargetJudgement) -> bool:
    other = one.other_path
    return other is not None and other.outcome.reachable and not one.outcome.reachable


def path_causes(
    judgements: Iterable[TargetJudgement], *, claimed: Container[str]
) -> list[tuple[str, str, list[TargetJudgement]]]:
    """Return code, proxy and targets of what the comparison shows, without targets that are claimed."""
    compared = [one for one in judgements if one.other_path is not None and one.probe.via_proxy]
    closed = [one for one in compared if one.other_path is not None and not one.other_path.outcome.reachable]
    groups: defaultdict[tuple[str, str], list[TargetJudgement]] = defaultdict(list)
    for one in compared:
        code = _shown(one, whole_site=len(compared) > 1 and len(closed) == len(compared))
        if code and one.target.id not in claimed:
            groups[code, _path(one)].append(one)
    return [(code, path, some) for (code, path), some in sorted(groups.items(), key=lambda one: one[0])]


def _shown(one: TargetJudgement, *, whole_site: bool) -> str:
    if one.code == BREAKS:
        return BREAKS
    required = one.result is not None and REQUIRED in one.result.also
    return (SITE if whole_site else REQUIRED) if required else ""


def _path(one: TargetJudgement) -> str:
    context = one.deciding_match.context if one.deciding_match is not None else None
    return context.index.recording.plan.path_of(one.probe) if context is not None else ""

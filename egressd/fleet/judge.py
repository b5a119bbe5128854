"""Judge a fleet: every failing place of every site again, with the other sites as controls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from egressd.attribution.blame.elimination import Attribution
from egressd.attribution.blame.parties import FAR_END
from egressd.attribution.certainty import lower, lowest
from egressd.fleet import blame, texts
from egressd.fleet.grouping import Group, groups_at
from egressd.fleet.onsets import at_seconds, seconds
from egressd.fleet.places import SiteResult, fleet_rows, place_results
from egressd.fleet.site_wide import CutOff, cut_off_sites, with_silence
from egressd.fleet.thresholds import LEAST_ROLLOUT, MOST, TOGETHER
from egressd.fleet.values import (
    Fleet,
    FleetReport,
    FleetVerdict,
    FleetVerdictKind,
    Onset,
    SiteOnset,
    SiteState,
    SiteTarget,
)
from egressd.model.endpoint import NEEDS_BY_STRENGTH
from egressd.model.observation import Phase
from egressd.model.verdict import Confidence

_K = FleetVerdictKind
CHANGE = "site_change_correlated"
OUTAGE = "site_outage"
_CODES = {_K.RULE_ROLLOUT: CHANGE, _K.COMMON_CHANGE: CHANGE}
_ORDER = (
    _K.SERVICE_DOWN,
    _K.RULE_ROLLOUT,
    _K.COMMON_CHANGE,
    _K.SHARED_DEVICE,
    _K.SITE_CUT_OFF,
    _K.SITE_DIFFERS,
    _K.SITE_SILENT,
    _K.COMMON_FAILURE,
    _K.UNDECIDED,
)
"""The kinds, the most telling first."""

_Judged = tuple[Group, Attribution]


def judge_fleet(fleet: Fleet) -> FleetReport:
    """Judge many sites, each a control for the others; the order of sites and targets changes nothing.

    Raises:
        ValueError: two states have the name of one site.
    """
    if len({one.site for one in fleet.sites}) < len(fleet.sites):
        raise ValueError("two states of one site")
    at = seconds(fleet.at)
    sites = with_silence(fleet.sites, at)
    rows = fleet_rows(sites)
    cut = cut_off_sites(rows, sites, at)
    apart = frozenset(one.site for one in cut)
    groups = [one for place in place_results(rows, sites, at, apart=apart) for one in groups_at(place)]
    judged = [(group, _attribution(group)) for group in groups]
    sites = _judged_again(sites, judged, cut)
    verdicts = (
        *_of_groups(judged),
        *(_of_cut_off(one) for one in cut),
        *(_of_silence(one) for one in sites if one.silent_since is not None),
    )
    return FleetReport(
        at=fleet.at, sites=sites, rows=fleet_rows(sites), verdicts=tuple(sorted(verdicts, key=_rank))
    )


def _rank(one: FleetVerdict) -> tuple[object, ...]:
    need = NEEDS_BY_STRENGTH.index(one.need) if one.need is not None else 0
    return need, _ORDER.index(one.kind), -len(one.sites), one.reason or "", one.targets, one.sites


def _attribution(group: Group) -> Attribution:
    """Return who caused what several sites have in common, by the facts of all of them."""
    targets = [one.target for one in group.members]
    found = blame.common_suspects(targets)
    if found is None:  # they rule each other's suspects out: it is not one cause
        return blame.capped(blame.own_attribution(targets[0]), Confidence.LOW)
    judge = _BY_KIND.get(group.kind)
    found = judge(group, found, targets) if judge is not None else found
    if len(targets) == 1:
        return found
    first = min(one.began.by for one in group.members)
    return blame.decided_for_sites(
        found, place=blame.known_values(targets[0])["place"], time=at_seconds(first)
    )


def _of_outage(group: Group, found: Attribution, targets: Sequence[SiteTarget]) -> Attribution:
    found = blame.of_outage(found, targets, sites=len(targets))
    if group.working or not _at_one_moment(group.members):
        return blame.capped(found, Confidence.MEDIUM)
    return found


def _of_change(group: Group, found: Attribution, targets: Sequence[SiteTarget]) -> Attribution:
    """Return who changed something.

    A service that goes step by step, and the caches of resolvers, spread what is one event over hours.
    """
    by_itself = blame.accuses_far_end(found) and not group.working
    cached = group.kind is _K.RULE_ROLLOUT and targets[0].phase is Phase.DNS
    if by_itself or cached:
        return blame.capped(found, Confidence.LOW)
    found = blame.of_change(_by_controls(group, found), targets, sites=len(targets))
    lasting = [one for one in group.members if one.seen > one.began.by]
    return blame.capped(found, Confidence.MEDIUM) if len(lasting) <= LEAST_ROLLOUT else found


def _by_controls(group: Group, found: Attribution) -> Attribution:
    """Return who is left of suspects by the sites that reach the same."""
    if not group.working:
        return found
    targets = [one.target for one in group.members]
    one = replace(
        targets[0],
        confidence=blame.most_sure(targets),
        anycast=any(one.anycast for one in targets),
        owned=any(one.owned for one in targets),
    )
    return blame.by_controls(
        found,
        one,
        others=len(group.working),
        same_address=len(group.same_address),
        surely=any(group.place.surely_reached(one) for one in group.members),
    )


def _compared(group: Group, found: Attribution, _targets: Sequence[SiteTarget]) -> Attribution:
    return _by_controls(group, found)


_BY_KIND: Mapping[FleetVerdictKind, Callable[[Group, Attribution, Sequence[SiteTarget]], Attribution]] = {
    _K.SERVICE_DOWN: _of_outage,
    _K.RULE_ROLLOUT: _of_change,
    _K.COMMON_CHANGE: _of_change,
    _K.SHARED_DEVICE: _compared,
    _K.SITE_DIFFERS: _compared,
    _K.UNDECIDED: _compared,
}


def _at_one_moment(members: Iterable[SiteResult]) -> bool:
    """Whether all can have begun at one moment: none was seen working when another had failed already."""
    known = tuple(members)
    worked = [one.began.after for one in known if one.began.after is not None]
    return max(worked, default=0.0) <= min(one.began.by for one in known) + TOGETHER / 5


def _judged_again(
    sites: Iterable[SiteState], judged: Iterable[_Judged], cut: Iterable[CutOff]
) -> tuple[SiteState, ...]:
    """Return the sites with the blame of their failing targets as it is by now."""
    by_site: defaultdict[str, dict[tuple[object, ...], Attribution]] = defaultdict(dict)
    for group, found in judged:
        for one in group.members:
            by_site[one.site][(*one.target.place, one.target.reason)] = found
    for whole in cut:
        found = blame.of_cut_off(whole.targets, others=whole.others)
        for target in whole.targets:
            by_site[whole.site][(*target.place, target.reason)] = found
    return tuple(
        replace(
            state,
            targets=tuple(_again(target, by_site[state.site]) for target in state.targets),
        )
        for state in sites
    )


def _again(target: SiteTarget, found: Mapping[tuple[object, ...], Attribution]) -> SiteTarget:
    new = found.get((*target.place, target.reason)) if target.fails and target.decides else None
    if new is None:
        return target
    return replace(
        target,
        blame=new.blame,
        blame_confidence=lower(new.confidence, target.confidence),
        suspects=new.suspects,
        ruled_out=new.ruled_out,
        was_blamed=target.blame if target.blame is not new.blame else None,
    )


def _of_groups(judged: Iterable[_Judged]) -> Iterator[FleetVerdict]:
    """Yield a verdict for each cause: places that fail alike at the same sites have one."""
    causes: defaultdict[tuple[object, ...], list[_Judged]] = defaultdict(list)
    for group, found in judged:
        reason = _reason_of(group)
        causes[group.kind, reason, found.blame, group.sites, group.device].append((group, found))
    for some in causes.values():
        groups = [group for group, _ in some]
        yield _verdict(groups, _of_all(groups, [found for _, found in some]))


def _reason_of(group: Group) -> str | None:
    """Return the reason that all members have, or else most; None: none of them has so many."""
    reasons = [one.target.reason for one in group.members]
    most = max(sorted({one or "" for one in reasons}), key=reasons.count)
    return most if reasons.count(most) >= MOST * len(reasons) else None


def _of_all(groups: Sequence[Group], found: Sequence[Attribution]) -> Attribution:
    """Return who caused what several places have in common: who is left at each."""
    everywhere = set.intersection(*({one.blame for one in each.suspects} for each in found))
    gone = {one.blame: one for each in found for one in each.ruled_out}
    sure = lowest(one.confidence for one in found)
    if groups[0].kind is _K.SERVICE_DOWN and texts.unrelated_owners(groups):
        sure = lower(sure, Confidence.LOW)
    return Attribution(
        blame=found[0].blame,
        confidence=sure,
        suspects=tuple(one for one in found[0].suspects if one.blame in everywhere),
        ruled_out=tuple(gone[one] for one in sorted(gone)),
    )


def _verdict(groups: Sequence[Group], found: Attribution) -> FleetVerdict:
    first = groups[0]
    targets = [one.target for group in groups for one in group.members]
    working = set.intersection(*(set(group.working) for group in groups))
    unsure = {site for group in groups for site in group.place.unsure} - set(first.sites)
    made = FleetVerdict(
        kind=first.kind,
        title="",
        sites=first.sites,
        reason=_reason_of(first),
        code=_CODES.get(first.kind),
        targets=tuple(dict.fromkeys(blame.known_values(one)["place"] for one in targets)),
        endpoints=tuple(sorted({one.endpoint for one in targets})),
        need=min((one.need for one in targets), key=NEEDS_BY_STRENGTH.index),
        working=tuple(sorted(working)),
        unknown=tuple(sorted(unsure)),
        onsets=_onsets(groups),
        confidence=_sure(groups),
        blame=found.blame,
        blame_confidence=found.confidence,
        suspects=found.suspects,
        ruled_out=found.ruled_out,
    )
    return replace(
        made,
        title=texts.title(made, groups),
        evidence=texts.evidence(made, groups),
        advice=texts.advice(made, groups),
    )


def _onsets(groups: Iterable[Group]) -> tuple[SiteOnset, ...]:
    """Return when it began at each site, at the first of its places; where nothing is known of it, not."""
    known: dict[str, SiteResult] = {}
    for group in groups:
        for one in group.members:
            if one.target.onset is not None and (
                one.site not in known or one.began.by < known[one.site].began.by
            ):
                known[one.site] = one
    order = sorted(known.values(), key=lambda one: (one.began.by, one.site))
    return tuple(
        SiteOnset(site=one.site, onset=one.target.onset) for one in order if one.target.onset is not None
    )


def _sure(groups: Sequence[Group]) -> Confidence:
    """Return how sure it is that the sites show this kind, at the least sure of its places."""
    return lowest(_sure_of(one) for one in groups)


def _sure_of(group: Group) -> Confidence:
    surely = any(group.place.surely_reached(one) for one in group.members)
    match group.kind:
        case _K.SERVICE_DOWN:
            found = blame.common_suspects(one.target for one in group.members)
            if found is not None and all(one.blame in FAR_END for one in found.suspects):
                return Confidence.CONFIRMED
            solid = not group.working and _at_one_moment(group.members)
        case _K.RULE_ROLLOUT:
            lasting = [one for one in group.members if one.seen > one.began.by]
            if not group.working or len(lasting) < LEAST_ROLLOUT:
                return Confidence.LOW  # one failure may be chance
            solid = surely and len(group.members) > LEAST_ROLLOUT
        case _K.COMMON_CHANGE:
            solid = surely and bool(group.same_address)
        case _K.SHARED_DEVICE:
            solid = not texts.may_be_several(group.device)
        case _K.SITE_DIFFERS:
            if any(one.target.comes_and_goes for one in group.members):
                return Confidence.LOW
            solid = surely
        case _:
            return Confidence.LOW
    return Confidence.HIGH if solid else Confidence.MEDIUM


def _of_cut_off(one: CutOff) -> FleetVerdict:
    found = blame.of_cut_off(one.targets, others=one.others)
    codes = {target.reason for target in one.targets}
    onsets = [target.onset for target in one.targets if target.onset is not None]
    made = FleetVerdict(
        kind=_K.SITE_CUT_OFF,
        title=f"{one.site} is cut off: {one.tally.failing} of {one.tally.known} required places fail",
        sites=(one.site,),
        reason=next(iter(codes)) if len(codes) == 1 else None,
        code=OUTAGE,
        targets=tuple(dict.fromkeys(blame.known_values(target)["place"] for target in one.targets)),
        endpoints=tuple(sorted({target.endpoint for target in one.targets})),
        need=min((target.need for target in one.targets), key=NEEDS_BY_STRENGTH.index),
        onsets=(SiteOnset(site=one.site, onset=_first(onsets)),) if onsets else (),
        confidence=Confidence.HIGH if one.others > 1 else Confidence.MEDIUM,
        blame=found.blame,
        blame_confidence=found.confidence,
        suspects=found.suspects,
        ruled_out=found.ruled_out,
    )
    return replace(made, evidence=texts.cut_off_lines(one, made), advice=texts.cut_off_advice(one))


def _first(onsets: Iterable[Onset]) -> Onset:
    return min(onsets, key=lambda one: (one.by, one.after or ""))


def _of_silence(state: SiteState) -> FleetVerdict:
    return FleetVerdict(
        kind=_K.SITE_SILENT,
        title=f"{state.site} no longer reports",
        sites=(state.site,),
        confidence=Confidence.HIGH if state.interval_seconds is not None else Confidence.LOW,
        evidence=texts.silence_lines(state),
        advice=texts.silence_advice(state),
    )

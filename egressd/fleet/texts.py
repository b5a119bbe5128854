"""What a fleet verdict says: a title, what it rests on, and what to ask of whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from egressd.attribution.blame.parties import FAR_END
from egressd.attribution.blame.request import SURE
from egressd.attribution.blame_text import CALL, blame_text
from egressd.attribution.facts.address import is_ordinary, parse_ip
from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.vendors import OWN_DOMAINS
from egressd.attribution.reasons import REASONS
from egressd.fleet.from_trails import host_of_end
from egressd.fleet.grouping import Group
from egressd.fleet.onsets import seconds
from egressd.fleet.places import SiteResult
from egressd.fleet.site_wide import CutOff
from egressd.fleet.thresholds import LEAST_SITES
from egressd.fleet.values import FleetVerdict, FleetVerdictKind, SiteOnset, SiteState
from egressd.model.verdict import Blame
from egressd.wording import count, name_first, span

_K = FleetVerdictKind
MOST_SITES = 8
"""Sites named one by one in the order in which it began."""
_OTHER_OWNERS = frozenset({"digicert.com"})
"""Domains that Microsoft's redirects may lead to and that others own."""


def title(verdict: FleetVerdict, groups: Sequence[Group]) -> str:
    """Return the title of what several sites show."""
    what, sites = name_first(verdict.targets), count(len(verdict.sites), "site")
    named = name_first(verdict.sites)
    match verdict.kind:
        case _K.SERVICE_DOWN:
            said = f"{what} went down for {len(verdict.sites)} of {groups[0].of} sites at once"
        case _K.RULE_ROLLOUT:
            said = f"{what} began to fail at {sites} one after another"
        case _K.COMMON_CHANGE:
            others = ", others reach it" if verdict.working else ""
            said = f"{what} began to fail at {sites} at once{others}"
        case _K.SHARED_DEVICE:
            said = f"{what} fails at {sites} behind the same {groups[0].device}"
        case _K.SITE_DIFFERS:
            said = f"{named} can't reach {what}, and other sites can"
        case _K.COMMON_FAILURE:
            does = "comes and goes" if _unsteady(groups) else "fails"
            said = f"{what} {does} at {sites}, and no site is known to do better"
        case _:
            said = f"{named} can't reach {what}, and too few sites can be compared"
    return f"{said} ({verdict.reason})" if verdict.reason else said


def evidence(verdict: FleetVerdict, groups: Sequence[Group]) -> tuple[str, ...]:
    """Return what a verdict rests on, the most telling first."""
    return tuple(
        dict.fromkeys(
            (
                *_who_fails(verdict, groups),
                *_who_works(verdict, groups),
                *_when(verdict),
                *_doubts(verdict, groups),
                *_of_single_sites(groups),
            )
        )
    )


def _who_fails(verdict: FleetVerdict, groups: Sequence[Group]) -> Iterator[str]:
    of = {one.of for one in groups}
    share = f" of {of.pop()} that can be compared" if len(of) == 1 else ""
    yield f"fails at {count(len(verdict.sites), 'site')}{share}: {name_first(verdict.sites, most=5)}"
    if groups[0].device:
        yield f"all of them go by the same {groups[0].device}"


def _who_works(verdict: FleetVerdict, groups: Sequence[Group]) -> Iterator[str]:
    if not any(one.working for one in groups):
        yield "no other site is known to reach it in that time"
    elif verdict.working:
        yield f"reached in the same time from {name_first(verdict.working, most=5)}"
    for group in groups:
        if group.same_address:
            where = sorted({address for one in group.members for address in one.addresses})
            yield (
                f"{name_first(group.same_address)} reached the very address that fails here, "
                f"port {group.place.place[1]}: {name_first(where)}"
            )
        elif group.working and any(one.addresses for one in group.members):
            yield f"{group.place.place[0]} was reached elsewhere at other addresses, or at ones not known"


def _when(verdict: FleetVerdict) -> Iterator[str]:
    if verdict.began is None:
        return
    first, last = verdict.began
    known = [one for one in verdict.onsets if one.onset.after is not None]
    if len(verdict.onsets) > 1 and verdict.kind is not _K.RULE_ROLLOUT:
        apart = seconds(last.by) - seconds(first.by)
        within = f"between {first.by} and {last.by}, within {span(apart)}" if apart >= 1 else f"at {first.by}"
        yield f"first seen to fail {within}"
    for one in verdict.onsets[:MOST_SITES] if verdict.kind is _K.RULE_ROLLOUT else verdict.onsets[:1]:
        yield _began(one)
    if len(known) < len(verdict.onsets):
        never = [one.site for one in verdict.onsets if one.onset.after is None]
        yield f"no report shows that it ever worked at {name_first(sorted(never), most=5)}"


def _began(one: SiteOnset) -> str:
    onset = one.onset
    if onset.after is None:
        return f"{one.site}: fails since {onset.by} or earlier"
    return f"{one.site}: worked at {onset.after}, failed at {onset.by}"


def _doubts(verdict: FleetVerdict, groups: Sequence[Group]) -> Iterator[str]:
    once = [one.site for one in _members(groups) if one.seen <= one.began.by]
    if once and verdict.kind in (_K.RULE_ROLLOUT, _K.COMMON_CHANGE):
        yield f"seen to fail once only: {name_first(sorted(set(once)), most=5)}"
    if verdict.kind is _K.SERVICE_DOWN and unrelated_owners(groups):
        yield "places of different owners began together: one network serves them, or one policy was pushed"
    if verdict.working and not all(_surely(one) for one in groups):
        yield "the others reached it soon before or after, not while it was seen to fail"
    if any(one.target.anycast for one in _members(groups)):
        yield "the address may be served from another place for each site (anycast)"
    if any(one.target.private for one in _members(groups)):
        yield "the addresses are private: under one name each site may have a server of its own"
    if groups[0].device and may_be_several(groups[0].device):
        yield "its address is a private one: at each site it may be another device"
    if verdict.unknown:
        yield f"can't say: {name_first(verdict.unknown, most=5)}"


def _surely(group: Group) -> bool:
    return any(group.place.surely_reached(one) for one in group.members)


def _members(groups: Sequence[Group]) -> Iterator[SiteResult]:
    return (one for group in groups for one in group.members)


def _of_single_sites(groups: Sequence[Group]) -> Iterator[str]:
    for one in _members(groups):
        if one.target.comes_and_goes:
            yield f"{one.site}: {one.target.failed} of its last {one.target.results} results failed"
        if one.target.works_from:
            yield f"{one.site}: it works from {name_first(one.target.works_from)} of the same site"
    first = groups[0].members[0]
    if first.target.evidence:
        yield f"{first.site}: {first.target.evidence[0]}"


def _unsteady(groups: Sequence[Group]) -> bool:
    return any(one.target.comes_and_goes for one in _members(groups))


def unrelated_owners(groups: Sequence[Group]) -> bool:
    """Whether the places belong to more than one owner, by their domains."""
    return len({_owner(one) for one in _members(groups)}) > 1


def _owner(one: SiteResult) -> str:
    domain = domain_of(one.target.host)
    ours = domain in OWN_DOMAINS - _OTHER_OWNERS and not one.target.owned
    return "microsoft.com" if ours else domain


def may_be_several(device: str) -> bool:
    """Whether the identity of a device can be that of another one at each site, as a private address is."""
    kind, _, known = device.partition(" ")
    address = host_of_end(known.rpartition("/")[2])
    return kind != "issuer" and parse_ip(address) is not None and not is_ordinary(address)


def advice(verdict: FleetVerdict, groups: Sequence[Group]) -> str:
    """Return what to ask, and of whom: as a question until it is sure."""
    if verdict.blame is None:
        return ""
    call, what = CALL[verdict.blame], name_first(verdict.targets, most=3)
    sites = name_first(verdict.sites, most=5)
    began = verdict.began
    since = f" at {began[0].by}" if began is not None else ""
    match verdict.kind:
        case _K.SERVICE_DOWN:
            return _of_far_end(verdict, what, since)
        case _K.RULE_ROLLOUT:
            return _of_rollout(verdict, call)
        case _K.COMMON_CHANGE:
            return f"Ask {call} what was changed for {sites}{since}. {_decides(verdict)}"
        case _K.SHARED_DEVICE:
            device = groups[0].device
            return f"Look first at what all these sites go by, {device}. {_decides(verdict)}"
        case _K.SITE_DIFFERS:
            others = name_first(verdict.working) or "other sites"
            return f"Ask {call} of {sites} what differs there: {others} can reach {what}. {_decides(verdict)}"
        case _K.COMMON_FAILURE:
            return (
                f"Look whether what all sites have from one template allows {what} at all, and at the "
                f"service's status page. {_decides(verdict)}"
            )
        case _:
            return (
                f"Other sites decide nothing here: probe {what} from {LEAST_SITES} or more in the same "
                f"minutes. {_decides(verdict)}"
            )


def _of_far_end(verdict: FleetVerdict, what: str, since: str) -> str:
    far_end = verdict.blame in FAR_END and verdict.blame is not None
    call = CALL[verdict.blame] if far_end and verdict.blame is not None else CALL[Blame.AZURE_SERVICE]
    said = (
        f"Report it to {call}: {what} fails for {len(verdict.sites)} sites since{since.removeprefix(' at')}."
    )
    others = [one for one in verdict.suspects if one.blame not in FAR_END]
    if not others:
        return f"{said} No site has anything to change."
    return (
        f"{said} No single site's firewall explains it. Else it was {blame_text(others[0].blame)} at all "
        f"sites: {others[0].decided_by}."
    )


def _of_rollout(verdict: FleetVerdict, call: str) -> str:
    times = "; ".join(f"{one.site} at {one.onset.by}" for one in verdict.onsets[:MOST_SITES])
    left = name_first(verdict.working, most=5)
    said = REASONS["site_change_correlated"].advise({"time": times, "peers": left or "the next site"})
    return f"{said} Ask {call}. {_decides(verdict)}"


def _decides(verdict: FleetVerdict) -> str:
    first = next((one for one in verdict.suspects if one.blame is verdict.blame), None)
    if first is None or verdict.blame_confidence in SURE:
        return f"Look at {first.decided_by}." if first is not None else ""
    return f"It is not proven that it was {blame_text(first.blame)}; what decides: {first.decided_by}."


def cut_off_lines(one: CutOff, verdict: FleetVerdict) -> tuple[str, ...]:
    """Return what shows that a site is cut off."""
    typical = f"{one.typical:.0%} of them" if one.typical else "none of them"
    return (
        f"{one.tally.failing} of its {one.tally.known} required places fail that others reach",
        f"at the median of {count(one.others, 'other site')} {typical} fail in that time",
        *(_began(onset) for onset in verdict.onsets),
        *(f"{one.site}: {line}" for line in one.targets[0].evidence[:1]),
    )


def cut_off_advice(one: CutOff) -> str:
    """Return what to do about a site that is cut off."""
    return (
        f"Check the way out of {one.site} as such: line, gateway, resolver, and what was changed there. Open "
        "no tickets for its single endpoints until it is back."
    )


def silence_lines(state: SiteState) -> tuple[str, ...]:
    """Return what shows that a site is silent."""
    usual = (
        f"it reported every {span(state.interval_seconds)}"
        if state.interval_seconds
        else "it has one report only, which says nothing about now"
    )
    return (f"last heard of at {state.silent_since}", usual)


def silence_advice(state: SiteState) -> str:
    """Return what to do about a site that is silent."""
    return (
        f"Find out whether {state.site} is up, whether egressd runs there, and whether its reports get here: "
        "nothing is known of its endpoints since."
    )

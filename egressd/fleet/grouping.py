"""Which sites fail at a place by one cause, and what kind it is: by when it began, and by who reaches it.

Asked in this order. Did most sites begin together, and does nobody reach it since? Did sites begin one after
another? Did some begin together while others reach it? What is left is compared with those who reach it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from egressd.fleet.blame import (
    accuses_far_end,
    common_suspects,
    may_be_rolled_out,
    only_devices_do,
)
from egressd.fleet.onsets import began_one_after_another, began_together, may_have_begun_in
from egressd.fleet.places import PlaceResults, SiteResult
from egressd.fleet.thresholds import CHANCE, LEAST_OTHERS, LEAST_ROLLOUT, LEAST_SITES, MOST
from egressd.fleet.values import FleetVerdictKind

_K = FleetVerdictKind
SAME_REASON = {
    "proxy_upstream_refused": "tcp_refused",
    "proxy_upstream_timeout": "tcp_ip_blocked_silent",
    "proxy_upstream_unreachable": "tcp_unreachable",
    "tcp_port_blocked": "tcp_ip_blocked_silent",
}
"""Codes of what a proxy reports, and of what controls add, by that of the same failure seen directly."""


class Group(Struct, frozen=True, kw_only=True):
    """Sites that fail at one place by one cause."""

    kind: FleetVerdictKind
    place: PlaceResults
    members: tuple[SiteResult, ...]
    working: tuple[str, ...] = ()
    """Sites that reach the place in the same time."""
    same_address: tuple[str, ...] = ()
    """Those of them that reach an address that a member fails at."""
    of: int = 0
    """How many sites were compared, the members included."""
    device: str = ""
    """The identity of a device that all members share."""

    @property
    def sites(self) -> tuple[str, ...]:
        """The failing sites, by name."""
        return tuple(one.site for one in self.members)


def groups_at(place: PlaceResults) -> Iterator[Group]:
    """Yield the groups of a place; each failing site is in one."""
    steady: list[SiteResult] = []
    unsteady: list[SiteResult] = []
    for one in place.failing:
        if one.target.comes_and_goes:
            unsteady.append(one)
        elif one.target.works_from:
            yield _group(place, (one,), _K.SITE_DIFFERS)
        else:
            steady.append(one)
    outage = _outage(place, steady)
    if outage is not None:
        yield outage
        gone = set(outage.sites)
        steady = [one for one in steady if one.site not in gone]
    for _, some in sorted(_by_reason(steady).items()):
        if outage is None:
            yield from _of_reason(place, some)
        else:  # by now it would fail at these too, whatever they did
            yield from _compared(place, some)
    if unsteady:
        yield from _unsteady(place, unsteady)


def _by_reason(some: Sequence[SiteResult]) -> dict[str, list[SiteResult]]:
    found: defaultdict[str, list[SiteResult]] = defaultdict(list)
    for one in some:
        code = one.target.reason or ""
        found[SAME_REASON.get(code, code)].append(one)
    return found


def _outage(place: PlaceResults, steady: Sequence[SiteResult]) -> Group | None:
    """Return the sites at which the far end is down: by several reasons in the same minutes, else by one.

    What a dead server looks like depends on the firewall before the site: one drops what another refuses.
    """
    every = _by_reason(steady)
    pooled = _most_together(place, steady) if len(every) > 1 else None
    if pooled is not None and pooled.kind is _K.SERVICE_DOWN:
        return pooled
    found = (_most_together(place, some) for _, some in sorted(every.items()))
    outages = [one for one in found if one is not None and one.kind is _K.SERVICE_DOWN]
    return max(outages, key=lambda one: len(one.members), default=None)


def _of_reason(place: PlaceResults, some: Sequence[SiteResult]) -> Iterator[Group]:
    left = list(some)
    for find in (_most_together, _one_after_another, _some_together):
        found = find(place, left)
        if found is not None:
            yield found
            gone = set(found.sites)
            left = [one for one in left if one.site not in gone]
    if left:
        yield from _compared(place, left)


def _most_together(place: PlaceResults, some: Sequence[SiteResult]) -> Group | None:
    """Return most of the sites, where they began in the same minutes."""
    members, first = _together(some)
    if len([one for one in members if one.began.is_precise]) < LEAST_SITES:
        return None
    since = place.since(first)
    asked = len(place.failing) + len(since)
    if len(members) < MOST * asked or len({one.site for one in members}) < LEAST_SITES:
        return None
    group = _group(place, members, _K.SERVICE_DOWN, working=since)
    if _at_one_service(group):
        return group
    if group.device:
        return replace(group, kind=_K.SHARED_DEVICE)
    return replace(group, kind=_K.COMMON_CHANGE)


def _at_one_service(group: Group) -> bool:
    """Whether what most sites fail together can be the far end's doing.

    Not where somebody reaches that address, where a device shows itself, where all go through one device, or
    where each site has a server of its own under the name.
    """
    targets = [one.target for one in group.members]
    common = common_suspects(targets)
    own_servers = {one.target.addresses for one in group.members if one.target.private}
    return (
        not group.same_address
        and not group.device
        and len(own_servers) < 2
        and common is not None
        and accuses_far_end(common)
        and not only_devices_do(targets)
    )


def _together(some: Sequence[SiteResult]) -> tuple[tuple[SiteResult, ...], float]:
    """Return the most that began together, with those that may have, and when the first of them did."""
    near = began_together([one.began for one in some])
    if not near:
        return (), 0.0
    times = [some[place].began.by for place in near]
    first, last = min(times), max(times)
    sure = set(near)
    members = tuple(
        one
        for place, one in enumerate(some)
        if place in sure or (not one.began.is_precise and may_have_begun_in(one.began, first, last))
    )
    return members, first


def _one_after_another(place: PlaceResults, some: Sequence[SiteResult]) -> Group | None:
    """Return sites that began one after another, more than do so by chance.

    What most of them began in the same minutes is one change, which the others followed.
    """
    able = [one for one in some if may_be_rolled_out(one.target)]
    members = tuple(able[one] for one in began_one_after_another([one.began for one in able]))
    compared = len(place.failing) + len(place.working)
    if len(members) < LEAST_ROLLOUT or len(members) <= 1 + CHANCE * compared:
        return None
    together = began_together([one.began for one in members])
    if len(members) > LEAST_ROLLOUT and len(together) >= MOST * len(members):
        return None
    return _group(place, members, _K.RULE_ROLLOUT)


def _some_together(place: PlaceResults, some: Sequence[SiteResult]) -> Group | None:
    """Return several sites that began in the same minutes while others reach the place."""
    near = began_together([one.began for one in some])
    members = tuple(some[one] for one in sorted(near))
    if len(members) < LEAST_ROLLOUT:
        return None
    group = _group(place, members, _K.COMMON_CHANGE)
    if group.device:
        return replace(group, kind=_K.SHARED_DEVICE)
    return group if group.working else None


def _compared(place: PlaceResults, some: Sequence[SiteResult]) -> Iterator[Group]:
    """Yield what is left, by whether others reach the place in the same time."""
    differ = [one for one in some if place.others(one) >= LEAST_OTHERS]
    rest = [one for one in some if place.others(one) < LEAST_OTHERS]
    if differ:
        yield _shared_or(place, differ, _K.SITE_DIFFERS)
    if rest:
        alone = place.working or len(place.failing) < LEAST_ROLLOUT or len(rest) < LEAST_ROLLOUT
        yield _shared_or(place, rest, _K.UNDECIDED if alone else _K.COMMON_FAILURE)


def _shared_or(place: PlaceResults, some: Sequence[SiteResult], kind: FleetVerdictKind) -> Group:
    """Return a group of a kind, or that of a device which all of several sites share."""
    group = _group(place, some, kind)
    return replace(group, kind=_K.SHARED_DEVICE) if group.device and len(some) >= LEAST_ROLLOUT else group


def _unsteady(place: PlaceResults, some: Sequence[SiteResult]) -> Iterator[Group]:
    """Yield the sites where it comes and goes: at most of them it is one cause, else each site's own."""
    changing = [one for one in (*place.failing, *place.working) if one.target.comes_and_goes]
    known = len(place.failing) + len(place.working)
    if len(changing) >= LEAST_SITES and len(changing) >= MOST * known:
        yield _group(place, some, _K.COMMON_FAILURE)
        return
    for one in some:
        kind = _K.SITE_DIFFERS if place.others(one) >= LEAST_OTHERS else _K.UNDECIDED
        yield _group(place, (one,), kind)


def _group(
    place: PlaceResults,
    members: Sequence[SiteResult],
    kind: FleetVerdictKind,
    *,
    working: tuple[str, ...] | None = None,
) -> Group:
    return Group(
        kind=kind,
        place=place,
        members=tuple(members),
        working=place.reached(members) if working is None else working,
        same_address=_same_address(place, members, working),
        of=len(place.failing) + len(place.working),
        device=_common_device(members),
    )


def _same_address(
    place: PlaceResults, members: Sequence[SiteResult], working: tuple[str, ...] | None
) -> tuple[str, ...]:
    found = place.reached_same_address(members)
    return found if working is None else tuple(sorted(set(found) & set(working)))


def _common_device(members: Sequence[SiteResult]) -> str:
    """Return a device that all of several sites share; empty: there is none."""
    if len(members) < LEAST_ROLLOUT:
        return ""
    shared = set(members[0].target.devices).intersection(*(one.target.devices for one in members[1:]))
    return min(shared, default="")

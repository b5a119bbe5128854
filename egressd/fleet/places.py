"""What every site says of one place: who fails there, who reaches it, and who can't say.

Results speak of the same time where they are at most `SAME_TIME` apart. A site that reached the place while
another failed there is a control; one that has not looked since is none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from egressd.fleet.onsets import Began, began_at, seconds
from egressd.fleet.thresholds import ROLLOUT, SAME_TIME, TOGETHER
from egressd.fleet.values import FleetRow, SiteState, SiteTarget
from egressd.model.endpoint import NEEDS_BY_STRENGTH, Protocol

Place = tuple[str, int, Protocol]


class SiteResult(Struct, frozen=True, kw_only=True):
    """The result of one site at a place, with its times in seconds."""

    site: str
    target: SiteTarget
    seen: float
    began: Began

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses to compare with those of other sites: private ones are the site's own."""
        return () if self.target.private else self.target.addresses


class Controls(Struct, frozen=True, kw_only=True):
    """The sites that reach a place, by when they did and at which address; the earliest first."""

    times: tuple[float, ...]
    sites: tuple[str, ...]
    """The site of each time."""

    @classmethod
    def build(cls, reached: Iterable[tuple[float, str]]) -> Controls:
        """Return the controls of times and sites."""
        order = sorted(reached)
        return cls(times=tuple(seen for seen, _ in order), sites=tuple(site for _, site in order))

    def between(self, first: float, last: float) -> tuple[str, ...]:
        """Return the sites that reached it between two times, by name."""
        begin, end = bisect_left(self.times, first), bisect_right(self.times, last)
        return tuple(sorted(self.sites[begin:end]))

    def count(self, first: float, last: float) -> int:
        """Return how many did."""
        return bisect_right(self.times, last) - bisect_left(self.times, first)

    def surely_while(self, one: SiteResult) -> bool:
        """Whether another site reached it after it began to fail at one, and not long after it was seen to.

        Where that was seen once only: another site reached it soon before that, and one soon after.
        """
        first, last = one.began.by, one.seen
        if first < last and self.count(first, last + TOGETHER):
            return True
        return bool(self.count(last - SAME_TIME, last) and self.count(last, last + SAME_TIME))


class PlaceResults(Struct, frozen=True, kw_only=True):
    """The results of every site at one place."""

    place: Place
    failing: tuple[SiteResult, ...]
    """Those that take part, by site."""
    working: tuple[SiteResult, ...]
    unsure: tuple[str, ...]
    """Sites that have the place and can't say: no result, an old one, or one that decides nothing."""
    controls: Controls
    by_address: Mapping[str, Controls]
    """The controls by the address that was reached."""

    def reached(self, some: Sequence[SiteResult]) -> tuple[str, ...]:
        """Return the sites that reached the place while some others failed there, or soon before or after."""
        return self.controls.between(*_time_of(some))

    def others(self, one: SiteResult) -> int:
        """Return how many they are for one that fails."""
        return self.controls.count(*_time_of((one,)))

    def reached_same_address(self, some: Sequence[SiteResult]) -> tuple[str, ...]:
        """Return those of them that reached an address that the others failed at."""
        times, addresses = _time_of(some), {address for one in some for address in one.addresses}
        known = (self.by_address[one] for one in sorted(addresses) if one in self.by_address)
        return tuple(sorted({site for one in known for site in one.between(*times)}))

    def surely_reached(self, one: SiteResult) -> bool:
        """Whether another site surely reached it while one failed, if known at the same address."""
        same = [self.by_address[address] for address in one.addresses if address in self.by_address]
        return any(controls.surely_while(one) for controls in same or (self.controls,))

    def since(self, moment: float) -> tuple[str, ...]:
        """Return the sites that reached it at a time or later."""
        return self.controls.between(moment, float("inf"))


def _time_of(some: Sequence[SiteResult]) -> tuple[float, float]:
    """Return the times that results of other sites must lie between to be of the same time."""
    return min(one.began.by for one in some) - SAME_TIME, max(one.seen for one in some) + SAME_TIME


def _by_address(working: Iterable[SiteResult]) -> Mapping[str, Controls]:
    found: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for one in working:
        for address in one.addresses:
            found[address].append((one.seen, one.site))
    return {address: Controls.build(some) for address, some in found.items()}


def fleet_rows(sites: Iterable[SiteState]) -> tuple[FleetRow, ...]:
    """Return every place with the worst result of each site, in order."""
    cells: defaultdict[Place, dict[str, SiteTarget]] = defaultdict(dict)
    endpoints: defaultdict[Place, set[str]] = defaultdict(set)
    for state in sorted(sites, key=lambda one: one.site):
        for target in state.targets:
            endpoints[target.place].add(target.endpoint)
            known = cells[target.place].get(state.site)
            if known is None or _worse(target) > _worse(known):
                cells[target.place][state.site] = target
    return tuple(
        FleetRow(
            host=place[0],
            port=place[1],
            protocol=place[2],
            endpoints=tuple(sorted(endpoints[place])),
            need=min((one.need for one in cells[place].values()), key=NEEDS_BY_STRENGTH.index),
            cells=cells[place],
        )
        for place in sorted(cells)
    )


def _worse(one: SiteTarget) -> tuple[bool, int, int, str]:
    """Return how telling a result is among those of one site at one place."""
    need = len(NEEDS_BY_STRENGTH) - NEEDS_BY_STRENGTH.index(one.need)
    return one.decides, one.outcome.severity, need, one.target


def place_results(
    rows: Iterable[FleetRow], sites: Iterable[SiteState], at: float, *, apart: frozenset[str]
) -> Iterator[PlaceResults]:
    """Yield the results at each place that somebody fails; sites `apart` fail by a cause of their own."""
    silent = {one.site for one in sites if one.silent_since is not None}
    for row in rows:
        if not any(cell.fails for cell in row.cells.values()):
            continue
        results, unsure = [], []
        for site, target in row.cells.items():
            one = _result(site, target)
            if site in apart and target.fails:
                continue
            if target.decides and site not in silent and at - one.seen <= ROLLOUT:
                results.append(one)
            else:
                unsure.append(site)
        working = tuple(one for one in results if not one.target.fails)
        yield PlaceResults(
            place=(row.host, row.port, row.protocol),
            failing=tuple(one for one in results if one.target.fails),
            working=working,
            unsure=tuple(sorted(unsure)),
            controls=Controls.build((one.seen, one.site) for one in working if not one.target.private),
            by_address=_by_address(working),
        )


def _result(site: str, target: SiteTarget) -> SiteResult:
    seen = seconds(target.seen)
    began = began_at(target.onset) if target.onset is not None else Began(after=None, by=seen)
    return SiteResult(site=site, target=target, seen=seen, began=began)

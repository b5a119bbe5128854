"""What concerns a site as a whole: it is cut off, or it no longer reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from egressd.fleet.onsets import seconds
from egressd.fleet.thresholds import (
    CUT_OFF,
    LEAST_CUT_OFF,
    ROLLOUT,
    SAME_TIME,
    SILENT_INTERVALS,
    TYPICAL,
)
from egressd.fleet.values import FleetRow, SiteState, SiteTarget
from egressd.model.endpoint import Need
from egressd.wording import span


class Tally(Struct, frozen=True, kw_only=True):
    """How many of a site's required places fail, of those whose result can be compared."""

    failing: int
    known: int

    @property
    def share(self) -> float:
        """The share that fails; 0 where nothing is known."""
        return self.failing / self.known if self.known else 0.0


class CutOff(Struct, frozen=True, kw_only=True):
    """A site most of whose required places fail while the others are well."""

    site: str
    tally: Tally
    others: int
    """How many other sites it is compared with."""
    typical: float
    """The share that fails at the median of them."""
    targets: tuple[SiteTarget, ...]
    """What fails there, its required and other targets."""


def with_silence(sites: Iterable[SiteState], at: float) -> tuple[SiteState, ...]:
    """Return the sites by name, each with since when it is silent by its own interval."""
    return tuple(_silent(one, at) for one in sorted(sites, key=lambda one: one.site))


def _silent(state: SiteState, at: float) -> SiteState:
    if state.silent_since is not None or state.seen is None:
        return state
    age = at - seconds(state.seen)
    if state.interval_seconds is None:
        if age <= SAME_TIME:
            return state
        note = f"its one report is {span(age)} older than the newest of the fleet"
        late = state.seen if age > ROLLOUT else None
        return replace(state, silent_since=late, notes=(*state.notes, note))
    patience = max(SAME_TIME, SILENT_INTERVALS * state.interval_seconds)
    return replace(state, silent_since=state.seen) if age > patience else state


def cut_off_sites(rows: Sequence[FleetRow], sites: Sequence[SiteState], at: float) -> tuple[CutOff, ...]:
    """Return the sites that are cut off as a whole, by name."""
    reporting = {one.site for one in sites if one.silent_since is None}
    tallies = _tallies(rows, reporting, at)
    shares = sorted(one.share for one in tallies.values())
    found = []
    for state in sites:
        tally = tallies.get(state.site)
        if tally is None or tally.failing < LEAST_CUT_OFF or tally.share < CUT_OFF or len(shares) < 2:
            continue
        others = list(shares)
        others.remove(tally.share)
        typical = median(others)
        if typical < TYPICAL:
            failing = tuple(one for one in state.targets if one.fails and one.decides)
            found.append(
                CutOff(site=state.site, tally=tally, others=len(others), typical=typical, targets=failing)
            )
    return tuple(found)


def _tallies(rows: Iterable[FleetRow], reporting: set[str], at: float) -> Mapping[str, Tally]:
    counts: dict[str, list[int]] = {}
    for row in rows:
        reached = any(cell.outcome.reachable for cell in row.cells.values())
        for site, cell in row.cells.items():
            if site in reporting and _counts(cell, at):
                count = counts.setdefault(site, [0, 0])
                count[0] += cell.fails and reached  # what nobody reaches says nothing about a site
                count[1] += 1
    return {site: Tally(failing=failing, known=known) for site, (failing, known) in counts.items()}


def _counts(cell: SiteTarget, at: float) -> bool:
    return cell.need is Need.REQUIRED and cell.decides and at - seconds(cell.seen) <= ROLLOUT

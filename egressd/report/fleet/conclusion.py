"""A fleet in short: what fails, who is silent, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.errors import ExitCode
from egressd.fleet.values import FleetReport, SiteTarget
from egressd.model.endpoint import Need
from egressd.model.verdict import Outcome
from egressd.wording import count


def fleet_exit_code(report: FleetReport) -> ExitCode:
    """Return the exit code. Only required places decide, and sites of which nothing is known."""
    deciding = tuple(_deciding(report))
    if any(one.fails for _, one in deciding):
        return ExitCode.FAILED
    silent = any(one.silent_since is not None or not one.targets for one in report.sites)
    if silent or not deciding or any(one.outcome is Outcome.UNKNOWN for _, one in deciding):
        return ExitCode.UNKNOWN
    return ExitCode.OK


def conclude_fleet(report: FleetReport) -> str:
    """State the exit code and its reason in one sentence."""
    code, deciding = fleet_exit_code(report), tuple(_deciding(report))
    failing = [(site, one.place) for site, one in deciding if one.fails]
    unsure = {one.place for _, one in deciding if one.outcome is Outcome.UNKNOWN}
    required = {one.place for _, one in deciding}
    silent = [one.site for one in report.sites if one.silent_since is not None]
    sites = count(len(report.sites), "site")
    match code:
        case ExitCode.FAILED:
            places = count(len({place for _, place in failing}), "required place")
            text = f"FAIL: {places} blocked or down, at {len({site for site, _ in failing})} of {sites}"
        case ExitCode.OK:
            text = f"PASS: {count(len(required), 'required place')}, all reachable at {sites}"
        case _:
            text = "UNSURE: no failure proved" if deciding else "UNSURE: no required place was probed"
    parts = [text]
    parts += [f"{count(len(unsure), 'required place')} unknown somewhere"] if unsure else []
    parts += [f"{count(len(silent), 'site')} silent"] if silent else []
    return f"{', '.join(parts)} (exit code {code.value})"


def fleet_counts(report: FleetReport) -> str:
    """Count sites and places: what fails everywhere, what at some sites, what is only unsure somewhere."""
    failing = [[one.fails for one in row.cells.values()] for row in report.rows]
    everywhere = sum(all(some) for some in failing)
    somewhere = sum(any(some) and not all(some) for some in failing)
    silent = sum(one.silent_since is not None for one in report.sites)
    parts = [count(len(report.sites), "site") + (f" ({silent} silent)" if silent else "")]
    parts += [count(len(report.rows), "place")]
    parts += [f"{everywhere} failing at every site that has it"] if everywhere else []
    parts += [f"{somewhere} failing at some sites"] if somewhere else []
    return ", ".join(parts if everywhere or somewhere else [*parts, "none failing"])


def _deciding(report: FleetReport) -> Iterator[tuple[str, SiteTarget]]:
    """Yield the required results with their sites; one whose alternative works decides nothing."""
    for row in report.rows:
        for site, one in row.cells.items():
            if one.need is Need.REQUIRED and not one.not_needed:
                yield site, one

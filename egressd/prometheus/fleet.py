"""A fleet as a Prometheus saw it at one time."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from datetime import datetime

from egressd.fleet.thresholds import SAME_TIME, SILENT_INTERVALS
from egressd.fleet.values import Fleet, SiteState, SiteTarget
from egressd.net.scrub import scrub
from egressd.prometheus.client import PrometheusClient
from egressd.prometheus.hosts import LONGEST_NAME, HostIndex, HostState, Samples, moment
from egressd.prometheus.queries import QUERIES
from egressd.prometheus.targets import TargetReader
from egressd.wording import name_first, span, stamp

ORIGIN = "prometheus"


async def ask_fleet(client: PrometheusClient, *, at: datetime, catalog_hosts: Container[str]) -> Fleet:
    """Return the sites that a Prometheus knew at a time.

    `catalog_hosts` has the hosts that are not the operator's own.

    Raises:
        PrometheusError: it can't be asked.
    """
    found = {name: await client.query(expression, at=at) for name, expression in QUERIES.items()}
    return fleet_of(found, at=at, catalog_hosts=catalog_hosts)


def fleet_of(found: Samples, *, at: datetime, catalog_hosts: Container[str]) -> Fleet:
    """Return the fleet that the answers of `QUERIES` describe."""
    index = HostIndex(found)
    targets = TargetReader(found, index, catalog_hosts).by_site()
    by_site: dict[str, list[HostState]] = {}
    for one in index.hosts.values():
        by_site.setdefault(one.key[0], []).append(one)
    shared = tuple(sorted(index.shared_names()))
    sites = (
        _site(site, hosts, targets.get(site, ()), index=index, at=at.timestamp(), shared=shared)
        for site, hosts in sorted(by_site.items())
    )
    return Fleet(at=stamp(at), sites=tuple(sites))


def _site(
    site: str,
    hosts: Sequence[HostState],
    targets: tuple[SiteTarget, ...],
    *,
    index: HostIndex,
    at: float,
    shared: Sequence[str],
) -> SiteState:
    intervals = [one.interval for one in hosts if one.interval is not None]
    offsets = [one.offset for one in hosts if one.key in index.measured]
    last = max(one.seen for one in hosts)
    awaited = [one for one in hosts if one.reports and not _is_stale(one, at)]
    return SiteState(
        site=site,
        hosts=tuple(scrub(one.key[2], LONGEST_NAME) for one in hosts),
        seen=moment(last),
        origin=ORIGIN,
        targets=targets,
        silent_since=None if awaited else moment(last),
        interval_seconds=max(intervals, default=None),
        clock_offset_seconds=max(offsets, key=abs, default=None),
        notes=tuple(_notes(hosts, targets, at=at, shared=shared)),
    )


def _is_stale(host: HostState, at: float) -> bool:
    """Whether a scraped host has made no sweep for long; one without an interval makes them by hand."""
    if host.interval is None or host.swept is None:
        return False
    return at - host.swept > max(SAME_TIME, SILENT_INTERVALS * host.interval)


def _notes(
    hosts: Sequence[HostState], targets: Sequence[SiteTarget], *, at: float, shared: Sequence[str]
) -> Iterator[str]:
    for one in hosts:
        name = scrub(one.key[2], LONGEST_NAME)
        if not one.reports:
            yield f"{name} has had no sample for {span(at - one.newest)}"
        elif _is_stale(one, at):
            yield f"{name} is scraped, and its last sweep was completed {span(at - (one.swept or at))} ago"
    if not targets and any(one.reports for one in hosts):
        yield "it reports, and no series of its targets can be told to be its own"
    mixed = [one.key[2] for one in hosts if one.key[2] in shared]
    if mixed:
        named = scrub(name_first(mixed), LONGEST_NAME)
        yield f"other sites have the instance {named}, too: make it unique, or give every series a site"

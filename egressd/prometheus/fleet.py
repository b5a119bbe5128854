"""A fleet as a Prometheus saw it at one time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from egressd.fleet.thresholds import SILENT_INTERVALS
from egressd.fleet.values import Fleet, SiteState, SiteTarget
from egressd.net.scrub import scrub
from egressd.planning.pattern import CatalogHosts
from egressd.prometheus.answer import QuerySample
from egressd.prometheus.client import PrometheusClient
from egressd.prometheus.hosts import LONGEST_NAME, HostIndex, HostState, Samples, moment
from egressd.prometheus.queries import QUERIES, last_worked_queries
from egressd.prometheus.targets import TargetReader, failing_since_unknown
from egressd.wording import name_first, span, stamp

ORIGIN = "prometheus"
MARGIN = 60.0
"""Seconds that a sweep and a scrape may be late, as in the recording rules."""
BY_HAND = 3600.0
"""Seconds that the results of a host may be old that does not say how often it sweeps, as there."""
HELD = 90.0
"""Seconds without a sample after which a site is silent: `for` of EgressSiteSilent."""


async def ask_fleet(
    client: PrometheusClient, *, at: datetime, catalog_hosts: CatalogHosts | Collection[str]
) -> Fleet:
    """Return the sites that a Prometheus knew at a time.

    `catalog_hosts` has the hosts that are not the operator's own.

    Raises:
        PrometheusError: it can't be asked.
    """
    found: dict[str, Sequence[QuerySample]] = {
        name: await client.query(expression, at=at) for name, expression in QUERIES.items()
    }
    unsure = failing_since_unknown(found)
    found["worked"] = [one for text in last_worked_queries(unsure) for one in await client.query(text, at=at)]
    return fleet_of(found, at=at, catalog_hosts=catalog_hosts)


def fleet_of(found: Samples, *, at: datetime, catalog_hosts: CatalogHosts | Collection[str]) -> Fleet:
    """Return the fleet of the answers of `QUERIES`, and of `worked`: when failing targets last did."""
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
    reports = any(one.reports and not _is_stale(one, at) for one in hosts)
    return SiteState(
        site=site,
        hosts=tuple(scrub(one.key[2], LONGEST_NAME) for one in hosts),
        seen=moment(last),
        origin=ORIGIN,
        targets=targets,
        silent_since=None if reports or at - last <= HELD else moment(last),
        interval_seconds=max(intervals, default=None),
        clock_offset_seconds=max(offsets, key=abs, default=None),
        notes=tuple(_notes(hosts, targets, at=at, shared=shared)),
    )


def _is_stale(host: HostState, at: float) -> bool:
    """Whether a scraped host has made no sweep for long: a file that nobody writes, a daemon that hangs."""
    if host.swept is None:
        return False
    patience = SILENT_INTERVALS * host.interval + MARGIN if host.interval is not None else BY_HAND
    return at - host.swept > patience


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

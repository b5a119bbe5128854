"""Which site a series is of, and what is known of the host that it is from.

Series have no site of their own unless the scrape configuration gives one: `egressd_site_info` has it, and is
matched by job and instance, as the recording rules do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from egressd.model.observation import Timestamp
from egressd.net.scrub import scrub
from egressd.prometheus.answer import QuerySample, Series
from egressd.wording import stamp

LONGEST_SITE = 100
LONGEST_NAME = 300
Samples = Mapping[str, Sequence[QuerySample]]
"""The answers by the names of their queries."""
HostKey = tuple[str, str, str]
"""Site, job and instance."""


class HostState(Struct, frozen=True, kw_only=True):
    """A host that was heard of within a day; times are Unix seconds."""

    key: HostKey
    newest: float
    """Its newest sample, by the clock of Prometheus."""
    reports: bool
    swept: float | None
    """When its last sweep was judged, by the common clock."""
    interval: float | None
    offset: float

    @property
    def seen(self) -> float:
        """When its results were had."""
        return self.newest if self.swept is None else min(self.swept, self.newest)


class HostIndex:
    """The hosts of a fleet, and which of them a series is of."""

    def __init__(self, found: Samples) -> None:
        self._sites: dict[tuple[str, str], set[str]] = {}
        fresh, last = found["fresh"], found["last"]
        for one in (*fresh, *last):
            if one.metric.site:
                self._sites.setdefault((one.metric.job, one.metric.instance), set()).add(one.metric.site)
        newest = self._numbers(last) | self._numbers(fresh)
        reporting = set(self._numbers(fresh))
        swept, interval = self._numbers(found["swept"]), self._numbers(found["interval"])
        offset = self._numbers(found["offset"])
        self.hosts = {
            key: HostState(
                key=key,
                newest=newest[key],
                reports=key in reporting,
                swept=swept[key] + offset.get(key, 0.0) if key in swept else None,
                interval=interval.get(key),
                offset=offset.get(key, 0.0),
            )
            for key in sorted(newest)
        }
        self.measured = frozenset(offset)
        """The hosts whose clock was compared with others."""

    def key_of(self, series: Series) -> HostKey | None:
        """Return the host that a series is of; None: of no site, or of one of several with the same name."""
        sites = self._sites.get((series.job, series.instance), ())
        if series.site in sites:
            site = series.site
        elif len(sites) == 1:
            (site,) = sites
        else:
            return None
        return scrub(site, LONGEST_SITE), series.job, series.instance

    def shared_names(self) -> Iterator[str]:
        """Yield the instances that several sites have, whose series can't be told apart."""
        yield from (instance for (_, instance), sites in self._sites.items() if len(sites) > 1)

    def _numbers(self, samples: Iterable[QuerySample]) -> dict[HostKey, float]:
        """Return the value of each host; what is no number is left out."""
        keyed = ((self.key_of(one.metric), one.number) for one in samples)
        return {key: number for key, number in keyed if key is not None and math.isfinite(number)}


def moment(seconds: float) -> Timestamp | None:
    """Return Unix seconds as a time; None where they are none."""
    try:
        return stamp(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return None

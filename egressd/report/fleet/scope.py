"""Which part of a fleet is shown: sites by their names, and places by how much they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from egressd.fleet.values import FleetReport, FleetRow, FleetVerdict
from egressd.model.endpoint import Need


class FleetScope(Struct, frozen=True, kw_only=True):
    """What is shown; all sites are judged, whatever is: they are each other's controls."""

    sites: tuple[str, ...] = ()
    """Patterns of names, with `*`; empty: every site."""
    needs: tuple[Need, ...] = ()
    """Empty: any."""

    def shows(self, site: str) -> bool:
        """Whether a site is shown; upper and lower case are the same."""
        return not self.sites or any(fnmatchcase(site.lower(), one.lower()) for one in self.sites)

    def part_of(self, report: FleetReport) -> FleetReport:
        """Return what is shown of a fleet; a verdict keeps all the sites that it is about."""
        return replace(
            report,
            sites=tuple(one for one in report.sites if self.shows(one.site)),
            rows=tuple(self._rows(report)),
            verdicts=tuple(one for one in report.verdicts if self._wants(one)),
        )

    def _rows(self, report: FleetReport) -> Iterator[FleetRow]:
        for row in report.rows:
            cells = {
                site: one
                for site, one in row.cells.items()
                if self.shows(site) and (not self.needs or one.need in self.needs)
            }
            if cells:
                yield replace(row, cells=cells)

    def _wants(self, verdict: FleetVerdict) -> bool:
        needed = not self.needs or verdict.need is None or verdict.need in self.needs
        return needed and any(map(self.shows, verdict.sites))

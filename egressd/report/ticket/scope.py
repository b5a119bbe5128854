"""Which part of a report a ticket shows: what one team can mend, or everything; failing targets, or all."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from egressd.model.verdict import Team

TEAM_NAMES: Mapping[Team, str] = {
    Team.FIREWALL: "the firewall and network team",
    Team.PROXY: "the proxy or web gateway team",
    Team.DNS: "the DNS team",
    Team.INSPECTION: "the TLS inspection team",
    Team.AZURE: "the service's support",
    Team.LOCAL: "the administrators of this host and its servers",
}


class TicketScope(Struct, frozen=True, kw_only=True):
    """What a ticket shows."""

    team: Team | None = None
    """Whose findings and rules; None: everybody's."""
    every_target: bool = False
    """Whether targets that are ok are listed as well."""


WHOLE = TicketScope()
"""Everybody's findings, and the targets that are not ok."""

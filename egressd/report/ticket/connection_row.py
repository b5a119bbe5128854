"""A connection as a row of a table, with what a firewall's log has of it."""

from __future__ import annotations

from msgspec import Struct

from egressd.model.plan import Target
from egressd.model.verdict import Outcome
from egressd.report.ticket.connection import Connection
from egressd.wording import host_port


class ConnectionRow(Struct, frozen=True, kw_only=True):
    """One connection of a finding; targets that share it are one row."""

    place: str
    """`host:port`."""
    source: str
    path: str
    outcome: Outcome
    connection: Connection

    @property
    def local(self) -> str:
        """The local end: `address:port`."""
        return _join(self.connection.local_address, self.connection.local_port)

    @property
    def remote(self) -> str:
        """The remote end: `address:port`, or the resolver that was queried."""
        return _join(self.connection.remote_address, self.connection.remote_port)

    @property
    def size(self) -> str:
        """Bytes of the TLS handshake, sent and received."""
        one = self.connection
        return "" if one.bytes_sent is None else f"{one.bytes_sent} / {one.bytes_received or 0}"


def shown_place(target: Target) -> str:
    """Return `host:port` of a target, with a `*` for a random label."""
    return target.id.partition("/")[2] or host_port(target.host, target.port)


def _join(address: str, port: int | None) -> str:
    if port is None:
        return address
    return host_port(address, port)

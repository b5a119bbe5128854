"""How a genuine TLS session ended after the request: lost on the way, or as those of other owners."""

from __future__ import annotations

from collections.abc import Mapping

from egressd.attribution.facts.sweep_index import SweepIndex, is_cut
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import Failure

LEAST_NAMES, LEAST_OWNERS = 3, 2
"""How many names, of how many owners, must end alike before the way is thought of first."""

USUAL_AFTER_HANDSHAKE = 8 * 1024
"""Bytes that servers send after a handshake on their own: session tickets, settings."""


def request_lost(context: TrailContext) -> bool:
    """Whether nothing came back and the request was never acknowledged as a whole.

    A RST says nothing about that: a server that resets need not acknowledge what it read. Nor does a peer
    that goes on sending and reads no more.
    """
    http = context.http
    if http is None or http.failure is not Failure.TIMEOUT or http.status is not None or http.info is None:
        return False
    handshake = context.tls.info if context.tls is not None else None
    before = handshake.bytes_received if handshake is not None else 0
    if http.info.bytes_received - before > USUAL_AFTER_HANDSHAKE:
        return False
    written = http.info.bytes_written
    return written is not None and http.info.bytes_acked <= written


def owners_fail_alike(context: TrailContext) -> bool:
    """Whether genuine sessions with services of several owners end like this one, each at its own address.

    An owner is told by the zone of the name: everything after its first label.
    """
    http = context.http
    if http is None or http.failure is None or not is_cut(http) or not context.public_tls:
        return False
    key = (context.source, context.trail.path, http.failure)
    names, addresses = context.index.once(_owners_cut).get(key, (frozenset(), 0))
    return context.probe.host.lower() in names and (addresses >= LEAST_OWNERS or context.proxied)


def _owners_cut(index: SweepIndex) -> Mapping[tuple[str, str, Failure], tuple[frozenset[str], int]]:
    """Return, by source, path and failure, names of several owners that end alike, with their addresses."""
    found: dict[tuple[str, str, Failure], tuple[frozenset[str], int]] = {}
    for key, alike in index.sessions_cut.items():
        names = frozenset(host for host, _ in alike)
        owners = {host.partition(".")[2] for host in names}
        if len(names) >= LEAST_NAMES and len(owners) >= LEAST_OWNERS:
            found[key] = names, len({address for _, address in alike})
    return found

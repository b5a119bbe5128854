"""At which hop a failure begins, as far as rising hop limits (TTL) showed it."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import Failure, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind

CUT = frozenset({Failure.RESET, Failure.CLOSED})


def _dials(context: TrailContext) -> Iterator[tuple[int, TcpObservation]]:
    """Yield the bare dials with a hop limit that were made for a trail."""
    for control in context.controls(ControlKind.HOPS):
        for trail, one in observations(control.trails, TcpObservation):
            if one.ttl is not None and len(trail.observations) == 1:
                yield one.ttl, one


def _refused_at(context: TrailContext) -> int | None:
    """Return the least hop limit at which the trail's own address and port refuse."""
    own = (
        (ttl, one) for ttl, one in _dials(context) if (one.remote_address, one.remote_port) == context.dialled
    )
    return min((ttl for ttl, one in own if one.failure is Failure.REFUSED), default=None)


def _far_end(context: TrailContext) -> int | None:
    """Return the least hop limit at which the far end accepts a connection, on any port."""
    return min((ttl for ttl, one in _dials(context) if one.failure is None), default=None)


def _cut_at(context: TrailContext) -> int | None:
    """Return the least hop limit at which the ClientHello is answered by a RST or a FIN."""
    found: list[int] = []
    for control in context.controls(ControlKind.HOPS):
        for trail, tls in observations(control.trails, TlsObservation):
            dialled = trail.observations[0]
            if tls.failure in CUT and isinstance(dialled, TcpObservation) and dialled.ttl is not None:
                found.append(dialled.ttl)
    return min(found, default=None)


def failure_hop(context: TrailContext) -> int | None:
    """Return the hop limit at which the failure begins, where that is nearer than the far end."""
    begins, far = _refused_at(context) or _cut_at(context), _far_end(context)
    return begins if begins is not None and far is not None and begins < far else None


def router_before(context: TrailContext, ttl: int) -> str:
    """Return the last router before a hop limit, as it reported itself; empty where none did."""
    routers = {hop: one.icmp.offender for hop, one in _dials(context) if one.icmp is not None}
    return next((routers[hop] for hop in sorted(routers, reverse=True) if hop < ttl), "")

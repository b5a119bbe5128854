"""At which hop a failure begins, as far as rising hop limits showed it."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import Failure, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind

CUT = frozenset({Failure.RESET, Failure.CLOSED})


def hop_dials(context: TrailContext) -> Iterator[TcpObservation]:
    """Yield the dials with a hop limit of their own that were made for a case."""
    for control in context.controls(ControlKind.HOPS):
        for trail, one in observations(control.trails, TcpObservation):
            if one.ttl is not None and len(trail.observations) == 1:
                yield one


def refused_at(context: TrailContext) -> int | None:
    """Return the least hop limit at which the case's own address and port refuse."""
    own = (one for one in hop_dials(context) if (one.remote_address, one.remote_port) == context.dialled)
    return min((one.ttl or 0 for one in own if one.failure is Failure.REFUSED), default=None)


def far_end_hop(context: TrailContext) -> int | None:
    """Return the least hop limit at which the far end accepts a connection, on any port."""
    return min((one.ttl or 0 for one in hop_dials(context) if one.failure is None), default=None)


def cut_at(context: TrailContext) -> int | None:
    """Return the least hop limit at which the hello is answered by a reset or a hang-up."""
    found: list[int] = []
    for control in context.controls(ControlKind.HOPS):
        for trail, tls in observations(control.trails, TlsObservation):
            dialled = trail.observations[0]
            if tls.failure in CUT and isinstance(dialled, TcpObservation) and dialled.ttl is not None:
                found.append(dialled.ttl)
    return min(found, default=None)


def failure_hop(context: TrailContext) -> int | None:
    """Return the hop limit at which the failure begins, where that is nearer than the far end."""
    begins, far = refused_at(context) or cut_at(context), far_end_hop(context)
    return begins if begins is not None and far is not None and begins < far else None


def router_before(context: TrailContext, ttl: int) -> str:
    """Return the last router before a hop limit, as it reported itself; empty where none did."""
    routers = {one.ttl or 0: one.icmp.offender for one in hop_dials(context) if one.icmp is not None}
    return next(
        (routers[hop] for hop in sorted(routers, reverse=True) if hop < ttl),
        "",
    )

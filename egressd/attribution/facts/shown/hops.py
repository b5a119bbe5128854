"""At which hop a failure begins, as far as rising hop limits showed it."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.facts.case import Case
from egressd.attribution.facts.tally import observations
from egressd.model.observation import Failure, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind

CUT = frozenset({Failure.RESET, Failure.CLOSED})


def knocked(case: Case) -> Iterator[TcpObservation]:
    """Yield the dials with a hop limit of their own that were made for a case."""
    for control in case.controls(ControlKind.HOPS):
        for trail, one in observations(control.trails, TcpObservation):
            if one.ttl is not None and len(trail.observations) == 1:
                yield one


def refused_at(case: Case) -> int | None:
    """Return the least hop limit at which the case's own address and port refuse."""
    own = (one for one in knocked(case) if (one.remote_address, one.remote_port) == case.dialled)
    return min((one.ttl or 0 for one in own if one.failure is Failure.REFUSED), default=None)


def distance(case: Case) -> int | None:
    """Return the least hop limit at which the far end accepts a connection, on any port."""
    return min((one.ttl or 0 for one in knocked(case) if one.failure is None), default=None)


def cut_at(case: Case) -> int | None:
    """Return the least hop limit at which the hello is answered by a reset or a hang-up."""
    found: list[int] = []
    for control in case.controls(ControlKind.HOPS):
        for trail, tls in observations(control.trails, TlsObservation):
            dialled = trail.observations[0]
            if tls.failure in CUT and isinstance(dialled, TcpObservation) and dialled.ttl is not None:
                found.append(dialled.ttl)
    return min(found, default=None)


def begins_at(case: Case) -> int | None:
    """Return the hop limit at which the failure begins, where that is nearer than the far end."""
    begins, far = refused_at(case) or cut_at(case), distance(case)
    return begins if begins is not None and far is not None and begins < far else None


def before(case: Case, ttl: int) -> str:
    """Return the last router before a hop limit, as it reported itself; empty where none did."""
    routers = {one.ttl or 0: one.icmp.offender for one in knocked(case) if one.icmp is not None}
    return next((routers[hop] for hop in sorted(routers, reverse=True) if hop < ttl), "")

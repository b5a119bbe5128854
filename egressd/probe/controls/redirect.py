"""Controls that follow a redirect: one GET at each host it leads to, a few hops at most."""

from __future__ import annotations

from msgspec.structs import replace

from egressd.destination import Destination, parse_destination
from egressd.model.endpoint import Protocol
from egressd.model.observation import HttpObservation
from egressd.model.plan import ControlPlan
from egressd.model.recording import Trail
from egressd.probe.context import ProbeContext
from egressd.probe.controls.revocation import fetch_url

MAX_HOPS = 5
"""Hops that are followed; programs give up after 10 to 20."""


async def follow_redirect(
    control: ControlPlan, context: ProbeContext, *, seconds: float
) -> tuple[Trail, ...]:
    """Fetch the control's URL and what it redirects to in turn; the trails come in that order.

    It ends at the first answer that is no redirect, at a failure, at a URL that was fetched already, and at
    one that a peer may not send this host to.
    """
    trails: list[Trail] = []
    hop = _destination(control, context, control.url)
    fetched: set[Destination] = set()
    while hop is not None and hop not in fetched and len(fetched) < MAX_HOPS:
        fetched.add(hop)
        found = await fetch_url(_control_of(control, hop), context, seconds=seconds)
        trails += found
        url = next((one for trail in found if (one := _redirect(trail)) is not None), None)
        hop = _destination(control, context, url) if url is not None else None
    return tuple(trails)


def _destination(control: ControlPlan, context: ProbeContext, url: str) -> Destination | None:
    """Return the next hop; None where it is not followed.

    `connect_to` was chosen for the first host, and says nothing about others.
    """
    at = parse_destination(
        url,
        schemes=("http", "https"),
        private=control.private,
        public_networks=context.plan.trust.public_networks,
    )
    moved = at is not None and (at.host, at.port) != (control.host, control.port)
    return None if moved and control.connect_to is not None else at


def _control_of(control: ControlPlan, hop: Destination) -> ControlPlan:
    """Return the control for one hop; its `url` is the path alone."""
    return replace(control, host=hop.host, port=hop.port, protocol=Protocol(hop.scheme), url=hop.path)


def _redirect(trail: Trail) -> str | None:
    last = trail.last
    return last.redirect if isinstance(last, HttpObservation) and last.failure is None else None

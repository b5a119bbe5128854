"""Controls that follow a redirect: one GET at each host it leads to, a few hops at most."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

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

    It ends at the first answer that is no redirect, at a failure, and at a URL that was fetched already.
    """
    trails: list[Trail] = []
    url: str | None = control.url
    fetched: set[str] = set()
    while url is not None and url not in fetched and len(fetched) < MAX_HOPS:
        fetched.add(url)
        hop = await fetch_url(_hop(control, url), context, seconds=seconds)
        trails += hop
        url = next((_redirect(trail) for trail in hop if _redirect(trail) is not None), None)
    return tuple(trails)


def _hop(control: ControlPlan, url: str) -> ControlPlan:
    """Return the control for one hop; its `url` is the path alone."""
    parts = urlsplit(url)
    protocol = Protocol.HTTPS if parts.scheme == "https" else Protocol.HTTP
    port = parts.port or (443 if protocol is Protocol.HTTPS else 80)
    return replace(
        control, host=parts.hostname or control.host, port=port, protocol=protocol, url=parts.path or "/"
    )


def _redirect(trail: Trail) -> str | None:
    last = trail.last
    return last.redirect if isinstance(last, HttpObservation) and last.failure is None else None

"""Where redirects led, as far as they were followed."""

from __future__ import annotations

from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.sweep_index import redirect_place
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import HttpObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail


def host_led_to(context: TrailContext) -> str:
    """Return the other host that the answer leads to, in lower case; empty: none."""
    http = context.http
    host = redirect_place(http) if http is not None else ""
    return "" if host == context.probe.host.lower() else host


def portal_shared(context: TrailContext) -> bool:
    """Whether answers in clear to names of unrelated domains lead to the same other host."""
    place = host_led_to(context)
    domains = context.index.redirects_in_clear.get(place, frozenset()) - {domain_of(place), ""}
    return len(domains) > 1


def followed(context: TrailContext) -> tuple[Trail, ...]:
    """Return the hops that were followed, in order; () where none was."""
    if not host_led_to(context):
        return ()
    return tuple(trail for control in context.controls(ControlKind.REDIRECT) for trail in control.trails)


def dead_end(context: TrailContext) -> bool:
    """Whether following a redirect ended in a failure, or did not end."""
    hops = followed(context)
    if not hops:
        return False
    last = hops[-1].last
    leads_on = isinstance(last, HttpObservation) and last.redirect is not None
    return last is None or last.failure is not None or leads_on

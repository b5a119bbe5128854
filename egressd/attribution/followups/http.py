"""Controls about the HTTP exchange: HTTP/1.1 where HTTP/2 failed, and where a redirect leads."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.control_results.redirect import host_led_to
from egressd.attribution.facts.certificate import is_in_own_network
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.followups.control import control_for, probe_contexts
from egressd.destination import Destination, parse_destination
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure
from egressd.model.plan import ControlKind, ControlPlan

REDIRECTS_PER_SOURCE = 8
"""Hosts that redirects are followed to, of one source."""


def exchange_controls(context: TrailContext) -> Iterator[ControlPlan]:
    """Yield the controls that an exchange calls for that failed after the handshake."""
    http = context.http
    if http is not None and http.version == "2" and http.failure is Failure.HTTP2_ERROR:
        yield control_for(
            context,
            ControlKind.HTTP1,
            host=context.probe.host,
            protocol=context.probe.protocol,
            why="the same request over HTTP/1.1 tells a fault of HTTP/2 from one of the request",
        )


def redirect_controls(index: SweepIndex) -> Iterator[ControlPlan]:
    """Yield one control for each other host that an answer leads to, unless that host is probed anyway."""
    for source in index.recording.plan.sources:
        hosts: set[str] = set()
        for context in _redirected(index, source.name):
            at = _destination(context)
            if at is None or at.host in hosts or len(hosts) >= REDIRECTS_PER_SOURCE:
                continue
            hosts.add(at.host)
            yield _follow(context, at)


def _redirected(index: SweepIndex, source: str) -> Iterator[TrailContext]:
    for probe in index.recording.plan.probes:
        if probe.source != source or probe.contrast or probe.siblings:
            continue
        for context in probe_contexts(index, probe):
            if context.http is None or not context.http.redirect:
                continue
            host = host_led_to(context)
            if host and host not in index.probes_by_host:
                yield context


def _destination(context: TrailContext) -> Destination | None:
    """Return where a redirect leads; None where a peer may not send this host."""
    return parse_destination(
        (context.http and context.http.redirect) or "",
        schemes=("http", "https"),
        private=is_in_own_network(context.index, context.probe, context.trail),
        public_networks=context.index.recording.plan.trust.public_networks,
    )


def _follow(context: TrailContext, at: Destination) -> ControlPlan:
    route = context.probe.route
    return ControlPlan(
        id=f"{ControlKind.REDIRECT.value}:{context.source}|{at.url}" + (f"|{route}" if route else ""),
        kind=ControlKind.REDIRECT,
        source=context.source,
        subject=context.probe.id,
        why="the answer leads to this host, which clients must reach as well",
        host=at.host,
        port=at.port,
        protocol=Protocol(at.scheme),
        url=at.url,
        route=route,
        private=is_in_own_network(context.index, context.probe, context.trail),
    )

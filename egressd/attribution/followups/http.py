"""Controls about the HTTP exchange: HTTP/1.1 where HTTP/2 failed, and where a redirect leads."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from egressd.attribution.control_results.redirect import host_led_to
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext, probe_contexts
from egressd.attribution.followups.control import control_for
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
            host = host_led_to(context)
            if host in hosts or len(hosts) >= REDIRECTS_PER_SOURCE:
                continue
            hosts.add(host)
            yield _follow(context, host)


def _redirected(index: SweepIndex, source: str) -> Iterator[TrailContext]:
    for probe in index.recording.plan.probes:
        if probe.source != source or probe.contrast or probe.siblings:
            continue
        for context in probe_contexts(index, probe):
            host = host_led_to(context)
            led = context.http is not None and context.http.redirect
            if led and host and host not in index.probes_by_host:
                yield context


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:  # only in a report that was written by hand
        return None


def _follow(context: TrailContext, host: str) -> ControlPlan:
    url = context.http.redirect or "" if context.http is not None else ""
    protocol = Protocol.HTTPS if url.startswith("https:") else Protocol.HTTP
    return ControlPlan(
        id=f"{ControlKind.REDIRECT.value}:{context.source}|{url}",
        kind=ControlKind.REDIRECT,
        source=context.source,
        subject=context.probe.id,
        why="the answer leads to this host, which clients must reach as well",
        host=host,
        port=_port(url) or (443 if protocol is Protocol.HTTPS else 80),
        protocol=protocol,
        url=url,
    )

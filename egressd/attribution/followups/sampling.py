"""Controls without a failure: agents send a larger ClientHello than egressd does, and check revocation.

A sweep samples that: a few ClientHellos per source, and the URLs in the chains it received.
"""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.control_results.client_hello import ONE_SEGMENT, hello_answered
from egressd.attribution.facts.cert_urls import certificate_urls
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext, probe_contexts
from egressd.attribution.followups.control import hello_control
from egressd.model.endpoint import Protocol
from egressd.model.plan import ControlKind, ControlPlan, Probe

SAMPLES = 2
"""Addresses per source at which ClientHellos are compared."""
MOST_URLS = 20
"""Per source."""
PER_HOST = 2


def hello_controls(index: SweepIndex) -> Iterator[ControlPlan]:
    """Yield ClientHellos of other size and form for a few addresses that answered the usual one."""
    for source in index.recording.plan.sources:
        for number, context in enumerate(_samples(index, source.name)):
            yield hello_control(context, ControlKind.LARGE_HELLO, "agents send a ClientHello of two segments")
            if hello_answered(context, ControlKind.LARGE_HELLO) is False:
                yield from _for_large_hello(context)
            if number == 0:
                yield hello_control(
                    context, ControlKind.SNI_LAST, "some devices find the name at the front only"
                )
                yield hello_control(context, ControlKind.NO_SNI, "some devices require a server name")


def _samples(index: SweepIndex, source: str) -> Iterator[TrailContext]:
    """Yield trails of one source that got a TLS answer to a small ClientHello, each at another address."""
    destinations: set[tuple[str, int]] = set()
    for probe in index.recording.plan.probes:
        if probe.source != source or probe.via_proxy or probe.contrast or probe.siblings:
            continue
        for context in _answered_trails(index, probe):
            if len(destinations) < SAMPLES and context.dialled not in destinations:
                destinations.add(context.dialled)
                yield context


def _answered_trails(index: SweepIndex, probe: Probe) -> Iterator[TrailContext]:
    for context in probe_contexts(index, probe):
        tls = context.tls
        answered = tls is not None and tls.failure is None and tls.hello_bytes <= ONE_SEGMENT
        if answered and not context.proxied:
            yield context


def _for_large_hello(context: TrailContext) -> Iterator[ControlPlan]:
    """Find out why a large ClientHello was lost: the size of its packets, or that it came in two."""
    why = "smaller segments tell a small MTU from a device that cannot reassemble a ClientHello"
    yield hello_control(context, ControlKind.LARGE_HELLO, why, max_segment=ONE_SEGMENT)
    if context.index.recording.plan.limits.split_hello:
        yield hello_control(
            context,
            ControlKind.SPLIT_HELLO,
            "a small ClientHello in two parts shows whether devices reassemble",
        )


def revocation_controls(index: SweepIndex) -> Iterator[ControlPlan]:
    """Yield one fetch for each URL in the public chains of a source, up to a bound."""
    for source in index.recording.plan.sources:
        hosts: dict[str, int] = {}
        for link in certificate_urls(index, source.name):
            if sum(hosts.values()) >= MOST_URLS or hosts.get(link.host, 0) >= PER_HOST:
                continue
            hosts[link.host] = hosts.get(link.host, 0) + 1
            yield ControlPlan(
                id=f"{ControlKind.REVOCATION.value}:{source.name}|{link.url}",
                kind=ControlKind.REVOCATION,
                source=source.name,
                subject=link.probe,
                why=f"certificates received here name it for {link.kind}",
                host=link.host,
                port=link.port,
                protocol=Protocol.HTTP,
                url=link.path,
            )

"""What is asked although all is well: agents say a larger hello than we do, and check revocation.

A sweep samples that: a few hellos per source, and the URLs of the chains it received.
"""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.control_results.client_hello import ONE_SEGMENT, hello_answered
from egressd.attribution.facts.cert_urls import certificate_urls
from egressd.attribution.facts.stats import DIRECT
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.followups.control import control_for
from egressd.model.endpoint import Protocol
from egressd.model.plan import ControlKind, ControlPlan, Probe

SAMPLES = 2
"""Places per source at which hellos are compared."""
MOST_URLS = 20
"""Per source."""
PER_HOST = 2
SMALLER = 1200


def hello_controls(index: SweepIndex) -> Iterator[ControlPlan]:
    """Yield hellos of other size and form for a few places where the usual one was answered."""
    for source in index.recording.plan.sources:
        for number, context in enumerate(_samples(index, source.name)):
            yield _greeting(context, ControlKind.LARGE_HELLO, "agents send a hello of two segments")
            if hello_answered(context, ControlKind.LARGE_HELLO) is False:
                yield from _about_large(context)
            if number == 0:
                yield _greeting(
                    context, ControlKind.SNI_LAST, "some devices look for the name at the front only"
                )
                yield _greeting(context, ControlKind.NO_SNI, "some devices want a name")


def _samples(index: SweepIndex, source: str) -> Iterator[TrailContext]:
    """Yield cases of one source that got a TLS answer to a small hello, each at another place."""
    destinations: set[tuple[str, int]] = set()
    for probe in index.recording.plan.probes:
        if probe.source != source or probe.via_proxy or probe.contrast or probe.siblings:
            continue
        for context in _sound(index, probe):
            if len(destinations) < SAMPLES and context.dialled not in destinations:
                destinations.add(context.dialled)
                yield context


def _sound(index: SweepIndex, probe: Probe) -> Iterator[TrailContext]:
    target = next((index.targets[one] for one in probe.targets if one in index.targets), None)
    if target is None:
        return
    for trail in index.trails.get(probe.id, ()):
        context = TrailContext(trail=trail, probe=probe, target=target, index=index)
        tls = context.tls
        if (
            trail.path == DIRECT
            and tls is not None
            and tls.failure is None
            and tls.hello_bytes <= ONE_SEGMENT
        ):
            yield context


def _about_large(context: TrailContext) -> Iterator[ControlPlan]:
    """Ask why a large hello was lost: the size of its packets, or that it came in two."""
    yield control_for(
        context,
        ControlKind.LARGE_HELLO,
        host=context.probe.host,
        protocol=Protocol.TLS,
        max_segment=SMALLER,
        why="the same hello in smaller segments tells a small MTU from a device that cannot reassemble",
    )
    if context.index.recording.plan.limits.split_hello:
        yield _greeting(
            context, ControlKind.SPLIT_HELLO, "a small hello in two parts shows whether parts are the fault"
        )


def _greeting(context: TrailContext, kind: ControlKind, why: str) -> ControlPlan:
    return control_for(context, kind, host=context.probe.host, protocol=Protocol.TLS, why=why)


def revocation_controls(index: SweepIndex) -> Iterator[ControlPlan]:
    """Yield one fetch for each URL that the public chains of a source name, up to a bound."""
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

"""What is asked although all is well: agents say a larger hello than we do, and check revocation.

A sweep samples that: a few hellos per source, and the URLs of the chains it received.
"""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.facts.case import Case
from egressd.attribution.facts.shown.hello import LARGEST_SMALL, tried
from egressd.attribution.facts.shown.papers import links_of
from egressd.attribution.facts.tally import DIRECT
from egressd.attribution.facts.whole import Whole
from egressd.attribution.questions.control import control_about
from egressd.model.endpoint import Protocol
from egressd.model.plan import ControlKind, ControlPlan, Probe

SAMPLES = 2
"""Places per source at which hellos are compared."""
MOST_URLS = 20
"""Per source."""
PER_HOST = 2
SMALLER = 1200


def about_hellos(whole: Whole) -> Iterator[ControlPlan]:
    """Yield hellos of other size and form for a few places where the usual one was answered."""
    for source in whole.recording.plan.sources:
        for number, case in enumerate(_samples(whole, source.name)):
            yield _greeting(case, ControlKind.LARGE_HELLO, "agents send a hello of two segments")
            if tried(case, ControlKind.LARGE_HELLO) is False:
                yield from _about_large(case)
            if number == 0:
                yield _greeting(
                    case, ControlKind.SNI_LAST, "some devices look for the name at the front only"
                )
                yield _greeting(case, ControlKind.NO_SNI, "some devices want a name")


def _samples(whole: Whole, source: str) -> Iterator[Case]:
    """Yield cases of one source that got a TLS answer to a small hello, each at another place."""
    places: set[tuple[str, int]] = set()
    for probe in whole.recording.plan.probes:
        if probe.source != source or probe.via_proxy or probe.contrast or probe.siblings:
            continue
        for case in _sound(whole, probe):
            if len(places) < SAMPLES and case.dialled not in places:
                places.add(case.dialled)
                yield case


def _sound(whole: Whole, probe: Probe) -> Iterator[Case]:
    target = next((whole.targets[one] for one in probe.targets if one in whole.targets), None)
    if target is None:
        return
    for trail in whole.trails.get(probe.id, ()):
        case = Case(trail=trail, probe=probe, target=target, whole=whole)
        tls = case.tls
        if (
            trail.path == DIRECT
            and tls is not None
            and tls.failure is None
            and tls.hello_bytes <= LARGEST_SMALL
        ):
            yield case


def _about_large(case: Case) -> Iterator[ControlPlan]:
    """Ask why a large hello was lost: the size of its packets, or that it came in two."""
    yield control_about(
        case,
        ControlKind.LARGE_HELLO,
        host=case.probe.host,
        protocol=Protocol.TLS,
        max_segment=SMALLER,
        why="the same hello in smaller segments tells a small MTU from a device that cannot reassemble",
    )
    if case.whole.recording.plan.limits.split_hello:
        yield _greeting(
            case, ControlKind.SPLIT_HELLO, "a small hello in two parts shows whether parts are the fault"
        )


def _greeting(case: Case, kind: ControlKind, why: str) -> ControlPlan:
    return control_about(case, kind, host=case.probe.host, protocol=Protocol.TLS, why=why)


def about_revocation(whole: Whole) -> Iterator[ControlPlan]:
    """Yield one fetch for each URL that the public chains of a source name, up to a bound."""
    for source in whole.recording.plan.sources:
        hosts: dict[str, int] = {}
        for link in links_of(whole, source.name):
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

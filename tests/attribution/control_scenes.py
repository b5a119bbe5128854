"""Scenes of the special controls: hellos of other sizes and forms, and hops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from egressd.model.observation import Failure, Observation, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from tests.attribution.recordings import ADDRESS, HELLO, Site, dns, good, http, icmp, info, tcp, tls, trail

LARGE = 1700


def large(failure: Failure | None, *, acked: int = 0) -> TlsObservation:
    """A hello of two segments, and how it ended."""
    return replace(tls(failure, seen=info(acked=acked)), hello_bytes=LARGE)


def greeted(*asked: tuple[ControlKind, TlsObservation, int | None]) -> Callable[[], Site]:
    """A conversation that works, and other hellos sent to the same place: kind, end, TCP_MAXSEG."""

    def build() -> Site:
        site = Site()
        site.add(good())
        for kind, heard, size in asked:
            site.control(kind, tcp(max_segment=size), heard)
        return site

    return build


LOST, REFUSED_TO = large(Failure.TIMEOUT), large(Failure.RESET)
FOUND = large(None, acked=LARGE)
NAMELESS = replace(tls(Failure.RESET), sni="")

not_in_two = greeted((ControlKind.LARGE_HELLO, REFUSED_TO, None), (ControlKind.LARGE_HELLO, REFUSED_TO, 1200))
not_in_one = greeted((ControlKind.LARGE_HELLO, LOST, None), (ControlKind.LARGE_HELLO, FOUND, 1200))
not_said_why = greeted((ControlKind.LARGE_HELLO, LOST, None))
not_late = greeted((ControlKind.LARGE_HELLO, FOUND, None), (ControlKind.SNI_LAST, REFUSED_TO, None))
not_nameless = greeted((ControlKind.NO_SNI, NAMELESS, None))


def large_of_our_own() -> Site:
    """OpenSSL 3.5 says a large hello by itself: it is lost, and a small one is not."""
    site = Site()
    site.add(trail(dns(), tcp(), REFUSED_TO))
    site.control(ControlKind.SMALL_HELLO, tcp(), tls())
    site.control(ControlKind.SMALL_MSS, tcp(max_segment=1200), REFUSED_TO)
    return site


def knock(ttl: int, failure: Failure | None = None, *, router: str = "", port: int = 443) -> TcpObservation:
    """A dial that may go so many hops."""
    error = icmp(11, 0, offender=router) if router else None
    return replace(tcp(failure, port=port, error=error), ttl=ttl)


def hopping(*trails: tuple[Observation, ...], failing: Observation, others: int = 80) -> Callable[[], Site]:
    """A target that fails on 443, whose address answers on another port, and what each hop limit showed."""

    def build() -> Site:
        site = Site()
        site.add(trail(dns(), *((failing,) if isinstance(failing, TcpObservation) else (tcp(), failing))))
        site.add(trail(dns(), tcp(port=others), http()), port=others)
        site.control(ControlKind.HOPS)
        seen = tuple(trail(*one, address=ADDRESS) for one in trails)
        site.controls[-1] = replace(site.controls[-1], trails=seen)
        return site

    return build


refused_at_two = hopping(
    (knock(1, Failure.UNREACHABLE, router="10.1.1.1"),),
    (knock(2, Failure.REFUSED),),
    (knock(2, Failure.UNREACHABLE, router="10.2.2.2", port=80),),
    (knock(3, port=80),),
    failing=tcp(Failure.REFUSED),
)
refused_at_the_end = hopping(
    (knock(1, Failure.UNREACHABLE, router="10.1.1.1"),),
    (knock(3, Failure.REFUSED),),
    (knock(3, port=80),),
    failing=tcp(Failure.REFUSED),
)
reset_at_two = hopping(
    (knock(1, Failure.UNREACHABLE, router="10.1.1.1"),),
    (knock(3),),
    (knock(1), tls(Failure.UNREACHABLE)),
    (knock(2), tls(Failure.RESET)),
    failing=tls(Failure.RESET, seen=info(acked=0), hello=False),
)
assert HELLO < LARGE

"""Scenes of special controls: ClientHellos of other sizes and forms, and hop limits."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from egressd.model.observation import Failure, Observation, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from tests.attribution.recordings import ADDRESS, HELLO, Site, dns, good, http, icmp, info, tcp, tls, trail

LARGE = 1700


def large(failure: Failure | None, *, acked: int = 0) -> TlsObservation:
    """Return a ClientHello of two segments, and how it ended."""
    return replace(tls(failure, seen=info(acked=acked)), hello_bytes=LARGE)


Hellos = tuple[ControlKind, TlsObservation, int | None, TlsObservation | None]


def with_hellos(*sent: Hellos) -> Callable[[], Site]:
    """A conversation that works, and other ClientHellos to the same address: kind, result, TCP_MAXSEG.

    Last comes the result of what was sent in turn with it, in two rounds; None: it was sent once.
    """

    def build() -> Site:
        site = Site()
        site.add(good())
        for kind, answer, size, other in sent:
            accused = (tcp(), other) if other is not None else ()
            site.control(kind, tcp(max_segment=size), answer, accused=accused, rounds=2 if accused else 1)
        return site

    return build


LOST, RESET_LARGE = large(Failure.TIMEOUT), large(Failure.RESET)
ANSWERED_LARGE = large(None, acked=LARGE)
NO_SNI_RESET = replace(tls(Failure.RESET), sni="")

lost_in_two_segments = with_hellos(
    (ControlKind.LARGE_HELLO, RESET_LARGE, None, tls()),
    (ControlKind.LARGE_HELLO, RESET_LARGE, 1200, RESET_LARGE),
)
lost_in_full_segments = with_hellos(
    (ControlKind.LARGE_HELLO, LOST, None, tls()),
    (ControlKind.LARGE_HELLO, ANSWERED_LARGE, 1200, LOST),
)
lost_without_control = with_hellos((ControlKind.LARGE_HELLO, LOST, None, tls()))
late_sni_lost = with_hellos(
    (ControlKind.LARGE_HELLO, ANSWERED_LARGE, None, None),
    (ControlKind.SNI_LAST, RESET_LARGE, None, ANSWERED_LARGE),
)
no_sni_lost = with_hellos((ControlKind.NO_SNI, NO_SNI_RESET, None, tls()))


def own_large_hello() -> Site:
    """OpenSSL 3.5 sends a large ClientHello by default: it is lost, and a small one is not."""
    site = Site()
    site.add(trail(dns(), tcp(), RESET_LARGE))
    site.control(ControlKind.SMALL_HELLO, tcp(), tls())
    site.control(ControlKind.SMALL_MSS, tcp(max_segment=1200), RESET_LARGE)
    return site


def hop_dial(
    ttl: int, failure: Failure | None = None, *, router: str = "", port: int = 443
) -> TcpObservation:
    """Return a dial with a hop limit."""
    error = icmp(11, 0, offender=router) if router else None
    return replace(tcp(failure, port=port, error=error), ttl=ttl)


def hop_sweep(*trails: tuple[Observation, ...], failing: Observation, others: int = 80) -> Callable[[], Site]:
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


refused_at_hop_two = hop_sweep(
    (hop_dial(1, Failure.UNREACHABLE, router="10.1.1.1"),),
    (hop_dial(2, Failure.REFUSED),),
    (hop_dial(2, Failure.UNREACHABLE, router="10.2.2.2", port=80),),
    (hop_dial(3, port=80),),
    failing=tcp(Failure.REFUSED),
)
refused_at_the_far_end = hop_sweep(
    (hop_dial(1, Failure.UNREACHABLE, router="10.1.1.1"),),
    (hop_dial(3, Failure.REFUSED),),
    (hop_dial(3, port=80),),
    failing=tcp(Failure.REFUSED),
)
reset_at_hop_two = hop_sweep(
    (hop_dial(1, Failure.UNREACHABLE, router="10.1.1.1"),),
    (hop_dial(3),),
    (hop_dial(1), tls(Failure.UNREACHABLE)),
    (hop_dial(2), tls(Failure.RESET)),
    failing=tls(Failure.RESET, seen=info(acked=0), hello=False),
)
assert HELLO < LARGE

"""Scenes in which one conversation differs from the others of its sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, TcpObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import ClockReading, Trail
from tests.attribution.recordings import (
    ADDRESS,
    OTHER_ADDRESS,
    RESOLVER,
    SECOND,
    Site,
    certificate,
    dns,
    facts,
    good,
    http,
    info,
    tcp,
    tls,
    trail,
)

FORGED = (certificate(issuer="CN=Corp Inspection CA", aia=()),)
REWRITTEN = "198.51.100.200"
SHARED_ADDRESS = "203.0.113.78"
CLOCKS = tuple(
    ClockReading(host=f"clock{number}.example", offset_seconds=0.5, origin="http-date") for number in range(3)
)


def at(moment: float, one: TcpObservation) -> TcpObservation:
    """Return the same dial, so many seconds after the hour."""
    return replace(one, started=f"2026-11-20T03:{int(moment // 60):02d}:{moment % 60:06.3f}Z")


def numbered_host(number: int) -> tuple[str, str]:
    return f"h{number}.example", f"203.0.113.{number + 10}"


def silent_dial_at(moment: float, number: int) -> Trail:
    host, address = numbered_host(number)
    return trail(dns(address, name=host), at(moment, tcp(Failure.TIMEOUT, address=address)))


def quick_dial_at(moment: float, number: int, *, lives_ms: float = 30.0) -> Trail:
    host, address = numbered_host(number)
    dial = at(moment, tcp(address=address))
    answer = replace(http(), started=dial.started, elapsed_ms=lives_ms)
    return trail(dns(address, name=host), dial, replace(tls(sni=host), started=dial.started), answer)


def burst(
    silent: Iterable[float], quick: Iterable[float], *, lives_ms: float = 30.0, again: bool = True
) -> Callable[[], Site]:
    """Return silent and quick dials at these moments; `again`: the silent ones are answered when repeated."""

    def build() -> Site:
        site, number = Site(), 0
        for moment in silent:
            host, address = numbered_host(number)
            site.add(silent_dial_at(moment, number), host=host)
            second = (tcp(address=address), tls(sni=host), http()) if again else (tcp(Failure.TIMEOUT),)
            site.control(ControlKind.REPEAT, *second, subject=number, address=address, host=host)
            number += 1
        for moment in quick:
            site.add(quick_dial_at(moment, number, lives_ms=lives_ms), host=numbered_host(number)[0])
            number += 1
        return site

    return build


EARLY, LATE = (1.0, 1.1, 1.2, 1.3, 1.4), (2.0, 2.1, 2.2, 2.3)
QUIET_TIMES = (1.0, 1.5, 9.0, 9.5, 20.0, 20.5)


def concurrency_limited() -> Site:
    """Dials go unanswered whenever many connections are open, early and late."""
    site = burst((5.0, 5.1, 15.0, 15.1), QUIET_TIMES)()
    number = len(site.probes)
    for moment in (4.0, 14.0):
        for _ in range(6):
            site.add(quick_dial_at(moment, number, lives_ms=3000.0), host=numbered_host(number)[0])
            number += 1
    return site


def stale_address(*, ttl: int = 60, second: str = SECOND) -> Site:
    """Of the first resolver's addresses one is silent; the second has another one in its place."""
    site = Site(resolvers=(RESOLVER, second))
    old = replace(dns(ADDRESS, SHARED_ADDRESS), ttl=ttl)
    new = replace(dns(OTHER_ADDRESS, SHARED_ADDRESS, resolver=second), ttl=ttl)
    site.add(
        trail(old, tcp(Failure.TIMEOUT)),
        trail(old, tcp(address=SHARED_ADDRESS), tls(), http()),
        trail(new, tcp(address=OTHER_ADDRESS), tls(), http()),
    )
    return site


def downgraded() -> Site:
    """The device negotiates TLS 1.2, and a sibling that is exempt TLS 1.3."""
    site = Site()
    forged = replace(tls(about=facts(False, True), chain=FORGED), version="TLSv1.2")
    site.add(trail(dns(), tcp(), forged, http()))
    site.add(good("weu.his.arc.azure.com", OTHER_ADDRESS), host="weu.his.arc.azure.com")
    return site


def nxdomain_rewriting(*, reached: bool = False) -> Site:
    """The resolver gives one address for labels of two zones, and for a name that is gone."""
    site = Site()
    answer = dns(REWRITTEN)
    failing = tls(Failure.VERIFY, code=62)
    site.add(trail(answer, tcp(address=REWRITTEN), tls() if reached else failing))
    for zone in ("his.arc.azure.com", "blob.core.windows.net"):
        name = f"egressd-probe-0badcafe.{zone}"
        site.control(
            ControlKind.SIBLING_NAME, dns(REWRITTEN, name=name), subject=None, address=None, host=name
        )
    return site


def stale(**headers: str) -> Callable[[], Site]:
    """An answer on port 80 with these headers, where three other hosts agree on the time."""

    def build() -> Site:
        site = Site()
        site.clock_readings = CLOCKS
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        site.add(trail(dns(), tcp(port=80), http(headers=named)), port=80, protocol=Protocol.HTTP)
        return site

    return build


def unused_proxy() -> Site:
    """The environment names a proxy, egressd has none configured, and nothing answers."""
    site = Site()
    site.proxy_variables = ("https_proxy",)
    for number in range(3):
        host, address = numbered_host(number)
        site.add(trail(dns(address, name=host), tcp(Failure.TIMEOUT, address=address)), host=host)
    return site


def reset_before_hello() -> Site:
    site = Site()
    site.add(trail(dns(), tcp(), tls(Failure.RESET, seen=info(acked=0, sent=0))))
    return site

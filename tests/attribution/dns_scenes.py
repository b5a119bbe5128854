"""Scenes of name resolution: resolvers that disagree, addresses that are none, answers that come late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from egressd.model.endpoint import Protocol, SampleKind
from egressd.model.observation import DnsObservation, Failure, Observation, OtherAnswer, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
from egressd.model.settings import Family
from tests.attribution.recordings import (
    ADDRESS,
    HOST,
    OTHER_ADDRESS,
    RESOLVER,
    SECOND,
    Site,
    certificate,
    dns,
    facts,
    good,
    http,
    query,
    tcp,
    tls,
    trail,
)

LIE = "203.0.113.66"
SIBLING = "egressd-control.his.arc.azure.com"
ZONE_WILDCARD = (certificate(san=("*.his.arc.azure.com",)),)
GONE: dict[str, Any] = {"failure": Failure.NXDOMAIN, "rcode": "NXDOMAIN"}


def disagreeing(
    address: str, *seen: Observation, right: tuple[Observation, ...] = (), owned: bool | None = None
) -> Callable[[], Site]:
    """The first resolver gives an address where this is seen, the second the one that proves the name."""

    def build() -> Site:
        site = Site(resolvers=(RESOLVER, SECOND))
        proof = right or (tcp(address=OTHER_ADDRESS), tls(), http())
        proven = trail(dns(OTHER_ADDRESS, resolver=SECOND), *proof)
        site.add(trail(dns(address), *seen), proven, owned=owned)
        site.add(good("works.example", "203.0.113.80"), host="works.example")
        return site

    return build


def at_address(address: str, *seen: Observation, **target: Any) -> Callable[[], Site]:
    """A name with an address where this is seen, beside a target that works."""

    def build() -> Site:
        site = Site()
        site.add(trail(dns(address), *(seen or (tcp(Failure.TIMEOUT, address=address),))), **target)
        site.add(good("works.example", OTHER_ADDRESS), host="works.example")
        return site

    return build


def asked_again(*, later: DnsObservation | None = None, control: bool = False) -> Callable[[], Site]:
    """No answer in time; the same question later got one, in the probe or by a control."""

    def build() -> Site:
        site = Site()
        silent = trail(dns(failure=Failure.TIMEOUT))
        if control:
            site.add(silent)
            site.control(ControlKind.DNS_REPEAT, later or dns(), address="10.0.0.53", host=HOST)
        else:
            site.add(silent, trail(later or dns(), tcp(), tls(), http(), attempt=2))
        site.add(good("works.example", OTHER_ADDRESS), host="works.example")
        return site

    return build


def slow_for_all() -> Site:
    """One name without an answer, and others that are answered to the third datagram."""
    site = Site()
    site.add(trail(dns(failure=Failure.TIMEOUT)))
    lost = query(failure=Failure.TIMEOUT)
    late = dns(OTHER_ADDRESS, name="works.example", queries=(lost, lost, query(elapsed_ms=2300.0)))
    conversation = (tcp(address=OTHER_ADDRESS), tls(sni="works.example"), http())
    site.add(trail(late, *conversation), host="works.example")
    return site


def other_family(*seen: Trail, families: tuple[Family, ...] = tuple(Family), host: str = HOST) -> Site:
    """A name without an IPv4 address."""
    site = Site()
    site.limits = replace(site.limits, families=families)
    site.add(*(seen or (trail(dns(failure=Failure.NODATA, soa=True)),)), host=host)
    site.add(good("works.example", OTHER_ADDRESS), host="works.example")
    return site


def other_family_by_control() -> Site:
    """The other family is left out by the configuration, and a control found addresses of it."""
    site = other_family(families=(Family.IPV4,))
    site.control(ControlKind.OTHER_FAMILY, dns("2603:1030::9", v6=True), address="10.0.0.53", host=HOST)
    return site


def resolver_row(*queries: Any, failure: Failure | None = None) -> Callable[[], Site]:
    """A resolver as a target, tried over both transports."""

    def build() -> Site:
        site = Site()
        answers = () if failure else (ADDRESS,)
        seen = dns(*answers, failure=failure, resolver="10.0.0.53:53", queries=queries)
        one = trail(seen, address="10.0.0.53")
        site.add(one, host="10.0.0.53", port=53, protocol=Protocol.DNS, sample=SampleKind.GIVEN)
        return site

    return build


def injected(*seen: Observation, answer: DnsObservation) -> Callable[[], Site]:
    """An address that runs no DNS answers for the name, and for no other."""

    def build() -> Site:
        site = Site()
        site.add(trail(*seen))
        site.add(good("works.example", OTHER_ADDRESS), host="works.example")
        site.control(
            ControlKind.TESTNET_DNS,
            dns(failure=Failure.TIMEOUT, name="example.com", resolver="192.0.2.53:53"),
            subject=None,
            address="192.0.2.53",
            host="example.com",
        )
        elsewhere = replace(answer, resolver="192.0.2.53:53")
        site.control(ControlKind.TESTNET_DNS, elsewhere, address="192.0.2.53", host=HOST)
        return site

    return build


def raced() -> Site:
    """One query got two answers: a denial first, then the addresses."""
    site = Site()
    other = OtherAnswer(rcode="NOERROR", answers=(ADDRESS,), elapsed_ms=21.0)
    first = query(other_answers=(other,), authority_soa=True, **GONE)
    site.add(trail(dns(soa=True, queries=(first,), **GONE)))
    site.add(good("works.example", OTHER_ADDRESS), host="works.example")
    return site


def disputed(*seen: Observation, **target: Any) -> Callable[[], Site]:
    """One resolver shows the zone's denial, another gives an address where this is seen."""

    def build() -> Site:
        site = Site(resolvers=(RESOLVER, SECOND))
        site.add(trail(dns(soa=True, **GONE)), trail(dns(LIE, resolver=SECOND), *seen), **target)
        site.add(good("works.example", OTHER_ADDRESS), host="works.example")
        return site

    return build


def in_a_row(*, works: bool = False) -> Site:
    """Names of three owners with addresses side by side, and one elsewhere that answers."""
    site = Site()
    for number, host in enumerate((HOST, "login.windows.net", "graph.microsoft.com")):
        address = f"45.13.7.{20 + number}"
        end = () if not (works and number) else (tls(sni=host), http())
        dial = tcp(None if end else Failure.TIMEOUT, address=address)
        site.add(trail(dns(address, name=host), dial, *end), host=host)
    site.add(good("works.example", OTHER_ADDRESS), host="works.example")
    return site


def wildcard(*, unrelated: bool = False, owned: bool = False, named: bool = True) -> Callable[[], Site]:
    """A name whose server shows another name's certificate; random labels of its zone have its address."""

    def build() -> Site:
        site = Site()
        chain = ZONE_WILDCARD if named else (certificate(san=("www.other.example",)),)
        wrong: TlsObservation = tls(Failure.VERIFY, code=62, about=facts(True, True), chain=chain)
        site.add(trail(dns(), tcp(), wrong), owned=owned)
        site.add(good("works.example", OTHER_ADDRESS), host="works.example")
        labels = (SIBLING, "egressd-control.example.com") if unrelated else (SIBLING,)
        for label in labels:
            site.control(ControlKind.SIBLING_NAME, dns(name=label), host=label, address="10.0.0.53")
        return site

    return build


def mixed_scope(*, others_private: bool = False) -> Callable[[], Site]:
    """One name of the agent is private; the other one is public, or private too."""

    def build() -> Site:
        site = Site()
        alias = ("gbl.privatelink.his.arc.azure.com",)
        private = trail(dns("10.20.0.5", cnames=alias), tcp(address="10.20.0.5"), tls(), http())
        site.add(private, private_link=True)
        host = "agentserviceapi.guestconfiguration.azure.com"
        other = good(host, OTHER_ADDRESS)
        if others_private:
            answer = dns(
                "10.20.0.6", name=host, cnames=("agentserviceapi.privatelink.guestconfiguration.azure.com",)
            )
            other = trail(answer, tcp(address="10.20.0.6"), tls(sni=host), http())
        site.add(other, host=host, private_link=True)
        return site

    return build


def scope_in_use(*answers: DnsObservation, host: str = HOST, capable: bool = True) -> Callable[[], Site]:
    """A private link scope is in use, and every address that is given for a name works."""

    def build() -> Site:
        site = Site(scope_in_use=True)
        trails = [
            trail(
                replace(one, name=host),
                tcp(address=one.answers[0]),
                tls(sni=host),
                http(),
                family=Family.IPV6 if one.type == "AAAA" else Family.IPV4,
            )
            for one in answers
        ]
        site.add(*trails, host=host, private_link=capable)
        site.add(good("works.example", "203.0.113.80"), host="works.example")
        return site

    return build

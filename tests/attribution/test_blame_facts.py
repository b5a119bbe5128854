"""Each row of the table of facts: a trail that it holds for, and one that looks like it and is not.

A new row needs an entry in `ROWS`; `test_every_row_is_tested` fails without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from egressd.attribution.blame.facts import FACTS, Accusation, Fact
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import Certificate, ChainFacts, Failure, Observation, Phase
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
from egressd.model.verdict import Blame
from tests.attribution.arc_scenes import GATEWAY_INSPECTED, GATEWAY_REACHED, by_arc_proxy
from tests.attribution.cases import PRIVATE, SCENES
from tests.attribution.dns_scenes import asked_again, injected
from tests.attribution.recordings import (
    ADDRESS,
    HOST,
    PROXY,
    ROUTER,
    SECOND,
    Site,
    certificate,
    connect,
    dns,
    facts,
    good,
    http,
    icmp,
    info,
    tcp,
    tls,
    trail,
)

OTHER = "works.example"
ELSEWHERE = "20.60.7.9"
DEVICE = (certificate(issuer="CN=Corp Inspection CA", aia=()),)
NEIGHBOUR = (certificate(san=("www.corp.example", "corp.example")),)


def accuse(site: Site, phase: Phase, reason: str = "tcp_unknown") -> Accusation:
    """Return the accusation of the first trail of the first probe."""
    index = SweepIndex.build(site.recording())
    probe = index.recording.plan.probes[0]
    context = TrailContext(
        trail=index.trails[probe.id][0], probe=probe, target=index.targets[probe.targets[0]], index=index
    )
    return Accusation(context=context, reason=reason, phase=phase)


def of(*trails: Trail, **target: object) -> Callable[[], Site]:
    def build() -> Site:
        site = Site()
        site.add(*trails, **target)  # type: ignore[arg-type]  # the keywords of `add`
        return site

    return build


def beside(build: Callable[[], Site], address: str = ELSEWHERE) -> Callable[[], Site]:
    """Add another target that works."""

    def more() -> Site:
        site = build()
        site.add(good(OTHER, address), host=OTHER)
        return site

    return more


def from_two_sources(other: Trail) -> Callable[[], Site]:
    def build() -> Site:
        site = of(trail(dns(), tcp(Failure.TIMEOUT)))()
        site.add(replace(other, source="b"), source="b")
        return site

    return build


def compared(*seen: Trail, kind: ControlKind, shown: Failure | None, repeats: int = 2) -> Callable[[], Site]:
    """Return a handshake that fails in every repeat, with a control beside it."""

    def build() -> Site:
        site = of(*seen * repeats)()
        size = 536 if kind is ControlKind.SMALL_MSS else None
        answer = tls(shown, sni="other.example", hello=shown is None)
        site.control(kind, tcp(max_segment=size), answer, rounds=3)
        return site

    return build


def with_other_alert(alert: int) -> Callable[[], Site]:
    """Return a handshake refused with alert 40, and another name refused with an alert."""

    def build() -> Site:
        site = of(trail(dns(), tcp(), tls(Failure.ALERT, alert=40)))()
        other = tls(Failure.ALERT, alert=alert, sni="other.example")
        site.control(ControlKind.SNI_CONTRAST, tcp(), other)
        return site

    return build


def signed_for(*hosts: str) -> Callable[[], Site]:
    def build() -> Site:
        site = Site()
        for number, host in enumerate(hosts):
            forged = tls(
                Failure.VERIFY, sni=host, code=20, chain=DEVICE, about=facts(public=False, stored=False)
            )
            address = f"20.60.7.{number + 1}"
            site.add(trail(dns(address, name=host), tcp(address=address), forged), host=host)
        return site

    return build


def scene(name: str) -> Callable[[], Site]:
    (found,) = (one.build for one in SCENES if one.name == name)
    return found


class Row(NamedTuple):
    phase: Phase
    holds: Callable[[], Site]
    looks_alike: Callable[[], Site]
    reason: str = "tcp_unknown"


REFUSED_STATUS = trail(dns(), tcp(), tls(), http(403))
CUT = trail(dns(), tcp(), tls(), http(failure=Failure.RESET))
IN_CLEAR = trail(dns(), tcp(port=80), http(403))
SILENT = trail(dns(), tcp(Failure.TIMEOUT))
RESET = trail(dns(), tcp(), tls(Failure.RESET))
STALLED = trail(dns(), tcp(), tls(Failure.TIMEOUT))
REFUSED_OFFER = trail(dns(), tcp(), tls(Failure.ALERT, alert=40))


def _icmp_from(offender: str) -> Trail:
    return trail(dns(), tcp(Failure.UNREACHABLE, error=icmp(3, 1, offender=offender)))


def _own_server(*, stored: bool) -> Trail:
    expired = tls(Failure.VERIFY, code=10, chain=DEVICE, about=facts(public=False, stored=stored))
    return trail(dns(), tcp(), expired)


def by_proxy(*seen: Observation, others: tuple[str, ...] = ()) -> Callable[[], Site]:
    """Go through the proxy; `others` are names that fail there alike."""

    def build() -> Site:
        site = Site()
        for host in (HOST, *others):
            site.add(trail(tcp(port=3128), *seen, path=PROXY), host=host, via_proxy=True)
        return site

    return build


def clear(status: int) -> Trail:
    return trail(dns(), tcp(port=80), http(status))


def request(*, lost: bool) -> Trail:
    seen = replace(info(acked=900), bytes_written=901 if lost else 900)
    return trail(dns(), tcp(), tls(), replace(http(failure=Failure.TIMEOUT), info=seen))


def cut_after_request(*hosts: str) -> Callable[[], Site]:
    """Let genuine sessions end after the request, each at its own address."""

    def build() -> Site:
        site = Site()
        for number, host in enumerate(hosts):
            address = f"20.60.8.{number + 1}"
            genuine = tls(sni=host, about=facts())
            reset = replace(http(failure=Failure.RESET), host=host)
            site.add(
                trail(dns(address, name=host), tcp(address=address), genuine, reset, address=address),
                host=host,
            )
        return site

    return build


DENIED = dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=True)


def denied_by_two(*, soa: bool) -> Callable[[], Site]:
    """Return a name that two resolvers deny; the second one shows the zone's SOA, or not."""
    second = dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=soa, resolver=SECOND)
    return of(trail(DENIED), trail(second))


def _refused(about: ChainFacts, *, chain: tuple[Certificate, ...] = ()) -> Trail:
    return trail(dns(), tcp(), tls(Failure.VERIFY, code=7, chain=chain, about=about))


ROWS: Mapping[str, Row] = {
    "proven_proxy": Row(
        Phase.PROXY, by_proxy(tls(sni="proxy.corp.example"), connect(403)), by_proxy(connect(403))
    ),
    "no_proxy": Row(
        Phase.PROXY,
        by_proxy(connect(405, headers={"server": "nginx"})),
        by_proxy(connect(405, headers={"server": "nginx", "via": "1.1 proxy"})),
        "proxy_not_connect_capable",
    ),
    "answered_connect": Row(Phase.PROXY, by_proxy(connect(302)), by_proxy(connect(502))),
    "no_tunnel_for_anybody": Row(
        Phase.PROXY,
        by_proxy(connect(None, Failure.CLOSED), others=("www.contoso.example",)),
        by_proxy(connect(None, Failure.CLOSED), others=("login.azure.com",)),
    ),
    "other_name_in_tunnel": Row(
        Phase.TLS, scene("tunnel-closed-for-one-name"), scene("tunnel-closed-for-any-name")
    ),
    "content_of_proven_session": Row(Phase.HTTP, of(REFUSED_STATUS), of(CUT)),
    "status_of_portals": Row(Phase.HTTP, of(clear(511), port=80), of(trail(dns(), tcp(), tls(), http(511)))),
    "status_of_azure_firewall": Row(
        Phase.HTTP, of(clear(470), port=80), of(trail(dns(), tcp(), tls(), http(470)))
    ),
    "page_of_product": Row(Phase.HTTP, scene("page"), scene("plain-403")),
    "unrelated_names_lead_there": Row(Phase.HTTP, scene("portal-shared"), scene("portal")),
    "request_lost": Row(Phase.HTTP, of(request(lost=True)), of(request(lost=False))),
    "owners_fail_alike": Row(
        Phase.HTTP,
        cut_after_request("a.one.example", "b.two.example", "c.two.example"),
        cut_after_request("a.one.example", "b.one.example", "c.one.example"),
    ),
    "name_proven_at_address": Row(Phase.HTTP, of(CUT), of(IN_CLEAR, port=80)),
    "icmp_from_hop": Row(Phase.TCP, of(_icmp_from(ROUTER)), of(_icmp_from(ADDRESS))),
    "icmp_from_target": Row(Phase.TCP, of(_icmp_from(ADDRESS)), of(_icmp_from(ROUTER))),
    "reached_from_other_source": Row(
        Phase.TCP, from_two_sources(good()), from_two_sources(good(address=ELSEWHERE))
    ),
    "nearer_hop": Row(Phase.TCP, scene("refused-on-the-way"), scene("refused-by-the-far-end")),
    "others_connect": Row(Phase.TCP, beside(of(SILENT)), of(SILENT)),
    "other_name_answered": Row(
        Phase.TLS,
        compared(RESET, kind=ControlKind.SNI_CONTRAST, shown=None),
        compared(RESET, kind=ControlKind.SNI_CONTRAST, shown=Failure.RESET),
    ),
    "cut_for_this_name": Row(
        Phase.TLS,
        compared(RESET, kind=ControlKind.SNI_CONTRAST, shown=None),
        compared(REFUSED_OFFER, kind=ControlKind.SNI_CONTRAST, shown=None),
    ),
    "same_alert_for_any_name": Row(Phase.TLS, with_other_alert(40), with_other_alert(112)),
    "same_name_elsewhere": Row(
        Phase.TLS, of(RESET, good(address=ELSEWHERE)), of(RESET, good(address="2001:db8::9"))
    ),
    "small_segments_pass": Row(
        Phase.TLS,
        compared(STALLED, kind=ControlKind.SMALL_MSS, shown=None),
        compared(STALLED, kind=ControlKind.SMALL_MSS, shown=Failure.TIMEOUT),
    ),
    "owners_authority": Row(
        Phase.TLS, of(_own_server(stored=True), owned=True), of(_own_server(stored=True), owned=False)
    ),
    "signed_publicly_for_name": Row(
        Phase.TLS, of(_refused(facts())), of(_refused(facts(public=True, name=False)))
    ),
    "only_link_missing": Row(
        Phase.TLS,
        of(_refused(replace(facts(public=False, stored=False), unused_public=True), chain=DEVICE)),
        of(_refused(facts(public=False, stored=False), chain=DEVICE)),
    ),
    "sibling_proven_at_address": Row(
        Phase.TLS,
        beside(of(_refused(facts(name=False)), host="a.works.example"), address=ADDRESS),
        beside(of(_refused(facts(name=False)), host="a.other.example"), address=ADDRESS),
    ),
    "private_beside_public": Row(
        Phase.TLS,
        beside(of(_refused(PRIVATE, chain=DEVICE), host="a.works.example"), address=ADDRESS),
        beside(of(_refused(facts(), chain=DEVICE), host="a.works.example"), address=ADDRESS),
    ),
    "names_neighbour": Row(
        Phase.TLS,
        of(_refused(facts(name=False), chain=NEIGHBOUR), host="a.corp.example"),
        of(_refused(facts(name=False), chain=NEIGHBOUR), host="a.other.test"),
    ),
    "signs_unrelated_names": Row(
        Phase.TLS,
        signed_for("login.microsoftonline.com", "gbl.his.arc.azure.com"),
        signed_for("a.corp.example", "b.corp.example"),
    ),
    "arc_gateway_reached": Row(
        Phase.PROXY,
        by_arc_proxy(connect(502), gateway=GATEWAY_REACHED),
        by_arc_proxy(connect(502), gateway=GATEWAY_INSPECTED),
    ),
    "arc_proxy_opens_tunnels": Row(
        Phase.PROXY, by_arc_proxy(connect(502), beside=True), by_arc_proxy(connect(502))
    ),
    "answer_injected": Row(
        Phase.DNS, scene("injected-denial"), injected(DENIED, answer=dns(failure=Failure.TIMEOUT))
    ),
    "two_answers": Row(Phase.DNS, scene("two-answers-to-one-query"), scene("nxdomain-soa")),
    "resolver_says_blocked": Row(Phase.DNS, scene("nxdomain-ede"), scene("nxdomain-no-soa")),
    "zone_denies_twice": Row(Phase.DNS, denied_by_two(soa=True), denied_by_two(soa=False)),
    "answered_later": Row(Phase.DNS, asked_again(), asked_again(later=dns(failure=Failure.TIMEOUT))),
}


def test_a_tunnel_in_a_repeat_is_a_tunnel_for_somebody() -> None:
    """A proxy that hangs up on every first try and opens tunnels later is not one that opens none."""
    site = by_proxy(connect(None, Failure.CLOSED), others=("www.contoso.example",))()
    site.control(ControlKind.REPEAT, tcp(port=3128), connect(), tls())
    site.controls[-1] = replace(
        site.controls[-1], trails=tuple(replace(one, path=PROXY) for one in site.controls[-1].trails)
    )
    (fact,) = (one for one in FACTS if one.name == "no_tunnel_for_anybody")
    assert not fact.holds(accuse(site, Phase.PROXY))


@pytest.mark.parametrize("name", ROWS)
def test_a_fact_holds_where_it_was_seen(name: str) -> None:
    """The row holds for what it describes, and not for what looks like it."""
    (fact,) = (one for one in FACTS if one.name == name)
    row = ROWS[name]
    assert fact.holds(accuse(row.holds(), row.phase, row.reason))
    assert not fact.holds(accuse(row.looks_alike(), row.phase, row.reason))


def test_every_row_is_tested() -> None:
    """No row of the table is without a test."""
    assert {one.name for one in FACTS} == set(ROWS)


@pytest.mark.parametrize("fact", FACTS, ids=lambda one: one.name)
def test_a_row_decides_something_and_says_so_in_words(fact: Fact) -> None:
    """A row rules out, names or points, in plain words; whom it names it does not rule out."""
    assert fact.rules_out or fact.names or fact.points_to
    assert fact.names not in fact.rules_out
    assert fact.points_to not in fact.rules_out
    assert fact.says[0].islower()
    assert not fact.says.endswith(".")
    assert Blame.EGRESSD_ENV not in fact.rules_out

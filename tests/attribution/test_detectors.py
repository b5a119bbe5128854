"""One cause over many targets is one finding, and the most general one."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.model.endpoint import Protocol, SampleKind
from egressd.model.observation import Failure
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
from egressd.model.verdict import Blame, Finding, Outcome
from tests.attribution.cases import FORGED, PRIVATE, UNACKED, dns_dead
from tests.attribution.recordings import RESOLVER, Site, dns, good, http, icmp, info, tcp, tls, trail

WILDCARD = "*.his.arc.azure.com"


def findings(site: Site) -> tuple[Finding, ...]:
    return judge(site.recording()).findings


def only(site: Site) -> Finding:
    (finding,) = findings(site)
    return finding


def reset(name: str, address: str = "203.0.113.9") -> Trail:
    return trail(dns(address, name=name), tcp(address=address), tls(Failure.RESET, sni=name, seen=UNACKED))


@pytest.mark.parametrize(
    ("failure", "rcode", "reason"),
    [
        (Failure.TIMEOUT, None, "dns_resolver_unreachable"),
        (Failure.RCODE, "REFUSED", "dns_refused_client"),
    ],
)
@pytest.mark.parametrize("count", [1, 100])
def test_dead_resolver_is_one_finding(failure: Failure, rcode: str | None, reason: str, count: int) -> None:
    """Without DNS there is one cause, for one target or for a hundred, and it names the resolver."""
    finding = only(dns_dead(count=count, failure=failure, rcode=rcode)())
    assert (finding.reason, len(finding.targets)) == (reason, count)
    assert RESOLVER in finding.title
    assert len(finding.evidence) <= 9


def test_single_failure_is_no_finding() -> None:
    """A target that fails alone has its verdict."""
    site = Site()
    site.add(reset("a.example"), host="a.example")
    site.add(good("b.example"), host="b.example")
    assert findings(site) == ()


def test_same_signature_is_one_finding_of_the_same_confidence() -> None:
    """Two names broken alike are one finding; that they look alike makes neither surer."""
    site = Site()
    site.add(reset("a.example", "203.0.113.1"), host="a.example")
    one = judge(site.recording()).verdicts[0].verdict.confidence
    site.add(reset("b.example", "203.0.113.2"), host="b.example")
    two = judge(site.recording()).verdicts[0].verdict.confidence
    assert one is two
    assert (only(site).reason, len(only(site).targets)) == ("tls_reset_after_hello", 2)


def test_inspection_is_a_finding_by_issuer() -> None:
    """Inspection is a finding even for one target, and is named by its issuer."""
    site = Site()
    site.add(trail(dns(), tcp(), tls(Failure.VERIFY, code=20, about=PRIVATE, chain=FORGED)))
    finding = only(site)
    assert finding.reason == "tls_mitm_untrusted"
    assert "Corp Inspection CA" in finding.title
    assert finding.blame is Blame.TLS_INSPECTION


def test_silence_everywhere_is_one_finding() -> None:
    """Nothing answers on any address: the path is closed, not a list of addresses."""
    site = Site()
    for number in range(4):
        address, name = f"203.0.113.{number}", f"n{number}.example"
        site.add(trail(dns(address, name=name), tcp(Failure.TIMEOUT, address=address)), host=name)
    assert (only(site).reason, len(only(site).targets)) == ("tcp_egress_all_blocked", 4)


def test_accept_all_is_a_finding_without_targets() -> None:
    """A device that accepts every connection is reported once, about the path."""
    site = Site()
    site.add(good())
    site.control(ControlKind.TESTNET_TCP, tcp(address="192.0.2.1"), subject=None, address="192.0.2.1")
    assert (only(site).reason, only(site).targets) == ("tcp_accept_all", ())
    assert "192.0.2.1:443" in only(site).evidence[0]


def test_intercepted_dns_is_a_finding() -> None:
    """An answer from an address without DNS proves that port 53 is intercepted."""
    site = Site()
    site.add(good())
    site.control(ControlKind.TESTNET_DNS, dns(resolver="192.0.2.53:53"), subject=None, address="192.0.2.53")
    assert only(site).reason == "dns_transparent_proxy"


def test_silent_testnet_is_no_finding() -> None:
    """A control that times out, as it should, is no finding."""
    site = Site()
    site.add(good())
    site.control(ControlKind.TESTNET_TCP, tcp(Failure.TIMEOUT, address="192.0.2.1"), subject=None)
    site.control(ControlKind.TESTNET_DNS, dns(failure=Failure.TIMEOUT), subject=None)
    assert findings(site) == ()


def test_wrong_clock_is_a_finding_before_a_certificate_fails() -> None:
    """A clock a day off is reported even while every chain still verifies."""
    site = Site(clock_offset=86_400.0)
    site.add(good())
    assert (only(site).reason, only(site).targets) == ("local_clock_skew", ())


def test_port_80_closed_everywhere() -> None:
    """All of port 80 closed and 443 open is one missing rule."""
    site = Site()
    for name in ("a.example", "b.example"):
        answer = dns(name=name)
        site.add(trail(answer, tcp(Failure.TIMEOUT, port=80)), host=name, port=80, protocol=Protocol.HTTP)
        site.add(good(name), host=name)
    finding = only(site)
    assert (finding.reason, len(finding.targets)) == ("site_port80_blocked", 2)


def test_one_open_port_80_excludes_the_finding() -> None:
    """One answer on port 80 refutes that the port is closed."""
    site = Site()
    for name in ("a.example", "b.example"):
        site.add(
            trail(dns(name=name), tcp(Failure.TIMEOUT, port=80)), host=name, port=80, protocol=Protocol.HTTP
        )
        site.add(good(name), host=name)
    site.add(good("c.example", port=80), host="c.example", port=80, protocol=Protocol.HTTP)
    assert "site_port80_blocked" not in {one.reason for one in findings(site)}


def test_wildcard_rule_is_incomplete() -> None:
    """Listed hosts pass and a random label is reset: the rule is a list, not the wildcard."""
    site = Site()
    site.add(good("gbl.his.arc.azure.com"), host="gbl.his.arc.azure.com", pattern=WILDCARD)
    label = "egressd-probe-1.his.arc.azure.com"
    site.add(reset(label), host=label, pattern=WILDCARD, sample=SampleKind.RANDOM)
    finding = only(site)
    assert finding.reason == "site_wildcard_rule_incomplete"
    assert WILDCARD in finding.advice
    assert len(finding.targets) == 1


def test_random_label_with_a_wrong_name_proves_the_rule() -> None:
    """A certificate for another name is an answer: the rule lets the label through."""
    site = Site()
    site.add(good("gbl.his.arc.azure.com"), host="gbl.his.arc.azure.com", pattern=WILDCARD)
    label = "egressd-probe-1.his.arc.azure.com"
    seen = tls(Failure.VERIFY, sni=label, code=62)
    site.add(
        trail(dns(), tcp(), seen, borrowed_from="gbl.his.arc.azure.com"),
        host=label,
        pattern=WILDCARD,
        sample=SampleKind.RANDOM,
    )
    assert findings(site) == ()
    assert {one.verdict.outcome for one in judge(site.recording()).verdicts} == {Outcome.OK}


def test_suffix_rule_is_missing() -> None:
    """All hosts of one wildcard are reset while others pass: one missing rule, not several."""
    site = Site()
    for number in range(3):
        name = f"r{number}.his.arc.azure.com"
        site.add(reset(name), host=name, pattern=WILDCARD)
    site.add(good("b.example"), host="b.example")
    finding = only(site)
    assert (finding.reason, len(finding.targets)) == ("site_suffix_rule_missing", 3)


def test_advice_for_several_targets_names_them() -> None:
    """The advice lists the hosts, and the first line of evidence is a connection."""
    site = Site()
    for number in range(6):
        site.add(reset(f"r{number}.example"), host=f"r{number}.example")
    site.add(good("b.example"), host="b.example")
    finding = only(site)
    assert "r0.example, r1.example, r2.example, r3.example, r4.example, r5.example" in finding.advice
    assert finding.evidence[0].startswith("10.20.0.11:40112 -> 203.0.113.9:443 at ")
    assert finding.evidence[1] == "6 targets from source default"


def test_a_refused_upgrade_is_no_missing_rule() -> None:
    """A rule for the wildcard exists, or there would be no session: another rule does not help."""
    site = Site()
    for number in range(3):
        name = f"r{number}.servicebus.windows.net"
        end = trail(dns(name=name), tcp(), tls(sni=name), http(200))
        site.add(end, host=name, pattern="*.servicebus.windows.net", protocol=Protocol.WSS)
    site.add(good("b.example"), host="b.example")
    finding = only(site)
    assert finding.reason == "http_websocket_blocked"
    assert finding.blame is Blame.AZURE_SERVICE
    assert "Allow" not in finding.advice


def test_advice_names_the_missing_wildcard() -> None:
    """The advice names the wildcard, as a rule would."""
    site = Site()
    for number in range(3):
        name = f"r{number}.his.arc.azure.com"
        site.add(reset(name), host=name, pattern=WILDCARD)
    site.add(good("b.example"), host="b.example")
    assert f"If it was: Allow {WILDCARD} as a whole, https/443 from 10.20.0.11" in only(site).advice


def broken_family(routers: tuple[str, ...]) -> Site:
    """Forty targets whose IPv4 works; a router on each IPv6 path reports no route."""
    site = Site()
    for number in range(40):
        name, v6 = f"n{number}.example", f"2001:db8::{number + 1:x}"
        error = icmp(1, 0, offender=routers[number % len(routers)], version=6)
        dead = trail(
            dns(v6, name=name, v6=True),
            tcp(Failure.UNREACHABLE, address=v6, errno=errno.ENETUNREACH, error=error),
        )
        site.add(good(name, f"203.0.113.{number}"), dead, host=name)
    return site


def test_a_broken_family_is_one_finding() -> None:
    """Forty names that IPv6 does not reach are one finding, whichever router reports it, and no failure."""
    site = broken_family(("2001:db8:1::1", "2001:db8:2::1"))
    assert (only(site).reason, len(only(site).targets)) == ("tcp_ipv6_broken", 40)
    assert {one.verdict.outcome for one in judge(site.recording()).verdicts} == {Outcome.DEGRADED}


def test_a_host_without_ipv6_is_not_broken() -> None:
    """Addresses that this host has no route to at all are no failure."""
    site = Site()
    for number in range(40):
        name, v6 = f"n{number}.example", f"2001:db8::{number + 1:x}"
        absent = trail(
            dns(v6, name=name, v6=True),
            tcp(Failure.UNREACHABLE, address=v6, errno=errno.ENETUNREACH),
        )
        site.add(good(name, f"203.0.113.{number}"), absent, host=name)
    sweep = judge(site.recording())
    assert sweep.findings == ()
    assert {one.verdict.outcome for one in sweep.verdicts} == {Outcome.OK}
    assert {one.verdict.flags for one in sweep.verdicts} == {("no_ipv6",)}


def test_outage_explains_what_no_single_cause_does() -> None:
    """Dead in several ways at once, and nothing reached: the uplink is down."""
    site = Site()
    site.add(trail(dns(failure=Failure.TIMEOUT, name="a.example")), host="a.example")
    for name, address in (("b.example", "203.0.113.1"), ("c.example", "203.0.113.2")):
        site.add(trail(tcp(Failure.TIMEOUT, address=address)), host=name)
    assert (only(site).reason, len(only(site).targets)) == ("site_outage", 3)


def test_what_failed_before_is_no_outage_while_a_known_good_host_is_reached() -> None:
    """Probing again only what failed shows no dead line: a control reached the Internet."""
    site = Site()
    site.add(trail(dns(failure=Failure.TIMEOUT, name="a.example")), host="a.example")
    for name, address in (("b.example", "203.0.113.1"), ("c.example", "203.0.113.2")):
        site.add(trail(tcp(Failure.TIMEOUT, address=address)), host=name)
    site.control(ControlKind.KNOWN_GOOD, *good("d.example", "203.0.113.4").observations, subject=None)
    sweep = judge(site.recording())
    assert not {"site_outage", "tcp_egress_all_blocked", "dns_resolver_unreachable"} & {
        *(one.reason for one in sweep.findings),
        *(one.verdict.reason for one in sweep.verdicts),
    }


def test_a_target_is_in_one_finding_at_most() -> None:
    """Findings never overlap, whatever is wrong at the same time."""
    site = Site(clock_offset=86_400.0)
    for number in range(3):
        name = f"r{number}.his.arc.azure.com"
        site.add(reset(name), host=name, pattern=WILDCARD)
        site.add(trail(dns(failure=Failure.TIMEOUT, name=f"d{number}")), host=f"d{number}")
        forged = tls(Failure.VERIFY, sni=f"m{number}", code=20, about=PRIVATE, chain=FORGED)
        site.add(trail(dns(name=f"m{number}"), tcp(), forged), host=f"m{number}")
    site.add(good("b.example"), host="b.example")
    named = [target for one in findings(site) for target in one.targets]
    assert len(named) == len(set(named)) == 9
    assert len({one.id for one in findings(site)}) == len(findings(site))


def test_evidence_can_be_searched_for() -> None:
    """A line holds both ends with ports, the time, the name sent and what was acknowledged."""
    site = Site()
    site.add(reset("a.example"), host="a.example")
    site.add(good("b.example"), host="b.example")
    line = judge(site.recording()).verdicts[0].verdict.evidence[0]
    assert line == (
        "10.20.0.11:40112 -> 203.0.113.9:443 at 2026-11-20T03:10:04.120Z: TCP connected in 12 ms; "
        "517-byte ClientHello with SNI a.example sent, 0 bytes acknowledged; "
        "RST after 20 ms, 0 bytes received"
    )


def test_evidence_shows_a_client_hello_without_a_name() -> None:
    """A probe of a bare address sends no name, and the evidence has no gap for it."""
    site = Site()
    site.add(trail(dns(), tcp(), replace(tls(Failure.RESET), sni="")))
    line = judge(site.recording()).verdicts[0].verdict.evidence[0]
    assert "-byte ClientHello without SNI sent" in line


def test_trail_without_address_or_info_is_described() -> None:
    """Facts that are missing leave gaps, no crash."""
    site = Site()
    site.add(trail(tcp(), tls(Failure.RESET, no_info=True)))
    site.add(trail(tcp(), tls(), http(), attempt=1), host="b.example")
    site.control(ControlKind.SNI_CONTRAST, tcp(), tls(sni="b.example", seen=info(received=10)))
    verdict = judge(site.recording()).verdicts[0].verdict
    assert "acknowledged" not in verdict.evidence[0]
    assert any(line.startswith("control sni_contrast worked") for line in verdict.evidence)


def test_what_ends_in_different_hands_is_no_missing_suffix() -> None:
    """A filtered name and a closed port under one wildcard lack no rule that one team could add."""
    site = Site()
    site.add(good("well.example"), host="well.example", row="well")
    more: dict[str, Any] = {"pattern": "*.zone.example", "sample": SampleKind.DOCUMENTED}
    site.add(
        trail(dns("0.0.0.0", name="a.zone.example"), tcp(Failure.REFUSED, address="0.0.0.0")),
        host="a.zone.example",
        row="a",
        **more,
    )
    closed = tcp(Failure.REFUSED, address="203.0.113.77")
    site.add(
        trail(dns("203.0.113.77", name="b.zone.example"), closed), host="b.zone.example", row="b", **more
    )
    assert "site_suffix_rule_missing" not in {one.reason for one in findings(site)}

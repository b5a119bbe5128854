"""Verdicts that depend on how a conversation compares with the others of its sweep."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.model.observation import Failure, Observation, Phase, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
from egressd.model.verdict import Blame, Confidence, Outcome, Verdict
from tests.attribution.peer_scenes import (
    EARLY,
    LATE,
    QUIET_TIMES,
    at,
    burst,
    concurrency_limited,
    downgraded,
    nxdomain_rewriting,
    stale,
    stale_address,
    unused_proxy,
)
from tests.attribution.recordings import (
    HOST,
    OTHER_ADDRESS,
    RESOLVER,
    Site,
    dns,
    facts,
    good,
    http,
    info,
    reasons,
    tcp,
    tls,
    trail,
)


def first(site: Site) -> Verdict:
    return judge(site.recording()).verdicts[0].verdict


def test_silence_late_in_a_burst_is_a_rate_limit() -> None:
    """The dials that started last got no answer, and every one of them does when repeated slowly."""
    sweep = judge(burst(LATE, EARLY)().recording())
    verdict = sweep.verdicts[0].verdict
    assert (verdict.reason, verdict.outcome, verdict.blame) == (
        "tcp_rate_limited",
        Outcome.DEGRADED,
        Blame.FIREWALL_L3L4,
    )
    assert list(reasons(sweep)) == ["tcp_rate_limited"]


@pytest.mark.parametrize(
    "build",
    [
        burst((1.05, 1.35, 2.0, 2.5), (*EARLY, 2.2, 2.3, 2.4, 2.6)),
        burst(LATE[:2], EARLY),
        burst(LATE, EARLY[:1]),
    ],
    ids=["scattered", "two places", "no burst"],
)
def test_random_silence_is_loss(build: Callable[[], Site]) -> None:
    """Silence anywhere in the order, or too little of it, is a line that loses packets."""
    verdict = first(build())
    assert (verdict.reason, verdict.blame) == ("path_loss", Blame.UPSTREAM_PATH)


def test_silence_that_repeats_is_a_rule() -> None:
    """Silence that repeats is a rule, wherever it stood in the order."""
    assert first(burst(LATE, EARLY, again=False)()).reason == "tcp_ip_blocked_silent"


def test_silence_with_many_open_connections_is_port_exhaustion() -> None:
    """Dials fail while many connections are open and succeed in between: low confidence, blame on the NAT."""
    verdict = first(concurrency_limited())
    assert (verdict.reason, verdict.blame, verdict.confidence) == (
        "nat_ports_exhausted",
        Blame.NAT_DEVICE,
        Confidence.LOW,
    )
    assert first(burst((5.0, 5.1, 15.0, 15.1), QUIET_TIMES)()).reason == "path_loss"


@pytest.mark.parametrize(
    "again", [(), (tcp(Failure.TIMEOUT, address="203.0.113.10"),)], ids=["not", "silent"]
)
def test_repeated_silence_under_a_rate_limit_is_unknown(again: tuple[Observation, ...]) -> None:
    """Where a rate limit is proven, silence may be its effect: no rule is claimed, and none is ruled out."""
    site = burst((*LATE, 2.4), EARLY)()
    site.controls = site.controls[1:]
    if again:
        site.control(ControlKind.REPEAT, *again, address="203.0.113.10")
    verdict = first(site)
    assert (verdict.reason, verdict.outcome) == ("tcp_rate_limited", Outcome.UNKNOWN)
    assert "tcp_ip_blocked_silent" in verdict.also


def test_address_that_answers_another_dial_is_not_blocked() -> None:
    """A SYN carries no name: where another dial reached the same address and port, no rule blocks it."""
    site = Site()
    site.add(trail(dns(), tcp(Failure.TIMEOUT)))
    site.control(ControlKind.REPEAT, tcp(Failure.TIMEOUT))
    site.add(good("works.example"), host="works.example")
    assert (first(site).reason, first(site).outcome) == ("path_loss", Outcome.DEGRADED)


def test_too_many_connections_to_one_address_are_port_exhaustion() -> None:
    """Three connections are open at the address when the others begin: a device has no port left."""
    site = Site()
    for number, moment in enumerate((2.0, 2.01, 2.02, 1.0, 1.01, 1.02)):
        host, quick = f"h{number}.example", moment < 2
        dial = at(moment, tcp(None if quick else Failure.TIMEOUT))
        more = (tls(sni=host), replace(http(), started=dial.started, elapsed_ms=3000.0)) if quick else ()
        site.add(trail(dns(name=host), dial, *more), host=host)
    verdict = first(site)
    assert (verdict.reason, verdict.outcome, verdict.blame) == (
        "nat_ports_exhausted",
        Outcome.DEGRADED,
        Blame.NAT_DEVICE,
    )


def test_many_lost_dials_with_clean_connections_are_a_rate_limit() -> None:
    """Dials at one moment have no order; but a line that loses so many SYNs loses other packets too."""
    site = burst((2.0,) * 4, (2.0,))()
    assert first(site).reason == "path_loss"
    site.records = [
        replace(one, trails=tuple(lossy(two, lost=0) for two in one.trails)) for one in site.records
    ]
    assert first(site).reason == "tcp_rate_limited"


def test_concurrency_limit_at_one_address() -> None:
    """Dials at one moment show no order under load either; clean connections beside them are enough."""
    site = Site()
    for number in range(6):
        host = f"h{number}.example"
        dial = at(1.0, tcp(Failure.TIMEOUT if number < 3 else None))
        more = (tls(sni=host), http()) if number >= 3 else ()
        site.add(lossy(trail(dns(name=host), dial, *more), lost=0), host=host)
    assert first(site).reason == "nat_ports_exhausted"


def test_established_connections_that_lose_packets_are_a_bad_line() -> None:
    """Where established connections retransmit, order is no proof of a limit."""
    site = burst(LATE, EARLY)()
    site.records = [replace(one, trails=tuple(lossy(two) for two in one.trails)) for one in site.records]
    assert first(site).reason == "path_loss"


def lossy(one: Trail, *, lost: int = 2) -> Trail:
    """Return the trail with so many retransmissions after the handshake."""
    facts_of = {Phase.TCP: info(), Phase.TLS: replace(info(), retransmits=lost)}
    seen = tuple(
        replace(two, info=facts_of[two.phase]) if isinstance(two, TcpObservation | TlsObservation) else two
        for two in one.observations
    )
    return replace(one, observations=seen)


def test_stale_address_of_a_name_rule() -> None:
    """Short-lived, silent, and another resolver's address works: a rule learned from DNS may be late."""
    verdict = first(stale_address())
    assert verdict.reason == "tcp_some_ips_blocked"
    assert "tcp_fqdn_rule_stale_ip" in verdict.also


def test_long_ttl_is_no_sign_of_a_stale_rule() -> None:
    """An hour is enough to refresh a list of addresses; one resolver alone proves nothing either."""
    assert "tcp_fqdn_rule_stale_ip" not in first(stale_address(ttl=3600)).also
    assert "tcp_fqdn_rule_stale_ip" not in first(stale_address(second=RESOLVER)).also


def test_older_tls_version_by_inspection() -> None:
    """The verdict names the device's older version, and the exemption of other names."""
    verdict = first(downgraded())
    assert verdict.reason == "tls_mitm_trusted"
    assert "tls_version_downgraded" in verdict.also
    assert "tls_mitm_partial" in verdict.flags


def test_older_tls_version_of_the_server_is_no_fault() -> None:
    """Under a public chain TLS 1.2 is the server's own choice: no device can have changed it."""
    site = Site()
    site.add(trail(dns(), tcp(), replace(tls(), version="TLSv1.2"), http()))
    site.add(good("weu.his.arc.azure.com", OTHER_ADDRESS), host="weu.his.arc.azure.com")
    verdict = first(site)
    assert (verdict.outcome, verdict.also, verdict.flags) == (Outcome.OK, (), ())


def test_blanket_inspection_is_not_partial() -> None:
    """Where no chain leads to a public root there is no exemption list."""
    site = Site()
    site.add(trail(dns(), tcp(), tls(about=facts(False, True)), http()))
    assert "tls_mitm_partial" not in first(site).flags


def test_nxdomain_rewriting_is_a_finding() -> None:
    """One address for labels of two zones: the resolver is named, and its targets are explained."""
    sweep = judge(nxdomain_rewriting().recording())
    (finding,) = sweep.findings
    assert (finding.reason, finding.confidence, finding.targets) == (
        "dns_nxdomain_rewritten",
        Confidence.CONFIRMED,
        (),
    )
    assert RESOLVER in finding.advice
    assert all("egressd-probe-0badcafe" in line for line in finding.evidence)
    assert sweep.verdicts[0].verdict.reason == "dns_nxdomain_rewritten"


def test_wildcard_zone_is_no_nxdomain_rewriting() -> None:
    """One zone that answers every name, or an address where the right server answers, proves nothing."""
    site = nxdomain_rewriting()
    site.controls = site.controls[:1]
    assert "dns_nxdomain_rewritten" not in reasons(judge(site.recording()))
    assert list(reasons(judge(nxdomain_rewriting(reached=True).recording()))) == []


@pytest.mark.parametrize(
    ("headers", "old"),
    [
        ({"date": "Fri, 20 Nov 2026 01:00:00 GMT"}, True),
        ({"date": "Fri, 20 Nov 2026 03:00:00 GMT"}, False),
        ({"date": "Fri, 20 Nov 2026 01:00:00 GMT", "cache_control": "public, max-age=86400"}, False),
        ({"age": "2592000"}, True),
        ({"age": "2592000", "cache_control": "max-age=31536000"}, False),
        ({"age": "90000", "cache_control": "s-maxage=60, max-age=31536000"}, True),
        ({"age": "2592000", "x_azure_ref": "0abc"}, False),
        ({"age": "-5", "date": "yesterday"}, False),
        ({"age": "9" * 400, "date": "Fri, 20 Nov 9999999 01:00:00 GMT"}, False),
    ],
)
def test_stale_answer(headers: dict[str, str], old: bool) -> None:
    """Old by the clock of other hosts, or older than the server allowed; malformed headers are no age."""
    verdict = first(stale(**headers)())
    assert verdict.reason == ("http_stale_cache" if old else None)


def test_old_date_needs_other_clocks() -> None:
    """Where no two other hosts agree on the time, this host's clock may be wrong."""
    site = stale(date="Fri, 20 Nov 2026 01:00:00 GMT")()
    site.clock_readings = site.clock_readings[:1]
    assert first(site).reason is None
    site = stale(date="Fri, 20 Nov 2026 01:00:00 GMT")()
    site.clock_readings = tuple(replace(one, host=HOST) for one in site.clock_readings)
    assert first(site).reason is None


def test_silence_everywhere_may_be_a_local_firewall() -> None:
    """A local drop looks the same from here: it is a note of the verdict, and not ruled out."""
    verdict = first(unused_proxy())
    assert verdict.reason == "tcp_egress_all_blocked"
    assert {"local_firewall_drop_tcp", "local_proxy_config_mismatch"} <= set(verdict.also)
    assert "local_firewall_not_ruled_out" in verdict.flags


def test_one_silent_host_is_no_local_firewall() -> None:
    """Silence of a single address does not suggest a local rule."""
    site = Site()
    site.add(trail(dns(), tcp(Failure.TIMEOUT)))
    site.add(good("works.example", OTHER_ADDRESS), host="works.example")
    verdict = first(site)
    assert "local_firewall_drop_tcp" not in verdict.also
    assert "local_firewall_not_ruled_out" not in verdict.flags


def test_unused_proxy_variable_is_a_finding() -> None:
    """The names of the variables are shown; no finding where all works, or a proxy is configured."""
    sweep = judge(unused_proxy().recording())
    (finding,) = [one for one in sweep.findings if one.reason == "local_proxy_config_mismatch"]
    assert "https_proxy" in finding.evidence[0]
    site = Site()
    site.proxy_variables = ("https_proxy",)
    site.add(good())
    assert judge(site.recording()).findings == ()

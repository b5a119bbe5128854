"""What a conversation means beside the others of its sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from egressd.attribution import judge
from egressd.model.observation import Failure, Observation, Phase, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
from egressd.model.verdict import Blame, Confidence, Outcome, Verdict
from tests.attribution.peer_scenes import (
    EARLY,
    LATE,
    LULLS,
    at,
    downgraded,
    inventing,
    loaded,
    stale,
    stale_address,
    swept,
    untold,
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


def test_silence_after_a_burst_is_a_limit() -> None:
    """Those that started last got no answer, and every one of them does when asked slowly."""
    sweep = judge(swept(LATE, EARLY)().recording())
    told = sweep.verdicts[0].verdict
    assert (told.reason, told.outcome, told.blame) == (
        "tcp_rate_limited",
        Outcome.DEGRADED,
        Blame.FIREWALL_L3L4,
    )
    assert list(reasons(sweep)) == ["tcp_rate_limited"]


@pytest.mark.parametrize(
    "build",
    [
        swept((1.05, 1.35, 2.0, 2.5), (*EARLY, 2.2, 2.3, 2.4, 2.6)),
        swept(LATE[:2], EARLY),
        swept(LATE, EARLY[:1]),
    ],
    ids=["scattered", "two places", "no burst"],
)
def test_chance_is_loss(build: Callable[[], Site]) -> None:
    """Silence anywhere in the order, or too little of it, is a line that loses packets."""
    told = first(build())
    assert (told.reason, told.blame) == ("path_loss", Blame.UPSTREAM_PATH)


def test_silence_that_stays_is_a_rule() -> None:
    """What is silent when asked again as well is blocked, wherever it stood in the order."""
    assert first(swept(LATE, EARLY, again=False)()).reason == "tcp_ip_blocked_silent"


def test_silence_under_load_is_a_lack_of_ports() -> None:
    """Dials fail while many connections are open and work in the lulls between: low, and of the NAT."""
    told = first(loaded())
    assert (told.reason, told.blame, told.confidence) == (
        "nat_ports_exhausted",
        Blame.NAT_DEVICE,
        Confidence.LOW,
    )
    assert first(swept((5.0, 5.1, 15.0, 15.1), LULLS)()).reason == "path_loss"


@pytest.mark.parametrize(
    "again", [(), (tcp(Failure.TIMEOUT, address="203.0.113.10"),)], ids=["not", "silent"]
)
def test_what_stays_silent_under_a_limit_is_unknown(again: tuple[Observation, ...]) -> None:
    """Where a limit is proven, silence may be the limit's: no rule is claimed, and none is ruled out."""
    site = swept((*LATE, 2.4), EARLY)()
    site.controls = site.controls[1:]
    if again:
        site.control(ControlKind.REPEAT, *again, address="203.0.113.10")
    told = first(site)
    assert (told.reason, told.outcome) == ("tcp_rate_limited", Outcome.UNKNOWN)
    assert "tcp_ip_blocked_silent" in told.also


def test_an_address_that_answers_beside_is_not_blocked() -> None:
    """A SYN has no name: where another dial reached the same address and port, none is forbidden."""
    site = Site()
    site.add(trail(dns(), tcp(Failure.TIMEOUT)))
    site.control(ControlKind.REPEAT, tcp(Failure.TIMEOUT))
    site.add(good("works.example"), host="works.example")
    assert (first(site).reason, first(site).outcome) == ("path_loss", Outcome.DEGRADED)


def test_too_many_at_one_address_are_a_lack_of_ports() -> None:
    """Three are open at the address when the others begin: a device has no port left for it."""
    site = Site()
    for number, moment in enumerate((2.0, 2.01, 2.02, 1.0, 1.01, 1.02)):
        host, quick = f"h{number}.example", moment < 2
        dial = at(moment, tcp(None if quick else Failure.TIMEOUT))
        more = (tls(sni=host), replace(http(), started=dial.started, elapsed_ms=3000.0)) if quick else ()
        site.add(trail(dns(name=host), dial, *more), host=host)
    told = first(site)
    assert (told.reason, told.outcome, told.blame) == (
        "nat_ports_exhausted",
        Outcome.DEGRADED,
        Blame.NAT_DEVICE,
    )


def test_many_lost_dials_beside_sound_connections_are_a_limit() -> None:
    """All at once, there is no order to see; but a line that loses so many SYNs loses other packets too."""
    site = swept((2.0,) * 4, (2.0,))()
    assert first(site).reason == "path_loss"
    site.records = [
        replace(one, trails=tuple(lossy(two, lost=0) for two in one.trails)) for one in site.records
    ]
    assert first(site).reason == "tcp_rate_limited"


def test_too_many_at_once_at_one_address() -> None:
    """In one and the same moment load shows no order either; sound connections beside them are enough."""
    site = Site()
    for number in range(6):
        host = f"h{number}.example"
        dial = at(1.0, tcp(Failure.TIMEOUT if number < 3 else None))
        more = (tls(sni=host), http()) if number >= 3 else ()
        site.add(lossy(trail(dns(name=host), dial, *more), lost=0), host=host)
    assert first(site).reason == "nat_ports_exhausted"


def test_connections_that_lose_packets_are_a_bad_line() -> None:
    """Where established connections have to send again, order is no proof of a limit."""
    site = swept(LATE, EARLY)()
    site.records = [replace(one, trails=tuple(lossy(two) for two in one.trails)) for one in site.records]
    assert first(site).reason == "path_loss"


def lossy(one: Trail, *, lost: int = 2) -> Trail:
    """The same trail, with so many segments sent again after the handshake."""
    facts_of = {Phase.TCP: info(), Phase.TLS: replace(info(), retransmits=lost)}
    seen = tuple(
        replace(two, info=facts_of[two.phase]) if isinstance(two, TcpObservation | TlsObservation) else two
        for two in one.observations
    )
    return replace(one, observations=seen)


def test_an_address_that_a_rule_forgot() -> None:
    """Short-lived, silent, and another resolver's address works: a rule learned from DNS may be late."""
    told = first(stale_address())
    assert told.reason == "tcp_some_ips_blocked"
    assert "tcp_fqdn_rule_stale_ip" in told.also


def test_an_address_that_lives_long_is_no_such_sign() -> None:
    """An hour is time enough for a list to be renewed; one resolver alone says nothing either."""
    assert "tcp_fqdn_rule_stale_ip" not in first(stale_address(ttl=3600)).also
    assert "tcp_fqdn_rule_stale_ip" not in first(stale_address(second=RESOLVER)).also


def test_an_older_version_behind_inspection() -> None:
    """Beside what the device does, its version is named; and that it lets others be."""
    told = first(downgraded())
    assert told.reason == "tls_mitm_trusted"
    assert "tls_version_downgraded" in told.also
    assert "tls_mitm_partial" in told.flags


def test_an_older_version_of_the_server_itself_is_fine() -> None:
    """Under a public chain TLS 1.2 is the server's own choice: nobody can have changed it."""
    site = Site()
    site.add(trail(dns(), tcp(), replace(tls(), version="TLSv1.2"), http()))
    site.add(good("weu.his.arc.azure.com", OTHER_ADDRESS), host="weu.his.arc.azure.com")
    told = first(site)
    assert (told.outcome, told.also, told.flags) == (Outcome.OK, (), ())


def test_blanket_inspection_is_not_partial() -> None:
    """Where no chain leads to a public root there is no exemption list."""
    site = Site()
    site.add(trail(dns(), tcp(), tls(about=facts(False, True)), http()))
    assert "tls_mitm_partial" not in first(site).flags


def test_invented_answers_are_a_finding() -> None:
    """One address for labels of two zones: the resolver is named, and what leads there is explained."""
    sweep = judge(inventing().recording())
    (finding,) = sweep.findings
    assert (finding.reason, finding.confidence, finding.targets) == (
        "dns_nxdomain_rewritten",
        Confidence.CONFIRMED,
        (),
    )
    assert RESOLVER in finding.advice
    assert all("egressd-probe-0badcafe" in line for line in finding.evidence)
    assert sweep.verdicts[0].verdict.reason == "dns_nxdomain_rewritten"


def test_a_wildcard_zone_is_no_invention() -> None:
    """One zone that answers every name, or an address where the right server answers, proves nothing."""
    site = inventing()
    site.controls = site.controls[:1]
    assert "dns_nxdomain_rewritten" not in reasons(judge(site.recording()))
    assert list(reasons(judge(inventing(reached=True).recording()))) == []


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
def test_an_old_answer(headers: dict[str, str], old: bool) -> None:
    """Old by the time others tell, or older than the server allowed; nonsense is no age."""
    told = first(stale(**headers)())
    assert told.reason == ("http_stale_cache" if old else None)


def test_an_old_date_needs_witnesses() -> None:
    """Where no two other hosts agree on the time, the clock may be ours that is wrong."""
    site = stale(date="Fri, 20 Nov 2026 01:00:00 GMT")()
    site.clock_readings = site.clock_readings[:1]
    assert first(site).reason is None
    site = stale(date="Fri, 20 Nov 2026 01:00:00 GMT")()
    site.clock_readings = tuple(replace(one, host=HOST) for one in site.clock_readings)
    assert first(site).reason is None


def test_silence_everywhere_may_be_of_this_host() -> None:
    """From here a local drop looks the same: it is named beside the verdict, and not ruled out."""
    told = first(untold())
    assert told.reason == "tcp_egress_all_blocked"
    assert {"local_firewall_drop_tcp", "local_proxy_config_mismatch"} <= set(told.also)
    assert "local_firewall_not_ruled_out" in told.flags


def test_a_silent_host_among_others_is_not_of_this_host() -> None:
    """A local rule for one address is not thought of first."""
    site = Site()
    site.add(trail(dns(), tcp(Failure.TIMEOUT)))
    site.add(good("works.example", OTHER_ADDRESS), host="works.example")
    told = first(site)
    assert "local_firewall_drop_tcp" not in told.also
    assert "local_firewall_not_ruled_out" not in told.flags


def test_a_proxy_nobody_told_us_of_is_a_finding() -> None:
    """The names of the variables are shown; where all works, or a proxy is set, nothing is said."""
    sweep = judge(untold().recording())
    (finding,) = [one for one in sweep.findings if one.reason == "local_proxy_config_mismatch"]
    assert "https_proxy" in finding.evidence[0]
    site = Site()
    site.proxy_variables = ("https_proxy",)
    site.add(good())
    assert judge(site.recording()).findings == ()

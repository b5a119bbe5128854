"""Follow-up controls are planned where they tell explanations apart, and they are few."""

from __future__ import annotations

import errno
import gc
from typing import Any

import pytest
from msgspec.structs import replace

from egressd.attribution import judge, plan_followups
from egressd.attribution.control_results.contrast import ROUNDS
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.followups import PER_PROBE, PER_SWEEP
from egressd.attribution.followups.failure import LOOKS_PER_SWEEP, OUTAGES_PER_SWEEP, REPEATS_PER_SWEEP
from egressd.attribution.followups.repeats import LEAST_TRIES, MOST_TRIES
from egressd.model.observation import Failure, Observation
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.settings import Family, Limits
from tests.attribution.cases import NXDOMAIN, PRIVATE, UNACKED, alone, dns_dead, solitary
from tests.attribution.recordings import (
    ADDRESS,
    HOST,
    OTHER_ADDRESS,
    RESOLVER,
    Site,
    dns,
    good,
    http,
    tcp,
    tls,
    trail,
)

SAMPLED = (ControlKind.LARGE_HELLO, ControlKind.SNI_LAST, ControlKind.NO_SNI, ControlKind.REVOCATION)
"""Controls that are planned without a failure; see test_sampling.py."""


def planned(site: Site) -> list[ControlPlan]:
    return [one for one in plan_followups(site.recording()) if one.kind not in SAMPLED]


def kinds(site: Site) -> list[ControlKind]:
    return [one.kind for one in planned(site)]


def test_no_controls_where_nothing_failed() -> None:
    """A sweep without failures needs no controls."""
    site = Site()
    site.add(good())
    assert planned(site) == []


def test_what_was_compared_is_no_garbage() -> None:
    """Planning and judging let go of a recording at once: of 20,000 targets it is most of the memory."""
    recording = alone(dns(), tcp(Failure.TIMEOUT))().recording()
    gc.collect()
    gc.disable()
    try:
        held = _indexes()  # by other tests
        assert plan_followups(recording)
        judge(recording)
        assert len(_indexes()) == len(held)
    finally:
        gc.enable()


def _indexes() -> list[SweepIndex]:
    return [one for one in gc.get_objects() if isinstance(one, SweepIndex)]


def test_silent_dial_is_repeated_and_tried_on_another_port() -> None:
    """Silence on 443 plans a repeat and a dial to port 80 of the same address."""
    repeat, other = planned(alone(dns(), tcp(Failure.TIMEOUT))())
    assert (repeat.kind, repeat.address, repeat.port) == (ControlKind.REPEAT, ADDRESS, 443)
    assert (other.kind, other.address, other.port) == (ControlKind.PORT_CONTRAST, ADDRESS, 80)


def test_refused_dial_is_repeated() -> None:
    """A refusal may be one front end of many; an open port beside it would tell nothing."""
    (repeat,) = planned(alone(dns(), tcp(Failure.REFUSED))())
    assert (repeat.kind, repeat.tries) == (ControlKind.REPEAT, MOST_TRIES)


def repeated(*seen: Observation) -> Site:
    """Return a site whose target failed, and failed again in every repeat."""
    site = alone(dns(), *seen)()
    site.control(ControlKind.REPEAT, *seen, rounds=3)
    return site


def test_explicit_failure_is_repeated_before_anything_is_compared() -> None:
    """A RST costs nothing: ten more come first."""
    (repeat,) = planned(alone(dns(), tcp(), tls(Failure.RESET, seen=UNACKED))())
    assert (repeat.kind, repeat.address, repeat.tries) == (ControlKind.REPEAT, ADDRESS, MOST_TRIES)


def test_reset_client_hello_is_compared_with_a_name_that_works() -> None:
    """The name to compare with is one that got an answer elsewhere; three rounds exclude chance."""
    (contrast,) = planned(repeated(tcp(), tls(Failure.RESET, seen=UNACKED)))
    assert (contrast.kind, contrast.host) == (ControlKind.SNI_CONTRAST, "works.example")
    assert (contrast.address, contrast.port, contrast.tries) == (ADDRESS, 443, ROUNDS)


def test_what_sometimes_works_is_compared_with_nothing() -> None:
    """Whatever another name did, chance would explain it."""
    site = alone(dns(), tcp(), tls(Failure.RESET))()
    site.control(ControlKind.REPEAT, tcp(), tls(Failure.RESET))
    site.control(ControlKind.REPEAT, tcp(), tls(), http())
    assert planned(site) == []


def test_known_answer_to_another_name_is_held_in_rounds_too() -> None:
    """That another probe saw an answer once excludes no chance."""
    site = Site()
    site.add(trail(dns(), tcp(), tls(Failure.RESET, seen=UNACKED)))
    site.add(good("b.example"), host="b.example")
    site.control(ControlKind.REPEAT, tcp(), tls(Failure.RESET, seen=UNACKED), rounds=3)
    (contrast,) = planned(site)
    assert (contrast.kind, contrast.host, contrast.tries) == (ControlKind.SNI_CONTRAST, "b.example", ROUNDS)


def test_acknowledged_silence_is_tried_with_small_segments() -> None:
    """A ClientHello that was acknowledged and not answered may be a lost full-size packet."""
    found = kinds(alone(dns(), tcp(), tls(Failure.TIMEOUT))())
    assert found == [ControlKind.REPEAT, ControlKind.SNI_CONTRAST, ControlKind.SMALL_MSS]


def test_failing_address_beside_a_working_one_is_looked_into() -> None:
    """Clients do not fall back once TCP connected, so that one address is as bad as all."""
    site = Site()
    reset = tls(Failure.RESET, seen=UNACKED)
    site.add(
        trail(dns(ADDRESS, OTHER_ADDRESS), tcp(), reset),
        trail(dns(ADDRESS, OTHER_ADDRESS), tcp(address=OTHER_ADDRESS), tls(), http()),
    )
    site.add(good("works.example", "203.0.113.90"), host="works.example")
    (repeat,) = planned(site)
    assert (repeat.kind, repeat.address) == (ControlKind.REPEAT, ADDRESS)
    site.control(ControlKind.REPEAT, tcp(), reset, rounds=3)
    assert kinds(site) == [ControlKind.SNI_CONTRAST]


def test_family_that_this_host_lacks_is_not_looked_into() -> None:
    """Its addresses can't but fail."""
    unroutable = tcp(Failure.UNREACHABLE, address="2001:db8::9", errno=errno.ENETUNREACH)
    site = Site()
    site.add(good(), trail(dns("2001:db8::9", v6=True), unroutable))
    assert planned(site) == []


def test_silence_of_a_whole_family_is_sampled() -> None:
    """Repeating every target would show the same again."""
    site = Site()
    for number in range(30):
        name, address = f"n{number}.example", f"203.0.113.{number}"
        site.add(trail(dns(address, name=name), tcp(Failure.TIMEOUT, address=address)), host=name)
    assert kinds(site).count(ControlKind.REPEAT) == OUTAGES_PER_SWEEP


def test_more_failures_share_the_tries() -> None:
    """A sweep in which everything fails stays bounded."""
    site = Site()
    for number in range(200):
        name, address = f"n{number}.example", f"203.0.113.{number}"
        site.add(
            trail(dns(address, name=name), tcp(address=address), tls(Failure.RESET, sni=name)), host=name
        )
    found = planned(site)
    assert {one.tries for one in found} == {LEAST_TRIES}
    assert len(found) == REPEATS_PER_SWEEP


def test_bad_chain_is_repeated() -> None:
    """One of many front ends may have the wrong certificate."""
    assert kinds(alone(dns(), tcp(), tls(Failure.VERIFY, code=10))()) == [ControlKind.REPEAT]


def test_forged_session_is_inspected() -> None:
    """A chain that leads to no public root gets one request inside its session, at the same address."""
    (control,) = planned(repeated(tcp(), tls(Failure.VERIFY, code=20, about=PRIVATE)))
    assert (control.kind, control.host, control.address) == (ControlKind.LOOK_INSIDE, HOST, ADDRESS)


def test_looks_inside_are_limited_per_sweep() -> None:
    """A device that inspects every name leaves room for other controls."""
    site = Site()
    for number in range(30):
        name, address = f"n{number}.example", f"203.0.113.{number}"
        forged = tls(Failure.VERIFY, code=20, about=PRIVATE, sni=name)
        site.add(trail(dns(address, name=name), tcp(address=address), forged), host=name)
        site.control(ControlKind.REPEAT, tcp(address=address), forged, subject=number, address=address)
    looks = [one for one in planned(site) if one.kind is ControlKind.LOOK_INSIDE]
    assert len(looks) == LOOKS_PER_SWEEP


def test_segment_sizes_are_tried_one_after_the_other() -> None:
    """Where 1200 bytes show nothing, 536 follow."""
    site = alone(dns(), tcp(), tls(Failure.TIMEOUT))()
    first = next(one for one in planned(site) if one.kind is ControlKind.SMALL_MSS)
    site.control(ControlKind.SMALL_MSS, tcp(max_segment=1200), tls(Failure.TIMEOUT))
    second = next(one for one in planned(site) if one.kind is ControlKind.SMALL_MSS)
    assert (first.max_segment, second.max_segment) == (1200, 536)
    assert first.id != second.id


@pytest.mark.parametrize("allowed", [False, True])
def test_hops_are_counted_only_where_allowed(allowed: bool) -> None:
    """A lasting refusal is located hop by hop, if the configuration permits it."""
    site = alone(dns(), tcp(Failure.REFUSED))()
    site.limits = Limits(ttl_sweep=allowed)
    assert kinds(site) == [ControlKind.REPEAT]
    site.control(ControlKind.REPEAT, tcp(Failure.REFUSED))
    assert ControlKind.HOPS not in kinds(site) or allowed
    assert kinds(site).count(ControlKind.HOPS) == (1 if allowed else 0)


def test_hops_need_a_second_refusal() -> None:
    """One refusal may be a server that restarts: no hops without a second one."""
    site = alone(dns(), tcp(Failure.REFUSED))()
    site.limits = Limits(ttl_sweep=True)
    assert ControlKind.HOPS not in kinds(site)


def test_dead_resolver_gets_one_control() -> None:
    """A hundred unanswered names need one control of the resolver."""
    (control,) = planned(dns_dead(count=100, failure=Failure.TIMEOUT)())
    assert (control.kind, control.resolver) == (ControlKind.KNOWN_NAME, RESOLVER)
    assert (control.address, control.port) == ("10.0.0.53", 53)


def test_filtered_name_is_compared_with_a_sibling() -> None:
    """A missing name without its zone's SOA plans a lookup of a sibling label."""
    (control,) = planned(solitary(dns(soa=False, **NXDOMAIN))())
    assert (control.kind, control.host) == (
        ControlKind.SIBLING_NAME,
        "egressd-control.his.arc.azure.com",
    )


def test_dropped_name_is_compared_with_a_sibling() -> None:
    """A name without an answer, where others get one, plans a lookup in its zone, and the same one later."""
    found = planned(alone(dns(failure=Failure.TIMEOUT))())
    assert [(one.kind, one.host) for one in found] == [
        (ControlKind.SIBLING_NAME, "egressd-control.his.arc.azure.com"),
        (ControlKind.DNS_REPEAT, HOST),
    ]


def test_silent_type_is_asked_for_again() -> None:
    """A resolver that recurses for AAAA only now is no filter; the target itself works."""
    site = Site()
    site.add(good(), trail(dns(failure=Failure.TIMEOUT, v6=True)))
    (control,) = planned(site)
    assert (control.kind, control.host, control.family) == (ControlKind.DNS_REPEAT, HOST, Family.IPV6)


def test_empty_answer_is_compared_with_the_other_family() -> None:
    """Only where nobody asked for it: two empty answers say all there is to say."""
    nodata: dict[str, Any] = {"failure": Failure.NODATA, "soa": True}
    asked_for_one, asked_for_both = Site(), Site()
    asked_for_one.add(trail(dns(**nodata)))
    asked_for_both.add(trail(dns(**nodata)), trail(dns(v6=True, **nodata)))
    (control,) = planned(asked_for_one)
    assert (control.kind, control.family) == (ControlKind.OTHER_FAMILY, Family.IPV6)
    assert planned(asked_for_both) == []


@pytest.mark.parametrize(
    "seen",
    [
        (dns(soa=True, **NXDOMAIN),),
        (dns("198.18.0.7"), tcp(Failure.TIMEOUT, address="198.18.0.7")),
        (dns("127.0.0.1"), tcp(Failure.REFUSED, address="127.0.0.1")),
    ],
)
def test_denied_or_wrong_name_is_asked_of_an_address_without_dns(seen: tuple[Observation, ...]) -> None:
    """Whoever injects answers on the way does so for any address; one query for the name shows it."""
    base = ControlPlan(
        id="default|testnet_dns",
        kind=ControlKind.TESTNET_DNS,
        source="default",
        why="",
        host="example.com",
        address="192.0.2.53",
        port=53,
    )
    site = solitary(*seen)()
    assert ControlKind.TESTNET_DNS not in kinds(site)
    site.base_controls = (base,)
    (control,) = (one for one in planned(site) if one.kind is ControlKind.TESTNET_DNS)
    assert (control.host, control.address, control.subject) == (HOST, "192.0.2.53", site.probes[0].id)


def test_wildcard_is_told_from_rewriting_by_an_unrelated_zone() -> None:
    """A label of the zone that has the name's address is no proof; one of another zone would be."""
    site = repeated(tcp(), tls(Failure.VERIFY, code=62))
    site.control(ControlKind.SIBLING_NAME, dns(name="egressd-control.his.arc.azure.com"), address="10.0.0.53")
    found = [one.host for one in planned(site) if one.kind is ControlKind.SIBLING_NAME]
    assert "egressd-control.example.com" in found


def test_absent_name_needs_no_control() -> None:
    """An NXDOMAIN with the zone's SOA needs no proof."""
    assert planned(solitary(dns(soa=True, **NXDOMAIN))()) == []


def test_wrong_server_is_checked_for_nxdomain_rewriting() -> None:
    """A certificate for another name plans a lookup of a sibling label, to see whether it leads there too."""
    (control,) = planned(repeated(tcp(), tls(Failure.VERIFY, code=62)))
    assert (control.kind, control.host) == (
        ControlKind.SIBLING_NAME,
        "egressd-control.his.arc.azure.com",
    )


def test_redirected_dial_is_repeated_at_the_dialled_address() -> None:
    """Controls go to the address that was dialled."""
    site = Site()
    seen = (dns(), tcp(address="127.0.0.1", port=10443), tls(Failure.RESET))
    site.add(trail(*seen, redirected=True))
    site.add(good("b.example", OTHER_ADDRESS), host="b.example")
    assert {(one.address, one.port) for one in planned(site)} == {("127.0.0.1", 10443)}


def test_followups_are_limited_and_unique() -> None:
    """A hundred different failures plan forty comparisons at most, few for each, all with their own ids."""
    site = Site()
    for number in range(100):
        name, address = f"n{number}.example", f"203.0.113.{number}"
        site.add(
            trail(dns(address, name=name), tcp(address=address), tls(Failure.TIMEOUT, sni=name)), host=name
        )
    every = planned(site)
    found = [one for one in every if one.kind is not ControlKind.REPEAT]
    assert len(found) == PER_SWEEP
    assert len(every) == PER_SWEEP + REPEATS_PER_SWEEP
    assert len({one.id for one in every}) == len(every)
    assert max(sum(one.subject == probe.id for one in found) for probe in site.probes) <= PER_PROBE


def test_control_that_ran_is_not_planned_again() -> None:
    """A control that ran is not planned twice under the same id."""
    site = alone(dns(), tcp(Failure.TIMEOUT))()
    first = planned(site)[0]
    site.control(first.kind, tcp(Failure.TIMEOUT))
    done = site.recording().controls[0].kind
    assert done is first.kind
    assert first.id not in {one.id for one in planned(site) if one.kind is not first.kind}


def test_redirects_to_other_hosts_are_followed_once() -> None:
    """One control for each other host, none for a host that is probed anyway or for the host itself."""
    site = Site()
    places = ("https://far.example/a", "https://far.example/b", f"https://{HOST}/", "https://probed.example/")
    for number, place in enumerate(places):
        name = f"h{number}.example"
        moved = replace(http(302), host=name, redirect=place)
        site.add(trail(dns(name=name), tcp(), tls(sni=name), moved), host=name)
    site.add(good("probed.example"), host="probed.example")
    found = [one for one in plan_followups(site.recording()) if one.kind is ControlKind.REDIRECT]
    assert [(one.host, one.port, one.url) for one in found] == [
        ("far.example", 443, "https://far.example/a"),
        (HOST, 443, f"https://{HOST}/"),
    ]


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1/",
        "http://169.254.169.254/x",
        "http://10.0.0.1/",
        "https://far.example:8443/",
        "http://wiki/",
    ],
)
def test_redirects_to_places_inside_are_not_followed(place: str) -> None:
    """Whoever answers could otherwise let this host ask its own services."""
    site = Site()
    site.add(trail(dns(), tcp(), tls(), replace(http(302), headers=(("location", place),), redirect=place)))
    assert ControlKind.REDIRECT not in {one.kind for one in plan_followups(site.recording())}


@pytest.mark.parametrize(
    ("ends", "dead"),
    [
        ((("/a", "https://far.example/b"), ("/b", "https://far.example:443/a")), True),
        ((("/a", "http://127.0.0.1/"),), False),
        ((("/a", "https://far.example/b"), ("/b", None)), False),
    ],
)
def test_a_redirect_not_followed_is_no_dead_end(ends: tuple[tuple[str, str | None], ...], dead: bool) -> None:
    """A circle is one; where egressd did not go, it knows nothing."""
    site = Site()
    site.add(
        trail(
            dns(),
            tcp(),
            tls(),
            replace(
                http(302), headers=(("location", "https://far.example/a"),), redirect="https://far.example/a"
            ),
        )
    )
    site.control(ControlKind.REDIRECT, address=None, host="far.example", port=443)
    hops = [
        trail(dns(), tcp(), tls(), replace(http(302), host="far.example", url_path=path, redirect=to))
        for path, to in ends
    ]
    site.controls[-1] = replace(site.controls[-1], trails=tuple(hops))
    (found,) = judge(site.recording()).verdicts
    assert ("http_redirect_dead_end" in found.verdict.also) is dead


def test_http2_that_fails_is_compared_with_http1() -> None:
    """Once repeats agree, and in rounds; HTTP/1.1 that fails is compared with nothing."""
    for version, expected in (("2", [ControlKind.HTTP1]), ("1.1", [])):
        site = Site()
        broken = replace(http(failure=Failure.HTTP2_ERROR), version=version)
        site.add(trail(dns(), tcp(), tls(), broken))
        site.control(ControlKind.REPEAT, dns(), tcp(), tls(), broken)
        found = [one.kind for one in plan_followups(site.recording()) if one.kind is ControlKind.HTTP1]
        assert found == expected


@pytest.mark.parametrize(
    ("host", "dead"),
    [
        ("www..broken.example", True),
        (f"{'a' * 64}.example", True),
        ("127.0.0.1", False),
        ("far.example", False),
    ],
)
def test_a_redirect_to_what_is_no_name_is_a_dead_end(host: str, dead: bool) -> None:
    """Nobody has to go there to know; everything else that is not followed is not known."""
    site = Site()
    place = f"https://{host}/"
    site.add(trail(dns(), tcp(), tls(), replace(http(302), headers=(("location", place),), redirect=place)))
    (found,) = judge(site.recording()).verdicts
    assert ("http_redirect_dead_end" in found.verdict.also) is dead

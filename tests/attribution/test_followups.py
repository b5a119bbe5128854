"""Follow-up controls are planned where they tell explanations apart, and they are few."""

from __future__ import annotations

import pytest

from egressd.attribution import plan_followups
from egressd.attribution.followups import PER_PROBE, PER_SWEEP
from egressd.attribution.followups.failure import LOOKS_PER_SWEEP
from egressd.model.observation import Failure
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.settings import Limits
from tests.attribution.cases import NXDOMAIN, PRIVATE, UNACKED, alone, dns_dead, solitary
from tests.attribution.recordings import (
    ADDRESS,
    HOST,
    OTHER_ADDRESS,
    RESOLVER,
    Site,
    dns,
    good,
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


def test_silent_dial_is_repeated_and_tried_on_another_port() -> None:
    """Silence on 443 plans a repeat and a dial to port 80 of the same address."""
    repeat, other = planned(alone(dns(), tcp(Failure.TIMEOUT))())
    assert (repeat.kind, repeat.address, repeat.port) == (ControlKind.REPEAT, ADDRESS, 443)
    assert (other.kind, other.address, other.port) == (ControlKind.PORT_CONTRAST, ADDRESS, 80)


def test_refused_dial_needs_no_control() -> None:
    """An explicit answer needs no repeat."""
    assert planned(alone(dns(), tcp(Failure.REFUSED))()) == []


def test_reset_client_hello_is_compared_with_a_name_that_works() -> None:
    """The name to compare with is one that got an answer elsewhere."""
    contrast, repeat = planned(alone(dns(), tcp(), tls(Failure.RESET, seen=UNACKED))())
    assert (contrast.kind, contrast.host) == (ControlKind.SNI_CONTRAST, "works.example")
    assert (contrast.address, contrast.port) == (ADDRESS, 443)
    assert repeat.kind is ControlKind.REPEAT


def test_known_contrast_is_not_repeated() -> None:
    """Another probe already showed that another name is answered at the address."""
    site = Site()
    site.add(trail(dns(), tcp(), tls(Failure.RESET, seen=UNACKED)))
    site.add(good("b.example"), host="b.example")
    assert kinds(site) == [ControlKind.REPEAT]


def test_acknowledged_silence_is_tried_with_small_segments() -> None:
    """A ClientHello that was acknowledged and not answered may be a lost full-size packet."""
    found = kinds(alone(dns(), tcp(), tls(Failure.TIMEOUT))())
    assert found == [ControlKind.SNI_CONTRAST, ControlKind.SMALL_MSS, ControlKind.REPEAT]


def test_bad_chain_needs_no_control() -> None:
    """A chain names its issuer."""
    assert planned(alone(dns(), tcp(), tls(Failure.VERIFY, code=10))()) == []


def test_forged_session_is_inspected() -> None:
    """A chain that leads to no public root gets one request inside its session, at the same address."""
    (control,) = planned(alone(dns(), tcp(), tls(Failure.VERIFY, code=20, about=PRIVATE))())
    assert (control.kind, control.host, control.address) == (ControlKind.LOOK_INSIDE, HOST, ADDRESS)


def test_looks_inside_are_limited_per_sweep() -> None:
    """A device that inspects every name leaves room for other controls."""
    site = Site()
    for number in range(30):
        name, address = f"n{number}.example", f"203.0.113.{number}"
        forged = tls(Failure.VERIFY, code=20, about=PRIVATE, sni=name)
        site.add(trail(dns(address, name=name), tcp(address=address), forged), host=name)
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
    assert kinds(site) == ([ControlKind.REPEAT] if allowed else [])
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
    """A name without an answer, where others get one, plans a lookup in the same zone."""
    (control,) = planned(alone(dns(failure=Failure.TIMEOUT))())
    assert (control.kind, control.host) == (
        ControlKind.SIBLING_NAME,
        "egressd-control.his.arc.azure.com",
    )


def test_absent_name_needs_no_control() -> None:
    """An NXDOMAIN with the zone's SOA needs no proof."""
    assert planned(solitary(dns(soa=True, **NXDOMAIN))()) == []


def test_wrong_server_is_checked_for_nxdomain_rewriting() -> None:
    """A certificate for another name plans a lookup of a sibling label, to see whether it leads there too."""
    (control,) = planned(alone(dns(), tcp(), tls(Failure.VERIFY, code=62))())
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
    """A hundred different failures plan forty controls at most, three for each, all with their own ids."""
    site = Site()
    for number in range(100):
        name, address = f"n{number}.example", f"203.0.113.{number}"
        site.add(
            trail(dns(address, name=name), tcp(address=address), tls(Failure.TIMEOUT, sni=name)), host=name
        )
    found = planned(site)
    assert len(found) == PER_SWEEP
    assert len({one.id for one in found}) == PER_SWEEP
    assert max(sum(one.subject == probe.id for one in found) for probe in site.probes) <= PER_PROBE


def test_control_that_ran_is_not_planned_again() -> None:
    """A control that ran is not planned twice under the same id."""
    site = alone(dns(), tcp(Failure.TIMEOUT))()
    first = planned(site)[0]
    site.control(first.kind, tcp(Failure.TIMEOUT))
    done = site.recording().controls[0].kind
    assert done is first.kind
    assert first.id not in {one.id for one in planned(site) if one.kind is not first.kind}

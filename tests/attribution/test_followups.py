"""Controls are asked for where they can tell explanations apart, and are few."""

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

SURVEYED = (ControlKind.LARGE_HELLO, ControlKind.SNI_LAST, ControlKind.NO_SNI, ControlKind.REVOCATION)
"""What is asked although all is well; test_survey.py is about it."""


def asked(site: Site) -> list[ControlPlan]:
    return [one for one in plan_followups(site.recording()) if one.kind not in SURVEYED]


def kinds(site: Site) -> list[ControlKind]:
    return [one.kind for one in asked(site)]


def test_nothing_is_asked_where_all_is_well() -> None:
    """A sweep without failures needs no controls."""
    site = Site()
    site.add(good())
    assert asked(site) == []


def test_silent_dial_is_repeated_and_tried_on_another_port() -> None:
    """Silence on 443 asks for one more try and for port 80 of the same address."""
    repeat, other = asked(alone(dns(), tcp(Failure.TIMEOUT))())
    assert (repeat.kind, repeat.address, repeat.port) == (ControlKind.REPEAT, ADDRESS, 443)
    assert (other.kind, other.address, other.port) == (ControlKind.PORT_CONTRAST, ADDRESS, 80)


def test_refused_dial_speaks_for_itself() -> None:
    """An explicit answer needs no repeat."""
    assert asked(alone(dns(), tcp(Failure.REFUSED))()) == []


def test_reset_hello_is_compared_with_a_name_that_works() -> None:
    """The name to compare with is one that got an answer elsewhere."""
    contrast, repeat = asked(alone(dns(), tcp(), tls(Failure.RESET, seen=UNACKED))())
    assert (contrast.kind, contrast.host) == (ControlKind.SNI_CONTRAST, "works.example")
    assert (contrast.address, contrast.port) == (ADDRESS, 443)
    assert repeat.kind is ControlKind.REPEAT


def test_known_contrast_is_not_asked_again() -> None:
    """Another probe already showed that another name is answered at the address."""
    site = Site()
    site.add(trail(dns(), tcp(), tls(Failure.RESET, seen=UNACKED)))
    site.add(good("b.example"), host="b.example")
    assert kinds(site) == [ControlKind.REPEAT]


def test_acknowledged_silence_is_tried_with_small_segments() -> None:
    """A hello that was acknowledged and not answered may be a lost full-size packet."""
    found = kinds(alone(dns(), tcp(), tls(Failure.TIMEOUT))())
    assert found == [ControlKind.SNI_CONTRAST, ControlKind.SMALL_MSS, ControlKind.REPEAT]


def test_bad_chain_needs_no_control() -> None:
    """A chain names its issuer."""
    assert asked(alone(dns(), tcp(), tls(Failure.VERIFY, code=10))()) == []


def test_forged_session_is_looked_into() -> None:
    """A chain that leads to no public root is asked for the page behind it, once, at the same address."""
    (control,) = asked(alone(dns(), tcp(), tls(Failure.VERIFY, code=20, about=PRIVATE))())
    assert (control.kind, control.host, control.address) == (ControlKind.LOOK_INSIDE, HOST, ADDRESS)


def test_a_dozen_looks_are_enough() -> None:
    """An inspecting device that touches every name leaves room for other questions."""
    site = Site()
    for number in range(30):
        name, address = f"n{number}.example", f"203.0.113.{number}"
        forged = tls(Failure.VERIFY, code=20, about=PRIVATE, sni=name)
        site.add(trail(dns(address, name=name), tcp(address=address), forged), host=name)
    looks = [one for one in asked(site) if one.kind is ControlKind.LOOK_INSIDE]
    assert len(looks) == LOOKS_PER_SWEEP


def test_a_smaller_segment_is_tried_after_a_small_one() -> None:
    """What 1200 bytes do not show, 536 may: one after the other."""
    site = alone(dns(), tcp(), tls(Failure.TIMEOUT))()
    first = next(one for one in asked(site) if one.kind is ControlKind.SMALL_MSS)
    site.control(ControlKind.SMALL_MSS, tcp(max_segment=1200), tls(Failure.TIMEOUT))
    second = next(one for one in asked(site) if one.kind is ControlKind.SMALL_MSS)
    assert (first.max_segment, second.max_segment) == (1200, 536)
    assert first.id != second.id


@pytest.mark.parametrize("allowed", [False, True])
def test_hops_are_counted_only_where_allowed(allowed: bool) -> None:
    """A refusal that lasts is looked for hop by hop, if the configuration permits it."""
    site = alone(dns(), tcp(Failure.REFUSED))()
    site.limits = Limits(ttl_sweep=allowed)
    assert kinds(site) == ([ControlKind.REPEAT] if allowed else [])
    site.control(ControlKind.REPEAT, tcp(Failure.REFUSED))
    assert ControlKind.HOPS not in kinds(site) or allowed
    assert kinds(site).count(ControlKind.HOPS) == (1 if allowed else 0)


def test_a_refusal_is_not_hunted_at_once() -> None:
    """One refusal may be a server that restarts: no hops without a second one."""
    site = alone(dns(), tcp(Failure.REFUSED))()
    site.limits = Limits(ttl_sweep=True)
    assert ControlKind.HOPS not in kinds(site)


def test_dead_resolver_is_asked_once() -> None:
    """A hundred names unanswered are one question to the resolver."""
    (control,) = asked(dns_dead(count=100, failure=Failure.TIMEOUT)())
    assert (control.kind, control.resolver) == (ControlKind.KNOWN_NAME, RESOLVER)
    assert (control.address, control.port) == ("10.0.0.53", 53)


def test_filtered_name_is_compared_with_its_neighbour() -> None:
    """A missing name without its zone's SOA asks for a label beside it."""
    (control,) = asked(solitary(dns(soa=False, **NXDOMAIN))())
    assert (control.kind, control.host) == (
        ControlKind.SIBLING_NAME,
        "egressd-control.his.arc.azure.com",
    )


def test_dropped_name_is_compared_with_its_neighbour() -> None:
    """A name without an answer, where others get one, asks whether its whole zone is silent."""
    (control,) = asked(alone(dns(failure=Failure.TIMEOUT))())
    assert (control.kind, control.host) == (
        ControlKind.SIBLING_NAME,
        "egressd-control.his.arc.azure.com",
    )


def test_absent_name_is_believed() -> None:
    """A zone that says no is believed."""
    assert asked(solitary(dns(soa=True, **NXDOMAIN))()) == []


def test_stranger_is_checked_for_a_rewriting_resolver() -> None:
    """A certificate for another name asks whether a label that can't exist leads there too."""
    (control,) = asked(alone(dns(), tcp(), tls(Failure.VERIFY, code=62))())
    assert (control.kind, control.host) == (
        ControlKind.SIBLING_NAME,
        "egressd-control.his.arc.azure.com",
    )


def test_redirected_dial_is_asked_at_the_real_address() -> None:
    """Controls go where the probe really went."""
    site = Site()
    seen = (dns(), tcp(address="127.0.0.1", port=10443), tls(Failure.RESET))
    site.add(trail(*seen, redirected=True))
    site.add(good("b.example", OTHER_ADDRESS), host="b.example")
    assert {(one.address, one.port) for one in asked(site)} == {("127.0.0.1", 10443)}


def test_questions_are_bounded_and_unique() -> None:
    """A hundred different failures ask forty questions at most, three for each, all with their own ids."""
    site = Site()
    for number in range(100):
        name, address = f"n{number}.example", f"203.0.113.{number}"
        site.add(
            trail(dns(address, name=name), tcp(address=address), tls(Failure.TIMEOUT, sni=name)), host=name
        )
    found = asked(site)
    assert len(found) == PER_SWEEP
    assert len({one.id for one in found}) == PER_SWEEP
    assert max(sum(one.subject == probe.id for one in found) for probe in site.probes) <= PER_PROBE


def test_answered_question_is_not_asked_again() -> None:
    """A control that ran is not planned twice under the same id."""
    site = alone(dns(), tcp(Failure.TIMEOUT))()
    first = asked(site)[0]
    site.control(first.kind, tcp(Failure.TIMEOUT))
    done = site.recording().controls[0].kind
    assert done is first.kind
    assert first.id not in {one.id for one in asked(site) if one.kind is not first.kind}

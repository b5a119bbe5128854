"""Every ask names every source and every name concerned: half of a rule opens half of what is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.attribution.advice.ask import IN_PART
from egressd.firewall.ask import Asks
from egressd.model.endpoint import Protocol, SampleKind
from egressd.model.observation import Failure, NtpObservation, Observation, TcpObservation
from egressd.model.recording import Recording, Trail, VantageSource
from egressd.model.settings import Source
from egressd.model.verdict import Finding, Sweep, Verdict
from tests.attribution.recordings import OTHER_ADDRESS, SOURCE, Site, dns, good, http, tcp, tls, trail
from tests.laws.worlds import BASES, claims_of, judged, mapped

FIRST, SECOND = "10.20.0.11", "10.20.9.99"
OTHER = "second"
PAIR = (SOURCE, OTHER)


def moved(value: Any) -> Any:
    """Return what the second source sees: the same, from its own address."""
    if isinstance(value, TcpObservation | NtpObservation) and value.local_address is not None:
        return replace(value, local_address=SECOND, local_port=50505)
    if isinstance(value, str):
        return re.sub(rf"\b{SOURCE}\b", OTHER, value)
    return value


def doubled(recording: Recording) -> Recording:
    """Return the recording of a host with two sources that see the same."""
    plan = recording.plan
    pairs = [
        (replace(probe, id=f"{OTHER} {probe.id}", source=OTHER), mapped(record, moved))
        for probe, record in zip(plan.probes, recording.records, strict=True)
    ]
    controls = tuple(
        replace(
            mapped(one, moved),
            id=f"{OTHER} {one.id}",
            source=OTHER,
            subject=f"{OTHER} {one.subject}" if one.subject else "",
        )
        for one in recording.controls
    )
    return replace(
        recording,
        plan=replace(
            plan,
            sources=(Source(name=SOURCE, address=FIRST), Source(name=OTHER, address=SECOND)),
            probes=(*plan.probes, *(probe for probe, _ in pairs)),
        ),
        records=(*recording.records, *(replace(record, probe=probe.id) for probe, record in pairs)),
        controls=(*recording.controls, *controls),
        vantage=replace(
            recording.vantage,
            sources=(
                VantageSource(name=SOURCE, address=FIRST, interface=None, roles=()),
                VantageSource(name=OTHER, address=SECOND, interface=None, roles=()),
            ),
        ),
    )


ONE_EACH = ("tcp_accept_all:", "dns_transparent_proxy:", "dns_nxdomain_rewritten:")
"""Findings that each source has one of its own of."""


def asks(sweep: Sweep) -> Iterator[tuple[str, str]]:
    """Yield every text that somebody acts on, with what it is about."""
    claims: list[tuple[str, Verdict | Finding]] = [
        *((one.target, one.verdict) for one in sweep.verdicts),
        *claims_of(sweep),
    ]
    for about, one in claims:
        yield about, one.advice
        yield from ((about, suspect.decided_by) for suspect in one.suspects)


def halves(sweep: Sweep) -> list[str]:
    """Return the asks that name one source only."""
    return [f"{about}: {text}" for about, text in asks(sweep) if (FIRST in text) != (SECOND in text)]


@pytest.mark.parametrize("name", BASES)
def test_no_ask_names_half_of_the_sources(name: str) -> None:
    """Two sources that see the same are in every ask, every deciding log line, finding and title."""
    sweep = judge(doubled(BASES[name]))
    assert [one for one in halves(sweep) if not one.startswith(ONE_EACH)] == []
    for one in sweep.findings:
        if not one.targets:
            continue
        assert one.sources == PAIR
        assert all(source in one.title for source in PAIR)
        assert f"sources {SOURCE}, {OTHER}" in " ".join(one.evidence)
    verdicts = {one.target: one.verdict for one in sweep.verdicts}
    before = {one.target: one.verdict for one in judged(name).verdicts}
    assert [one for one in before if before[one].reason != verdicts[one].reason] == []


@pytest.mark.parametrize("name", BASES)
def test_no_ask_has_a_label_of_egressds_own_or_a_part_of_a_list(name: str) -> None:
    """A rule is for the wildcard; what it leaves out nobody opens."""
    labels = {one.host for one in BASES[name].plan.targets if one.sample is SampleKind.RANDOM}
    texts = [text for _, text in asks(judged(name))]
    assert [text for text in texts if any(one in text for one in labels)] == []
    assert [text for text in texts if re.search(r"and \d+ more", text)] == []


SILENT = (tcp(Failure.TIMEOUT),)
REFUSED = (tcp(Failure.REFUSED),)
RESET = (tcp(), tls(Failure.RESET))
CUT = (tcp(), tls(), http(failure=Failure.RESET))


def seen_by(source: str, *seen: Observation) -> Trail:
    """Return what one source saw of a name."""
    one = trail(dns(), *seen)
    return mapped(replace(one, source=source), moved) if source == OTHER else one


def two_ways(first: tuple[Observation, ...], second: tuple[Observation, ...], *, targets: int) -> Sweep:
    """Return targets that end in one way from each of two sources."""
    site = Site()
    for number in range(targets):
        host = f"n{number}.example"
        site.add(seen_by(SOURCE, *first), host=host, pattern="*.example")
        site.add(seen_by(OTHER, *second), host=host, pattern="*.example", source=OTHER)
    for source in PAIR:
        works = replace(good("works.test", OTHER_ADDRESS), source=source)
        site.add(works, host="works.test", source=source)
    recording = site.recording()
    return judge(
        replace(
            recording,
            plan=replace(recording.plan, sources=tuple(Source(name=one) for one in PAIR)),
            vantage=replace(
                recording.vantage,
                sources=tuple(
                    VantageSource(name=one, address=None, interface=None, roles=()) for one in PAIR
                ),
            ),
        )
    )


@pytest.mark.parametrize("targets", [1, 3, 40])
@pytest.mark.parametrize(
    ("first", "second"), [(SILENT, REFUSED), (REFUSED, RESET), (RESET, SILENT)], ids=["sr", "rR", "Rs"]
)
def test_sources_that_fail_in_different_ways_are_both_asked_for(
    first: tuple[Observation, ...], second: tuple[Observation, ...], targets: int
) -> None:
    """Two firewalls that block in two ways need a rule each."""
    sweep = two_ways(first, second, targets=targets)
    for one in sweep.verdicts[:targets]:
        reasons = {by.verdict.reason for by in one.by_source}
        assert len(reasons) == 2
        assert FIRST in one.verdict.advice
        assert SECOND in one.verdict.advice
        assert all(str(reason) in f"{one.verdict.reason} {one.verdict.advice}" for reason in reasons)
        evidence = " ".join(one.verdict.evidence)
        assert f"{FIRST}:" in evidence
        assert f"{SECOND}:" in evidence
    for finding in sweep.findings:
        assert finding.sources == PAIR
        assert FIRST in finding.advice
        assert SECOND in finding.advice
        assert all(source in finding.title for source in PAIR)
        assert f"{SECOND}:" in " ".join(finding.evidence)


def test_a_source_that_reaches_it_is_not_asked_for() -> None:
    """What works from one source needs no rule for it."""
    sweep = two_ways(SILENT, (tcp(), tls(), http()), targets=2)
    (finding,) = sweep.findings
    assert finding.reason == "site_source_rule_missing"
    assert finding.sources == (SOURCE,)
    assert finding.advice.startswith(f"Add {FIRST} to the rules that already let {SECOND} reach *.example")


def test_a_wildcard_is_asked_for_whichever_of_its_hosts_was_tried() -> None:
    """Seventy hosts of one row are one name in the ask; the hosts are in the evidence."""
    site = Site()
    for number in range(70):
        host = f"n{number}.servicebus.windows.net"
        end = trail(dns(name=host), tcp(), tls(Failure.RESET, sni=host))
        site.add(end, host=host, pattern="*.servicebus.windows.net")
    site.add(good("works.test", OTHER_ADDRESS), host="works.test")
    (finding,) = judge(site.recording()).findings
    assert "*.servicebus.windows.net" in finding.advice
    assert "n0.servicebus" not in finding.advice
    assert "n0.servicebus" in finding.evidence[0]


def test_names_that_are_not_needed_from_every_source_are_told_apart() -> None:
    """A list of names and a list of sources is no permission for every pair."""
    site = Site()
    for number, source in enumerate((SOURCE, SOURCE, OTHER)):
        host = f"n{number}.example"
        seen = trail(dns(name=host), tcp(Failure.TIMEOUT))
        end = mapped(replace(seen, source=source), moved) if source == OTHER else seen
        site.add(end, host=host, source=source)
    site.add(good("works.test", OTHER_ADDRESS), host="works.test")
    recording = site.recording()
    sources = tuple(Source(name=one) for one in PAIR)
    (finding,) = judge(replace(recording, plan=replace(recording.plan, sources=sources))).findings
    assert "Allow https/443 from 10.20.0.11, 10.20.9.99" in finding.advice
    assert "behind n0.example, n1.example, n2.example" in finding.advice
    assert finding.advice.endswith(IN_PART)


def test_ports_stay_with_their_protocols() -> None:
    """Two lists side by side would ask for plain HTTP on 443."""
    site = Site()
    for port, protocol in ((443, Protocol.HTTPS), (80, Protocol.HTTP), (8443, Protocol.TLS)):
        site.add(trail(dns(), tcp(Failure.TIMEOUT, port=port)), port=port, protocol=protocol)
    site.add(good("works.test", OTHER_ADDRESS), host="works.test")
    assert "https/443, http/80, tls/8443" in " ".join(one.advice for one in judge(site.recording()).findings)


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize(("first", "second"), [(SILENT, REFUSED), (SILENT, SILENT)], ids=["apart", "alike"])
def test_the_rules_name_what_the_asks_name(
    first: tuple[Observation, ...], second: tuple[Observation, ...], targets: int
) -> None:
    """Text and rules of a finding are for the same sources and names."""
    rules = Asks(two_ways(first, second, targets=targets)).rules()
    assert {source for one in rules for source in one.sources} == {FIRST, SECOND}
    assert {one.destination for one in rules} == {"*.example"}

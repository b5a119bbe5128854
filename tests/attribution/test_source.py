"""A source that a rule does not list is one finding that names it, however the rule blocks."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.attribution.blame.parties import FAR_END
from egressd.model.observation import DnsObservation, Failure, Observation, TcpObservation
from egressd.model.recording import Recording, Trail, VantageSource
from egressd.model.settings import Source
from egressd.model.verdict import Blame, Confidence, Finding, Sweep
from egressd.report.summary import exit_code
from tests.attribution.recordings import NOW, RESOLVER, Site, dns, good, tcp, tls, trail

ADDRESSES = {"management": "10.20.0.10", "appliance-1": "10.20.0.11", "appliance-2": "10.20.0.12"}


def leaving(source: str, one: Trail) -> Trail:
    """Return the trail as it would be from another source."""
    return replace(one, source=source, observations=tuple(_moved(seen, source) for seen in one.observations))


def _moved(seen: Observation, source: str) -> Observation:
    return replace(seen, local_address=ADDRESSES[source]) if isinstance(seen, TcpObservation) else seen


def seen_from(site: Site) -> Recording:
    """Return the recording with its three sources named."""
    recording = site.recording()
    vantage = replace(
        recording.vantage,
        sources=tuple(
            VantageSource(name=name, address=address, interface=None, roles=())
            for name, address in ADDRESSES.items()
        ),
    )
    plan = replace(
        recording.plan,
        sources=tuple(Source(name=name, address=address) for name, address in ADDRESSES.items()),
    )
    return replace(recording, plan=plan, vantage=vantage)


def three_sources(
    *seen: Observation, blocked: tuple[str, ...] = ("appliance-2",), targets: int = 30
) -> Sweep:
    """Return thirty targets from three sources; from the blocked ones each ends as `seen`."""
    site = Site()
    for number in range(targets):
        name, address = f"n{number}.example", f"203.0.113.{number}"
        for source in ADDRESSES:
            reported = tuple(_about(one, name, address) for one in seen)
            end = trail(*reported) if source in blocked else good(name, address)
            site.add(leaving(source, end), host=name, source=source)
    return judge(seen_from(site))


def _about(one: Observation, name: str, address: str) -> Observation:
    if isinstance(one, TcpObservation):
        return replace(one, remote_address=address)
    return replace(one, name=name) if isinstance(one, DnsObservation) else one


def only(sweep: Sweep) -> Finding:
    (finding,) = sweep.findings
    return finding


SILENT = (dns(), tcp(Failure.TIMEOUT))
RESET = (dns(), tcp(), tls(Failure.RESET))
REFUSED = (dns(), tcp(Failure.REFUSED))
DEAF = (dns(failure=Failure.TIMEOUT, resolver=RESOLVER),)


@pytest.mark.parametrize("seen", [SILENT, RESET, REFUSED, DEAF], ids=["silent", "reset", "refused", "dns"])
def test_source_without_a_rule_is_named_once(seen: tuple[Observation, ...]) -> None:
    """Thirty targets, three sources, two of them allowed: one finding, and exit code 1."""
    sweep = three_sources(*seen)
    finding = only(sweep)
    assert (finding.reason, len(finding.targets)) == ("site_source_rule_missing", 30)
    assert finding.title.endswith("(appliance-2, 10.20.0.12)")
    assert "Add 10.20.0.12 to the rules that already let 10.20.0.10, 10.20.0.11" in finding.advice
    assert not {one.blame for one in finding.suspects} & (FAR_END | {Blame.UPSTREAM_PATH})
    assert finding.blame_confidence is Confidence.HIGH
    assert "reach 30 names (each is in the ticket and in the JSON report), https/443" in finding.advice
    assert finding.sources == ("appliance-2",)
    assert finding.confidence is Confidence.HIGH
    assert exit_code(sweep) == 1


def test_the_first_line_can_be_searched_for() -> None:
    """The first line is one connection, with both ends and the time; the number of targets comes after it."""
    first, contrast, count, *rest = only(three_sources(*SILENT)).evidence
    assert first.startswith(f"10.20.0.12:40112 -> 203.0.113.0:443 at {NOW}")
    assert contrast == "the same 30 targets are reached from 10.20.0.10, 10.20.0.11"
    assert count == "30 targets from source appliance-2"
    assert len(rest) == 7


def test_two_sources_that_miss_the_same_share_a_finding() -> None:
    """Both appliances are missing from the same rules: one request for the firewall team."""
    finding = only(three_sources(*SILENT, blocked=("appliance-1", "appliance-2")))
    assert "10.20.0.11" in finding.title
    assert "10.20.0.12" in finding.title
    assert finding.advice.startswith("Add 10.20.0.11, 10.20.0.12 to the rules that already let 10.20.0.10")


def test_verdicts_are_kept_per_source() -> None:
    """The target is blocked; the verdicts of the sources that reach it are kept."""
    for one in three_sources(*SILENT, targets=1).verdicts:
        outcomes = {seen.source: seen.verdict.outcome.value for seen in one.by_source}
        assert outcomes == {"management": "ok", "appliance-1": "ok", "appliance-2": "blocked"}


def test_target_blocked_from_everywhere_is_no_source_finding() -> None:
    """Where no source gets through, the rule is missing for all."""
    reasons = {one.reason for one in three_sources(*SILENT, blocked=tuple(ADDRESSES)).findings}
    assert reasons
    assert "site_source_rule_missing" not in reasons


def test_source_without_a_route_is_no_rule_finding() -> None:
    """A host that cannot even send blames itself, not the firewall."""
    sweep = three_sources(dns(), tcp(Failure.INVALID_SOURCE))
    assert [one.reason for one in sweep.findings] == ["local_source_invalid"]


def test_one_target_has_lower_confidence() -> None:
    """A single silent try may be chance."""
    finding = only(three_sources(*SILENT, targets=1))
    assert finding.reason == "site_source_rule_missing"
    assert finding.confidence in (Confidence.LOW, Confidence.MEDIUM)

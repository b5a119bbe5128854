"""Comparison with a baseline: how the far end treats unknown names, and what it used to negotiate."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.attribution import baseline_of, judge
from egressd.model.endpoint import SampleKind
from egressd.model.observation import Failure, TlsObservation
from egressd.model.recording import Baseline
from egressd.model.verdict import Confidence, Outcome, Sweep, Verdict
from egressd.report.diff.sweep_diff import compare_sweeps
from egressd.report.saved import from_json, to_json
from tests.attribution.cases import UNACKED
from tests.attribution.recordings import OTHER_ADDRESS, Site, dns, facts, good, http, tcp, tls, trail
from tests.laws.test_reports import claimed
from tests.laws.worlds import BASES, judged, permuted

WILDCARD = "*.his.arc.azure.com"
LABEL = "egressd-probe-1.his.arc.azure.com"
KNOWN = "gbl.his.arc.azure.com"
RESET = tls(Failure.RESET, sni=LABEL, seen=UNACKED)
ALERT = tls(Failure.ALERT, sni=LABEL, alert=112)


def site(seen: TlsObservation) -> Site:
    """Return a wildcard's known host, which works, and a random label."""
    one = Site()
    one.add(good(KNOWN), host=KNOWN, pattern=WILDCARD)
    end = trail(dns(), tcp(), seen, borrowed_from=KNOWN)
    one.add(end, host=LABEL, pattern=WILDCARD, sample=SampleKind.RANDOM)
    return one


def baseline(seen: TlsObservation) -> Baseline:
    return baseline_of(judge(site(seen).recording()))


def elsewhere(known: Baseline) -> Baseline:
    """Return the baseline as another host in another network would have taken it."""
    return replace(known, host="laptop", addresses=("198.51.100.7",))


def against(known: Baseline | None, seen: TlsObservation = RESET) -> Sweep:
    return judge(replace(site(seen).recording(), baseline=known))


def of_label(sweep: Sweep) -> Verdict:
    return sweep.verdicts[1].verdict


def test_random_label_without_a_baseline_is_less_certain() -> None:
    """A front end may reject unknown names itself."""
    assert of_label(against(None)).confidence is Confidence.MEDIUM
    (finding,) = against(None).findings
    assert (finding.reason, finding.confidence) == ("site_wildcard_rule_incomplete", Confidence.MEDIUM)


@pytest.mark.parametrize("answer", [ALERT, tls(Failure.VERIFY, sni=LABEL, code=62)], ids=["alert", "name"])
def test_random_label_answered_in_the_baseline_is_filtered_now(answer: TlsObservation) -> None:
    """The far end answers unknown names: what stops them is in between."""
    sweep = against(baseline(answer))
    verdict = of_label(sweep)
    assert (verdict.outcome, "baseline_answered" in verdict.flags) == (Outcome.BLOCKED, True)
    assert verdict.confidence is Confidence.MEDIUM
    assert sweep.findings[0].confidence is verdict.confidence


def test_random_label_that_failed_in_the_baseline_is_unknown() -> None:
    """It failed on an open network too: no verdict on the rule, and no finding."""
    sweep = against(elsewhere(baseline(RESET)))
    verdict = of_label(sweep)
    assert (verdict.outcome, verdict.confidence) == (Outcome.UNKNOWN, Confidence.INCONCLUSIVE)
    assert "baseline_alike" in verdict.flags
    assert sweep.findings == ()


def test_http2_of_the_baseline_is_missed() -> None:
    """The chain is right and HTTP/2 is gone: a device in between lost it."""
    known = Site()
    known.add(good(KNOWN), host=KNOWN)
    now = Site()
    now.add(trail(dns(name=KNOWN), tcp(), replace(tls(sni=KNOWN), alpn="http/1.1"), http()), host=KNOWN)
    before = baseline_of(judge(known.recording()))
    verdict = judge(replace(now.recording(), baseline=before)).verdicts[0].verdict
    assert (verdict.reason, verdict.outcome) == ("tls_alpn_stripped", Outcome.DEGRADED)
    assert verdict.confidence is Confidence.HIGH
    assert judge(now.recording()).verdicts[0].verdict.outcome is Outcome.OK


def test_older_tls_version_than_in_the_baseline() -> None:
    """TLS 1.3 in the baseline and 1.2 now is weak evidence, with low confidence."""
    known, now = Site(), Site()
    known.add(good(KNOWN), host=KNOWN)
    now.add(trail(dns(name=KNOWN), tcp(), replace(tls(sni=KNOWN), version="TLSv1.2"), http()), host=KNOWN)
    before = baseline_of(judge(known.recording()))
    verdict = judge(replace(now.recording(), baseline=before)).verdicts[0].verdict
    assert (verdict.reason, verdict.confidence) == ("tls_version_downgraded", Confidence.LOW)


def test_a_saved_sweep_keeps_its_baseline() -> None:
    """Judged again from its file, a sweep is the same: the baseline is part of it."""
    sweep = against(baseline(ALERT))
    assert judge(from_json(to_json(sweep))) == sweep


BROKEN = Site()
BROKEN.add(trail(dns(), tcp(Failure.TIMEOUT)), host=KNOWN, pattern=WILDCARD)
BROKEN.add(
    trail(dns(OTHER_ADDRESS), tcp(address=OTHER_ADDRESS), RESET),
    host=LABEL,
    pattern=WILDCARD,
    sample=SampleKind.RANDOM,
)
INSPECTOR = facts(public=False, stored=False)


@pytest.mark.parametrize(
    "known",
    [
        baseline(RESET),
        replace(elsewhere(baseline(RESET)), host="here"),
        replace(elsewhere(baseline(RESET)), addresses=("10.20.0.11", "198.51.100.7")),
        replace(baseline(RESET), host=None, addresses=()),
        elsewhere(baseline_of(judge(BROKEN.recording()))),
        baseline(tls(Failure.VERIFY, sni=LABEL, code=19, about=INSPECTOR)),
    ],
    ids=["same-host", "same-name", "same-address", "older-report", "broken-elsewhere", "inspected"],
)
def test_a_baseline_of_a_broken_state_decides_nothing_about_a_label(known: Baseline) -> None:
    """What failed behind the same devices, and what a device answered, says nothing of the far end."""
    assert claimed(against(known)) == claimed(against(None))


def test_an_inspecting_devices_http2_is_not_missed() -> None:
    """It spoke HTTP/2 and TLS 1.3 in the baseline; the server behind it never did."""
    known, now = Site(), Site()
    inspected = replace(tls(sni=KNOWN, about=facts(public=False)), version="TLSv1.3")
    known.add(trail(dns(name=KNOWN), tcp(), inspected, http()), host=KNOWN)
    plain = replace(tls(sni=KNOWN), alpn="http/1.1", version="TLSv1.2")
    now.add(trail(dns(name=KNOWN), tcp(), plain, http()), host=KNOWN)
    before = baseline_of(judge(known.recording()))
    assert judge(replace(now.recording(), baseline=before)).verdicts[0].verdict.outcome is Outcome.OK


OF_THE_FAR_END = {"tls_alpn_stripped", "tls_version_downgraded"}
"""What a baseline in which the server itself answered does add."""


@pytest.mark.parametrize("name", BASES)
def test_a_broken_state_compared_with_itself_is_the_same(name: str) -> None:
    """The same faults again, in another order: the same verdicts with a baseline, and no difference."""
    alone = judged(name)
    again = replace(permuted(BASES[name], 7), id="r2", baseline=baseline_of(alone))
    sweep = judge(again)
    assert claimed(sweep) == claimed(alone)
    found = compare_sweeps(alone, sweep)
    assert (found.changes, found.findings_opened, found.findings_closed) == ((), (), ())
    assert found.unchanged == len(baseline_of(alone).marks)


@pytest.mark.parametrize("name", BASES)
def test_another_broken_state_changes_no_diagnosis(name: str) -> None:
    """A baseline with any other fault adds no accusation and takes none away."""
    names = list(BASES)
    start = names.index(name)
    for step in (1, 31, 150):
        other = judged(names[(start + step) % len(names)])
        sweep = judge(replace(BASES[name], baseline=baseline_of(other)))
        reasons = {str(one[1]) for one in claimed(sweep).values()}
        if not reasons & OF_THE_FAR_END:
            assert claimed(sweep) == claimed(judged(name)), names[(start + step) % len(names)]

"""An inspecting device is one finding: its authority, the names it signs, trusted or not, and exemptions."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.model.endpoint import Inspection
from egressd.model.observation import Failure, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.verdict import Blame, Finding, Outcome, Sweep
from tests.attribution.cases import FORGED, PRIVATE
from tests.attribution.recordings import Site, dns, facts, good, http, tcp, tls, trail, verdict_of

ISSUER = "CN=Corp Inspection CA"
INSPECTED = tuple(f"i{number}.example" for number in range(10))
SPARED = tuple(f"s{number}.example" for number in range(10))


def forged(name: str, *, trusted: bool = False) -> TlsObservation:
    if trusted:
        return tls(sni=name, about=facts(public=False, stored=True), chain=FORGED)
    return tls(Failure.VERIFY, sni=name, code=20, about=PRIVATE, chain=FORGED)


def inspected_site(*, trusted: bool = False, spared: tuple[str, ...] = SPARED, forbidden: str = "") -> Site:
    site = Site()
    for name in INSPECTED:
        rest = (http(),) if trusted else ()
        rule = Inspection.FORBIDDEN if name == forbidden else Inspection.TOLERATED
        end = trail(dns(name=name), tcp(), forged(name, trusted=trusted), *rest)
        site.add(end, host=name, inspection=rule)
    for name in spared:
        site.add(good(name, "203.0.113.50"), host=name)
    return site


def only(sweep: Sweep) -> Finding:
    (finding,) = sweep.findings
    return finding


@pytest.mark.parametrize("trusted", [False, True])
def test_inspection_of_half_of_the_names_is_one_finding(trusted: bool) -> None:
    """The finding has the authority's name and the exact list; the other half stays ok."""
    sweep = judge(inspected_site(trusted=trusted).recording())
    finding = only(sweep)
    assert (finding.reason, finding.blame) == ("site_inspection_exemption_incomplete", Blame.TLS_INSPECTION)
    assert ISSUER in finding.title
    assert {one.partition("/")[2].partition(":")[0] for one in finding.targets} == set(INSPECTED)
    assert f"signed by {ISSUER}: {', '.join(INSPECTED)}" in finding.evidence
    assert f"this authority is {'' if trusted else 'not '}in the trust store" in finding.evidence
    outcomes = [verdict_of(sweep, f"row/{name}:443").outcome for name in SPARED]
    assert set(outcomes) == {Outcome.OK}


@pytest.mark.parametrize(("trusted", "reason"), [(False, "tls_mitm_untrusted"), (True, "tls_mitm_trusted")])
def test_inspection_of_all_names_lacks_no_exemption(trusted: bool, reason: str) -> None:
    """Where everything is inspected there is no exemption list to correct."""
    finding = only(judge(inspected_site(trusted=trusted, spared=()).recording()))
    assert (finding.reason, len(finding.targets)) == (reason, len(INSPECTED))


def test_the_operators_own_server_is_not_missing_from_an_exemption_list() -> None:
    """One own server under a private authority, beside public ones: verdict and finding name its owner."""
    site = Site()
    own = trail(dns(name="own.example"), tcp(), forged("own.example", trusted=True), http())
    site.add(own, host="own.example", owned=True)
    for name in SPARED:
        site.add(good(name, "203.0.113.50"), host=name)
    sweep = judge(site.recording())
    finding = only(sweep)
    assert (finding.reason, finding.blame) == ("tls_mitm_trusted", Blame.ENDPOINT_OWNER)
    assert verdict_of(sweep, "row/own.example:443").blame is Blame.ENDPOINT_OWNER


def test_rows_that_forbid_inspection_are_flagged_and_named() -> None:
    """Microsoft's documents forbid inspection for some rows: the verdict and the advice show that."""
    sweep = judge(inspected_site(forbidden="i3.example").recording())
    assert "inspection_forbidden" in verdict_of(sweep, "row/i3.example:443").flags
    assert "inspection_forbidden" not in verdict_of(sweep, "row/i4.example:443").flags
    assert "The documents do not allow TLS inspection for i3.example." in only(sweep).advice


def test_deny_page_is_a_finding_of_its_own() -> None:
    """A deny page inside the forged session does not lead to advice about exemptions."""
    site = inspected_site()
    page = http(403, body="Powered By FortiGuard", unverified=True)
    site.control(ControlKind.LOOK_INSIDE, tcp(), replace(forged("i0.example"), failure=None), page)
    reasons = {one.reason: len(one.targets) for one in judge(site.recording()).findings}
    assert reasons == {"tls_mitm_block_page": 1, "site_inspection_exemption_incomplete": 9}


@pytest.mark.parametrize(("alpn", "reported"), [("h2", False), ("http/1.1", True), (None, True)])
def test_http2_lost_behind_an_untrusted_authority(alpn: str | None, reported: bool) -> None:
    """The session of the control shows whether the device passes HTTP/2 on."""
    site = inspected_site()
    looked = replace(forged("i0.example"), failure=None, alpn=alpn)
    site.control(ControlKind.LOOK_INSIDE, tcp(), looked, http(200, unverified=True))
    verdict = verdict_of(judge(site.recording()), "row/i0.example:443")
    assert ("tls_alpn_stripped" in verdict.also) is reported

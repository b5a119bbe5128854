"""Controls that are planned without a failure, and how their results are judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from egressd.attribution import judge, plan_followups
from egressd.model.observation import Certificate, Failure, HttpObservation, Observation
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Trail
from egressd.model.verdict import Blame, Confidence, Outcome, Sweep
from tests.attribution.cases import PRIVATE
from tests.attribution.control_scenes import LOST
from tests.attribution.recordings import RESOLVER, Site, certificate, dns, good, http, tcp, tls, trail

CRL = "http://crl.pki.example/issuing.crl"
OCSP = "http://ocsp.pki.example"
PAPERS = replace(certificate(aia=("http://www.pki.example/issuing.crt",)), crl_urls=(CRL,), ocsp_urls=(OCSP,))


def planned(site: Site, *kinds: ControlKind) -> list[ControlPlan]:
    return [one for one in plan_followups(site.recording()) if one.kind in kinds]


def healthy(places: int = 4, leaf: Certificate = PAPERS) -> Site:
    """Return targets at addresses of their own, each with the same certificates."""
    site = Site()
    for number in range(places):
        name = f"n{number}.example"
        end = trail(dns(name=name), tcp(address=f"203.0.113.{number}"), tls(sni=name, chain=(leaf,)), http())
        site.add(end, host=name)
    return site


def test_large_client_hello_is_sampled() -> None:
    """Two addresses of a source, and one of them the unusual forms; none where nothing works."""
    kinds = (ControlKind.LARGE_HELLO, ControlKind.SNI_LAST, ControlKind.NO_SNI)
    found = planned(healthy(), *kinds)
    assert [one.kind for one in found] == [kinds[0], kinds[1], kinds[2], kinds[0]]
    assert len({one.address for one in found}) == 2
    dead = Site()
    dead.add(trail(dns(), tcp(Failure.TIMEOUT)))
    assert planned(dead, *kinds) == []


def test_lost_large_client_hello_is_sent_in_smaller_segments() -> None:
    """A lost ClientHello plans the next control; nothing is split unless it is allowed."""
    site = healthy(1)
    site.control(ControlKind.LARGE_HELLO, tcp(address="203.0.113.0"), LOST, address="203.0.113.0")
    again = planned(site, ControlKind.LARGE_HELLO, ControlKind.SPLIT_HELLO)
    assert [(one.kind, one.max_segment) for one in again if one.max_segment] == [
        (ControlKind.LARGE_HELLO, 1200)
    ]
    assert planned(site, ControlKind.SPLIT_HELLO) == []
    site.limits = replace(site.limits, split_hello=True)
    assert len(planned(site, ControlKind.SPLIT_HELLO)) == 1


def test_each_url_is_fetched_once() -> None:
    """Four certificates name the same three URLs: three fetches, on port 80, each with its reason."""
    found = planned(healthy(), ControlKind.REVOCATION)
    assert {(one.host, one.port, one.url) for one in found} == {
        ("crl.pki.example", 80, "/issuing.crl"),
        ("ocsp.pki.example", 80, "/"),
        ("www.pki.example", 80, "/issuing.crt"),
    }
    assert all(one.subject for one in found)


def test_fetches_are_bounded() -> None:
    """A hostile chain with a thousand URLs gets twenty requests at most, two for one host."""
    urls = tuple(f"http://h{number // 5}.example/{number}.crl" for number in range(1000))
    found = planned(healthy(1, replace(PAPERS, crl_urls=urls)), ControlKind.REVOCATION)
    assert len(found) == 20
    assert max(sum(one.host == other.host for other in found) for one in found) == 2


@pytest.mark.parametrize(
    "url", ["ldap:///CN=x", "https://a.example/x.crl", "http://", "http://a b/", "http://[::1", "nonsense"]
)
def test_only_plain_http_urls_are_fetched(url: str) -> None:
    """LDAP and malformed URLs are not fetched."""
    leaf = replace(PAPERS, crl_urls=(url,), ocsp_urls=(), issuer_urls=())
    assert planned(healthy(1, leaf), ControlKind.REVOCATION) == []


def test_urls_of_a_forged_chain_are_not_fetched() -> None:
    """Only URLs of a publicly anchored chain are fetched."""
    site = Site()
    site.add(trail(dns(), tcp(), tls(Failure.VERIFY, code=20, about=PRIVATE, chain=(PAPERS,))))
    assert planned(site, ControlKind.REVOCATION) == []


def fetched(*seen: Observation, host: str = "crl.pki.example", path: str = "/issuing.crl") -> Sweep:
    """Return a working site, and one URL of its chains with its answer."""
    site = healthy(2)
    site.control(ControlKind.REVOCATION, *seen, address=None, host=host, port=80)
    site.controls[-1] = replace(site.controls[-1], url=path)
    return judge(site.recording())


def answer(status: int | None = 200, *, der: bool | None = True, body: str = "") -> HttpObservation:
    return replace(http(status, body=body), der=der)


def only(sweep: Sweep) -> tuple[str, Blame, Confidence]:
    (finding,) = sweep.findings
    assert finding.targets == ()
    assert {one.verdict.outcome for one in sweep.verdicts} == {Outcome.OK}
    return finding.reason, finding.blame, finding.confidence


@pytest.mark.parametrize(
    ("seen", "reason", "blame", "sure"),
    [
        ((dns(), tcp(Failure.REFUSED, port=80)), "unreachable", Blame.FIREWALL_L3L4, Confidence.HIGH),
        ((dns(), tcp(Failure.TIMEOUT, port=80)), "unreachable", Blame.FIREWALL_L3L4, Confidence.MEDIUM),
        ((dns(failure=Failure.NXDOMAIN),), "unreachable", Blame.DNS_FILTER, Confidence.HIGH),
        ((dns(), tcp(port=80), answer(404)), "unreachable", Blame.FIREWALL_L7, Confidence.HIGH),
        ((dns(), tcp(port=80), answer(der=False)), "tampered", Blame.FIREWALL_L7, Confidence.HIGH),
        (
            (dns(), tcp(port=80), answer(403, body="Powered By FortiGuard", der=False)),
            "tampered",
            Blame.FIREWALL_L7,
            Confidence.HIGH,
        ),
        ((dns(), tcp(port=80), answer(470)), "tampered", Blame.FIREWALL_L7, Confidence.HIGH),
    ],
    ids=["refused", "silent", "no name", "gone", "page", "deny page", "azure firewall"],
)
def test_faults_of_a_fetched_list(
    seen: tuple[Observation, ...], reason: str, blame: Blame, sure: Confidence
) -> None:
    """A list that can't be fetched, or is no list, is a finding; no target is affected."""
    assert only(fetched(*seen)) == (f"pki_revocation_{reason}", blame, sure)


def test_valid_list_is_no_finding() -> None:
    """A valid DER answer is no fault."""
    assert fetched(dns(), tcp(port=80), answer()).findings == ()


def test_any_answer_proves_an_ocsp_server() -> None:
    """OCSP expects a POST; an error in answer to a GET is enough."""
    seen = (dns(), tcp(port=80), answer(405, der=False))
    assert fetched(*seen, host="ocsp.pki.example", path="/").findings == ()
    (finding,) = fetched(dns(), tcp(Failure.REFUSED, port=80), host="ocsp.pki.example", path="/").findings
    assert "ocsp.pki.example" in finding.title
    assert finding.advice.startswith("Allow http/80 from 10.20.0.11 to ocsp.pki.example")
    assert finding.evidence[0].startswith("control revocation failed: 10.20.0.11:40112 -> ")
    assert "http://ocsp.pki.example/ is named for OCSP" in finding.evidence


def test_synthetic_controls_are_not_counted_as_dials() -> None:
    """Hop limits and fetches say nothing about dials in general."""
    site = Site()
    site.add(good())
    silent: Trail = trail(dns(resolver=RESOLVER), tcp(Failure.TIMEOUT, address="203.0.113.200"))
    for kind in (ControlKind.HOPS, ControlKind.LARGE_HELLO, ControlKind.REVOCATION):
        site.control(kind, *silent.observations)
    assert judge(site.recording()).findings == ()

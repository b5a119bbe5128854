"""Controls that are planned without a failure, and how their results are judged."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from egressd.attribution import judge, plan_followups
from egressd.attribution.blame_text import CALL
from egressd.attribution.detectors.revocation import SAME_PAGE
from egressd.model.observation import (
    Certificate,
    ChainFacts,
    Failure,
    HttpObservation,
    Observation,
    PathCertificate,
    TlsObservation,
)
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Trail
from egressd.model.verdict import Blame, Confidence, Outcome, Sweep
from tests.attribution.cases import PRIVATE
from tests.attribution.control_scenes import ANSWERED_LARGE, LOST, RESET_LARGE
from tests.attribution.recordings import (
    NOW,
    PROXY,
    RESOLVER,
    Site,
    certificate,
    connect,
    dns,
    facts,
    good,
    http,
    tcp,
    tls,
    trail,
)

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


HELLOS = (ControlKind.LARGE_HELLO, ControlKind.SNI_LAST, ControlKind.NO_SNI)


def sent(
    site: Site, number: int, *answers: TlsObservation, others: tuple[TlsObservation, ...] = (), at: str = NOW
) -> None:
    """Add the large ClientHellos of a place, and what was sent in turn with them, with their results."""
    site.control(ControlKind.LARGE_HELLO, subject=number, address=site.dialled(number))
    dial, path = replace(tcp(address=site.dialled(number)), started=at), site.path(number)
    tunnel = (connect(),) if path == PROXY else ()
    site.controls[-1] = replace(
        site.controls[-1],
        trails=tuple(trail(dial, *tunnel, one, path=path) for one in answers),
        subject_trails=tuple(trail(dial, *tunnel, one, path=path) for one in others),
    )


def lost(site: Site, number: int, answer: TlsObservation) -> None:
    """Add large ClientHellos that are lost twice, in turn with small ones that are answered."""
    sent(site, number, answer, answer, others=(tls(), tls()))


def behind_proxy(places: int) -> Site:
    """Return targets that work by tunnels of one proxy."""
    site = Site()
    for number in range(places):
        name = f"n{number}.example"
        seen = (tcp(address="10.0.0.8", port=3128), connect(), tls(sni=name, chain=(PAPERS,)), http())
        site.add(trail(*seen, path=PROXY), host=name, via_proxy=True)
    return site


@pytest.mark.parametrize("site", [healthy(4), behind_proxy(4)], ids=["direct", "proxied"])
def test_a_small_plan_is_compared_everywhere(site: Site) -> None:
    """A large ClientHello goes to every place, directly or by a tunnel; the unusual forms are sampled."""
    found = planned(site, *HELLOS)
    large = [one for one in found if one.kind is ControlKind.LARGE_HELLO]
    assert {one.host for one in large} == {f"n{number}.example" for number in range(4)}
    assert len({(one.address, one.tunnel) for one in large}) == 4
    assert [one.kind for one in found].count(ControlKind.NO_SNI) == 1


def test_nothing_is_compared_where_nothing_answers() -> None:
    """A dead site has no place to compare at."""
    dead = Site()
    dead.add(trail(dns(), tcp(Failure.TIMEOUT)))
    assert planned(dead, *HELLOS) == []


@pytest.mark.parametrize("build", [healthy, behind_proxy], ids=["direct", "proxied"])
def test_a_healthy_sweep_sends_few_client_hellos(build: Callable[[int], Site]) -> None:
    """With 150 targets it is two large ones and each unusual form once, whatever the round."""
    site = build(150)
    found = planned(site, *HELLOS)
    assert sorted(one.kind for one in found) == sorted((*HELLOS, ControlKind.LARGE_HELLO))
    for one in found:
        number = int(one.host.removeprefix("n").partition(".")[0])
        sent(site, number, ANSWERED_LARGE)
        site.controls[-1] = replace(site.controls[-1], kind=one.kind)
    assert planned(site, *HELLOS) == []


def test_many_targets_at_few_addresses_are_a_large_plan() -> None:
    """A sweep of 150 targets sends as few ClientHellos where they share five addresses."""
    site = Site()
    for number in range(150):
        name, address = f"n{number}.example", f"203.0.113.{number % 5}"
        site.add(trail(dns(name=name), tcp(address=address), tls(sni=name), http()), host=name)
    assert len(planned(site, *HELLOS)) == 4


def test_sweeps_go_round_a_large_plan() -> None:
    """Each sweep tries places that no sweep before has tried, until all have a fresh result."""
    site, seen = healthy(30), set[str]()
    for sweep in range(15):
        site.started = f"2026-11-20T03:10:{10 + sweep}.000Z"
        for one in planned(site, ControlKind.LARGE_HELLO):
            assert one.host not in seen
            seen.add(one.host)
            sent(site, int(one.host[1:].partition(".")[0]), ANSWERED_LARGE, at=site.started)
    assert len(seen) == 30


def test_operators_come_before_neighbours() -> None:
    """Of thirty addresses in one network and one elsewhere, the first two samples are of both networks."""
    site = healthy(30)
    away = trail(dns(name="far.example"), tcp(address="198.51.100.7"), tls(sni="far.example"), http())
    site.add(away, host="far.example")
    hosts = {one.host for one in planned(site, ControlKind.LARGE_HELLO)}
    assert "far.example" in hosts
    assert len(hosts) == 2


def test_one_loss_is_looked_for_everywhere() -> None:
    """A large ClientHello that is lost by turns at one place goes to all others, and in smaller segments."""
    site = healthy(40)
    lost(site, 0, LOST)
    found = planned(site, ControlKind.LARGE_HELLO)
    assert len({one.host for one in found if one.max_segment is None}) == 39
    assert len({one.host for one in found if one.max_segment == 1200}) == 40


def test_one_lost_client_hello_is_chance() -> None:
    """Lost once, answered the second time: nothing is said of it and nothing follows from it."""
    site = healthy(40)
    sent(site, 0, LOST, ANSWERED_LARGE, others=(tls(),))
    assert len(planned(site, ControlKind.LARGE_HELLO)) == 1
    assert {one.verdict.outcome for one in judge(site.recording()).verdicts} == {Outcome.OK}


def test_every_place_that_loses_it_is_marked() -> None:
    """Whatever the path, each target whose large ClientHellos are lost is degraded, and no other."""
    for site in (healthy(5), behind_proxy(5)):
        for number in (1, 4):
            lost(site, number, RESET_LARGE)
        marked = [one.verdict.reason for one in judge(site.recording()).verdicts]
        bad = "tls_large_hello_intolerant"
        assert marked == [None, bad, None, None, bad]


def test_nothing_is_split_unless_allowed() -> None:
    """A ClientHello in two parts is sent only where the configuration allows it."""
    site = healthy(1)
    lost(site, 0, LOST)
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


NAMED = replace(PAPERS, issuer="CN=Issuing CA", sha256="aa" * 32)
ABOVE = replace(
    certificate(subject="CN=Issuing CA", aia=()),
    sha256="bb" * 32,
    crl_urls=("http://crl.root.example/r.crl",),
)
FORGED = replace(ABOVE, sha256="cc" * 32, crl_urls=("http://crl.forged.example/f.crl",))


def on_path(*some: Certificate) -> ChainFacts:
    """Return facts of a good chain with these certificates on its path."""
    path = [
        PathCertificate(
            sha256=one.sha256, subject=one.subject, key_id=None, not_after=one.not_after, sent=True
        )
        for one in some
    ]
    return replace(facts(), path=tuple(path))


def test_only_certificates_of_the_path_count() -> None:
    """A server can send any certificate along, with the names of a real one."""
    site = Site()
    seen = tls(chain=(NAMED, FORGED, ABOVE), about=on_path(NAMED, ABOVE))
    site.add(trail(dns(), tcp(), seen, http()))
    hosts = {one.host for one in planned(site, ControlKind.REVOCATION)}
    assert hosts == {"crl.pki.example", "ocsp.pki.example", "www.pki.example", "crl.root.example"}


@pytest.mark.parametrize(
    ("failure", "code"), [(Failure.VERIFY, 62), (Failure.VERIFY, 10), (Failure.RESET, 0), (None, None)]
)
def test_only_sessions_that_verified_count(failure: Failure | None, code: int | None) -> None:
    """A public chain for another name, or out of date, may have been copied from its owner."""
    site = Site()
    seen = replace(tls(chain=(PAPERS,), about=facts()), failure=failure, verify_code=code)
    site.add(trail(dns(), tcp(), seen))
    assert planned(site, ControlKind.REVOCATION) == []


@pytest.mark.parametrize(
    ("address", "owned", "hosts"),
    [
        ("10.1.2.3", True, {"pki.corp", "10.1.2.4"}),
        ("10.1.2.3", False, set()),
        ("203.0.113.5", True, set()),
        ("127.0.0.1", True, set()),
    ],
)
def test_an_own_endpoint_in_the_own_network_may_name_servers_there(
    address: str, owned: bool, hosts: set[str]
) -> None:
    """A catalog host that a resolver moves into the network may not, nor an own endpoint outside of it."""
    leaf = replace(
        PAPERS,
        crl_urls=("http://pki.corp/a.crl", "http://10.1.2.4/a.crl", "http://127.0.0.1/a.crl"),
        ocsp_urls=("http://localhost/",),
        issuer_urls=("http://169.254.169.254/",),
    )
    site = Site()
    end = trail(dns(address), tcp(address=address), tls(chain=(leaf,)), http())
    site.add(replace(end, address=address), owned=owned)
    found = planned(site, ControlKind.REVOCATION)
    assert {one.host for one in found} == hosts
    assert all(one.private for one in found)


@pytest.mark.parametrize(
    ("answers", "found"),
    [(("0.0.0.0",), 1), (("127.0.0.1",), 1), (("10.1.2.3",), 0), (("127.0.0.1", "10.1.2.3"), 0)],
)
def test_a_name_that_leads_to_this_host_is_denied_by_dns(answers: tuple[str, ...], found: int) -> None:
    """So filters deny names. A private address is not dialled, and may be a mirror: it accuses nobody."""
    some = fetched(dns(*answers)).findings
    assert len(some) == found
    assert {one.blame for one in some} <= {Blame.DNS_FILTER}


def add_fetch(site: Site, *seen: Observation, host: str, path: str) -> None:
    """Add the fetch of a URL that the chains name."""
    site.control(ControlKind.REVOCATION, *seen, address=None, host=host, port=80)
    site.controls[-1] = replace(site.controls[-1], url=path)


def fetched(*seen: Observation, host: str = "crl.pki.example", path: str = "/issuing.crl") -> Sweep:
    """Return a working site, and one URL of its chains with its answer."""
    site = healthy(2)
    add_fetch(site, *seen, host=host, path=path)
    return judge(site.recording())


PAGE = "<html><head><title>Access is not permitted</title></head>"
PORTAL = "https://login.guest-network.test/welcome?to=crl"


def answer(status: int | None = 200, *, der: bool | None = True, body: str = "") -> HttpObservation:
    return replace(http(status, body=body), der=der)


def redirect(to: str) -> HttpObservation:
    return replace(http(302), headers=(("location", to),), der=None)


def cut(failure: Failure) -> HttpObservation:
    return replace(http(None), failure=failure)


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
        ((dns(), tcp(port=80), answer(404)), "unreachable", Blame.PKI_ENDPOINT, Confidence.HIGH),
        ((dns(), tcp(port=80), cut(Failure.RESET)), "unreachable", Blame.FIREWALL_L7, Confidence.HIGH),
        ((dns(), tcp(port=80), cut(Failure.CLOSED)), "unreachable", Blame.FIREWALL_L7, Confidence.HIGH),
        ((dns(), tcp(port=80), answer(der=False)), "tampered", Blame.FIREWALL_L7, Confidence.HIGH),
        ((dns(), tcp(port=80), answer(503, body=PAGE)), "tampered", Blame.FIREWALL_L7, Confidence.HIGH),
        ((dns(), tcp(port=80), redirect(PORTAL)), "tampered", Blame.FIREWALL_L7, Confidence.HIGH),
        (
            (dns(), tcp(port=80), answer(403, body="Powered By FortiGuard", der=False)),
            "tampered",
            Blame.FIREWALL_L7,
            Confidence.HIGH,
        ),
        ((dns(), tcp(port=80), answer(470)), "tampered", Blame.FIREWALL_L7, Confidence.HIGH),
        ((dns(), tcp(port=80), answer(407)), "tampered", Blame.FIREWALL_L7, Confidence.HIGH),
    ],
    ids=[
        "refused",
        "silent",
        "no name",
        "gone",
        "reset",
        "closed",
        "no list",
        "page",
        "portal",
        "deny page",
        "azure firewall",
        "proxy",
    ],
)
def test_faults_of_a_fetched_list(
    seen: tuple[Observation, ...], reason: str, blame: Blame, sure: Confidence
) -> None:
    """A list that can't be fetched, or is no list, is a finding; no target is affected."""
    assert only(fetched(*seen)) == (f"pki_revocation_{reason}", blame, sure)


def test_valid_list_is_no_finding() -> None:
    """A valid DER answer is no fault."""
    assert fetched(dns(), tcp(port=80), answer()).findings == ()


@pytest.mark.parametrize("status", [400, 404, 405])
def test_an_ocsp_server_declines_a_get(status: int) -> None:
    """OCSP expects a question: an error in answer to a GET without one is enough, whatever page it has."""
    seen = (dns(), tcp(port=80), answer(status, der=False, body=PAGE))
    assert fetched(*seen, host="ocsp.pki.example", path="/").findings == ()


@pytest.mark.parametrize(
    "seen", [answer(200, der=False, body=PAGE), answer(503, body=PAGE), redirect(PORTAL), answer(511)]
)
def test_an_ocsp_server_has_no_pages(seen: HttpObservation) -> None:
    """A page or a redirect in place of an OCSP response is a device's, and the host is named."""
    (finding,) = fetched(dns(), tcp(port=80), seen, host="ocsp.pki.example", path="/").findings
    assert finding.reason == "pki_revocation_tampered"
    assert "ocsp.pki.example" in finding.title
    assert finding.blame is Blame.FIREWALL_L7


def test_an_ocsp_server_out_of_reach_is_named() -> None:
    """Title, advice and evidence name the host, so that its rule can be asked for."""
    (finding,) = fetched(dns(), tcp(Failure.REFUSED, port=80), host="ocsp.pki.example", path="/").findings
    assert "ocsp.pki.example" in finding.title
    assert "If it was: Allow http/80 from 10.20.0.11 to ocsp.pki.example" in finding.advice
    assert finding.evidence[0].startswith("control revocation failed: 10.20.0.11:40112 -> ")
    assert "http://ocsp.pki.example/ is named for OCSP" in finding.evidence


def test_a_redirect_within_the_domain_is_the_servers_own() -> None:
    """A certificate authority may move its files to another of its hosts."""
    assert fetched(dns(), tcp(port=80), redirect("http://cdn.pki.example/issuing.crl")).findings == ()


def test_a_name_that_dns_denies_asks_for_no_rule_on_port_80() -> None:
    """Ask and blame point at the same party: the one that answers for names."""
    (finding,) = fetched(dns(failure=Failure.NXDOMAIN)).findings
    assert "http/80" not in finding.advice
    assert CALL[Blame.DNS_FILTER] in finding.advice


def test_what_only_a_device_answers_clears_the_authority() -> None:
    """A status of proxies, or the same page for hosts of different owners: no certificate authority's."""
    (finding,) = fetched(dns(), tcp(port=80), answer(407)).findings
    assert Blame.PKI_ENDPOINT in {one.blame for one in finding.ruled_out}
    alone = fetched(dns(), tcp(port=80), answer(503, body=PAGE)).findings[0]
    assert Blame.PKI_ENDPOINT in {one.blame for one in alone.suspects}
    hosts = (("crl.one.example", "/a.crl"), ("crl.other.test", "/b.crl"))
    site = healthy(2, replace(PAPERS, crl_urls=tuple(f"http://{host}{path}" for host, path in hosts)))
    for host, path in hosts:
        add_fetch(site, dns(), tcp(port=80), answer(503, body=PAGE), host=host, path=path)
    (both,) = judge(site.recording()).findings
    assert {one.blame: one.by for one in both.ruled_out} == {Blame.PKI_ENDPOINT: SAME_PAGE}
    assert "crl.one.example, crl.other.test" in both.title


def test_what_ends_differently_is_two_findings() -> None:
    """One asks the DNS team, the other the firewall team; each names its own hosts."""
    site = healthy(2)
    add_fetch(site, dns(failure=Failure.NXDOMAIN), host="crl.pki.example", path="/issuing.crl")
    add_fetch(site, dns(), tcp(Failure.REFUSED, port=80), host="ocsp.pki.example", path="/")
    first, second = judge(site.recording()).findings
    assert (first.id, second.id) == ("pki_revocation_unreachable:name", "pki_revocation_unreachable")
    assert (first.blame, second.blame) == (Blame.DNS_FILTER, Blame.FIREWALL_L3L4)
    assert "ocsp" not in first.title


def test_synthetic_controls_are_not_counted_as_dials() -> None:
    """Hop limits and fetches say nothing about dials in general."""
    site = Site()
    site.add(good())
    silent: Trail = trail(dns(resolver=RESOLVER), tcp(Failure.TIMEOUT, address="203.0.113.200"))
    for kind in (ControlKind.HOPS, ControlKind.LARGE_HELLO, ControlKind.REVOCATION):
        site.control(kind, *silent.observations)
    assert judge(site.recording()).findings == ()

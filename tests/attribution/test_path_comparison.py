"""Explicit proxies: authentication schemes, comparison of both paths, controls through the proxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.attribution import SAMPLED, judge, plan_followups
from egressd.attribution.facts.proxy import auth_schemes, only_unsupported
from egressd.model.endpoint import Protocol, SampleKind
from egressd.model.observation import ChainFacts, Failure, Observation
from egressd.model.plan import ControlKind
from egressd.model.recording import Recording, Trail
from egressd.model.settings import Proxy
from egressd.model.verdict import Outcome, Sweep
from tests.attribution.recordings import PROXY, Site, connect, dns, good, http, tcp, tls, trail

FORGED = ChainFacts(
    publicly_anchored=False,
    store_anchored=False,
    name_matches=True,
    common_name_matches=False,
    in_time=True,
)


def through(*seen: Observation) -> Trail:
    """Return a trail through the proxy."""
    return trail(tcp(port=3128), *seen, path=PROXY)


def recorded(site: Site) -> Recording:
    """Return a site's recording, made through a proxy."""
    recording = site.recording()
    proxy = Proxy(url=PROXY)
    return replace(
        recording,
        plan=replace(recording.plan, proxy=proxy),
        vantage=replace(recording.vantage, proxy=PROXY),
    )


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Basic", ("Basic",)),
        ('Basic realm="Squid proxy, NTLM"', ("Basic",)),
        ("Negotiate, NTLM", ("Negotiate", "NTLM")),
        ('Negotiate, NTLM, Basic realm="a \\" b"', ("Negotiate", "NTLM", "Basic")),
        ('Digest realm="x", nonce="y", qop="auth", Basic realm="z"', ("Digest", "Basic")),
        ("NTLM TlRMTVNTUAACAAAA==", ("NTLM",)),
        ("", ()),
        (",,", ()),
        ("=", ()),
    ],
)
def test_auth_schemes_of_a_header(header: str, found: tuple[str, ...]) -> None:
    """The schemes are named, whatever their parameters are."""
    assert auth_schemes(connect(407, headers={"Proxy-Authenticate": header})) == found


def test_unsupported_auth_schemes() -> None:
    """Basic, however it is written, is supported; no scheme at all decides nothing."""
    assert only_unsupported(("Negotiate", "NTLM"))
    assert not only_unsupported(("NTLM", "basic"))
    assert not only_unsupported(())


@given(st.text(max_size=200))
def test_any_header_is_parsed(header: str) -> None:
    """In bounded time, and without an exception."""
    assert isinstance(auth_schemes(connect(407, headers={"proxy-authenticate": header})), tuple)


def both(name: str, site: Site, *, by_proxy: bool, direct: bool) -> str:
    """Add a target that works, or does not, by each path; the proxy is the path in use."""
    answer = connect() if by_proxy else connect(403)
    more = (tls(sni=name), http()) if by_proxy else ()
    target = site.add(through(answer, *more), host=name, via_proxy=True)
    address = f"20.60.9.{len(site.targets)}"
    silent = trail(dns(address, name=name), tcp(Failure.TIMEOUT, address=address))
    other = good(name, address) if direct else silent
    site.add(other, host=name, contrast=True)
    return target


def judged(*targets: tuple[bool, bool]) -> Sweep:
    """Judge targets that work by (proxy, direct)."""
    site = Site()
    for number, (by_proxy, direct) in enumerate(targets):
        both(f"h{number}.example", site, by_proxy=by_proxy, direct=direct)
    return judge(recorded(site))


def found(sweep: Sweep) -> list[tuple[str, int]]:
    """Return the findings about paths, with the number of targets of each."""
    codes = ("proxy_breaks_path", "proxy_required", "site_requires_proxy")
    return [(one.reason, len(one.targets)) for one in sweep.findings if one.reason in codes]


@pytest.mark.parametrize(
    ("targets", "findings", "outcomes"),
    [
        (((True, True), (True, True)), [], "ok ok"),
        (((True, False), (True, False)), [("site_requires_proxy", 2)], "ok ok"),
        (((True, False), (True, True)), [("proxy_required", 1)], "ok ok"),
        (((False, True), (True, True)), [("proxy_breaks_path", 1)], "blocked ok"),
        (((False, False), (True, True)), [], "blocked ok"),
        (
            ((False, True), (True, False), (True, True)),
            [("proxy_breaks_path", 1), ("proxy_required", 1)],
            "blocked ok ok",
        ),
    ],
)
def test_comparison_of_two_paths(
    targets: tuple[tuple[bool, bool], ...], findings: list[tuple[str, int]], outcomes: str
) -> None:
    """The path in use decides; the result of the other one is kept with it."""
    sweep = judged(*targets)
    assert found(sweep) == findings
    assert " ".join(one.verdict.outcome for one in sweep.verdicts) == outcomes
    for one, (by_proxy, direct) in zip(sweep.verdicts, targets, strict=True):
        assert [(seen.path, seen.verdict.outcome.reachable) for seen in one.by_source] == [(PROXY, by_proxy)]
        assert [(seen.path, seen.verdict.outcome.reachable) for seen in one.other_path] == [
            ("direct", direct)
        ]


def test_own_reason_of_a_broken_proxy_path_is_kept() -> None:
    """The reason of the proxied trail is kept with the code, and in the evidence."""
    sweep = judged((False, True), (True, True))
    verdict = sweep.verdicts[0].verdict
    assert (verdict.reason, verdict.also) == ("proxy_breaks_path", ("proxy_denied",))
    assert "answered 403" in verdict.evidence[0]
    assert PROXY in verdict.advice


def test_proxy_authentication_precedes_path_comparison() -> None:
    """Where no target gets past the proxy, that is the one cause."""
    site = Site()
    for name in ("a.example", "b.example"):
        site.add(through(connect(407)), host=name, via_proxy=True)
        site.add(good(name), host=name, contrast=True)
    sweep = judge(recorded(site))
    assert [one.reason for one in sweep.findings] == ["proxy_auth_required"]
    assert sweep.verdicts[0].verdict.also == ("proxy_breaks_path",)


def test_names_need_not_resolve_behind_a_proxy() -> None:
    """That this host does not resolve what the proxy resolves is information, not a fault."""
    site = Site()
    site.add(through(connect(), tls(), http()), via_proxy=True)
    site.add(trail(dns(failure=Failure.TIMEOUT)), contrast=True)
    (target,) = judge(recorded(site)).verdicts
    assert target.verdict.outcome is Outcome.OK
    assert {"proxy_required", "dns_not_required"} <= set(target.verdict.also)


def test_a_bypassed_target_may_need_the_proxy() -> None:
    """Nothing gets out directly, everything by the proxy: one finding, and every target stays blocked."""
    site = Site()
    for name in ("a.example", "b.example"):
        site.add(trail(dns(name=name), tcp(Failure.TIMEOUT)), host=name)
        site.add(through(connect(), tls(sni=name), http()), host=name, via_proxy=True, contrast=True)
    sweep = judge(recorded(site))
    assert [(one.reason, len(one.targets)) for one in sweep.findings] == [("site_requires_proxy", 2)]
    assert {one.verdict.outcome for one in sweep.verdicts} == {Outcome.BLOCKED}


def planned(*seen: Observation, port: int = 443, repeats: int = 0) -> list[tuple[ControlKind, str, str]]:
    """Return the controls after one failed trail through the proxy, with one target that works."""
    site = Site()
    site.add(through(*seen), host="bad.example", via_proxy=True, port=port)
    for _ in range(repeats):
        site.control(ControlKind.REPEAT, *through(*seen).observations, host="bad.example")
    fine = (connect(), tls(sni="good.example"), http())
    site.add(through(*fine), host="good.example", via_proxy=True)
    planned = plan_followups(recorded(site))
    return [(one.kind, one.host, one.tunnel) for one in planned if one.tunnel and one.kind not in SAMPLED]


def test_followups_go_through_the_proxy() -> None:
    """Repeats, another name in the same tunnel, the usual port, a look inside."""
    closed = tls(Failure.CLOSED, sni="bad.example")
    repeat = (ControlKind.REPEAT, "bad.example", "bad.example:443")
    other = (ControlKind.SNI_CONTRAST, "good.example", "bad.example:443")
    assert planned(connect(), closed) == [repeat]
    assert planned(connect(), closed, repeats=1) == [other]
    assert planned(connect(), tls(Failure.TIMEOUT, sni="bad.example")) == [repeat, other]
    assert planned(connect(None, Failure.RESET)) == [repeat]
    assert planned(connect(503)) == [repeat]
    assert planned(connect(407)) == []
    assert planned(connect(403), port=8443) == [(ControlKind.PORT_CONTRAST, "bad.example", "bad.example:443")]
    assert planned(connect(403)) == []
    forged = tls(Failure.VERIFY, sni="bad.example", code=19, hello=True, about=FORGED)
    assert planned(connect(), forged) == [
        repeat,
        (ControlKind.LOOK_INSIDE, "bad.example", "bad.example:443"),
    ]


def test_random_label_is_proven_by_proxy_policy() -> None:
    """A proxy that lets the name pass and can't find it has the rule; one that denies it has not."""
    for status, outcome in ((503, Outcome.OK), (403, Outcome.BLOCKED)):
        site = Site()
        site.add(through(connect(status)), via_proxy=True, sample=SampleKind.RANDOM)
        (target,) = judge(recorded(site)).verdicts
        assert target.verdict.outcome is outcome


def test_the_proxys_own_certificate_is_no_inspection() -> None:
    """A TLS proxy's own private certificate says nothing about any target."""
    site = Site()
    own = tls(sni="proxy.corp.example", about=FORGED)
    site.add(through(own, connect(), tls(), http()), via_proxy=True)
    site.add(through(own, http(200)), host="p.example", port=80, protocol=Protocol.HTTP, via_proxy=True)
    sweep = judge(recorded(site))
    assert [one.verdict.outcome for one in sweep.verdicts] == [Outcome.OK, Outcome.OK]
    assert sweep.findings == ()

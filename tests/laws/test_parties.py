"""Laws of parties: whom words, one's own servers, one's own limits, proxies and closed ports may accuse."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.model.observation import (
    Certificate,
    Failure,
    HttpObservation,
    Observation,
    TcpObservation,
)
from egressd.model.plan import Target
from egressd.model.recording import Recording
from egressd.model.verdict import Blame, Confidence
from tests.attribution.recordings import Site, dns, http, tcp, tls, trail
from tests.laws.worlds import BASES, claims_of, judged, mapped, not_above, shows_itself, verdicts_of

DIRECT = frozenset(
    {
        Blame.LOCAL_GATEWAY,
        Blame.DNS_FILTER,
        Blame.TRANSPARENT_PROXY,
        Blame.PATH_MTU_LINK,
        Blame.NAT_DEVICE,
        Blame.UPSTREAM_PATH,
        Blame.UNKNOWN_MIDDLEBOX,
    }
)
"""Who is on the direct way only: a firewall, inspection and a resolver may stand beyond the proxy."""
US = frozenset({Blame.LOCAL_HOST, Blame.EGRESSD_ENV})
VENDORS = 'Zscaler Fortinet Palo Alto Networks Untrusted CA, not trusted by "Blue Coat"'


def with_vendor_words(value: Any) -> Any:
    """Put words of inspecting products into the names of certificates and the titles of pages."""
    if isinstance(value, Certificate):
        subject, issuer = (name and f"{name},OU={VENDORS}" for name in (value.subject, value.issuer))
        return replace(value, subject=subject, issuer=issuer)
    if isinstance(value, HttpObservation):
        return replace(value, title=f"{value.title} {VENDORS}")
    return value


def without_words(value: Any) -> Any:
    """Replace the names of certificates and the titles of pages by ones that mean nothing."""
    if isinstance(value, Certificate):
        subject, issuer = (name and f"CN=x{name.encode().hex()}" for name in (value.subject, value.issuer))
        return replace(value, subject=subject, issuer=issuer)
    if isinstance(value, HttpObservation):
        return replace(value, title="x" if value.title else "")
    return value


@pytest.mark.parametrize(("change", "adds"), [(with_vendor_words, True), (without_words, False)])
def test_law_05_a_word_is_a_hint(change: Any, adds: bool) -> None:
    """Names and titles make no blame confirmed and move none to another party."""
    moved = []
    for name, base in BASES.items():
        before, after = verdicts_of(judged(name)), verdicts_of(judge(mapped(base, change)))
        for key, old in before.items():
            new = after[key]
            by_words, alone = (new, old) if adds else (old, new)
            surer = not not_above(by_words.blame_confidence, alone.blame_confidence)
            if new.blame is not old.blame or surer:
                moved.append(
                    f"{name}: {old.reason} {old.blame} {old.blame_confidence} -> "
                    f"{new.reason} {new.blame} {new.blame_confidence}"
                )
    assert moved == []


@pytest.mark.parametrize("internal", [False, True])
def test_law_06_the_operators_own_endpoint_is_theirs(internal: bool) -> None:
    """Azure is never a suspect for a server that the operator runs, whatever happened to it."""

    def own(value: Any) -> Any:
        return replace(value, owned=True, internal=internal) if isinstance(value, Target) else value

    accused = [
        f"{name}: {about} {claim.reason}"
        for name, base in BASES.items()
        for about, claim in claims_of(judge(mapped(base, own)))
        if Blame.AZURE_SERVICE in (claim.blame, *(one.blame for one in claim.suspects))
    ]
    assert accused == []


OUR_LIMITS: list[tuple[Observation, ...]] = [
    (tcp(Failure.NO_RESOURCES),),
    (tcp(Failure.INVALID_SOURCE),),
    (dns(failure=Failure.NO_RESOURCES),),
    (dns(failure=Failure.INVALID_SOURCE),),
    (dns(), tcp(Failure.NO_RESOURCES)),
    (dns(), tcp(), tls(Failure.NO_RESOURCES)),
    (dns(), tcp(), tls(), http(None, Failure.NO_RESOURCES)),
    (dns(failure=Failure.NAME_INVALID),),
    (dns(), tcp(), tls(Failure.INTERNAL_ERROR)),
    (dns(), tcp(), tls(), http(None, Failure.INTERNAL_ERROR)),
]


@pytest.mark.parametrize("seen", OUR_LIMITS, ids=lambda seen: f"{seen[-1].phase}-{seen[-1].failure}")
def test_law_10_our_own_limits_are_ours(seen: tuple[Observation, ...]) -> None:
    """What this host or egressd can't do accuses nobody else."""
    site = Site()
    site.add(trail(*seen))
    for about, claim in claims_of(judge(site.recording())):
        assert {one.blame for one in claim.suspects} <= US, (about, claim.reason)
        assert claim.blame in US


def proxied_targets(recording: Recording) -> set[str]:
    """Return the targets that are probed through the proxy only."""
    ways: dict[str, set[bool]] = {}
    for probe, record in zip(recording.plan.probes, recording.records, strict=True):
        for target in probe.targets:
            ways.setdefault(target, set()).update(one.path != "direct" for one in record.trails)
    return {target for target, seen in ways.items() if seen == {True}}


def test_law_11_behind_a_proxy_the_direct_way_is_no_suspect() -> None:
    """Nobody on the direct way, and no resolver of this host, is accused of what a proxy reports."""
    wrong = []
    for name, base in BASES.items():
        proxied = proxied_targets(base)
        for (target, _), verdict in verdicts_of(judged(name)).items():
            if target not in proxied or verdict.reason == "proxy_name_unresolvable":
                continue
            accused = {one.blame for one in verdict.suspects} & DIRECT
            if accused and not shows_itself(verdict):
                wrong.append(f"{name}: {verdict.reason} {sorted(accused)}")
    assert wrong == []


def test_law_11_the_proxys_address_is_not_the_servers() -> None:
    """No text of advice or of what decides names the proxy's address, as if the server were there.

    The URL of a proxy may hold its address: that is named as the proxy's.
    """
    wrong = []
    for name, base in BASES.items():
        proxied = proxied_targets(base)
        urls = {path.path for record in base.records for path in record.trails}
        addresses = {
            one.remote_address
            for record in base.records
            for path in record.trails
            for one in path.observations
            if isinstance(one, TcpObservation) and path.path != "direct"
        }
        for (target, _), verdict in verdicts_of(judged(name)).items():
            texts = (
                (verdict.advice, *(one.decided_by for one in verdict.suspects)) if target in proxied else ()
            )
            for text in texts:
                bare = functools.reduce(lambda left, url: left.replace(url, ""), urls, text)
                wrong += [f"{name}: {text}" for address in addresses if address in bare]
    assert wrong == []


REFUSED = frozenset({"tcp_refused", "tcp_port_blocked", "proxy_refused"})


def test_law_12_a_closed_port_accuses_nobody_by_itself() -> None:
    """Refused without ICMP, another source or a hop that tells leaves the service and a firewall suspects."""
    site = Site()
    site.add(trail(dns(), tcp(Failure.REFUSED)))
    for _ in range(2):
        verdict = judge(site.recording()).verdicts[0].verdict
        accused = {one.blame for one in verdict.suspects}
        assert accused >= {Blame.AZURE_SERVICE, Blame.FIREWALL_L3L4, Blame.LOCAL_HOST}, verdict.reason
        assert verdict.blame_confidence in (Confidence.LOW, Confidence.MEDIUM)
        assert not re.search(r"\bcontrol\b", " ".join(verdict.evidence))
        site.add(
            trail(dns(name="other.example"), tcp(address="203.0.113.80"), tls(), http()), host="other.example"
        )

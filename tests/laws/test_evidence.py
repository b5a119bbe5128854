"""Laws of evidence: what proves, what only looks like proof, and what chance can do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.attribution.blame.parties import FAR_END, NAME_PARTIES, ON_THE_WAY
from egressd.model.observation import Failure, HttpObservation, Phase, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Control, Recording, Trail
from egressd.model.verdict import Blame, Confidence
from tests.attribution.recordings import (
    ADDRESS,
    HOST,
    OTHER_ADDRESS,
    Site,
    certificate,
    dns,
    facts,
    good,
    http,
    tcp,
    tls,
    trail,
)
from tests.laws.worlds import BASES, claims_of, judged, not_above, verdicts_of

PROXY_MARKS = {"server": "squid/5.7", "via": "1.1 proxy.corp", "x-squid-error": "ERR_ACCESS_DENIED 0"}
CONTENTS = [
    http(status, headers=dict(headers), title=title, body=body)
    for status in (302, 307, 400, 401, 403, 404, 407, 429, 451, 470, 500, 502, 503, 511)
    for headers, title, body in (
        ({}, "", ""),
        (
            PROXY_MARKS,
            "ERROR: The requested URL could not be retrieved",
            "<!-- errorpage: err_access_denied -->",
        ),
        ({"location": "https://login.portal.example/"}, "Access Denied", "Internet Security by Zscaler"),
    )
] + [http(None, failure) for failure in (Failure.NOT_HTTP, Failure.HTTP2_ERROR, Failure.TOO_LARGE)]
CONTRASTS = frozenset(
    {
        ControlKind.SNI_CONTRAST,
        ControlKind.ADDRESS_CONTRAST,
        ControlKind.PORT_CONTRAST,
        ControlKind.SMALL_MSS,
        ControlKind.OTHER_RESOLVER,
        ControlKind.KNOWN_NAME,
        ControlKind.SIBLING_NAME,
        ControlKind.SMALL_HELLO,
        ControlKind.NO_SNI,
    }
)
INTERMITTENT = frozenset(
    {"path_intermittent", "path_loss", "dns_intermittent", "tcp_rate_limited", "nat_ports_exhausted"}
)


@pytest.mark.parametrize("said", CONTENTS, ids=lambda one: f"{one.status}-{one.failure}-{one.title[:6]}")
def test_law_01_a_session_that_proved_itself_ends_the_argument(said: HttpObservation) -> None:
    """Inside TLS that verified by a public chain, whatever is answered is the far end's."""
    site = Site()
    target = site.add(trail(dns(), tcp(), tls(), said))
    for about, claim in claims_of(judge(site.recording())):
        accused = {one.blame for one in claim.suspects}
        assert not accused & (ON_THE_WAY | NAME_PARTIES), (target, about, claim.reason)
        assert claim.blame is None or claim.blame in FAR_END | {Blame.EGRESSD_ENV}, claim.reason


def failing_trails(recording: Recording) -> Iterator[tuple[int, Trail]]:
    """Yield the failing trails, each with the number of its probe."""
    for number, record in enumerate(recording.records):
        for one in record.trails:
            if one.last is not None and one.last.failure is not None:
                yield number, one


def ending_alike(recording: Recording) -> Recording:
    """Return it with every comparison ending as the probe that it is for."""
    failed = {recording.plan.probes[number].id: one for number, one in failing_trails(recording)}

    def end_alike(control: Control) -> Control:
        accused = failed.get(control.subject)
        if accused is None or control.kind not in CONTRASTS:
            return control
        return replace(control, trails=(accused,))

    return replace(recording, controls=tuple(map(end_alike, recording.controls)))


def without_comparisons(recording: Recording) -> Recording:
    """Return it as if no comparison had run."""
    left = tuple(one for one in recording.controls if one.kind not in CONTRASTS)
    return replace(recording, controls=left)


def test_law_02_a_failed_control_never_speaks_for_the_accusation() -> None:
    """With comparisons that end like the accused, nobody is accused more surely than without any."""
    worse = []
    for name, base in BASES.items():
        if not any(one.kind in CONTRASTS for one in base.controls):
            continue
        alone, alike = (verdicts_of(judge(change(base))) for change in (without_comparisons, ending_alike))
        for key, verdict in alike.items():
            same = verdict.blame is alone[key].blame
            if same and not not_above(verdict.blame_confidence, alone[key].blame_confidence):
                worse.append((name, verdict.reason, verdict.blame_confidence, alone[key].blame_confidence))
    assert worse == []


def worked(one: Trail, *, attempt: int = 2) -> Trail:
    """Return the trail of an attempt at the same address that worked."""
    tcp_seen = one.seen(Phase.TCP)
    if not isinstance(tcp_seen, TcpObservation):
        return one
    host = next((seen.sni for seen in one.observations if isinstance(seen, TlsObservation)), HOST)
    whole = good(host, tcp_seen.remote_address, tcp_seen.remote_port)
    return replace(whole, attempt=attempt, resolver=one.resolver, address=one.address, family=one.family)


def test_law_03_chance_is_excluded_before_a_contrast_counts() -> None:
    """What worked once of several times is intermittent, whatever the controls say."""
    wrong = []
    for name, base in BASES.items():
        dialled = ((number, one) for number, one in failing_trails(base) if one.seen(Phase.TCP))
        first = next(((number, one) for number, one in dialled if one.path == "direct"), None)
        if first is None or judged(name).verdicts[0].verdict.outcome.reachable:
            continue
        number, failing = first
        probe = base.plan.probes[number]
        if probe.targets[0] != judged(name).verdicts[0].target:
            continue
        repeat = Control(
            id="repeat:coin",
            kind=ControlKind.REPEAT,
            source=failing.source,
            subject=probe.id,
            why="",
            host=probe.host,
            address=failing.address,
            port=probe.port,
            trails=(failing, worked(failing), failing, worked(failing)),
        )
        repeated = replace(base, controls=(*base.controls, repeat))
        verdict = judge(repeated).verdicts[0].verdict
        alone = judge(without_comparisons(repeated)).verdicts[0].verdict
        surer = not not_above(verdict.blame_confidence, alone.blame_confidence)
        if verdict.reason not in INTERMITTENT or surer:
            wrong.append(f"{name}: {verdict.reason} {verdict.blame} {verdict.blame_confidence}")
    assert wrong == []


def inspected(*keys: str) -> Recording:
    """Two names of unrelated owners with forged certificates, by authorities with these keys."""
    site = Site()
    hosts = ("login.contoso.example", "mcr.fabrikam.test")
    for host, key, address in zip(hosts, keys, (ADDRESS, OTHER_ADDRESS), strict=True):
        chain = (certificate(subject=f"CN={host}", san=(host,), issuer="CN=Corp CA", aia=()),)
        about = replace(facts(False, False), issuer_key=key)
        forged = tls(Failure.VERIFY, sni=host, code=20, about=about, chain=chain)
        site.add(trail(dns(address, name=host), tcp(address=address), forged), host=host)
    return site.recording()


def test_law_04_alike_needs_an_identity() -> None:
    """Two forged certificates confirm inspection only where one key signed both; a name is no identity."""
    for keys, sure in ((("aa", "aa"), True), (("aa", "bb"), False)):
        claims = claims_of(judge(inspected(*keys)))
        blamed = [one.blame_confidence for _, one in claims if one.blame is Blame.TLS_INSPECTION]
        assert (Confidence.CONFIRMED in blamed) is sure, keys

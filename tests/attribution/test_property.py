"""Judging ends in a verdict for any recording, and always in the same one."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.attribution import judge, plan_followups
from egressd.attribution.reasons import find_reason
from egressd.model.endpoint import Expect, Inspection, Protocol, SampleKind
from egressd.model.observation import Certificate, DnsQuery, Failure, Icmp, Observation
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
from egressd.model.settings import Family
from egressd.model.verdict import Confidence, Finding, Verdict
from tests.attribution.recordings import (
    Site,
    certificate,
    connect,
    dns,
    facts,
    http,
    icmp,
    info,
    ntp,
    query,
    tcp,
    tls,
    trail,
)

ADDRESSES = st.sampled_from(
    [
        "203.0.113.9",
        "10.9.9.9",
        "0.0.0.0",
        "127.0.0.1",
        "::",
        "2001:db8::1",
        "64:ff9b::1",
        "146.112.61.106",
        "",
    ]
)
LEVELS = tuple(Confidence)
FAILURES = st.none() | st.sampled_from(Failure)
NUMBERS = st.none() | st.integers(0, 200)
BOOLEANS = st.none() | st.booleans()
NAMES = st.sampled_from(["a.example", "b.privatelink.example", "", "10.0.0.1", "x"])
TEXTS = st.sampled_from(["", "HTTP/1.1 403", "<html>Powered By FortiGuard", "Action: Deny"]) | st.text(
    max_size=20
)
CERTIFICATES: st.SearchStrategy[tuple[Certificate, ...]] = st.lists(
    st.builds(
        certificate,
        issuer=st.sampled_from(["CN=Public CA", "CN=Corp", 'CN=Not trusted by "X"', ""]),
        san=st.sampled_from([(), ("a.example",)]),
        not_after=st.sampled_from(["2026-11-21T00:00:00.000Z", "2024-01-01T00:00:00.000Z"]),
        aia=st.sampled_from([(), ("http://pki.example/a",), ("http://[bad",)]),
        self_signed=st.booleans(),
    ),
    max_size=2,
).map(tuple)


@st.composite
def errors(draw: st.DrawFn) -> Icmp | None:
    """An ICMP error, or none."""
    if draw(st.booleans()):
        return None
    version = draw(st.sampled_from([4, 6]))
    kind, code = draw(st.integers(0, 15)), draw(st.integers(0, 15))
    return icmp(kind, code, local=draw(st.booleans()), version=version)


@st.composite
def queries(draw: st.DrawFn) -> tuple[DnsQuery, ...]:
    """The queries behind an answer."""
    one = st.builds(
        query,
        transport=st.sampled_from(["udp", "tcp"]),
        edns=st.booleans(),
        failure=FAILURES,
        rcode=st.none() | st.sampled_from(["REFUSED", "SERVFAIL", "FORMERR"]),
        flags=st.sampled_from([(), ("qr", "tc")]),
        authority_soa=BOOLEANS,
        errno=NUMBERS,
        icmp=errors(),
    )
    return tuple(draw(st.lists(one, max_size=3)))


@st.composite
def looked_up(draw: st.DrawFn) -> Observation:
    """A name looked up, well or badly."""
    failure = draw(FAILURES)
    known: dict[str, Any] = {
        "failure": failure,
        "name": draw(NAMES),
        "resolver": draw(st.sampled_from(["10.0.0.53:53", "10.0.0.54:53", "system"])),
        "rcode": draw(st.none() | st.sampled_from(["REFUSED", "SERVFAIL", "NXDOMAIN"])),
        "v6": draw(st.booleans()),
        "cnames": draw(st.sampled_from([(), ("a.privatelink.example",)])),
        "queries": draw(queries()),
    }
    return dns(*([draw(ADDRESSES)] if failure is None else []), **known)


def conversations() -> st.SearchStrategy[Observation]:
    """Anything that may follow the name."""
    infos = st.none() | st.builds(
        info,
        acked=st.integers(0, 600),
        received=st.integers(0, 2),
        sent=st.integers(0, 2),
        ooo=st.integers(0, 2),
    )
    return st.one_of(
        st.builds(
            tcp, FAILURES, address=ADDRESSES, port=st.sampled_from([80, 443]), errno=NUMBERS, error=errors()
        ),
        st.builds(
            tls,
            FAILURES,
            seen=infos,
            no_info=st.booleans(),
            received=st.integers(0, 10),
            hello=st.booleans(),
            alert=NUMBERS,
            code=NUMBERS,
            chain=CERTIFICATES,
            about=st.none() | st.builds(facts, BOOLEANS, BOOLEANS, name=st.booleans(), cn=st.booleans()),
            first_text=TEXTS,
            detail=TEXTS,
            wants_certificate=st.booleans(),
        ),
        st.builds(
            http,
            st.none() | st.integers(100, 599),
            FAILURES,
            headers=st.dictionaries(
                st.sampled_from(["location", "via", "content-type", "x-squid-error"]), TEXTS, max_size=3
            ),
            body=TEXTS,
            received=st.integers(0, 5),
            throughput=st.none() | st.floats(0, 1e9),
            alert=NUMBERS,
            unverified=st.booleans(),
        ),
        st.builds(
            connect, st.none() | st.integers(100, 599), FAILURES, body=TEXTS, credentials=st.booleans()
        ),
        st.builds(
            ntp, FAILURES, kiss=st.sampled_from(["", "DENY"]), stratum=NUMBERS, icmp=errors(), errno=NUMBERS
        ),
    )


@st.composite
def trails(draw: st.DrawFn) -> Trail:
    """Any observations in any order, which is more than a walk can leave."""
    seen = [*draw(st.lists(looked_up(), max_size=1)), *draw(st.lists(conversations(), max_size=4))]
    made = trail(
        *seen,
        path=draw(st.sampled_from(["direct", "http://proxy.example:3128"])),
        redirected=draw(st.booleans()),
        attempt=draw(st.integers(1, 2)),
    )
    return replace(made, family=draw(st.sampled_from(Family)), address=draw(st.none() | ADDRESSES))


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """A few targets, some controls."""
    site = Site(clock_offset=draw(st.none() | st.sampled_from([0.0, 9e5])))
    for number in range(draw(st.integers(1, 3))):
        site.add(
            *draw(st.lists(trails(), max_size=3)),
            host=f"h{number}.example",
            port=draw(st.sampled_from([80, 443])),
            protocol=draw(st.sampled_from(Protocol)),
            sample=draw(st.sampled_from(SampleKind)),
            pattern=draw(st.sampled_from(["", "*.example"])),
            expect=draw(st.sampled_from([Expect(), Expect(status=(200,), min_bytes=3, sha256="aa")])),
            inspection=draw(st.sampled_from(Inspection)),
            internal=draw(st.booleans()),
            via_proxy=draw(st.booleans()),
        )
    for kind in draw(st.lists(st.sampled_from(ControlKind), max_size=3)):
        site.control(
            kind, *draw(st.lists(conversations(), max_size=2)), subject=draw(st.sampled_from([None, 0]))
        )
    return site


@settings(max_examples=250)
@given(sites())
def test_judging_never_fails_and_is_deterministic(site: Site) -> None:
    """Any recording gets a known reason for each target, twice the same, in whatever order it comes."""
    recording = site.recording()
    sweep = judge(recording)
    assert sweep == judge(recording)
    assert plan_followups(recording) == plan_followups(recording)
    for one in sweep.verdicts:
        assert (one.verdict.reason is None) == (one.verdict.outcome.value == "ok")
        codes = [code for code in (one.verdict.reason, *one.verdict.also) if code is not None]
        assert all(find_reason(code) is not None for code in codes)
        assert len(codes) == len(set(codes))
    named = [target for finding in sweep.findings for target in finding.targets]
    assert len(named) == len(set(named))
    for one in sweep.verdicts:
        check_blame(one.verdict)
    for finding in sweep.findings:
        check_blame(finding)


def check_blame(claim: Verdict | Finding) -> None:
    """Who did it is the first suspect, never surer than what happened, and never ruled out."""
    assert (claim.blame is None) == (claim.blame_confidence is None)
    if claim.blame is not None and claim.blame_confidence is not None:
        assert LEVELS.index(claim.blame_confidence) >= LEVELS.index(claim.confidence)
        assert claim.suspects[0].blame is claim.blame
        named = [one.blame for one in claim.suspects]
        assert len(named) == len(set(named))
        assert not set(named) & {one.blame for one in claim.ruled_out}


@settings(max_examples=150)
@given(sites())
def test_order_of_targets_is_irrelevant(site: Site) -> None:
    """Turning the plan round turns nothing but the order of the verdicts."""
    recording = site.recording()
    plan = replace(recording.plan, targets=recording.plan.targets[::-1], probes=recording.plan.probes[::-1])
    turned = judge(replace(recording, plan=plan, records=recording.records[::-1]))
    straight = judge(recording)
    assert turned.verdicts == straight.verdicts[::-1]
    assert turned.findings == straight.findings

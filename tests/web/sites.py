"""Sites with the targets of the real catalog, as many failing as wanted, and their history on disk."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from egressd import clock
from egressd.alerting import advance_alerts
from egressd.attribution.reasons import REASONS
from egressd.catalog import load_catalog
from egressd.model.alert import Silence
from egressd.model.event import DaemonStarted, DaemonStopped, Event, SweepFinished, TargetChanged
from egressd.model.notification import Notify, Receiver
from egressd.model.observation import Certificate, HttpObservation, TcpObservation, TlsObservation
from egressd.model.plan import Plan, Target
from egressd.model.recording import ProbeRecord, Recording, Trail, Vantage, VantageSource
from egressd.model.settings import Family, Settings, Source
from egressd.model.snapshot import ConfigStatus, Counters, ReceiverStatus, Snapshot, StateStatus
from egressd.model.standing import Belief, FindingStanding, Lifecycle, Standing, Standings
from egressd.model.verdict import (
    Confidence,
    Finding,
    Outcome,
    SourceVerdict,
    Suspect,
    Sweep,
    TargetVerdict,
    Verdict,
)
from egressd.notify.transport.http import HttpTransport
from egressd.planning.plan import make_plan
from egressd.report.summary import count_outcomes
from egressd.state.store import SavedState, Store
from egressd.wording import stamp

SOURCES = (
    Source(name="appliance-1", address="10.20.0.11"),
    Source(name="appliance-2", address="10.20.0.12"),
)
CODES = (
    "tls_sni_dropped",
    "dns_nxdomain_filtered",
    "tcp_port_blocked",
    "http_block_page",
    "tls_mitm_untrusted",
)
FINDING = "site_port80_blocked"
EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"
SMALL, LARGE = (
    ("resource-bridge", "connected-machine"),
    (
        *("resource-bridge", "connected-machine", "azure-local", "defender", "aks-arc", "windows-update"),
        *("azure-monitor-agent", "certificates", "site-recovery"),
    ),
)


def plan_of(profiles: tuple[str, ...], sources: tuple[Source, ...]) -> Plan:
    """Plan a sweep of products in West Europe."""
    settings = Settings(region="westeurope", profiles=profiles, profiles_chosen=True, sources=sources)
    return make_plan(_catalog(), settings, label="egressd-probe-0")


_catalog = cache(load_catalog)


def verdict_of(code: str, place: str, source: str) -> Verdict:
    """The usual verdict of a reason."""
    reason = REASONS[code]
    suspects = tuple(
        Suspect(blame=one, decided_by=f"the log of it for {place}") for one in reason.suspects.parties
    )
    return Verdict(
        outcome=reason.severity,
        phase=reason.phase,
        reason=code,
        confidence=Confidence.HIGH,
        blame=suspects[0].blame,
        blame_confidence=Confidence.MEDIUM,
        suspects=suspects,
        evidence=(
            f"{source}:40112 -> 203.0.113.9:443: {place}: ClientHello of 517 bytes never acknowledged",
            f"the page that came instead: {EVIL}",
        ),
        advice=reason.advise(
            {"host": place, "port": "443", "source": source, "sni": place, "protocol": "tcp"}
        ),
    )


def _certificate(target: Target, now: datetime, number: int) -> Certificate:
    return Certificate(
        subject=f"CN={target.pattern},O=Microsoft Corporation,C=US",
        issuer="CN=Microsoft Azure RSA TLS Issuing CA 04",
        san=(),
        serial="1",
        not_before=stamp(now - timedelta(days=90)),
        not_after=stamp(now + timedelta(days=9 + 11 * number % 170)),
        sha256=f"{number:064x}",
        key="rsa2048",
        signature="sha256",
        self_signed=False,
    )


def _trail(target: Target, source: Source, now: datetime, number: int, *, ok: bool) -> Trail:
    seen: list[TcpObservation | TlsObservation | HttpObservation] = [
        TcpObservation(
            started=stamp(now),
            elapsed_ms=8 + number % 17,
            remote_address="203.0.113.9",
            remote_port=target.port,
            local_address=source.address,
            local_port=40112,
        )
    ]
    if ok:
        seen += [
            TlsObservation(
                started=stamp(now),
                elapsed_ms=21 + number % 13,
                sni=target.host,
                alpn_offered=(),
                hello_bytes=517,
                bytes_sent=517,
                bytes_received=4000,
                records_sent=1,
                records_received=4,
                chain=(_certificate(target, now, number),),
            ),
            HttpObservation(
                started=stamp(now),
                elapsed_ms=40 + number % 90,
                method="GET",
                host=target.host,
                url_path="/",
                version="1.1",
                status=200,
            ),
        ]
    return Trail(
        source=source.name, family=Family.IPV4, address="203.0.113.9", path="direct", observations=tuple(seen)
    )


def sweep_of(failing: int, now: datetime, *, large: bool, sources: tuple[Source, ...]) -> Sweep:
    """A sweep in which the first so many targets fail from every source, for one reason after another."""
    plan = plan_of(LARGE if large else SMALL, sources)
    place = {one.id: number for number, one in enumerate(plan.targets)}
    step = max(1, len(plan.targets) // max(failing, 1))
    bad = {one.id for one in plan.targets[::step][:failing]} if failing else set()
    codes = {name: CODES[place[name] % len(CODES)] for name in bad}
    verdicts = tuple(
        TargetVerdict(
            target=one.id,
            verdict=_verdict(one, codes, sources[0]),
            by_source=tuple(
                SourceVerdict(source=source.name, verdict=_verdict(one, codes, source)) for source in sources
            ),
        )
        for one in plan.targets
    )
    recording = _recording(plan, sources, now, bad)
    finding = _finding(tuple(name for name, code in codes.items() if code == "tcp_port_blocked"), sources)
    return Sweep(recording=recording, verdicts=verdicts, findings=(finding,) if finding.targets else ())


def _recording(plan: Plan, sources: tuple[Source, ...], now: datetime, bad: set[str]) -> Recording:
    targets = {one.id: one for one in plan.targets}
    place = {one.id: number for number, one in enumerate(plan.targets)}
    by_name = {one.name: one for one in sources}
    return Recording(
        id="r1",
        started=stamp(now),
        finished=stamp(now),
        interrupted=False,
        plan=plan,
        vantage=Vantage(
            host="arc-mgmt-01",
            sources=tuple(
                VantageSource(name=one.name, address=one.address, interface=None, roles=()) for one in sources
            ),
            resolvers=("10.20.0.53:53",),
            proxy=None,
            families=(Family.IPV4,),
            trust=(),
        ),
        records=tuple(
            ProbeRecord(
                probe=one.id,
                trails=(
                    _trail(
                        targets[one.targets[0]],
                        by_name[one.source],
                        now,
                        place[one.targets[0]],
                        ok=one.targets[0] not in bad,
                    ),
                ),
            )
            for one in plan.probes
        ),
    )


def _finding(names: tuple[str, ...], sources: tuple[Source, ...]) -> Finding:
    reason = REASONS[FINDING]
    return Finding(
        id=FINDING,
        reason=FINDING,
        blame=reason.suspects.parties[0],
        blame_confidence=Confidence.HIGH,
        confidence=Confidence.CONFIRMED,
        title=reason.title,
        targets=names,
        evidence=(f"{len(names)} targets from {', '.join(one.name for one in sources)}", EVIL),
        advice=reason.advise({"source": "10.20.0.11, 10.20.0.12"}),
        suspects=tuple(
            Suspect(blame=one, decided_by="its session log") for one in reason.suspects.parties[:2]
        ),
    )


def _verdict(target: Target, codes: dict[str, str], source: Source) -> Verdict:
    code = codes.get(target.id)
    return verdict_of(code, target.shown_host, source.address or "") if code else Verdict(outcome=Outcome.OK)


def _standings(sweep: Sweep, now: datetime, since: dict[tuple[str, str], str]) -> Standings:
    rows = []
    for judged in sweep.verdicts:
        for one in judged.by_source:
            made = one.verdict
            ok = made.outcome.reachable
            began = since.get((judged.target, one.source), stamp(now - timedelta(days=12)))
            rows.append(
                Standing(
                    target=judged.target,
                    source=one.source,
                    state=Lifecycle.OK if ok else Lifecycle.FAILING,
                    belief=Belief(
                        outcome=made.outcome,
                        phase=made.phase,
                        reason=made.reason,
                        blame=made.blame,
                        blame_confidence=made.blame_confidence,
                        suspects=made.suspects or None,
                        confidence=made.confidence,
                        evidence=made.evidence,
                        advice=made.advice,
                    ),
                    since=began,
                    last_changed=began,
                    last_success=stamp(now) if ok else None,
                )
            )
    findings = tuple(
        FindingStanding(
            id=one.id,
            reason=one.reason,
            blame=one.blame,
            blame_confidence=one.blame_confidence,
            confidence=one.confidence,
            title=one.title,
            targets=one.targets,
            evidence=one.evidence,
            advice=one.advice,
            suspects=one.suspects,
            since=stamp(now - timedelta(minutes=42)),
            opened=True,
        )
        for one in sweep.findings
    )
    return Standings(targets=tuple(sorted(rows, key=lambda one: one.key)), findings=findings)


def _events(sweep: Sweep, now: datetime) -> tuple[list[Event], dict[tuple[str, str], str]]:
    """Changes of a day and before: some outages that are over, and those that hold."""
    ok, since, found = Belief(outcome=Outcome.OK), {}, list[Event]()
    old = stamp(now - timedelta(days=12))
    for number, judged in enumerate(sweep.verdicts):
        for one in judged.by_source:
            pair = (judged.target, one.source)
            moments = [] if number % 7 else [now - timedelta(hours=17 - number % 5, minutes=number % 60)]
            before, began = ok, old
            for moment in moments:
                blocked = Belief(
                    outcome=Outcome.DOWN if number % 2 else Outcome.BLOCKED, reason="tcp_ip_blocked_silent"
                )
                for at, after in ((moment, blocked), (moment + timedelta(minutes=50 + number), ok)):
                    found.append(_change(pair, at, before, began, after))
                    before, began = after, stamp(at)
            if not one.verdict.outcome.reachable:
                at = now - timedelta(minutes=42 + number % 9)
                after = Belief(
                    outcome=one.verdict.outcome, reason=one.verdict.reason, phase=one.verdict.phase
                )
                found.append(_change(pair, at, before, began, after))
                began = stamp(at)
            since[pair] = began
    counts = count_outcomes([Outcome.OK])
    found += [
        SweepFinished(
            at=stamp(now - timedelta(days=3)), recording="r0", started=old, seconds=3.0, tally=counts
        ),
        DaemonStopped(at=stamp(now - timedelta(hours=6, minutes=30))),
        DaemonStarted(at=stamp(now - timedelta(hours=5, minutes=40)), egressd="0.1.0", config_digest="d"),
    ]
    return sorted(found, key=lambda one: one.at), since


def _change(pair: tuple[str, str], at: datetime, before: Belief, began: str, after: Belief) -> TargetChanged:
    return TargetChanged(
        at=stamp(at + timedelta(seconds=20)),
        since=stamp(at),
        target=pair[0],
        source=pair[1],
        before=before,
        before_since=began,
        after=after,
    )


def site(
    directory: Path, failing: int, *, large: bool = False, sources: tuple[Source, ...] = SOURCES
) -> Snapshot:
    """A site as its daemon has it, with its history in a directory."""
    now = clock.now()
    directory.mkdir(exist_ok=True)
    sweep = sweep_of(failing, now, large=large, sources=sources)
    events, since = _events(sweep, now)
    standings = _standings(sweep, now, since)
    store = Store(directory)
    store.save(SavedState(standings=standings), events, whole=True)
    store.close()
    hook = Receiver(
        name="noc-hook", type="webhook", transport=HttpTransport(urls=("https://noc.corp.example/x",))
    )
    chat = Receiver(
        name="chat", type="slack", transport=HttpTransport(urls=("https://hooks.corp.example/y",))
    )
    made = Snapshot(
        settings=Settings(interval=60.0, notify=Notify(receivers=(hook, chat)), sources=sources),
        config=ConfigStatus(digest="d", since=stamp(now)),
        started=stamp(now - timedelta(days=3)),
        plan=sweep.recording.plan,
        sweep=sweep,
        standings=standings,
        counters=Counters(
            completed=stamp(now - timedelta(seconds=21)),
            profiles={name: stamp(now - timedelta(minutes=51 if failing else 1)) for name in LARGE},
        ),
        next_sweep=stamp(now + timedelta(seconds=39)),
        state=StateStatus(directory=str(directory)),
        receivers=_receivers(now) if failing else (),
        silences=_silences(now) if failing else (),
    )
    alerts, _ = advance_alerts(made, (), now=now)
    return replace(made, alerts=alerts)


def _receivers(now: datetime) -> tuple[ReceiverStatus, ...]:
    """One receiver that works, and one that does not."""
    return (
        ReceiverStatus(name="noc-hook", delivered_at=stamp(now - timedelta(minutes=41))),
        ReceiverStatus(
            name="chat",
            waiting=3,
            failing_since=stamp(now - timedelta(minutes=12)),
            why="hooks.corp.example:443: connection refused",
        ),
    )


def _silences(now: datetime) -> tuple[Silence, ...]:
    return (
        Silence(
            name="change 4711",
            began=stamp(now - timedelta(minutes=30)),
            ends=stamp(now + timedelta(minutes=90)),
            reason="new rules on the perimeter firewall",
            by="ann",
        ),
    )

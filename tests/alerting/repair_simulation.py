"""Faults and repairs of single targets, judged from recordings, and the alerts that come of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from msgspec.structs import replace

from egressd.alerting import active_silences, advance_alerts, silenced_pairs
from egressd.alerting.inhibit import OF_ONE_TARGET
from egressd.attribution import judge
from egressd.clock import timestamp
from egressd.model.alert import Alert, AlertName, Notice, NoticeKind, Silence
from egressd.model.notification import Alerting
from egressd.model.observation import Failure
from egressd.model.plan import Plan
from egressd.model.recording import ProbeRecord, Trail, Vantage, VantageSource
from egressd.model.settings import Settings, Source, Web
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.model.standing import Lifecycle, Standing, Standings
from egressd.model.verdict import Outcome
from egressd.standing import advance
from egressd.standing.lifecycle import Thresholds
from egressd.state.codec import decode, encode
from tests.alerting.simulation import START
from tests.attribution.cases import FORGED, PRIVATE, UNACKED
from tests.attribution.recordings import SOURCE, Site, dns, good, tcp, tls, trail

Fault = Callable[[str, str], Trail]
"""What a conversation with a name at an address shows."""


def resets(name: str, address: str) -> Trail:
    seen = tls(Failure.RESET, sni=name, seen=UNACKED)
    return trail(dns(address, name=name), tcp(address=address), seen)


def drops(name: str, address: str) -> Trail:
    return trail(dns(address, name=name), tcp(Failure.TIMEOUT, address=address))


def refuses(name: str, address: str) -> Trail:
    return trail(dns(address, name=name), tcp(Failure.REFUSED, address=address))


def no_name(name: str, address: str) -> Trail:
    return trail(dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=False, name=name))


def dead_resolver(name: str, address: str) -> Trail:
    return trail(dns(failure=Failure.TIMEOUT, name=name))


def inspects(name: str, address: str) -> Trail:
    shown = tls(Failure.VERIFY, sni=name, code=20, about=PRIVATE, chain=FORGED)
    return trail(dns(address, name=name), tcp(address=address), shown)


def stalls(name: str, address: str) -> Trail:
    seen = tls(Failure.TIMEOUT, sni=name, seen=UNACKED)
    return trail(dns(address, name=name), tcp(address=address), seen)


FAULTS: Mapping[str, Fault] = {
    "resets": resets,
    "drops": drops,
    "refuses": refuses,
    "no name": no_name,
    "dead resolver": dead_resolver,
    "inspects": inspects,
    "stalls": stalls,
}
WITNESSES = ("w0.other.example", "w1.other.example", "w2.other.example")
"""Names that work throughout."""


@dataclass(kw_only=True)
class RepairSimulation:
    """Targets, how each of them fails now, and what was last seen of each."""

    names: tuple[str, ...]
    witnesses: tuple[str, ...] = WITNESSES
    sources: tuple[str, ...] = (SOURCE,)
    pattern: str = ""
    """The wildcard that all names are samples of; empty: none."""
    port: int = 443
    kinds: Mapping[str, Fault] = field(default_factory=lambda: FAULTS)
    """The faults that names may have."""
    rules: Alerting = field(default_factory=lambda: Alerting(instance="here:10980"))
    faults: dict[tuple[str, str], str] = field(default_factory=dict)
    """By name and source."""
    owned: bool | None = None
    """Whether the names are servers of the operator's own."""
    silences: tuple[Silence, ...] = ()
    passes: int = 0
    notices: list[Notice] = field(default_factory=list)
    records: dict[str, ProbeRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now = START
        settings = Settings(alerting=self.rules, web=Web(listen="127.0.0.1:10980"))
        status = ConfigStatus(digest="", since=timestamp(self.now))
        self.snapshot = Snapshot(
            settings=settings, config=status, started=timestamp(self.now), counters=Counters()
        )

    def breaks(self, fault: str, *names: str, source: str = "") -> None:
        """Let names fail from now on, from one source or all."""
        for name in names:
            for one in (source,) if source else self.sources:
                self.faults[name, one] = fault

    def repair(self, *names: str, source: str = "") -> None:
        """Let names work from now on."""
        for name in names:
            for one in (source,) if source else self.sources:
                self.faults.pop((name, one), None)

    def look(self, names: Collection[str] | None = None, *, seconds: float = 60.0) -> list[Notice]:
        """Let time pass, look at some names (None: all), and return the notices; invariants are checked."""
        self.now += timedelta(seconds=seconds)
        self.passes += 1
        seen = self._site()
        fresh = frozenset(
            (target, probe.source)
            for probe in seen.probes
            if names is None or probe.host in names or probe.id not in self.records
            for target in probe.targets
        )
        for probe, record in zip(seen.probes, seen.records, strict=True):
            if (probe.targets[0], probe.source) in fresh:
                self.records[probe.id] = record
        recording = replace(
            seen.recording(),
            id=f"r{self.passes}",
            records=tuple(self.records[one.id] for one in seen.probes),
        )
        recording = replace(
            recording, plan=self._with_sources(recording.plan), vantage=self._vantage(recording.vantage)
        )
        sweep = judge(recording)
        standings, _ = advance(
            self.snapshot.standings,
            sweep,
            now=timestamp(self.now),
            fresh=None if names is None else fresh,
            thresholds=Thresholds(
                explicit=self.rules.explicit, silent=self.rules.silent, better=self.rules.better
            ),
            flapping=self.rules.flapping,
            silenced=silenced_pairs(recording.plan, self._active),
        )
        self.snapshot = replace(self.snapshot, plan=recording.plan, sweep=sweep, standings=standings)
        return self.tick(0)

    def tick(self, seconds: float = 15.0) -> list[Notice]:
        """Let time pass without a probe."""
        self.now += timedelta(seconds=seconds)
        before = covered(self) & failing(self)
        alerts, said = advance_alerts(self.snapshot, self._active, now=self.now)
        self.snapshot = replace(self.snapshot, alerts=alerts)
        self.notices += said
        if not self.silences:
            lost = {pair for pair in before - covered(self) if pair[0] not in _suspected(self)}
            assert not lost & failing(self), "a failure that was notified has no open alert"
            assert _to_notify(self) <= covered(self), "a failure is not notified"
        for one in said:
            assert one.kind is not NoticeKind.OPENED or _fails_now(self, one.alert), (
                one.alert.condition.summary
            )
        return list(said)

    def restart(self) -> None:
        """Keep only what is written to disk and read back; the next look sees everything anew."""
        alerts = tuple(decode(encode(one), Alert) for one in self.snapshot.alerts)
        standings = decode(encode(self.snapshot.standings), Standings)
        assert (alerts, standings) == (self.snapshot.alerts, self.snapshot.standings)
        self.records.clear()
        self.snapshot = replace(self.snapshot, alerts=alerts, standings=standings, sweep=None)

    def of(self, name: str, source: str = SOURCE) -> Standing:
        """The standing of a name."""
        found = self.snapshot.standings.of(f"row/{name}:{self.port}", source)
        assert found is not None
        return found

    @property
    def open(self) -> dict[str, Alert]:
        """The open alerts by id."""
        return {one.id: one for one in self.snapshot.alerts if one.is_open}

    @property
    def _active(self) -> tuple[Silence, ...]:
        return active_silences((), self.silences, self.now)

    def _site(self) -> Site:
        site = Site()
        for number, name in enumerate((*self.names, *self.witnesses)):
            for source in self.sources:
                fault = self.faults.get((name, source))
                address = f"203.0.{113 + number}.9"
                seen = self.kinds[fault](name, address) if fault else good(name, address)
                pattern = self.pattern if name in self.names else ""
                owned = self.owned if name in self.names else None
                site.add(
                    replace(seen, source=source),
                    host=name,
                    port=self.port,
                    pattern=pattern,
                    source=source,
                    owned=owned,
                )
        return site

    def _with_sources(self, plan: Plan) -> Plan:
        return replace(plan, sources=tuple(Source(name=one) for one in self.sources))

    def _vantage(self, known: Vantage) -> Vantage:
        some = tuple(
            VantageSource(name=one, address=f"10.20.0.{11 + number}", interface=None, roles=())
            for number, one in enumerate(self.sources)
        )
        return replace(known, sources=some)


def failing(one: RepairSimulation) -> set[tuple[str, str]]:
    """Return the targets and sources believed to fail."""
    return {each.key for each in one.snapshot.standings.targets if not each.up and not each.unknown}


def _suspected(one: RepairSimulation) -> set[str]:
    """Return the targets that wait for a cause that is not confirmed yet."""
    findings = one.snapshot.standings.findings
    known = {name for each in findings if each.opened for name in each.targets}
    return {name for each in findings if not each.opened for name in each.targets} - known


def _to_notify(one: RepairSimulation) -> set[tuple[str, str]]:
    """Return what has failed by its last look, and whose cause is either known or not looked for."""
    return {
        each.key
        for each in one.snapshot.standings.targets
        if each.settled and each.belief.outcome in (Outcome.BLOCKED, Outcome.DOWN)
        if each.state is not Lifecycle.FLAPPING and each.target not in _suspected(one)
    }


def covered(one: RepairSimulation) -> set[tuple[str, str]]:
    """Return the targets and sources that an open alert is about."""
    found = set()
    for alert in one.open.values():
        about = alert.condition
        of_all = about.alertname is AlertName.CAUSE
        sources = one.sources if of_all else about.sources
        found |= {(target, source) for target in about.targets for source in sources}
    return found


def _fails_now(one: RepairSimulation, alert: Alert) -> bool:
    """Whether the last look at something that an alert is about was bad."""
    about = alert.condition
    if about.alertname is not AlertName.CAUSE and about.alertname not in OF_ONE_TARGET:
        return True
    last = {
        each.key: (each.pending or each.belief).outcome.reachable for each in one.snapshot.standings.targets
    }
    return any(not last.get((target, source), True) for target in about.targets for source in about.sources)

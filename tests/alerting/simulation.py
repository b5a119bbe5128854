"""Standings and alerts of a small plan, advanced probe by probe without a network or a daemon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from msgspec.structs import replace

from egressd.alerting import active_silences, advance_alerts, silenced_pairs
from egressd.clock import timestamp
from egressd.model.alert import Alert, Notice, NoticeKind, Silence
from egressd.model.endpoint import Need, Protocol, SampleKind
from egressd.model.notification import Alerting, Scope
from egressd.model.plan import Plan, Probe, Target
from egressd.model.settings import Settings, Web
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.standing import advance
from egressd.standing.lifecycle import Thresholds
from egressd.state.codec import decode, encode
from tests.standing.sweeps import PLAN, sweep

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
SOURCES = ("default",)
NOTHING: Mapping[str, str] = MappingProxyType({})


def target(name: str, need: Need = Need.REQUIRED) -> Target:
    """Return a target of the resource bridge; its id is its name."""
    return Target(
        id=name,
        endpoint=f"row-{name}",
        profiles=("resource-bridge",),
        service="A service",
        pattern=f"{name}.example",
        sample=SampleKind.EXACT,
        host=f"{name}.example",
        port=443,
        protocol=Protocol.HTTPS,
        need=need,
    )


def plan_of(
    targets: Mapping[str, Need],
    sources: tuple[str, ...] = SOURCES,
    *,
    choices: Mapping[str, str] = NOTHING,
    derived: frozenset[str] = frozenset(),
) -> Plan:
    """Return a plan of targets, each probed from every source; `choices` by target, `derived` are guesses."""
    probes = tuple(
        Probe(
            id=f"{name}@{source}",
            host=f"{name}.example",
            port=443,
            protocol=Protocol.HTTPS,
            source=source,
            targets=(name,),
        )
        for name in targets
        for source in sources
    )
    made = tuple(
        replace(
            target(name, need),
            one_of=choices.get(name),
            sample=SampleKind.DERIVED if name in derived else SampleKind.EXACT,
        )
        for name, need in targets.items()
    )
    return replace(PLAN, targets=made, probes=probes)


def silence(
    name: str,
    minutes: float,
    scope: Scope = Scope(),  # noqa: B008 - frozen
    *,
    began: datetime = START,
) -> Silence:
    """Return a silence, from the start of the simulation on."""
    ends = began + timedelta(minutes=minutes)
    return Silence(name=name, began=timestamp(began), ends=timestamp(ends), scope=scope)


@dataclass(kw_only=True)
class AlertSimulation:
    """The snapshot of a daemon, and every notice so far."""

    targets: dict[str, Need]
    sources: tuple[str, ...] = SOURCES
    choices: Mapping[str, str] = field(default_factory=dict)
    derived: frozenset[str] = frozenset()
    rules: Alerting = field(default_factory=lambda: Alerting(instance="here:10980"))
    now: datetime = START
    sweeps: int = 0
    notices: list[Notice] = field(default_factory=list)
    silences: tuple[Silence, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    snapshot: Snapshot = field(init=False)

    def __post_init__(self) -> None:
        settings = Settings(alerting=self.rules, web=Web(listen="127.0.0.1:10980"))
        self.snapshot = Snapshot(
            settings=settings,
            config=ConfigStatus(digest="", since=timestamp(self.now)),
            started=timestamp(self.now),
            counters=Counters(),
        )

    @property
    def thresholds(self) -> Thresholds:
        """Those of the rules."""
        return Thresholds(explicit=self.rules.explicit, silent=self.rules.silent, better=self.rules.better)

    def probe(
        self,
        words: Mapping[str, str] | None = None,
        *,
        findings: Mapping[str, tuple[str, ...]] | None = None,
        seconds: float = 60.0,
    ) -> list[Notice]:
        """Let time pass and probe everything: `ok`, but for `target` or `target@source` in the words."""
        self.now += timedelta(seconds=seconds)
        self.sweeps += 1
        seen = {f"{name}@{source}": "ok" for name in self.targets for source in self.sources}
        for name, word in (words or {}).items():
            for key in [one for one in seen if name in (one, one.partition("@")[0])]:
                seen[key] = word
        plan = plan_of(self.targets, self.sources, choices=self.choices, derived=self.derived)
        one = sweep(self.sweeps, seen, findings=findings)
        one = replace(one, recording=replace(one.recording, plan=plan))
        standings, _ = advance(
            self.snapshot.standings,
            one,
            now=timestamp(self.now),
            thresholds=self.thresholds,
            flapping=self.rules.flapping,
            silenced=silenced_pairs(plan, self.active),
        )
        self.snapshot = replace(self.snapshot, plan=plan, sweep=one, standings=standings)
        return self.tick(0)

    def tick(self, seconds: float = 15.0) -> list[Notice]:
        """Let time pass without a probe."""
        self.now += timedelta(seconds=seconds)
        alerts, notices = advance_alerts(self.snapshot, self.active, now=self.now, limits=self.limits)
        self.snapshot = replace(self.snapshot, alerts=alerts)
        self.notices += notices
        return list(notices)

    def repeat(self, times: int, words: Mapping[str, str] | None = None, **more: object) -> list[Notice]:
        """Probe several times with the same results."""
        return [one for _ in range(times) for one in self.probe(words, **more)]  # type: ignore[arg-type]

    def restart(self) -> None:
        """Keep only what is written to disk and read back; no sweep is complete yet."""
        kept = tuple(decode(encode(one), Alert) for one in self.snapshot.alerts)
        assert kept == self.snapshot.alerts
        self.snapshot = replace(self.snapshot, alerts=kept, sweep=None)

    @property
    def active(self) -> tuple[Silence, ...]:
        """The active silences."""
        return active_silences((), self.silences, self.now)

    @property
    def open(self) -> dict[str, Alert]:
        """The open alerts by id."""
        return {one.id: one for one in self.snapshot.alerts if one.is_open}


def words_of(notices: list[Notice]) -> list[str]:
    """Return kind and alert of each notice."""
    return [f"{one.kind} {one.alert.id}" for one in notices]


def kinds(notices: list[Notice], alert: str) -> list[NoticeKind]:
    """Return the kinds of the notices about one alert."""
    return [one.kind for one in notices if one.alert.id == alert]

"""A network told in words, moment after moment: what egressd believes of it, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from egressd.alerting import ActiveSilence, advance_alerts, covered_pairs
from egressd.clock import timestamp
from egressd.model.alert import Alert, Notice, NoticeKind
from egressd.model.endpoint import Need, Protocol, SampleKind
from egressd.model.notification import Alerting
from egressd.model.plan import Plan, Probe, Target
from egressd.model.settings import Settings, Web
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.standing import advance
from egressd.standing.lifecycle import Thresholds
from egressd.state.codec import decode, encode
from tests.standing.sweeps import PLAN, sweep

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
SOURCES = ("default",)


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


def plan_of(targets: Mapping[str, Need], sources: tuple[str, ...] = SOURCES) -> Plan:
    """Return a plan of targets, each probed from every source."""
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
    made = tuple(target(name, need) for name, need in targets.items())
    return replace(PLAN, targets=made, probes=probes)


@dataclass(kw_only=True)
class Story:
    """The daemon's memory, without a daemon."""

    targets: dict[str, Need]
    sources: tuple[str, ...] = SOURCES
    rules: Alerting = field(default_factory=lambda: Alerting(instance="here:10980"))
    now: datetime = START
    looks: int = 0
    said: list[Notice] = field(default_factory=list)
    windows: tuple[ActiveSilence, ...] = ()
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
    def patience(self) -> Thresholds:
        """As the daemon takes it from the rules."""
        return Thresholds(explicit=self.rules.explicit, silent=self.rules.silent, better=self.rules.better)

    def look(
        self,
        words: Mapping[str, str] | None = None,
        *,
        findings: Mapping[str, tuple[str, ...]] | None = None,
        seconds: float = 60.0,
    ) -> list[Notice]:
        """Let time pass and look at everything: `ok`, but for `target` or `target@source` in the words."""
        self.now += timedelta(seconds=seconds)
        self.looks += 1
        seen = {f"{name}@{source}": "ok" for name in self.targets for source in self.sources}
        for name, word in (words or {}).items():
            for key in [one for one in seen if name in (one, one.partition("@")[0])]:
                seen[key] = word
        plan = plan_of(self.targets, self.sources)
        one = sweep(self.looks, seen, findings=findings)
        one = replace(one, recording=replace(one.recording, plan=plan))
        standings, _ = advance(
            self.snapshot.standings,
            one,
            now=timestamp(self.now),
            patience=self.patience,
            flapping=self.rules.flapping,
            covered=covered_pairs(plan, self.in_force),
        )
        self.snapshot = replace(self.snapshot, plan=plan, sweep=one, standings=standings)
        return self.tick(0)

    def tick(self, seconds: float = 15.0) -> list[Notice]:
        """Let time pass without a look."""
        self.now += timedelta(seconds=seconds)
        alerts, said = advance_alerts(self.snapshot, self.in_force, now=self.now, limits=self.limits)
        self.snapshot = replace(self.snapshot, alerts=alerts)
        self.said += said
        return list(said)

    def again(self, times: int, words: Mapping[str, str] | None = None, **more: object) -> list[Notice]:
        """TargetResult several times at the same."""
        return [one for _ in range(times) for one in self.look(words, **more)]  # type: ignore[arg-type]

    def restart(self) -> None:
        """Stop and start: what is kept is what can be written down and read back; no sweep was made yet."""
        kept = tuple(decode(encode(one), Alert) for one in self.snapshot.alerts)
        assert kept == self.snapshot.alerts
        self.snapshot = replace(self.snapshot, alerts=kept, sweep=None)

    @property
    def in_force(self) -> tuple[ActiveSilence, ...]:
        """The windows that cover this moment."""
        return tuple(one for one in self.windows if one.began <= self.now < one.ends)

    @property
    def open(self) -> dict[str, Alert]:
        """The alerts that are told and not over."""
        return {one.id: one for one in self.snapshot.alerts if one.is_open}


def words_of(said: list[Notice]) -> list[str]:
    """Return what was said, shortly: kind and alert."""
    return [f"{one.kind} {one.alert.id}" for one in said]


def kinds(said: list[Notice], alert: str) -> list[NoticeKind]:
    """Return what was said of one alert."""
    return [one.kind for one in said if one.alert.id == alert]

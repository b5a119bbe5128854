"""The same world raises the same alerts and blame, swept once or seen by a daemon that knew another."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from egressd.alerting import advance_alerts
from egressd.alerting.conditions import conditions_of
from egressd.alerting.context import AlertContext
from egressd.daemon.recheck import to_recheck
from egressd.daemon.state_store import pairs_of
from egressd.model.alert import Alert, AlertName, Condition, NoticeKind
from egressd.model.observation import Failure, Observation
from egressd.model.plan import ControlKind
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Snapshot
from egressd.model.standing import Standings
from egressd.model.verdict import Sweep
from egressd.standing import advance
from egressd.standing.lifecycle import Thresholds
from egressd.wording import stamp
from tests.attribution.cases import FORGED, PRIVATE, UNACKED
from tests.attribution.recordings import dns, http, tcp, tls
from tests.engine.test_same_world import (
    BEGIN,
    INTERVAL,
    NAMES,
    SLOW,
    ScriptedSession,
    World,
    drops_syn,
    resets_all,
    resets_one,
    works,
)

USUAL, AT_ONCE = Thresholds(), Thresholds(explicit=1, silent=1, better=1)
STARTED = re.compile(r" at (\d{4}-\d\d-\d\dT[\d:.]+Z)")
"""When something in a line of evidence happened."""
ONSET = 3000.0
"""Seconds into the life of the daemon at which the world becomes the one that is asked about."""


def only(world: World, *names: str) -> World:
    """Return a world in which only some names fail."""
    return lambda name: world(name) if name in names else works(name)


def cut(failure: Failure, **how: object) -> World:
    """Return a world in which each handshake fails."""
    return lambda name: (dns(name=name), tcp(), tls(failure, sni=name, **how))  # type: ignore[arg-type]


def unresolved(failure: Failure, **how: object) -> World:
    return lambda name: (dns(name=name, failure=failure, **how),)  # type: ignore[arg-type]


def bogon(name: str) -> tuple[Observation, ...]:
    return dns("10.1.1.1", name=name), tcp(Failure.TIMEOUT, address="10.1.1.1")


def refuses(name: str) -> tuple[Observation, ...]:
    return dns(name=name), tcp(Failure.REFUSED)


def errs(name: str) -> tuple[Observation, ...]:
    """Each server, those of revocation lists too, has an error of its own."""
    return dns(name=name), tcp(), tls(sni=name), http(500)


inspects = cut(Failure.VERIFY, code=20, about=PRIVATE, chain=FORGED)
stalls = cut(Failure.TIMEOUT, seen=UNACKED)
alerts = cut(Failure.ALERT, alert=40)
absent = unresolved(Failure.NXDOMAIN, rcode="NXDOMAIN", soa=False)
WORLDS: dict[str, World] = {
    "resets all": resets_all,
    "resets one": resets_one,
    "resets two": only(resets_all, *NAMES[:2]),
    "drops all": drops_syn,
    "drops one": only(drops_syn, NAMES[0]),
    "refuses all": refuses,
    "absent one": only(absent, NAMES[0]),
    "absent all": absent,
    "resolver dead": unresolved(Failure.TIMEOUT),
    "resolver refuses": unresolved(Failure.RCODE, rcode="REFUSED"),
    "bogon one": only(bogon, NAMES[0]),
    "inspects all": inspects,
    "inspects two": only(inspects, *NAMES[:2]),
    "alerts one": only(alerts, NAMES[0]),
    "alerts all": alerts,
    "stalls one": only(stalls, NAMES[0]),
    "stalls all": stalls,
    "errs": errs,
    "works": works,
}
EARLIER: dict[str, tuple[World, ...]] = {
    "good": (works, works, works),
    "inspects two": (WORLDS["inspects two"],) * 3,
    "resolver dead": (WORLDS["resolver dead"],) * 3,
    "resets all": (resets_all,) * 3,
    "resets all, a moment of calm": (resets_all, resets_all, works),
}
"""The last three sweeps before."""
GOES_ON = {("resets all", "resets one"), ("resets all", "resets two")}
"""What was there before and now: the failure of a target goes on, and its cause with it."""


@dataclass
class ScriptedDaemon:
    """Standings and alerts that follow from the passes of a scripted session."""

    session: ScriptedSession
    standings: Standings = field(default_factory=Standings)
    alerts: tuple[Alert, ...] = ()
    opened: list[Condition] = field(default_factory=list)
    snapshot: Snapshot | None = None

    def apply(self, sweep: Sweep, hosts: Callable[[str], bool], thresholds: Thresholds = USUAL) -> None:
        """Apply a pass over the probes of some hosts."""
        plan, now = self.session.plan, self.session.now
        fresh = pairs_of(plan, frozenset(one.id for one in plan.probes if hosts(one.host)))
        self.standings, _ = advance(self.standings, sweep, now=now, fresh=fresh, thresholds=thresholds)
        self.snapshot = Snapshot(
            settings=Settings(interval=INTERVAL),
            config=ConfigStatus(digest="", since=now),
            started=now,
            plan=plan,
            sweep=sweep,
            standings=self.standings,
            alerts=self.alerts,
        )
        self.alerts, notices = advance_alerts(self.snapshot, (), now=datetime.fromisoformat(now))
        self.opened += [one.alert.condition for one in notices if one.kind is NoticeKind.OPENED]

    async def sweep(self, seconds: float, world: World) -> None:
        """Sweep everything but the hourly row."""
        self.apply(await self.session.at(seconds, world, without=(SLOW,)), lambda host: host != SLOW)

    async def recheck(self, seconds: float) -> bool:
        """Probe what is not settled; return whether there was anything."""
        probes = to_recheck(self.session, self.standings)
        self.session.seconds = seconds
        if probes:
            sweep = await self.session.judge(await self.session.probe(probes))
            hosts = {one.host for one in probes}
            self.apply(sweep, lambda host: host in hosts)
        return bool(probes)

    def conditions(self) -> tuple[Condition, ...]:
        """Return what is wrong, without the hourly row."""
        assert self.snapshot is not None
        assert self.snapshot.sweep is not None
        context = AlertContext(snapshot=self.snapshot, sweep=self.snapshot.sweep, limits={})
        found = conditions_of(context, now=datetime.fromisoformat(self.session.now))
        return tuple(one for one in found if SLOW not in one.id)


async def lived(earlier: tuple[World, ...], world: World, sweeps: int = 4) -> ScriptedDaemon:
    """Return a daemon that saw other worlds, and this one for some sweeps with their rechecks."""
    daemon = ScriptedDaemon(ScriptedSession(reuse=True))
    daemon.apply(await daemon.session.at(0.0, works), lambda _: True)
    for number, before in enumerate(earlier):
        await daemon.sweep(ONSET - INTERVAL * (len(earlier) - number), before)
    for number in range(sweeps):
        at = ONSET + INTERVAL * number
        await daemon.sweep(at, world)
        for again in range(1, 6):
            if not await daemon.recheck(at + 3 * again):
                break
    return daemon


async def once(world: World) -> tuple[Condition, ...]:
    """Return the conditions of a single sweep."""
    daemon = ScriptedDaemon(ScriptedSession(reuse=False))
    daemon.apply(await daemon.session.at(ONSET, world), lambda _: True, AT_ONCE)
    return daemon.conditions()


def claims(conditions: tuple[Condition, ...]) -> set[tuple[object, ...]]:
    """Return both claims of each condition."""
    return {
        (
            one.id,
            one.reason,
            one.confidence,
            one.blame,
            one.blame_confidence,
            tuple(two.blame for two in one.suspects or ()),
        )
        for one in conditions
    }


def too_old(one: Condition) -> list[str]:
    """Return lines of evidence from before the world of now began."""
    onset = stamp(BEGIN + timedelta(seconds=ONSET))
    return [line for line in one.evidence if any(when < onset for when in STARTED.findall(line))]


@pytest.mark.parametrize(
    ("earlier", "name"),
    [
        (earlier, name)
        for earlier in EARLIER
        for name in WORLDS
        if (earlier.partition(",")[0], name) not in GOES_ON
    ],
)
async def test_a_daemon_raises_what_one_sweep_shows(earlier: str, name: str) -> None:
    """Whatever it saw before: reason, both confidences, blame and suspects, by evidence of this episode."""
    daemon = await lived(EARLIER[earlier], WORLDS[name])
    assert claims(daemon.conditions()) == claims(await once(WORLDS[name]))
    assert {one.id: too_old(one) for one in daemon.conditions() if too_old(one)} == {}
    onset = stamp(BEGIN + timedelta(seconds=ONSET))
    assert {one.id: too_old(one) for one in daemon.opened if one.since >= onset and too_old(one)} == {}


async def test_what_is_left_of_a_larger_fault_is_shown_by_new_evidence() -> None:
    """A device that reset all names resets one of them for an hour: its alert cites what was seen of late."""
    daemon = await lived((resets_all,) * 3, resets_one, sweeps=20)
    opened = [one.alertname for one in daemon.opened]
    assert opened == [AlertName.CAUSE]
    (alert,) = (one for one in daemon.alerts if one.is_open)
    started = max(when for line in alert.condition.evidence for when in STARTED.findall(line))
    assert datetime.fromisoformat(started) > datetime.fromisoformat(daemon.session.now) - timedelta(minutes=5)


async def test_a_revocation_server_that_is_gone_stays_known() -> None:
    """What the certificates of working targets name is fetched again, and no finding ends by growing old."""
    daemon = ScriptedDaemon(ScriptedSession(reuse=True))
    daemon.apply(await daemon.session.at(0.0, errs), lambda _: True)
    fetched = set()
    for minute in range(1, 40):
        await daemon.sweep(INTERVAL * minute, errs)
        assert [one.reason for one in daemon.standings.findings] == ["pki_revocation_unreachable"]
        assert daemon.snapshot is not None
        assert daemon.snapshot.sweep is not None
        controls = daemon.snapshot.sweep.recording.controls
        fetched |= {
            one.trails[0].observations[0].started for one in controls if one.kind is ControlKind.REVOCATION
        }
    assert 3 <= len(fetched) <= 5

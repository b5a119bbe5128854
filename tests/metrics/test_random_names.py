"""No label, id or title carries a random name: it is another one each hour, and its pattern names the row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from msgspec.structs import replace

from egressd.alerting import advance_alerts
from egressd.attribution import judge
from egressd.catalog import load_catalog
from egressd.engine.session import Session
from egressd.metrics.writing import write_snapshot
from egressd.model.endpoint import SampleKind
from egressd.model.observation import Failure
from egressd.model.plan import Probe
from egressd.model.recording import ProbeRecord, Trail
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.model.standing import Standings
from egressd.standing import advance
from egressd.standing.lifecycle import Thresholds
from tests.attribution.cases import UNACKED
from tests.attribution.recordings import NOW, Site, dns, good, tcp, tls, trail

LABEL = "egressd-probe-"


def resets(probe: Probe) -> Trail:
    seen = tls(Failure.RESET, sni=probe.host, seen=UNACKED)
    return trail(dns(name=probe.host), tcp(port=probe.port), seen)


def resets_random(probe: Probe) -> Trail:
    return resets(probe) if LABEL in probe.host else good(probe.host, port=probe.port)


def absent(probe: Probe) -> Trail:
    return trail(dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", name=probe.host))


@pytest.mark.parametrize("world", [resets, resets_random, absent])
def test_the_pattern_stands_for_a_random_name(world: Callable[[Probe], Trail]) -> None:
    """In metrics, in alerts and in findings, whichever way the rows of the catalog fail."""
    session = Session(Settings(region="westeurope"), load_catalog(), identity="here")
    plan = session.plan
    assert any(one.sample is SampleKind.RANDOM and LABEL in one.host for one in plan.targets)
    records = tuple(ProbeRecord(probe=one.id, trails=(world(one),)) for one in plan.probes)
    sweep = judge(replace(Site().recording(), plan=plan, records=records))
    at_once = Thresholds(explicit=1, silent=1, better=1)
    standings, events = advance(Standings(), sweep, now=NOW, thresholds=at_once)
    snapshot = Snapshot(
        settings=session.settings,
        config=ConfigStatus(digest="", since=NOW),
        started=NOW,
        plan=plan,
        sweep=sweep,
        standings=standings,
        counters=Counters(),
    )
    alerts, notices = advance_alerts(snapshot, (), now=datetime.fromisoformat(NOW))
    snapshot = replace(snapshot, alerts=alerts)
    assert alerts
    assert notices
    assert LABEL not in write_snapshot(snapshot, limits={}, openmetrics=False)
    texts = [
        text
        for one in alerts
        for text in (
            one.id,
            one.condition.summary,
            *one.condition.targets,
            *dict(one.condition.labels).values(),
        )
    ]
    texts += [text for one in standings.findings for text in (one.id, one.title)]
    assert [one for one in texts if LABEL in one] == []
    assert events

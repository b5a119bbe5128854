"""The recorded sweep as a daemon would show it: standings, alerts and a snapshot, two hours into its run."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from egressd.alerting import advance_alerts
from egressd.cli.saved import read_saved
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.model.standing import Standings
from egressd.model.verdict import Outcome, SourceVerdict, Sweep, TargetVerdict, Verdict
from egressd.standing import advance
from egressd.web.status.page import StatusPage
from egressd.wording import stamp

STARTED, BROKE, CONFIRMED = timedelta(hours=2), timedelta(minutes=42), timedelta(minutes=40)
"""How long before the sweep the daemon was started, the faults began, and they were confirmed."""


def render_status(file: Path) -> str:
    """Render the status page of a daemon that saw a saved sweep: all was well until 42 minutes before it."""
    sweep = read_saved(file)
    now = datetime.fromisoformat(sweep.recording.finished)
    standings = Standings()
    seen = ((STARTED, _healthy(sweep)), (BROKE, sweep), (CONFIRMED, sweep), (timedelta(), sweep))
    for number, (before, one) in enumerate(seen):
        recording = replace(one.recording, id=f"{number}", started=stamp(now - before))
        standings, _ = advance(standings, replace(one, recording=recording), now=stamp(now - before))
    snapshot = Snapshot(
        settings=Settings(),
        config=ConfigStatus(digest="", since=stamp(now - STARTED)),
        started=stamp(now - STARTED),
        plan=sweep.recording.plan,
        sweep=sweep,
        standings=standings,
        counters=Counters(completed=stamp(now)),
        next_sweep=stamp(now + timedelta(seconds=48)),
    )
    for before in (CONFIRMED, timedelta()):
        alerts, _ = advance_alerts(snapshot, (), now=now - before)
        snapshot = replace(snapshot, alerts=alerts)
    return StatusPage().render(snapshot, now=now, stalled=False).decode()


def _healthy(sweep: Sweep) -> Sweep:
    """Return the sweep as it is where nothing fails."""
    well = Verdict(outcome=Outcome.OK)
    verdicts = tuple(
        TargetVerdict(
            target=one.target,
            verdict=well,
            by_source=tuple(
                SourceVerdict(source=each.source, path=each.path, verdict=well) for each in one.by_source
            ),
        )
        for one in sweep.verdicts
    )
    return replace(sweep, verdicts=verdicts, findings=())

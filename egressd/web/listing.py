"""The JSON API: sweeps as `--once` writes them, targets with what is believed of them, alerts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from egressd.metrics.troubles import troubles_of
from egressd.model.snapshot import Snapshot
from egressd.model.standing import Belief, Standing
from egressd.model.verdict import Sweep, Verdict
from egressd.report.saved import to_json

TARGETS_SCHEMA = "egressd.targets/1"
ALERTS_SCHEMA = "egressd.alerts/1"


class SweepText:
    """The last sweep's JSON, made once however many ask for it."""

    def __init__(self) -> None:
        self._sweep: Sweep | None = None
        self._text = ""

    def render(self, sweep: Sweep) -> str:
        """Return a sweep as JSON, by the schema `egressd.sweep/1`."""
        if self._sweep is not sweep:
            self._text, self._sweep = to_json(sweep), sweep
        return self._text


def targets_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return every target of the plan with the last look and the standing from each source."""
    return {
        "schema": TARGETS_SCHEMA,
        "completed": snapshot.counters.completed,
        "targets": list(_targets(snapshot)),
    }


def alerts_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return what is confirmed to be wrong, the most urgent first; one entry per cause."""
    return {
        "schema": ALERTS_SCHEMA,
        "completed": snapshot.counters.completed,
        "alerts": [asdict(one) for one in troubles_of(snapshot)],
    }


def _targets(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    if snapshot.sweep is None:
        return
    standings = {one.key: one for one in snapshot.standings.targets}
    verdicts = {one.target: one for one in snapshot.sweep.verdicts}
    for target in snapshot.sweep.recording.plan.targets:
        judged = verdicts[target.id]
        yield {
            "id": target.id,
            "endpoint": target.endpoint,
            "service": target.service,
            "profiles": target.profiles,
            "pattern": target.pattern,
            "sample": target.sample,
            "host": target.host,
            "port": target.port,
            "protocol": target.protocol,
            "need": target.need,
            "outcome": judged.verdict.outcome,
            "sources": [
                {
                    "source": one.source,
                    "last_look": _verdict(one.verdict),
                    "standing": _standing(standings.get((target.id, one.source))),
                }
                for one in judged.by_source
            ],
        }


def _verdict(verdict: Verdict | Belief) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome,
        "phase": verdict.phase,
        "reason": verdict.reason,
        "blame": verdict.blame,
        "confidence": verdict.confidence,
        "evidence": verdict.evidence,
        "advice": verdict.advice,
    }


def _standing(standing: Standing | None) -> dict[str, Any] | None:
    if standing is None:
        return None
    return {
        "state": standing.state,
        "since": standing.since,
        "last_changed": standing.last_changed,
        "last_success": standing.last_success,
        "belief": _verdict(standing.belief),
    }

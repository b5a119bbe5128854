"""The JSON API: sweeps as `--once` writes them, targets with what is believed of them, alerts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from egressd.model.alert import Alert, AlertName, AlertState, Condition
from egressd.model.snapshot import Snapshot
from egressd.model.standing import Belief, Standing
from egressd.model.verdict import Outcome, Sweep, Verdict
from egressd.report.saved import to_json
from egressd.state.codec import to_dict

TARGETS_SCHEMA = "egressd.targets/1"
ALERTS_SCHEMA = "egressd.alerts/1"


class SweepJson:
    """The last sweep's JSON, made once however many ask for it."""

    def __init__(self) -> None:
        self._sweep: Sweep | None = None
        self._text = ""

    def render(self, sweep: Sweep) -> str:
        """Return a sweep as JSON, by the schema `egressd.sweep/1`."""
        if self._sweep is not sweep:
            self._text, self._sweep = to_json(sweep), sweep
        return self._text


def targets_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return every target of the plan with the last look and the standing from each source."""
    return {
        "schema": TARGETS_SCHEMA,
        "completed": snapshot.counters.completed,
        "targets": list(_targets(snapshot)),
    }


def alerts_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return what is wrong and not over, told or not, the most urgent first; one entry per cause.

    With it, who is to be told, and which maintenance keeps what quiet.
    """
    return {
        "schema": ALERTS_SCHEMA,
        "completed": snapshot.counters.completed,
        "alerts": [_alert(one, snapshot) for one in by_urgency(snapshot.alerts)],
        "maintenance": [to_dict(one) for one in snapshot.maintenance],
        "receivers": [to_dict(one) for one in snapshot.receivers],
    }


def by_urgency(alerts: Iterable[Alert]) -> list[Alert]:
    """Return those that are not over: the told ones first, the urgent ones first, then the oldest.

    What was never told because another alert speaks for it is not among them: its cause is.
    """
    alerts = tuple(alerts)
    ids = {one.id for one in alerts}
    there = (
        one
        for one in alerts
        if one.is_open or (one.state is AlertState.PENDING and ids.isdisjoint(one.suppressed_by))
    )
    return sorted(
        there, key=lambda one: (not one.is_open, one.condition.severity.rank, one.condition.since, one.id)
    )


def _alert(alert: Alert, snapshot: Snapshot) -> dict[str, Any]:
    condition = alert.condition
    return {
        "id": alert.id,
        "kind": _KINDS.get(condition.alertname, "target" if len(condition.targets) == 1 else "other"),
        "name": condition.alertname,
        "severity": condition.severity,
        "state": alert.state,
        "title": condition.summary,
        "outcome": _outcome(condition, snapshot),
        "phase": condition.phase,
        "reason": condition.reason,
        "blame": condition.blame,
        "confidence": condition.confidence,
        "since": condition.since,
        "opened": alert.opened,
        "told_at": alert.told_at,
        "targets": condition.targets,
        "sources": condition.sources,
        "profiles": condition.profiles,
        "evidence": condition.evidence,
        "advice": condition.advice,
        "kept_quiet_by": alert.suppressed_by,
        "labels": dict(condition.labels),
    }


_KINDS = {AlertName.CAUSE: "finding", AlertName.EXPIRING: "certificate"}


def _outcome(condition: Condition, snapshot: Snapshot) -> Outcome | None:
    """Return the worst that is believed of what an alert is about."""
    about = set(condition.targets)
    beliefs = (
        one.belief.outcome
        for one in snapshot.standings.targets
        if one.target in about and (not condition.sources or one.source in condition.sources)
    )
    return max(beliefs, key=lambda one: one.severity, default=None)


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

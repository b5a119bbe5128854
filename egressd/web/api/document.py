"""The JSON API: the last sweep as `--once` writes it, targets with their standings, alerts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from egressd.model.alert import Alert, AlertName, AlertState, Condition, Silence
from egressd.model.plan import Target
from egressd.model.snapshot import Snapshot
from egressd.model.standing import Belief, Standing
from egressd.model.verdict import Outcome, Suspect, Sweep, Verdict
from egressd.state.codec import to_dict
from egressd.web.api.paging import PageOfTargets
from egressd.web.connection.page import PackedPage

TARGETS_SCHEMA = "egressd.targets/1"
ALERTS_SCHEMA = "egressd.alerts/1"
WHOLE_PAGE = PageOfTargets()


class SweepJson:
    """The JSON of the last sweep, made once per sweep."""

    def __init__(self) -> None:
        self._made: tuple[str, PackedPage] | None = None
        """Of which recording: the sweep itself would be kept beyond its time."""

    def render(self, sweep: Sweep) -> PackedPage:
        """Return a sweep as JSON, by the schema `egressd.sweep/1`."""
        # Needs the rules of firewalls and older reports, which a daemon that is only scraped does not.
        from egressd.report.saved import json_pieces  # noqa: PLC0415

        made = self._made
        if made is None or made[0] != sweep.recording.id:
            made = self._made = (sweep.recording.id, PackedPage.of(json_pieces(sweep)))
        return made[1]


def targets_document(snapshot: Snapshot, asked: PageOfTargets = WHOLE_PAGE) -> dict[str, Any]:
    """Return a page of the plan's targets, each with its last verdict and standing from each source.

    Raises:
        BadQueryError: the target to go on after is not there any more.
    """
    sweep = snapshot.sweep
    planned = sweep.recording.plan.targets if sweep is not None else ()
    page, following = asked.of(planned)
    return {
        "schema": TARGETS_SCHEMA,
        "site": snapshot.settings.chosen_site,
        "completed": snapshot.counters.completed,
        "total": len(planned),
        "next": following,
        "targets": list(_targets(page, sweep, snapshot)) if sweep is not None else [],
    }


def alerts_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return the alerts that are not resolved, the most urgent first, the silences and the receivers."""
    return {
        "schema": ALERTS_SCHEMA,
        "site": snapshot.settings.chosen_site,
        "completed": snapshot.counters.completed,
        "alerts": [_alert(one, snapshot) for one in by_urgency(snapshot.alerts)],
        "maintenance": [_silence(one) for one in snapshot.silences],
        "receivers": [to_dict(one) for one in snapshot.receivers],
    }


def by_urgency(alerts: Iterable[Alert]) -> list[Alert]:
    """Return the alerts that are not resolved: open ones first, urgent ones first, then the oldest.

    Alerts that another alert suppressed from the start are left out: that one is listed.
    """
    alerts = tuple(alerts)
    ids = {one.id for one in alerts}
    found = (
        one
        for one in alerts
        if one.is_open or (one.state is AlertState.PENDING and ids.isdisjoint(one.suppressed_by))
    )
    return sorted(
        found,
        key=lambda one: (not one.is_open, one.condition.severity.rank, one.condition.since, one.id),
    )


def _silence(silence: Silence) -> dict[str, str]:
    return {key: getattr(silence, key) for key in ("name", "began", "ends", "reason", "by")}


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
        "blame_confidence": condition.blame_confidence,
        "suspects": _suspects(condition.suspects),
        "since": condition.since,
        "opened": alert.opened,
        "told_at": alert.notified_at,
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
    """Return the worst outcome of the targets of an alert."""
    about = set(condition.targets)
    beliefs = (
        one.belief.outcome
        for one in snapshot.standings.targets
        if one.target in about and (not condition.sources or one.source in condition.sources)
    )
    return max(beliefs, key=lambda one: one.severity, default=None)


def _targets(page: Iterable[Target], sweep: Sweep, snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    standings = {one.key: one for one in snapshot.standings.targets}
    verdicts = {one.target: one for one in sweep.verdicts}
    for target in page:
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
        "blame_confidence": verdict.blame_confidence,
        "suspects": _suspects(verdict.suspects),
        "evidence": verdict.evidence,
        "advice": verdict.advice,
    }


def _suspects(suspects: Iterable[Suspect] | None) -> list[dict[str, str]]:
    return [{"blame": one.blame.value, "decided_by": one.decided_by} for one in suspects or ()]


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

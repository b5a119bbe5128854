"""Log lines about events, at a level that says whether to act. And the line for systemd.

Programs get a line for each event, with all that is known; people one for each change, as in the history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import assert_never

from msgspec import Struct, field, to_builtins

from egressd.bugs import attempt
from egressd.daemon.holder import SnapshotHolder
from egressd.errors import Part
from egressd.log import get_logger, load_structlog
from egressd.model.alert import NoticeKind
from egressd.model.event import (
    ConfigRejected,
    ConfigReloaded,
    DaemonStarted,
    DaemonStopped,
    Event,
    FindingClosed,
    FindingOpened,
    NoticePosted,
    SweepFinished,
    SweepOverran,
    TargetChanged,
    TargetRemoved,
)
from egressd.model.notification import Severity
from egressd.model.snapshot import Snapshot
from egressd.model.standing import Belief
from egressd.report.history import LONGEST_WORD, change_lines_of
from egressd.wording import count

log = get_logger("egressd")


class EventLog(Struct):
    """Logs the events of one step: for programs each, for people what they come to."""

    holder: SnapshotHolder
    _opened: dict[str, FindingOpened] = field(default_factory=dict)
    """The findings that are open, by id: what ends them names no targets."""

    def __call__(self, events: tuple[Event, ...]) -> None:
        """Log some events."""
        bound = load_structlog().contextvars.bound_contextvars
        with bound(audience="programs"):
            for one in events:
                attempt(Part.LOG, None, log_event, one)
        several = len(self.holder.current.settings.sources) > 1
        with bound(audience="people"):
            shown = tuple(one for one in events if not isinstance(one, SweepFinished))
            for line in change_lines_of(shown, already=self._opened.values(), several=several):
                write = log.info if line.ended else log.warning
                write(f"{line.word:<{LONGEST_WORD}}  {line.text}")
        self._remember(events)

    def _remember(self, events: tuple[Event, ...]) -> None:
        for one in events:
            if isinstance(one, FindingOpened):
                self._opened[one.finding] = one
            elif isinstance(one, FindingClosed):
                self._opened.pop(one.finding, None)


def log_event(event: Event) -> None:
    """Log an event."""
    match event:
        case TargetChanged():
            _log_change(event)
        case TargetRemoved():
            log.info(
                "target removed",
                target=event.target,
                source=event.source,
                before=event.before.outcome.value,
                reason=event.before.reason,
                since=event.before_since,
            )
        case FindingOpened():
            log.warning(
                "finding opened",
                finding=event.finding,
                reason=event.reason,
                blame=event.blame.value,
                blame_confidence=event.blame_confidence.value if event.blame_confidence else None,
                title=event.title,
                targets=len(event.targets),
                evidence=list(event.evidence),
                advice=event.advice,
            )
        case FindingClosed():
            log.info("finding closed", finding=event.finding, reason=event.reason, since=event.since)
        case SweepFinished():
            log.info("sweep", seconds=event.seconds, **to_builtins(event.tally))
        case SweepOverran():
            log.warning("sweep overran", seconds=event.seconds, missed=event.missed)
        case NoticePosted():
            _log_notice(event)
        case _:
            _log_daemon(event)


def _log_daemon(event: ConfigReloaded | ConfigRejected | DaemonStarted | DaemonStopped) -> None:
    match event:
        case ConfigReloaded():
            log.info("configuration read again", digest=event.digest[:12])
        case ConfigRejected():
            log.error("configuration is bad, the old one stays", problems=list(event.problems))
        case DaemonStarted():
            log.info("started", egressd=event.egressd, digest=event.config_digest[:12])
        case DaemonStopped():
            log.info("stopped")
        case _:
            assert_never(event)


def _log_change(event: TargetChanged) -> None:
    write = log.info if event.after.outcome.reachable else log.warning
    belief: Belief = event.after
    write(
        "target changed",
        target=event.target,
        source=event.source,
        before=event.before.outcome.value if event.before else None,
        outcome=belief.outcome.value,
        phase=belief.phase.value if belief.phase else None,
        reason=belief.reason,
        blame=belief.blame.value if belief.blame else None,
        confidence=belief.confidence.value,
        blame_confidence=belief.blame_confidence.value if belief.blame_confidence else None,
        since=event.since,
        evidence=list(belief.evidence),
        advice=belief.advice or None,
    )


def _log_notice(event: NoticePosted) -> None:
    over = event.notice_kind in (NoticeKind.CLOSED, NoticeKind.REMINDED)
    write = log.info if over or event.severity is Severity.INFO else log.warning
    write(
        f"alert {event.notice_kind}",
        alert=event.alert,
        name=event.alertname.value,
        severity=event.severity.value,
        summary=event.summary,
        reason=event.reason,
        since=event.since,
        targets=len(event.targets) or None,
        resolution=event.resolution.value if event.resolution else None,
        change=event.change or None,
        receivers=list(event.receivers),
    )


def current_status(holder: SnapshotHolder) -> str:
    """Return the status line as of now."""
    stalled = holder.watchdog.stalled
    return attempt(Part.LOG, "running", status_line, holder.current, stalled=stalled)


def status_line(snapshot: Snapshot, *, stalled: bool) -> str:
    """Say in one line how things are, for `systemctl status`."""
    words = []
    if stalled:
        words.append("the scheduler has stalled")
    if snapshot.config.refused:
        words.append("the last reload was refused, the old configuration stays")
    if snapshot.config.web_problems:
        words.append("the web configuration is bad, the one before stays")
    if snapshot.state.problem:
        words.append("state is not kept")
    words.append(_targets(snapshot))
    words += _alerts(snapshot)
    return "; ".join(words)


def _alerts(snapshot: Snapshot) -> Iterator[str]:
    """Yield how many alerts are open, and what keeps people from hearing of them."""
    severities = Counter(one.condition.severity for one in snapshot.alerts if one.is_open)
    if severities:
        parts = ", ".join(f"{severities[one]} {one}" for one in Severity if severities[one])
        yield f"{count(severities.total(), 'alert')} ({parts})"
    if snapshot.silences:
        yield f"silenced: {', '.join(one.name for one in snapshot.silences)}"
    failing = [one.name for one in snapshot.receivers if one.failing_since]
    if failing:
        yield f"notifications can't be delivered to {', '.join(failing)}"


def _targets(snapshot: Snapshot) -> str:
    if snapshot.sweep is None:
        return "the first sweep is running"
    standings = snapshot.standings.targets
    down = sum(not one.up and not one.unknown for one in standings)
    suspect = sum(not one.settled for one in standings)
    text = f"{len({one.target for one in standings})} targets, {down} failing, {suspect} suspect"
    findings = [one.reason for one in snapshot.standings.findings if one.opened]
    return f"{text}; {', '.join(sorted(set(findings)))}" if findings else text

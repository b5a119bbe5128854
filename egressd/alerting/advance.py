"""Advance the alerts by one evaluation, and make the notices that are due.

An alert resolves only when its condition is gone and everything of it that still fails is covered by other
open alerts: a failure that was notified is never without an open alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from egressd.alerting.conditions import conditions_of
from egressd.alerting.context import AlertContext
from egressd.alerting.inhibit import OF_ONE_TARGET, Inhibitor
from egressd.alerting.lifecycle import AlertSignal, hold_seconds, next_alert_state
from egressd.alerting.notices import next_notice
from egressd.alerting.recovery import is_recovering
from egressd.errors import OnBug, Part, isolate, raise_bug
from egressd.model.alert import Alert, AlertName, AlertState, Condition, Notice, Resolution, Silence
from egressd.model.notification import Flapping
from egressd.model.snapshot import Snapshot
from egressd.model.verdict import Pair
from egressd.wording import stamp

KEPT = 900.0
"""Seconds a resolved alert is kept at least."""
MOST_OPENINGS = 8
SUCCESSORS = frozenset({AlertName.CAUSE, *OF_ONE_TARGET})
"""Alerts that can supersede another."""
NO_LIMITS: Mapping[str, float] = {}


def advance_alerts(
    snapshot: Snapshot,
    silences: tuple[Silence, ...],
    *,
    now: datetime,
    limits: Mapping[str, float] = NO_LIMITS,
    on_bug: OnBug = raise_bug,
) -> tuple[tuple[Alert, ...], tuple[Notice, ...]]:
    """Return the alerts `now` (aware), by id, and the notices that are due, new alerts first.

    `silences` are the active ones; `limits` the seconds a profile may be offline, by profile. Before the
    first complete sweep nothing changes: standings loaded from disk may be out of date. `on_bug` is called
    with what keeps an alert from advancing: it stays as it is.
    """
    if snapshot.sweep is None:
        return snapshot.alerts, ()
    context = AlertContext(snapshot=snapshot, sweep=snapshot.sweep, limits=limits, on_bug=on_bug)
    conditions = conditions_of(context, now=now, on_bug=on_bug)
    inhibitor = Inhibitor.of(context, conditions, silences)
    known = {one.id: one for one in snapshot.alerts}
    evaluator = _Evaluator(context=context, now=now, flapping=snapshot.settings.alerting.flapping)

    def advance_active(one: Condition) -> Alert | None:
        return evaluator.active(known.get(one.id), one, inhibitor.suppressors_of(one, context))

    moved = [
        isolate(Part.ALERTS, on_bug, partial(advance_active, one), partial(_unmoved, known.get(one.id)))
        for one in conditions
    ]
    active = [one for one in moved if one is not None]
    successors = _Successors.of(active, conditions)
    names = {one.id for one in conditions}
    cleared = [
        isolate(Part.ALERTS, on_bug, partial(evaluator.cleared, one, successors), partial(_unmoved, one))
        for one in snapshot.alerts
        if one.id not in names
    ]
    after = [one for one in (*active, *cleared) if one is not None]
    notice_of = partial(next_notice, now=now, rules=snapshot.settings.alerting)
    due = [
        isolate(Part.ALERTS, on_bug, partial(notice_of, known.get(one.id), one), lambda _: None)
        for one in after
    ]
    notices = sorted((one for one in due if one is not None), key=_order)
    notified = {one.alert.id: one.alert for one in notices}
    return tuple(sorted((notified.get(one.id, one) for one in after), key=lambda one: one.id)), tuple(notices)


def _unmoved(alert: Alert | None, _why: str) -> Alert | None:
    return alert


class _Evaluator(Struct, frozen=True, kw_only=True):
    """Advances single alerts at one time."""

    context: AlertContext
    now: datetime
    flapping: Flapping

    def active(self, before: Alert | None, condition: Condition, suppressed_by: tuple[str, ...]) -> Alert:
        """Advance an alert whose condition holds."""
        old = self._pending_or_known(before, condition)
        if suppressed_by:
            signal = AlertSignal.SUPPRESSED
        else:
            brief = self._since(old.started) < hold_seconds(condition) or is_recovering(
                self.context, condition
            )
            signal = AlertSignal.HOLDS_BRIEFLY if brief else AlertSignal.HOLDS
        state = next_alert_state(old.state, signal) or AlertState.PENDING
        if old.condition.since < condition.since:
            condition = replace(condition, since=old.condition.since)
        after = replace(old, condition=condition, state=state, cleared_at=None, suppressed_by=suppressed_by)
        if state is AlertState.FIRING and not old.is_open:
            return self._opened(after)
        back = old.state is AlertState.RESOLVING
        return replace(after, openings=self._openings(after)) if back else after

    def cleared(self, alert: Alert, successors: _Successors) -> Alert | None:
        """Advance an alert whose condition is gone; None: it is forgotten."""
        if alert.state is AlertState.RESOLVED:
            return alert if self._since(alert.closed) <= max(KEPT, self.flapping.within) else None
        uncovered, superseding = successors.of_alert(alert, self.context)
        removed = self._is_removed(alert)
        clearing = not removed and (uncovered or self._is_flapping(alert))
        state = next_alert_state(alert.state, AlertSignal.CLEARING if clearing else AlertSignal.CLEARED)
        if state is None:  # pending: it was never notified, or was resolved before and began again
            return replace(alert, state=AlertState.RESOLVED) if alert.closed else None
        if state is AlertState.RESOLVING:
            return replace(
                alert, state=state, cleared_at=alert.cleared_at or stamp(self.now), suppressed_by=()
            )
        how = Resolution.SUPERSEDED if superseding else Resolution.FIXED
        return replace(
            alert,
            state=state,
            closed=stamp(self.now),
            cleared_at=None,
            suppressed_by=(),
            resolution=Resolution.REMOVED if removed else how,
            succeeded_by=() if removed else superseding,
        )

    def _pending_or_known(self, before: Alert | None, condition: Condition) -> Alert:
        """Return the known alert, or a new pending one; a resolved one starts again."""
        if before is None:
            return Alert(condition=condition, state=AlertState.PENDING, started=stamp(self.now))
        if before.state is AlertState.RESOLVED:
            return replace(before, condition=condition, state=AlertState.PENDING, started=stamp(self.now))
        return before

    def _opened(self, alert: Alert) -> Alert:
        return replace(
            alert,
            opened=stamp(self.now),
            closed=None,
            resolution=None,
            succeeded_by=(),
            notices=0,
            openings=self._openings(alert),
        )

    def _openings(self, alert: Alert) -> tuple[str, ...]:
        """Return the recent openings with one more, now."""
        return (*self._recent_openings(alert), stamp(self.now))[-MOST_OPENINGS:]

    def _is_flapping(self, alert: Alert) -> bool:
        """Whether an alert was opened so often of late that it must stay clear for a while to resolve."""
        clear = self._since(alert.cleared_at) if alert.cleared_at else 0.0
        return len(self._recent_openings(alert)) >= self.flapping.times and clear < self.flapping.hold

    def _recent_openings(self, alert: Alert) -> tuple[str, ...]:
        return tuple(one for one in alert.openings if self._since(one) < self.flapping.within)

    def _is_removed(self, alert: Alert) -> bool:
        """Whether none of an alert's targets is in the plan any more."""
        targets = alert.condition.targets
        return bool(targets) and not any(one in self.context.targets for one in targets)

    def _since(self, moment: str | None) -> float:
        return (self.now - datetime.fromisoformat(moment)) / timedelta(seconds=1) if moment else 0.0


class _Successors(Struct, frozen=True, kw_only=True):
    """Open alerts, indexed to find those that supersede an alert whose condition is gone."""

    by_target: Mapping[str, tuple[str, ...]]
    """Open causes, by the targets they explain."""
    by_pair: Mapping[Pair, tuple[str, ...]]
    """Open alerts of one target from one source."""
    failing: frozenset[Pair]
    """Pairs with any condition, notified or not."""
    by_profile: Mapping[str, Alert]
    """Alerts of a profile near its limit."""

    @classmethod
    def of(cls, active: Iterable[Alert], conditions: Iterable[Condition]) -> _Successors:
        by_target: dict[str, tuple[str, ...]] = {}
        by_pair: dict[Pair, tuple[str, ...]] = {}
        by_profile: dict[str, Alert] = {}
        for one in active:
            about = one.condition
            if about.alertname is AlertName.OFFLINE_NEAR_LIMIT:
                by_profile[about.profiles[0]] = one
            if not one.is_open or about.alertname not in SUCCESSORS:
                continue
            if about.alertname is AlertName.CAUSE:
                for target in about.targets:
                    by_target[target] = (*by_target.get(target, ()), one.id)
            else:
                pair = (about.targets[0], about.sources[0])
                by_pair[pair] = (*by_pair.get(pair, ()), one.id)
        single = (one for one in conditions if one.alertname in OF_ONE_TARGET)
        failing = frozenset((one.targets[0], one.sources[0]) for one in single)
        return cls(by_target=by_target, by_pair=by_pair, failing=failing, by_profile=by_profile)

    def of_alert(self, alert: Alert, context: AlertContext) -> tuple[bool, tuple[str, ...]]:
        """Return whether something of it still fails without an open alert, and the ids that supersede it."""
        about = alert.condition
        if about.alertname is AlertName.OFFLINE_HALF:
            near = self.by_profile.get(about.profiles[0])
            return (near is not None and not near.is_open), ((near.id,) if near is not None else ())
        found: dict[str, None] = {}
        uncovered = False
        for pair in self._still_failing(about, context):
            ids = (*self.by_target.get(pair[0], ()), *self.by_pair.get(pair, ()))
            uncovered = uncovered or not ids
            found.update(dict.fromkeys(ids))
        return uncovered, tuple(found)

    def _still_failing(self, about: Condition, context: AlertContext) -> tuple[Pair, ...]:
        if about.alertname is AlertName.CAUSE:
            targets = frozenset(about.targets)
            return tuple(sorted(one for one in self.failing if one[0] in targets))
        pairs = [(target, source) for target in about.targets for source in about.sources]
        among = context.failing if about.alertname is AlertName.EXPIRING else self.failing
        return tuple(one for one in pairs if one in among)


def _order(notice: Notice) -> tuple[bool, int, bool, str]:
    """Sort resolved last, by urgency, and a cause before what it explains."""
    condition = notice.alert.condition
    resolved = notice.alert.state is AlertState.RESOLVED
    return resolved, condition.severity.rank, condition.alertname is not AlertName.CAUSE, notice.alert.id

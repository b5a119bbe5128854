"""Fold one moment into the alerts, and say what was said of them.

An alert is over only when what it is about is mended, or when other alerts that were told already go on
with all that is left of it. So at no time does something that was told fail untold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from egressd.alerting.conditions import conditions_of
from egressd.alerting.context import AlertContext, Pair
from egressd.alerting.inhibit import OF_ONE_TARGET, Inhibitor
from egressd.alerting.lifecycle import AlertSignal, hold_seconds, next_alert_state
from egressd.alerting.notices import next_notice
from egressd.alerting.silences import ActiveSilence
from egressd.model.alert import Alert, AlertName, AlertState, Condition, Notice, Resolution
from egressd.model.notification import Flapping
from egressd.model.snapshot import Snapshot
from egressd.wording import stamp

KEPT = 900.0
"""Seconds a resolved alert is kept at least."""
MOST_OPENINGS = 8
SPEAKERS = frozenset({AlertName.CAUSE, *OF_ONE_TARGET})
"""Alerts that go on with what is left of another."""
NO_LIMITS: Mapping[str, float] = {}


def advance_alerts(
    snapshot: Snapshot,
    windows: tuple[ActiveSilence, ...],
    *,
    now: datetime,
    limits: Mapping[str, float] = NO_LIMITS,
) -> tuple[tuple[Alert, ...], tuple[Notice, ...]]:
    """Return the alerts as they stand `now` (aware), by id, and what was said: what opens comes first.

    `limits`: seconds a profile may be offline, by profile. Before the first sweep is complete nothing
    changes: what was believed when the daemon stopped may not be so any more.
    """
    if snapshot.sweep is None:
        return snapshot.alerts, ()
    context = AlertContext(snapshot=snapshot, sweep=snapshot.sweep, limits=limits)
    conditions = conditions_of(context, now=now)
    inhibitor = Inhibitor.of(context, conditions, windows)
    known = {one.id: one for one in snapshot.alerts}
    step = _Step(context=context, now=now, flapping=snapshot.settings.alerting.flapping)
    present = [step.present(known.get(one.id), one, inhibitor.over(one, context)) for one in conditions]
    successors_index = _Successors.of(present, conditions)
    names = {one.id for one in conditions}
    absent = [step.absent(one, successors_index) for one in snapshot.alerts if one.id not in names]
    after = [one for one in (*present, *absent) if one is not None]
    said = [next_notice(known.get(one.id), one, now=now, rules=snapshot.settings.alerting) for one in after]
    notices = sorted((one for one in said if one is not None), key=_order)
    told = {one.alert.id: one.alert for one in notices}
    return tuple(sorted((told.get(one.id, one) for one in after), key=lambda one: one.id)), tuple(notices)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One moment, for one alert after the other."""

    context: AlertContext
    now: datetime
    flapping: Flapping

    def present(self, before: Alert | None, condition: Condition, suppressed_by: tuple[str, ...]) -> Alert:
        """Take in that a condition holds."""
        old = self._begin(before, condition)
        if suppressed_by:
            signal = AlertSignal.SUPPRESSED
        else:
            young = self._since(old.started) < hold_seconds(condition)
            signal = AlertSignal.HOLDS_BRIEFLY if young else AlertSignal.HOLDS
        state = next_alert_state(old.state, signal) or AlertState.PENDING
        if old.condition.since < condition.since:
            condition = replace(condition, since=old.condition.since)
        after = replace(old, condition=condition, state=state, gone=None, suppressed_by=suppressed_by)
        if state is AlertState.FIRING and not old.is_open:
            return self._opened(after)
        back = old.state is AlertState.RESOLVING
        return replace(after, openings=self._openings(after)) if back else after

    def absent(self, alert: Alert, successors_index: _Successors) -> Alert | None:
        """Take in that its condition is gone."""
        if alert.state is AlertState.RESOLVED:
            return alert if self._since(alert.closed) <= max(KEPT, self.flapping.within) else None
        left, successors = successors_index.of_rest(alert, self.context)
        removed = self._is_removed(alert)
        lingers = not removed and (left or self._comes_back(alert))
        state = next_alert_state(alert.state, AlertSignal.CLEARING if lingers else AlertSignal.CLEARED)
        if state is None:  # never told; what was told of it before is over
            return replace(alert, state=AlertState.RESOLVED) if alert.closed else None
        if state is AlertState.RESOLVING:
            return replace(alert, state=state, gone=alert.gone or self.moment, suppressed_by=())
        how = Resolution.SUPERSEDED if successors else Resolution.FIXED
        return replace(
            alert,
            state=state,
            closed=self.moment,
            gone=None,
            suppressed_by=(),
            resolution=Resolution.REMOVED if removed else how,
            succeeded_by=() if removed else successors,
        )

    @property
    def moment(self) -> str:
        """The time, as it is written down."""
        return stamp(self.now)

    def _begin(self, before: Alert | None, condition: Condition) -> Alert:
        """Return the alert as it was, or as one that begins now; one that is over begins anew."""
        if before is None:
            return Alert(condition=condition, state=AlertState.PENDING, started=self.moment)
        if before.state is AlertState.RESOLVED:
            return replace(before, condition=condition, state=AlertState.PENDING, started=self.moment)
        return before

    def _opened(self, alert: Alert) -> Alert:
        return replace(
            alert,
            opened=self.moment,
            closed=None,
            resolution=None,
            succeeded_by=(),
            notices=0,
            openings=self._openings(alert),
        )

    def _openings(self, alert: Alert) -> tuple[str, ...]:
        """Return when it was opened of late, or came back before it was over, and that it does now."""
        recent = (one for one in alert.openings if self._since(one) < self.flapping.within)
        return (*recent, self.moment)[-MOST_OPENINGS:]

    def _comes_back(self, alert: Alert) -> bool:
        """Say whether it was opened so often of late that its end is not believed yet."""
        recent = [one for one in alert.openings if self._since(one) < self.flapping.within]
        quiet = self._since(alert.gone) if alert.gone else 0.0
        return len(recent) >= self.flapping.times and quiet < self.flapping.hold

    def _is_removed(self, alert: Alert) -> bool:
        """Say whether nobody asks for anything it is about any more."""
        targets = alert.condition.targets
        return bool(targets) and not any(one in self.context.targets for one in targets)

    def _since(self, moment: str | None) -> float:
        return (self.now - datetime.fromisoformat(moment)) / timedelta(seconds=1) if moment else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Successors:
    """Who goes on with what is left of an alert whose condition is gone."""

    by_target: Mapping[str, tuple[str, ...]]
    """Open causes, by the targets they explain."""
    by_pair: Mapping[Pair, tuple[str, ...]]
    """Open alerts of one target from one source."""
    troubled: frozenset[Pair]
    """Pairs of which something is wrong, told or not."""
    by_profile: Mapping[str, Alert]
    """Alerts of a profile near its limit."""

    @classmethod
    def of(cls, present: Iterable[Alert], conditions: Iterable[Condition]) -> _Successors:
        by_target: dict[str, tuple[str, ...]] = {}
        by_pair: dict[Pair, tuple[str, ...]] = {}
        by_profile: dict[str, Alert] = {}
        for one in present:
            about = one.condition
            if about.alertname is AlertName.OFFLINE_NEAR_LIMIT:
                by_profile[about.profiles[0]] = one
            if not one.is_open or about.alertname not in SPEAKERS:
                continue
            if about.alertname is AlertName.CAUSE:
                for target in about.targets:
                    by_target[target] = (*by_target.get(target, ()), one.id)
            else:
                pair = (about.targets[0], about.sources[0])
                by_pair[pair] = (*by_pair.get(pair, ()), one.id)
        alone = (one for one in conditions if one.alertname in OF_ONE_TARGET)
        troubled = frozenset((one.targets[0], one.sources[0]) for one in alone)
        return cls(by_target=by_target, by_pair=by_pair, troubled=troubled, by_profile=by_profile)

    def of_rest(self, alert: Alert, context: AlertContext) -> tuple[bool, tuple[str, ...]]:
        """Return whether something of it is left that nobody speaks for, and who speaks for the rest."""
        about = alert.condition
        if about.alertname is AlertName.OFFLINE_HALF:
            near = self.by_profile.get(about.profiles[0])
            return (near is not None and not near.is_open), ((near.id,) if near is not None else ())
        found: dict[str, None] = {}
        left = False
        for pair in self._rest(about, context):
            speakers = (*self.by_target.get(pair[0], ()), *self.by_pair.get(pair, ()))
            left = left or not speakers
            found.update(dict.fromkeys(speakers))
        return left, tuple(found)

    def _rest(self, about: Condition, context: AlertContext) -> tuple[Pair, ...]:
        if about.alertname is AlertName.CAUSE:
            targets = frozenset(about.targets)
            return tuple(sorted(one for one in self.troubled if one[0] in targets))
        pairs = [(target, source) for target in about.targets for source in about.sources]
        among = context.failing if about.alertname is AlertName.EXPIRING else self.troubled
        return tuple(one for one in pairs if one in among)


def _order(notice: Notice) -> tuple[bool, int, bool, str]:
    """Put what ends last, what is urgent first, and a cause before what it explains."""
    condition = notice.alert.condition
    ended = notice.alert.state is AlertState.RESOLVED
    return ended, condition.severity.rank, condition.alertname is not AlertName.CAUSE, notice.alert.id

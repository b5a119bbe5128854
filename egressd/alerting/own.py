"""Conditions of egressd itself: of its configuration, its notifications, and its state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from egressd.alerting.context import AlertContext
from egressd.model.alert import AlertName, Condition
from egressd.model.notification import Severity
from egressd.model.verdict import Blame
from egressd.wording import stamp

OWN = frozenset({AlertName.RELOAD_FAILED, AlertName.NOTIFICATIONS_FAILING, AlertName.STATE_NOT_KEPT})
"""The names of these conditions."""


def own_conditions(context: AlertContext, now: datetime) -> Iterator[Condition]:
    """Yield what is wrong with egressd `now` (aware)."""
    config = context.snapshot.config
    if not config.successful:
        yield Condition(
            id=f"{AlertName.RELOAD_FAILED}/{context.instance}",
            alertname=AlertName.RELOAD_FAILED,
            severity=Severity.WARNING,
            labels=context.labels(),
            summary="egressd runs with an old configuration: the new one is bad",
            since=config.attempted or stamp(now),
            blame=Blame.EGRESSD_ENV,
            evidence=config.problems,
            advice="Fix the file and reload: a restart would fail. `egressd config check` lists all errors.",
        )
    state = context.snapshot.state
    if state.problem:
        yield Condition(
            id=f"{AlertName.STATE_NOT_KEPT}/{context.instance}",
            alertname=AlertName.STATE_NOT_KEPT,
            severity=Severity.WARNING,
            labels=context.labels(),
            summary="egressd can't save its state: a restart would forget what it knows",
            since=state.failing_since or stamp(now),
            blame=Blame.EGRESSD_ENV,
            evidence=(state.problem,),
            advice="Free space on the disk, or let the service's user write there; it goes on by itself.",
        )
    for one in context.snapshot.receivers:
        if one.failing_since is not None:
            yield Condition(
                id=f"{AlertName.NOTIFICATIONS_FAILING}/{one.name}",
                alertname=AlertName.NOTIFICATIONS_FAILING,
                severity=Severity.WARNING,
                labels=context.labels(receiver=one.name),
                summary=f"notifications to {one.name} fail: {one.waiting} waiting",
                since=one.failing_since,
                blame=Blame.EGRESSD_ENV,
                evidence=(one.why,) if one.why else (),
                advice=f"`egressd notify test {one.name}` shows the error.",
            )

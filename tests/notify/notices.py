"""Alerts and notices for tests of the queue and of the delivery tasks."""

from __future__ import annotations

from msgspec.structs import replace

from egressd import clock
from egressd.model.alert import Alert, AlertName, AlertState, Condition, Notice, NoticeKind
from egressd.model.notification import Severity

AT = "2026-11-20T03:00:00.000Z"


def condition(name: str = "a", **fields: object) -> Condition:
    """Return what is wrong with a target."""
    made = Condition(
        id=f"{AlertName.UNREACHABLE}/{name}",
        alertname=AlertName.UNREACHABLE,
        severity=Severity.CRITICAL,
        labels=(("target", name),),
        summary=f"{name} can't be reached",
        since=AT,
        evidence=(f"a line about {name}",),
        targets=(name,),
        sources=("default",),
    )
    return replace(made, **fields)


def alert(name: str = "a", state: AlertState = AlertState.FIRING, **fields: object) -> Alert:
    """Return an alert about a target."""
    made = condition(name)
    base = Alert(condition=made, state=state, started=AT, opened=AT, notified=made, notified_at=AT, notices=1)
    return replace(base, **fields)


def notice(number: int = 1, kind: NoticeKind = NoticeKind.OPENED, *, at: str | None = None) -> Notice:
    """Return a notice of now; each number is another one."""
    return Notice(id=f"n{number}", at=at or clock.timestamp(), kind=kind, alert=alert(f"t{number}"))

"""Routes: the first that matches decides, unless it goes on."""

from __future__ import annotations

import pytest

from egressd.alerting.lifecycle import HOLD_SECONDS, TRANSITIONS, AlertSignal
from egressd.alerting.routing import receivers_for
from egressd.model.alert import Alert, AlertName, AlertState, Condition, Notice, NoticeKind
from egressd.model.notification import Matcher, Notify, Route, Severity
from tests.notify.samples import sample_receiver

NAMES = ("noc", "chat", "am", "beat")
KINDS = ("email", "slack", "alertmanager", "heartbeat")


def notice(kind: NoticeKind = NoticeKind.OPENED, **about: object) -> Notice:
    """Return a notice of a critical cause."""
    words: dict[str, object] = {
        "severity": Severity.CRITICAL,
        "reason": "tls_mitm_trusted",
        "profiles": ("resource-bridge",),
        "sources": ("appliance-1",),
    }
    condition = Condition(
        id="EgressCause/x",
        alertname=AlertName.CAUSE,
        labels=(),
        summary="",
        since="2026-11-20T03:00:00.000Z",
        **{**words, **about},  # type: ignore[arg-type]
    )
    alert = Alert(condition=condition, state=AlertState.FIRING, started=condition.since)
    return Notice(id="n", at=condition.since, kind=kind, alert=alert)


def notify(*routes: Route, chat_gets_resolved: bool = True) -> Notify:
    """Return four receivers and routes to them."""
    receivers = tuple(
        sample_receiver(kind, name, send_resolved=chat_gets_resolved or name != "chat")
        for name, kind in zip(NAMES, KINDS, strict=True)
    )
    return Notify(receivers=receivers, routes=routes)


def test_without_routes_all_receivers_get_everything() -> None:
    """But for a heartbeat, which is called for sweeps only."""
    assert receivers_for(notice(), notify()) == ("noc", "chat", "am")


@pytest.mark.parametrize(
    ("match", "yes"),
    [
        (Matcher(), True),
        (Matcher(severity=(Severity.CRITICAL,)), True),
        (Matcher(severity=(Severity.WARNING, Severity.INFO)), False),
        (Matcher(reasons=("tls_mitm_*",)), True),
        (Matcher(reasons=("dns_*", "tcp_*")), False),
        (Matcher(profiles=("resource-*",), sources=("appliance-1",)), True),
        (Matcher(profiles=("resource-*",), sources=("appliance-2",)), False),
        (Matcher(alerts=("EgressCause",)), True),
        (Matcher(alerts=("EgressTarget*",)), False),
    ],
)
def test_every_field_that_is_given_must_match(match: Matcher, yes: bool) -> None:
    """Patterns within a field are alternatives; fields are not."""
    found = receivers_for(notice(), notify(Route(match=match, receivers=("noc",))))
    assert found == (("noc",) if yes else ())


def test_the_first_route_decides_unless_it_goes_on() -> None:
    """No receiver gets a notice twice."""
    first = Route(match=Matcher(reasons=("tls_*",)), receivers=("chat",), go_on=True)
    second = Route(receivers=("noc", "chat"))
    third = Route(receivers=("am",))
    assert receivers_for(notice(), notify(first, second, third)) == ("noc", "chat")
    assert receivers_for(notice(reason="dns_servfail"), notify(first, second, third)) == ("noc", "chat")
    assert receivers_for(notice(), notify(Route(receivers=("chat",)), second)) == ("chat",)


def test_a_receiver_without_send_resolved_gets_no_resolutions() -> None:
    """It gets everything else."""
    quiet = notify(chat_gets_resolved=False)
    assert receivers_for(notice(NoticeKind.CLOSED), quiet) == ("noc", "am")
    assert receivers_for(notice(), quiet) == ("noc", "chat", "am")


def test_the_transition_table_is_complete() -> None:
    """Every state knows every signal, every state can be reached, every alert name has its time."""
    assert {state: set(row) for state, row in TRANSITIONS.items()} == {
        state: set(AlertSignal) for state in AlertState
    }
    reached = {after for row in TRANSITIONS.values() for after in row.values() if after is not None}
    assert reached == set(AlertState)
    assert {name for name, _ in HOLD_SECONDS} == set(AlertName) - {AlertName.TEST}

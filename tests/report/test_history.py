"""The text of `egressd history`."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.model.alert import AlertName, NoticeKind, Resolution
from egressd.model.event import (
    ConfigRejected,
    ConfigReloaded,
    DaemonStarted,
    DaemonStopped,
    Event,
    FindingClosed,
    FindingOpened,
    History,
    NoticePosted,
    SweepActivity,
    SweepOverran,
    TargetChanged,
    TargetRemoved,
)
from egressd.model.notification import Severity
from egressd.model.observation import Phase
from egressd.model.standing import Belief
from egressd.model.verdict import Blame, Confidence, Outcome
from egressd.report.history import render_history
from egressd.state.selection import event_matches

AT, SINCE = "2026-11-20T03:10:04.120Z", "2026-11-20T03:09:58.000Z"
BLOCKED = Belief(
    outcome=Outcome.BLOCKED,
    phase=Phase.TLS,
    reason="tls_sni_reset",
    blame=Blame.FIREWALL_L7,
    confidence=Confidence.HIGH,
    evidence=("10.0.0.5:40000 -> 203.0.113.9:443: RST after the ClientHello",),
    advice="Allow SNI mcr.microsoft.com.",
)
CHANGED = TargetChanged(
    at=AT,
    since=SINCE,
    target="rb-mcr/mcr.microsoft.com:443",
    source="default",
    before=Belief(outcome=Outcome.OK),
    before_since=SINCE,
    after=BLOCKED,
)
OPENED = FindingOpened(
    at=AT,
    since=SINCE,
    finding="f",
    reason="tls_mitm_trusted_host",
    blame=Blame.TLS_INSPECTION,
    confidence=Confidence.HIGH,
    title="TLS is inspected",
    targets=("a/b:443",),
    evidence=("issuer \x1b[31mEvil",),
    advice="Exempt them.",
)
POSTED = NoticePosted(
    at=AT,
    notice="n1",
    notice_kind=NoticeKind.OPENED,
    alert="EgressTargetUnreachable/x@default",
    alertname=AlertName.UNREACHABLE,
    severity=Severity.CRITICAL,
    summary="x can't be reached",
    since=SINCE,
    targets=("row/x:443",),
    receivers=("chat", "noc"),
)
EVENTS: tuple[tuple[Event, str], ...] = (
    (CHANGED, "rb-mcr/mcr.microsoft.com:443 from default: ok -> blocked"),
    (
        TargetRemoved(at=AT, target="a/b:443", source="s", before=BLOCKED, before_since=SINCE),
        "a/b:443 from s: blocked -> no longer probed",
    ),
    (OPENED, "finding opened: TLS is inspected, 1 target"),
    (
        FindingClosed(at=AT, since=SINCE, finding="f", reason="r", title="T"),
        "finding closed: T, open since 2026-",
    ),
    (SweepOverran(at=AT, seconds=90, missed=1), "a sweep took 90 s; 1 sweep skipped"),
    (ConfigReloaded(at=AT, digest="abc"), "configuration reloaded, digest abc"),
    (ConfigRejected(at=AT, problems=("x:1: no",)), "x:1: no"),
    (DaemonStarted(at=AT, egressd="0.1.0", config_digest=""), "egressd 0.1.0 started"),
    (
        DaemonStarted(at=AT, egressd="0.1.0", config_digest="", site="oslo-1"),
        "egressd 0.1.0 started at oslo-1",
    ),
    (DaemonStopped(at=AT), "egressd stopped"),
    (POSTED, "alert opened: EgressTargetUnreachable: x can't be reached"),
    (
        replace(POSTED, notice_kind=NoticeKind.CLOSED, resolution=Resolution.FIXED),
        "alert closed (fixed): Egress",
    ),
    (POSTED, "sent to: chat, noc"),
    (replace(POSTED, receivers=()), "sent to: no receiver"),
    (
        replace(POSTED, notice_kind=NoticeKind.CHANGED, change="was warning, is critical"),
        "changed: was warning",
    ),
)


def history(*events: Event, already: tuple[TargetChanged, ...] = (), sweeps: int = 2) -> History:
    watch = SweepActivity(sweeps=sweeps, first=AT, last=AT) if sweeps else SweepActivity(sweeps=0)
    return History(since=SINCE, until=AT, already=already, events=events, watch=watch)


@pytest.mark.parametrize(("event", "said"), EVENTS)
def test_every_event_is_rendered(event: Event, said: str) -> None:
    """Each kind of event has a line with its time and text."""
    text = render_history(history(event), width=120)
    assert f"{AT}  " in text
    assert said in text


def test_a_notice_is_found_by_its_targets() -> None:
    """A filter by target keeps its notices and those about egressd itself."""
    assert event_matches(POSTED, "x")
    assert not event_matches(POSTED, "y")
    assert event_matches(replace(POSTED, targets=()), "y")


def test_a_change_has_reason_and_advice() -> None:
    """Reason, phase, blame, confidence, evidence and advice, and when it was first seen."""
    text = " ".join(render_history(history(CHANGED), width=80).split())
    assert f"tls_sni_reset, at tls, blame firewall_l7, confidence high, first seen {SINCE}" in text
    assert BLOCKED.evidence[0] in text
    assert "ask: Allow SNI mcr.microsoft.com." in text


def test_no_line_is_too_wide_and_no_text_colours() -> None:
    """Text from the network can't move the cursor; lines fit."""
    text = render_history(history(CHANGED, OPENED, already=(CHANGED,)), width=60)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 60 + len("https://")
    assert text.index("NOT OK AT THE START") < text.index("THEN")


def test_truncation_is_shown() -> None:
    """A truncated history says that older events are missing."""
    whole = history(CHANGED)
    assert "Only the newest events are shown" in render_history(replace(whole, cut=True))
    assert "Only the newest" not in render_history(whole)


def test_missing_sweeps_are_not_taken_for_health() -> None:
    """Without a sweep on record the page says so, rather than that nothing changed."""
    text = render_history(history(sweeps=0))
    assert "egressd did not run" in text
    assert "Nothing changed in that time." in text

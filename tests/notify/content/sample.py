"""A complete sample alert, and strategies for arbitrary alerts and notices."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.model.alert import Alert, AlertName, AlertState, Condition, Notice, NoticeKind, Resolution
from egressd.model.notification import Alerting, Severity
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Confidence, Suspect
from egressd.notify.content.message import Message
from egressd.notify.receivers.syslog import SyslogTransport
from egressd.notify.transport.smtp import SmtpTransport

BEGAN, OPENED, CLOSED = "2026-11-21T02:13:05.123Z", "2026-11-21T02:14:00.000Z", "2026-11-21T03:17:09.500Z"
RULES = Alerting(
    instance="bridge-1:10980",
    runbooks="https://docs.corp.example/egressd/runbooks",
    labels=(("datacenter", "ams"),),
)
MAIL = SmtpTransport(
    server="127.0.0.1",
    port=25,
    security="none",
    sender="Egress <egressd@corp.example>",
    recipients=("net@corp.example", "ops@corp.example"),
)
UDP = SyslogTransport(protocol="udp", address="127.0.0.1")

CAUSE = Condition(
    id="EgressCause/site-tls-reset",
    alertname=AlertName.CAUSE,
    severity=Severity.CRITICAL,
    labels=(
        ("blame", "firewall_l7"),
        ("finding", "site-tls-reset"),
        ("nothing", ""),
        ("reason", "tls_reset_after_hello"),
    ),
    summary="A firewall resets TLS by name: 3 targets out of reach, 2 of them required",
    since=BEGAN,
    reason="tls_reset_after_hello",
    blame=Blame.FIREWALL_L7,
    phase=Phase.TLS,
    confidence=Confidence.CONFIRMED,
    evidence=("10.20.0.11:51234 -> 20.61.1.2:443 RST 4 ms after the ClientHello", "SNI gas.azure.example"),
    advice="Allow TLS to the names below from 10.20.0.11, without inspection.",
    targets=("mcr.microsoft.com:443", "gas.azure.example:443", "his.azure.example:443"),
    sources=("appliance-1",),
    profiles=("resource-bridge",),
)


DOUBTED = replace(
    CAUSE,
    blame_confidence=Confidence.MEDIUM,
    suspects=(
        Suspect(blame=Blame.FIREWALL_L7, decided_by="the URL log for 10.20.0.11:51234 at 02:13:05"),
        Suspect(blame=Blame.AZURE_SERVICE, decided_by="the same from another network"),
    ),
)
"""The same, and it is not proven who did it."""


def alert(state: AlertState = AlertState.FIRING, **fields: object) -> Alert:
    """Return the sample alert."""
    made = Alert(
        condition=CAUSE, state=state, started=BEGAN, opened=OPENED, notified=CAUSE, notified_at=OPENED
    )
    return replace(made, **fields)


def notice(kind: NoticeKind = NoticeKind.OPENED, *, about: Alert | None = None, **fields: object) -> Notice:
    """Return a notice about the sample alert, or another one."""
    at = CLOSED if kind is NoticeKind.CLOSED else OPENED
    base = about or (over() if kind is NoticeKind.CLOSED else alert())
    return replace(Notice(id=f"notice-{kind.value}", at=at, kind=kind, alert=base), **fields)


def message_of(*notices: Notice, dropped: int = 0, rules: Alerting = RULES) -> Message:
    """Return the message of these notices."""
    return Message(notices=notices, dropped=dropped, rules=rules)


def over(**fields: object) -> Alert:
    """Return the sample alert, resolved."""
    return alert(AlertState.RESOLVED, **({"closed": CLOSED, "resolution": Resolution.FIXED} | fields))


HOSTILE = (
    "<!channel> <script>alert(1)</script> & [click](http://evil.example) **bold** `x` *y* _z_ ~q~",
    "line\r\nSubject: spoofed\r\n\r\nbody\x00\x07\x1b[31mred\x1b]0;title\x07",
    'quote " backslash \\ bracket ] end',
    "\u202ereversed\u2066 \u200bhidden \ud800 \U0001f600",
)
"""Hostile text that a middlebox may put into a certificate or a page."""

words = st.text(max_size=60) | st.sampled_from(HOSTILE)
names = st.text(alphabet=st.characters(codec="utf-8", exclude_characters=" "), min_size=1, max_size=40)
"""Target ids: any characters, not only whitespace."""


@st.composite
def many_targets(draw: st.DrawFn) -> tuple[str, ...]:
    """Draw up to 2000 targets with ids of any length, some of them hostile."""
    count = draw(st.sampled_from((0, 1, 12, 300, 2000)))
    stem = draw(
        st.sampled_from(("t", "a-long-name-of-a-host.with.labels", "&<>", '"\\]', "é\U0001f600")) | names
    )
    return tuple(f"{stem[:200]}{number}.example:443" for number in range(count))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """Draw a condition with any text and any number of targets."""
    return replace(
        CAUSE,
        id=draw(words),
        alertname=draw(st.sampled_from(AlertName)),
        severity=draw(st.sampled_from(Severity)),
        summary=draw(words | st.text(min_size=200, max_size=400)),
        reason=draw(st.none() | st.just("tcp_timeout")),
        blame=draw(st.none() | st.sampled_from(Blame)),
        phase=draw(st.none() | st.sampled_from(Phase)),
        confidence=draw(st.none() | st.sampled_from(Confidence)),
        evidence=tuple(draw(st.lists(words, max_size=30))),
        advice=draw(words | st.just("ask & ask " * 400)),
        targets=draw(many_targets()),
        sources=tuple(draw(st.lists(names, max_size=4))),
        profiles=tuple(draw(st.lists(names, max_size=4))),
    )


@st.composite
def notices(draw: st.DrawFn) -> Notice:
    """Draw a notice of any kind."""
    kind = draw(st.sampled_from(NoticeKind))
    condition = draw(conditions())
    closed = kind is NoticeKind.CLOSED
    drawn = Alert(
        condition=condition,
        state=AlertState.RESOLVED if closed else AlertState.FIRING,
        started=BEGAN,
        opened=OPENED,
        closed=CLOSED if closed else None,
        resolution=draw(st.sampled_from(Resolution)) if closed else None,
        succeeded_by=tuple(draw(st.lists(words, max_size=8))),
    )
    return Notice(id=draw(words), at=OPENED, kind=kind, alert=drawn, change=draw(words))

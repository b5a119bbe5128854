"""Headers of mail, syslog and journal entries: threads, priorities, fields."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from egressd.model.alert import NoticeKind
from egressd.model.notification import Severity
from egressd.notify.receivers.email import mail_message
from egressd.notify.receivers.journald import journal_entry
from egressd.notify.receivers.syslog import syslog_messages
from tests.notify.content.sample import CAUSE, CLOSED, HOSTILE, MAIL, RULES, UDP, alert, message_of, notice
from tests.notify.receivers.test_limits import SYSLOG, parse_entry


def test_the_mails_of_an_alert_are_a_thread() -> None:
    """Later mails reference the first one of an alert; a retry has the same Message-ID."""
    opened, again = (mail_message(message_of(notice()), MAIL) for _ in range(2))
    changed, closed = (
        mail_message(message_of(notice(kind)), MAIL) for kind in (NoticeKind.REMINDED, NoticeKind.CLOSED)
    )
    assert opened.as_bytes() == again.as_bytes()
    assert changed["In-Reply-To"] == closed["In-Reply-To"] == closed["References"] == opened["Message-ID"]
    assert len({one["Message-ID"] for one in (opened, changed, closed)}) == 3
    assert opened["Message-ID"].endswith("@corp.example>")
    assert opened["In-Reply-To"] is None


def test_mail_headers() -> None:
    """Mails have severity and kind for filters, suppress auto-replies, and have the notice's date."""
    message = mail_message(message_of(notice(NoticeKind.CLOSED)), MAIL)
    assert message["To"] == "net@corp.example, ops@corp.example"
    assert message["From"] == "Egress <egressd@corp.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Egressd-Severity"] == "critical"
    assert message["X-Egressd-Kind"] == "closed"
    assert message["Date"] == "Sat, 21 Nov 2026 03:17:09 +0000"
    assert message["Importance"] is None
    assert mail_message(message_of(notice()), MAIL)["Importance"] == "high"


def test_a_digest_is_a_mail_of_its_own() -> None:
    """A digest's Message-ID depends on its notices: a retry has the same, another digest another."""
    both = (notice(), notice(NoticeKind.CLOSED))
    first, again = (mail_message(message_of(*both), MAIL) for _ in range(2))
    other = mail_message(message_of(*both[::-1]), MAIL)
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert first["X-Egressd-Notices"] == "2"
    assert first["In-Reply-To"] is None


@pytest.mark.parametrize("sender", ["root", "a@b@c", "x@exämple.example", "<>"])
def test_any_sender_gives_a_valid_message_id(sender: str) -> None:
    """A Message-ID always has a left and a right side of `@`."""
    message = mail_message(message_of(notice()), dataclasses.replace(MAIL, sender="a@b.example"))
    strange = dataclasses.replace(MAIL, sender=sender)
    from egressd.notify.receivers.email import _domain

    assert message["Message-ID"].count("@") == 1
    assert _domain(strange.sender).isascii()
    assert _domain(strange.sender)


@pytest.mark.parametrize(
    ("severity", "kind", "number"),
    [
        (Severity.CRITICAL, NoticeKind.OPENED, 2),
        (Severity.WARNING, NoticeKind.CHANGED, 4),
        (Severity.INFO, NoticeKind.OPENED, 6),
        (Severity.CRITICAL, NoticeKind.CLOSED, 5),
        (Severity.INFO, NoticeKind.CLOSED, 6),
        (Severity.CRITICAL, NoticeKind.TEST, 5),
    ],
)
def test_syslog_severities(severity: Severity, kind: NoticeKind, number: int) -> None:
    """An open alert has its severity's level, a resolved one is a notice; the facility is as configured."""
    single = notice(kind, about=alert(condition=replace(CAUSE, severity=severity)))
    fields = dict(parse_entry(journal_entry(message_of(single))))
    assert fields["PRIORITY"] == str(number)
    line = syslog_messages(message_of(single), dataclasses.replace(UDP, facility=16))[0]
    assert line.startswith(b"<%d>1 " % (16 * 8 + number))


def test_an_entry_of_the_journal_can_be_searched() -> None:
    """Each fact has its journal field; the text is in MESSAGE."""
    fields = dict(parse_entry(journal_entry(message_of(notice(NoticeKind.CLOSED), dropped=4))))
    assert fields["EGRESSD_ALERT"] == "EgressCause"
    assert fields["EGRESSD_ALERT_ID"] == CAUSE.id
    assert fields["EGRESSD_REASON"] == "tls_reset_after_hello"
    assert fields["EGRESSD_BLAME"] == "firewall_l7"
    assert fields["EGRESSD_CLOSED"] == CLOSED
    assert fields["EGRESSD_TARGETS"] == "\n".join(CAUSE.targets)
    assert fields["EGRESSD_DROPPED"] == "4"
    assert fields["MESSAGE"].startswith("RESOLVED: A firewall resets TLS by name")
    assert "4 notifications before this one were dropped" in fields["MESSAGE"]


def test_records_have_the_site() -> None:
    """The site is a field of the journal and a value of syslog, escaped as any other."""
    message = message_of(notice(), rules=replace(RULES, labels=(("site", 'Oslo "1"'),)))
    assert dict(parse_entry(journal_entry(message)))["EGRESSD_SITE"] == 'Oslo "1"'
    found = SYSLOG.fullmatch(syslog_messages(message, dataclasses.replace(UDP, protocol="tcp"))[0])
    assert found is not None
    assert rb'site="Oslo \"1\""' in found[5]


def test_syslog_has_a_header_and_data() -> None:
    """A syslog message has time, host, program, kind and structured data with escaped values."""
    single = notice(about=alert(condition=replace(CAUSE, id=HOSTILE[2])))
    found = SYSLOG.fullmatch(syslog_messages(message_of(single), dataclasses.replace(UDP, protocol="tcp"))[0])
    assert found is not None
    assert found.group(2, 3, 4) == (b"2026-11-21T02:14:00.000Z", b"bridge-1", b"opened")
    assert rb'id="quote \" backslash \\ bracket \] end"' in found[5]
    assert b'severity="critical" reason="tls_reset_after_hello" blame="firewall_l7"' in found[5]


def test_syslog_without_an_instance_names_no_host() -> None:
    """Without an instance the host is the nil value."""
    (line, *_) = syslog_messages(message_of(notice(), rules=replace(RULES, instance="")), UDP)
    assert line.split()[2] == b"-"

"""Mail: The notices of one alert are one thread; a retry is the same mail, by its Message-ID."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from egressd.model.alert import Notice, NoticeKind
from egressd.model.notification import Alerting, Severity, SmtpTransport
from egressd.net.scrub import scrub
from egressd.notify.content.compose import compose
from egressd.notify.content.content import LONGEST_NAME
from egressd.notify.content.text import plain
from egressd.notify.content.times import parse_time

LONGEST_SUBJECT = 200
_POLICY = SMTP.clone(cte_type="7bit")
"""Bodies that any server takes, whatever it says of 8BITMIME."""


def mail(
    notices: Sequence[Notice], *, dropped: int, transport: SmtpTransport, rules: Alerting
) -> EmailMessage:
    """Return the mail of one notice, or of a digest."""
    content = compose(notices, dropped=dropped, rules=rules)
    message = EmailMessage(policy=_POLICY)
    message["From"] = scrub(transport.sender, LONGEST_NAME)
    message["To"] = ", ".join(scrub(one, LONGEST_NAME) for one in transport.recipients)
    message["Subject"] = f"[egressd] {scrub(content.title, LONGEST_SUBJECT)}"
    message["Date"] = format_datetime(parse_time(notices[-1].at))
    _thread(message, notices, _domain(transport.sender))
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    worst = min((one.alert.condition.severity for one in notices), key=lambda one: one.rank)
    message["X-Egressd-Severity"] = worst.value
    message["X-Egressd-Notices"] = str(len(notices))
    if len(notices) == 1:
        _mark(message, notices[0])
    if worst is Severity.CRITICAL and any(one.kind is not NoticeKind.CLOSED for one in notices):
        message["Importance"] = "high"
    message.set_content(plain(content))
    return message


def _mark(message: EmailMessage, notice: Notice) -> None:
    """Write what a filter of mails may want to know of one notice."""
    message["X-Egressd-Kind"] = notice.kind.value
    message["X-Egressd-Alert"] = notice.alert.condition.alertname.value
    message["X-Egressd-Alert-Id"] = scrub(notice.alert.id, LONGEST_NAME)
    if notice.alert.condition.reason:
        message["X-Egressd-Reason"] = scrub(notice.alert.condition.reason, LONGEST_NAME)


def _thread(message: EmailMessage, notices: Sequence[Notice], domain: str) -> None:
    """Name the mail. That of an opening begins the thread, also where a digest told of it."""
    if len(notices) > 1:
        message["Message-ID"] = _name("digest", *(one.id for one in notices), domain=domain)
        return
    (notice,) = notices
    alert = notice.alert
    root = _name("alert", alert.id, alert.opened or alert.started, domain=domain)
    if notice.kind is NoticeKind.OPENED:
        message["Message-ID"] = root
        return
    message["Message-ID"] = _name("notice", notice.id, domain=domain)
    if notice.kind is not NoticeKind.TEST:
        message["In-Reply-To"] = root
        message["References"] = root


def _name(*words: str, domain: str) -> str:
    hashed = hashlib.sha256("\0".join(words).encode("utf-8", "replace")).hexdigest()
    return f"<{hashed[:32]}.egressd@{domain}>"


def _domain(sender: str) -> str:
    """Return the domain of an address, `Name <a@b>` or bare."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return domain if domain.isascii() and domain else "localhost"

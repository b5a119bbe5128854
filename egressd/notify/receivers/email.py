"""Mail. The notices of one alert are one thread; a retry is the same mail, by its Message-ID."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from egressd.fields.checks import Problem
from egressd.fields.files import read_secret
from egressd.fields.parse import is_loopback_host, split_host_port
from egressd.fields.types import TypeName, UserName, one_or_many
from egressd.model.alert import Notice, NoticeKind
from egressd.model.notification import Receiver, Severity
from egressd.net.scrub import scrub
from egressd.notify.content.compose import compose
from egressd.notify.content.facts import LONGEST_NAME
from egressd.notify.content.layout import plain_text
from egressd.notify.content.message import Message
from egressd.notify.content.times import parse_timestamp
from egressd.notify.interface import Part
from egressd.notify.receivers.interface import ReceiverType
from egressd.notify.schema import CaFile, DigestSettings, SecretFile, Timeout
from egressd.notify.transport.smtp import PORTS, SmtpTransport, send_mail
from egressd.planning.placeholder import is_host
from egressd.yamlfile import KeyPath

LONGEST_SUBJECT = 200
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@([^@]+)")
_POLICY = SMTP.clone(cte_type="7bit")
"""Bodies that any server takes, whatever it says of 8BITMIME."""


def parse_mail_address(text: str) -> str:
    """Check one mail address, without a display name."""
    found = _ADDRESS.fullmatch(text)
    if found is None or len(text) > 254 or not is_host(found[2].lower()):
        raise ValueError("must be one mail address, such as egressd@corp.example")
    return text


def parse_mail_server(text: str) -> tuple[str, int | None]:
    """Read `host`, `host:port` or `[v6]:port`."""
    try:
        host, port = split_host_port(text, default=0)
    except ValueError:
        host, port = "", 0
    if not host or not is_host(host.lower()):
        raise ValueError(f"must be a mail server as host or host:port, not {text[:60]!r}")
    return host.lower(), port or None


def _checked_server(text: str) -> str:
    parse_mail_server(text)
    return text


MailAddress = Annotated[str, AfterValidator(parse_mail_address), TypeName(text="mail address")]


class EmailSettings(DigestSettings):
    """Mail."""

    type: Literal["email"]
    """SMTP."""
    server: Annotated[str, AfterValidator(_checked_server), TypeName(text="host or host:port")]
    """The mail server; the port follows `security`: 587, 465 or 25."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` asks for TLS and goes no further without it; `tls` starts with it; `none` is plain text."""
    sender: MailAddress = Field(alias="from")
    """Whom it is from."""
    to: Annotated[
        list[MailAddress],
        BeforeValidator(one_or_many),
        Field(min_length=1, max_length=50),
        TypeName(text="mail address or list of mail address"),
    ]
    """Whom it goes to."""
    username: UserName | None = None
    """For the server, with `password_file`."""
    password_file: SecretFile | None = None
    """The file that holds the password, alone, on one line."""
    ca_file: CaFile | None = None
    """The roots the server's certificate must lead to; without it, those of the system."""
    timeout: Timeout = 10.0
    """What one delivery may take."""

    @classmethod
    def problems(cls, data: dict[str, object], path: KeyPath) -> Iterator[Problem]:
        """Refuse a password that would leave this host in plain text."""
        yield from super().problems(data, path)
        if data.get("security") == "none" and data.get("username") is not None:
            try:
                exposed = not is_loopback_host(parse_mail_server(str(data.get("server")))[0])
            except ValueError:
                exposed = False
            if exposed:
                message = "needs security: starttls or tls; else the password could be read on the way"
                yield (*path, "username"), message

    def transport(self) -> SmtpTransport:
        """Return the mail server. Raises ValueError: the password can't be read any more."""
        server, port = parse_mail_server(self.server)
        return SmtpTransport(
            server=server,
            port=port or PORTS[self.security],
            security=self.security,
            sender=self.sender,
            recipients=tuple(dict.fromkeys(self.to)),
            username=self.username,
            password=read_secret(Path(self.password_file)) if self.password_file is not None else None,
            ca_file=self.ca_file,
        )


class _Email:
    settings = EmailSettings

    def parts(self, receiver: Receiver, message: Message) -> Iterable[Part]:
        """Send one mail."""
        transport = receiver.transport
        if not isinstance(transport, SmtpTransport):
            raise TypeError(f"{receiver.name}: a receiver of type {receiver.type} needs a mail server")
        yield partial(send_mail, transport, mail_message(message, transport), timeout=receiver.timeout)


RECEIVER: ReceiverType = _Email()


def mail_message(message: Message, transport: SmtpTransport) -> EmailMessage:
    """Return the mail of one notice, or of a digest."""
    notices, content = message.notices, compose(message)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = scrub(transport.sender, LONGEST_NAME)
    mail["To"] = ", ".join(scrub(one, LONGEST_NAME) for one in transport.recipients)
    mail["Subject"] = f"[egressd] {scrub(content.title, LONGEST_SUBJECT)}"
    mail["Date"] = format_datetime(parse_timestamp(notices[-1].at))
    _set_thread(mail, notices, _domain(transport.sender))
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    worst = min((one.alert.condition.severity for one in notices), key=lambda one: one.rank)
    mail["X-Egressd-Severity"] = worst.value
    mail["X-Egressd-Notices"] = str(len(notices))
    if len(notices) == 1:
        _set_notice_headers(mail, notices[0])
    if worst is Severity.CRITICAL and any(one.kind is not NoticeKind.CLOSED for one in notices):
        mail["Importance"] = "high"
    mail.set_content(plain_text(content))
    return mail


def _set_notice_headers(message: EmailMessage, notice: Notice) -> None:
    """Set headers for mail filters."""
    message["X-Egressd-Kind"] = notice.kind.value
    message["X-Egressd-Alert"] = notice.alert.condition.alertname.value
    message["X-Egressd-Alert-Id"] = scrub(notice.alert.id, LONGEST_NAME)
    if notice.alert.condition.reason:
        message["X-Egressd-Reason"] = scrub(notice.alert.condition.reason, LONGEST_NAME)


def _set_thread(message: EmailMessage, notices: Sequence[Notice], domain: str) -> None:
    """Set the Message-ID. That of an opening begins the thread, also where a digest reported it."""
    if len(notices) > 1:
        message["Message-ID"] = _message_id("digest", *(one.id for one in notices), domain=domain)
        return
    (notice,) = notices
    alert = notice.alert
    root = _message_id("alert", alert.id, alert.opened or alert.started, domain=domain)
    if notice.kind is NoticeKind.OPENED:
        message["Message-ID"] = root
        return
    message["Message-ID"] = _message_id("notice", notice.id, domain=domain)
    if notice.kind is not NoticeKind.TEST:
        message["In-Reply-To"] = root
        message["References"] = root


def _message_id(*words: str, domain: str) -> str:
    hashed = hashlib.sha256("\0".join(words).encode("utf-8", "replace")).hexdigest()
    return f"<{hashed[:32]}.egressd@{domain}>"


def _domain(sender: str) -> str:
    """Return the domain of an address, `Name <a@b>` or bare."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return domain if domain.isascii() and domain else "localhost"

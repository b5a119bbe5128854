"""SMTP: how a mail server is reached. The client is imported when a mail is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import EmailMessage

from egressd.model.notification import Transport
from egressd.notify.result import DeliveryResult
from egressd.notify.transport.redact import login_secrets
from egressd.wording import host_port

PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""The usual port by `security`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpTransport(Transport):
    """A mail server, and the sender and recipients of every mail."""

    server: str
    port: int
    security: str
    """`starttls`, `tls` or `none`."""
    sender: str
    recipients: tuple[str, ...]
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    @property
    def place(self) -> str:
        """Recipients, server and port."""
        return f"{', '.join(self.recipients)} by {host_port(self.server, self.port)}"

    @property
    def advice(self) -> str:
        """What to check when it does not get a test notice."""
        return "check server, security, the credentials, and that the server relays for this host"

    def secrets(self) -> Iterator[str]:
        """Yield every spelling of its password."""
        yield from login_secrets(self.username or "", self.password or "")

    def without_secrets(self) -> SmtpTransport:
        """Return it without its password."""
        return replace(self, password=None)


async def send_mail(transport: SmtpTransport, message: EmailMessage, *, timeout: float) -> DeliveryResult:
    """Send a mail within `timeout` seconds."""
    # A command that only reads the configuration need not wait for aiosmtplib.
    from egressd.notify.transport.smtp_client import send_smtp  # noqa: PLC0415

    return await send_smtp(transport, message, timeout=timeout)

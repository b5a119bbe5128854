"""SMTP: one message to one server. Encryption that was asked for is never given up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from email.message import EmailMessage

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponse,
    SMTPResponseException,
    SMTPSenderRefused,
)

from egressd.model.notification import Receiver, SmtpTransport
from egressd.notify.result import DeliveryResult, arrived, failed, refused
from egressd.notify.transport.errors import error_text, timeout_text
from egressd.notify.transport.redact import quoted
from egressd.notify.transport.tls import ca_file_error, tls_context

STARTTLS, TLS = "starttls", "tls"
_PERMANENT = 500
_GOODBYE = 2.0
"""Seconds for the end of a conversation that has done its work."""


class _NotOfferedError(Exception):
    """The server lacks what was asked for; the text says what."""


async def send_mail(receiver: Receiver, message: EmailMessage) -> DeliveryResult:
    """Send a mail and say how it went, within the receiver's timeout."""
    transport = _way(receiver)
    try:
        tls = await tls_context(transport.ca_file) if transport.security in (STARTTLS, TLS) else None
    except OSError as error:
        return failed(ca_file_error(transport.ca_file, error))
    smtp = SMTP(
        hostname=transport.server,
        port=transport.port,
        use_tls=transport.security == TLS,
        start_tls=False,
        tls_context=tls,
        timeout=receiver.timeout,
        local_hostname=_own_name(),
    )
    delivery = await _hand_over(smtp, receiver, transport, message)
    with suppress(SMTPException, OSError):
        async with asyncio.timeout(_GOODBYE):
            await smtp.quit()
    smtp.close()
    return delivery


async def _hand_over(
    smtp: SMTP, receiver: Receiver, transport: SmtpTransport, message: EmailMessage
) -> DeliveryResult:
    place = f"{transport.server}:{transport.port}"
    try:
        async with asyncio.timeout(receiver.timeout):
            await _begin(smtp, transport)
            recipients = list(transport.recipients)
            left_out, _ = await smtp.send_message(message, sender=transport.sender, recipients=recipients)
    except TimeoutError:
        return failed(timeout_text(place, receiver.timeout))
    except _NotOfferedError as error:
        return failed(f"{place} {error}")
    except SMTPRecipientsRefused as error:
        worst = min(error.recipients, key=lambda one: one.code)
        return _of_code(worst, f"{place} refused every recipient", receiver)
    except SMTPResponseException as error:
        return _of_code(error, f"{place} refused {_what(error)}", receiver)
    except SMTPNotSupported:
        return refused(f"{place} does not take addresses with letters beyond ASCII (SMTPUTF8)")
    except (SMTPException, OSError) as error:
        return failed(error_text(error, place))
    except ValueError:
        return refused(f"an address or the login for {place} holds characters that can't be sent")
    return arrived(_partly(left_out, receiver, place))


async def _begin(smtp: SMTP, transport: SmtpTransport) -> None:
    """Connect, encrypt where that was asked for, log in.

    Raises:
        _NotOfferedError: the server does not do that.
    """
    await smtp.connect()
    await smtp.ehlo()
    if transport.security == STARTTLS:
        if not smtp.supports_extension("starttls"):
            raise _NotOfferedError("does not offer STARTTLS; nothing is sent in the clear")
        await smtp.starttls()
        await smtp.ehlo()
    if transport.username is not None:
        if not smtp.supports_extension("auth"):
            raise _NotOfferedError("offers no login; is it the right port, and does it want encryption?")
        await smtp.login(transport.username, transport.password or "")


def _partly(left_out: Mapping[str, SMTPResponse], receiver: Receiver, place: str) -> str:
    """Return which recipients were refused while others were not; empty: none."""
    said = "; ".join(f"{name} ({one.code} {one.message})" for name, one in left_out.items())
    return f"{place} refused {len(left_out)} of the recipients: {quoted(said, receiver)}" if said else ""


def _of_code(error: SMTPResponseException, what: str, receiver: Receiver) -> DeliveryResult:
    """Return what a reply means: 4yz may be better next time, 5yz is not (RFC 5321, 4.2.1)."""
    why = f"{what}: {error.code} {quoted(error.message, receiver)}"
    return refused(why) if error.code >= _PERMANENT else failed(why)


def _what(error: SMTPResponseException) -> str:
    match error:
        case SMTPAuthenticationError():
            return "the login"
        case SMTPSenderRefused():
            return "the sender"
        case SMTPDataError():
            return "the message"
        case _:
            return "the conversation"


def _own_name() -> str:
    """Return this host's name for EHLO, without asking DNS for a longer one."""
    name = socket.gethostname()
    return name if name.isascii() and name else "localhost"


def _way(receiver: Receiver) -> SmtpTransport:
    if not isinstance(receiver.transport, SmtpTransport):
        raise TypeError(f"{receiver.name}: a receiver of kind {receiver.kind.value} needs a mail server")
    return receiver.transport

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

from egressd.notify.result import DeliveryResult, arrived, failed, refused
from egressd.notify.transport.errors import error_text, timeout_text
from egressd.notify.transport.redact import quote_answer
from egressd.notify.transport.smtp import SmtpTransport
from egressd.notify.transport.tls import ca_file_error, tls_context
from egressd.wording import host_port

STARTTLS, TLS = "starttls", "tls"
_PERMANENT = range(500, 600)
_TOO_LARGE = (523, 552)
"""Replies to the size of a message, which come before the message too (RFC 1870)."""
_QUIT_WITHIN = 2.0
"""Seconds for QUIT after the message was sent or refused."""


class _NotOfferedError(Exception):
    """The server lacks what was asked for; the text says what."""


async def send_smtp(transport: SmtpTransport, message: EmailMessage, *, timeout: float) -> DeliveryResult:
    """Send a mail within `timeout` seconds."""
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
        timeout=timeout,
        local_hostname=_local_hostname(),
    )
    delivery = await _transmit(smtp, transport, message, timeout)
    with suppress(SMTPException, OSError):
        async with asyncio.timeout(_QUIT_WITHIN):
            await smtp.quit()
    smtp.close()
    return delivery


async def _transmit(
    smtp: SMTP, transport: SmtpTransport, message: EmailMessage, timeout: float
) -> DeliveryResult:
    place = host_port(transport.server, transport.port)
    try:
        async with asyncio.timeout(timeout):
            await _start_session(smtp, transport)
            recipients = list(transport.recipients)
            left_out, _ = await smtp.send_message(message, sender=transport.sender, recipients=recipients)
    except TimeoutError:
        return failed(timeout_text(place, timeout))
    except _NotOfferedError as error:
        return failed(f"{place} {error}")
    except SMTPRecipientsRefused as error:
        worst = min(error.recipients, key=lambda one: one.code)
        return failed(_reply_text(worst, f"{place} refused every recipient", transport))
    except SMTPResponseException as error:
        return _result_of_reply(error, place, transport)
    except SMTPNotSupported:
        return failed(f"{place} does not take addresses with letters beyond ASCII (SMTPUTF8)")
    except (SMTPException, OSError) as error:
        return failed(error_text(error, place))
    except ValueError:
        return failed(f"an address or the login for {place} holds characters that can't be sent")
    return arrived(_refused_recipients(left_out, transport, place))


async def _start_session(smtp: SMTP, transport: SmtpTransport) -> None:
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


def _refused_recipients(left_out: Mapping[str, SMTPResponse], transport: SmtpTransport, place: str) -> str:
    """Return which recipients were refused while others were not; empty: none."""
    replies = "; ".join(f"{name} ({one.code} {one.message})" for name, one in left_out.items())
    quoted = quote_answer(replies, transport.secrets())
    return f"{place} refused {len(left_out)} of the recipients: {quoted}" if replies else ""


def _result_of_reply(error: SMTPResponseException, place: str, transport: SmtpTransport) -> DeliveryResult:
    """Return what a reply means. Only a 5yz to the message itself, or to its size, is final.

    4yz may be better next time (RFC 5321, 4.2.1); a greeting, a login or a sender that is refused is no word
    on the message, which was not seen yet.
    """
    why = _reply_text(error, f"{place} refused {_what(error)}", transport)
    final = error.code in _TOO_LARGE or (isinstance(error, SMTPDataError) and error.code in _PERMANENT)
    return refused(why) if final else failed(why, answered=True)


def _reply_text(error: SMTPResponseException, what: str, transport: SmtpTransport) -> str:
    return f"{what}: {error.code} {quote_answer(error.message, transport.secrets())}"


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


def _local_hostname() -> str:
    """Return this host's name for EHLO, without asking DNS for a longer one."""
    name = socket.gethostname()
    return name if name.isascii() and name else "localhost"

"""Syslog: RFC 5424 over a local socket, UDP (RFC 5426) or TCP with counted octets (RFC 6587).

A server may cut a message off at its own limit; so none is longer than what every server takes, and the
targets that do not fit follow in messages of their own.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator

from egressd.fields.parse import split_host_port
from egressd.fields.types import TypeName
from egressd.model.alert import Notice
from egressd.model.notification import Alerting, Receiver, Transport
from egressd.net.scrub import scrub
from egressd.notify.content import facts
from egressd.notify.content.layout import part_suffix, split_section
from egressd.notify.content.message import ContentSection, Message
from egressd.notify.content.syslog_severity import syslog_severity
from egressd.notify.interface import Part
from egressd.notify.receivers.interface import ReceiverType
from egressd.notify.result import DeliveryResult, arrived, failed
from egressd.notify.schema import QueueSettings, Timeout
from egressd.notify.transport.errors import error_text, timeout_text
from egressd.planning.placeholder import is_host
from egressd.wording import host_port

LONGEST: Mapping[str, int] = {"udp": 2048, "unix": 8000, "tcp": 8000}
"""Bytes by protocol: RFC 5426 asks for 2048 of every receiver, and 8 KiB is what rsyslog takes unasked."""
_ENTERPRISE = "egressd@32473"
"""The number is the one for examples (RFC 5612): the project has none of its own."""
_LONGEST_VALUE = 96
"""Characters of one value of structured data: enough to search for."""
_LONGEST_HOST = 255
_BOM = b"\xef\xbb\xbf"
_PARTS = 9999
"""As many parts as a title has room to count."""
_SPECIAL, _ESCAPED = re.compile(r'(["\\\]])'), r"\\\1"
_ICMP_WITHIN = 0.05
"""Seconds in which a near host answers that a UDP port is closed."""
_CLOSE_WITHIN = 0.5
"""Seconds in which a TCP server closes or resets: nothing is acknowledged, but a reset says it was lost."""

FACILITIES = {
    name: number
    for number, name in enumerate(
        ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"]
        + [""] * 4
        + [f"local{number}" for number in range(8)]
    )
    if name
}
"""Names of syslog's facilities and their numbers (RFC 5424, 6.2.1)."""

Values = Mapping[str, str]


class _AnsweredError(Exception):
    """What listens there is no syslog server."""


def parse_syslog_address(text: str) -> tuple[str, str, int]:
    """Read `/dev/log`, `udp://host:port` or `tcp://host:port` as protocol, path or host, and port."""
    if text.startswith("/") and "\0" not in text:
        return "unix", text, 0
    protocol, separator, place = text.partition("://")
    if not separator or protocol not in {"udp", "tcp"}:
        raise ValueError('must be the path of a socket, "udp://host:port" or "tcp://host:port"')
    host, port = split_host_port(place, default=514)
    if not is_host(host.lower()):
        raise ValueError("must name a host or an address after ://")
    return protocol, host.lower(), port


def _checked_address(text: str) -> str:
    parse_syslog_address(text)
    return text


def _known_facility(text: str) -> str:
    if text not in FACILITIES:
        raise ValueError(f"must be a facility of syslog: {', '.join(FACILITIES)}")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogTransport(Transport):
    """Where RFC 5424 messages go. It needs no credentials."""

    protocol: str
    """`unix`, `udp` or `tcp`."""
    address: str
    """A path, or a host."""
    port: int = 514
    facility: int = 3
    """Its number; 3 is daemon."""

    @property
    def address_port(self) -> str:
        """The path, or host and port."""
        return self.address if self.protocol == "unix" else host_port(self.address, self.port)

    @property
    def place(self) -> str:
        """Protocol and address."""
        return f"{self.protocol}:{self.address_port}"

    @property
    def advice(self) -> str:
        """What to check when it does not get a test notice."""
        if self.protocol == "unix":
            return "check that a syslog daemon listens there"
        return "check the address, and that a syslog server listens there"


class SyslogSettings(QueueSettings):
    """A syslog server."""

    type: Literal["syslog"]
    """RFC 5424."""
    address: Annotated[
        str, AfterValidator(_checked_address), TypeName(text="path, udp://host:port or tcp://host:port")
    ] = "/dev/log"
    """Where to; port 514 unless one is given. By `udp`, lost messages are not noticed."""
    facility: Annotated[str, AfterValidator(_known_facility), TypeName(text="facility of syslog")] = "daemon"
    """The facility messages are filed under."""
    timeout: Timeout = 10.0
    """What one delivery may take."""

    def transport(self) -> SyslogTransport:
        """Return where messages go."""
        protocol, address, port = parse_syslog_address(self.address)
        facility = FACILITIES[self.facility]
        return SyslogTransport(protocol=protocol, address=address, port=port, facility=facility)


class _Syslog:
    settings = SyslogSettings

    def parts(self, receiver: Receiver, message: Message) -> Iterable[Part]:
        """Send the messages of one notice."""
        transport = receiver.transport
        if not isinstance(transport, SyslogTransport):
            raise TypeError(f"{receiver.name}: a receiver of type {receiver.type} needs a syslog address")
        for line in syslog_messages(message, transport):
            yield partial(_send, transport, line, timeout=receiver.timeout)


RECEIVER: ReceiverType = _Syslog()


def syslog_messages(message: Message, transport: SyslogTransport) -> tuple[bytes, ...]:
    """Return the messages, in order, without the framing of a transport."""
    notice = message.notice
    begin, values = _begin(notice, transport, message.rules), _values(notice, message.dropped, message.rules)
    title = facts.title_of(notice)
    fixed = len(begin + _data(values, _PARTS, _PARTS) + _BOM) + _size(
        f" {title}{part_suffix(_PARTS, _PARTS)}: "
    )
    room = LONGEST[transport.protocol] - fixed
    texts = tuple(_texts(notice, message.dropped, message.rules, room))
    return tuple(
        begin
        + _data(values, number, len(texts))
        + b" "
        + _BOM
        + f"{title}{part_suffix(number, len(texts))}: {text}".encode("utf-8", "replace")
        for number, text in enumerate(texts, 1)
    )


def _texts(notice: Notice, dropped: int, rules: Alerting, room: int) -> Iterator[str]:
    """Yield what the messages say: first what it is, then the targets."""
    condition = notice.alert.condition
    ask, link, targets = facts.ask_of(notice), facts.runbook(condition, rules), facts.target_names(condition)
    about = (
        *((facts.report_dropped(dropped),) if dropped else ()),
        *facts.outline(notice, rules),
        *((f"Ask for: {ask}",) if ask else ()),
        *(f"Evidence: {line}" for line in facts.evidence_of(condition)),
        *((f"Runbook: {link}",) if link else ()),
    )
    for heading, found, mark in (("", about, "; "), (f"Targets ({len(targets)})", targets, ", ")):
        if found:
            for one in split_section(ContentSection(heading=heading, lines=found), room, _wide):
                yield (f"{one.heading}: " if one.heading else "") + mark.join(one.lines)


def _begin(notice: Notice, transport: SyslogTransport, rules: Alerting) -> bytes:
    """Return the header: priority, version, time, host, program, process, kind."""
    host = re.sub(r"[^!-~]", "", rules.instance.rpartition(":")[0] or rules.instance)[:_LONGEST_HOST] or "-"
    number = transport.facility * 8 + syslog_severity(notice)
    return f"<{number}>1 {notice.at} {host} egressd - {notice.kind.value} ".encode()


def _values(notice: Notice, dropped: int, rules: Alerting) -> Values:
    condition = notice.alert.condition
    found = {
        "notice": notice.id,
        "alert": condition.alertname.value,
        "id": notice.alert.id,
        "severity": condition.severity.value,
        "reason": condition.reason or "",
        "blame": condition.blame.value if condition.blame else "",
        "blame_confidence": condition.blame_confidence.value if condition.blame_confidence else "",
        "site": rules.site,
        "dropped": str(dropped) if dropped else "",
    }
    return {name: scrub(text, _LONGEST_VALUE) for name, text in found.items() if text}


def _data(values: Values, part: int, parts: int) -> bytes:
    """Return the structured data; quotes, backslashes and `]` are escaped (RFC 5424, 6.3.3)."""
    counted = {**values, "part": str(part), "parts": str(parts)} if parts > 1 else values
    shown = (f'{name}="{_SPECIAL.sub(_ESCAPED, text)}"' for name, text in counted.items())
    return f"[{_ENTERPRISE} {' '.join(shown)}]".encode("utf-8", "replace")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _wide(text: str) -> int:
    """Measure a line break as what takes its place here, two bytes."""
    return _size(text) + text.count("\n")


async def _send(transport: SyslogTransport, line: bytes, *, timeout: float) -> DeliveryResult:
    """Send a message within `timeout` seconds."""
    place = transport.address_port
    try:
        async with asyncio.timeout(timeout):
            match transport.protocol:
                case "unix":
                    _put(transport.address, line)
                case "udp":
                    await _datagram(transport, line)
                case _:
                    await _stream(transport, line)
    except TimeoutError:
        return failed(timeout_text(place, timeout))
    except OSError as error:
        return failed(f"syslog: {error_text(error, place)}")
    except _AnsweredError:
        return failed(f"syslog: what listens at {place} answers, so it is no syslog server, or wants TLS")
    return arrived()


def _put(path: str, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connected:
        connected.setblocking(False)
        connected.connect(path)
        connected.send(line)


async def _datagram(transport: SyslogTransport, line: bytes) -> None:
    """Send to the first address that can be sent to."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(transport.address, transport.port, type=socket.SOCK_DGRAM)
    for number, (family, kind, protocol, _, address) in enumerate(found, 1):
        with socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol) as one:
            one.setblocking(False)
            try:
                await loop.sock_connect(one, address)
                await loop.sock_sendall(one, line)
                await asyncio.sleep(_ICMP_WITHIN)
                _raise_pending(one)
            except OSError:
                if number == len(found):
                    raise
            else:
                return


def _raise_pending(one: socket.socket) -> None:
    """Raise the pending error of a socket, such as that of an ICMP answer."""
    code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


async def _stream(transport: SyslogTransport, line: bytes) -> None:
    reader, writer = await asyncio.open_connection(transport.address, transport.port)
    try:
        writer.write(b"%d %s" % (len(line), line))
        await writer.drain()
        writer.write_eof()
        await _wait_for_close(reader)
    finally:
        writer.close()


async def _wait_for_close(reader: asyncio.StreamReader) -> None:
    """Wait a moment for the other end to close. One that keeps the connection has got it all the same.

    Raises:
        _AnsweredError: it said something, which no syslog server does (RFC 6587 has no answers).
    """
    try:
        async with asyncio.timeout(_CLOSE_WITHIN):
            answer = await reader.read(1)
    except TimeoutError:
        return
    if answer:
        raise _AnsweredError

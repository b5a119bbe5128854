"""A notice as syslog messages (RFC 5424), several where one would be too long.

Who keeps a log may cut a message off at its own limit; so none is longer than what everybody takes, and the
targets that do not split_section follow in messages of their own.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Iterator, Mapping

from egressd.model.alert import Notice
from egressd.model.notification import Alerting, Receiver, SyslogTransport
from egressd.net.scrub import scrub
from egressd.notify.content.content import (
    ContentSection,
    ask_of,
    evidence_of,
    outline,
    report_dropped,
    runbook,
    target_names,
    title_of,
)
from egressd.notify.content.layout import part_suffix, split_section
from egressd.notify.content.syslog_severity import syslog_severity
from egressd.notify.result import DeliveryResult, arrived, failed
from egressd.notify.transport.errors import error_text, timeout_text

LONGEST: Mapping[str, int] = {"udp": 2048, "unix": 8000, "tcp": 8000}
"""Bytes by transport: RFC 5426 asks for 2048 of every receiver, and 8 KiB is what rsyslog takes unasked."""
_ENTERPRISE = "egressd@32473"
"""The number is the one for examples (RFC 5612): the project has none of its own."""
_LONGEST_VALUE = 96
"""Characters of one value of structured data: enough to search for."""
_LONGEST_HOST = 255
_BOM = b"\xef\xbb\xbf"
_PARTS = 9999
_SPECIAL, _ESCAPED = re.compile(r'(["\\\]])'), r"\\\1"
_ECHO = 0.05
"""Seconds in which a host says that nobody listens on a UDP port, if it is near."""
_FAREWELL = 0.5
"""Seconds in which a TCP server closes or resets: nothing is acknowledged, but a reset says it was lost."""

Values = Mapping[str, str]


def lines(notice: Notice, *, dropped: int, transport: SyslogTransport, rules: Alerting) -> tuple[bytes, ...]:
    """Return the messages, in order, without the framing of a transport."""
    begin = _begin(notice, transport, rules)
    values = _values(notice, dropped)
    title = title_of(notice)
    fixed = len(begin + _data(values, _PARTS, _PARTS) + _BOM) + _size(
        f" {title}{part_suffix(_PARTS, _PARTS)}: "
    )
    room = LONGEST[transport.protocol] - fixed
    texts = tuple(_texts(notice, dropped, rules, room))
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
    ask, link, targets = ask_of(notice), runbook(condition, rules), target_names(condition)
    about = (
        *((report_dropped(dropped),) if dropped else ()),
        *outline(notice, rules),
        *((f"Ask for: {ask}",) if ask else ()),
        *(f"Evidence: {line}" for line in evidence_of(condition)),
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


def _values(notice: Notice, dropped: int) -> Values:
    condition = notice.alert.condition
    found = {
        "notice": notice.id,
        "alert": condition.alertname.value,
        "id": notice.alert.id,
        "severity": condition.severity.value,
        "reason": condition.reason or "",
        "blame": condition.blame.value if condition.blame else "",
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


async def send_line(receiver: Receiver, line: bytes) -> DeliveryResult:
    """Send a message and say how it went, within the receiver's timeout."""
    transport = _way(receiver)
    place = transport.address if transport.protocol == "unix" else f"{transport.address}:{transport.port}"
    try:
        async with asyncio.timeout(receiver.timeout):
            match transport.protocol:
                case "unix":
                    _put(transport.address, line)
                case "udp":
                    await _datagram(transport, line)
                case _:
                    await _stream(transport, line)
    except TimeoutError:
        return failed(timeout_text(place, receiver.timeout))
    except OSError as error:
        return failed(f"syslog: {error_text(error, place)}")
    return arrived()


def _put(path: str, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as transport:
        transport.setblocking(False)
        transport.connect(path)
        transport.send(line)


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
                await asyncio.sleep(_ECHO)
                _raise_pending(one)
            except OSError:
                if number == len(found):
                    raise
            else:
                return


def _raise_pending(one: socket.socket) -> None:
    """Raise what the network has said of a datagram since."""
    code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


async def _stream(transport: SyslogTransport, line: bytes) -> None:
    reader, writer = await asyncio.open_connection(transport.address, transport.port)
    try:
        writer.write(b"%d %s" % (len(line), line))
        await writer.drain()
        writer.write_eof()
        await _farewell(reader)
    finally:
        writer.close()


async def _farewell(reader: asyncio.StreamReader) -> None:
    """Wait a parse_time for the other end to close. One that keeps the connection has got it all the same."""
    try:
        async with asyncio.timeout(_FAREWELL):
            await reader.read(1)
    except TimeoutError:
        return


def _way(receiver: Receiver) -> SyslogTransport:
    if not isinstance(receiver.transport, SyslogTransport):
        raise TypeError(f"{receiver.name}: a receiver of kind {receiver.kind.value} needs a syslog address")
    return receiver.transport

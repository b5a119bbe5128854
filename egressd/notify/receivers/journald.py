"""The journal of this host, in its native protocol (systemd: Native Journal Protocol).

A value on one line is `NAME=value`. One with line breaks is the name, a line break, its length as 64 bits in
little endian, the value, a line break: nothing in it can end a field early.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from egressd.model.alert import Notice
from egressd.model.notification import Alerting, Receiver, Transport
from egressd.net.scrub import scrub
from egressd.notify.content import facts
from egressd.notify.content.message import Message
from egressd.notify.content.syslog_severity import syslog_severity
from egressd.notify.interface import Part
from egressd.notify.receivers.interface import ReceiverType
from egressd.notify.result import DeliveryResult, arrived, failed
from egressd.notify.schema import QueueSettings
from egressd.notify.transport.errors import error_text

SOCKET = "/run/systemd/journal/socket"
MESSAGE_ID = "5b1f6d0b8f5e4c0f9a3e2c7d41e6a890"
"""Finds every notice: `journalctl MESSAGE_ID=...`."""

Field = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalTransport(Transport):
    """A local journal. It needs no credentials."""

    path: str = SOCKET
    """Of its socket."""

    @property
    def place(self) -> str:
        """Where it is."""
        return "the journal of this host"

    @property
    def advice(self) -> str:
        """What to check when it does not get a test notice."""
        return f"check that systemd-journald runs, and that {self.path} can be reached"


class JournaldSettings(QueueSettings):
    """The journal of this host, with fields to search by."""

    type: Literal["journald"]
    """systemd's native protocol."""

    def transport(self) -> JournalTransport:
        """Return the journal of this host."""
        return JournalTransport()


class _Journald:
    settings = JournaldSettings

    def parts(self, receiver: Receiver, message: Message) -> Iterable[Part]:
        """Write one entry."""
        path = receiver.transport.path if isinstance(receiver.transport, JournalTransport) else SOCKET
        yield partial(send_entry, journal_entry(message), path)


RECEIVER: ReceiverType = _Journald()


def journal_entry(message: Message) -> bytes:
    """Return the datagram."""
    found = _fields(message.notice, message.dropped, message.rules)
    return b"".join(_field(name, text) for name, text in found if text)


def _fields(notice: Notice, dropped: int, rules: Alerting) -> Iterator[Field]:
    condition = notice.alert.condition
    yield "MESSAGE", _message(notice, dropped, rules)
    yield "MESSAGE_ID", MESSAGE_ID
    yield "PRIORITY", str(syslog_severity(notice))
    yield "SYSLOG_IDENTIFIER", "egressd"
    yield "DOCUMENTATION", facts.runbook(condition, rules)
    yield "EGRESSD_NOTICE", scrub(notice.id, facts.LONGEST_NAME)
    yield "EGRESSD_KIND", notice.kind.value
    yield "EGRESSD_AT", notice.at
    yield "EGRESSD_ALERT", condition.alertname.value
    yield "EGRESSD_ALERT_ID", scrub(notice.alert.id, facts.LONGEST_NAME)
    yield "EGRESSD_SEVERITY", condition.severity.value
    yield "EGRESSD_SINCE", condition.since
    yield "EGRESSD_CLOSED", notice.alert.closed or ""
    yield "EGRESSD_REASON", scrub(condition.reason or "", facts.LONGEST_NAME)
    yield "EGRESSD_PHASE", condition.phase.value if condition.phase else ""
    yield "EGRESSD_BLAME", condition.blame.value if condition.blame else ""
    yield "EGRESSD_BLAME_CONFIDENCE", condition.blame_confidence.value if condition.blame_confidence else ""
    yield "EGRESSD_SUSPECTS", "\n".join(facts.suspects_of(condition))
    yield "EGRESSD_CONFIDENCE", condition.confidence.value if condition.confidence else ""
    yield "EGRESSD_ASK", facts.ask_of(notice)
    yield "EGRESSD_EVIDENCE", "\n".join(facts.evidence_of(condition))
    yield "EGRESSD_TARGETS", "\n".join(facts.target_names(condition))
    yield "EGRESSD_SOURCES", "\n".join(scrub(one, facts.LONGEST_NAME) for one in condition.sources)
    yield "EGRESSD_PROFILES", "\n".join(scrub(one, facts.LONGEST_NAME) for one in condition.profiles)
    yield "EGRESSD_INSTANCE", scrub(rules.instance, facts.LONGEST_NAME)
    yield "EGRESSD_SITE", scrub(rules.site, facts.LONGEST_NAME)
    yield "EGRESSD_DROPPED", str(dropped) if dropped else ""


def _message(notice: Notice, dropped: int, rules: Alerting) -> str:
    """Return what `journalctl` shows: all but the evidence and the targets, which have their own fields."""
    condition = notice.alert.condition
    count = len(condition.targets)
    ask = facts.ask_of(notice)
    lines = (
        facts.title_of(notice),
        *facts.outline(notice, rules),
        *((f"Ask for: {ask}",) if ask else ()),
        *((f"Targets: {count}, named in EGRESSD_TARGETS",) if count else ()),
        *((facts.report_dropped(dropped),) if dropped else ()),
    )
    return "\n".join(lines)


def _field(name: str, text: str) -> bytes:
    value = text.encode("utf-8", "replace")
    if b"\n" not in value:
        return b"%s=%s\n" % (name.encode(), value)
    return b"%s\n%s%s\n" % (name.encode(), len(value).to_bytes(8, "little"), value)


async def send_entry(entry: bytes, path: str) -> DeliveryResult:
    """Send an entry without blocking: a journal that can't take it now may do so later."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connected:
            connected.setblocking(False)
            connected.connect(path)
            _put(connected, entry)
    except OSError as error:
        return failed(f"the journal: {error_text(error, path)}")
    return arrived()


def _put(connected: socket.socket, entry: bytes) -> None:
    try:
        connected.send(entry)
    except OSError as error:
        if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
            raise
        _put_sealed(connected, entry)


def _put_sealed(connected: socket.socket, entry: bytes) -> None:
    """Send a sealed memory file, as sd_journal_send does."""
    file = os.memfd_create("egressd-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(os.dup(file), "wb") as stream:
            stream.write(entry)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        connected.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))])
    finally:
        os.close(file)

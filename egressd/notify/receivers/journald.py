"""A notice as an entry of the journal, in its native protocol (systemd: Native Journal Protocol).

A value on one line is `NAME=value`. One with line breaks is the name, a line break, its length as 64 bits in
little endian, the value, a line break: nothing in it can end a field early.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
from collections.abc import Iterator

from egressd.model.alert import Notice
from egressd.model.notification import Alerting
from egressd.net.scrub import scrub
from egressd.notify.content.content import (
    LONGEST_NAME,
    ask_of,
    evidence_of,
    outline,
    report_dropped,
    runbook,
    target_names,
    title_of,
)
from egressd.notify.content.syslog_severity import syslog_severity
from egressd.notify.result import DeliveryResult, arrived, failed
from egressd.notify.transport.errors import error_text

SOCKET = "/run/systemd/journal/socket"
MESSAGE_ID = "5b1f6d0b8f5e4c0f9a3e2c7d41e6a890"
"""Finds every notice: `journalctl MESSAGE_ID=...`."""

Field = tuple[str, str]


def entry(notice: Notice, *, dropped: int, rules: Alerting) -> bytes:
    """Return the datagram."""
    return b"".join(_field(name, text) for name, text in _fields(notice, dropped, rules) if text)


def _fields(notice: Notice, dropped: int, rules: Alerting) -> Iterator[Field]:
    condition = notice.alert.condition
    yield "MESSAGE", _message(notice, dropped, rules)
    yield "MESSAGE_ID", MESSAGE_ID
    yield "PRIORITY", str(syslog_severity(notice))
    yield "SYSLOG_IDENTIFIER", "egressd"
    yield "DOCUMENTATION", runbook(condition, rules)
    yield "EGRESSD_NOTICE", scrub(notice.id, LONGEST_NAME)
    yield "EGRESSD_KIND", notice.kind.value
    yield "EGRESSD_AT", notice.at
    yield "EGRESSD_ALERT", condition.alertname.value
    yield "EGRESSD_ALERT_ID", scrub(notice.alert.id, LONGEST_NAME)
    yield "EGRESSD_SEVERITY", condition.severity.value
    yield "EGRESSD_SINCE", condition.since
    yield "EGRESSD_CLOSED", notice.alert.closed or ""
    yield "EGRESSD_REASON", scrub(condition.reason or "", LONGEST_NAME)
    yield "EGRESSD_PHASE", condition.phase.value if condition.phase else ""
    yield "EGRESSD_BLAME", condition.blame.value if condition.blame else ""
    yield "EGRESSD_CONFIDENCE", condition.confidence.value if condition.confidence else ""
    yield "EGRESSD_ASK", ask_of(notice)
    yield "EGRESSD_EVIDENCE", "\n".join(evidence_of(condition))
    yield "EGRESSD_TARGETS", "\n".join(target_names(condition))
    yield "EGRESSD_SOURCES", "\n".join(scrub(one, LONGEST_NAME) for one in condition.sources)
    yield "EGRESSD_PROFILES", "\n".join(scrub(one, LONGEST_NAME) for one in condition.profiles)
    yield "EGRESSD_INSTANCE", scrub(rules.instance, LONGEST_NAME)
    yield "EGRESSD_DROPPED", str(dropped) if dropped else ""


def _message(notice: Notice, dropped: int, rules: Alerting) -> str:
    """Return what `journalctl` shows: all but the evidence and the targets, which have their own fields."""
    condition = notice.alert.condition
    count = len(condition.targets)
    ask = ask_of(notice)
    lines = (
        title_of(notice),
        *outline(notice, rules),
        *((f"Ask for: {ask}",) if ask else ()),
        *((f"Targets: {count}, named in EGRESSD_TARGETS",) if count else ()),
        *((report_dropped(dropped),) if dropped else ()),
    )
    return "\n".join(lines)


def _field(name: str, text: str) -> bytes:
    value = text.encode("utf-8", "replace")
    if b"\n" not in value:
        return b"%s=%s\n" % (name.encode(), value)
    return b"%s\n%s%s\n" % (name.encode(), len(value).to_bytes(8, "little"), value)


async def send_entry(entry: bytes, path: str = SOCKET) -> DeliveryResult:
    """Send an entry. Nothing waits: a journal that can't take it now may do so later."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as transport:
            transport.setblocking(False)
            transport.connect(path)
            _put(transport, entry)
    except OSError as error:
        return failed(f"the journal: {error_text(error, path)}")
    return arrived()


def _put(transport: socket.socket, entry: bytes) -> None:
    try:
        transport.send(entry)
    except OSError as error:
        if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
            raise
        _put_sealed(transport, entry)


def _put_sealed(transport: socket.socket, entry: bytes) -> None:
    """Send a file in memory that nobody can change any more, as sd_journal_send does."""
    file = os.memfd_create("egressd-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(os.dup(file), "wb") as stream:
            stream.write(entry)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        transport.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))])
    finally:
        os.close(file)

"""A notice as an entry of the journal, in its native protocol (systemd: Native Journal Protocol).

A value on one line is `NAME=value`. One with line breaks is the name, a line break, its length as 64 bits in
little endian, the value, a line break: nothing in it can end a field early.
"""

from __future__ import annotations

from collections.abc import Iterator

from egressd.model.alert import Notice
from egressd.model.notification import Alerting
from egressd.net.scrub import scrub
from egressd.notify.message.words.level import level_of
from egressd.notify.message.words.story import (
    LONGEST_NAME,
    ask_of,
    confess,
    evidence_of,
    outline,
    runbook,
    targets_of,
    title_of,
)

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
    yield "PRIORITY", str(level_of(notice))
    yield "SYSLOG_IDENTIFIER", "egressd"
    yield "DOCUMENTATION", runbook(condition, rules)
    yield "EGRESSD_NOTICE", scrub(notice.id, LONGEST_NAME)
    yield "EGRESSD_KIND", notice.kind.value
    yield "EGRESSD_AT", notice.at
    yield "EGRESSD_ALERT", condition.fault.value
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
    yield "EGRESSD_TARGETS", "\n".join(targets_of(condition))
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
        *((confess(dropped),) if dropped else ()),
    )
    return "\n".join(lines)


def _field(name: str, text: str) -> bytes:
    value = text.encode("utf-8", "replace")
    if b"\n" not in value:
        return b"%s=%s\n" % (name.encode(), value)
    return b"%s\n%s%s\n" % (name.encode(), len(value).to_bytes(8, "little"), value)

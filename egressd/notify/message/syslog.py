"""A notice as syslog messages (RFC 5424), several where one would be too long.

Who keeps a log may cut a message off at its own limit; so none is longer than what everybody takes, and the
targets that do not fit follow in messages of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from egressd.model.alert import Notice
from egressd.model.notification import Alerting
from egressd.model.notification import Syslog as Way
from egressd.net.scrub import scrub
from egressd.notify.message.words.level import level_of
from egressd.notify.message.words.split import fit, part_of
from egressd.notify.message.words.story import (
    Section,
    ask_of,
    confess,
    evidence_of,
    outline,
    runbook,
    targets_of,
    title_of,
)

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

Values = Mapping[str, str]


def lines(notice: Notice, *, dropped: int, way: Way, rules: Alerting) -> tuple[bytes, ...]:
    """Return the messages, in order, without the framing of a transport."""
    begin = _begin(notice, way, rules)
    values = _values(notice, dropped)
    title = title_of(notice)
    fixed = len(begin + _data(values, _PARTS, _PARTS) + _BOM) + _size(f" {title}{part_of(_PARTS, _PARTS)}: ")
    room = LONGEST[way.transport] - fixed
    texts = tuple(_texts(notice, dropped, rules, room))
    return tuple(
        begin
        + _data(values, number, len(texts))
        + b" "
        + _BOM
        + f"{title}{part_of(number, len(texts))}: {text}".encode("utf-8", "replace")
        for number, text in enumerate(texts, 1)
    )


def _texts(notice: Notice, dropped: int, rules: Alerting, room: int) -> Iterator[str]:
    """Yield what the messages say: first what it is, then the targets."""
    condition = notice.alert.condition
    ask, link, targets = ask_of(notice), runbook(condition, rules), targets_of(condition)
    about = (
        *((confess(dropped),) if dropped else ()),
        *outline(notice, rules),
        *((f"Ask for: {ask}",) if ask else ()),
        *(f"Evidence: {line}" for line in evidence_of(condition)),
        *((f"Runbook: {link}",) if link else ()),
    )
    for heading, found, mark in (("", about, "; "), (f"Targets ({len(targets)})", targets, ", ")):
        if found:
            for one in fit(Section(heading=heading, lines=found), room, _wide):
                yield (f"{one.heading}: " if one.heading else "") + mark.join(one.lines)


def _begin(notice: Notice, way: Way, rules: Alerting) -> bytes:
    """Return the header: priority, version, time, host, program, process, kind."""
    host = re.sub(r"[^!-~]", "", rules.instance.rpartition(":")[0] or rules.instance)[:_LONGEST_HOST] or "-"
    number = way.facility * 8 + level_of(notice)
    return f"<{number}>1 {notice.at} {host} egressd - {notice.kind.value} ".encode()


def _values(notice: Notice, dropped: int) -> Values:
    condition = notice.alert.condition
    found = {
        "notice": notice.id,
        "alert": condition.fault.value,
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

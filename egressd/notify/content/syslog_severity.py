"""Severities of syslog and the journal: RFC 5424, table 2."""

from __future__ import annotations

from collections.abc import Mapping

from egressd.model.alert import Notice, NoticeKind
from egressd.model.notification import Severity

_OPEN: Mapping[Severity, int] = {Severity.CRITICAL: 2, Severity.WARNING: 4, Severity.INFO: 6}
_NOTICE = 5
"""Normal, but worth knowing."""


def syslog_severity(notice: Notice) -> int:
    """Return the severity of a notice, 0 the most urgent; a resolved alert or a test is never below 5."""
    level = _OPEN[notice.alert.condition.severity]
    return max(level, _NOTICE) if notice.kind in (NoticeKind.CLOSED, NoticeKind.TEST) else level

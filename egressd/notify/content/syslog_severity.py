"""How urgent a notice is to syslog and the journal: the severities of RFC 5424, table 2."""

from __future__ import annotations

from collections.abc import Mapping

from egressd.model.alert import Notice, NoticeKind
from egressd.model.notification import Severity

_OPEN: Mapping[Severity, int] = {Severity.CRITICAL: 2, Severity.WARNING: 4, Severity.INFO: 6}
_NOTICE = 5
"""Normal, but worth knowing."""


def syslog_severity(notice: Notice) -> int:
    """Return the number, 0 the most urgent: what is over, or a test, is no error any more."""
    level = _OPEN[notice.alert.condition.severity]
    return max(level, _NOTICE) if notice.kind in (NoticeKind.CLOSED, NoticeKind.TEST) else level

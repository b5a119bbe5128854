"""The certificates of the last sweep, those that end first in front."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct

from egressd.standing.results import TargetResult
from egressd.web.status.moment import Moment, moment_of
from egressd.wording import count, stamp

SOON = 30
"""Days: what ends within is marked."""
MOST_CERTIFICATES = 100


class CertificateRow(Struct, frozen=True, kw_only=True):
    """A certificate that ends a path, and where it was seen."""

    subject: str
    ends: Moment
    days: int
    """Until its end; negative: it is over."""
    hosts: tuple[str, ...]

    @property
    def left(self) -> str:
        """How long it lasts."""
        if self.days < 0:
            return f"ended {self.ends.ago}"
        return count(self.days, "day") if self.days else "ends today"

    @property
    def soon(self) -> bool:
        """Whether somebody should look at it."""
        return self.days < SOON


def certificate_rows(results: Iterable[TargetResult], *, now: datetime) -> tuple[CertificateRow, ...]:
    """Return each certificate that ends a path, with the targets that have it."""
    found: dict[tuple[float, str], dict[str, None]] = {}
    for one in results:
        if one.chain_expiry is not None:
            key = (one.chain_expiry, one.expires_first or "")
            found.setdefault(key, {})[one.target.partition("/")[2] or one.target] = None
    rows = (_row(expiry, subject, tuple(hosts), now) for (expiry, subject), hosts in sorted(found.items()))
    return tuple(one for one in rows if one is not None)[:MOST_CERTIFICATES]


def _row(expiry: float, subject: str, hosts: tuple[str, ...], now: datetime) -> CertificateRow | None:
    """Return a row; None: its end is no time that can be written."""
    try:
        end = datetime.fromtimestamp(expiry, UTC)
        ends = moment_of(stamp(end), now)
    except (ValueError, OverflowError, OSError):
        return None
    if ends is None:
        return None
    return CertificateRow(subject=_common_name(subject), ends=ends, days=(end - now).days, hosts=hosts)


def _common_name(subject: str) -> str:
    """Return the common name of a subject in RFC 4514 form, or all of it."""
    for part in subject.split(","):
        if part.startswith("CN="):
            return part.removeprefix("CN=")
    return subject

"""A wrong clock explains what the right one would accept, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.model.observation import Failure
from egressd.model.verdict import Blame
from egressd.wording import stamp
from tests.attribution.recordings import NOW, Site, certificate, dns, facts, tcp, tls, trail

DAY = 86400.0
EXPIRED, NOT_YET_VALID = 10, 9
LATE = replace(facts(), in_time=False)


def days(number: float) -> str:
    """Return the time so many days after the sweep, by this host's clock."""
    return stamp(datetime.fromisoformat(NOW) + timedelta(days=number))


@pytest.mark.parametrize(
    ("offset", "code", "begins", "ends", "reason"),
    [
        (-200, EXPIRED, -300, -10, "local_clock_skew"),
        (200, NOT_YET_VALID, 10, 300, "local_clock_skew"),
        (-200, EXPIRED, -900, -300, "tls_cert_expired"),
        (1, EXPIRED, -900, -300, "tls_cert_expired"),
        (200, EXPIRED, -900, -1, "tls_cert_expired"),
        (1, NOT_YET_VALID, 10, 300, "tls_cert_not_yet_valid"),
        (-200, NOT_YET_VALID, 10, 300, "tls_cert_not_yet_valid"),
        (400, NOT_YET_VALID, 10, 300, "tls_cert_not_yet_valid"),
        (-200, EXPIRED, -100, -10, "tls_cert_expired"),
    ],
)
def test_the_right_time_must_accept_the_certificate(
    offset: int, code: int, begins: int, ends: int, reason: str
) -> None:
    """What is out of date by the right time as well is its owner's fault."""
    leaf = replace(certificate(not_after=days(ends)), not_before=days(begins))
    site = Site(clock_offset=offset * DAY)
    site.add(trail(dns(), tcp(), tls(Failure.VERIFY, code=code, chain=(leaf,), about=LATE)))
    verdict = judge(site.recording()).verdicts[0].verdict
    assert verdict.reason == reason
    if code == EXPIRED:
        assert (verdict.blame is Blame.LOCAL_HOST) is (reason == "local_clock_skew")


def test_a_certificate_above_counts_as_well() -> None:
    """A leaf that is in time does not excuse an authority that has expired."""
    leaf = replace(certificate(issuer="CN=Issuing CA", not_after=days(-10)), sha256="aa" * 32)
    above = replace(certificate(subject="CN=Issuing CA", not_after=days(-500)), sha256="bb" * 32)
    site = Site(clock_offset=-200 * DAY)
    site.add(trail(dns(), tcp(), tls(Failure.VERIFY, code=EXPIRED, chain=(leaf, above), about=LATE)))
    assert judge(site.recording()).verdicts[0].verdict.reason == "tls_cert_expired"


@pytest.mark.parametrize(("offset", "expiring"), [(0, True), (-200, False), (200, True)])
def test_what_ends_soon_is_told_by_the_right_time(offset: int, expiring: bool) -> None:
    """A clock that is ahead makes every certificate end soon."""
    leaf = certificate(not_after=days(5))
    site = Site(clock_offset=offset * DAY)
    site.add(trail(dns(), tcp(), tls(chain=(leaf,))))
    verdict = judge(site.recording()).verdicts[0].verdict
    assert ("tls_cert_expiring" in (verdict.reason, *verdict.also)) is expiring


def test_an_offset_beyond_all_times_is_no_error() -> None:
    """As a report may hold that was written by hand."""
    site = Site(clock_offset=1e18)
    site.add(trail(dns(), tcp(), tls(Failure.VERIFY, code=EXPIRED)))
    assert judge(site.recording()).verdicts[0].verdict.reason

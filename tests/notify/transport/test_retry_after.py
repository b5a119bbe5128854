"""`Retry-After`: whatever a server writes there, a delivery waits a sane time, and nothing is raised."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.notify.dispatch import deliver
from egressd.notify.transport.retry_after import LONGEST_RETRY_AFTER, retry_after
from tests.notify.content.sample import RULES, notice
from tests.notify.transport.servers import answering, http, receiver

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Foo"]
NUMBERS = st.integers(-(10**25), 10**25).map(str) | st.integers(-1, 99).map(str)
DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}{}".format,
    st.sampled_from(("Fri", "Sunday", "")),
    NUMBERS,
    st.sampled_from(MONTHS),
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.sampled_from(("", "+", "-", "GMT", "Z")),
    NUMBERS | st.just(""),
)
WORST = (
    "Fri, 31 Dec 99999999999999999999 23:59:59 GMT",
    "Fri, 31 Dec 2026 23:59:59 +99999999999999",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "9" * 5000,
    "-5",
    "nan",
    "inf",
    "1e308",
    "\u0663",
    "\u00b2",
    "5, 5",
    "",
    "\udcff",
)


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        (["7"], 7.0),
        ([" 7.5 "], 7.5),
        (["0"], 0.0),
        (["99999999999999999999"], LONGEST_RETRY_AFTER),
        (["Fri, 20 Nov 2026 03:01:00 GMT"], 60.0),
        (["Fri Nov 20 03:01:00 2026"], 60.0),
        (["Fri, 20 Nov 2020 03:01:00 GMT"], 0.0),
        (["Fri, 31 Dec 9999 23:59:59 GMT"], LONGEST_RETRY_AFTER),
        (["soon", "30", "20"], 30.0),
        (["-5"], None),
        (["nan"], None),
        (["inf"], None),
        (["\u0663"], None),
        ([], None),
    ],
)
def test_what_it_means(values: list[str], seconds: float | None) -> None:
    """Seconds, fractions and every form of date count; the longest of several, up to an hour."""
    assert retry_after(values, NOW) == seconds


@given(st.lists(st.text(max_size=80) | NUMBERS | DATES | st.sampled_from(WORST), max_size=3))
def test_any_value_is_a_sane_time_or_none(values: list[str]) -> None:
    """No value raises or makes a delivery wait more than an hour."""
    found = retry_after(values, NOW)
    assert found is None or 0 <= found <= LONGEST_RETRY_AFTER


@pytest.mark.parametrize("text", [one[:100] for one in WORST if one.isascii()])
async def test_a_delivery_survives_it(text: str) -> None:
    """A busy server with an odd header is tried again: the notice is not lost."""
    async with answering(http("503 Busy", b"", f"Retry-After: {text}")) as server:
        delivery = await deliver(receiver("webhook", server.url()), (notice(),), dropped=0, rules=RULES)
    assert (delivery.ok, delivery.retry) == (False, True)

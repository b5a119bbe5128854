"""Flapping detection: the share of changes, its thresholds, and states under a silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.model.endpoint import Protocol
from egressd.model.notification import Flapping
from egressd.model.observation import Failure, TcpObservation
from egressd.model.plan import Probe
from egressd.model.recording import ProbeRecord, Trail
from egressd.model.settings import Family
from egressd.model.standing import Lifecycle, Standing, Standings
from egressd.model.verdict import Sweep
from egressd.standing import advance
from egressd.standing.ending import SILENT
from egressd.standing.flapping import MOST_RESULTS, add_result, change_share
from tests.standing.sweeps import PLAN, at, sweep

results = st.text(alphabet="01", max_size=MOST_RESULTS)


@given(results)
def test_the_share_is_between_0_and_100_per_cent(seen: str) -> None:
    """The share is 0 without changes, and 100 where every result differs from the previous one."""
    assert 0 <= change_share(seen) <= 100.001
    if len(set(seen)) <= 1:
        assert change_share(seen) == 0


def test_every_change_counts_and_recent_ones_count_more() -> None:
    """Every change counts, less with every result since; at most twenty are counted."""
    assert change_share(("01" * MOST_RESULTS)[:MOST_RESULTS]) == pytest.approx(100)
    assert change_share("1" * 20 + "0") == pytest.approx(6)
    assert change_share("1" + "0" * 20) == pytest.approx(4)


@given(results, st.booleans())
def test_the_last_results_are_kept(seen: str, good: bool) -> None:
    """The newest result is last, and no more than the limit are kept."""
    after = add_result(seen, reachable=good)
    assert after[-1] == ("1" if good else "0")
    assert len(after) <= MOST_RESULTS


def states(words: str, *, silenced: str = "") -> list[Lifecycle]:
    """Apply a result per letter, `1` reachable, `0` not; `silenced` has an `s` for those under a silence."""
    believed = Standings()
    found = []
    for number, word in enumerate(words):
        inside = silenced[number : number + 1] == "s"
        believed, _ = advance(
            believed,
            sweep(number, {"a": "ok" if word == "1" else "blocked"}),
            now=at(number),
            silenced=frozenset({("a", "default")}) if inside else frozenset(),
        )
        found.append(believed.targets[0].state)
    return found


def test_a_target_flaps_until_it_is_stable() -> None:
    """A target is flapping from 30 per cent on until below 10, with any results in between."""
    flapping = states("1" * 12 + "10" * 6 + "1" * 21)
    first = flapping.index(Lifecycle.FLAPPING)
    assert 14 <= first <= 22
    last = len(flapping) - flapping[::-1].index(Lifecycle.FLAPPING)
    assert set(flapping[first:last]) == {Lifecycle.FLAPPING}
    assert flapping[-1] is Lifecycle.OK


def test_an_outage_is_no_flapping() -> None:
    """Two outages within twenty results are not flapping."""
    assert Lifecycle.FLAPPING not in states("1" * 10 + "0" * 5 + "1" * 5 + "0" * 4 + "1" * 9)


def test_a_silence_changes_the_state_and_not_the_belief() -> None:
    """Results count under a silence: after it, the belief is what they confirmed."""
    seen = states("1" * 4 + "0" * 6 + "0" * 2, silenced="...." + "s" * 6)
    assert set(seen[4:10]) == {Lifecycle.SILENCED}
    assert seen[10] is Lifecycle.FAILING
    calm = states("1" * 8, silenced="..sss")
    assert calm[2:6] == [Lifecycle.SILENCED] * 3 + [Lifecycle.OK]


def test_flapping_thresholds_are_settings() -> None:
    """With lower thresholds a target is flapping earlier."""
    believed = Standings()
    for number, word in enumerate("1101"):
        one = sweep(number, {"a": "ok" if word == "1" else "down"})
        believed, _ = advance(believed, one, now=at(number), flapping=Flapping(high=5, low=1))
    assert believed.targets[0].state is Lifecycle.FLAPPING


def seen_with(number: int, failure: Failure | None) -> Sweep:
    """Return a sweep in which the only probe of a target ended that way."""
    probe = Probe(id="p", host="a", port=443, protocol=Protocol.HTTPS, source="default", targets=("a",))
    observation = TcpObservation(
        started=at(number), elapsed_ms=1.0, remote_address="192.0.2.1", remote_port=443, failure=failure
    )
    trail = Trail(
        source="default",
        family=Family.IPV4,
        address="192.0.2.1",
        path="direct",
        observations=(observation,),
    )
    one = sweep(number, {"a": "ok" if number == 0 else "blocked"})
    plan = replace(PLAN, probes=(probe,))
    records = (ProbeRecord(probe="p", trails=(trail,)),)
    return replace(one, recording=replace(one.recording, plan=plan, records=records))


@pytest.mark.parametrize("failure", [Failure.TIMEOUT, Failure.REFUSED, Failure.RESET, Failure.ALERT])
def test_an_explicit_failure_is_confirmed_earlier(failure: Failure) -> None:
    """A reset is confirmed by the second result, a timeout by the third."""
    believed = Standings()
    states: list[Standing] = []
    for number in range(5):
        look = seen_with(number, failure if number else None)
        believed, _ = advance(believed, look, now=at(number))
        states += believed.targets
    failing = [one.state for one in states].index(Lifecycle.FAILING)
    assert failing == (3 if failure in SILENT else 2)

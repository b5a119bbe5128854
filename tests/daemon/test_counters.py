"""Counters grow with sweeps, cover planned targets, and have each profile's last reachable time."""

from __future__ import annotations

from msgspec.structs import replace

from egressd.daemon.counters import count_results, reachable_profiles
from egressd.model.observation import Phase
from egressd.model.recording import ProbeRecord
from egressd.model.snapshot import BUCKETS, Counters
from egressd.model.standing import Standings
from egressd.model.verdict import Sweep
from egressd.standing import advance
from tests.daemon.simulation import plan_of, trail_of
from tests.standing.sweeps import at, recording, sweep

A, B = ("a", "default"), ("b", "default")


def counted(counters: Counters, words: dict[str, str], *fresh: tuple[str, str]) -> Counters:
    return count_results(counters, sweep("x", words), fresh=frozenset(fresh), probes=frozenset())


def test_only_new_records_are_counted() -> None:
    """A verdict that rests on an older record counts neither as a probe nor as a failure."""
    counters = counted(Counters(), {"a": "blocked:tls_reset", "b": "ok"}, A, B)
    counters = counted(counters, {"a": "blocked:tls_reset", "b": "blocked:tls_reset"}, A)
    assert dict(counters.probes) == {A: 2, B: 1}
    assert dict(counters.failures) == {(*A, "tls_reset"): 2}


def test_removed_targets_have_no_counters() -> None:
    """A removed target leaves nothing behind."""
    counters = counted(Counters(), {"a": "blocked:x", "b": "ok"}, A, B)
    counters = counted(counters, {"b": "ok"}, B)
    assert dict(counters.probes) == {B: 2}
    assert dict(counters.failures) == {}


def test_each_success_lands_in_one_bucket() -> None:
    """50 ms is in the bucket with that bound; a failed phase is in none; a shared probe counts once."""
    plan = plan_of(2)
    shared = trail_of(None)
    records = (
        ProbeRecord(probe=plan.probes[0].id, trails=(shared, shared)),
        ProbeRecord(probe=plan.probes[1].id, trails=(trail_of("refused"),)),
    )
    seen = Sweep(recording=replace(recording("x", plan=plan), records=records), verdicts=(), findings=())
    probes = frozenset(one.id for one in plan.probes)
    counters = count_results(Counters(), seen, fresh=frozenset(), probes=probes)
    tcp = counters.latency[Phase.TCP]
    assert (sum(tcp.counts), tcp.counts[BUCKETS.index(0.05)], tcp.seconds) == (1, 1, 0.05)
    assert all(sum(counters.latency[phase].counts) == 0 for phase in Phase if phase is not Phase.TCP)


def test_a_profile_is_reachable_while_all_it_requires_is() -> None:
    """The time is set only if every required target is reachable and known."""
    plan = plan_of(2)
    ids = [one.id for one in plan.targets]
    believed, before = Standings(), {"gone": at(0)}
    assert dict(reachable_profiles(before, plan, believed, now=at(0))) == {}
    believed, _ = advance(believed, sweep(1, dict.fromkeys(ids, "ok")), now=at(1))
    reached = reachable_profiles(before, plan, believed, now=at(1))
    assert dict(reached) == {"bridge": at(1)}
    for number in range(2, 6):
        believed, _ = advance(believed, sweep(number, {ids[0]: "blocked:x", ids[1]: "ok"}), now=at(number))
        reached = reachable_profiles(reached, plan, believed, now=at(number))
    assert dict(reached) == {"bridge": at(3)}

"""`read_history`: what failed at the beginning of the period, its events, and its limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.model.event import (
    ConfigReloaded,
    DaemonStarted,
    Event,
    FindingClosed,
    FindingOpened,
    TargetChanged,
    TargetRemoved,
)
from egressd.model.standing import Standings
from egressd.standing import advance
from egressd.state.history import history_json, read_history
from egressd.state.selection import Selection
from tests.standing.sweeps import at, sweep
from tests.state.test_persistence import failing, save_and_close


async def test_a_removed_target_is_not_shown_as_failing(tmp_path: Path) -> None:
    """The removal of a failing target is an event, of an ok target it is none."""
    standings, emitted = failing()
    left, events = advance(standings, sweep(70, {}), now=at(70))
    assert left.targets == ()
    (removed,) = events
    assert isinstance(removed, TargetRemoved)
    assert (removed.target, removed.before.reason, removed.before_since) == ("row/a:443", "tls_reset", at(1))
    back, more = advance(left, sweep(80, {"row/a:443": "ok"}), now=at(80))
    assert more == ()
    await save_and_close(tmp_path, back, [*emitted, *events])
    during = read_history(tmp_path, since=at(60), until=at(75), target="a")
    assert [type(one) for one in (*during.already, *during.events)] == [TargetChanged, TargetRemoved]
    assert read_history(tmp_path, since=at(75), until=at(100), target=None).already == ()


async def test_a_finding_that_was_open_before_is_shown(tmp_path: Path) -> None:
    """A finding opened before the period is listed, and so is its closing."""
    standings, emitted = Standings(), list[Event]()
    for number in range(20):
        findings = {"path": ()} if number < 10 else {}
        standings, events = advance(standings, sweep(number, {"a": "ok"}, findings=findings), now=at(number))
        emitted += events
    await save_and_close(tmp_path, standings, emitted)
    found = read_history(tmp_path, since=at(5), until=at(100), target="a")
    assert [type(one) for one in (*found.already, *found.events)] == [FindingOpened, FindingClosed]
    assert read_history(tmp_path, since=at(15), until=at(100), target=None).already == ()


async def test_a_long_history_is_cut_after_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit applies to matching events only; `cut` is set where some are left out."""
    monkeypatch.setattr("egressd.state.history.MOST_EVENTS", 3)
    standings, emitted = failing()
    change = emitted[0]
    assert isinstance(change, TargetChanged)
    others = [replace(change, at=at(10 + number), target=f"row/x{number}:443") for number in range(5)]
    await save_and_close(tmp_path, standings, [change, *others])
    found = read_history(tmp_path, since=at(0), until=at(100), target="a")
    assert (found.events, found.cut) == ((change,), False)
    whole = read_history(tmp_path, since=at(0), until=at(100), target=None)
    assert (whole.events, whole.cut) == (tuple(others[2:]), True)
    assert '"cut": true' in history_json(whole)


async def test_what_happened_at_a_site_is_found(tmp_path: Path) -> None:
    """A host that moved: each site has what happened there, also where its start was before the period."""
    standings, emitted = failing()
    change = emitted[0]
    assert isinstance(change, TargetChanged)
    old = replace(change, at=at(2), target="row/old:443")
    oslo, bergen = replace(change, at=at(12)), replace(change, at=at(22), target="row/b:443")
    starts = (
        DaemonStarted(at=at(1), egressd="0.1.0", config_digest="d"),
        DaemonStarted(at=at(10), egressd="0.1.0", config_digest="d", site="oslo-1"),
        ConfigReloaded(at=at(20), digest="e", site="bergen-2"),
    )
    await save_and_close(tmp_path, standings, [starts[0], old, starts[1], oslo, starts[2], bergen])

    def events_at(*sites: str, since: int) -> tuple[Event, ...]:
        wanted = Selection(sites=sites)
        found = read_history(tmp_path, since=at(since), until=at(100), target=None, selection=wanted)
        return (*found.already, *found.events)

    assert events_at("oslo-*", since=0) == (starts[1], oslo)
    assert events_at("bergen-2", since=0) == (starts[2], bergen)
    assert events_at("oslo-1", since=11) == (old, oslo)
    assert events_at("bergen-2", since=11) == (starts[2], bergen)
    assert events_at("tromso-3", since=0) == ()
    whole = read_history(tmp_path, since=at(11), until=at(100), target=None)
    assert whole.sites == ("oslo-1", "bergen-2")
    assert '"sites": [\n    "oslo-1",\n    "bergen-2"\n  ]' in history_json(whole)
    assert read_history(tmp_path, since=at(0), until=at(5), target=None).sites == ()

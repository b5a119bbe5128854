"""`/api/v1/history` and `/api/v1/timeline`: what the state on disk has, by parameters that are checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.model.event import ConfigReloaded, DaemonStarted
from egressd.model.snapshot import StateStatus
from egressd.standing import advance
from egressd.state.history import history_json, read_history
from tests.metrics.snapshots import make_snapshot
from tests.standing.sweeps import at, sweep
from tests.state.test_persistence import failing, save_and_close
from tests.web.conftest import Running, Start

WHOLE = {"since": "2026-11-20T03:00", "until": "2026-11-20T04:00"}


@pytest.fixture
async def running(start: Start, tmp_path: Path) -> Running:
    """A server whose state has a target that failed and works again, and one that always worked."""
    standings, emitted = failing()
    for number in (20, 21, 22):
        words = {"row/a:443": "ok", "row/b:443": "ok"}
        standings, events = advance(standings, sweep(number, words), now=at(number))
        emitted += events
    started = DaemonStarted(at=at(0), egressd="0.1.0", config_digest="d", site="oslo-1")
    moved = ConfigReloaded(at=at(10), digest="d", site="bergen-2")
    await save_and_close(tmp_path, standings, [started, emitted[0], moved, *emitted[1:]])
    return await start(
        replace(make_snapshot(), standings=standings, state=StateStatus(directory=str(tmp_path)))
    )


async def ask(running: Running, path: str, **query: str) -> dict[str, object]:
    status, text = await running.get(path, params=query)
    assert status == 200, text
    found: dict[str, object] = json.loads(text)
    return found


async def test_events_are_those_of_the_command(running: Running, tmp_path: Path) -> None:
    """The document is what `egressd history --format json` writes for the same period."""
    found = await ask(running, "/api/v1/history", **WHOLE)
    whole = read_history(tmp_path, since=at(0), until="2026-11-20T04:00:00.000Z", target=None)
    assert found == json.loads(history_json(whole))
    assert [one["kind"] for one in found["events"]] == ["started", "target", "reloaded", "target"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ({"target": "row/a*"}, 2),
        ({"target": "row/b*"}, 0),
        ({"reason": "tls_*", "kind": "target"}, 2),
        ({"reason": "dns_*"}, 0),
        ({"source": "nowhere"}, 0),
        ({"site": "*"}, 2),
        ({"site": "oslo-*"}, 1),
        ({"site": "nowhere"}, 0),
    ],
)
async def test_events_are_chosen(running: Running, query: dict[str, str], events: int) -> None:
    """By target, reason, source, site and kind; those of the daemon alone are not counted here."""
    found = await ask(running, "/api/v1/history", **WHOLE, **query)
    assert len([one for one in found["events"] if one["kind"] == "target"]) == events  # type: ignore[attr-defined]


async def test_a_request_reads_a_bounded_part(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest events are read, and the document says that there are more."""
    monkeypatch.setattr("egressd.web.api.history.MOST_READ", 1)
    found = await ask(running, "/api/v1/history", **WHOLE)
    assert (found["cut"], [one["at"] for one in found["events"]]) == (True, [at(21)])  # type: ignore[attr-defined]
    assert found["sites"] == ["bergen-2"]  # which it had by then
    here = await ask(running, "/api/v1/history", **WHOLE, site="bergen-2")
    assert here["events"] == found["events"]
    assert (await ask(running, "/api/v1/history", **WHOLE, site="oslo-1"))["events"] == []


async def test_the_timeline_has_every_target(running: Running) -> None:
    """Segments of each target and source; a pattern chooses targets."""
    found = await ask(running, "/api/v1/timeline", since="2026-11-20T03:00")
    rows = {one["target"]: one["segments"] for one in found["targets"]}  # type: ignore[attr-defined]
    assert [(one["outcome"], one["begin"]) for one in rows["row/a:443"]] == [
        ("ok", at(0)),
        ("blocked", at(1)),
        ("ok", at(20)),
    ]
    assert [one["outcome"] for one in rows["row/b:443"]] == ["ok"]
    assert (found["schema"], found["cut"], found["pauses"]) == ("egressd.timeline/1", False, [])
    few = await ask(running, "/api/v1/timeline", since="2026-11-20T03:00", target="row/b*", source="def*")
    assert [one["target"] for one in few["targets"]] == ["row/b:443"]  # type: ignore[attr-defined]
    none = await ask(running, "/api/v1/timeline", since="2026-11-20T03:00", source="other")
    assert none["targets"] == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/v1/history", "since=yesterday"),
        ("/api/v1/history", "since=2h&since=3h"),
        ("/api/v1/history", "since=1h&until=2h"),
        ("/api/v1/history", "kind=gossip"),
        ("/api/v1/history", "targets=a"),
        ("/api/v1/history", "target=a&target=b"),
        ("/api/v1/history", "reason=" + "a" * 201),
        ("/api/v1/history", "&".join(["reason=a"] * 21)),
        ("/api/v1/history", "since=99999999999d"),
        ("/api/v1/timeline", "until=2h"),
        ("/api/v1/timeline", "reason=tls"),
    ],
)
async def test_a_bad_parameter_is_refused(running: Running, path: str, query: str) -> None:
    """400 in JSON, without what was asked."""
    status, text = await running.get(f"{path}?{query}")
    assert status == 400
    error = json.loads(text)["error"]
    assert "yesterday" not in error
    assert "gossip" not in error


async def test_without_state_there_is_no_history(start: Start, tmp_path: Path) -> None:
    """503 in JSON, with what to set; also where the file is not there."""
    for directory, phrase in ((None, "state.directory"), (str(tmp_path / "none"), "no history in")):
        running = await start(replace(make_snapshot(), state=StateStatus(directory=directory)))
        for path in ("/api/v1/history", "/api/v1/timeline"):
            status, text = await running.get(path)
            assert (status, phrase in json.loads(text)["error"]) == (503, True)

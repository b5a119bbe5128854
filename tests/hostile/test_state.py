"""A state file with other values in it: what can't be read is left out aloud, and the daemon goes on."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import timedelta
from functools import cache
from pathlib import Path

import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd import clock
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.state_store import StateStore
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.notify.outbox import batch_of
from egressd.state import Persistence
from egressd.state.layout import FILE
from tests.attribution.cases import SCENES
from tests.hostile.json_values import changed_document
from tests.hostile.outputs import (
    LIMITS,
    NOTIFY,
    RULES,
    JudgingSession,
    check_notifications,
    check_pages,
    run_daemon,
)

BODIES = (
    ("standings", "target"),
    ("findings", "id"),
    ("memory", "name"),
    ("alerts", "id"),
    ("notices", "id"),
)
"""Tables with JSON in `body`, and a key of each."""


RECORDING = next(one for one in SCENES if one.name == "proxy-untold").build().recording()
"""A site that fails for one cause, so that there are findings, alerts and notices."""


@cache
def written() -> Path:
    """Return a folder with a state file of a daemon that notified of everything."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-state-"))
    asyncio.run(run_daemon(RECORDING, folder))
    return folder


@st.composite
def damaged(draw: st.DrawFn) -> list[tuple[str, str, str]]:
    """Draw other bodies for some rows: table, key column's value, body."""
    with closing(sqlite3.connect(written() / FILE)) as connection:
        rows = [
            (table, key, body)
            for table, column in BODIES
            for key, body in connection.execute(f"SELECT {column}, body FROM {table}")
        ]
    chosen = draw(st.lists(st.sampled_from(rows), min_size=1, max_size=4))
    return [(table, key, draw(changed_body(body))) for table, key, body in chosen]


@st.composite
def changed_body(draw: st.DrawFn, body: str) -> str:
    """Draw another body: JSON where it is JSON, any text where it is a moment."""
    try:
        document = json.loads(body)
    except json.JSONDecodeError:
        return draw(st.text(max_size=40) | st.datetimes().map(str))
    return json.dumps(draw(changed_document(document)))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(damaged())
def test_a_daemon_starts_with_any_state(rows: list[tuple[str, str, str]]) -> None:
    """Rows that say something else are read or left out; alerts, pages, notifications and saving go on."""
    with tempfile.TemporaryDirectory() as folder, structlog.testing.capture_logs():
        shutil.copy(written() / FILE, folder)
        with closing(sqlite3.connect(Path(folder) / FILE)) as connection, connection:
            columns = dict(BODIES)
            for table, key, body in rows:
                connection.execute(f"UPDATE {table} SET body = ? WHERE {columns[table]} = ?", (body, key))
        asyncio.run(go_on(Path(folder)))


async def go_on(folder: Path) -> None:
    """Start as a daemon does, apply a sweep, evaluate later on, save, and load again."""
    keeper = Persistence(folder)
    saved, state = await keeper.open()
    assert state.problem == ""
    now = clock.timestamp()
    snapshot = Snapshot(
        settings=Settings(alerting=RULES, notify=NOTIFY),
        config=ConfigStatus(digest="", since=now),
        started=now,
        standings=saved.standings,
        counters=Counters(profiles=dict(saved.profiles)),
        alerts=saved.alerts,
        outbox=saved.outbox,
        state=state,
    )
    store = StateStore(
        holder=SnapshotHolder(snapshot), keeper=keeper, on_events=lambda _: None, limits=LIMITS
    )
    store.adopt(snapshot)
    probes = frozenset(one.id for one in RECORDING.plan.probes)
    await store.apply(
        JudgingSession(RECORDING), of=replace(RECORDING, id="later"), probes=probes, seconds=1.0
    )
    await store._advance((), clock.now() + timedelta(hours=100))
    await store.record(())
    shown = store.holder.current
    await keeper.close(shown, ())
    assert shown.state.problem == ""
    check_pages(shown)
    check_notifications(shown, [one.notice for one in shown.outbox.waiting])
    for receiver in NOTIFY.receivers:
        batch_of(shown.outbox, receiver)

"""State that egressd 0.1.0 wrote is read, and written under the same names.

`written_by_0_1_0` holds an SQL dump of a state database, the history it shows and a `maintenance.json`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from egressd.model.alert import Alert, AlertName, AlertState, Notice, NoticeKind
from egressd.model.catalog import Discovery
from egressd.model.event import NoticePosted
from egressd.model.standing import FindingStanding, Standing
from egressd.state.codec import EVENT_TYPES, decode, encode
from egressd.state.history import history_json, read_history
from egressd.state.layout import APPLICATION, FILE
from egressd.state.silences import FILE as SILENCES
from egressd.state.silences import read_silences
from egressd.state.store import Store

WRITTEN = Path(__file__).parent / "written_by_0_1_0"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a state directory written by 0.1.0."""
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.executescript((WRITTEN / "state.sql").read_text(encoding="utf-8"))
        connection.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 2")
    (tmp_path / SILENCES).write_bytes((WRITTEN / SILENCES).read_bytes())
    return tmp_path


def test_every_row_is_read_and_written_the_same(directory: Path) -> None:
    """Decoding and encoding a row changes no byte: names and values on disk are unchanged."""
    with closing(sqlite3.connect(directory / FILE)) as connection:
        tables = {
            "alerts": Alert,
            "notices": Notice,
            "standings": Standing,
            "findings": FindingStanding,
            "memory WHERE name GLOB 'discovery/*'": Discovery,
        }
        rows: list[tuple[str, type[Any]]] = [
            (body, kind)
            for table, kind in tables.items()
            for (body,) in connection.execute(f"SELECT body FROM {table}")
        ]
        events = connection.execute("SELECT kind, body FROM events").fetchall()
    assert {kind for kind, _ in events} == set(EVENT_TYPES)
    assert {kind for _, kind in rows} == {Alert, Notice, Standing, FindingStanding, Discovery}
    for body, kind in (*rows, *((body, EVENT_TYPES[name]) for name, body in events)):
        assert encode(decode(body, kind)) == body


def test_the_database_is_loaded_whole(directory: Path) -> None:
    """Standings, findings, alerts in every state, and the queue with its counts are loaded completely."""
    store = Store(directory)
    found = store.load()
    store.close()
    assert {one.state for one in found.alerts} == set(AlertState)
    assert len(found.alerts) == 9
    assert [one.key for one in found.standings.targets] == [
        ("dead", "default"),
        ("flap", "default"),
        ("new", "default"),
        ("quiet", "default"),
    ]
    silenced = next(one for one in found.alerts if one.state is AlertState.SUPPRESSED)
    assert (silenced.suppressed_by, silenced.condition.alertname) == (
        ("maintenance/change-7",),
        AlertName.UNREACHABLE,
    )
    assert [one.notice.kind for one in found.outbox.of("hook")] == [NoticeKind.CLOSED] * 2
    assert (len(found.outbox.waiting), found.outbox.dropped) == (8, (("hook", 2),))
    assert [one.name for one in found.discoveries] == ["service-bus-allowlist"]
    assert [name for name, _ in found.profiles] == ["resource-bridge"]


def test_the_history_is_shown_as_before(directory: Path) -> None:
    """`egressd history` prints the same JSON keys and values."""
    found = read_history(
        directory, since="2026-11-20T03:10:00.000Z", until="2026-11-21T00:00:00.000Z", target=None
    )
    assert any(isinstance(one, NoticePosted) for one in found.events)
    assert history_json(found) == (WRITTEN / "history.json").read_text(encoding="utf-8")


def test_silences_opened_before_are_in_force(directory: Path) -> None:
    """Silences in an old `maintenance.json` are active: its name, schema and keys are unchanged."""
    change, manual = read_silences(directory)
    assert (change.name, change.by, change.reason) == ("change-7", "root", "new firewall, größer")
    assert (manual.name, manual.ends) == ("manual-1", "2026-11-20T05:00:00.000Z")

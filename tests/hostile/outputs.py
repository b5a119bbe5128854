"""Everything that egressd makes of a recording: formats, metrics, standings, alerts, state, notifications."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from egressd import clock
from egressd.attribution import baseline_of, judge, plan_followups
from egressd.cli.options import Format
from egressd.cli.output import render
from egressd.cli.watch.messages import change_lines
from egressd.daemon.event_log import log_event, status_line
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.state_store import StateStore
from egressd.engine.latest import record_signature
from egressd.engine.session import Session
from egressd.firewall import Asks
from egressd.firewall.languages import LANGUAGES
from egressd.metrics.once import render_target
from egressd.metrics.writing import write_snapshot
from egressd.model.alert import Notice
from egressd.model.event import Event
from egressd.model.notification import Alerting, Notify
from egressd.model.recording import Recording
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Snapshot
from egressd.model.verdict import Sweep
from egressd.notify.alertmanager.payload import alert_entries, push_bodies
from egressd.notify.content.message import Message
from egressd.notify.receivers import BY_TYPE
from egressd.notify.transport.http import HttpTransport
from egressd.notify.transport.smtp import SmtpTransport
from egressd.report.diff.render_diff import render_diff_json, render_diff_text
from egressd.report.diff.sweep_diff import compare_sweeps
from egressd.report.history import render_history
from egressd.report.saved import from_json
from egressd.state import Persistence
from egressd.state.history import history_json, read_history
from egressd.web.api.document import alerts_document, targets_document
from egressd.web.status.page import StatusPage
from tests.notify.samples import sample_receiver

RULES = Alerting(explicit=1, silent=1, better=1, instance="here:10980", reminder=60.0)
HTTP = HttpTransport(urls=("https://hook.example/x",))
MAIL = SmtpTransport(
    server="mail.example",
    port=25,
    security="none",
    sender="egressd@corp.example",
    recipients=("noc@corp.example",),
)
RECEIVERS = tuple(
    sample_receiver(name, name=name, transport=MAIL if name == "email" else HTTP)
    for name in ("alertmanager", "webhook", "cloudevents", "slack", "teams", "email", "heartbeat")
)
NOTIFY = Notify(receivers=RECEIVERS)
LIMITS = {"connected-machine": 3600.0}


class JudgingSession(Session):
    """A session that probes nothing: it judges what it is given."""

    def __init__(self, recording: Recording) -> None:
        self.plan = recording.plan
        self.discoveries = ()

    async def judge(self, of: Recording) -> Sweep:
        return judge(of)


def produce_everything(recording: Recording) -> Sweep:
    """Make every output of a recording, and check that what is written can be read."""
    sweep = judge(recording)
    plan_followups(recording)
    for record in recording.records:
        record_signature(record)
    texts = {fmt: render(sweep, fmt, output=None) for fmt in Format}
    check_texts(texts)
    again = from_json(texts[Format.JSON])
    assert judge(again) == replace(sweep, recording=again)
    asked = Asks(sweep).document()
    for language in LANGUAGES.values():
        language.render(asked)
    metric_names(render_target(sweep))
    check_differences(sweep)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run_daemon(recording, Path(folder)))
    return sweep


def check_texts(texts: dict[Format, str]) -> None:
    """Check that each format is what it says, and that no control character reaches a terminal."""
    json.loads(texts[Format.JSON])
    ET.fromstring(texts[Format.JUNIT])
    rows = list(csv.reader(io.StringIO(texts[Format.CSV], newline="")))
    assert len({len(row) for row in rows}) == 1
    metric_names(texts[Format.PROMETHEUS])
    for fmt in (Format.TABLE, Format.MARKDOWN):
        lines = texts[fmt].split("\n")
        assert [line for line in lines if not line.isprintable()] == [], fmt
    page = texts[Format.HTML]
    assert "<script>alert" not in page
    assert [line for line in page.split("\n") if not line.isprintable()] == []
    for text in texts.values():
        text.encode()


def metric_names(text: str) -> set[str]:
    """Parse metrics, and return the names of the samples."""
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


def check_differences(sweep: Sweep) -> None:
    """Compare a sweep with nothing, with itself, and judge it against itself."""
    baseline = baseline_of(sweep)
    empty = replace(baseline, marks=(), findings=())
    same = compare_sweeps(sweep, sweep)
    assert same.new_failures == ()
    for fresh in (judge(replace(sweep.recording, baseline=one)) for one in (baseline, empty)):
        text = render(fresh, Format.TABLE, output=None)
        assert [line for line in text.split("\n") if not line.isprintable()] == []
        render(fresh, Format.JSON, output=None)
        changes = compare_sweeps(sweep, fresh)
        json.loads(render_diff_json(changes))
        for line in (
            *render_diff_text(changes).split("\n"),
            *change_lines(changes.changes, fresh, at="10:00:00Z", width=80, colour=False),
        ):
            assert line.isprintable()


async def run_daemon(recording: Recording, folder: Path) -> None:
    """Give a daemon the same sweep three times over, save and load its state, and notify everybody."""
    keeper = Persistence(folder)
    await keeper.open()
    events: list[Event] = []
    now = clock.timestamp()
    settings = Settings(alerting=RULES, notify=NOTIFY)
    snapshot = Snapshot(settings=settings, config=ConfigStatus(digest="", since=now), started=now)
    store = StateStore(holder=SnapshotHolder(snapshot), keeper=keeper, on_events=events.extend, limits=LIMITS)
    session = JudgingSession(recording)
    probes = frozenset(one.id for one in recording.plan.probes)
    for number in range(3):
        repeated = replace(recording, id=f"{recording.id}-{number}")
        await store.apply(session, of=repeated, probes=probes, seconds=1.0)
    for hours in (1, 100):
        events += await store._advance((), clock.now() + timedelta(hours=hours))
    await store.record(())
    shown = store.holder.current
    await keeper.close(shown, ())
    assert shown.state.problem == ""
    check_pages(shown)
    check_events(events, folder)
    check_notifications(shown, [one.notice for one in shown.outbox.waiting])
    again = Persistence(folder)
    saved, _ = await again.open()
    await again.close(shown, ())
    assert set(saved.standings.targets) == set(shown.standings.targets)
    assert set(saved.standings.findings) == set(shown.standings.findings)
    assert {one.id: one for one in saved.alerts} == {one.id: one for one in shown.alerts}


def check_pages(snapshot: Snapshot) -> None:
    """Render what the daemon's HTTP server serves."""
    for openmetrics in (False, True):
        write_snapshot(snapshot, limits=LIMITS, openmetrics=openmetrics)
    metric_names(write_snapshot(snapshot, limits=LIMITS, openmetrics=False))
    page = StatusPage().render(snapshot, now=clock.now(), stalled=False).decode()
    assert "<script>alert" not in page
    for document in (alerts_document(snapshot), targets_document(snapshot)):
        json.dumps(document, allow_nan=False)
    assert status_line(snapshot, stalled=False).isprintable()


def check_events(events: Iterable[Event], folder: Path) -> None:
    """Log events, and read them back as a history."""
    for one in events:
        log_event(one)
    history = read_history(
        folder, since="0001-01-01T00:00:00.000Z", until="9999-12-31T00:00:00.000Z", target=None
    )
    json.loads(history_json(history))
    assert [line for line in render_history(history).split("\n") if not line.isprintable()] == []


def check_notifications(snapshot: Snapshot, notices: list[Notice]) -> None:
    """Write every notice for every type of receiver, alone and as a digest."""
    for receiver in RECEIVERS:
        for batch in ([one] for one in notices):
            list(BY_TYPE[receiver.type].parts(receiver, _message(batch)))
        if notices and receiver.digest is not None:
            list(BY_TYPE[receiver.type].parts(receiver, _message(notices)))
    for body in push_bodies(alert_entries(snapshot.alerts, now=clock.now(), rules=RULES)):
        json.loads(body)


def _message(notices: list[Notice]) -> Message:
    return Message(notices=tuple(notices), dropped=1, rules=RULES)

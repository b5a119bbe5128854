"""The responses of all pages, over HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import tracemalloc

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from egressd.model.alert import AlertState, Silence
from egressd.model.notification import Notify, Receiver
from egressd.model.snapshot import ConfigStatus, ReceiverStatus, StateStatus
from egressd.model.verdict import Outcome
from egressd.notify.transport.http import HttpTransport
from egressd.report.saved import from_json, to_json
from egressd.web.api.document import SweepJson
from tests.metrics.snapshots import NOW, Row, finding, make_snapshot, make_sweep
from tests.web.conftest import Start

SWEEP = make_sweep(Row(), Row(host="a.example", outcome=Outcome.BLOCKED))


async def test_metrics_are_negotiated(start: Start) -> None:
    """`/metrics` is plain text by default, OpenMetrics if preferred, gzip if accepted."""
    running = await start(make_snapshot(SWEEP))
    url = running.url("/metrics")
    async with running.session.get(url, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        names = {one.name for one in text_string_to_metric_families(await answer.text())}
        assert {"egressd_target_up", "process_cpu_seconds"} <= names
    wanted = {"Accept": "application/openmetrics-text;version=1.0.0"}
    async with running.session.get(url, headers=wanted, auto_decompress=False) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    status, text = await running.get("/metrics", params=[("name[]", "egressd_profile_up")])
    assert status == 200
    assert {line.split("{")[0] for line in text.splitlines() if line[0] != "#"} == {"egressd_profile_up"}


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("deflate, *;q=0.1", "gzip"),
        ("identity", None),
        ("gzip;q=0, identity", None),
        ("gzip; q=0.000", None),
        ("deflate", None),
        ("*;q=0", None),
        ("", None),
    ],
)
async def test_gzip_is_sent_only_if_accepted(start: Start, accepted: str, coding: str | None) -> None:
    """A response is compressed only if the client accepts it, and has a Vary header."""
    running = await start()
    for path in ("/metrics", "/", "/api/v1/targets"):
        async with running.session.get(
            running.url(path), headers={"Accept-Encoding": accepted}, auto_decompress=False
        ) as answer:
            assert answer.headers.get("Content-Encoding") == coding
            assert answer.headers.getall("Vary")[-1] == "Accept-Encoding"
            assert (await answer.read())[:2] == b"\x1f\x8b" or coding is None


async def test_pages_show_the_current_snapshot(start: Start) -> None:
    """A new snapshot is on the pages at once."""
    running = await start(make_snapshot(SWEEP))
    assert "a.example" in (await running.get("/metrics"))[1]
    running.holder.update(sweep=make_sweep(Row(host="new.example")))
    text = (await running.get("/metrics"))[1]
    assert "new.example" in text
    assert 'host="a.example"' not in text


async def test_ready_after_the_first_sweep(start: Start) -> None:
    """Before the first sweep `/-/ready` and `/api/v1/sweep` answer 503, the latter in JSON."""
    running = await start()
    assert (await running.get("/-/ready"))[0] == 503
    status, text = await running.get("/api/v1/sweep")
    assert (status, "error" in json.loads(text)) == (503, True)
    assert json.loads((await running.get("/api/v1/targets"))[1])["targets"] == []
    assert "Waiting for the first sweep" in (await running.get("/"))[1]
    running.holder.update(sweep=SWEEP)
    assert await running.get("/-/ready") == (200, "egressd is ready\n")


async def test_healthy_until_the_scheduler_stalls(start: Start) -> None:
    """With a stalled scheduler `/-/healthy` is 503, and the status page shows it."""
    running = await start(make_snapshot(SWEEP))
    assert (await running.get("/-/healthy"))[0] == 200
    running.holder.watchdog.due = 0.0
    assert (await running.get("/-/healthy"))[0] == 503
    assert "stalled" in (await running.get("/"))[1]


async def test_the_sweep_is_the_report_of_once(start: Start) -> None:
    """`/api/v1/sweep` is a report that `egressd replay` reads."""
    running = await start(make_snapshot(SWEEP))
    assert from_json((await running.get("/api/v1/sweep"))[1]) == SWEEP.recording


async def test_the_sweep_is_kept_compressed(start: Start) -> None:
    """It is sent as it is kept, or unpacked piece by piece: the text of a large site is never in memory."""
    sweep = make_sweep(*(Row(host=f"host-{number}.example") for number in range(300)))
    running = await start(make_snapshot(sweep))
    for accepted in ("gzip", "identity"):
        headers = {"Accept-Encoding": accepted}
        async with running.session.get(running.url("/api/v1/sweep"), headers=headers) as answer:
            assert await answer.text() == to_json(sweep)
    tracemalloc.start()
    try:
        page = SweepJson().render(sweep)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert b"".join(page.pieces()).decode() == to_json(sweep)
    assert len(page.zipped) < page.size / 10
    assert peak < page.size


async def test_targets_and_alerts(start: Start) -> None:
    """The API lists each target with verdict and belief, and one alert per cause with evidence and advice."""
    rows = [Row(host=f"{name}.example", outcome=Outcome.BLOCKED) for name in "abc"]
    sweep = make_sweep(*rows, Row(), sources=2)
    ids = [one.id for one in sweep.recording.plan.targets]
    running = await start(make_snapshot(sweep, findings=(finding(*ids[:2]),)))
    targets = json.loads((await running.get("/api/v1/targets"))[1])
    assert [one["id"] for one in targets["targets"]] == ids
    seen = targets["targets"][0]["sources"][1]
    assert (seen["source"], seen["standing"]["state"], seen["standing"]["since"]) == (
        "source-1",
        "failing",
        NOW,
    )
    assert seen["last_look"]["reason"] == "tls_reset_after_hello"
    assert (seen["last_look"]["blame_confidence"], seen["last_look"]["suspects"]) == ("medium", [])
    alerts = json.loads((await running.get("/api/v1/alerts"))[1])["alerts"]
    assert [(one["kind"], one["reason"], one["state"]) for one in alerts] == [
        ("finding", "site_port80_blocked", "firing"),
        ("target", "tls_reset_after_hello", "firing"),
        ("target", "tls_reset_after_hello", "firing"),
    ]
    cause, alone, _ = alerts
    assert cause["targets"] == ids[:2]
    assert (cause["blame"], cause["blame_confidence"]) == ("firewall_l3l4", "low")
    assert (alone["severity"], alone["targets"], alone["sources"]) == ("critical", [ids[2]], ["source-0"])
    assert (alone["since"], alone["outcome"], alone["kept_quiet_by"]) == (NOW, "blocked", [])
    assert alone["evidence"]
    assert alone["advice"] == "Allow the name."


async def test_receivers_and_silences(start: Start) -> None:
    """Pages and API list receivers with queue and error, and silences with end and suppressed alerts."""
    hook = Receiver(name="hook", type="webhook", transport=HttpTransport(urls=("https://x.example/secret",)))
    silence = Silence(name="patch", began=NOW, ends="2026-11-20T04:00:00.000Z", reason="new rules", by="ann")
    status = ReceiverStatus(name="hook", waiting=7, failing_since=NOW, why="x.example:443: refused")
    shown = make_snapshot(SWEEP)
    (alert,) = shown.alerts
    silenced = replace(alert, state=AlertState.PENDING, opened=None, suppressed_by=("maintenance/patch",))
    running = await start(
        replace(
            shown,
            settings=replace(shown.settings, notify=Notify(receivers=(hook,))),
            alerts=(silenced,),
            silences=(silence,),
            receivers=(status,),
        )
    )
    page = (await running.get("/"))[1]
    for phrase in ("patch: new rules, opened by ann", "silenced by patch", "hook", "refused"):
        assert phrase in page, phrase
    assert "secret" not in page
    listed = json.loads((await running.get("/api/v1/alerts"))[1])
    assert [(one["state"], one["kept_quiet_by"]) for one in listed["alerts"]] == [
        ("pending", ["maintenance/patch"])
    ]
    assert listed["receivers"][0]["waiting"] == 7
    assert listed["maintenance"][0]["ends"] == "2026-11-20T04:00:00.000Z"
    assert "secret" not in json.dumps(listed)
    text = (await running.get("/metrics"))[1]
    assert 'egressd_notifications_queue_length{receiver="hook"} 7.0' in text
    assert "egressd_maintenance_active 1.0" in text
    assert 'egressd_alerts_firing{severity="critical"} 0.0' in text


async def test_the_status_page_has_cause_advice_and_problems(start: Start) -> None:
    """The status page shows blame, advice and evidence of alerts, a rejected reload and a full disk."""
    snapshot = replace(
        make_snapshot(SWEEP),
        config=ConfigStatus(digest="d", since=NOW, problems=("egressd.yml:3: region: unknown",)),
        state=StateStatus(directory="/var/lib/egressd", problem="No space left on device"),
    )
    running = await start(snapshot)
    status, page = await running.get("/")
    assert status == 200
    wanted = (
        "1 critical alert open: ",
        "tls_reset_after_hello",
        "an L7 firewall (URL, application)",
        "Allow the name.",
        "RST after 517 bytes",
        "egressd.yml:3: region: unknown",
        "No space left on device",
        'href="api/v1/sweep"',
    )
    assert [one for one in wanted if one not in page] == []


async def test_hostile_text_is_escaped(start: Start) -> None:
    """Text from the network is escaped in HTML."""
    evil = "<script>alert(1)</script>"
    snapshot = make_snapshot(SWEEP)
    alerts = tuple(
        replace(one, condition=replace(one.condition, evidence=(evil,), advice=evil, summary=evil))
        for one in snapshot.alerts
    )
    running = await start(replace(snapshot, alerts=alerts))
    async with running.session.get(running.url("/")) as answer:
        page = await answer.text()
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert evil not in page
    assert "&lt;script&gt;" in page


async def test_reload_is_off_by_default(start: Start) -> None:
    """`/-/reload` is off by default."""
    running = await start()
    async with running.session.post(running.url("/-/reload")) as answer:
        assert answer.status == 403
    assert not running.intents.reload_wanted.is_set()
    async with running.session.get(running.url("/-/reload")) as answer:
        assert answer.status == 405


@pytest.mark.parametrize(
    ("problems", "status", "phrase"),
    [((), 200, "reloaded\n"), (("egressd.yml:1: bad",), 500, "not reloaded:\negressd.yml:1: bad\n")],
)
async def test_a_reload_is_answered(
    start: Start, problems: tuple[str, ...], status: int, phrase: str
) -> None:
    """`/-/reload` answers with the outcome of the reload."""
    running = await start(enable_reload=True)

    async def carry_out() -> None:
        await running.intents.reload_wanted.wait()
        for future in running.intents.begin_reload():
            future.set_result(ConfigStatus(digest="d", since=NOW, problems=problems))

    async with asyncio.TaskGroup() as group:
        group.create_task(carry_out())
        async with running.session.put(running.url("/-/reload")) as answer:
            assert (answer.status, await answer.text()) == (status, phrase)


@pytest.mark.parametrize(
    "text",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9.9\r\n\r\n",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
async def test_malformed_requests_are_answered_and_not_logged(
    start: Start, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A malformed request gets 400, and no traceback is logged."""
    running = await start()
    host, _, port = running.server.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
    logging.getLogger("egressd.http").error("a bug", exc_info=ValueError("bug"))
    assert caplog.records[-1].message == "a bug"


async def test_unknown_paths_are_not_found(start: Start) -> None:
    """Unknown paths are 404; unusual requests do not stop the server."""
    running = await start()
    assert (await running.get("/config"))[0] == 404
    assert (await running.get("/../../etc/passwd"))[0] == 404
    host, _, port = running.server.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.")
    writer.close()
    await writer.wait_closed()
    assert (await running.get("/-/healthy"))[0] == 200

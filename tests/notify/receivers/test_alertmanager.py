"""A real Alertmanager: it takes what is pushed, resolves it, and identifies it by the labels we compute."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from egressd import clock
from egressd.model.alert import Alert, AlertName, AlertState, Notice, NoticeKind
from egressd.notify.alertmanager.push import push_alerts
from egressd.notify.content.labels import SENT_BY, fingerprint, labels_of
from egressd.notify.dispatch import deliver
from egressd.notify.result import DeliveryResult
from tests.notify.content.sample import CAUSE, RULES, alert, over
from tests.notify.receivers.schemas import WEBHOOK, check
from tests.notify.transport.servers import Server, answering, http, receiver
from tests.ports import free_port

PROGRAM = "prometheus-alertmanager"
TIMEOUT = 90.0
PREFIX = "/a-prefix"
SETTLED = 6.0
"""Seconds, twice the second peer's wait for the first. As in practice it must be below `group_interval`:
a peer that waits beyond the other's next group notifies again."""
CONFIG = """\
route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 12s, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{port}/', send_resolved: true}}]}}]
"""
pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(
        shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed (Debian's package)"
    ),
]
Found = list[dict[str, Any]]


@dataclass(kw_only=True)
class Pair:
    """A cluster of two Alertmanagers, and the webhook that they notify."""

    urls: tuple[str, str]
    hook: Server

    async def alerts(self, peer: int = 0) -> Found:
        """The firing alerts of a peer."""
        url = f"{self.urls[peer]}/api/v2/alerts"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            found: Found = await answer.json()
            return found

    async def push(self, *alerts: Alert, peer: int = 0, now: datetime | None = None) -> DeliveryResult:
        """Push to one peer."""
        to = receiver("alertmanager", *self.urls)
        return await push_alerts(to, self.urls[peer], alerts, now=now or clock.now(), rules=RULES)


async def until(true: Callable[[], Any], what: str) -> Any:
    """Wait until `true` returns something true."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            found = true()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            await asyncio.sleep(0.1)
    raise AssertionError(what)


@pytest.fixture
def ports() -> tuple[int, ...]:
    return tuple(free_port() for _ in range(4))


@asynccontextmanager
async def running(folder: Path, ports: tuple[int, ...]) -> AsyncIterator[Pair]:
    """Start both peers."""
    web, gossip = ports[:2], ports[2:]
    urls = (f"http://127.0.0.1:{web[0]}{PREFIX}", f"http://127.0.0.1:{web[1]}{PREFIX}")
    async with answering(http("200 OK")) as hook:
        (folder / "alertmanager.yml").write_text(CONFIG.format(port=hook.port))
        with ExitStack() as stack:
            for number in range(2):
                _start(stack, folder, number, web=web[number], gossip=(gossip[number], gossip[1 - number]))
            pair = Pair(urls=urls, hook=hook)
            for url in urls:
                await until(partial(_ready, url), f"{url} is ready")
            yield pair


def _start(stack: ExitStack, folder: Path, number: int, *, web: int, gossip: tuple[int, int]) -> None:
    """Start one peer; `gossip` is its own port and the other's."""
    data = folder / f"data-{number}"
    log = stack.enter_context((folder / f"alertmanager-{number}.log").open("w"))
    command = [
        PROGRAM,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={data}",
        f"--web.listen-address=127.0.0.1:{web}",
        f"--web.route-prefix={PREFIX}",
        f"--cluster.listen-address=127.0.0.1:{gossip[0]}",
        f"--cluster.peer=127.0.0.1:{gossip[1]}",
        "--cluster.settle-timeout=1s",
        "--cluster.peer-timeout=3s",
    ]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.terminate)


async def _ready(url: str) -> bool:
    """Return whether a peer answers and knows the other."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v2/status") as answer:
            cluster = (await answer.json())["cluster"]
            return cluster["status"] == "ready" and len(cluster["peers"]) == 2
    except aiohttp.ClientError:
        return False


@pytest.fixture
async def pair(tmp_path: Path, ports: tuple[int, ...]) -> AsyncIterator[Pair]:
    async with running(tmp_path, ports) as one:
        yield one


def fresh(**fields: Any) -> Alert:
    """An alert that was opened a minute ago."""
    at = clock.timestamp(clock.now() - timedelta(minutes=1))
    return alert(started=at, opened=at, **fields)


async def test_an_alert_fires_changes_and_ends(pair: Pair) -> None:
    """One alert with the computed labels and fingerprint; a new reason ends the old one; then none."""
    opened = fresh()
    assert (await pair.push(opened)) == DeliveryResult(ok=True)
    (found,) = await pair.alerts()
    assert found["labels"] == labels_of(CAUSE, RULES)
    assert found["fingerprint"] == fingerprint(found["labels"])
    assert found["annotations"]["targets"].split("\n") == list(CAUSE.targets)
    ends = datetime.fromisoformat(found["endsAt"]) - clock.now()
    assert timedelta(minutes=7, seconds=30) < ends <= timedelta(minutes=8)
    later = replace(CAUSE, labels=(("reason", "tcp_timeout"),), reason="tcp_timeout")
    assert (await pair.push(replace(opened, condition=later))).ok
    (found,) = await pair.alerts()
    assert found["labels"]["reason"] == "tcp_timeout"
    ended = replace(
        opened, condition=later, notified=later, state=AlertState.RESOLVED, closed=clock.timestamp()
    )
    assert (await pair.push(ended)).ok
    assert await pair.alerts() == []


async def test_an_alert_that_is_kept_quiet_stays_open_at_alertmanager(pair: Pair) -> None:
    """Under maintenance, a suspicion or a cause it still fails: Alertmanager must not say it is mended."""
    opened = fresh()
    assert (await pair.push(opened)).ok
    for by in ("maintenance/x", "suspected", "EgressCause/x"):
        assert (await pair.push(replace(opened, state=AlertState.SUPPRESSED, suppressed_by=(by,)))).ok
        assert len(await pair.alerts()) == 1
    assert (await pair.push(replace(opened, state=AlertState.RESOLVED, closed=clock.timestamp()))).ok
    assert await pair.alerts() == []


async def test_two_peers_notify_once_and_prometheus_ends_nothing(pair: Pair) -> None:
    """Both peers notify once together; a rule's alert with the same facts that is over ends none of ours."""
    opened = fresh()
    labels = {name: value for name, value in labels_of(CAUSE, RULES).items() if name != SENT_BY[0]}
    over_ = {"startsAt": opened.started, "endsAt": clock.timestamp()}
    rule = [{"labels": labels, "annotations": {"summary": "as the rule says"}, **over_}]
    for one in pair.urls:
        url = f"{one}/api/v2/alerts"
        async with aiohttp.ClientSession() as session, session.post(url, json=rule) as answer:
            assert answer.status == 200
    for peer in range(2):
        assert (await pair.push(opened, peer=peer)).ok
        assert len(await pair.alerts(peer)) == 1
    await until(lambda: pair.hook.requests, "the webhook receives the alert")
    await asyncio.sleep(SETTLED)
    (first,) = pair.hook.requests
    document = json.loads(first.body)
    check(WEBHOOK, document)
    assert [one["annotations"]["egressd_alert"] for one in document["alerts"]] == [opened.id]
    assert document["alerts"][0]["fingerprint"] == fingerprint(labels_of(CAUSE, RULES))
    ended = replace(opened, state=AlertState.RESOLVED, closed=clock.timestamp())
    for peer in range(2):
        assert (await pair.push(ended, peer=peer)).ok
    await until(lambda: len(pair.hook.requests) > 1, "the webhook receives the end")
    await asyncio.sleep(SETTLED)
    statuses = [json.loads(one.body)["status"] for one in pair.hook.requests]
    assert statuses == ["firing", "resolved"]
    check(WEBHOOK, json.loads(pair.hook.requests[1].body))


async def test_many_alerts_at_once(pair: Pair) -> None:
    """300 alerts with 50 targets each, in requests of at most 64, are all accepted."""
    targets = tuple(f"endpoint-{n}.example:443" for n in range(50))
    alerts = [
        fresh(condition=replace(CAUSE, labels=(("target", f"t{n}"),), targets=targets), notified=None)
        for n in range(300)
    ]
    assert (await pair.push(*alerts)).ok
    found = await pair.alerts()
    assert {one["labels"]["target"] for one in found} == {f"t{n}" for n in range(300)}


async def test_a_test_reaches_every_peer(pair: Pair) -> None:
    """The alert of `notify test` appears on both peers, and expires."""
    condition = replace(CAUSE, id="EgressdTest", alertname=AlertName.TEST, labels=(), targets=())
    sample = Notice(
        id="t", at=clock.timestamp(), kind=NoticeKind.TEST, alert=fresh(condition=condition, notified=None)
    )
    to = receiver("alertmanager", *pair.urls)
    assert (await deliver(to, (sample,), dropped=0, rules=RULES)).ok
    for peer in range(2):
        assert [one["labels"]["alertname"] for one in await pair.alerts(peer)] == ["EgressdTest"]


async def test_amtool_shows_it(pair: Pair) -> None:
    """`amtool alert query` shows the alert with its severity."""
    if shutil.which("amtool") is None:
        pytest.skip("amtool is not installed (Debian's package prometheus-alertmanager)")
    assert (await pair.push(fresh())).ok
    command = (
        "amtool",
        f"--alertmanager.url={pair.urls[0]}",
        "alert",
        "query",
        "-o",
        "json",
        "severity=critical",
    )
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert [one["labels"]["alertname"] for one in json.loads(done.stdout)] == ["EgressCause"]


async def test_a_refusal_is_shown_and_stops_nothing_else(unused_tcp_port: int) -> None:
    """A peer that refuses one request still gets the others; an unreachable one ends the push."""
    alerts = [alert(condition=replace(CAUSE, labels=(("t", str(n)),)), notified=None) for n in range(100)]
    now = datetime(2026, 11, 21, 4, tzinfo=UTC)
    async with answering(lambda _: http("400 Bad Request", b"bad labels")) as server:
        to = receiver("alertmanager", server.url())
        delivery = await push_alerts(
            to, f"http://127.0.0.1:{server.port}/", tuple(alerts), now=now, rules=RULES
        )
    assert len(server.requests) == 2
    assert all(one.line == "POST /api/v2/alerts HTTP/1.1" for one in server.requests)
    assert (delivery.ok, delivery.retry, "400: bad labels" in delivery.why) == (False, False, True)
    away = f"http://127.0.0.1:{unused_tcp_port}/api/v2/alerts"
    delivery = await push_alerts(to, away, (over(),), now=now, rules=RULES)
    assert delivery.retry

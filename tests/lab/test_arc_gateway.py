"""An Azure Arc gateway in the lab: an Arc proxy on loopback that carries tunnels, and how it fails.

The proxy goes to the gateway as the agent's does: it proves the gateway's name first, and opens no tunnel
without it.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.engine.once import run_once
from egressd.lab import Lab
from egressd.lab.zone import VALUES
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Endpoint, Forwarding
from egressd.model.settings import ARC_ROUTE, ArcGateway
from egressd.model.verdict import Blame, Confidence, Outcome, Sweep, Verdict
from egressd.planning.pattern import pattern_covers
from egressd.report.saved import from_json

PREFIX = VALUES["arc_gateway"]
GATEWAY = f"{PREFIX}.gw.arc.azure.com"
AGENT, EXTENSIONS = "agentserviceapi.guestconfiguration.azure.com", "guestnotificationservice.azure.com"
DIRECT = "gbl.his.arc.azure.com"
ONLY = (AGENT, EXTENSIONS, DIRECT, GATEWAY)
FIREWALLS = {Blame.FIREWALL_L7, Blame.FIREWALL_L3L4}


@dataclass(slots=True)
class ArcProxy:
    """The Arc proxy: CONNECT by HTTP, to servers of the lab."""

    lab: Lab
    answers: Mapping[str, int] = field(default_factory=dict)
    """By host: the status of CONNECT, where it opens no tunnel."""
    asked: list[str] = field(default_factory=list)
    url: str = ""
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for one in self._tasks:
            one.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            place = head.split()[1]
            self.asked.append(place)
            host, _, port = place.rpartition(":")
            status = self.answers.get(host) or (200 if await self._reaches_gateway() else 502)
            if status != 200:
                writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
                return
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await self._carry(reader, writer, self.lab.ports.served[int(port)])
        except (OSError, asyncio.IncompleteReadError):
            return  # the client went
        finally:
            writer.close()

    async def _reaches_gateway(self) -> bool:
        """Return whether the gateway proves its name, by the agent's own connection to it."""
        context = ssl.create_default_context(cafile=str(self.lab.authority.trust_store))
        try:
            _, own = await asyncio.open_connection(
                "127.0.0.1", self.lab.ports.served[443], ssl=context, server_hostname=GATEWAY
            )
        except OSError:
            return False
        own.close()
        return True

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pipe(reader, far_writer))
                group.create_task(_pipe(far_reader, writer))
        finally:
            far_writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@pytest.fixture(scope="module")
def annotated(catalog: Catalog) -> Catalog:
    """The catalog, in which the gateway forwards two names for the agent and must not carry a third."""
    words = {AGENT: Forwarding.FORWARDED, EXTENSIONS: Forwarding.FORWARDED, DIRECT: Forwarding.DIRECT}

    def word(row: Endpoint) -> tuple[tuple[str, Forwarding], ...]:
        found = (word for host, word in words.items() if pattern_covers(row.pattern, host))
        return tuple(("connected-machine", one) for one in found)

    rows = (replace(one, gateway=word(one)) for one in catalog.endpoints)
    return replace(catalog, endpoints=tuple(rows))


@asynccontextmanager
async def arc_proxy(lab: Lab, answers: Mapping[str, int] = MappingProxyType({})) -> AsyncIterator[ArcProxy]:
    proxy = ArcProxy(lab, answers)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()


async def swept(lab: Lab, proxy: ArcProxy, catalog: Catalog) -> Sweep:
    settings = replace(
        lab.settings("connected-machine"),
        only=ONLY,
        arc_gateway=ArcGateway(prefix=PREFIX, proxy=proxy.url),
        values=(("arc_gateway", PREFIX),),
    )
    return await run_once(settings, catalog)


def verdict(sweep: Sweep, host: str) -> Verdict:
    """Return the verdict of the host's target on port 443."""
    targets = {one.id for one in sweep.recording.plan.targets if (one.host, one.port) == (host, 443)}
    (found,) = {one.verdict.reason: one.verdict for one in sweep.verdicts if one.target in targets}.values()
    return found


def suspects(found: Verdict) -> set[Blame]:
    return {one.blame for one in found.suspects}


async def test_what_the_gateway_forwards_goes_through_the_arc_proxy(annotated: Catalog) -> None:
    """And nothing else does; all of it works, and says which way it went."""
    async with Lab(catalog=annotated) as lab, arc_proxy(lab) as proxy:
        sweep = await swept(lab, proxy, annotated)
    assert {one.outcome for one in (verdict(sweep, host) for host in ONLY)} == {Outcome.OK}
    assert set(proxy.asked) == {f"{AGENT}:443", f"{EXTENSIONS}:443"}
    plan = sweep.recording.plan
    assert {one.host: (one.route, plan.path_of(one)) for one in plan.probes if one.host in ONLY} == {
        AGENT: (ARC_ROUTE, proxy.url),
        EXTENSIONS: (ARC_ROUTE, proxy.url),
        DIRECT: (None, "direct"),
        GATEWAY: (None, "direct"),
    }


async def test_a_name_that_the_gateway_does_not_forward(annotated: Catalog) -> None:
    """The gateway's list or the agent is to blame; the firewall is ruled out, and the other name works."""
    async with Lab(catalog=annotated) as lab, arc_proxy(lab, {AGENT: 403}) as proxy:
        sweep = await swept(lab, proxy, annotated)
    denied = verdict(sweep, AGENT)
    assert (denied.outcome, denied.reason) == (Outcome.BLOCKED, "proxy_arc_denied")
    assert suspects(denied) == {Blame.EXPLICIT_PROXY, Blame.AZURE_SERVICE}
    assert {one.blame for one in denied.ruled_out} == {Blame.FIREWALL_L7}
    assert proxy.url in denied.advice
    assert verdict(sweep, EXTENSIONS).outcome is Outcome.OK


async def test_an_agent_that_opens_no_tunnel(annotated: Catalog) -> None:
    """The gateway's own URL and the direct rows work: no firewall is to blame for what it forwards."""
    async with Lab(catalog=annotated) as lab, arc_proxy(lab, {AGENT: 503, EXTENSIONS: 503}) as proxy:
        sweep = await swept(lab, proxy, annotated)
    for host in (AGENT, EXTENSIONS):
        failed = verdict(sweep, host)
        assert failed.reason == "proxy_arc_failed"
        assert not FIREWALLS & suspects(failed)
    assert {verdict(sweep, one).outcome for one in (GATEWAY, DIRECT)} == {Outcome.OK}
    (finding,) = (one for one in sweep.findings if one.reason == "proxy_arc_failed")
    assert proxy.url in finding.title
    assert not FIREWALLS & {one.blame for one in finding.suspects}


async def test_a_gateway_that_is_blocked(annotated: Catalog) -> None:
    """Its own row says where it ends and who can have done it; what it forwards waits for that."""
    fault = f"tls_reset={GATEWAY}"
    async with Lab(catalog=annotated, faults=(fault,)) as lab, arc_proxy(lab) as proxy:
        sweep = await swept(lab, proxy, annotated)
    own = verdict(sweep, GATEWAY)
    assert own.outcome is Outcome.BLOCKED
    assert (own.reason or "").startswith("tls_")
    waiting = verdict(sweep, AGENT)
    assert waiting.reason == "proxy_arc_no_gateway"
    assert waiting.blame_confidence is Confidence.LOW
    assert verdict(sweep, DIRECT).outcome is Outcome.OK


async def test_an_arc_proxy_that_is_gone(annotated: Catalog) -> None:
    """Nothing takes the connection on this host: the host's own agent is at fault, and nobody else."""
    async with Lab(catalog=annotated) as lab:
        async with arc_proxy(lab) as proxy:
            pass
        sweep = await swept(lab, proxy, annotated)
    gone = verdict(sweep, AGENT)
    assert (gone.reason, gone.blame, gone.blame_confidence) == (
        "proxy_arc_unreachable",
        Blame.LOCAL_HOST,
        Confidence.CONFIRMED,
    )
    assert verdict(sweep, GATEWAY).outcome is Outcome.OK


FORWARDED, NOT_FORWARDED = "dp.stackhci.azure.com", "login.microsoftonline.com"
"""Hosts of Azure Local, as the package's own catalog has them."""


async def run(path: Path, *words: str) -> tuple[int | None, str]:
    """Run the program; return its exit code and what it printed."""
    command = (sys.executable, "-m", "egressd", *words, "--config.file", str(path))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_the_program_with_a_gateway(catalog: Catalog, tmp_path: Path) -> None:
    """The report says of each row which way it went and why; a replay says the same."""
    path = tmp_path / "egressd.yml"
    only = [word for host in (FORWARDED, NOT_FORWARDED, GATEWAY) for word in ("--only", host)]
    async with Lab(catalog=catalog, region="eastus") as lab, arc_proxy(lab) as proxy:
        lab.write_config(path, "azure-local")
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document |= {"arc_gateway": f"https://{GATEWAY}", "arc_proxy": proxy.url}
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        code, out = await run(path, "--once", "--format", "json", *only)
        _, without = await run(path, "plan", "--arc-gateway", "none", "--only", FORWARDED)
    report = json.loads(out)
    shown = {
        one["host"]: (one["outcome"], one["gateway"]["word"], one["route"], one["by_source"][0]["path"])
        for one in report["targets"]
        if one["port"] == 443
    }
    assert code == 0
    assert shown == {
        FORWARDED: ("ok", "forwarded", ARC_ROUTE, proxy.url),
        NOT_FORWARDED: ("ok", "direct", None, "direct"),
        GATEWAY: ("ok", "direct", None, "direct"),
    }
    assert report["plan"]["arc_gateway"] == GATEWAY
    assert [one["proxy"]["url"] for one in report["plan"]["routes"]] == [proxy.url]
    assert judge(from_json(out)).verdicts
    assert FORWARDED in without
    assert "gateway" not in without

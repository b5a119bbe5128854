"""The lab as a whole: opens everything on loopback, knows its ports, and tells egressd about them.

What goes wrong before a name is spoken (a refused or dropped SYN, a dead time server) can't be chosen
by the server: for that, `connect_to` leads the host to another port. All the rest follows the faults
that are on at the moment.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType, TracebackType
from typing import Self

from egressd import clock
from egressd.catalog import load_catalog
from egressd.errors import ConfigError, UsageError
from egressd.lab.authority import Authority
from egressd.lab.dns import Resolver, serve_dns
from egressd.lab.faults import Layer, Switch, Switchboard, parse_switch
from egressd.lab.faults.console import obey
from egressd.lab.http import serve_http
from egressd.lab.ntp import ANSWERS, honest, serve_ntp
from egressd.lab.pages import Answer, Request, Site
from egressd.lab.setup import Ports, Setup, render_config, replace_file
from egressd.lab.tls import TlsServer
from egressd.lab.wire import LOOPBACK, Harbour, Stream, Wire, closed_port, silent_port
from egressd.lab.zone import his_hosts, region_values, relays, zone_of
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Protocol
from egressd.model.settings import Settings, Trust

SKEW = timedelta(hours=1)
SILENT = (LOOPBACK, "127.0.0.2", "127.0.0.3", "127.0.0.4")
"""Where silence is: as many addresses as it takes to be sure that everything is silent."""
DEFAULT_REGION = "westeurope"
DEFAULT_PROFILES = ("resource-bridge", "connected-machine")
HTTPS_PORTS = frozenset({443})
HTTP_PORTS = frozenset({80})
"""Ports served even where the catalog has no row for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the catalog's ports speak, by the documented port."""

    tls: tuple[int, ...]
    http: tuple[int, ...]
    tcp: tuple[int, ...]


def services_of(catalog: Catalog) -> Services:
    """Sort the catalog's TCP ports by what is spoken on them; where rows differ, TLS wins."""
    rows = catalog.endpoints
    tls = HTTPS_PORTS | {row.port for row in rows if row.protocol.encrypted}
    http = (HTTP_PORTS | {row.port for row in rows if row.protocol is Protocol.HTTP}) - tls
    tcp = {row.port for row in rows if row.protocol is Protocol.TCP} - tls - http
    return Services(tls=tuple(sorted(tls)), http=tuple(sorted(http)), tcp=tuple(sorted(tcp)))


@dataclass(slots=True, kw_only=True)
class Lab:
    """A simulated Azure on loopback, to be entered with `async with`."""

    faults: Iterable[str | Switch] = ()
    catalog: Catalog = field(default_factory=load_catalog)
    region: str = DEFAULT_REGION
    cloud: Cloud = Cloud.PUBLIC
    port_base: int = 0
    """The first of the ports to listen on; 0 takes free ones."""
    board: Switchboard = field(init=False, default_factory=Switchboard)
    authority: Authority = field(init=False)
    ports: Ports = field(init=False)
    services: Services = field(init=False)
    _stack: AsyncExitStack = field(init=False)
    _next_port: int = field(init=False, default=0)
    _config: tuple[Path, tuple[str, ...], Mapping[str, str]] | None = field(init=False, default=None)

    async def __aenter__(self) -> Self:
        self.board.set(_read(self.faults))
        self.services = services_of(self.catalog)
        self._next_port = self.port_base
        self._stack = AsyncExitStack()
        try:
            directory = self._stack.enter_context(TemporaryDirectory(prefix="egressd-lab-"))
            self.authority = Authority(Path(directory), now=self.now)
            self.ports = self._open(await _open_harbour(self._stack))
        except OSError as error:
            await self._stack.aclose()
            raise UsageError(f"cannot open the lab's ports on 127.0.0.1: {error}") from error
        self._settle()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def now(self) -> datetime:
        """Return the time in the lab's world."""
        return clock.now() + (SKEW if self.board.world("skew") else timedelta())

    def set_faults(self, faults: Iterable[str | Switch]) -> None:
        """Switch on these faults and no others, at once.

        Raises:
            UsageError: one of them can't be read; nothing has changed then.
        """
        self.board.set(_read(faults))
        self._settle()

    def apply(self, command: str) -> str:
        """Carry out `on FAULT=HOST`, `off [FAULT]`, `show` or `list`, and return what to print."""
        switches, said = obey(command, self.board.switches)
        if switches != self.board.switches:
            self.set_faults(switches)
        return said

    def settings(self, *profiles: str, values: Mapping[str, str] = MappingProxyType({})) -> Settings:
        """Return settings for a sweep of the lab as it is now."""
        trust = Trust(store=str(self.authority.trust_store), public_roots=str(self.authority.public_roots))
        setup = Setup(
            ports=self.ports,
            board=self.board,
            catalog=self.catalog,
            trust=trust,
            region=self.region,
            cloud=self.cloud,
        )
        return setup.settings(profiles=profiles or DEFAULT_PROFILES, values=values)

    def write_config(
        self, path: Path, *profiles: str, values: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Write an egressd.yml for the lab, and again whenever faults change.

        Raises:
            ConfigError: the file can't be written.
        """
        try:
            replace_file(path, render_config(self.settings(*profiles, values=values)))
        except OSError as error:
            raise ConfigError((f"cannot write {path}: {error.strerror}",)) from error
        self._config = (path, profiles, values)

    def _settle(self) -> None:
        """Let certificates follow the lab's clock, and the configuration file the routes."""
        young = self.board.world("skew")
        if young != self.authority.young:
            self.authority.young = young
            self.authority.forget()
        if self._config is not None:
            path, profiles, values = self._config
            self.write_config(path, *profiles, values=values)

    def _open(self, harbour: Harbour) -> Ports:
        zone = zone_of(self.catalog, region=self.region, cloud=self.cloud)
        first = serve_dns(harbour, Resolver(zone, self.board), self._port())
        second = serve_dns(harbour, Resolver(zone, self.board, second=True), self._port())
        return Ports(
            dns=first,
            second_dns=second,
            served=self._open_services(harbour),
            ntp={
                act: serve_ntp(harbour, answer, self.now, self._port())
                for act, answer in {"": honest, **ANSWERS}.items()
            },
            closed=closed_port(socket.SOCK_STREAM, harbour.keep),
            silent={address: silent_port(harbour.keep, address) for address in SILENT},
            reset=harbour.listen(_reset),
            udp_closed=closed_port(socket.SOCK_DGRAM, harbour.keep),
        )

    def _open_services(self, harbour: Harbour) -> dict[int, int]:
        site = self._site()
        served: dict[int, int] = {}
        for port in self.services.tls:
            server = TlsServer(self.authority, self.board, port, _Inside(site=site, board=self.board))
            served[port] = harbour.listen(server.talk, self._port())
        for port in self.services.http:
            served[port] = harbour.listen(_Plain(site=site, board=self.board, port=port), self._port())
        for port in self.services.tcp:
            served[port] = harbour.listen(Wire.hold, self._port())
        return served

    def _port(self) -> int:
        """Return the next port to listen on; 0 lets the kernel choose."""
        if not self.port_base:
            return 0
        self._next_port += 1
        return self._next_port - 1

    def _site(self) -> Site:
        values = region_values(self.catalog, region=self.region, cloud=self.cloud)
        return Site(
            now=self.now,
            relays=relays(self.region, self.cloud),
            his_host=his_hosts(values, self.cloud)[1],
            issuing_certificate=self.authority.issuing_certificate,
            revocation_list=self.authority.revocation_list,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inside:
    """HTTP inside TLS: the server name decides which host is meant."""

    site: Site
    board: Switchboard

    async def __call__(self, stream: Stream, host: str, port: int, alpn: str | None) -> None:
        act = self.board.act(Layer.HTTP, host, port)
        await serve_http(
            stream, alpn, lambda request: self.site.answer(request, host=host, port=port, act=act)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plain:
    """HTTP in clear: the Host header decides."""

    site: Site
    board: Switchboard
    port: int

    async def __call__(self, wire: Wire) -> None:
        await serve_http(wire, None, self._answer)

    def _answer(self, request: Request) -> Answer:
        host = request.headers.get("host", "").partition(":")[0].lower()
        act = self.board.act(Layer.HTTP, host, self.port)
        return self.site.answer(request, host=host, port=self.port, act=act)


async def _reset(wire: Wire) -> None:
    wire.reset()


async def _open_harbour(stack: AsyncExitStack) -> Harbour:
    """Open a harbour that stops its tasks first and closes its sockets last."""
    group = asyncio.TaskGroup()
    harbour = Harbour(group)
    stack.callback(harbour.close)
    await stack.enter_async_context(group)
    stack.callback(harbour.stop)
    return harbour


def _read(faults: Iterable[str | Switch]) -> tuple[Switch, ...]:
    return tuple(one if isinstance(one, Switch) else parse_switch(one) for one in faults)

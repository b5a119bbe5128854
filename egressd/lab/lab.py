"""The lab: opens all servers on loopback, and gives egressd the settings for them.

A fault before any name is sent (a refused or dropped SYN, an NTP server) can't be chosen by the server: there
`connect_to` leads the host to another port. All other faults act at once.
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

from msgspec import Struct

from egressd import clock
from egressd.catalog import load_catalog
from egressd.errors import ConfigError, UsageError
from egressd.lab.authority import CertificateAuthority
from egressd.lab.dns import LabResolver, serve_dns
from egressd.lab.faults import ActiveFaults, Layer, Switch, parse_switch
from egressd.lab.faults.console import run_command
from egressd.lab.http import serve_http
from egressd.lab.ntp import FAULTY_ANSWERS, correct, serve_ntp
from egressd.lab.responses import LabRequest, LabResponse, Responder
from egressd.lab.settings import Ports, build_settings, render_config, replace_file
from egressd.lab.sockets import (
    LOOPBACK,
    ServerGroup,
    ServerStream,
    TcpConnection,
    blackhole_port,
    closed_port,
)
from egressd.lab.tls import LabTlsServer
from egressd.lab.zone import (
    PUBLIC_NETWORK,
    USUAL_REGIONS,
    build_zone,
    expected_files,
    his_hosts,
    lab_values,
    region_values,
    relay_hosts,
)
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Protocol
from egressd.model.settings import DEFAULT_PROFILES, Settings, Trust

SKEW = timedelta(hours=1)
BLACKHOLE_ADDRESSES = (LOOPBACK, "127.0.0.2", "127.0.0.3", "127.0.0.4")
"""Addresses that drop packets: several, so that egressd can tell a blocked network from a dead server."""
HTTPS_PORTS = frozenset({443})
HTTP_PORTS = frozenset({80})
"""Ports that are served even without a row in the catalog."""


class Services(Struct, frozen=True, kw_only=True):
    """The documented ports by protocol."""

    tls: tuple[int, ...]
    http: tuple[int, ...]
    tcp: tuple[int, ...]


def sort_ports(catalog: Catalog) -> Services:
    """Sort the TCP ports of the catalog by protocol; where rows differ, TLS wins."""
    rows = [(row.port, row.protocol) for row in catalog.endpoints if row.port and row.last_port is None]
    tls = HTTPS_PORTS | {port for port, protocol in rows if protocol.encrypted}
    http = (HTTP_PORTS | {port for port, protocol in rows if protocol is Protocol.HTTP}) - tls
    tcp = {port for port, protocol in rows if protocol is Protocol.TCP} - tls - http
    return Services(tls=tuple(sorted(tls)), http=tuple(sorted(http)), tcp=tuple(sorted(tcp)))


@dataclass(slots=True, kw_only=True)
class Lab:
    """A simulated Azure on loopback; enter it with `async with`."""

    faults: Iterable[str | Switch] = ()
    catalog: Catalog = field(default_factory=load_catalog)
    region: str = USUAL_REGIONS[Cloud.PUBLIC]
    cloud: Cloud = Cloud.PUBLIC
    port_base: int = 0
    """The first port to listen on; 0: free ones."""
    active: ActiveFaults = field(init=False, default_factory=ActiveFaults)
    authority: CertificateAuthority = field(init=False)
    ports: Ports = field(init=False)
    services: Services = field(init=False)
    _stack: AsyncExitStack = field(init=False)
    _next_port: int = field(init=False, default=0)
    _config: tuple[Path, tuple[str, ...], Mapping[str, str]] | None = field(init=False, default=None)

    async def __aenter__(self) -> Self:
        self.active.set(_parse_switches(self.faults))
        self.services = sort_ports(self.catalog)
        self._next_port = self.port_base
        self._stack = AsyncExitStack()
        try:
            directory = self._stack.enter_context(TemporaryDirectory(prefix="egressd-lab-"))
            self.authority = CertificateAuthority(Path(directory), now=self.now)
            self.ports = self._open_ports(await _open_servers(self._stack))
        except OSError as error:
            await self._stack.aclose()
            raise UsageError(f"cannot open the lab's ports on 127.0.0.1: {error}") from error
        self._apply_changes()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def now(self) -> datetime:
        """Return the current time in the lab."""
        return clock.now() + (SKEW if self.active.has_global("skew") else timedelta())

    def set_faults(self, faults: Iterable[str | Switch]) -> None:
        """Switch on these faults, and all others off, at once.

        Raises:
            UsageError: one of them can't be parsed; nothing has changed then.
        """
        self.active.set(_parse_switches(faults))
        self._apply_changes()

    def apply(self, command: str) -> str:
        """Run `on FAULT=HOST`, `off [FAULT]`, `show` or `list`; return the output."""
        switches, output = run_command(command, self.active.switches)
        if switches != self.active.switches:
            self.set_faults(switches)
        return output

    @property
    def values(self) -> Mapping[str, str]:
        """A value for every placeholder of the catalog that operators fill in; the lab serves these hosts."""
        return lab_values(self.catalog)

    def settings(self, *profiles: str, values: Mapping[str, str] = MappingProxyType({})) -> Settings:
        """Return settings for a sweep of the lab with its current faults."""
        trust = Trust(
            store=str(self.authority.trust_store),
            public_roots=str(self.authority.public_roots),
            public_networks=(PUBLIC_NETWORK,),
        )
        return build_settings(
            ports=self.ports,
            active=self.active,
            catalog=self.catalog,
            trust=trust,
            region=self.region,
            cloud=self.cloud,
            profiles=profiles or DEFAULT_PROFILES,
            values=values,
        )

    def write_config(
        self, path: Path, *profiles: str, values: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Write an egressd.yml for the lab, now and whenever the faults change.

        Raises:
            ConfigError: the file can't be written.
        """
        try:
            replace_file(path, render_config(self.settings(*profiles, values=values)))
        except OSError as error:
            raise ConfigError((f"cannot write {path}: {error.strerror}",)) from error
        self._config = (path, profiles, values)

    def _apply_changes(self) -> None:
        """Apply changed faults to the certificates and the configuration file."""
        freshly_issued = self.active.has_global("skew")
        if freshly_issued != self.authority.freshly_issued:
            self.authority.freshly_issued = freshly_issued
            self.authority.clear_contexts()
        if self._config is not None:
            path, profiles, values = self._config
            self.write_config(path, *profiles, values=values)

    def _open_ports(self, servers: ServerGroup) -> Ports:
        zone = build_zone(self.catalog, region=self.region, cloud=self.cloud)
        first = serve_dns(servers, LabResolver(zone, self.active), self._next_listen_port())
        second = serve_dns(servers, LabResolver(zone, self.active, second=True), self._next_listen_port())
        return Ports(
            dns=first,
            second_dns=second,
            served=self._open_services(servers),
            ntp={
                effect: serve_ntp(servers, answer, self.now, self._next_listen_port())
                for effect, answer in {"": correct, **FAULTY_ANSWERS}.items()
            },
            closed=closed_port(socket.SOCK_STREAM, servers.own),
            blackhole={address: blackhole_port(servers.own, address) for address in BLACKHOLE_ADDRESSES},
            reset=servers.listen(_reset),
            udp_closed=closed_port(socket.SOCK_DGRAM, servers.own),
        )

    def _open_services(self, servers: ServerGroup) -> dict[int, int]:
        responder = self._responder()
        served: dict[int, int] = {}
        for port in self.services.tls:
            server = LabTlsServer(
                self.authority, self.active, port, _HttpsService(responder=responder, active=self.active)
            )
            served[port] = servers.listen(server.serve, self._next_listen_port())
        for port in self.services.http:
            served[port] = servers.listen(
                _HttpService(responder=responder, active=self.active, port=port), self._next_listen_port()
            )
        for port in self.services.tcp:
            served[port] = servers.listen(TcpConnection.wait_for_close, self._next_listen_port())
        return served

    def _next_listen_port(self) -> int:
        """Return the next port to listen on; 0: the kernel chooses."""
        if not self.port_base:
            return 0
        self._next_port += 1
        return self._next_port - 1

    def _responder(self) -> Responder:
        values = region_values(self.catalog, region=self.region, cloud=self.cloud)
        return Responder(
            now=self.now,
            relay_hosts=relay_hosts(self.region, self.cloud),
            his_host=his_hosts(values, self.cloud)[1],
            issuing_certificate=self.authority.issuing_certificate,
            revocation_list=self.authority.revocation_list,
            files=expected_files(self.catalog),
        )


class _HttpsService(Struct, frozen=True, kw_only=True):
    """HTTP inside TLS: the host is the server name."""

    responder: Responder
    active: ActiveFaults

    async def __call__(self, stream: ServerStream, host: str, port: int, alpn: str | None) -> None:
        effect = self.active.effect(Layer.HTTP, host, port)
        await serve_http(
            stream, alpn, lambda request: self.responder.answer(request, host=host, port=port, effect=effect)
        )


class _HttpService(Struct, frozen=True, kw_only=True):
    """HTTP in cleartext: the host is the Host header."""

    responder: Responder
    active: ActiveFaults
    port: int

    async def __call__(self, connection: TcpConnection) -> None:
        await serve_http(connection, None, self._answer)

    def _answer(self, request: LabRequest) -> LabResponse:
        host = request.headers.get("host", "").partition(":")[0].lower()
        effect = self.active.effect(Layer.HTTP, host, self.port)
        return self.responder.answer(request, host=host, port=self.port, effect=effect)


async def _reset(connection: TcpConnection) -> None:
    connection.reset()


async def _open_servers(stack: AsyncExitStack) -> ServerGroup:
    """Open a server group; on exit its tasks stop first and its sockets close last."""
    group = asyncio.TaskGroup()
    servers = ServerGroup(group)
    stack.callback(servers.close)
    await stack.enter_async_context(group)
    stack.callback(servers.stop)
    return servers


def _parse_switches(faults: Iterable[str | Switch]) -> tuple[Switch, ...]:
    return tuple(one if isinstance(one, Switch) else parse_switch(one) for one in faults)

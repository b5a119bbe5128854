"""The lab as a whole: it opens, gives egressd its settings, changes while it runs, and closes."""

from __future__ import annotations

import asyncio
import os
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from egressd import clock
from egressd.config import Flags, load_settings
from egressd.errors import ConfigError, UsageError
from egressd.lab import DEMO, Lab
from egressd.lab.leaf import LeafKind
from egressd.lab.sockets import LOOPBACK
from egressd.lab.zone import VALUES, build_zone
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud
from egressd.model.plan import ControlKind, Plan
from egressd.model.settings import Settings
from egressd.planning import make_plan


def plan_of(lab: Lab, settings: Settings) -> Plan:
    return make_plan(lab.catalog, settings, label="egressd-probe-00000000")


@pytest.mark.parametrize("cloud", ["public", "usgov", "china"])
async def test_nothing_of_a_plan_leaves_loopback(catalog: Catalog, cloud: str) -> None:
    """Every probe, control and resolver of every profile and cloud is on 127.0.0.1."""
    region = {"public": "westeurope", "usgov": "usgovvirginia", "china": "chinanorth2"}[cloud]
    async with Lab(catalog=catalog, cloud=Cloud(cloud), region=region, faults=DEMO) as lab:
        settings = lab.settings("resource-bridge", "connected-machine", "scvmm", values=VALUES)
        plan = plan_of(lab, settings)
        assert len(plan.probes) > 10
        led = {one.connect_to.address if one.connect_to else None for one in plan.probes}
        assert {one for one in led if one is None or not ip_address(one).is_loopback} == set()
        dialled = [one for one in plan.controls if one.kind is not ControlKind.SIBLING_NAME]
        assert [one.address for one in dialled] == [LOOPBACK, LOOPBACK]
        assert {one.address for one in plan.controls if one not in dialled} <= {None}  # at every resolver
        assert {one.address for one in plan.resolvers} == {LOOPBACK}


async def test_every_planned_host_exists(catalog: Catalog) -> None:
    """Every planned name is in the zone, except random labels."""
    async with Lab(catalog=catalog) as lab:
        plan = plan_of(lab, lab.settings("resource-bridge", "connected-machine", "scvmm", values=VALUES))
        zone = build_zone(catalog, region=lab.region, cloud=lab.cloud)
        named = {one.host for one in plan.probes if not one.siblings and one.host != LOOPBACK}
        assert {host for host in named if not zone.exists(host)} == set()
        assert not zone.exists("egressd-probe-00000000.his.arc.azure.com")


async def test_route_faults(catalog: Catalog) -> None:
    """The host gets another port, for the given port only; others are unchanged."""
    async with Lab(catalog=catalog, faults=("tcp_refused=mcr.microsoft.com",)) as lab:
        led = {one.host: one.connect_to for one in plan_of(lab, lab.settings()).probes}
        assert (refused := led["mcr.microsoft.com"]) is not None
        assert refused.port == lab.ports.closed
        assert (fine := led["graph.microsoft.com"]) is not None
        assert fine.port == lab.ports.served[443]
        lab.set_faults(("tcp_silent=*:80", "ntp_kiss=time.windows.com"))
        probes = plan_of(lab, lab.settings()).probes
        ports = {(one.port, one.connect_to.port) for one in probes if one.connect_to}
        assert {at for port, at in ports if port == 80} <= set(lab.ports.blackhole.values())
        assert (443, lab.ports.served[443]) in ports
        assert (123, lab.ports.ntp["ntp_kiss"]) in ports


async def test_configuration_file(catalog: Catalog, tmp_path: Path) -> None:
    """It is read by egressd, and equals the lab's settings."""
    path = tmp_path / "lab.yml"
    async with Lab(catalog=catalog, faults=DEMO) as lab:
        lab.write_config(path, "resource-bridge", "scvmm", values=VALUES)
        read = load_settings(path, Flags())
        ours = lab.settings("resource-bridge", "scvmm", values=VALUES)
        for name in (
            "region",
            "cloud",
            "profiles",
            "resolvers",
            "trust",
            "limits",
            "connect_to",
            "overrides",
        ):
            assert getattr(read, name) == getattr(ours, name), name
        assert dict(read.values) == dict(ours.values)


async def test_the_configuration_file_follows_the_faults(catalog: Catalog, tmp_path: Path) -> None:
    """A changed route rewrites the file atomically: a daemon may reload it."""
    path = tmp_path / "lab.yml"
    async with Lab(catalog=catalog) as lab:
        lab.write_config(path)
        assert "mcr.microsoft.com" not in path.read_text()
        lab.apply("on tcp_refused=mcr.microsoft.com")
        assert load_settings(path, Flags()).connect_to == lab.settings().connect_to
        assert "mcr.microsoft.com:443" in path.read_text()
        assert not (tmp_path / ".lab.yml.new").exists()


async def test_unwritable_configuration_file(catalog: Catalog, tmp_path: Path) -> None:
    """The message names the file."""
    async with Lab(catalog=catalog) as lab:
        with pytest.raises(ConfigError, match=r"lab\.yml"):
            lab.write_config(tmp_path / "no" / "lab.yml")


async def test_invalid_faults_change_nothing(catalog: Catalog) -> None:
    """An error in the second leaves the first as it was."""
    async with Lab(catalog=catalog, faults=("tls_reset=a.example",)) as lab:
        with pytest.raises(UsageError):
            lab.set_faults(("tls_fin=b.example", "nonsense=*"))
        assert [str(one) for one in lab.active.switches] == ["tls_reset=a.example"]
        assert lab.apply("on nonsense=*").startswith("cannot ")
        assert lab.apply("show") == "tls_reset=a.example"


def good_leaf(lab: Lab) -> x509.Certificate:
    """Issue a leaf."""
    (leaf, *_), _ = lab.authority.issue("a.example", LeafKind.GOOD)
    return x509.load_der_x509_certificate(leaf)


async def test_clock_skew(catalog: Catalog) -> None:
    """The lab's time is ahead, and certificates are younger than the difference."""
    async with Lab(catalog=catalog) as lab:
        before = lab.authority.context("a.example", LeafKind.GOOD)
        lab.apply("on clock_skew=*")
        assert 3500 < (lab.now() - clock.now()).total_seconds() < 3700
        assert lab.authority.context("a.example", LeafKind.GOOD) is not before
        leaf = good_leaf(lab)
        assert clock.now() < leaf.not_valid_before_utc < lab.now()
        lab.apply("off")
        leaf = good_leaf(lab)
        assert leaf.not_valid_before_utc < clock.now()


async def test_port_base(catalog: Catalog) -> None:
    """With a base every port is known; one that is in use is a usage error."""
    base = 21000 + 50 * (os.getpid() % 100)  # below the ports the kernel hands out
    async with Lab(catalog=catalog, port_base=base) as lab:
        assert lab.ports.dns == base
        with pytest.raises(UsageError, match=r"127\.0\.0\.1"):
            async with Lab(catalog=catalog, port_base=base):
                pass


async def test_closing_frees_everything(catalog: Catalog) -> None:
    """Ports refuse, files are gone, and no task is left, even with a client connected."""
    async with Lab(catalog=catalog, faults=("tls_silence=*",)) as lab:
        ports, store = lab.ports, lab.authority.trust_store
        _, writer = await asyncio.open_connection(LOOPBACK, ports.served[443])
        writer.write(b"\x16\x03\x01")
        await asyncio.sleep(0.05)
        assert store.exists()
    writer.close()
    assert not store.exists()
    assert len(asyncio.all_tasks()) == 1
    for port in ports.served.values():
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, port)


async def test_exceptions_are_not_wrapped(catalog: Catalog) -> None:
    """A failing body does not raise an exception group."""
    with pytest.raises(ZeroDivisionError):
        async with Lab(catalog=catalog):
            1 / 0  # noqa: B018 - raises on purpose

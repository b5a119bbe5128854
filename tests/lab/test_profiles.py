"""Every profile of the catalog, in every cloud where it exists, is served by the lab."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.engine.once import run_once
from egressd.lab import Lab
from egressd.lab.lab import sort_ports
from egressd.lab.zone import build_zone, lab_values, usual_region
from egressd.model.endpoint import Cloud, Need
from egressd.model.settings import THIS_HOST, Settings
from egressd.model.verdict import Outcome, Sweep
from egressd.planning import make_plan
from egressd.planning.placeholder import placeholders, regional_placeholders
from egressd.planning.region import absent_products
from egressd.planning.select import select

CATALOG = load_catalog()
NAMES = sorted(one.name for one in CATALOG.profiles if one.name != THIS_HOST)
"""The rows of this host are not in the catalog: `tests/cli/test_profiles.py` has a lab with some."""
SWEPT: dict[str, Sweep] = {}
"""A sweep by its region, which several tests look at."""
SERVED = {Outcome.OK, Outcome.DEGRADED}
"""A busy machine may delay a packet; what is not served fails."""


def exists(profile: str, region: str, cloud: Cloud) -> bool:
    return not any(True for _ in absent_products(CATALOG, [profile], region=region, cloud=cloud))


def cases() -> Iterator[tuple[str, Cloud]]:
    for cloud in Cloud:
        for name in NAMES:
            if exists(name, usual_region(CATALOG, cloud, [name]), cloud):
                yield name, cloud


@cache
def companions(cloud: Cloud, region: str) -> tuple[str, ...]:
    """Return the profiles that share a sweep: those whose usual region this is."""
    return tuple(
        name
        for name in NAMES
        if usual_region(CATALOG, cloud, [name]) == region and exists(name, region, cloud)
    )


async def sweep_of(cloud: Cloud, region: str) -> Sweep:
    """Sweep all the profiles of a region at once: what they share is probed once."""
    if region not in SWEPT:
        async with Lab(catalog=CATALOG, cloud=cloud, region=region) as lab:
            settings = lab.settings(*companions(cloud, region), values=lab.values)
            SWEPT[region] = await run_once(settings, CATALOG)
    return SWEPT[region]


@pytest.mark.parametrize(("profile", "cloud"), tuple(cases()), ids=str)
async def test_every_row_is_served_or_said_to_be_unsampleable(profile: str, cloud: Cloud) -> None:
    """No row is lost, what is sampled is reachable, and no value, region or answer of a call is missing."""
    region = usual_region(CATALOG, cloud, [profile])
    sweep = await sweep_of(cloud, region)
    plan = sweep.recording.plan
    rows = {
        row.endpoint.id for row in select(CATALOG, Settings(cloud=cloud, region=region, profiles=(profile,)))
    }
    assert rows
    outcomes = {one.target: one.verdict.outcome for one in sweep.verdicts}
    sampled = {one.endpoint for one in plan.targets}
    unsampled = {one.endpoint: one.why for one in plan.unsampled}
    assert rows <= sampled | unsampled.keys()
    for target in plan.targets:
        if target.endpoint in rows:
            assert outcomes[target.id] in SERVED, (target.id, outcomes[target.id])
    for name in rows & unsampled.keys():
        assert not any(word in unsampled[name] for word in ("needs", "failed", "not documented")), name
    required = {one.endpoint for one in plan.targets if one.need is Need.REQUIRED}
    assert {one.endpoint for one in plan.unsampled if one.need is Need.REQUIRED} & required == set()


def test_every_value_that_operators_give_is_filled_in() -> None:
    """A server gets a name of the lab's own domain, a part of a name gets a label."""
    values = lab_values(CATALOG)
    names = {name for one in CATALOG.endpoints for text in one.written_hosts for name in placeholders(text)}
    assert values.keys() == names - regional_placeholders(CATALOG) - {"resolver"}
    assert values["replication_appliance"] == "replication-appliance.lab.test"
    assert values["workspace"] == "egressd-lab"
    assert values["scvmm_server"] == "vmm01.lab.test"


@pytest.mark.parametrize(
    ("cloud", "profiles", "region"),
    [
        (Cloud.PUBLIC, (), "westeurope"),
        (Cloud.USGOV, ("connected-machine",), "usgovvirginia"),
        (Cloud.CHINA, ("machine-configuration",), "chinaeast2"),
    ],
)
def test_usual_region(cloud: Cloud, profiles: tuple[str, ...], region: str) -> None:
    """Each cloud has one, and it is given up where a product is not offered there."""
    assert usual_region(CATALOG, cloud, profiles) == region


@pytest.mark.parametrize("cloud", Cloud)
def test_every_region_has_its_hosts_and_ports(cloud: Cloud) -> None:
    """Whatever is planned in a region is a name of the lab and a port that it opens."""
    regional = [
        row for row in CATALOG.endpoints if row.regions or any("{" in text for text in row.written_hosts)
    ]
    catalog = replace(CATALOG, endpoints=tuple(regional))
    services = sort_ports(CATALOG)
    ports = {*services.tls, *services.http, *services.tcp, 53, 123}
    for region in (one.name for one in CATALOG.regions if one.cloud is cloud):
        zone = build_zone(CATALOG, region=region, cloud=cloud)
        settings = Settings(
            cloud=cloud,
            region=region,
            profiles=tuple(name for name in NAMES if exists(name, region, cloud)),
            values=tuple(lab_values(CATALOG).items()),
        )
        probes = make_plan(catalog, settings, label="egressd-probe-0").probes
        assert {one.host for one in probes if not one.siblings and not zone.exists(one.host)} == set()
        assert {one.port for one in probes} <= ports

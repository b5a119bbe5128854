"""Every profile can be planned and asked for in every cloud and region in which it exists."""

from __future__ import annotations

from functools import cache

import pytest

from egressd.catalog import load_catalog
from egressd.catalog.export import firewall_rules
from egressd.firewall import Leg
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Need
from egressd.model.settings import THIS_HOST, Proxy, Resolver, Settings
from egressd.planning import make_plan
from egressd.planning.region import place_problem

RESOLVERS = (Resolver(name="10.0.0.53", address="10.0.0.53"),)


@cache
def shipped() -> Catalog:
    """Load the catalog once."""
    return load_catalog()


LISTED = [profile for profile in shipped().profiles if profile.name != THIS_HOST]
"""Profiles with rows in the catalog: those of this host are read from its own files."""
PLACES = [(profile.name, cloud) for profile in LISTED for cloud in Cloud]


def regions(profile: str, cloud: Cloud) -> list[Settings]:
    """Return settings for the cloud without a region, and for each region in which the profile exists."""
    names = [None, *(one.name for one in shipped().regions if one.cloud is cloud)]
    places = [Settings(region=name, cloud=cloud, profiles=(profile,), resolvers=RESOLVERS) for name in names]
    return [one for one in places if place_problem(shipped(), one) is None]


@pytest.mark.parametrize(("profile", "cloud"), PLACES)
def test_what_is_planned_is_what_is_asked_for(profile: str, cloud: Cloud) -> None:
    """Each row of the plan, probed or not, is a rule, and each rule is a row of the plan."""
    for settings in regions(profile, cloud):
        plan = make_plan(shipped(), settings, label="egressd-probe-0")
        rows = {one.endpoint for one in plan.targets} | {one.endpoint for one in plan.unsampled}
        rules = firewall_rules(shipped(), settings)
        assert rows == {row for rule in rules for row in rule.endpoints}
        assert rows
        for rule in rules:
            assert "{" not in rule.destination
            assert rule.ports or rule.transport == "ICMP"


@pytest.mark.parametrize(("profile", "cloud"), PLACES)
def test_what_is_probed_twice_is_probed_once(profile: str, cloud: Cloud) -> None:
    """Rows with the same host, port, protocol and path share a probe, whatever profile they are of."""
    for settings in regions(profile, cloud)[-1:]:
        plan = make_plan(shipped(), settings, label="egressd-probe-0")
        asked = [(one.host, one.port, one.protocol, one.url_path, one.expect) for one in plan.probes]
        assert len(asked) == len(set(asked))


@pytest.mark.parametrize(("profile", "cloud"), PLACES)
def test_by_a_proxy_everything_is_asked_for_as_well(profile: str, cloud: Cloud) -> None:
    """Two lists lose nothing: what is not direct is asked for from the proxy."""
    for settings in regions(profile, cloud)[-1:]:
        proxy = Proxy(url="http://proxy.corp.example:3128")
        proxied = Settings(
            region=settings.region, cloud=cloud, profiles=(profile,), resolvers=RESOLVERS, proxy=proxy
        )
        both = firewall_rules(shipped(), proxied)
        kept = {(one.destination, one.ports, one.transport) for one in both if one.leg is not Leg.TO_PROXY}
        direct = firewall_rules(shipped(), settings)
        assert kept == {(one.destination, one.ports, one.transport) for one in direct}


def test_every_profile_is_for_somebody() -> None:
    """Each says for whom it is, and has a row in some cloud; conditional rows say on what."""
    for profile in LISTED:
        rows = [one for one in shipped().endpoints if one.profile == profile.name]
        assert rows or profile.includes, profile.name
        assert profile.audience, profile.name
        for row in rows:
            assert row.need is not Need.CONDITIONAL or row.condition, row.id

"""From rows to targets, probes and controls, as tables of expected results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.errors import UsageError
from egressd.model.catalog import Catalog, Discovery
from egressd.model.endpoint import (
    Cloud,
    Endpoint,
    Expect,
    Inspection,
    Need,
    Protocol,
    Role,
    SampleKind,
    Samples,
)
from egressd.model.plan import ControlKind, ControlPlan, Plan, Probe
from egressd.model.settings import ConnectTo, Family, Limits, Override, Proxy, Resolver, Settings, Source
from egressd.planning import calls_needed, make_plan
from egressd.planning.controls import MOST_PORTS, base_controls
from egressd.planning.placeholder import is_host

Make = Callable[..., Endpoint]

LABEL = "egressd-probe-0badcafe"
LOCAL = (Resolver(name="10.0.0.53", address="10.0.0.53"),)
BRIDGE = Settings(region="westeurope", profiles=("bridge",))


def plan(catalog: Catalog, changed: Settings = BRIDGE, **more: Any) -> Plan:
    return make_plan(catalog, changed, **({"label": LABEL, "nameservers": LOCAL} | more))


def hosts(made: Plan) -> list[tuple[str, str, SampleKind]]:
    return [(one.endpoint, one.host, one.sample) for one in made.targets]


def only_rows(catalog: Catalog, *rows: Endpoint) -> Catalog:
    return replace(catalog, endpoints=rows)


# --- rows ---------------------------------------------------------------------------------------------


def test_targets_of_a_profile_in_order(catalog: Catalog) -> None:
    """Rows stand in file order, samples in the order of their kinds, the random one last."""
    assert hosts(plan(catalog)) == [
        ("b-dns", "10.0.0.53", SampleKind.GIVEN),
        ("b-arm", "management.example", SampleKind.EXACT),
        ("b-his", "gbl.his.example", SampleKind.DOCUMENTED),
        ("b-his", "weu.his.example", SampleKind.TEMPLATED),
        ("b-his", f"{LABEL}.his.example", SampleKind.RANDOM),
        ("b-obo", "westeurope.obo.example", SampleKind.TEMPLATED),
    ]


def test_target_ids_are_stable(catalog: Catalog) -> None:
    """An id names row, host and port; the random label is not part of it."""
    ids = [one.id for one in plan(catalog).targets]
    assert ids == [
        "b-dns/10.0.0.53:53",
        "b-arm/management.example:443",
        "b-his/gbl.his.example:443",
        "b-his/weu.his.example:443",
        "b-his/*.his.example:443",
        "b-obo/westeurope.obo.example:8084",
    ]
    assert [one.id for one in plan(catalog, label="egressd-probe-11111111").targets] == ids


def test_an_included_profile_comes_along(catalog: Catalog) -> None:
    """Own rows first, then the included ones; each names the selected profiles that need it."""
    made = plan(
        catalog, replace(BRIDGE, profiles=("vmm", "bridge"), values=(("server", "vmm.corp.example"),))
    )
    assert (made.targets[0].endpoint, made.targets[0].profiles) == ("v-server", ("vmm",))
    assert {one.profiles for one in made.targets[1:]} == {("vmm", "bridge")}


def test_an_unknown_profile_is_refused(catalog: Catalog) -> None:
    """A typing mistake gets a suggestion instead of an empty plan."""
    with pytest.raises(UsageError, match="cannot find the profile 'brigde': did you mean bridge\\?"):
        plan(catalog, Settings(profiles=("brigde",)))
    with pytest.raises(UsageError, match="cannot find the profile 'x': known are bridge, machine, vmm"):
        plan(catalog, Settings(profiles=("x",)))


def test_rows_of_another_cloud_are_left_out(catalog: Catalog) -> None:
    """Rows of another cloud are not planned."""
    made = plan(catalog, Settings(cloud=Cloud.USGOV, profiles=("machine",)))
    assert [one.endpoint for one in made.targets] == ["m-gov"]


def test_the_operator_s_rows_come_last_and_for_every_role(catalog: Catalog, row: Make) -> None:
    """A row without roles is for every role; its host is given, whatever the cloud."""
    own = row("own", "VMM.corp.example.", profile="", roles=(), internal=True, clouds=tuple(Cloud))
    made = plan(catalog, Settings(profiles=(), cloud=Cloud.CHINA, endpoints=(own,)))
    (target,) = made.targets
    assert (target.host, target.sample, target.roles) == ("vmm.corp.example", SampleKind.GIVEN, tuple(Role))
    assert (target.profiles, target.internal) == ((), True)


def test_an_id_that_is_taken_is_refused(catalog: Catalog, row: Make) -> None:
    """Two rows with one id could not be distinguished in a report."""
    with pytest.raises(UsageError, match="cannot use the endpoint id b-arm twice"):
        plan(catalog, replace(BRIDGE, endpoints=(row("b-arm", "x.example"),)))


# --- placeholders -------------------------------------------------------------------------------------


def whys(made: Plan) -> dict[str, str]:
    return {one.endpoint: one.why for one in made.unsampled}


def test_without_a_region_everything_else_is_planned(catalog: Catalog) -> None:
    """Only what needs a region waits for it, and a note says which rows those are."""
    made = plan(catalog, Settings(profiles=("bridge",)))
    assert [one.host for one in made.targets if one.sample is not SampleKind.RANDOM] == [
        "10.0.0.53",
        "management.example",
        "gbl.his.example",
    ]
    assert whys(made) == {"b-obo": "needs `region`"}
    assert "no region is given: not or only partly sampled are b-his, b-obo" in made.notes


def test_a_code_that_is_not_documented(catalog: Catalog) -> None:
    """A region without a HIS code is not guessed at; discovery may still name the host."""
    samples = Samples(templated=("{his}.his.example",), discovered="his-region")
    rows = only_rows(catalog, replace(catalog.endpoints[2], samples=samples))
    central = replace(BRIDGE, region="centralus")
    unknown = "HIS code of region centralus is not documented"
    assert whys(plan(rows, central)) == {
        "b-his": f"{unknown}; discovery his-region is called when a sweep begins"
    }
    failed = Discovery(name="his-region", hosts=(), note="the request to gbl.his.example failed: tcp timeout")
    assert whys(plan(rows, central, discoveries=(failed,))) == {
        "b-his": f"{unknown}; discovery his-region failed: {failed.note}"
    }
    found = Discovery(name="his-region", hosts=("scus.his.example",))
    made = plan(rows, central, discoveries=(found,))
    assert hosts(made) == [("b-his", "scus.his.example", SampleKind.DISCOVERED)]
    assert made.coverage[0].note == ""


def test_a_region_the_catalog_does_not_know(catalog: Catalog) -> None:
    """Names are still made from it, and decide nothing."""
    made = plan(catalog, replace(BRIDGE, region="moonbase"))
    obo = next(one for one in made.targets if one.host == "moonbase.obo.example")
    assert (obo.sample, obo.need) == (SampleKind.DERIVED, Need.OPTIONAL)
    assert "region moonbase is not in the catalog: names made from it decide nothing" in made.notes


def test_values_of_the_operator(catalog: Catalog) -> None:
    """A missing value is named in a note; several values are several hosts."""
    vmm = replace(BRIDGE, profiles=("vmm",))
    assert whys(plan(catalog, vmm)) == {"v-server": "needs values: server"}
    two = replace(vmm, values=(("server", "vmm01.corp.example"), ("server", "VMM02.corp.example")))
    assert hosts(plan(catalog, two))[:2] == [
        ("v-server", "vmm01.corp.example", SampleKind.GIVEN),
        ("v-server", "vmm02.corp.example", SampleKind.GIVEN),
    ]
    address = replace(vmm, values=(("server", "fd00::5"),))
    assert plan(catalog, address).targets[0].id == "v-server/[fd00::5]:443"


def test_a_value_that_is_no_host(catalog: Catalog) -> None:
    """A URL in place of a name is noted, not looked up."""
    made = plan(catalog, replace(BRIDGE, profiles=("vmm",), values=(("server", "https://vmm01"),)))
    assert whys(made) == {"v-server": "'https://vmm01' is not a host name"}


def test_the_operator_s_value_wins(catalog: Catalog) -> None:
    """A code the operator knows replaces the catalog's."""
    made = plan(catalog, replace(BRIDGE, values=(("his", "xyz"),)))
    assert ("b-his", "xyz.his.example", SampleKind.GIVEN) in hosts(made)
    assert "weu.his.example" not in [one.host for one in made.targets]


def test_a_sample_the_pattern_does_not_cover_is_left_out(catalog: Catalog) -> None:
    """A value with a dot in it must not lead out of the wildcard."""
    made = plan(catalog, replace(BRIDGE, values=(("his", "a.b"),)))
    assert "a.b.his.example" not in [one.host for one in made.targets]
    assert "a.b.his.example is outside the pattern" in made.coverage[0].note


@pytest.mark.parametrize(
    ("resolvers", "nameservers", "expected"),
    [
        ((Resolver(name="system"),), LOCAL, ["10.0.0.53:53"]),
        ((Resolver(name="a", address="10.0.0.1", port=5353), Resolver(name="system")), LOCAL,
         ["10.0.0.1:5353", "10.0.0.53:53"]),
        ((Resolver(name="system"), Resolver(name="10.0.0.53", address="10.0.0.53")), LOCAL, ["10.0.0.53:53"]),
        ((Resolver(name="v6", address="fd00::53"),), (), ["[fd00::53]:53"]),
    ],
)  # fmt: skip
def test_each_resolver_is_a_target(
    catalog: Catalog,
    resolvers: tuple[Resolver, ...],
    nameservers: tuple[Resolver, ...],
    expected: list[str],
) -> None:
    """The row for DNS stands for every server that is asked, at its own port, once."""
    made = plan(catalog, replace(BRIDGE, resolvers=resolvers), nameservers=nameservers)
    assert [one.id for one in made.targets if one.protocol is Protocol.DNS] == [
        f"b-dns/{one}" for one in expected
    ]


def test_no_nameserver_known(catalog: Catalog) -> None:
    """Without the system's servers the row says so."""
    assert whys(plan(catalog, nameservers=()))["b-dns"] == "the name servers of this host are not known"


def test_udp_cannot_be_verified(catalog: Catalog, row: Make) -> None:
    """Silence proves nothing for a protocol that egressd does not implement."""
    made = plan(only_rows(catalog, row("x", "x.example", protocol=Protocol.UDP)))
    assert whys(made) == {"x": "UDP without a known protocol can't be verified"}
    assert made.probes == ()


# --- discovered and random samples --------------------------------------------------------------------


def machine(catalog: Catalog, found: tuple[str, ...]) -> Plan:
    return plan(
        catalog, replace(BRIDGE, profiles=("machine",)), discoveries=(Discovery(name="relays", hosts=found),)
    )


def test_discovered_hosts_outside_the_pattern_are_left_out(catalog: Catalog) -> None:
    """The service names hosts that an `azgn*` rule would not let through: noted, not probed."""
    made = machine(catalog, ("azgn-1.bus.example", "g0-prod.bus.example", "AZGN-1.bus.example"))
    assert ("m-relay", "azgn-1.bus.example", SampleKind.DISCOVERED) in hosts(made)
    assert [one.host for one in made.targets if one.endpoint == "m-relay"] == ["azgn-1.bus.example"]
    assert made.coverage[0].note == "1 names from discovery relays are outside the pattern"


def test_a_long_list_is_sampled_evenly(catalog: Catalog) -> None:
    """Eight of many hosts stand for all, always the same ones, over the whole list."""
    found = tuple(f"azgn-{number:03}.bus.example" for number in range(80))
    made = machine(catalog, tuple(reversed(found)))
    chosen = [one.host for one in made.targets if one.endpoint == "m-relay"]
    assert chosen == [f"azgn-{number:03}.bus.example" for number in range(0, 80, 10)]
    assert made.coverage[0].note == "8 of 80 discovered hosts are probed"


def test_a_discovered_host_that_is_known_already(catalog: Catalog) -> None:
    """A host keeps the first kind it came by and is probed once."""
    found = Discovery(name="his-region", hosts=("weu.his.example",))
    made = plan(catalog, discoveries=(found,))
    assert hosts(made) == hosts(plan(catalog))


def test_no_call_in_this_cloud(catalog: Catalog) -> None:
    """A cloud without the call says that, not that it failed."""
    row = replace(catalog.endpoints[2], clouds=(Cloud.USGOV,))
    made = plan(
        only_rows(catalog, row), Settings(profiles=("bridge",), cloud=Cloud.USGOV, region="usgovvirginia")
    )
    assert made.coverage[0].note == "discovery his-region failed: no call is documented for cloud usgov"


def test_a_random_label_decides_no_exit_code(catalog: Catalog, row: Make) -> None:
    """It borrows addresses, is optional, and expects no particular answer."""
    samples = Samples(documented=("a.x.example", "b.x.example"), random=True)
    wild = row(
        "w",
        "*.x.example",
        samples=samples,
        need=Need.CONDITIONAL,
        condition="c",
        expect=Expect(status=(200,)),
    )
    made = plan(only_rows(catalog, wild))
    target, probe = made.targets[-1], made.probes[-1]
    assert (target.need, target.condition, target.expect) == (Need.OPTIONAL, None, Expect())
    assert (target.pattern, target.host) == ("*.x.example", f"{LABEL}.x.example")
    assert probe.siblings == ("a.x.example", "b.x.example")
    assert probe.id == "default|https://*.x.example:443/"
    assert [one.siblings for one in made.probes[:-1]] == [(), ()]


def test_a_random_label_may_borrow_from_another_row(catalog: Catalog, row: Make) -> None:
    """Any host of the plan that the wildcard covers lends its address."""
    wild = row("w", "*.x.example", samples=Samples(random=True))
    made = plan(only_rows(catalog, wild, row("other", "a.x.example")))
    assert made.probes[0].siblings == ("a.x.example",)


def test_a_random_label_may_borrow_from_the_apex(catalog: Catalog, row: Make) -> None:
    """Where nothing below a wildcard is known, the bare domain's front end stands in."""
    wild = row("w", "*.x.example", samples=Samples(random=True))
    made = plan(only_rows(catalog, wild, row("apex", "x.example")))
    assert made.probes[0].siblings == ("x.example",)


def test_a_random_label_without_siblings(catalog: Catalog, row: Make) -> None:
    """Without any known host there is no address to send it to, and a note says so."""
    made = plan(only_rows(catalog, row("w", "*.x.example", samples=Samples(random=True))))
    assert made.targets == ()
    assert whys(made) == {
        "w": "no host of the pattern is known, so there is no address to send a random name to"
    }


def test_a_random_label_inside_a_label(catalog: Catalog, row: Make) -> None:
    """`azgn*` keeps its prefix."""
    wild = row("w", "azgn*.x.example", samples=Samples(documented=("azgn-1.x.example",), random=True))
    assert plan(only_rows(catalog, wild)).targets[-1].host == f"azgn{LABEL}.x.example"


def test_a_region_inside_a_wildcard(catalog: Catalog, row: Make) -> None:
    """A pattern is filled before its samples are held against it."""
    wild = row("w", "*.{region}.x.example", samples=Samples(templated=("a.{region}.x.example",), random=True))
    made = plan(only_rows(catalog, wild))
    assert [one.id for one in made.targets] == [
        "w/a.westeurope.x.example:443",
        "w/*.westeurope.x.example:443",
    ]


def test_coverage_has_a_line_per_wildcard(catalog: Catalog) -> None:
    """Kinds and hosts of what is probed; the reason where nothing is."""
    made = plan(catalog, replace(BRIDGE, profiles=("bridge", "machine")))
    his, relay = made.coverage
    assert (his.endpoint, his.pattern) == ("b-his", "*.his.example")
    assert his.kinds == (SampleKind.DOCUMENTED, SampleKind.TEMPLATED, SampleKind.RANDOM)
    assert his.hosts == ("gbl.his.example", "weu.his.example")
    assert (relay.kinds, relay.hosts) == ((), ())
    assert relay.note == whys(made)["m-relay"] == "discovery relays is called when a sweep begins"


# --- overrides and only -------------------------------------------------------------------------------


def test_overrides_change_rows_and_single_hosts(catalog: Catalog) -> None:
    """By id, pattern or host; the last word wins."""
    overrides = (
        Override(match="b-*", inspection=Inspection.FORBIDDEN),
        Override(match="*.HIS.example", need=Need.OPTIONAL),
        Override(match="gbl.his.example", path="/connectivitytest", expect=Expect(status=(200,))),
        Override(match="b-arm", need=Need.OPTIONAL),
        Override(match="b-arm", need=Need.REQUIRED),
    )
    made = {one.id: one for one in plan(catalog, replace(BRIDGE, overrides=overrides)).targets}
    assert {one.inspection for one in made.values()} == {Inspection.FORBIDDEN}
    assert made["b-his/gbl.his.example:443"].path == "/connectivitytest"
    assert made["b-his/gbl.his.example:443"].expect == Expect(status=(200,))
    assert made["b-his/weu.his.example:443"].path == "/"
    assert made["b-his/weu.his.example:443"].need is Need.OPTIONAL
    assert made["b-arm/management.example:443"].need is Need.REQUIRED


def test_skipped_rows_and_hosts_are_named(catalog: Catalog) -> None:
    """What an override leaves out is not silently gone."""
    overrides = (Override(match="b-arm", skip=True), Override(match="weu.his.example", skip=True))
    made = plan(catalog, replace(BRIDGE, overrides=overrides))
    assert not {"management.example", "weu.his.example"} & {one.host for one in made.targets}
    assert "skipped by an override: b-arm, b-his (weu.his.example)" in made.notes


def test_an_override_without_a_match_is_noted(catalog: Catalog) -> None:
    """A typing mistake is pointed out; a row of another cloud is no mistake."""
    overrides = (Override(match="b-amr", skip=True), Override(match="m-gov", skip=True))
    notes = plan(catalog, replace(BRIDGE, overrides=overrides)).notes
    assert "the override for b-amr matches nothing" in notes
    assert not any("m-gov" in note for note in notes)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (("b-arm",), ["b-arm/management.example:443"]),
        (("gbl.*",), ["b-his/gbl.his.example:443"]),
        (
            ("*.his.example",),
            ["b-his/gbl.his.example:443", "b-his/weu.his.example:443", "b-his/*.his.example:443"],
        ),
        (
            ("b-obo", "MANAGEMENT.example."),
            ["b-arm/management.example:443", "b-obo/westeurope.obo.example:8084"],
        ),
    ],
)
def test_only(catalog: Catalog, only: tuple[str, ...], expected: list[str]) -> None:
    """`--only` keeps rows by id or pattern, or single hosts of them."""
    made = plan(catalog, replace(BRIDGE, only=only))
    assert [one.id for one in made.targets] == expected
    assert {name for probe in made.probes for name in probe.targets} == set(expected)


def test_only_without_a_match_is_refused(catalog: Catalog) -> None:
    """An empty sweep would end in exit code 0."""
    with pytest.raises(UsageError, match="cannot find an endpoint for --only nothing\\*"):
        plan(catalog, replace(BRIDGE, only=("b-arm", "nothing*")))


def test_only_keeps_the_reason_why_a_row_is_not_probed(catalog: Catalog) -> None:
    """A row selected by name that can't be sampled says why."""
    made = plan(catalog, Settings(profiles=("bridge",), only=("b-obo",)))
    assert (made.targets, whys(made)) == ((), {"b-obo": "needs `region`"})


# --- probes -------------------------------------------------------------------------------------------

APPLIANCE = Source(name="appliance", address="10.20.0.11", roles=(Role.APPLIANCE,))
MACHINE = Source(name="machine", address="10.20.0.12", roles=(Role.MACHINE,))


def test_a_host_needed_twice_is_probed_once(catalog: Catalog) -> None:
    """One conversation answers for both rows."""
    made = plan(catalog, replace(BRIDGE, profiles=("bridge", "machine")))
    (probe,) = [one for one in made.probes if one.host == "management.example"]
    assert probe.targets == ("b-arm/management.example:443", "m-arm/management.example:443")


def test_each_source_probes_what_its_roles_need(catalog: Catalog) -> None:
    """A row is probed from every source that has one of its roles, and from no other."""
    two = replace(BRIDGE, profiles=("bridge", "machine"), sources=(APPLIANCE, MACHINE))
    made = plan(catalog, two)
    seen = {(one.source, name) for one in made.probes for name in one.targets}
    assert ("appliance", "b-arm/management.example:443") in seen
    assert ("machine", "m-arm/management.example:443") in seen
    assert ("machine", "b-arm/management.example:443") not in seen
    assert len([one for one in made.probes if one.host == "management.example"]) == 2


def test_a_role_without_a_source(catalog: Catalog) -> None:
    """A row without a source is listed with that reason, and a source without targets is named."""
    made = plan(catalog, replace(BRIDGE, sources=(MACHINE,)))
    assert set(whys(made).values()) == {"no source has the role appliance"}
    assert made.probes == ()
    assert "nothing is probed from source machine: no target has one of its roles" in made.notes


def test_different_expectations_are_different_probes(catalog: Catalog, row: Make) -> None:
    """Another path or expected answer is another conversation, with an id of its own."""
    rows = (
        row("a", "x.example"),
        row("b", "x.example", paths=("/b",)),
        row("c", "x.example", expect=Expect(status=(200,))),
        row("d", "x.example"),
    )
    made = plan(only_rows(catalog, *rows))
    assert [(one.id, len(one.targets)) for one in made.probes] == [
        ("default|https://x.example:443/", 2),
        ("default|https://x.example:443/b", 1),
        ("default|https://x.example:443/#2", 1),
    ]


def test_ids_of_other_protocols_have_no_path(catalog: Catalog) -> None:
    """A datagram has no path to name."""
    made = plan(catalog, replace(BRIDGE, profiles=("machine",)))
    assert [one.id for one in made.probes if one.protocol is Protocol.NTP] == [
        "default|ntp://time.example:123"
    ]


@pytest.mark.parametrize(
    ("protocol", "host", "expected"),
    [
        (Protocol.HTTPS, "x.example", True),
        (Protocol.HTTP, "x.example", True),
        (Protocol.WSS, "x.example", True),
        (Protocol.TLS, "x.example", True),
        (Protocol.TCP, "x.example", False),
        (Protocol.NTP, "x.example", False),
        (Protocol.DNS, "x.example", False),
        (Protocol.HTTPS, "a.corp.example", False),
        (Protocol.HTTPS, "10.1.1.1", False),
    ],
)
def test_what_goes_through_the_proxy(
    catalog: Catalog, row: Make, protocol: Protocol, host: str, expected: bool
) -> None:
    """What programs send through a proxy, unless the bypass list names it."""
    proxy = Proxy(url="http://proxy.example:3128", bypass=(".corp.example", "10.0.0.0/8"))
    made = plan(only_rows(catalog, row("x", host, protocol=protocol)), replace(BRIDGE, proxy=proxy))
    (probe,) = made.probes
    assert probe.via_proxy is expected
    assert probe.id.endswith("|proxy") is expected


def test_internal_hosts_behind_a_proxy_are_pointed_out(catalog: Catalog) -> None:
    """The appliance would ask the proxy for them too, which the documents forbid."""
    vmm = replace(BRIDGE, profiles=("vmm",), values=(("server", "vmm.corp.example"),))
    made = plan(catalog, replace(vmm, proxy=Proxy(url="http://proxy.example:3128")))
    assert (
        "internal hosts would go through the proxy; `proxy.bypass` should name vmm.corp.example" in made.notes
    )


def test_connect_to(catalog: Catalog) -> None:
    """The first entry that names host and port redirects the dial."""
    first, second = (
        ConnectTo(match="gbl.his.example:443", address="127.0.0.1", port=1),
        ConnectTo(match="*:443", address="127.0.0.2", port=2),
    )
    made = plan(catalog, replace(BRIDGE, connect_to=(first, second)))
    to = {one.host: one.connect_to for one in made.probes}
    assert to == {
        "10.0.0.53": None,
        "management.example": second,
        "gbl.his.example": first,
        "weu.his.example": second,
        f"{LABEL}.his.example": second,
        "westeurope.obo.example": None,
    }


# --- controls -----------------------------------------------------------------------------------------


def unused_address_controls(made: Plan) -> list[ControlPlan]:
    """The controls to addresses that no host has."""
    return [one for one in made.controls if one.kind is not ControlKind.SIBLING_NAME]


def control_places(made: Plan) -> list[tuple[str, ControlKind, str | None, int]]:
    return [(one.source, one.kind, one.address, one.port) for one in unused_address_controls(made)]


def nxdomain_names(made: Plan) -> list[tuple[str, str]]:
    """The names that can't exist, and the sources they are queried from."""
    return [(one.source, one.host) for one in made.controls if one.kind is ControlKind.SIBLING_NAME]


def test_each_source_has_its_controls(catalog: Catalog) -> None:
    """One connection and one query to unused addresses per source."""
    made = plan(catalog, replace(BRIDGE, sources=(APPLIANCE, MACHINE)))
    assert control_places(made) == [
        ("appliance", ControlKind.TESTNET_TCP, "192.0.2.1", 443),
        ("appliance", ControlKind.TESTNET_DNS, "192.0.2.53", 53),
        ("machine", ControlKind.TESTNET_TCP, "192.0.2.1", 443),
        ("machine", ControlKind.TESTNET_DNS, "192.0.2.53", 53),
    ]
    assert len({one.id for one in made.controls}) == len(made.controls)
    assert {one.subject for one in made.controls} == {""}


def bare_probe(port: int, source: str = "appliance") -> Probe:
    """Return a probe that asks for a connection and nothing else."""
    return Probe(
        id=f"{source}|tcp://vmm01.corp.example:{port}",
        host="vmm01.corp.example",
        port=port,
        protocol=Protocol.TCP,
        source=source,
        targets=(),
    )


def test_ports_of_bare_connections_are_tried_at_unused_addresses() -> None:
    """A device may accept everything on some ports or in one family only: each is tried where it matters."""
    settings = replace(BRIDGE, sources=(APPLIANCE, MACHINE))
    controls, _ = base_controls(settings, [bare_probe(8443), bare_probe(5986), bare_probe(443)])
    more = [(one.source, one.address, one.port) for one in controls if one.port not in (53, 443)]
    assert more == [("appliance", "192.0.2.1", 5986), ("appliance", "192.0.2.1", 8443)]
    assert len({one.id for one in controls}) == len(controls)


def test_an_unused_ipv6_address_is_tried_for_bare_connections_only() -> None:
    """A source that can use IPv6 may reach them over it."""
    settings = replace(BRIDGE, sources=(Source(name="appliance"),))
    controls, _ = base_controls(settings, [bare_probe(443)])
    assert [one.address for one in controls] == ["192.0.2.1", "192.0.2.53", "2001:db8:ffff::1"]


def test_ports_of_bare_connections_are_limited() -> None:
    """Many ports of one server do not make a port scan."""
    settings = replace(BRIDGE, sources=(APPLIANCE,))
    controls, _ = base_controls(settings, [bare_probe(8000 + number) for number in range(50)])
    assert len(controls) == 2 + MOST_PORTS


def test_random_names_in_two_zones_are_queried(catalog: Catalog) -> None:
    """Each source queries every resolver for the random label in two unrelated zones of the plan."""
    made = plan(catalog, replace(BRIDGE, sources=(APPLIANCE, MACHINE)))
    names = [f"{LABEL}.his.example", f"{LABEL}.obo.example"]
    assert nxdomain_names(made) == [(source, name) for source in ("appliance", "machine") for name in names]
    assert {one.address for one in made.controls if one.kind is ControlKind.SIBLING_NAME} == {None}


@pytest.mark.parametrize(
    "changed",
    [
        {"only": ("b-his",)},
        {"only": ("b-his", "b-arm")},
        {"profiles": ("vmm",), "values": (("server", "vmm01.corp.example"),), "only": ("b-his", "v-server")},
        {"proxy": Proxy(url="http://proxy.example:3128")},
    ],
)
def test_one_zone_has_no_nxdomain_controls(catalog: Catalog, changed: dict[str, Any]) -> None:
    """One zone may hold a wildcard record, the operator's own anything; a proxy resolves names itself."""
    assert nxdomain_names(plan(catalog, replace(BRIDGE, **changed))) == []


@pytest.mark.parametrize("match", ["192.0.2.1:443", "192.0.2.1:*"])
def test_a_control_can_be_redirected(catalog: Catalog, match: str) -> None:
    """An entry that names the control's address moves it; the rest of it stays."""
    before = plan(catalog).controls[0]
    to = ConnectTo(match=match, address="127.0.0.9", port=9)
    after = plan(catalog, replace(BRIDGE, connect_to=(to,))).controls[0]
    assert after == replace(before, address="127.0.0.9", port=9)


def test_a_redirect_of_everything_is_not_for_controls(catalog: Catalog) -> None:
    """A control redirected to the operator's relay would show that everything is accepted."""
    to = ConnectTo(match="*:443", address="10.0.0.9", port=10443)
    assert plan(catalog, replace(BRIDGE, connect_to=(to,))).controls == plan(catalog).controls


LAB = replace(
    BRIDGE,
    resolvers=(Resolver(name="127.0.0.1:5353", address="127.0.0.1", port=5353),),
    connect_to=(ConnectTo(match="*", address="127.0.0.1", port=10443),),
)


def test_controls_of_a_lab_stay_on_loopback(catalog: Catalog) -> None:
    """In a lab only redirected controls run: the network around it is not tested."""
    made = plan(catalog, LAB)
    assert unused_address_controls(made) == []
    assert "everything is redirected to this host: controls that would leave it are not run" in made.notes
    own = ConnectTo(match="192.0.2.53:53", address="127.0.0.1", port=5300)
    (control,) = unused_address_controls(plan(catalog, replace(LAB, connect_to=(*LAB.connect_to, own))))
    assert (control.kind, control.address, control.port) == (ControlKind.TESTNET_DNS, "127.0.0.1", 5300)


@pytest.mark.parametrize(
    "changed",
    [
        {"resolvers": (Resolver(name="system"),)},
        {"connect_to": (ConnectTo(match="*:443", address="127.0.0.1", port=10443),)},
        {"connect_to": (ConnectTo(match="*.example:*", address="10.0.0.1", port=10443),)},
        {"proxy": Proxy(url="http://10.0.0.9:3128")},
    ],
)
def test_one_probe_that_leaves_the_host_needs_controls(catalog: Catalog, changed: dict[str, Any]) -> None:
    """One probe or resolver that leaves the host is enough to want the controls."""
    assert len(unused_address_controls(plan(catalog, replace(LAB, **changed)))) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"sources": (Source(name="six", address="fd00::1"),)},
        {"limits": Limits(families=(Family.IPV6,))},
    ],
)
def test_a_source_without_ipv4_has_no_control_address(catalog: Catalog, changed: dict[str, Any]) -> None:
    """The control addresses are IPv4; a note says that they can't be used."""
    made = plan(catalog, replace(BRIDGE, **changed))
    assert unused_address_controls(made) == []
    assert any("a source without IPv4 has no control address" in note for note in made.notes)


# --- the whole ----------------------------------------------------------------------------------------


def test_the_plan_has_the_settings_of_probing(catalog: Catalog) -> None:
    """Settings that steer probing are part of the plan, so that a recording explains itself."""
    given = replace(BRIDGE, proxy=Proxy(url="http://proxy.example:3128"), digest="c" * 64)
    made = plan(catalog, given)
    assert (made.region, made.cloud, made.config_digest) == ("westeurope", "public", "c" * 64)
    assert (made.catalog_revision, made.catalog_digest) == ("2026-11-20", "d" * 64)
    assert (made.sources, made.resolvers, made.trust, made.limits, made.proxy) == (
        given.sources,
        given.resolvers,
        given.trust,
        given.limits,
        given.proxy,
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, [("his-region", Cloud.PUBLIC)]),
        ({"region": None}, []),
        ({"profiles": ("bridge", "machine")}, [("his-region", Cloud.PUBLIC), ("relays", Cloud.PUBLIC)]),
        ({"profiles": ("machine",), "region": None}, [("relays", Cloud.PUBLIC)]),
        ({"profiles": ("machine",), "cloud": Cloud.USGOV}, []),
        ({"only": ("b-arm",)}, []),
        ({"only": ("weu.his.example",)}, [("his-region", Cloud.PUBLIC)]),
        ({"overrides": (Override(match="b-his", skip=True),)}, []),
    ],
)
def test_calls_needed(catalog: Catalog, changed: dict[str, Any], expected: list[tuple[str, Cloud]]) -> None:
    """Only calls that a selected row of this cloud would use, and that can be made."""
    calls = calls_needed(catalog, replace(BRIDGE, **changed))
    assert [(one.name, one.cloud) for one in calls] == expected


@given(
    region=st.none() | st.sampled_from(["westeurope", "centralus", "unused_address_controls", ""]),
    profiles=st.lists(st.sampled_from(["bridge", "machine", "vmm"]), unique=True).map(tuple),
    found=st.lists(st.text(alphabet="azgn.-busexmpl*{} \n", max_size=30), max_size=12).map(tuple),
    value=st.text(max_size=20),
)
@settings(max_examples=60)
def test_same_inputs_same_plan(
    catalog: Catalog,
    region: str | None,
    profiles: tuple[str, ...],
    found: tuple[str, ...],
    value: str,
) -> None:
    """With any input, planning ends in the same plan, with every id once."""
    given_settings = Settings(region=region, profiles=profiles, values=(("server", value), ("his", value)))
    answers = (Discovery(name="his-region", hosts=found), Discovery(name="relays", hosts=found))
    made = plan(catalog, given_settings, discoveries=answers)
    assert made == plan(catalog, given_settings, discoveries=answers)
    targets = [one.id for one in made.targets]
    probes = [one.id for one in made.probes]
    assert len(set(targets)) == len(targets)
    assert len(set(probes)) == len(probes)
    assert {name for one in made.probes for name in one.targets} == set(targets)
    assert all(is_host(one.host) for one in made.targets)


def test_the_package_s_catalog_can_be_planned() -> None:
    """Every cloud and region of the data that ships gives a plan; in its own region no row waits for one."""
    shipped = load_catalog()
    everything = tuple(profile.name for profile in shipped.profiles)
    for region in shipped.regions:
        made = plan(shipped, Settings(region=region.name, cloud=region.cloud, profiles=everything))
        assert made.targets
        assert not any("needs `region`" in one.why for one in made.unsampled)
        assert len({one.id for one in made.targets}) == len(made.targets)
        assert all(is_host(one.host) for one in made.targets)

"""Profiles of updates ask for what the lists ask for, and for nothing else, whatever the cloud."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pytest

from egressd.catalog import load_catalog
from egressd.model.endpoint import Cloud, Endpoint, Forwarding, Role
from tests.catalog.facts_tables import Fact, Row, differences, facts_in, facts_of, read_rows, rules_of

WSUS_PORTS = ("80", "443", "8530", "8531")
VALUES = {
    "cmg_prefix": "contoso",
    "logic_app": "prod-01",
    "wsus_server": "wsus.corp.example",
    "wsus_upstream": "upstream.corp.example",
    "update_point_peer": "sup2.corp.example",
    "distribution_point": "dp.corp.example",
    "management_point": "mp.corp.example",
    "update_point": "sup.corp.example",
    "site_system": "site.corp.example",
    "sql_server": "sql.corp.example",
    "pxe_point": "pxe.corp.example",
    "domain_controller": "dc.corp.example",
    "wake_up_peer": "peer.corp.example",
}
CLOUDS = {Cloud.PUBLIC: "eastus", Cloud.USGOV: "usgovvirginia", Cloud.CHINA: "chinanorth3"}


def is_internal(endpoint: Endpoint) -> bool:
    return endpoint.internal


def is_outside(endpoint: Endpoint) -> bool:
    return not endpoint.internal


def with_role(role: Role) -> Callable[[Endpoint], bool]:
    return lambda endpoint: role in endpoint.roles and not endpoint.internal


def by_id(table: str, first: str = "ID") -> dict[str, Row]:
    return {row[first]: row for row in read_rows(table)}


def windows_update() -> set[Fact]:
    """Return the list's rows; TLS versions beside a port are no ports."""
    found = set()
    for row in read_rows("windows-update"):
        ports = re.sub(r"TLS [\d.]+", "", row["Port / protocol"]).replace("also HTTPS", "443")
        found |= set(facts_of(row["Host pattern"], ports))
    return found


@pytest.mark.parametrize("cloud", CLOUDS)
def test_windows_update(cloud: Cloud) -> None:
    """Windows asks the same hosts in every cloud: 21 rows of the list."""
    assert len(read_rows("windows-update")) == 21
    assert differences(windows_update(), rules_of("windows-update", cloud=cloud)) == []


def test_protocols_of_windows_update() -> None:
    """The list warns of HTTPS where it says HTTP, and of the reverse."""
    rows = [one for one in load_catalog().endpoints if one.profile == "windows-update"]
    assert {(one.port, one.protocol.value) for one in rows} == {(80, "http"), (443, "https")}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_wsus_server(cloud: Cloud) -> None:
    """A WSUS server's way to Microsoft is the 14 rows of the list."""
    listed = facts_in(read_rows("wsus"), host="Host", port="Port")
    assert len(listed) == len(read_rows("wsus")) == 14
    assert differences(listed, rules_of("wsus", cloud=cloud, keep=is_outside)) == []


def test_wsus_clients_and_downstream_servers() -> None:
    """Both reach the operator's server at one of four ports, each group by a name of its own."""
    rules = rules_of("wsus", keep=is_internal, values=VALUES)
    hosts = ("wsus.corp.example", "upstream.corp.example")
    assert differences({(host, port) for host in hosts for port in WSUS_PORTS}, rules) == []
    groups = [
        (one.one_of, one.roles) for one in load_catalog().endpoints if one.id.startswith("ws-") and one.one_of
    ]
    assert sorted(set(groups)) == [("wsus-server", (Role.CLIENT,)), ("wsus-upstream", (Role.WSUS,))]
    assert len(groups) == 2 * len(WSUS_PORTS)


def in_cloud(cell: str, cloud: Cloud) -> str:
    """Return the names of one cloud in a cell that has both, one after the other."""
    public, _, government = re.sub(r" / (?=`)", "; Government ", cell).partition("; Government ")
    return government if cloud is Cloud.USGOV and government else public


def listed(rows: Iterable[Row], cloud: Cloud) -> set[Fact]:
    """Return rows of the lists of Configuration Manager in a cloud."""
    spelled = {"<prefix>": "contoso", "<region>": CLOUDS[cloud]}
    cells = [
        {**row, "Host": in_cloud(row["Host"], cloud), "Port": row["Port"].split(", one")[0]} for row in rows
    ]
    return facts_in(cells, host="Host", port="Port", spelled=spelled)


def expected_by_role(cloud: Cloud) -> dict[Role, set[Fact]]:
    """Return what each role of a site asks of the Internet, by the lists."""
    servicing, updates, services, gateway, tenant = (
        by_id(f"configuration-manager-{name}")
        for name in ("servicing", "updates", "services", "gateway", "tenant")
    )
    deployment = {**gateway["CG-03"], "Port": gateway["CG-07"]["Port"]}
    account = {**gateway["CG-04"], "Port": gateway["CG-08"]["Port"]}
    notifications = [services["MK-03"]] if cloud is Cloud.PUBLIC else []
    point = [updates[f"MU-{number:02}"] for number in (*range(1, 10), 11, 12, 14)]
    connected = [*servicing.values(), *notifications, services["MK-04"], gateway["CG-01"], gateway["CG-02"]]
    rows = {
        Role.SERVICE_CONNECTION_POINT: [*connected, *tenant.values()],
        Role.SOFTWARE_UPDATE_POINT: point,
        Role.DISTRIBUTION_POINT: [updates["MU-13"]],
        Role.CLIENT: [updates["MU-13"], deployment, account, gateway["CG-09"]],
        Role.SITE_SERVER: [updates["MU-14"], services["MK-02"]],
        Role.CONSOLE: [services["MK-01"], gateway["CG-09"], gateway["CG-10"]],
        Role.CONNECTION_POINT: [gateway[f"CG-0{number}"] for number in range(3, 7)],
    }
    return {role: listed(some, cloud) for role, some in rows.items()}


@pytest.mark.parametrize("cloud", [Cloud.PUBLIC, Cloud.USGOV])
def test_configuration_manager(cloud: Cloud) -> None:
    """Each role of a site asks the Internet for its rows of the five lists."""
    for role, expected in expected_by_role(cloud).items():
        rules = rules_of(
            "configuration-manager", cloud=cloud, region=CLOUDS[cloud], keep=with_role(role), values=VALUES
        )
        assert differences(expected, rules) == [], role


def test_every_row_of_the_lists_of_configuration_manager_is_compared() -> None:
    """The lists have 49 rows; MU-10 is a server of the site's own, compared with the ports."""
    tables = ("servicing", "updates", "services", "gateway", "tenant")
    assert sum(len(read_rows(f"configuration-manager-{name}")) for name in tables) == 49
    outside = [
        one for one in load_catalog().endpoints if one.profile == "configuration-manager" and not one.internal
    ]
    assert {role for one in outside for role in one.roles} == set(expected_by_role(Cloud.PUBLIC))


SITE = {
    "client \N{RIGHTWARDS ARROW} distribution point": "dp.corp.example",
    "client \N{RIGHTWARDS ARROW} management point": "mp.corp.example",
    "client \N{RIGHTWARDS ARROW} software update point": "sup.corp.example",
    "software update point \N{RIGHTWARDS ARROW} upstream WSUS": "upstream.corp.example",
    "site server \N{LEFT RIGHT ARROW} site systems": "site.corp.example",
    "site system \N{RIGHTWARDS ARROW} SQL Server": "sql.corp.example",
    "client \N{RIGHTWARDS ARROW} PXE point": "pxe.corp.example",
    "multicast": "dp.corp.example",
    "to a domain controller": "dc.corp.example",
    "wake-up proxy": "peer.corp.example",
}
OUTSIDE = {
    "connection point \N{RIGHTWARDS ARROW} gateway (scale set)",
    "connection point \N{RIGHTWARDS ARROW} gateway (classic)",
    "software update point \N{RIGHTWARDS ARROW} internet",
}


def test_ports_of_a_site() -> None:
    """Ports between the site's own systems, ranges and ICMP included, are those of the list."""
    rows = {
        row["From \N{RIGHTWARDS ARROW} to"]: row["Port"] for row in read_rows("configuration-manager-ports")
    }
    assert set(rows) == {*SITE, *OUTSIDE}
    expected = {("sup2.corp.example", port) for port in WSUS_PORTS}
    for name, host in SITE.items():
        ports = rows[name].replace("dynamic RPC range", "49152-65535")
        expected |= set(facts_of(f"`{host}`", ports))
        expected |= {(host, "-")} if "ICMP" in ports else set()
    rules = rules_of("configuration-manager", keep=is_internal, values=VALUES)
    assert differences(expected, rules) == []


def test_ports_to_the_gateway_are_one_group() -> None:
    """A connection point needs HTTPS or one of the ranges, whichever the deployment has."""
    rows = read_rows("configuration-manager-ports")
    name = "From \N{RIGHTWARDS ARROW} to"
    expected = {port for row in rows if "gateway" in row[name] for _, port in facts_of("`x`", row["Port"])}
    for cloud in (Cloud.PUBLIC, Cloud.USGOV):
        group = [
            one for one in load_catalog().endpoints if one.one_of == "cmg-connection" and cloud in one.clouds
        ]
        assert sorted(one.ports for one in group) == sorted(expected) == ["10124-10139", "10140-10155", "443"]


def test_linux_repositories() -> None:
    """Both lists together, in every cloud; a distribution without a named host is no row."""
    rows = read_rows("linux-repositories")
    assert len(rows) == 16 + 18
    expected = {
        fact for row in rows for fact in facts_of(row["Host"], row.get("Port") or row["Port / protocol"])
    }
    for cloud in CLOUDS:
        assert differences(expected, rules_of("linux-repositories", cloud=cloud)) == []


def test_rows_of_a_client_certificate() -> None:
    """TLS inspection can't forward a client certificate."""
    rows = [one for one in load_catalog().endpoints if one.pattern.endswith(".redhat.com")]
    assert [one.inspection.value for one in rows] == ["forbidden"] * 3
    assert all(not one.expect.status for one in rows)


def test_regions_of_update_manager() -> None:
    """The product is offered to Arc-enabled servers in the regions that the list names for them."""
    clouds = {"US Gov": Cloud.USGOV, "China": Cloud.CHINA}
    expected: dict[Cloud, set[str]] = {}
    for row in read_rows("update-manager-regions"):
        if "Arc" in row["Scope"]:
            cloud = next(
                (one for start, one in clouds.items() if row["Region"].startswith(start)), Cloud.PUBLIC
            )
            expected.setdefault(cloud, set()).add(row["Region"].replace(" ", "").lower())
    (profile,) = (one for one in load_catalog().profiles if one.name == "update-manager")
    assert {cloud: set(names) for cloud, names in profile.regions} == expected
    assert [len(expected[cloud]) for cloud in Cloud] == [31, 2, 3]


def test_a_gateway_carries_no_updates() -> None:
    """Its own page asks for the list of Windows Update beside it; the other hosts are not in its list."""
    profiles = ("windows-update", "linux-repositories", "update-manager")
    rows = [one for one in load_catalog().endpoints if one.profile in profiles]
    assert rows
    assert {one.gateway for one in rows} == {((name, Forwarding.DIRECT),) for name in profiles}


def test_hosts_that_came_and_went() -> None:
    """A host that another one replaced is probed still, and decides nothing."""
    rows = {one.pattern: one for one in load_catalog().endpoints if one.profile == "configuration-manager"}
    old, new = rows["configmgrbits.azureedge.net"], rows["configmgrbits.cdn.manage.microsoft.com"]
    assert (old.until, old.need.value, new.since, new.need.value) == (
        "2025-03",
        "optional",
        "2025-03",
        "required",
    )
    gone = [rows["sccmconnected-a01.cloudapp.net"], rows["test.stats.update.microsoft.com"]]
    assert {(one.until, one.need.value) for one in gone} == {("2022-04", "optional")}

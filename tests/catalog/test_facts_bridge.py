"""The rows of the resource bridge and of its private clouds are those of Microsoft's lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from egressd.catalog import load_catalog
from egressd.model.endpoint import Cloud, Direction, Endpoint, Role
from tests.catalog.facts_tables import Fact, Row, differences, facts_in, read_rows, rules_of

LISTED = "Azure Arc resource bridge, network requirements (both clouds)"
DNS = ("<your DNS servers>", "53")
VALUES = {
    "{scvmm_server}": "<scvmm_server>",
    "{private_cloud}": "<private_cloud>",
    "{appliance_vm}": "<appliance_vm>",
}
OTHER_LISTS = {
    Cloud.PUBLIC: {
        ("*.guestnotificationservice.azure.com", "443"), ("westeurope.obo.arc.azure.com", "8084"),
        ("azureprivatecloud.azurecr.io", "443"), ("aka.ms", "443"),
    },
    Cloud.USGOV: {
        ("*.guestnotificationservice.azure.us", "443"), ("usgovvirginia.obo.arc.azure.us", "8084"),
        ("arcplatformcliextprod.blob.core.windows.net", "443"),
        ("arcplatformcliextprod.z13.web.core.windows.net", "443"),
    },
}  # fmt: skip
"""Conditional rows that the lists of Arc-enabled Kubernetes, of VMware and of Azure Local's checker have."""


def facts(rows: Iterable[Row], *, region: str = "westeurope") -> set[Fact]:
    column = "Host pattern" if all("Host pattern" in row for row in rows) else "Host"
    return facts_in(rows, host=column, port="Port", spelled={"<region>": region, **VALUES})


def current(endpoint: Endpoint) -> bool:
    """Whether a row is on the bridge's own list of today."""
    source = endpoint.provenance
    return not endpoint.internal and not endpoint.until and source is not None and source.document == LISTED


def bridge(cloud: Cloud, keep: Callable[[Endpoint], bool]) -> set[Fact]:
    region = {Cloud.PUBLIC: "westeurope", Cloud.USGOV: "usgovvirginia"}[cloud]
    return rules_of("resource-bridge", cloud=cloud, region=region, keep=keep)


@pytest.mark.parametrize(
    ("cloud", "rows"),
    [
        (Cloud.PUBLIC, read_rows("bridge-public")),
        (Cloud.USGOV, tuple(row for row in read_rows("bridge-usgov") if "Went" not in row)),
    ],
)
def test_the_list_of_today(cloud: Cloud, rows: tuple[Row, ...]) -> None:
    """The bridge's own list, the name servers aside, is a set of rows as large as Microsoft's."""
    expected = facts(rows, region="usgovvirginia")
    assert differences(expected, bridge(cloud, current)) == []
    assert DNS in bridge(cloud, lambda row: row.internal)


def test_each_row_names_who_needs_it() -> None:
    """The management machine and the appliance need the rows their list says, and no others."""
    for role, mark in ((Role.MANAGEMENT, "mgmt machine"), (Role.APPLIANCE, "appliance VM IPs")):
        rows = [row for row in read_rows("bridge-public") if mark in row["Needed by"]]
        asked = {
            (one.pattern, str(one.port))
            for one in load_catalog().endpoints
            if one.profile == "resource-bridge"
            and Cloud.PUBLIC in one.clouds
            and current(one)
            and role in one.roles
        }
        assert differences(facts(rows), asked) == []


def test_rows_that_went() -> None:
    """Rows of earlier lists stay, and nothing is called withdrawn that a list still has."""
    earlier = facts(read_rows("bridge-earlier")) | {
        ("*.arc.azure.net", "443"), ("*.dp.kubernetesconfiguration.azure.com", "443"),
    }  # fmt: skip
    sampled = ("msk8s.b.tlu.dl.delivery.mp.microsoft.com", "80")
    peers = ("*.do.dsp.mp.microsoft.com", "443")
    went = bridge(Cloud.PUBLIC, lambda row: row.until is not None)
    assert differences(earlier - {sampled, peers}, went) == []
    assert peers in bridge(Cloud.PUBLIC, lambda row: row.need == "optional")
    lived = [row for row in read_rows("bridge-usgov") if "Went" in row]
    assert differences(facts(lived), bridge(Cloud.USGOV, lambda row: row.until is not None)) == []


@pytest.mark.parametrize("cloud", [Cloud.PUBLIC, Cloud.USGOV])
def test_nothing_else(cloud: Cloud) -> None:
    """Beside the list of today, earlier ones and the operator's network, only what other lists name."""

    def other(row: Endpoint) -> bool:
        return not (current(row) or row.internal or row.need == "optional")

    assert differences(OTHER_LISTS[cloud], bridge(cloud, other)) == []


def test_the_own_network() -> None:
    """The internal table's ports, in its directions; what the appliance keeps to itself is no rule."""
    rows = {row["ID"]: row for row in read_rows("bridge-internal")}
    places = {
        "RI-01": "<appliance_vm>", "RI-02": "<appliance_vm>", "RI-03": "<control_plane>",
        "RI-04": "<control_plane>", "RI-05": "<private_cloud>", "RI-06": "<appliance_vm_peer>",
        "RI-07": "<private_cloud>", "RI-08": "<moc_agent>",
    }  # fmt: skip
    cells = [{**rows[name], "Host": f"`{place}`"} for name, place in places.items()]
    expected = facts_in(cells, host="Host", port="Port") | {DNS, ("<esxi_host>", "443")}
    assert differences(expected, bridge(Cloud.PUBLIC, lambda row: row.internal)) == []
    mutual = [
        {**rows[name], "Host": f"`{place}`"}
        for name, place in places.items()
        if rows[name]["Direction"] == "bidirectional"
    ]
    both = bridge(Cloud.PUBLIC, lambda row: row.direction is Direction.BOTH)
    assert differences(facts_in(mutual, host="Host", port="Port"), both) == []


def test_scvmm() -> None:
    """Beside the bridge: its server, WinRM, and the ports of a recovery."""
    expected = facts(read_rows("scvmm"))
    for cloud in (Cloud.PUBLIC, Cloud.USGOV):
        assert differences(expected, rules_of("scvmm", cloud=cloud)) == []


def test_vmware() -> None:
    """The list's own rows are there, or the bridge has them for the same role; so is the gateway."""
    included = rules_of("vmware", region="westeurope", included=True)
    own = rules_of("vmware", region="westeurope")
    expected = facts(read_rows("vmware"))
    assert differences(expected, expected & included) == []
    extra = {("<esxi_host>", "443"), ("*.gw.arc.azure.com", "443")}
    assert differences(extra, own - expected) == []
    assert bridge(Cloud.PUBLIC, lambda row: True) < included


@pytest.mark.parametrize("profile", ["scvmm", "vmware"])
def test_guest_management(profile: str) -> None:
    """Both private clouds list the same agent in their virtual machines, for the public cloud."""
    expected = facts(read_rows("guest-management"))
    assert differences(expected, rules_of("guest-management")) == []
    assert expected < rules_of(profile, included=True)
    assert rules_of("guest-management", cloud=Cloud.USGOV) == set()

"""The rules of AKS enabled by Azure Arc are the rows of its lists, old and today's, from the clusters."""

from __future__ import annotations

import pytest

from egressd.model.endpoint import Cloud, Endpoint, Forwarding, Need, Role
from egressd.model.settings import Settings
from egressd.planning.select import select
from tests.catalog.facts_tables import (
    Fact,
    differences,
    facts_in,
    facts_of,
    read_rows,
    rules_of,
    shipped_catalog,
)

PUBLIC = {
    "eastus": "eus", "westeurope": "weu", "australiaeast": "ae", "canadacentral": "cc",
    "centralindia": "pn", "japaneast": "je", "southcentralus": "scus", "southeastasia": "sea",
}  # fmt: skip
"""The regions and their hybrid identity codes."""
GOV = "usgovvirginia"
OPTIONAL_SCENARIOS = {
    ("*.ods.opinsights.azure.com", "443"),
    ("*.oms.opinsights.azure.com", "443"),
    ("*.monitoring.azure.com", "443"),
    ("<key_vault>.vault.azure.net", "443"),
    ("data.policy.core.windows.net", "443"),
    ("store.policy.core.windows.net", "443"),
    ("*.cloud.defender.microsoft.com", "443"),
}
"""What the gateway's page names for single scenarios, in its text."""
AGENT = {
    "guestnotificationservice.azure.us", "*.servicebus.usgovcloudapi.net", "gbl.his.arc.azure.us",
    "usgv.his.arc.azure.us", "login.microsoftonline.us", "usgovvirginia.login.microsoftonline.us",
    "login.microsoftonline.com", "management.azure.com", "management.usgovcloudapi.net",
}  # fmt: skip
"""What the clusters' agents need of the government list, named for the machines' agent or for all."""
FOR_OTHERS = {
    "hciarcvmscontainerregistry.azurecr.io", "hciarcvmsstorage.z13.web.core.windows.net",
    "edgesupprd.trafficmanager.net", "azurewatsonanalysis-prod.core.windows.net",
    "www.msftconnecttest.com", "westus.data.mcr.microsoft.com", "northeurope.data.mcr.microsoft.com",
    "westeurope.data.mcr.microsoft.com", "southeastasia.data.mcr.microsoft.com",
}  # fmt: skip
"""Rows the lists have under AKS though the nodes need them, and names that the clusters' wildcard covers."""


def internal() -> set[Fact]:
    """Return the ports between the two networks, to whichever side serves them."""
    sides = {"22": "<aks_vm>", "6443": "<aks_vm>", "40343": "<azure_local_cluster>"}
    return {(sides.get(row["Port"], "<moc_agent>"), row["Port"]) for row in read_rows("aks-arc-internal")}


def for_aks(name: str) -> set[Fact]:
    """Return the rows of a list of Azure Local whose component is AKS."""
    rows = [one for one in read_rows(name) if one["Component"].endswith("AKS infra")]
    return {fact for fact in facts_in(rows, host="Host", port="Port") if fact[0] not in FOR_OTHERS}


@pytest.mark.parametrize("region", PUBLIC)
def test_public_regions(region: str) -> None:
    """Today's rows, those that stay direct with an Arc gateway, and every older list."""
    spelled = {"<prefix>": "<arc_gateway>", "<region>": region, "<his>": PUBLIC[region]}
    expected = internal() | OPTIONAL_SCENARIOS | for_aks("azure-local")
    gateway = [
        dict(row, Port="8084") if ".obo." in row["Host"] else row for row in read_rows("aks-arc-gateway")
    ]
    expected |= facts_in(gateway, host="Host", port="Port", spelled=spelled)
    for name in ("aks-arc-2024", "aks-vmware", "aks-hci-2023"):
        expected |= facts_in(read_rows(name), host="Host", port="Port")
    expected.add((f"{region}.dp.kubernetesconfiguration.azure.com", "443"))
    if region == "eastus":
        expected |= facts_in(read_rows("aks-bare-metal"), host="Host", port="Port")
    assert differences(expected, rules_of("aks-arc", region=region)) == []


def test_us_government() -> None:
    """The government list's rows for AKS and for its agents, and the ports between the two networks."""
    expected = for_aks("azure-local-usgov") | {(host, "443") for host in AGENT} | internal()
    assert differences(expected, rules_of("aks-arc", cloud=Cloud.USGOV, region=GOV)) == []


def of_clusters() -> list[Endpoint]:
    rows = select(shipped_catalog(), Settings(region="eastus", profiles=("aks-arc",)))
    return [one.endpoint for one in rows if one.endpoint.profile == "aks-arc"]


def test_what_stays_direct_with_an_arc_gateway() -> None:
    """The nine rows of the gateway's page are direct, the lists' rows for AKS are not."""
    found = {one.pattern: dict(one.gateway).get("aks-arc") for one in of_clusters() if one.until is None}
    for row in read_rows("aks-arc-gateway"):
        ((host, _),) = facts_of(
            row["Host"].replace("<", "{").replace(">", "}").replace("prefix", "arc_gateway")
        )
        assert found[host] is Forwarding.DIRECT, host
    listed = {host for host, _ in for_aks("azure-local")} - {"mcr.microsoft.com"}
    assert {found[host] for host in listed} == {Forwarding.FORWARDED}


def test_withdrawn_lists_decide_nothing() -> None:
    """Every row of an older list has its date, is optional, and is asked from where the list said."""
    old = [one for one in of_clusters() if one.until is not None]
    assert {one.need for one in old} == {Need.OPTIONAL}
    assert {one.until for one in old} == {"2024-03", "2024-07", "2025-04-22", "2026-03-16"}
    assert all(Role.CLUSTER in one.roles or one.until == "2024-03" for one in old)


def test_azure_local_is_included() -> None:
    """Who has clusters has the rows of the system below as well."""
    rules = rules_of("aks-arc", region="eastus", included=True)
    assert rules_of("azure-local", region="eastus") < rules
    assert rules_of("azure-local", region="eastus") < rules_of(
        "azure-local-vm", region="eastus", included=True
    )


@pytest.mark.parametrize(
    ("cloud", "region", "hosts"),
    [
        (Cloud.PUBLIC, "eastus", ["login.microsoftonline.com", "management.azure.com", "graph.microsoft.com",
                                  "<image_account>.blob.core.windows.net"]),
        (Cloud.USGOV, GOV, ["login.microsoftonline.us", "management.usgovcloudapi.net", "graph.microsoft.us",
                            "<image_account>.blob.core.usgovcloudapi.net", "*.blob.core.windows.net",
                            "*.blob.core.usgovcloudapi.net"]),
    ],
)  # fmt: skip
def test_virtual_machines(cloud: Cloud, region: str, hosts: list[str]) -> None:
    """The Azure CLI's hosts are the public cloud's in both, sign-in and storage are each cloud's own."""
    both = ["azcliprod", "azcliextensionsync", "azurecliextensionsync"]
    hosts += ["aka.ms", "hciarcvmsstorage.z13.web.core.windows.net"]
    hosts += [f"{name}.blob.core.windows.net" for name in both]
    expected = {(host, "443") for host in hosts}
    assert differences(expected, rules_of("azure-local-vm", cloud=cloud, region=region)) == []

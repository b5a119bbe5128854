"""The rules of Azure Local are the rows of Microsoft's lists, in every region and cloud."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from egressd.catalog.export import firewall_rules
from egressd.model.endpoint import Cloud, Direction, Endpoint, Forwarding, Need, Protocol
from egressd.model.settings import Resolver, Settings
from egressd.planning import make_plan
from egressd.planning.pattern import pattern_covers
from egressd.planning.placeholder import placeholder_values, substitute_known
from egressd.planning.select import select
from tests.catalog.facts_tables import (
    Fact,
    Row,
    differences,
    facts_in,
    facts_of,
    read_rows,
    rules_of,
    shipped_catalog,
)

REGIONS = {
    "East US": "eastus",
    "West Europe": "westeurope",
    "Australia East": "australiaeast",
    "Canada Central": "canadacentral",
    "Central India (file is called IndiaCentral)": "centralindia",
    "Japan East": "japaneast",
    "South Central US": "southcentralus",
    "Southeast Asia": "southeastasia",
}
COUNTS = {
    "eastus": 83, "westeurope": 80, "australiaeast": 79, "canadacentral": 80, "centralindia": 79,
    "japaneast": 80, "southcentralus": 80, "southeastasia": 80,
}  # fmt: skip
"""The rows of each region's list, counted by hand."""
GOV = "usgovvirginia"
NO_HOST = "no host of the pattern is known, so there is no address to send a random name to"
SPELLED = {
    "yourarcgatewayendpointid": "<arc_gateway>",
    "<gateway-id>": "<arc_gateway>",
    "yourhcikeyvaultname": "<key_vault>",
    "<keyvault>": "<key_vault>",
    "yourwitnessstorageaccount": "<witness_account>",
    "<witness-account>": "<witness_account>",
    "<device-endpoint>": "<device_endpoint>",
}
SIDES = {
    "nodes <-> nodes": "<azure_local_node>",
    "WAC -> Azure Local": "<azure_local_node>",
    "management system -> nodes": "<azure_local_node>",
    "management system -> Hyper-V": "<azure_local_node>",
    "Azure Local -> AD": "<domain_controller>",
    "Azure Local -> NTP server (AD domain controller or NTP appliance)": "<ntp_server>",
    "AKS VMs, ARB -> management network": "<moc_agent>",
    "ARB, AKS VMs -> cluster IP": "<azure_local_cluster>",
}
UNLISTED = {
    ("<your DNS servers>", "53"),
    ("internetbeacon.msedge.net", "80"),
    ("internetbeacon.msedge.net", "443"),
}
"""What the validation before a deployment asks for, though no list does."""
REGIONAL = {
    "K8s configuration": Forwarding.FORWARDED,
    "ARB data plane": Forwarding.FORWARDED,
    "HIS": Forwarding.DIRECT,
    "Guest configuration": Forwarding.FORWARDED,
    "Login": Forwarding.DIRECT,
    "Monitor warm ingest": Forwarding.FORWARDED,
    "OBO (HTTPS 8084)": Forwarding.DIRECT,
}
"""The columns of the regional rows, and whether the Arc gateway carries them."""


FOR_ANY_REGION = {
    ("<region>.login.microsoft.com", "443"),
    ("<his>.his.arc.azure.com", "443"),
    ("<region>.obo.arc.azure.com", "8084"),
}
"""Rows of the gateway's page that are written for any region; each region's own are compared."""


VENDORS = {"DataON": "dataon", "Dell": "dell", "HPE": "hpe", "Hitachi": "hitachi", "Lenovo": "lenovo"}
LIKE_NO = ("centralindia", "japaneast", "southcentralus")
"""The regions whose lists say no where the lists differ."""


def listed(region: str) -> set[Fact]:
    """Return the rows of a public region's list."""
    common = facts_in(read_rows("azure-local"), host="Host", port="Port", spelled=SPELLED)
    (row,) = (one for one in read_rows("azure-local-regions") if REGIONS[one["Region"]] == region)
    return common | {
        fact for name, cell in row.items() if name != "Region" for fact in facts_of(cell)
    }  # fmt: skip


def internal() -> set[tuple[str, str, str]]:
    """Return destination, port and transport of the rows inside the operator's network."""
    found = set()
    for row in read_rows("azure-local-internal"):
        if row["From / to"] == "node local":
            continue
        side = SIDES[row["From / to"]]
        ports = row["Port"].replace("at least 100 ports above 5000", "5001-65535")
        for protocol in row["Protocol"].split(" / "):
            ours = ["-"] if protocol.startswith("ICMP") else [p.strip() for p in ports.split(",")]
            found |= {(side, port, protocol.removesuffix("v4/v6")) for port in ours}
    return found


def withdrawn(column: str) -> set[Fact]:
    rows = [one for one in read_rows("azure-local-withdrawn") if one[column][0].isdigit()]
    return facts_in(rows, host="Host", port="Port", spelled=SPELLED)


def of_2023(cloud: Cloud, today: set[Fact]) -> set[Fact]:
    """Return the rows of the workbook of 2023 that no list of the cloud has today."""
    rows = [one for one in read_rows("azure-stack-hci-2023") if one["Cloud"] == cloud.value]
    column = "Port, public" if cloud is Cloud.PUBLIC else "Port, US Gov and China"
    updates = [one for one in read_rows("azure-stack-hci-2023-update") if one[column] != "-"]
    return (
        facts_in(rows, host="Host", port="Port") | facts_in(updates, host="Host", port=column)
    ) - today  # fmt: skip


def of_vendors() -> set[Fact]:
    return facts_in(read_rows("azure-local-oem"), host="Host", port="Port")


def rows_in(region: str) -> Iterable[tuple[Fact, Endpoint]]:
    """Yield the rows of a public region with the destination their rule has."""
    catalog, settings = shipped_catalog(), Settings(region=region, profiles=("azure-local",))
    values = placeholder_values(catalog, settings)
    for one in select(catalog, settings):
        yield (substitute_known(one.endpoint.pattern, values), one.endpoint.ports), one.endpoint


@pytest.mark.parametrize("region", COUNTS)
def test_public_regions(region: str) -> None:
    """Every row of the region's list is a rule; every other rule is of a list that is named here."""
    assert len(listed(region)) == COUNTS[region]
    expected = listed(region) | withdrawn("Went, public") | of_vendors() | UNLISTED
    direct = facts_in(read_rows("azure-local-gateway"), host="Host", port="Port", spelled=SPELLED)
    expected |= direct - FOR_ANY_REGION
    if region == "eastus":
        expected |= facts_in(
            read_rows("azure-local-small-form-factor"), host="Host", port="Port", spelled=SPELLED
        )
    expected |= of_2023(Cloud.PUBLIC, expected)
    expected |= {(side, port) for side, port, _ in internal()}
    assert differences(expected, rules_of("azure-local", region=region)) == []


def test_us_government() -> None:
    """The list of US Gov Virginia, what Microsoft's checker asks for beside it, and what it lost."""
    listed_gov = facts_in(read_rows("azure-local-usgov"), host="Host", port="Port", spelled=SPELLED)
    assert len(listed_gov) == 80
    asked = facts_in(checker(Cloud.USGOV), host="Host")
    missing = {host for host, _ in asked if not any(pattern_covers(one, host) for one, _ in listed_gov)}
    assert len(missing) == 15
    expected = listed_gov | {(host, "443") for host in missing}
    expected |= withdrawn("Went, US Gov Virginia") | of_vendors() | UNLISTED
    expected |= of_2023(Cloud.USGOV, expected) | {(side, port) for side, port, _ in internal()}
    assert differences(expected, rules_of("azure-local", cloud=Cloud.USGOV, region=GOV)) == []


def test_21vianet_has_the_rows_of_2023_alone() -> None:
    """Only the workbook of 2023 ever named hosts of that cloud: nothing of it is required."""
    expected = of_2023(Cloud.CHINA, set())
    assert differences(expected, rules_of("azure-local", cloud=Cloud.CHINA, region="chinanorth3")) == []
    rows = select(shipped_catalog(), Settings(cloud=Cloud.CHINA, profiles=("azure-local",)))
    assert {(one.endpoint.need, one.endpoint.until is None) for one in rows} == {(Need.OPTIONAL, False)}


def checker(cloud: Cloud) -> list[Row]:
    prefix = "EC-" if cloud is Cloud.PUBLIC else "EG-"
    return [one for one in read_rows("environment-checker") if one["ID"].startswith(prefix)]


@pytest.mark.parametrize("region", COUNTS)
def test_microsoft_s_checker_asks_for_nothing_else(region: str) -> None:
    """Every target of the Environment Checker in the region is covered by a rule."""
    rules = rules_of("azure-local", region=region)
    rows = [one for one in checker(Cloud.PUBLIC) if one["Port"] != "DNS" and _meant_for(one, region)]
    asked = facts_in(rows, host="Host", port="Port", spelled={"<region>": region})
    uncovered = [
        (host, port)
        for host, port in asked
        if not any(at == port and pattern_covers(one, host, deep=True) for one, at in rules)
    ]
    assert len(asked) > 60
    assert uncovered == []


def _meant_for(row: Row, region: str) -> bool:
    return row["Regions"].startswith("all") or region in row["Regions"].split(", ")


@pytest.mark.parametrize("region", COUNTS)
def test_the_column_on_the_arc_gateway(region: str) -> None:
    """A row is forwarded where its list says yes, and direct where it says no."""
    wanted: dict[Fact, Forwarding] = {}
    for row in read_rows("azure-local"):
        said = row["Arc gateway support"]
        no = region in LIKE_NO if said.startswith("differs") else said.startswith("No")
        for fact in facts_in([row], host="Host", port="Port", spelled=SPELLED):
            wanted[fact] = Forwarding.DIRECT if no else Forwarding.FORWARDED
    (regional,) = (one for one in read_rows("azure-local-regions") if REGIONS[one["Region"]] == region)
    wanted |= {fact: way for name, way in REGIONAL.items() for fact in facts_of(regional[name])}
    found = {fact: dict(row.gateway).get("azure-local") for fact, row in rows_in(region) if row.until is None}
    assert {fact: found[fact] for fact in wanted} == wanted


@pytest.mark.parametrize(
    ("cloud", "column"), [(Cloud.PUBLIC, "Went, public"), (Cloud.USGOV, "Went, US Gov Virginia")]
)
def test_dates_of_withdrawn_rows(cloud: Cloud, column: str) -> None:
    """A row that the lists lost is optional from that day, and one that came back is no longer withdrawn."""
    rows = select(shipped_catalog(), Settings(cloud=cloud, profiles=("azure-local",)))
    lost = {(one.endpoint.pattern, one.endpoint.ports): one.endpoint for one in rows if one.endpoint.until}
    spelled = {"yourarcgatewayendpointid": "{arc_gateway}"}
    table = read_rows("azure-local-withdrawn")
    dated = {
        fact: one[column]
        for one in table
        for fact in facts_in([one], host="Host", port="Port", spelled=spelled)
    }
    wanted = {fact: date for fact, date in dated.items() if date[0].isdigit()}
    assert {fact: lost[fact].until for fact in wanted} == wanted
    assert {lost[fact].need for fact in wanted} == {Need.OPTIONAL}
    assert not any(fact in lost for fact, date in dated.items() if date == "listed")


def test_vendors_are_features_of_their_own() -> None:
    """Who has one vendor's hardware is not asked for the others' hosts."""
    rows = [one for one in shipped_catalog().endpoints if one.profile == "azure-local"]
    by_feature = {name: {one.pattern for one in rows if one.feature == name} for name in VENDORS.values()}
    for row in read_rows("azure-local-oem"):
        ((host, _),) = facts_of(row["Host"], row["Port"])
        assert host in by_feature[VENDORS[row["OEM"]]] or host.startswith(("crl3.", "crl4.")), host
    links = [one for one in rows if one.feature in VENDORS.values() and one.pattern == "aka.ms"]
    assert len(links) == len(VENDORS)
    paths = {path.lower() for one in links for path in one.paths}
    assert all(one.startswith(("/azurestacksbeupdate/", "/lenovosbe")) for one in paths)


def test_transports_and_directions_of_the_internal_rules() -> None:
    """TCP, UDP and ICMP, and rules in both directions between nodes."""
    rules = [
        one
        for one in firewall_rules(shipped_catalog(), Settings(region="eastus", profiles=("azure-local",)))
        if one.destination in SIDES.values()
    ]
    asked = {(one.destination, one.ports or "-", one.transport) for one in rules}
    assert asked == internal()
    node = "<azure_local_node>"
    between = {
        way: {
            one.ports
            for one in rules
            if one.destination == node and one.direction is way and "node" in one.roles
        }
        for way in Direction
    }
    assert between[Direction.OUTBOUND] == between[Direction.INBOUND] == {"30301", "445", "5445", "5985", ""}


@pytest.mark.parametrize("profile", ["azure-local", "azure-local-vm", "aks-arc"])
@pytest.mark.parametrize("region", [*COUNTS, GOV])
def test_every_required_row_is_sampled_or_says_why(profile: str, region: str) -> None:
    """What a document requires is probed, but for your own key vault and for hosts that nobody documents."""
    cloud = Cloud.USGOV if region == GOV else Cloud.PUBLIC
    settings = Settings(cloud=cloud, region=region, profiles=(profile,))
    server = (Resolver(name="10.0.0.53", address="10.0.0.53"),)
    plan = make_plan(shipped_catalog(), settings, label="egressd-probe-0", nameservers=server)
    left = {one.endpoint: one.why for one in plan.unsampled if one.need is Need.REQUIRED}
    vault = "al-key-vault-gov" if cloud is Cloud.USGOV else "al-key-vault"
    unknown = ("al-blob-storage", "aks-blob-storage") if profile == "aks-arc" else ("al-blob-storage",)
    expected = {vault: "needs values: key_vault"} | dict.fromkeys(unknown, NO_HOST)
    assert left == expected


def test_pages_in_clear_are_told_from_answers() -> None:
    """Where a file or a status is known to be there, its bytes are asked for: no page on the way has them."""
    rows = [one for one in shipped_catalog().endpoints if one.profile == "azure-local"]
    clear = [one for one in rows if one.protocol is Protocol.HTTP and one.need is Need.REQUIRED]
    proven = {one.id for one in clear if one.expect.der or one.expect.sha256}
    assert len(clear) == 11
    assert proven == {"al-crl3", "al-crl4", "al-ocsp-digicert", "al-connecttest"}

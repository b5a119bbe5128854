"""The rows of the agents of servers and clusters, and those of certificate checks, are Microsoft's lists."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from egressd.catalog import load_catalog
from egressd.model.endpoint import Cloud, Need
from tests.catalog.facts_tables import Fact, Row, differences, facts_in, read_rows, rules_of

PORT = "Port / protocol"
REGIONS = {Cloud.PUBLIC: "uksouth", Cloud.USGOV: "usgovvirginia", Cloud.CHINA: "chinanorth3"}
STARS = {"<azure-keyvault-name>": "*", "<prefix>": "*"}


def facts(rows: Iterable[Row], cloud: Cloud, *, port: str | None = "Port") -> set[Fact]:
    spelled = {"<region>": REGIONS[cloud], "<his>": "uks", **STARS}
    return facts_in(rows, host="Host pattern", port=port, spelled=spelled)


def kubernetes_alone(row: Row) -> bool:
    return "Kubernetes only" in row["When required"] or "Kubernetes Azure RBAC" in row["When required"]


EARLIER = {
    Cloud.PUBLIC: {
        ("aka.ms", "443"), ("login.windows.net", "443"), ("*.blob.core.windows.net", "443"),
        ("*.gw.arc.azure.com", "443"),
    },
    Cloud.USGOV: {("aka.ms", "443"), ("*.vault.usgovcloudapi.net", "443")},
    Cloud.CHINA: {("aka.ms", "443"), ("*.vault.azure.cn", "443")},
}  # fmt: skip
"""Rows the list once had, the gateway's own, and the key vault that an extension reads."""


@pytest.mark.parametrize(
    ("cloud", "own", "others"),
    [
        (Cloud.PUBLIC, "machine-public", None),
        (Cloud.USGOV, "machine-usgov", "machine-usgov-others"),
        (Cloud.CHINA, "machine-china", "machine-china-others"),
    ],
)
def test_machine(cloud: Cloud, own: str, others: str | None) -> None:
    """The servers' list, and from the other lists what is not for clusters alone or covered already."""
    rows = read_rows(own)
    more = [row for row in read_rows(others) if not kubernetes_alone(row)] if others else []
    covered = {
        (f"{label}.his.arc.azure.{suffix}", "443") for label in ("gbl", "usgv") for suffix in ("us", "cn")
    }
    expected = facts(rows, cloud, port=PORT) | facts(more, cloud, port=PORT) - covered | EARLIER[cloud]
    assert differences(expected, rules_of("connected-machine", cloud=cloud, region=REGIONS[cloud])) == []


def test_service_tags() -> None:
    """Each tag of the page is on the rows it can be told for; two of them stand for no name."""
    listed = {row["Tag"] for row in read_rows("machine-service-tags")}
    tags = {tag for one in load_catalog().endpoints if one.id.startswith("cm-") for tag in one.service_tags}
    assert listed - tags == {"AzureTrafficManager", "AzureFrontDoor.Frontend"}
    assert tags < listed


@pytest.mark.parametrize(
    ("cloud", "name"), [(Cloud.USGOV, "machine-usgov-others"), (Cloud.CHINA, "machine-china-others")]
)
def test_what_clusters_alone_need_is_theirs(cloud: Cloud, name: str) -> None:
    """No row of the other lists is lost between the two profiles."""
    rows = [row for row in read_rows(name) if kubernetes_alone(row)]
    assert rows
    assert facts(rows, cloud, port=PORT) < rules_of("arc-kubernetes", cloud=cloud, region=REGIONS[cloud])


@pytest.mark.parametrize(("cloud", "named"), [(Cloud.PUBLIC, "Public cloud"), (Cloud.USGOV, "US Government")])
def test_extended_security_updates(cloud: Cloud, named: str) -> None:
    """A machine that is connected for these updates alone finds its whole list in the profile."""
    rows = [row for row in read_rows("machine-esu") if row["Cloud"] == named]
    expected = facts(rows, cloud, port=PORT)
    assert len(expected) >= 8
    assert expected < rules_of("connected-machine", cloud=cloud, region=REGIONS[cloud])


@pytest.mark.parametrize(
    ("cloud", "name", "more"),
    [
        (Cloud.PUBLIC, "arc-kubernetes-public", {("*.gw.arc.azure.com", "443")}),
        (Cloud.USGOV, "arc-kubernetes-usgov", set()),
        (Cloud.CHINA, "arc-kubernetes-china", {("mcr.azure.cn", "443"), ("*.data.mcr.azure.cn", "443")}),
    ],
)
def test_kubernetes(cloud: Cloud, name: str, more: set[Fact]) -> None:
    """The clusters' list of each cloud, the gateway's row, and the registry's own name in China."""
    rows = read_rows(name)
    expected = facts(rows, cloud) | more
    assert differences(expected, rules_of("arc-kubernetes", cloud=cloud, region=REGIONS[cloud])) == []


@pytest.mark.parametrize("cloud", [Cloud.PUBLIC, Cloud.USGOV])
def test_certificates(cloud: Cloud) -> None:
    """Every host of issuers, lists and responders, on the port of its scheme; none decides by itself."""
    expected = facts_in(read_rows("certificates"), host="Host", port="Port")
    assert differences(expected, rules_of("certificates", cloud=cloud)) == []
    assert rules_of("certificates", keep=lambda row: row.need is Need.REQUIRED) == set()

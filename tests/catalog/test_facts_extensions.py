"""The profiles of extensions ask for what Microsoft's lists name: no row less, no row more, no other port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from egressd.catalog import load_catalog
from egressd.model.endpoint import Cloud, Endpoint, Forwarding, Need, Role, SampleKind
from egressd.model.settings import Settings
from egressd.planning import make_plan
from egressd.planning.pattern import pattern_covers
from egressd.planning.placeholder import PLACEHOLDER
from tests.catalog.facts_tables import Fact, Row, differences, facts_in, read_rows, rules_of

CATALOG = load_catalog()
SPELLED = {
    "<log-analytics-workspace-id>": "<workspace>",
    "<data-collection-endpoint>": "<data_collection_endpoint>",
    "<replication-appliance>": "<replication_appliance>",
}
COLUMNS = {Cloud.PUBLIC: "Public", Cloud.USGOV: "US Government", Cloud.CHINA: "21Vianet"}


def rows_with(name: str, column: str) -> list[Row]:
    """Return the rows of those tables of a list that have a column."""
    return [row for row in read_rows(name) if column in row]


def facts_with(name: str, column: str, port: str | None = None, **spelled: str) -> set[Fact]:
    return facts_in(rows_with(name, column), host=column, port=port, spelled=SPELLED | spelled)


def rows_of(profile: str) -> dict[str, Endpoint]:
    return {one.id: one for one in CATALOG.endpoints if one.profile == profile}


def hosts_of(rows: Iterable[Endpoint]) -> set[str]:
    return {one.pattern for one in rows}


@pytest.mark.parametrize(
    ("cloud", "region"),
    [(Cloud.PUBLIC, "eastus"), (Cloud.USGOV, "usgovarizona"), (Cloud.CHINA, "chinanorth2")],
)
def test_azure_monitor_agent(cloud: Cloud, region: str) -> None:
    """The other clouds have the public list with their suffixes, but for what only the public cloud has."""
    everywhere = rows_with("azure-monitor-agent", "Endpoint")
    if cloud is not Cloud.PUBLIC:
        everywhere = [row for row in everywhere if "public cloud only" not in row["Needed"]]
    suffixes = {
        row["Public"].strip("`"): row[COLUMNS[cloud]].strip("`")
        for row in rows_with("azure-monitor-agent", "Public")
    }
    expected = facts_in(everywhere, host="Endpoint", spelled=SPELLED | {"<region>": region} | suffixes)
    assert differences(expected, rules_of("azure-monitor-agent", cloud=cloud, region=region)) == []
    assert {one.inspection.value for one in rows_of("azure-monitor-agent").values()} == {"forbidden"}


@pytest.mark.parametrize(("cloud", "column"), [(Cloud.PUBLIC, "Commercial"), (Cloud.USGOV, "US Government")])
def test_defender(cloud: Cloud, column: str) -> None:
    """Both lists of streamlined connectivity; there is none for 21Vianet."""
    expected = facts_with("defender", column, "Port")
    assert differences(expected, rules_of("defender", cloud=cloud)) == []
    assert rules_of("defender", cloud=Cloud.CHINA) == set()


def test_defender_updates_are_optional_in_us_government() -> None:
    """What one list has as optional and the other under a condition is so in each cloud."""
    definitions = rows_of("defender")["mde-definitions"]
    assert definitions.in_cloud(Cloud.PUBLIC).need is Need.CONDITIONAL
    assert definitions.in_cloud(Cloud.USGOV).need is Need.OPTIONAL
    assert definitions.in_cloud(Cloud.USGOV).condition is None
    required = {one.id for one in rows_of("defender").values() if one.need is Need.REQUIRED}
    assert required == {"mde-core", "mde-core-gov", "mde-revocation", "mde-revocation-lists"}


@pytest.mark.parametrize("cloud", [Cloud.PUBLIC, Cloud.USGOV])
def test_hybrid_worker(cloud: Cloud) -> None:
    """The worker's hosts, and in the public cloud those of the old agent."""
    assert (
        differences(facts_with("hybrid-worker", COLUMNS[cloud]), rules_of("hybrid-worker", cloud=cloud)) == []
    )


@pytest.mark.parametrize("row", rows_with("hybrid-worker", "Record"), ids=lambda row: row["Region"])
def test_hybrid_worker_is_sampled_by_the_record_of_its_region(row: Mapping[str, str]) -> None:
    """A record that the list prints decides; one made for another region does not."""
    record = row["Record"].strip("`")
    assert hybrid_worker_samples(row["Region"])[record] in {SampleKind.TEMPLATED, SampleKind.DOCUMENTED}
    kinds = hybrid_worker_samples("uaenorth")
    assert kinds["uaen-jobruntimedata-prod-su1.azure-automation.net"] is SampleKind.DERIVED


def hybrid_worker_samples(region: str) -> dict[str, SampleKind]:
    settings = Settings(region=region, profiles=("hybrid-worker",))
    plan = make_plan(CATALOG, settings, label="egressd-probe-0")
    return {one.host: one.sample for one in plan.targets if one.endpoint == "hw-automation"}


def test_site_recovery() -> None:
    """The appliance, the machines it protects, and the provider of Hyper-V hosts have a list each."""
    appliance = facts_with("site-recovery", "Public", "Port")
    assert differences(appliance, rules_by(Role.REPLICATION_APPLIANCE)) == []
    vault = {("*.vault.azure.net", "443")}
    machine = facts_with("site-recovery", "Host", "Port") | facts_with("site-recovery", "Provider", "Port")
    assert differences(machine | vault, rules_by(Role.MACHINE)) == []


def rules_by(role: Role) -> set[Fact]:
    return rules_of("site-recovery", keep=lambda one: role in one.roles)


@pytest.mark.parametrize("cloud", [Cloud.USGOV, Cloud.CHINA])
def test_site_recovery_in_other_clouds(cloud: Cloud) -> None:
    """The list for government clouds, and the ports of the appliance."""
    expected = facts_with("site-recovery", COLUMNS[cloud]) | facts_with("site-recovery", "Host", "Port")
    assert differences(expected, rules_of("site-recovery", cloud=cloud)) == []


def test_site_recovery_private_endpoints() -> None:
    """A private endpoint may answer where the list says so, and nowhere else."""
    rows = [one for one in rows_of("site-recovery").values() if one.clouds == (Cloud.PUBLIC,)]
    listed = [
        row for row in rows_with("site-recovery", "Private endpoint") if row["Private endpoint"] == "yes"
    ]
    private = [one for one in rows if one.private_link and Role.REPLICATION_APPLIANCE in one.roles]
    assert hosts_of(private) == {host for host, _ in facts_in(listed, host="Public")}


def test_windows_admin_center() -> None:
    """Three hosts, in the regions that the page names, and in no other cloud."""
    expected = facts_with("windows-admin-center", "Endpoint")
    assert differences(expected, rules_of("windows-admin-center", region="eastus")) == []
    assert rules_of("windows-admin-center", cloud=Cloud.USGOV) == set()
    profile = next(one for one in CATALOG.profiles if one.name == "windows-admin-center")
    names = [row["Region"].replace(" ", "").lower() for row in rows_with("windows-admin-center", "Region")]
    assert profile.regions_in(Cloud.PUBLIC) == tuple(names)


def test_windows_admin_center_is_sampled_without_deciding() -> None:
    """The one known form of its host exists after the installation only, and no document shows it."""
    settings = Settings(region="westus2", profiles=("windows-admin-center",))
    targets = make_plan(CATALOG, settings, label="egressd-probe-0").targets
    found = [one for one in targets if one.endpoint == "wac-service"]
    assert [(one.host, one.sample) for one in found] == [
        ("westus2.service.waconazure.com", SampleKind.DERIVED)
    ]


MACHINE_CONFIGURATION = {
    Cloud.PUBLIC: ("com", "blob.core.windows.net"),
    Cloud.USGOV: ("us", "blob.core.usgovcloudapi.net"),
    Cloud.CHINA: ("cn", "blob.core.chinacloudapi.cn"),
}
MARKS = {"(.us)": Cloud.USGOV, "(.cn)": Cloud.CHINA}
US_SET = "euss1, eus2s1, wuss1, wus2s1, ncuss1, cuss1, scuss1, wus3s1, wcuss1"
SERVED_BY = {"australiasoutheast": "australiaeast"}


@pytest.mark.parametrize("row", read_rows("machine-configuration"), ids=lambda row: row["Region name"])
def test_machine_configuration(row: Mapping[str, str]) -> None:
    """Every region has its own hosts and storage accounts."""
    cloud = next((one for mark, one in MARKS.items() if mark in row["Region"]), Cloud.PUBLIC)
    region = row["Region name"]
    suffix, storage = MACHINE_CONFIGURATION[cloud]
    accounts = set(row["Accounts"].replace("US set", US_SET).split(", "))
    if cloud is Cloud.PUBLIC:
        accounts.add("wcuss1")
    hosts = {f"oaasguestconfig{one}.{storage}" for one in accounts}
    labels = ("agentserviceapi", f"{SERVED_BY.get(region, region)}-gas", f"{row['GAS code'].split()[0]}-gas")
    hosts |= {f"{one}.guestconfiguration.azure.{suffix}" for one in labels}
    expected = {(host, "443") for host in hosts}
    assert differences(expected, rules_of("machine-configuration", cloud=cloud, region=region)) == []


def test_machine_configuration_is_offered_where_the_list_says() -> None:
    """The list names all regions: 42 public ones, three of US Government, four of 21Vianet."""
    profile = next(one for one in CATALOG.profiles if one.name == "machine-configuration")
    counts = {cloud: len(names) for cloud, names in profile.regions}
    assert counts == {Cloud.PUBLIC: 42, Cloud.USGOV: 3, Cloud.CHINA: 4}
    listed = {row["Region name"] for row in read_rows("machine-configuration")}
    assert {name for _, names in profile.regions for name in names} == listed


@pytest.mark.parametrize(
    ("profile", "tags"),
    [
        ("windows-admin-center", {"WindowsAdminCenter"}),
        ("defender", {"MicrosoftDefenderForEndpoint", "OneDsCollector"}),
        ("azure-monitor-agent", {"AzureMonitor", "AzureResourceManager"}),
        ("hybrid-worker", {"GuestAndHybridManagement", "AzureMonitor"}),
    ],
)
def test_service_tags(profile: str, tags: set[str]) -> None:
    """The tags that a list names in place of hosts, and never for a data collection endpoint."""
    rows = rows_of(profile).values()
    assert {tag for one in rows for tag in one.service_tags} == tags
    assert not any(one.service_tags for one in rows if "ingest.monitor" in one.pattern)


ON_ARC_MACHINES = (
    "azure-monitor-agent",
    "defender",
    "hybrid-worker",
    "machine-configuration",
    "windows-admin-center",
)
NO_PROXY_AT_ALL = "ama-custom-metrics"


@pytest.mark.parametrize("profile", ON_ARC_MACHINES)
def test_arc_gateway(profile: str) -> None:
    """A row is forwarded where the gateway's list has its host and port, unless a page keeps it direct."""
    forwarded = facts_in(read_rows("gateway-forwarded"), host="Host")
    direct = facts_in(read_rows("machine-gateway"), host="Host pattern")
    for row in rows_of(profile).values():
        said = dict(row.gateway).get(profile)
        if Cloud.PUBLIC not in row.clouds:
            assert said is None, row.id  # there is no gateway elsewhere
            continue
        name = PLACEHOLDER.sub("x", row.pattern)
        listed = any(
            port == row.ports and (name == host or pattern_covers(host, name.replace("*", "x"), deep=True))
            for host, port in forwarded
        )
        expected = listed and (name, row.ports) not in direct and row.id != NO_PROXY_AT_ALL
        assert said is (Forwarding.FORWARDED if expected else Forwarding.DIRECT), row.id

"""Thirty failing targets with one cause are one finding, and no other."""

from __future__ import annotations

from tests.net.run_egressd import sweep
from tests.net.topology import APPLIANCE_1, APPLIANCE_2, Network
from tests.net.worlds.site import second_appliance

TARGETS = 30


def test_a_source_missing_from_the_rules_is_one_finding(network: Network) -> None:
    """With two of three source addresses allowed, one finding lists every target and names the third."""
    run = sweep(network, second_appliance(network))

    (finding,) = run.report["findings"]
    assert finding["reason"] == "site_source_rule_missing"
    assert APPLIANCE_2 in finding["title"]
    assert f"Add {APPLIANCE_2} to the rules that already let" in finding["advice"]
    assert set(finding["targets"]) == {one["id"] for one in run.report["targets"]}
    assert len(run.report["targets"]) == TARGETS
    seen = {
        source["source"]: {one["by_source"][number]["outcome"] for one in run.report["targets"]}
        for number, source in enumerate(run.report["targets"][0]["by_source"])
    }
    assert seen == {"management": {"ok"}, "appliance-1": {"ok"}, "appliance-2": {"blocked"}}
    assert run.code == 1


def test_a_rule_for_every_source_gives_no_finding(network: Network) -> None:
    """With every source allowed there is no finding and no failing target."""
    built = second_appliance(network)
    network.firewall.run("nft", "flush", "ruleset")

    run = sweep(network, built)

    assert run.report["findings"] == []
    assert {one["outcome"] for one in run.report["targets"]} == {"ok"}
    assert run.code == 0
    addresses = {source["address"] for source in run.report["vantage"]["sources"]}
    assert {APPLIANCE_1, APPLIANCE_2} <= addresses

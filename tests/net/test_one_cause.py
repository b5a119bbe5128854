"""Thirty failures with one cause are one finding that says so, and nothing beside it."""

from __future__ import annotations

from tests.net.sweeping import sweep
from tests.net.topology import APPLIANCE_1, APPLIANCE_2, Network
from tests.net.worlds.answering import second_appliance

TARGETS = 30


def test_the_source_that_a_rule_forgot_is_named_once(network: Network) -> None:
    """Of three sources two are let out: every target is named under the third, once, with what to ask for."""
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


def test_a_rule_for_every_source_leaves_nothing_to_say(network: Network) -> None:
    """The same, once the rule is there: no finding, and no failure."""
    built = second_appliance(network)
    network.firewall.run("nft", "flush", "ruleset")

    run = sweep(network, built)

    assert run.report["findings"] == []
    assert {one["outcome"] for one in run.report["targets"]} == {"ok"}
    assert run.code == 0
    addresses = {source["address"] for source in run.report["vantage"]["sources"]}
    assert {APPLIANCE_1, APPLIANCE_2} <= addresses

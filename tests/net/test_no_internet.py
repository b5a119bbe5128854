"""A host without Internet access gets one finding with the cause, with no configuration at all."""

from __future__ import annotations

import json
from typing import Any

from tests.net.programs import unbound
from tests.net.topology import BLACKHOLED, CLIENT, RESOLVER, Network


def sweep_unconfigured(network: Network) -> tuple[dict[str, Any], int]:
    """Run one sweep with no configuration; return the report and the exit code."""
    done = network.client.egressd("--once", "--format", "json")
    return json.loads(done.stdout), done.returncode


def causes(report: dict[str, Any]) -> list[str]:
    """Return the reasons of the findings that name what failed."""
    return [one["reason"] for one in report["findings"]]


def unexplained(report: dict[str, Any]) -> list[str]:
    """Return failed targets that no finding covers."""
    covered = {target for finding in report["findings"] for target in finding["targets"]}
    return [
        one["id"]
        for one in report["targets"]
        if one["outcome"] not in ("ok", "degraded") and one["id"] not in covered
    ]


def remove_default_routes(network: Network) -> None:
    """Remove the client's default routes."""
    network.client.ip("route", "del", "default")
    network.client.ip("-6", "route", "del", "default")


def test_no_route_is_one_finding(network: Network) -> None:
    """Without a default route the only finding is local_no_route."""
    remove_default_routes(network)

    report, code = sweep_unconfigured(network)

    assert causes(report) == ["local_no_route"]
    assert unexplained(report) == []
    assert code == 1


def test_a_silent_resolver_is_one_finding(network: Network) -> None:
    """Where every query is dropped, the only finding is dns_resolver_unreachable, with its address."""
    network.client.etc("resolv.conf", f"nameserver {BLACKHOLED}\n")

    report, code = sweep_unconfigured(network)

    assert causes(report) == ["dns_resolver_unreachable"]
    assert BLACKHOLED in json.dumps(report["findings"][0]["evidence"])
    assert unexplained(report) == []
    assert code in (1, 3)


def test_a_refusing_resolver_is_one_finding(network: Network) -> None:
    """Where the resolver answers REFUSED to every query, the only finding is dns_refused_client."""
    unbound(network.server, server=[f"access-control: {CLIENT}/32 refuse"])

    report, code = sweep_unconfigured(network)

    assert causes(report) == ["dns_refused_client"]
    assert unexplained(report) == []
    assert code == 1


def test_a_closed_dns_port_is_one_finding(network: Network) -> None:
    """A closed port 53 is dns_no_listener, not an unreachable resolver."""
    network.client.etc("resolv.conf", f"nameserver {RESOLVER}\n")

    report, code = sweep_unconfigured(network)

    assert causes(report) == ["dns_no_listener"]
    assert code == 1


def test_the_table_names_the_cause_at_the_top(network: Network) -> None:
    """The text table names the cause in its first 20 lines, within 80 columns."""
    remove_default_routes(network)

    lines = network.client.egressd("--once").stdout.splitlines()

    assert max(len(line) for line in lines) <= 80
    assert any("local_no_route" in line for line in lines[:20])

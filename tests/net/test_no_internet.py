"""A host without internet gets one true cause, not a hundred. Swept with no configuration at all."""

from __future__ import annotations

import json
from typing import Any

from tests.net.programs import unbound
from tests.net.topology import CLIENT, NOWHERE, RESOLVER, Network


def once(network: Network) -> tuple[dict[str, Any], int]:
    """Run one sweep with no configuration; return the report and the exit code."""
    done = network.client.egressd("--once", "--format", "json")
    return json.loads(done.stdout), done.returncode


def causes(report: dict[str, Any]) -> list[str]:
    """Return the reasons of the findings that name what failed."""
    return [one["reason"] for one in report["findings"]]


def unexplained(report: dict[str, Any]) -> list[str]:
    """Return failed targets that no finding covers; an NTP row has a cause of its own."""
    covered = {target for finding in report["findings"] for target in finding["targets"]}
    return [
        one["id"]
        for one in report["targets"]
        if one["outcome"] not in ("ok", "degraded") and one["id"] not in covered
    ]


def unplug(network: Network) -> None:
    """Take the client's default routes away."""
    network.client.ip("route", "del", "default")
    network.client.ip("-6", "route", "del", "default")


def test_no_route_is_one_finding(network: Network) -> None:
    """Without a default route the cause is this host, and nobody else is blamed."""
    unplug(network)

    report, code = once(network)

    assert causes(report) == ["local_no_route"]
    assert unexplained(report) == []
    assert code == 1


def test_a_silent_resolver_is_one_finding(network: Network) -> None:
    """Behind a path that swallows everything, the resolver is what cannot be reached."""
    network.client.etc("resolv.conf", f"nameserver {NOWHERE}\n")

    report, code = once(network)

    assert causes(report) == ["dns_resolver_unreachable"]
    assert NOWHERE in json.dumps(report["findings"][0]["evidence"])
    assert unexplained(report) == []
    assert code in (1, 3)


def test_a_refusing_resolver_is_one_finding(network: Network) -> None:
    """A resolver that answers REFUSED to everything is named as that."""
    unbound(network.server, server=[f"access-control: {CLIENT}/32 refuse"])

    report, code = once(network)

    assert causes(report) == ["dns_refused_client"]
    assert unexplained(report) == []
    assert code == 1


def test_nothing_listens_where_the_resolver_should_be(network: Network) -> None:
    """A closed port 53 is told from silence."""
    network.client.etc("resolv.conf", f"nameserver {RESOLVER}\n")

    report, code = once(network)

    assert causes(report) == ["dns_no_listener"]
    assert code == 1


def test_the_report_on_paper(network: Network) -> None:
    """The table says it in its first lines, within 80 columns."""
    unplug(network)

    lines = network.client.egressd("--once").stdout.splitlines()

    assert max(len(line) for line in lines) <= 80
    assert any("local_no_route" in line for line in lines[:20])

"""Dates and gateways of the rows are those of Microsoft's documents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import pytest

from egressd.catalog import load_catalog
from egressd.model.endpoint import Cloud, Endpoint, Forwarding, Role
from egressd.planning.pattern import pattern_covers
from tests.catalog.facts_tables import Row, facts_in, read_rows

NOT_LISTED = "\N{EM DASH}"
PREFIXES = {"bridge": "rb-", "servers": "cm-"}
BACK = re.compile(r"came back (\S+)")


@cache
def rows(prefix: str, *, cloud: Cloud = Cloud.PUBLIC) -> tuple[Endpoint, ...]:
    every = (one for one in load_catalog().endpoints if one.id.startswith(prefix) and cloud in one.clouds)
    return tuple(one.in_cloud(cloud) for one in every)


def spelled(pattern: str) -> str:
    """Return a pattern as the list of dates writes it."""
    return pattern.replace("{region}", "<region>")


def dated() -> Iterable[Row]:
    return read_rows("dates")


@pytest.mark.parametrize("row", dated(), ids=lambda row: row["Host"])
def test_dates(row: Row) -> None:
    """The day a row came and the day it went, from the lists' history."""
    government = "government" in row["Remark"] or "azure.us" in row["Host"]
    prefix = PREFIXES[next(word for word in PREFIXES if row["Remark"].startswith(word))]
    back = BACK.search(row["Remark"])
    came, went = (back[1], NOT_LISTED) if back else (row["Came"], row["Went"])
    for cell in re.findall(r"`([^`]+)`", row["Host"]):
        host = cell.partition("/")[0].replace("<vault>", "*")
        cloud = (
            Cloud.USGOV if government and "windows.net" not in host.partition("vault")[1] else Cloud.PUBLIC
        )
        cloud = Cloud.PUBLIC if host in ("*.vault.azure.net", "graph.microsoft.com") else cloud
        found = [one for one in rows(prefix, cloud=cloud) if names(one, host, row)]
        assert found, host
        for one in found:
            assert (one.since, one.until or NOT_LISTED) == (came, went), one.id


def test_dates_of_a_cloud() -> None:
    """A row of two clouds has the dates of each: the list of US Government is younger than its rows."""
    corrected = {row["Host pattern"].strip("`") for row in read_rows("bridge-usgov") if "Went" in row}
    assert len(corrected) == 2
    young = [one for one in rows("rb-", cloud=Cloud.USGOV) if one.since]
    assert {one.since for one in young} == {"2026-08-25", "2026-09-09"}
    since = {one.id: one.since for one in young}
    old = {one.id: one.since for one in rows("rb-")}
    assert (old["rb-mcr-data"], since["rb-mcr-data"]) == ("2024-10-07", "2026-08-25")
    assert since["rb-diagnostics-warm-gov"] == since["rb-diagnostics-metrics-gov"] == "2026-09-09"
    assert since["rb-diagnostics-metrics"] == "2026-08-25"


def names(one: Endpoint, host: str, row: Row) -> bool:
    """Whether a catalog row is the one of a line: of its role and port, by its pattern or by its sample."""
    place = row["Host"].partition("`,")[2]
    if "appliance" in place and Role.APPLIANCE not in one.roles:
        return False
    if "management machine" in place + row["Remark"] and one.roles != (Role.MANAGEMENT,):
        return False
    if "government" in row["Remark"] and one.until is None:
        return False
    if "SQL" in row["Remark"] and "-sql-" not in one.id:
        return False
    if "port 80" in row["Host"]:
        return one.port == 80 and host in one.samples.documented
    return spelled(one.pattern) == host and (one.port, host) != (80, "*.dl.delivery.mp.microsoft.com")


def forwarded(one: Endpoint) -> bool:
    """Whether the gateway's list of hosts has a row."""
    listed = facts_in(read_rows("gateway-forwarded"), host="Host")
    pattern = re.sub(r"\{[a-z_]+\}", "*", one.pattern)
    host = pattern.replace("*", "x")
    return any(
        port == str(one.port) and (pattern == entry or pattern_covers(entry, host, deep=True))
        for entry, port in listed
    )


def test_gateway_of_servers() -> None:
    """Forwarded is what the list of hosts has and the page does not keep direct; all else is direct."""
    direct = {
        host
        for host, _ in facts_in(read_rows("machine-gateway"), host="Host pattern", port="Port / protocol")
    }
    kept = {host.replace("<region>", "*").replace("<prefix>", "*") for host in direct}
    for one in rows("cm-"):
        word = dict(one.gateway)["connected-machine"]
        expected = Forwarding.FORWARDED if forwarded(one) and one.pattern not in kept else Forwarding.DIRECT
        assert word is expected, one.id


def test_gateway_of_vmware() -> None:
    """Of the bridge's rows those stay direct that the page of VMware names, or that no gateway carries."""
    kept = facts_in(read_rows("vmware-gateway"), host="Host pattern", port="Port")
    for one in rows("rb-"):
        if one.internal and one.id != "rb-dns":
            assert one.gateway == (), one.id
            continue
        words = dict(one.gateway)
        assert set(words) == {"vmware"}, one.id
        management = one.id in {"rb-cli-links", "rb-dns"}
        direct = (one.pattern, str(one.port)) in kept or not forwarded(one) or management
        assert words["vmware"] is (Forwarding.DIRECT if direct else Forwarding.FORWARDED), one.id


def test_gateway_of_clusters() -> None:
    """Port 8084 is on the gateway's list of hosts, and direct for clusters all the same."""
    kept = facts_in(read_rows("arc-kubernetes-gateway"), host="Host", port="Port")
    names_kept = {
        (re.sub(r"<(region)>", r"{\1}", host).replace("<prefix>", "*").replace("<his>", "*"), port)
        for host, port in kept
    }
    for one in rows("k8s-"):
        direct = (one.pattern, str(one.port)) in names_kept or not forwarded(one)
        assert dict(one.gateway)["arc-kubernetes"] is (
            Forwarding.DIRECT if direct else Forwarding.FORWARDED
        ), one.id


def test_no_gateway_elsewhere() -> None:
    """No document says what a gateway does for the bridge of SCVMM."""
    assert {one.gateway for one in rows("sc-")} == {()}

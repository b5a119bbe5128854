"""The FortiOS script, read as the console reads it: tables, entries and settings."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

import pytest

from egressd.firewall.languages import LANGUAGES
from egressd.firewall.rule import FirewallRule
from egressd.model.endpoint import Direction
from tests.firewall.devices.asked import asked, hostile_rules, rule, rules_of_every_kind, web

TABLES = {
    "firewall address": 79,
    "firewall address6": 79,
    "firewall service custom": 79,
    "firewall wildcard-fqdn custom": 79,
    "firewall policy": 35,
}
"""The tables that are written, and the longest name in each."""


@dataclass
class Console:
    """What a unit has after a script; anything that it would refuse raises AssertionError."""

    tables: dict[str, dict[str, dict[str, list[str]]]] = field(default_factory=dict)
    table: str = ""
    entry: dict[str, list[str]] | None = None
    policies: int = 0

    def run(self, text: str) -> Console:
        """Type a script."""
        for line in text.splitlines():
            if line.strip() and not line.startswith("#"):
                self.type(line)
        assert self.table == ""
        assert self.entry is None
        return self

    def type(self, line: str) -> None:
        """Type a line."""
        assert "?" not in line
        word, *rest = shlex.split(line)
        match word:
            case "config":
                assert self.table == ""
                self.table = " ".join(rest)
                assert self.table in TABLES
                self.tables.setdefault(self.table, {})
            case "edit":
                assert self.entry is None
                self.policies += rest == ["0"]
                name = f"{self.policies}" if rest == ["0"] else rest[0]
                assert name not in self.tables[self.table]
                assert len(name) <= TABLES[self.table]
                self.entry = self.tables[self.table].setdefault(name, {})
            case "set" | "append":
                assert self.entry is not None
                assert (rest[0] in self.entry) is (word == "append")
                self.entry.setdefault(rest[0], []).extend(rest[1:])
            case "next":
                self.entry = None
            case "end":
                assert self.entry is None
                self.table = ""
            case _:
                raise AssertionError(line)


def typed(*rules: FirewallRule) -> Console:
    """Return a unit after the script for rules."""
    return Console().run(LANGUAGES["fortigate"].render(asked(rules)))


@pytest.mark.parametrize("rules", [rules_of_every_kind(), hostile_rules()], ids=["every-kind", "hostile"])
def test_script_is_taken_and_refers_to_what_it_made(rules: tuple[FirewallRule, ...]) -> None:
    """Every member of a policy was made before, once, with a name of its table's length; names are unique."""
    unit = typed(*rules)
    addresses, addresses6 = unit.tables["firewall address"], unit.tables.get("firewall address6", {})
    assert not set(addresses) & set(addresses6)
    names = [policy["name"][0] for policy in unit.tables["firewall policy"].values()]
    assert len(set(names)) == len(names)
    assert all(len(name) <= TABLES["firewall policy"] for name in names)
    for policy in unit.tables["firewall policy"].values():
        for suffix, known in (("", addresses), ("6", addresses6)):
            near, far = policy.get(f"srcaddr{suffix}", []), policy.get(f"dstaddr{suffix}", [])
            assert bool(near) is bool(far)
            assert set(near) | set(far) <= set(known)
        assert policy.get("srcaddr") or policy.get("srcaddr6")
        assert set(policy["service"]) <= set(unit.tables["firewall service custom"])
        assert policy["action"] == ["accept"]
    for settings in addresses.values():
        assert re.fullmatch(r"[a-z0-9_*.-]{1,253}", settings.get("fqdn", ["x"])[0])


def allowed(unit: Console) -> set[tuple[str, str, str]]:
    """Return source, destination and service of every policy."""
    found = set()
    for policy in unit.tables["firewall policy"].values():
        for suffix in ("", "6"):
            for near in policy.get(f"srcaddr{suffix}", []):
                for far in policy.get(f"dstaddr{suffix}", []):
                    table = unit.tables[f"firewall address{suffix}"]
                    ends = (_value(table[near]), _value(table[far]))
                    found |= {(*ends, service) for service in policy["service"]}
    return found


def _value(settings: dict[str, list[str]]) -> str:
    return (settings.get("fqdn") or settings.get("subnet") or settings["ip6"])[0].removesuffix("/128")


def test_policies_allow_every_source_and_nothing_else() -> None:
    """Both families of a rule's sources are in; what comes in is turned round; no source is `all`."""
    unit = typed(
        web("both.example.net", sources=["10.0.0.1", "2001:db8::1"]),
        rule("10.9.9.9", port=6443, protocols=["tcp"], sources=["10.0.0.1"], direction=Direction.INBOUND),
        rule("time.example.net", port=123, transport="UDP", protocols=["ntp"], sources=["10.0.0.1"]),
        web("nobody.example.net", sources=[]),
    )
    assert allowed(unit) == {
        ("10.0.0.1", "both.example.net", "egressd-tcp-443"),
        ("2001:db8::1", "both.example.net", "egressd-tcp-443"),
        ("10.9.9.9", "10.0.0.1", "egressd-tcp-6443"),
        ("10.0.0.1", "time.example.net", "egressd-udp-123"),
        ("192.0.2.1", "nobody.example.net", "egressd-tcp-443"),
    }
    services = unit.tables["firewall service custom"]
    assert services["egressd-udp-123"] == {"protocol": ["TCP/UDP/SCTP"], "udp-portrange": ["123"]}


def test_a_later_report_changes_no_earlier_policy() -> None:
    """Rules of two reports, pasted one after the other, allow what each allows, and nothing crossed."""
    first, second = web("a.example.net", sources=["10.0.0.1"]), web("b.example.net", sources=["10.0.0.2"])
    names = [next(iter(typed(one).tables["firewall policy"].values()))["name"] for one in (first, second)]
    assert names[0] != names[1]
    alike = (web("a_b.example.net"), web("a-b.example.net"), web("any.x.example"), web("*.x.example"))
    objects = [set(typed(one).tables["firewall address"]) for one in alike]
    assert len(set.union(*objects)) == len(alike) + 2  # and the two sources, which are the same


def test_long_lists_are_added_by_parts() -> None:
    """No line has more than eight members, and none is lost."""
    hosts = [f"h{number}.example.net" for number in range(300)]
    script = LANGUAGES["fortigate"].render(asked(tuple(web(host) for host in hosts)))
    assert max(line.count('"') for line in script.splitlines()) <= 16
    assert {far for _, far, _ in allowed(Console().run(script))} == set(hosts)


def test_names_that_begin_alike_stay_apart() -> None:
    """Long hosts are shortened to names of their own, and no host takes the name of a placeholder."""
    long = ".".join(["a" * 60] * 3)
    unit = typed(web(f"x.{long}"), web(f"y.{long}"), web("host-address", sources=[]))
    values = [_value(one) for one in unit.tables["firewall address"].values()]
    assert sorted(values) == sorted(
        [f"x.{long}", f"y.{long}", "host-address", "192.0.2.1", "10.20.0.11", "10.20.0.12"]
    )

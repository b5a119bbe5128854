"""PAN-OS set commands: each is well formed, refers to what was made, and matches what it should."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from egressd.firewall.languages import LANGUAGES
from egressd.firewall.rule import ANY_DEPTH, ONE_LABEL, Action, FirewallRule, Leg
from egressd.model.endpoint import Direction
from tests.firewall.devices.asked import PROXY, asked, hostile_rules, rule, rules_of_every_kind, web

NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
MEMBERS = rf"(?:{NAME}|\[(?: {NAME})+ \])"
RULE_START = rf"(?P<near>{MEMBERS}) destination (?P<far>{MEMBERS})"
COMMANDS = tuple(
    re.compile(one)
    for one in (
        rf"set address (?P<address>{NAME}) (?:ip-netmask [0-9a-f.:]+/(?:32|128)|fqdn [a-z0-9_.-]{{1,253}})",
        rf"set service (?P<service>{NAME}) protocol (?:tcp|udp) port \d+(?:-\d+)?",
        r'set profiles custom-url-category (?P<category>[a-z0-9][a-z0-9._-]{0,30}) type "URL List"',
        r"set profiles custom-url-category (?P<filled>[a-z0-9][a-z0-9._-]{0,30}) list (?P<entry>\S{1,255})",
        (
            rf"set rulebase security rules (?P<rule>{NAME}) from any to any source {RULE_START} application"
            rf" (?:any|\[ icmp ping ipv6-icmp \]) service (?P<port>{NAME}) category (?P<use>{NAME})"
            r" action allow log-end yes"
        ),
        (
            rf"set rulebase decryption rules (?P<exempt>{NAME}) from any to any source {RULE_START}"
            rf" category (?P<use>{NAME}) action no-decrypt type ssl-forward-proxy"
        ),
    )
)


def commands(*rules: FirewallRule) -> Iterator[dict[str, str]]:
    """Yield what each command names; no line is anything else."""
    for line in LANGUAGES["paloalto"].render(asked(rules)).splitlines():
        if line and not line.startswith("# "):
            matches = [found for one in COMMANDS if (found := one.fullmatch(line))]
            assert len(matches) == 1, line
            yield {key: value for key, value in matches[0].groupdict().items() if value}


def entries(*rules: FirewallRule) -> list[str]:
    """Return the entries of all URL categories."""
    return [one["entry"] for one in commands(*rules) if "entry" in one]


@pytest.mark.parametrize("rules", [rules_of_every_kind(), hostile_rules()], ids=["every-kind", "hostile"])
def test_commands_refer_to_what_was_made_before(rules: tuple[FirewallRule, ...]) -> None:
    """Objects come first, each once, names are unique, and every category is used and has entries."""
    made: dict[str, list[str]] = {"address": [], "service": [], "category": [], "rule": [], "exempt": []}
    known = {"any", "application-default"}
    used = set()
    for command in commands(*rules):
        for kind, names in made.items():
            if kind in command:
                names.append(command[kind])
                known.add(command[kind])
        refers = {command.get(key, "any") for key in ("filled", "use", "port")}
        refers |= {one for key in ("near", "far") for one in command.get(key, "any").strip("[] ").split()}
        assert refers <= known, command
        used |= refers
    for kind, names in made.items():
        assert len(set(names)) == len(names), kind
    assert {*made["address"], *made["service"], *made["category"]} <= used


def _matches(entry: str, url: str) -> bool:
    """Match as the guidelines for URL category exceptions say: `^` one token, `*` one or more."""
    expression = re.escape(entry).replace(r"\*", "[^./]+(?:[.][^./]+)*").replace(r"\^", "[^./]+")
    return re.match(expression, url) is not None


@pytest.mark.parametrize(
    ("destination", "reach", "passes", "does_not"),
    [
        (
            "h.example.net",
            "",
            ["h.example.net/"],
            ["h.example.net.evil.test/", "xh.example.net/", "a.h.example.net/"],
        ),
        (
            "*.x.example",
            ONE_LABEL,
            ["a.x.example/"],
            ["x.example/", "a.b.x.example/", "a.x.example.evil.test/"],
        ),
        (
            "*.x.example",
            ANY_DEPTH,
            ["a.x.example/", "a.b.x.example/"],
            ["x.example/", "xx.example/", "a.x.example.b/"],
        ),
    ],
)
def test_entries_match_exactly(destination: str, reach: str, passes: list[str], does_not: list[str]) -> None:
    """One label and any depth are told apart, the apex is out, and the slash ends a name."""
    (entry,) = entries(web(destination, subdomains=reach))
    assert entry.endswith("/")
    assert all(_matches(entry, one) for one in passes)
    assert not any(_matches(entry, one) for one in does_not)
    assert "pass as well" not in LANGUAGES["paloalto"].render(asked((web(destination, subdomains=reach),)))


def test_a_later_report_changes_no_earlier_rule() -> None:
    """`set` adds to what has the same name: rules and categories of another content have other names."""
    first, second = web("a.example.net", sources=["10.0.0.1"]), web("b.example.net", sources=["10.0.0.2"])
    names = [
        {one[key] for one in commands(rule) for key in ("rule", "category") if key in one}
        for rule in (first, second)
    ]
    assert not names[0] & names[1]
    assert list(commands(first)) == list(commands(web("a.example.net", sources=["10.0.0.1"])))


def test_an_address_that_was_filled_in_is_not_taken_back() -> None:
    """The object for an unknown address is that of one report: another report has one of its own."""
    made = []
    for run in ("run-1", "run-2", None):
        document = asked((web("a.example.net", sources=[]), web("b.example.net", sources=["interface eth0"])))
        document = replace(document, origin=replace(document.origin, run=run))
        text = LANGUAGES["paloalto"].render(document)
        (name,) = set(re.findall(r"set address (\S+) ip-netmask 192\.0\.2\.1/32", text))
        assert text.count(f"source {name} destination") == 2
        assert text.count(f"{name} stands for") == 2
        made.append(name)
    assert len(set(made)) == 3


def test_apex_is_an_entry_of_its_own() -> None:
    """A wildcard and the name behind it, both asked for, are both in one category."""
    both = (web("*.dl.example", subdomains=ANY_DEPTH), web("dl.example"))
    assert entries(*both) == ["*.dl.example/", "dl.example/"]


def test_a_part_of_a_label_is_wider_and_said_so_or_hosts() -> None:
    """`azgn*.x` becomes one label before x, which is said; where hosts are known, only they are opened."""
    text = LANGUAGES["paloalto"].render(asked((web("azgn*.x.example", subdomains=ONE_LABEL),)))
    assert entries(web("azgn*.x.example", subdomains=ONE_LABEL)) == ["^.x.example/"]
    assert "azgn*.x.example cannot be said: every name under x.example passes" in " ".join(text.split())
    hosts = web("azgn*.x.example", subdomains=ONE_LABEL, hosts=["azgn1.x.example", "azgn2.x.example"])
    assert entries(hosts) == ["azgn1.x.example/", "azgn2.x.example/"]


def test_what_carries_no_name_is_told_by_address() -> None:
    """A proxy, other protocols, UDP, and what comes in are address objects, without a category."""
    rules = (
        rule("proxy.corp.example", port=3128, protocols=["http"], leg=Leg.TO_PROXY, proxy=PROXY),
        rule("t.example.net", port=123, transport="UDP", protocols=["ntp"]),
        rule("m.example.net", port=5671, protocols=["tcp", "https"]),
        rule("10.4.4.4", port=22, protocols=["tcp"], direction=Direction.INBOUND),
    )
    found = [one for one in commands(*rules) if "rule" in one]
    assert [one["use"] for one in found] == ["any"] * 4
    assert found[3]["near"] == "egressd-10.4.4.4"
    assert "egressd-10.20.0.11" in found[3]["far"]
    assert "any" not in {one[key] for one in found for key in ("near", "far")}


def test_exemptions_are_decryption_rules() -> None:
    """No decryption is a rule of its own table, and allows nothing."""
    rules = (web("*.x.example", subdomains=ONE_LABEL, action=Action.EXEMPT),)
    kinds = [set(one) & {"rule", "exempt"} for one in commands(*rules)]
    assert kinds.count({"exempt"}) == 1
    assert {"rule"} not in kinds

"""The text for dnsmasq and nftables, read as they do: what is asked for passes; what else does is said."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.firewall import Action, FirewallRule, Leg
from egressd.firewall.rule import ANY_DEPTH
from egressd.model.endpoint import Direction
from egressd.model.verdict import Team
from egressd.planning.pattern import pattern_covers
from tests.firewall.made import ADDRESSES, HOSTILE, HOSTS, NAMED_RULES, made, written

LANGUAGE = "dnsmasq-nftables"
LINE = re.compile(r"#dnsmasq nftset=/(?P<domain>[a-z0-9._-]+)/(?P<sets>[\w#,]+)")
RULE = re.compile(
    r"(?:ip6? (?:saddr|daddr) \{ (?P<own>[^}]+) \} )?ip6? (?:daddr|saddr) (?P<others>@\w+|\{ [^}]+ \}) "
    r"(?:(?P<transport>tcp|udp) dport (?P<ports>[\d-]+)|meta l4proto [\w-]+)"
    r"(?: update @\w+ \{ [\w ]+ \})? accept"
)


@dataclass
class Firewall:
    """Which sets a name's addresses go to, and what they are accepted for."""

    domains: dict[str, set[str]]
    rules: list[re.Match[str]]

    @classmethod
    def of(cls, text: str) -> Firewall:
        lines = [line.strip() for line in text.splitlines()]
        found = [LINE.fullmatch(line) for line in lines if line.startswith("#dnsmasq ")]
        assert all(found), text
        domains = {
            one["domain"]: {part.rpartition("#")[2] for part in one["sets"].split(",")}
            for one in found
            if one
        }
        assert len(domains) == len(found)
        accepting = [RULE.fullmatch(line) for line in lines if line.endswith(" accept")]
        assert all(accepting), text
        return cls(domains, [one for one in accepting if one])

    def allows(self, source: str, host: str, port: int) -> bool:
        """Resolve as dnsmasq does: the longest domain on a label's edge, and that one alone."""
        labels = host.split(".")
        suffixes = [".".join(labels[at:]) for at in range(len(labels))]
        sets = next((self.domains[one] for one in suffixes if one in self.domains), set())
        version = "_v6" if ":" in source else "_v4"
        return any(
            rule["others"].removeprefix("@") in sets
            and rule["others"].endswith(version)
            and rule["ports"] == str(port)
            and source in (rule["own"] or source).split(", ")
            for rule in self.rules
        )


QUESTIONS = st.tuples(ADDRESSES, st.one_of(HOSTS, st.just("other.test")), st.sampled_from((443, 80, 8443)))


@given(st.lists(NAMED_RULES, max_size=6), st.lists(QUESTIONS, min_size=5, max_size=30))
def test_all_that_is_asked_for_passes(
    rules: list[FirewallRule], questions: list[tuple[str, str, int]]
) -> None:
    """Covered names pass from their sources to their ports; what else passes lies under a name asked for."""
    firewall = Firewall.of(written(LANGUAGE, *rules))
    for source, host, port in questions:
        fitting = [rule for rule in rules if source in rule.sources and port == rule.port]
        asked = any(
            pattern_covers(rule.destination, host, deep=rule.subdomains == ANY_DEPTH) for rule in fitting
        )
        apexes = [re.sub(r"^[^.]*[*][^.]*[.]", "", rule.destination) for rule in fitting]
        under = any(host == apex or host.endswith(f".{apex}") for apex in apexes)
        allowed = firewall.allows(source, host, port)
        assert asked <= allowed <= under, (source, host, port)


def test_the_longest_domain_carries_what_shorter_wildcards_allow() -> None:
    """A name with an entry of its own keeps the ports of the wildcards that cover it, and gets no more."""
    text = written(
        LANGUAGE,
        made("*.dl.example", port=80, protocols=["http"], subdomains=ANY_DEPTH),
        made("a.sb.dl.example", port=443),
        made("*.one.example", port=80),
        made("a.one.example", port=443),
        made("b.a.one.example", port=443),
        made("one.example", port=8443),
    )
    firewall = Firewall.of(text)
    for host, ports in {
        "a.sb.dl.example": {80, 443},
        "x.dl.example": {80},
        "a.one.example": {80, 443},
        "b.a.one.example": {443},
    }.items():
        assert {port for port in (80, 443, 8443) if firewall.allows("10.20.0.11", host, port)} == ports, host


def test_what_passes_besides_is_said() -> None:
    """Names below a host, the apex of a wildcard, and all names for a part of a label stand in comments."""
    text = written(LANGUAGE, made("mcr.example"), made("*.his.example"), made("azgn*.bus.example"))
    assert "names under mcr.example pass as well" in text
    assert "his.example pass as well" in text
    assert "azgn*.bus.example cannot be said: bus.example and every name under it pass" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_none_is_left_out(name: str) -> None:
    """What is no host or pattern becomes no line for dnsmasq or nftables; the rest is written."""
    text = written(LANGUAGE, made(name), made("good.example"))
    assert list(Firewall.of(text).domains) == ["good.example"]
    assert "left out" in text.lower()


def test_words_from_outside_end_no_comment() -> None:
    """A service's name can't begin a line for dnsmasq or nftables."""
    evil = "Lab\n#dnsmasq nftset=/evil.example/4#inet#filter#egressd_1_v4\nflush ruleset\\"
    text = written(
        LANGUAGE, made("a.example", services=[evil], conditions=[evil], sources=["10.20.0.11", evil])
    )
    assert list(Firewall.of(text).domains) == ["a.example"]
    assert "flush ruleset" not in [line.strip() for line in text.splitlines()]
    assert not any(line.endswith("\\") for line in text.splitlines())


def test_families_follow_the_sources() -> None:
    """An IPv6 source gets a set of its own family, and IPv4 sources none."""
    assert "_v6" not in written(LANGUAGE, made("a.example"))
    six = written(LANGUAGE, made("a.example", sources=["2001:db8::11"]))
    assert "6#inet#filter#egressd_1_v6" in six
    assert "_v4" not in six
    other = written(LANGUAGE, made("192.0.2.7", sources=["2001:db8::11"]))
    assert Firewall.of(other).rules == []
    assert "no source address of IPv4 is known" in other


@pytest.mark.parametrize("sources", [[], ["interface eth0"], ["proxy.example"]])
def test_sources_without_an_address_open_nothing(sources: list[str]) -> None:
    """An address of documentation stands for what is not known, and the text says to replace it."""
    text = written(LANGUAGE, made("a.example", sources=sources, leg=Leg.FROM_PROXY))
    assert "put the right one in place of 192.0.2.1" in text
    assert Firewall.of(text).allows("192.0.2.1", "a.example", 443)
    assert not Firewall.of(text).allows("10.20.0.11", "a.example", 443)


def test_other_transports_addresses_and_directions() -> None:
    """NTP, ICMP, ranges, plain addresses and inbound rules are packet filter rules as well."""
    text = written(
        LANGUAGE,
        made("time.example", port=123, transport="UDP", protocols=["ntp"]),
        made("198.51.100.7", port=None, transport="ICMP", protocols=["icmp"]),
        made("198.51.100.8", port=5001, last_port=5010, protocols=["tcp"]),
        made("198.51.100.9", port=22, protocols=["tcp"], direction=Direction.INBOUND),
    )
    own = "{ 10.20.0.11, 10.20.0.12 }"
    lines = [line.strip() for line in text.splitlines() if line.endswith("accept")]
    assert lines == [
        f"ip saddr {own} ip daddr @egressd_1_v4 udp dport 123 update @egressd_1_v4 {{ ip daddr }} accept",
        f"ip saddr {own} ip daddr {{ 198.51.100.7 }} meta l4proto icmp accept",
        f"ip saddr {own} ip daddr {{ 198.51.100.8 }} tcp dport 5001-5010 accept",
        f"ip daddr {own} ip saddr {{ 198.51.100.9 }} tcp dport 22 accept",
    ]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (made("h.example", action=Action.RESOLVE, team=Team.DNS), "server=/NAME/ADDRESS"),
        (made("h.example", action=Action.EXEMPT, team=Team.INSPECTION), "exemption from TLS inspection"),
        (made("h.example", leg=Leg.AT_PROXY), "policy of the proxy"),
        (made("h.example", leg=Leg.BY_GATEWAY), "no rule is needed"),
        (made("<scvmm_server>"), "give its value"),
    ],
)
def test_what_it_cannot_say_is_left_out_with_why(rule: FirewallRule, why: str) -> None:
    """Other actions and legs become a comment, and nothing that accepts."""
    text = written(LANGUAGE, rule)
    assert Firewall.of(text).rules == []
    assert why in text


def test_both_legs_of_a_proxy_are_rules() -> None:
    """The way to the proxy and the way from it are for packet filters, by name or by address."""
    text = written(
        LANGUAGE,
        made("proxy.example", port=3128, protocols=["http"], leg=Leg.TO_PROXY),
        made("a.example", sources=["10.0.0.5"], leg=Leg.FROM_PROXY),
    )
    firewall = Firewall.of(text)
    assert firewall.allows("10.20.0.11", "proxy.example", 3128)
    assert firewall.allows("10.0.0.5", "a.example", 443)
    assert not firewall.allows("10.20.0.11", "a.example", 443)


def test_without_rules_it_is_a_comment() -> None:
    """No rule gives a text that says so, and changes nothing."""
    text = written(LANGUAGE)
    assert text.startswith("# egressd: 0 rules")
    assert all(line.startswith("#") for line in text.splitlines())

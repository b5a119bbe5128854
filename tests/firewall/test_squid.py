"""squid's text, read as squid reads it, allows what is asked for and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.firewall import Action, FirewallRule, Leg
from egressd.firewall.rule import ANY_DEPTH
from egressd.model.endpoint import Direction
from egressd.model.verdict import Team
from egressd.planning.pattern import pattern_covers
from tests.firewall.made import ADDRESSES, HOSTILE, HOSTS, NAMED_RULES, made, written

AT_PROXY = {"leg": Leg.AT_PROXY, "team": Team.PROXY, "proxy": "http://proxy.example:3128"}


@dataclass(frozen=True)
class Request:
    source: str
    host: str
    port: int
    scheme: str
    """`http`, or empty for CONNECT."""


@dataclass
class Squid:
    """The access lists of a configuration: OR within an acl, AND within a line, the first to fit decides."""

    acls: dict[str, list[list[str]]] = field(default_factory=dict)
    lines: list[list[str]] = field(default_factory=list)

    @classmethod
    def of(cls, text: str) -> Squid:
        squid = cls()
        for line in text.splitlines():
            match line.split():
                case ["acl", name, *words]:
                    squid.acls.setdefault(name, []).append(words)
                case ["http_access", "allow", *names]:
                    squid.lines.append(names)
                case [first, *_] if not first.startswith("#"):
                    raise AssertionError(line)
        return squid

    def allows(self, request: Request) -> bool:
        return any(all(self._holds(name, request) for name in names) for names in self.lines)

    def _holds(self, name: str, request: Request) -> bool:
        found = any(self._is(words, request) for words in self.acls[name.removeprefix("!")])
        return found != name.startswith("!")

    def _is(self, words: list[str], request: Request) -> bool:
        match words:
            case ["src", address]:
                return address == request.source
            case ["port", port]:
                return int(port) == request.port
            case ["proto", "HTTP"]:
                return request.scheme == "http"
            case ["dstdomain", "-n", host]:
                assert not host.startswith(".")
                return host == request.host.lower()
            case ["dstdom_regex", "-n", "-i", expression]:
                return re.search(expression, request.host, re.IGNORECASE) is not None
        raise AssertionError(words)


def covers(rule: FirewallRule, request: Request) -> bool:
    """Return whether a rule asks for what a request wants."""
    speaks = (request.scheme == "http") == ("http" in rule.protocols)
    if {"http", "https"} <= set(rule.protocols):
        speaks = True
    named = pattern_covers(rule.destination, request.host, deep=rule.subdomains == ANY_DEPTH)
    return speaks and named and request.source in rule.sources and request.port == rule.port


REQUESTS = st.builds(
    Request,
    source=ADDRESSES,
    host=st.one_of(HOSTS, st.just("other.test")),
    port=st.sampled_from((443, 80, 8443)),
    scheme=st.sampled_from(("http", "")),
)


@given(st.lists(NAMED_RULES, max_size=6), st.lists(REQUESTS, min_size=5, max_size=30))
def test_what_is_asked_for_is_what_is_allowed(rules: list[FirewallRule], requests: list[Request]) -> None:
    """Of random rules and requests, those pass that a rule covers: no apex, no deeper name, no other port."""
    squid = Squid.of(written("squid", *rules))
    wanted = [
        Request(
            source=rule.sources[0],
            host=rule.destination.replace("*", "azgn1"),
            port=rule.port or 0,
            scheme="http" if rule.protocols == ["http"] else "",
        )
        for rule in rules
    ]
    for request in (*wanted, *requests):
        assert squid.allows(request) == any(covers(rule, request) for rule in rules), request


def test_names_that_lie_in_each_other_are_no_overlapping_entries() -> None:
    """Apex, host and wildcards of one domain stand beside each other, without the form squid refuses."""
    names = ("dl.example", "*.dl.example", "a.dl.example", "*.sb.dl.example", "a.sb.dl.example")
    text = written("squid", *(made(name) for name in names))
    assert " dstdomain -n .dl" not in text
    squid = Squid.of(text)
    assert squid.allows(Request("10.20.0.11", "b.sb.dl.example", 443, ""))
    assert not squid.allows(Request("10.20.0.11", "b.c.sb.dl.example", 443, ""))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("leg", [Leg.DIRECT, Leg.AT_PROXY])
def test_a_name_that_is_none_is_left_out(name: str, leg: Leg) -> None:
    """What is no host or pattern becomes no line but a comment; the rest is written."""
    text = written("squid", made(name, leg=leg), made("good.example", leg=leg))
    squid = Squid.of(text)
    assert len(squid.lines) == 1
    (name,) = [one for one in squid.acls if one.endswith("_name")]
    assert squid.acls[name] == [["dstdomain", "-n", "good.example"]]
    assert "left out" in text.lower()


def test_words_from_outside_end_no_comment() -> None:
    """Services, conditions, sources and proxies are text from outside: no line comes of them."""
    evil = "Lab\nhttp_access allow all\\"
    text = written(
        "squid",
        made("a.example", services=[evil], conditions=[evil], proxy=f"http://p\n{evil}", leg=Leg.AT_PROXY),
        made("b.example", sources=["10.20.0.11", evil], leg=Leg.AT_PROXY),
    )
    assert "http_access allow all" not in [line.strip() for line in text.splitlines()]
    assert not any(line.endswith("\\") for line in text.splitlines())
    Squid.of(text)


@pytest.mark.parametrize("sources", [[], ["interface eth0"], ["proxy.example"], ["fe80::1%eth0"]])
def test_sources_without_an_address_open_nothing(sources: list[str]) -> None:
    """An address of documentation stands for what is not known, and the text says to replace it."""
    text = written("squid", made("a.example", sources=sources))
    assert "put the right one in place of 192.0.2.1" in text
    assert Squid.of(text).allows(Request("192.0.2.1", "a.example", 443, ""))
    assert not Squid.of(text).allows(Request("10.20.0.11", "a.example", 443, ""))


def test_a_source_of_two_without_an_address_is_told() -> None:
    """The other source is allowed, and the text says which it lacks."""
    text = written("squid", made("a.example", sources=["10.20.0.11", "interface eth0"]))
    assert "not from interface eth0" in text
    assert Squid.of(text).allows(Request("10.20.0.11", "a.example", 443, ""))


def test_ports_that_squid_refuses_first_are_added() -> None:
    """A tunnel to another port is added to SSL_ports, a registered port to Safe_ports; usual ones are not."""
    text = written(
        "squid",
        made("a.example"),
        made("a.example", port=80, protocols=["http"]),
        made("a.example", port=636, protocols=["tls"]),
        made("a.example", port=10124, last_port=10139, protocols=["tls"]),
        made("a.example", port=85, protocols=["http"]),
    )
    ports = sorted(line for line in text.splitlines() if "_ports port" in line)
    assert ports == [
        "acl SSL_ports port 10124-10139",
        "acl SSL_ports port 636",
        "acl Safe_ports port 636",
        "acl Safe_ports port 85",
    ]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (made("time.example", port=123, transport="UDP", protocols=["ntp"]), "past a proxy"),
        (made("h.example", port=None, transport="ICMP", protocols=["icmp"]), "past a proxy"),
        (made("h.example", port=22, protocols=["tcp"]), "past a proxy"),
        (made("h.example", direction=Direction.INBOUND), "outward"),
        (made("h.example", action=Action.RESOLVE, team=Team.DNS), "at the resolver"),
        (made("h.example", leg=Leg.TO_PROXY), "between hosts and proxy"),
        (made("h.example", leg=Leg.FROM_PROXY), "behind it"),
        (made("h.example", leg=Leg.BY_GATEWAY), "no rule is needed"),
        (made("<scvmm_server>"), "give its value"),
    ],
)
def test_what_squid_cannot_say_is_left_out_with_why(rule: FirewallRule, why: str) -> None:
    """Other transports, directions and legs become a comment, and no access line."""
    text = written("squid", rule)
    assert Squid.of(text).lines == []
    assert why in text


def test_beside_a_proxy_direct_rules_are_for_the_firewall() -> None:
    """Where rules are for a proxy, what goes past it is left out."""
    squid = Squid.of(written("squid", made("a.example", **AT_PROXY), made("b.example")))
    assert squid.allows(Request("10.20.0.11", "a.example", 443, ""))
    assert not squid.allows(Request("10.20.0.11", "b.example", 443, ""))


def test_what_must_not_be_inspected_is_spliced() -> None:
    """An exemption is a splice line behind a peek, from its sources and for its names alone."""
    exempt = {"action": Action.EXEMPT, "team": Team.INSPECTION, "leg": Leg.AT_PROXY}
    text = written("squid", made("a.example", **exempt), made("azgn*.b.example", **exempt))
    plain = re.sub(r"egressd_[0-9a-f]{8}", "egressd", text)
    assert [line for line in plain.splitlines() if line.startswith("ssl_bump")] == [
        "ssl_bump peek egressd_hello egressd_from egressd_port",
        "ssl_bump splice egressd_from egressd_port egressd_name",
        "ssl_bump splice egressd_from egressd_port egressd_pattern",
    ]
    assert "acl egressd_name ssl::server_name a.example" in plain
    assert "http_access allow" not in text


def test_texts_of_two_reports_share_no_acl() -> None:
    """squid joins acls of one name, so two files beside each other would open one to the sources of both."""
    one = Squid.of(written("squid", made("a.example", sources=["10.20.0.11"])))
    two = Squid.of(written("squid", made("b.example", sources=["10.20.0.12"], port=8443)))
    assert not set(one.acls) - {"SSL_ports"} & set(two.acls)


def test_without_rules_it_is_a_comment() -> None:
    """No rule gives a text that says so, and changes nothing."""
    text = written("squid")
    assert text.startswith("# egressd: 0 rules")
    assert all(line.startswith("#") for line in text.splitlines())

"""Whatever rules a report has, each language writes what it reads itself, and no text of a rule runs."""

from __future__ import annotations

import json

import hcl2
import pycep
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from egressd.firewall.languages import LANGUAGES
from egressd.firewall.rule import ANY_DEPTH, ONE_LABEL, Action, FirewallRule, Leg
from egressd.model.endpoint import Direction, Need, Protocol
from tests.firewall.devices.asked import HOSTILE, asked
from tests.firewall.devices.test_fortigate import Console
from tests.firewall.devices.test_paloalto import commands

HOSTS = st.sampled_from(
    ["a.example.net", "*.b.example.net", "c*.example.net", "*d.example.net", "e", "192.0.2.7", "2001:db8::7"]
)
TEXTS = st.one_of(
    st.text(max_size=30), st.sampled_from([HOSTILE, "${x}", "'''", '"', "\\", "]", "[x]", "-->"])
)
SOURCES = st.one_of(
    st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1", "interface eth0", "proxy.corp.example"]), TEXTS
)
PORTS = st.one_of(
    st.tuples(st.integers(1, 65535), st.none()),
    st.tuples(st.integers(1, 30000), st.integers(30001, 65535)),
)


@st.composite
def rules(draw: st.DrawFn) -> FirewallRule:
    """Draw a rule; every text of it may be hostile."""
    protocol = draw(st.sampled_from(Protocol))
    icmp = protocol is Protocol.ICMP
    udp = protocol in (Protocol.NTP, Protocol.UDP)
    port, last_port = (None, None) if icmp else draw(PORTS)
    return FirewallRule(
        action=draw(st.sampled_from(Action)),
        leg=draw(st.sampled_from(Leg)),
        proxy=draw(TEXTS),
        sources=draw(st.lists(SOURCES, max_size=3)),
        destination=draw(st.one_of(HOSTS, TEXTS)),
        port=port,
        last_port=last_port,
        transport="ICMP" if icmp else "UDP" if udp else "TCP",
        direction=draw(st.sampled_from([Direction.OUTBOUND, Direction.INBOUND])),
        protocols=[protocol.value],
        subdomains=draw(st.sampled_from([ANY_DEPTH, ONE_LABEL, ""])),
        need=draw(st.sampled_from(Need)),
        service_tags=draw(st.lists(TEXTS, max_size=1)),
        services=draw(st.lists(TEXTS, max_size=2)),
        hosts=draw(st.lists(st.one_of(HOSTS, TEXTS), max_size=2)),
    )


@settings(max_examples=30)
@given(st.lists(rules(), max_size=6))
def test_every_language_reads_what_it_writes(drawn: list[FirewallRule]) -> None:
    """Parsers and the consoles of the other tests take each text; no rule makes one that they refuse."""
    texts = {
        name: LANGUAGES[name].render(asked(tuple(drawn)))
        for name in ("azure-firewall", "bicep", "terraform", "cilium", "calico", "fortigate")
    }
    json.loads(texts["azure-firewall"])
    pycep.BicepParser().parse(text=texts["bicep"])
    hcl2.loads(texts["terraform"])
    for name in ("cilium", "calico"):
        assert all(isinstance(one, dict) for one in yaml.safe_load_all(texts[name]))
    Console().run(texts["fortigate"])
    assert all(commands(*drawn))
    assert all(text.isascii() for text in texts.values())

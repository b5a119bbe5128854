"""What is printed for all of the catalog, and for hostile rules, is read by the real programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.catalog.export import planned_rules
from egressd.firewall import Action, FirewallRule, RuleSet
from egressd.firewall.languages import LANGUAGES
from egressd.model.endpoint import Cloud
from egressd.model.settings import Proxy, Settings, Source
from tests.firewall.made import HOSTILE, document, made, written
from tests.net.firewall_frames import frame
from tests.net.topology import CLIENT, Host, Network

SOURCES = (
    Source(name="a", address="10.20.0.11"),
    Source(name="b", address="2001:db8::11"),
    Source(name="c", interface="eth0"),
)
CONNECT = """
import socket, sys
socket.create_connection((sys.argv[2], 443), 2, (sys.argv[1], 0))
"""
PROXIED = Proxy(url="http://proxy.corp.example:3128")


def planned(cloud: Cloud) -> list[RuleSet]:
    """Return the rules of all profiles that the cloud has: from addresses, by a proxy, and from anywhere."""
    catalog = load_catalog()
    names = {row.profile: None for row in catalog.endpoints if cloud in row.clouds}
    plain = Settings(cloud=cloud, profiles=tuple(names), sources=SOURCES)
    every = (plain, replace(plain, proxy=PROXIED), replace(plain, sources=(Source(name="d"),)))
    return [planned_rules(catalog, settings) for settings in every]


def exempted(asked: RuleSet) -> RuleSet:
    """Return the same places as exemptions from TLS inspection."""
    return replace(asked, rules=tuple(replace(one, action=Action.EXEMPT) for one in asked.rules))


def parse(host: Host, folder: Path, documents: list[RuleSet]) -> None:
    """Give each program all texts at once; a complaint of any of them fails."""
    for language in ("squid", "dnsmasq-nftables"):
        (folder / language).mkdir()
        for number, asked in enumerate(documents):
            text = LANGUAGES[language].render(asked)
            (folder / language / f"{number}.conf").write_text(text, encoding="utf-8")
    squid = folder / "squid.conf"
    squid.write_text(frame("squid").replace("/etc/squid/conf.d", str(folder / "squid")), encoding="utf-8")
    done = host.attempt("squid", "-k", "parse", "-f", str(squid))
    said = [
        line for line in done.stderr.splitlines() if any(word in line for word in ("WARN", "ERR", "FATAL"))
    ]
    assert (done.returncode, said) == (0, []), done.stderr[-2000:]
    printed = sorted((folder / "dnsmasq-nftables").iterdir())
    host.run("nft", "-c", "-f", "-", stdin="".join(one.read_text(encoding="utf-8") for one in printed))
    lines = host.run("sed", "-n", "s/^#dnsmasq //p", *map(str, printed))
    (folder / "dnsmasq.conf").write_text(lines, encoding="utf-8")
    host.run("dnsmasq", "--test", f"--conf-file={folder / 'dnsmasq.conf'}")


@pytest.mark.parametrize("cloud", Cloud)
def test_the_catalog_is_read(network: Network, tmp_path: Path, cloud: Cloud) -> None:
    """All rows together, with and without proxy and addresses, to allow and to exempt."""
    documents = planned(cloud)
    parse(network.firewall, tmp_path, [*documents, *map(exempted, documents)])


def test_odd_and_hostile_rules_are_read(network: Network, tmp_path: Path) -> None:
    """Names that are none, texts that would end a comment, and hosts of every allowed shape do no harm."""
    evil = "x\nhttp_access allow all\n} flush ruleset\n#dnsmasq conf-file=/etc/shadow\\"
    names = ("vmm01", "under_score.example", "xn--bcher-kva.example", "1.example", f"{'a' * 63}.example")
    rules: list[FirewallRule] = [
        *(made(name, services=[evil], conditions=[evil], proxy=evil) for name in (*HOSTILE, *names)),
        *(made(f"*.{name}", sources=["10.20.0.11", evil]) for name in names),
        *(made(address, port=port) for address in ("192.0.2.7", "2001:db8::7") for port in (22, 443)),
    ]
    parse(network.firewall, tmp_path, [document(*rules), document()])


def test_an_address_in_use_stays_in_its_set(network: Network) -> None:
    """A connection begins the day of an address again, which a fresh DNS answer does not."""
    network.firewall.nft(frame("nft"))
    network.firewall.nft(written("dnsmasq-nftables", made("a.example", sources=[CLIENT])))
    place = ("inet", "filter", "egressd_1_v4")
    network.firewall.run("nft", "add", "element", *place, "{ 203.0.113.10 timeout 1h }")
    network.client.attempt(sys.executable, "-c", CONNECT, CLIENT, "203.0.113.10")
    listed = json.loads(network.firewall.run("nft", "-j", "list", "set", *place))
    (one,) = next(part["set"]["elem"] for part in listed["nftables"] if "set" in part)
    assert one["elem"]["val"] == "203.0.113.10"
    assert one["elem"]["expires"] > 3600

"""Rules of every kind that a device can meet, and rules of hostile texts."""

from __future__ import annotations

from egressd.firewall.document import Origin, RuleSet
from egressd.firewall.rule import ANY_DEPTH, ONE_LABEL, Action, FirewallRule, Leg
from egressd.model.endpoint import Direction, Need

PROXY = "http://proxy.corp.example:3128"
TWO = ["10.20.0.11", "10.20.0.12"]
HOSTILE = "x'; \"y\" ${z} %{z} $(reboot) `id` */ ?\nend\nconfig system admin\n# \\ [concat('a')] é\u2028"
"""Text that would leave the quotes or the comment of one language or the other."""


def rules_of_every_kind() -> tuple[FirewallRule, ...]:
    """Return one rule of each kind, required ones first within a leg."""
    return (
        web("mcr.microsoft.com", need=Need.REQUIRED, service_tags=["MicrosoftContainerRegistry"]),
        web("*.his.arc.azure.com", subdomains=ONE_LABEL, need=Need.REQUIRED),
        web("azgn*.servicebus.windows.net", subdomains=ONE_LABEL, need=Need.REQUIRED, protocols=["wss"]),
        web("gas*.example.net", subdomains=ONE_LABEL, hosts=["gas-a.example.net", "gas-b.example.net"]),
        web("*service.waconazure.com", subdomains=ANY_DEPTH),
        web("*.dl.delivery.mp.microsoft.com", subdomains=ANY_DEPTH, protocols=["http"], port=80),
        web("dl.delivery.mp.microsoft.com", protocols=["http"], port=80),
        web("cloud.example.net", protocols=["tls"], port=10124, last_port=10139),
        web("six.example.net", sources=["2001:db8::11"], need=Need.CONDITIONAL),
        web("both.example.net", sources=[*TWO, "2001:db8::11"]),
        web("nobody.example.net", sources=[]),
        web("eth.example.net", sources=["interface eth1"]),
        web("*.tcp.example.net", subdomains=ONE_LABEL, protocols=["tcp"], port=1433),
        web("198.51.100.7", protocols=["https"]),
        web("2001:db8:7::7", protocols=["tcp"], sources=["2001:db8::11"], port=22),
        rule("time.windows.com", port=123, transport="UDP", protocols=["ntp"], need=Need.REQUIRED),
        rule("10.0.0.53", port=53, transport="UDP", protocols=["dns"], need=Need.REQUIRED),
        rule("10.0.0.53", port=53, transport="TCP", protocols=["dns"], need=Need.REQUIRED),
        rule("10.30.0.1", port=None, transport="ICMP", protocols=["icmp"]),
        rule("10.40.0.9", port=6443, protocols=["tcp"], direction=Direction.INBOUND),
        rule("vmm.corp.example", port=5001, last_port=65535, protocols=["tcp"], direction=Direction.INBOUND),
        rule("<control_plane>", port=22, protocols=["tcp"]),
        rule("proxy.corp.example", port=3128, protocols=["http"], leg=Leg.TO_PROXY, proxy=PROXY),
        web("*.at.example.net", leg=Leg.AT_PROXY, proxy=PROXY, subdomains=ONE_LABEL),
        web("from.example.net", leg=Leg.FROM_PROXY, proxy=PROXY, sources=["proxy.corp.example"]),
        web("gw.example.net", leg=Leg.BY_GATEWAY, proxy="https://contoso.gw.arc.azure.com"),
        web("*.exempt.example.net", action=Action.EXEMPT, subdomains=ONE_LABEL, tls_inspection="forbidden"),
        web("resolve.example.net", action=Action.RESOLVE),
    )


def hostile_rules() -> tuple[FirewallRule, ...]:
    """Return rules as a report of a stranger might have them: no field of text is what it should be."""
    return (
        web(HOSTILE, services=[HOSTILE], purposes=[HOSTILE], endpoints=[HOSTILE]),
        web("good.example.net", services=[HOSTILE], sources=[HOSTILE, "10.20.0.11"], service_tags=[HOSTILE]),
        web("a*.example.net", hosts=[HOSTILE], conditions=[HOSTILE], services=[HOSTILE]),
        web("b.example.net", leg=Leg.FROM_PROXY, proxy=HOSTILE, sources=[HOSTILE]),
        web("c.example.net", leg=Leg.AT_PROXY, proxy=HOSTILE, gateway=[HOSTILE]),
        web("d.example.net", sources=['fe80::1%eth0" ${z}']),
        web('fe80::1%x" ${z}', protocols=["tcp"]),
        web("e.example.net", services=["[concat('evaluated')]"], documents=[HOSTILE]),
        web(f"{'x' * 63}.{'y' * 63}.{'z' * 60}.example.net", services=["long " * 200]),
        web("*", subdomains=ANY_DEPTH),
        web("*.*.example.net", subdomains=ANY_DEPTH),
        web(""),
    )


def asked(rules: tuple[FirewallRule, ...], *, host: str = "probe.corp.example") -> RuleSet:
    """Return rules as those of a report."""
    origin = Origin(
        catalog_revision="2026-11-29",
        catalog_digest="0" * 64,
        cloud="public",
        region="westeurope",
        profiles=("resource-bridge", "connected-machine"),
        run="20261129T101500Z-1",
        started="2026-11-29T10:15:00.000Z",
        host=host,
    )
    return RuleSet(rules=rules, origin=origin)


def web(destination: str, **more: object) -> FirewallRule:
    """Return a rule for a web host, from two sources."""
    return rule(destination, **({"port": 443, "protocols": ["https"], "services": ["Web"]} | more))


def rule(destination: str, **more: object) -> FirewallRule:
    """Return a rule from two sources."""
    return FirewallRule(**({"destination": destination, "sources": TWO, "services": ["Other"]} | more))  # type: ignore[arg-type]

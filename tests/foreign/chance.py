"""Faults that come and go: a name fails at random, at one of its addresses, or behind one of its front ends.

A device tosses a coin for each connection, and acts on what carries data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.foreign.certificates import Authority, Leaf, subject, write_chain
from tests.foreign.internet import PUBLIC6, add_public_addresses, zone_options
from tests.net.programs import haproxy, nginx, unbound
from tests.net.run_egressd import endpoint
from tests.net.topology import RESOLVER, Network

ZONE = "chance.example"
MEBIBYTE = 1024 * 1024
SOMETIMES = ("ok", "degraded path_intermittent")
LOST = ("ok", "degraded path_intermittent", "degraded path_loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A name with a fault, and what may be said of it."""

    name: str
    rules: tuple[str, ...] = ()
    """nftables rules of the firewall; `{at}` stands for the first address."""
    verdicts: tuple[str, ...] = SOMETIMES
    """Outcome and reason; all ten sweeps say one of these."""
    steady: bool = False
    """Whether all ten must say the same, as nothing in it is left to chance."""
    addresses: int = 1
    port: int = 443
    more: dict[str, Any] = field(default_factory=dict)
    """Further keys of the endpoint."""


DATA = "tcp flags & psh == psh"
SYN = "tcp flags & (syn | ack) == syn"


def _coin(percent: int, action: str, port: int = 443) -> tuple[str, ...]:
    """Return rules that act on the data of so many connections of a hundred."""
    toss = f"ct state new numgen random mod 100 < {percent} ct mark set 7"
    return (
        f"ip daddr {{at}} tcp dport {port} {SYN} {toss} accept",
        f"ip daddr {{at}} tcp dport {port} ct mark 7 {DATA} {action}",
    )


RESET = "reject with tcp reset"
EACH_CONNECTION = "ip daddr . tcp dport"
"""What comes from one server belongs to one connection of a client by this; sweeps at once share no limit."""
THROTTLE = "80 kbytes/second burst 80 kbytes"
FAULTS = (
    Fault(name="steady", verdicts=("ok",), steady=True),
    *(Fault(name=f"reset-{percent}", rules=_coin(percent, RESET)) for percent in (10, 30, 60)),
    Fault(name="answered-30", rules=_coin(30, RESET, 80), port=80),
    *(Fault(name=f"silent-{percent}", rules=_coin(percent, "drop"), verdicts=LOST) for percent in (20, 50)),
    Fault(
        name="refused-40",
        rules=(f"ip daddr {{at}} tcp dport 443 {SYN} numgen random mod 100 < 40 {RESET}",),
    ),
    Fault(
        name="unanswered-50",
        rules=(
            f"ip daddr {{at}} {SYN} ct state new numgen random mod 100 < 50 ct mark set 7 accept",
            "ip saddr {at} ct mark 7 drop",
        ),
        verdicts=LOST,
    ),
    Fault(name="lost-5", rules=("ip daddr {at} numgen random mod 100 < 5 drop",), verdicts=LOST),
    Fault(name="front-ends"),
    Fault(
        name="one-resets",
        rules=(f"ip daddr {{at}} tcp dport 443 {DATA} {RESET}",),
        addresses=3,
        verdicts=("degraded path_some_ips_broken",),
        steady=True,
    ),
    Fault(
        name="one-refuses",
        rules=(f"ip daddr {{at}} tcp dport 443 {RESET}",),
        addresses=4,
        verdicts=("degraded tcp_some_ips_blocked",),
        steady=True,
    ),
    Fault(
        name="family",
        rules=(f"ip6 daddr {PUBLIC6}::1 tcp dport 443 {DATA} drop",),
        verdicts=("degraded path_ipv6_broken",),
        steady=True,
    ),
    Fault(
        name="throttled",
        rules=(f"ip saddr {{at}} meter throttled {{ {EACH_CONNECTION} limit rate over {THROTTLE} }} drop",),
        verdicts=("degraded http_slow_download",),
        more={"expect": {"min_bytes": MEBIBYTE}},
        steady=True,
    ),
)
ADDRESSES = {
    one.name: tuple(f"62.80.{20 + number}.{1 + last}" for last in range(one.addresses))
    for number, one in enumerate(FAULTS)
}
FRONT_ENDS = 3


def build(network: Network) -> dict[str, Any]:
    """Start everything; return the configuration to sweep with."""
    add_public_addresses(network)
    _start_servers(network)
    unbound(network.server, server=tuple(zone_options({"": [], ZONE: _records()})))
    for fault in FAULTS:
        rules = [one.replace("{at}", ADDRESSES[fault.name][0]) for one in fault.rules]
        if rules:
            network.firewall.rules("forward", *rules)
    folder = network.folder / "sites"
    return {
        "profiles": [],
        "resolvers": [RESOLVER],
        "trust": {"store": str(folder / "root.pem"), "public_roots": str(folder / "root.pem")},
        "endpoints": [
            endpoint(f"{one.name}.{ZONE}", id=one.name, port=one.port, **one.more) for one in FAULTS
        ],
        "probe": {"tls_timeout": "3s", "connect_timeout": "3s", "deadline": "20s"},
    }


def _records() -> list[str]:
    found = [f"{name}.{ZONE}. 300 IN A {one}" for name, some in ADDRESSES.items() for one in some]
    return [*found, f"family.{ZONE}. 300 IN AAAA {PUBLIC6}::1", f"steady.{ZONE}. 300 IN AAAA {PUBLIC6}::2"]


def _start_servers(network: Network) -> None:
    """Start a web server on every address, and before one name a balancer with an end that hangs up."""
    folder = network.folder / "sites"
    folder.mkdir()
    root = Authority.make(subject("Plain Trust Root R4", "Plain Trust Services"))
    issuer = Authority.make(subject("Plain Trust TLS CA 9", "Plain Trust Services"), issuer=root)
    leaf = Leaf(names=(f"*.{ZONE}",), subject=subject(ZONE)).issue(issuer)
    write_chain(folder, "site", leaf, issuer.issued)
    (folder / "root.pem").write_bytes(root.issued.pem)
    (folder / "large").write_bytes(b"x" * (2 * MEBIBYTE))
    for one in folder.iterdir():
        one.chmod(0o644)
    addresses = [one for name, some in ADDRESSES.items() if name != "front-ends" for one in some]
    listens = " ".join(f"listen {one}:443 ssl http2;" for one in (*addresses, "127.0.0.1"))
    listens += " listen [::]:443 ssl http2;"
    nginx(
        network.server,
        f"server {{ {listens} ssl_certificate {folder}/site.pem; ssl_certificate_key {folder}/site.key; "
        f"root {folder}; try_files /large =404; }}",
        f"server {{ listen {ADDRESSES['answered-30'][0]}:80; return 200 fine; }}",
        tcp=(80, 443),
    )
    ends = "\n".join(f"  server end{number} 127.0.0.1:443" for number in range(1, FRONT_ENDS))
    haproxy(
        network.server,
        f"listen balancer\n  bind {ADDRESSES['front-ends'][0]}:443\n  balance roundrobin\n{ends}\n"
        "  server bad 127.0.0.1:9443\n"
        "listen bad\n  bind 127.0.0.1:9443\n  tcp-request inspect-delay 3s\n"
        "  tcp-request content reject if { req.ssl_hello_type 1 }\n",
        tcp=(443, 9443),
    )

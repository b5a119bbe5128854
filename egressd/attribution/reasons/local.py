"""Reasons on the probing host and its first hop: routes, the local packet filter, the gateway."""

from __future__ import annotations

from egressd.attribution.blame.suspects import EGRESSD_ITSELF, FIRST_HOP, HOST, NOTHING_ANSWERS, TRUST_STORE
from egressd.attribution.reasons.commands import AGAIN, CHAIN, CONNECT, ROUTE, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Outcome

LOCAL: tuple[Reason, ...] = (
    Reason(
        code="local_no_route",
        phase=Phase.TCP,
        title="This host has no route to the address",
        meaning="The kernel has no route for the packet, so nothing left this host. The routing table of "
        "the probing host lacks an entry; no firewall is involved.",
        signal="connect() failed at once with ENETUNREACH and no ICMP error was queued on the socket.",
        evidence=(
            "tcp.errno: 101, ENETUNREACH",
            "tcp.icmp: empty, so no router reported it",
            "tcp.elapsed_ms: near zero",
            "vantage.local_addresses: whether this host has an address of the family",
        ),
        suspects=HOST,
        severity=Outcome.BLOCKED,
        advice="On the probing host, add a default route (or one that covers {address}) for traffic from "
        "{source}; do not raise a firewall ticket for this.",
        confirm=steps(ROUTE, "$ ip route show default", "Expect `Network is unreachable` from the first."),
    ),
    Reason(
        code="local_unreachable_route",
        phase=Phase.TCP,
        title="An unreachable route on this host covers the address",
        meaning="An `unreachable` route on the probing host covers this address, added by hand or by a "
        "routing daemon. The kernel refuses the packets before they reach the wire.",
        signal="connect() failed at once with EHOSTUNREACH and no ICMP error was queued on the socket.",
        evidence=(
            "tcp.errno: 113, EHOSTUNREACH",
            "tcp.icmp: empty, so no router reported it",
            "tcp.elapsed_ms: near zero; a dead gateway takes about three seconds",
        ),
        suspects=HOST,
        severity=Outcome.BLOCKED,
        advice="On the probing host, remove the `unreachable` route that covers {address}, or add a more "
        "specific working one.",
        confirm=steps(ROUTE, "$ ip route show type unreachable"),
    ),
    Reason(
        code="local_prohibit_route",
        phase=Phase.TCP,
        title="A prohibit route on this host covers the address",
        meaning="A `prohibit` route on the probing host covers this address. It is a deliberate local deny, "
        "often left by a hardening script or a VPN client.",
        signal="connect() failed at once with EACCES and no ICMP error was queued on the socket.",
        evidence=(
            "tcp.errno: 13, EACCES",
            "tcp.icmp: empty, so no router reported it",
        ),
        suspects=HOST,
        severity=Outcome.BLOCKED,
        advice="On the probing host, remove the `prohibit` route that covers {address} for {source}.",
        confirm=steps(ROUTE, "$ ip route show type prohibit", "$ ip rule show"),
    ),
    Reason(
        code="local_blackhole_route",
        phase=Phase.TCP,
        title="A blackhole route on this host covers the address",
        meaning="A `blackhole` route on the probing host covers this address. The kernel discards the "
        "packet and reports `Invalid argument`, which looks like a bug but is a route.",
        signal="connect() to an ordinary address failed at once with EINVAL.",
        evidence=(
            "tcp.errno: 22, EINVAL",
            "tcp.remote_address: an ordinary unicast address",
        ),
        suspects=HOST,
        severity=Outcome.BLOCKED,
        advice="On the probing host, remove the `blackhole` route that covers {address}.",
        confirm=steps(ROUTE, "$ ip route show type blackhole"),
    ),
    Reason(
        code="local_gateway_dead",
        phase=Phase.TCP,
        title="The default gateway does not answer",
        meaning="The host has a gateway configured and gets no ARP or neighbour discovery answer from it: "
        "wrong VLAN, wrong gateway address, a cable, or the gateway itself. Everything off-link fails until "
        "that is fixed.",
        signal="After about three seconds the kernel itself reported host unreachable: the ICMP error names "
        "this host as its sender, as it does after a failed neighbour lookup.",
        evidence=(
            "tcp.icmp.offender: an address of this host",
            "tcp.icmp.local: true",
            "tcp.elapsed_ms: around 3000, the time the kernel waits for the neighbour",
        ),
        suspects=FIRST_HOP,
        severity=Outcome.BLOCKED,
        advice="Check the gateway of {source}: its address, the VLAN of the port, and that it answers ARP or "
        "neighbour discovery. Nothing beyond it has been tested yet.",
        confirm=steps(ROUTE, "$ ip neigh show", "The gateway shows as FAILED or INCOMPLETE."),
    ),
    Reason(
        code="local_firewall_reject",
        phase=Phase.TCP,
        title="The firewall of this host rejects the connection",
        meaning="A rule in the probing host's own packet filter refuses outgoing traffic. The corporate "
        "firewall never saw the packet.",
        signal="An ICMP reject came back at once, sent from an address of this host.",
        evidence=(
            "tcp.icmp.type, tcp.icmp.code: which reject the rule sends",
            "tcp.icmp.local: true, the offender is this host",
            "tcp.elapsed_ms: near zero",
        ),
        suspects=HOST,
        severity=Outcome.BLOCKED,
        advice="On the probing host, allow outgoing {service} from {source} in nftables, iptables or "
        "firewalld; the corporate firewall is not involved.",
        confirm=steps("$ nft list ruleset", "$ iptables -S OUTPUT", CONNECT),
    ),
    Reason(
        code="local_firewall_drop_udp",
        phase=Phase.DNS,
        title="The firewall of this host drops outgoing UDP",
        meaning="The kernel refused to send the datagram because an OUTPUT rule of this host drops it. "
        "DNS and NTP cannot work from here, whatever the network allows.",
        signal="Sending the datagram failed with EPERM; nothing was put on the wire.",
        evidence=(
            "dns.queries.errno: 1, EPERM",
            "ntp.errno: the same, where a time server was asked",
        ),
        suspects=HOST,
        severity=Outcome.BLOCKED,
        advice="On the probing host, allow outgoing UDP from {source} to {resolver} (port 53) and to time "
        "servers (port 123) in the local packet filter.",
        confirm=steps("$ nft list ruleset", "$ dig @{resolver} {host}", "dig reports `permission denied`."),
    ),
    Reason(
        code="local_firewall_drop_tcp",
        phase=Phase.TCP,
        title="This host's own firewall may drop the SYN",
        meaning="From the socket a local drop and a remote drop look the same. Rule out the local packet "
        "filter first: it is the cheapest check.",
        signal="The SYN stayed unanswered for every destination, so a local rule cannot be told from a "
        "remote one.",
        evidence=(
            "tcp.failure: timeout",
            "tcp.info.retransmits: the kernel kept retransmitting the SYN",
            "controls.testnet_tcp: no answer there either",
        ),
        suspects=NOTHING_ANSWERS,
        severity=Outcome.UNKNOWN,
        advice="On the probing host, read the OUTPUT rules and their counters for tcp/{port}; ask for a "
        "change on the corporate firewall only if no local rule drops the traffic.",
        advice_for=(Blame.LOCAL_HOST,),
        confirm=steps(
            "$ nft list ruleset", "$ iptables -L OUTPUT -v -n", "A counter that grows marks the rule."
        ),
        needs=("several targets, all unanswered",),
    ),
    Reason(
        code="local_source_invalid",
        phase=Phase.TCP,
        title="The configured source is not on this host",
        meaning="egressd is configured to send from an address or interface that this host does not have. "
        "Nothing was probed, so nothing is known about the endpoint.",
        signal="Binding the socket failed with EADDRNOTAVAIL (address) or ENODEV (interface).",
        evidence=(
            "tcp.failure: invalid_source",
            "tcp.errno: 99 for an address, 19 for an interface",
            "vantage.sources: what was configured",
            "vantage.local_addresses: what the host has",
        ),
        suspects=HOST,
        severity=Outcome.UNKNOWN,
        advice="Correct `sources:` in the configuration, or give this host the address or interface of "
        "{source}; then run again.",
        confirm=steps("$ ip -brief address", "$ egressd config check"),
    ),
    Reason(
        code="local_resource_exhausted",
        phase=Phase.TCP,
        title="This host ran out of ports, files or buffers",
        meaning="The host could not open another socket. That says nothing about the network; lower the "
        "load or raise the limits and probe again.",
        signal="The system answered with EMFILE, ENFILE, ENOBUFS, or no free local port was left.",
        evidence=(
            "tcp.failure: no_resources",
            "tcp.errno: which resource ran out",
        ),
        suspects=EGRESSD_ITSELF,
        severity=Outcome.UNKNOWN,
        advice="Raise the open-files limit or the local port range of the probing host, or lower "
        "`probe.concurrency`, and run again before blaming the network.",
        confirm=steps(
            "$ ulimit -n",
            "$ sysctl net.ipv4.ip_local_port_range",
            "$ ss -s",
            "Many sockets in TIME-WAIT: no free ports.",
        ),
    ),
    Reason(
        code="local_paused",
        phase=None,
        title="This host stood still while it probed",
        meaning="egressd did not run for a while: the machine was suspended, migrated or saved, its "
        "container frozen, its processor taken, or the process stopped. Silence and cut connections of that "
        "time say nothing about the network, and trying again met another pause.",
        signal="The clocks moved on further than the event loop ran, during every try of the probe.",
        evidence=("record.skipped: this host paused; the log says how long",),
        suspects=HOST,
        severity=Outcome.UNKNOWN,
        advice="Find out what held the host (a snapshot, a migration, a CPU limit, a debugger) and run "
        "again; there is nothing to ask of a network team.",
        confirm=steps(
            "$ journalctl -u egressd | grep paused",
            "$ uptime",
            "$ cat /proc/pressure/cpu",
            "Steal time (`st` in `top`) and CPU pressure show a host that gets no processor.",
        ),
    ),
    Reason(
        code="local_clock_skew",
        phase=None,
        title="The clock of this host is wrong",
        meaning="Certificates look expired or not yet valid only because the time on this host is off. "
        "Agents on it will fail in the same way, and tokens will be refused too.",
        signal="Chains that fail on time would verify at a shifted time, and `Date` headers or time servers "
        "agree that this host is more than five minutes off.",
        evidence=(
            "vantage.clock_offset_seconds: how far off",
            "vantage.clock_readings: from which hosts; two independent ones are proof",
            "tls.verify_code: 9 or 10 on otherwise good chains",
            "tls.chain.not_before, tls.chain.not_after: the validity period",
        ),
        suspects=TRUST_STORE,
        severity=Outcome.BLOCKED,
        advice="Set the clock of the probing host and let it reach a time source (udp/123 from {source} to "
        "the agreed server). No firewall rule for {host} is missing.",
        confirm=steps("$ date -u", "$ chronyc tracking", "$ curl -sI http://{host}/ | grep -i ^date"),
    ),
    Reason(
        code="local_trust_store_incomplete",
        phase=Phase.TLS,
        title="The trust store of this host lacks a public root",
        meaning="The server sent a good public chain, but the CA bundle of this host does not contain its "
        "root, or only an old version that has expired. No device interferes: the bundle is old or trimmed.",
        signal="Verification failed for want of a root or for its age, while the very same chain leads to a "
        "public root that egressd carries.",
        evidence=(
            "tls.verify_code: 20 or 19; 10 for a root that has expired",
            "tls.facts.publicly_anchored, tls.facts.in_time: true",
            "tls.facts.store_anchored: false, unless the store has an expired root",
            "tls.chain.issuer: the root or intermediate to look for in the bundle",
        ),
        suspects=TRUST_STORE,
        severity=Outcome.BLOCKED,
        advice="Update the CA bundle of the host (package `ca-certificates` or the appliance's own bundle) "
        "so that it holds the root of `{issuer}`; no exemption is needed on any device.",
        confirm=steps(CHAIN, "The last `i:` line of the chain names the root that the bundle lacks."),
    ),
    Reason(
        code="local_proxy_config_mismatch",
        phase=None,
        title="egressd and the agent use different proxy settings",
        meaning="The probes took another path than the agent will. A pass or a failure seen here may not "
        "apply to the agent.",
        signal="The environment names a proxy, egressd has none configured, and direct connections fail.",
        evidence=(
            "vantage.proxy_variables: the names of the variables, never their values",
            "vantage.proxy: what the probes used",
            "trails.path: the path each trail took",
        ),
        suspects=EGRESSD_ITSELF,
        severity=Outcome.UNKNOWN,
        advice="Give egressd the proxy settings the agent has (`proxy:` in the configuration, or `--proxy`), "
        "or remove them from both, and run again.",
        confirm=steps("$ env | grep -i _proxy", "$ azcmagent config list", AGAIN),
        needs=("proxy variables in the environment",),
    ),
)

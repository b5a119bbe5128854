"""Reasons in TCP: single connection attempts, and what only repeated ones show."""

from __future__ import annotations

from egressd.attribution.blame.suspects import (
    ACCEPTED_FOR_ANYBODY,
    CLOSED_AFTER_ACCEPT,
    CONNECTIONS_LIMITED,
    CUT_SOMETIMES,
    FIREWALL,
    LOSS,
    NO_ROUTE_REPORTED,
    NOTHING_ANSWERS,
    NOTHING_KNOWN,
    ONE_ADDRESS_FAILS,
    ONE_FAMILY_FAILS,
    PORT_UNANSWERED,
    RATE_LIMIT,
    REFUSED,
    REFUSED_ON_THE_WAY,
    STATE_TIMEOUT,
    SYN_UNANSWERED,
)
from egressd.attribution.reasons.commands import AGAIN, CAPTURE, CLIENT_HELLO, CONNECT, DIG, TRACE, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Outcome

TCP: tuple[Reason, ...] = (
    Reason(
        code="tcp_egress_all_blocked",
        phase=Phase.TCP,
        title="No outbound connection works, whatever the address",
        meaning="DNS and the gateway work, but every SYN to the outside stays unanswered. The rule for this "
        "source is missing altogether, or names another source address.",
        signal="All connection attempts timed out, whatever the address or port, unrelated ones included.",
        evidence=(
            "tcp.failure, tcp.remote_address: timeout on each",
            "tcp.info.retransmits: the SYN was retransmitted and never answered",
            "controls.address_contrast: unrelated addresses do not answer either",
            "tcp.local_address: the source address that the firewall sees, before NAT",
        ),
        suspects=NOTHING_ANSWERS,
        severity=Outcome.BLOCKED,
        advice="Allow outbound tcp/443 from {source}: no SYN to any destination is answered. Look for "
        "dropped sessions of {source} at {time} (PAN traffic log, action drop; AZFWNetworkRule; FortiGate "
        "forward traffic, policy 0).",
        confirm=steps(CONNECT, TRACE, CAPTURE),
    ),
    Reason(
        code="tcp_ip_blocked_silent",
        phase=Phase.TCP,
        title="No SYN to this address is answered",
        meaning="Other addresses answer on the same port, this one does not. An address rule is missing, or "
        "was built from one lookup instead of the whole service tag.",
        signal="The SYN to this address timed out on each attempt, while another address connected on the "
        "same port.",
        evidence=(
            "tcp.remote_address, tcp.failure: the address that does not answer",
            "tcp.info.retransmits: how often the SYN was retransmitted",
            "controls.address_contrast: an address that does connect",
            "controls.repeat: no answer again",
        ),
        suspects=SYN_UNANSWERED,
        severity=Outcome.BLOCKED,
        advice="Allow {service} from {source} to the full service tag behind {destination}, not to "
        "single addresses: {address} is dropped without an answer. The SYN of {time} "
        "is in the drop log.",
        confirm=steps(CONNECT, TRACE, "The last router shown is the one before the drop."),
    ),
    Reason(
        code="tcp_port_blocked",
        phase=Phase.TCP,
        title="The address is open, this port is not",
        meaning="The same address connects on another port, so routing and the address rule are fine. The "
        "service object of the rule lacks this port.",
        signal="The connection to this port timed out or was refused; on 443 (or 80) the same address "
        "connected.",
        evidence=(
            "tcp.remote_port, tcp.failure: the port that fails",
            "controls.port_contrast: the port that works",
        ),
        suspects=PORT_UNANSWERED,
        severity=Outcome.BLOCKED,
        advice="Add tcp/{port} to the rule from {source} to {destination}: the address {address} already "
        "connects on another port. 443 carries the agents, 80 the revocation lists.",
        confirm=steps("$ nc -vz -w 8 {address} 443", "$ nc -vz -w 8 {address} 80"),
    ),
    Reason(
        code="tcp_refused",
        phase=Phase.TCP,
        title="The connection is refused",
        meaning="The SYN was answered with a reset: by a firewall that rejects instead of dropping, or by "
        "the server itself with nothing listening on that port. A reset alone does not show which.",
        signal="ECONNREFUSED, and no ICMP error on the socket: a TCP reset answered.",
        evidence=(
            "tcp.errno: 111, ECONNREFUSED",
            "tcp.icmp: empty, so it was a reset",
            "tcp.elapsed_ms: much faster than the round trip to Azure means a device nearby",
        ),
        suspects=REFUSED,
        severity=Outcome.BLOCKED,
        advice="Look for a rule that resets tcp/{port} from {source} to {address} at {time}, and allow it; "
        "if no device logs it, the server itself refuses.",
        confirm=steps(CONNECT, TRACE, CAPTURE, "The TTL of the reset shows how far away its sender is."),
    ),
    Reason(
        code="tcp_refused_by_middlebox",
        phase=Phase.TCP,
        title="A device on the path refuses the connection",
        meaning="The reset comes from fewer hops away than the server. A device on the path rejects the "
        "connection in the server's name.",
        signal="The refusal already appears with a hop limit too small to reach the server.",
        evidence=(
            "tcp.errno, tcp.elapsed_ms: refused, and quickly",
            "tcp.remote_address: the server that was never reached",
            "controls.hops: the hop at which it begins, and how far the server is",
        ),
        suspects=REFUSED_ON_THE_WAY,
        severity=Outcome.BLOCKED,
        advice="Allow tcp/{port} from {source} to {destination}: the device just behind {offender} resets "
        "the SYN, the server never saw it.",
        confirm=steps(TRACE, CAPTURE),
        needs=("hop limit sweep",),
    ),
    Reason(
        code="tcp_refused_icmp_port",
        phase=Phase.TCP,
        title="Rejected with ICMP port unreachable",
        meaning="A device that is not the server rejects the connection and reports its address. ICMP port "
        "unreachable is the default reject of Linux packet filters.",
        signal="ECONNREFUSED with an ICMP port unreachable whose sender is not the target.",
        evidence=(
            "tcp.icmp.offender: the device, as reported; NAT may rewrite it",
            "tcp.icmp.type, tcp.icmp.code: 3/3, or 1/4 in IPv6",
        ),
        suspects=REFUSED,
        severity=Outcome.BLOCKED,
        advice="On the device reporting itself as {offender}: allow tcp/{port} from {source} to "
        "{destination} ({address}); it rejects with port unreachable.",
        confirm=steps(CONNECT, "$ tcpdump -n -i any 'icmp or icmp6'"),
    ),
    Reason(
        code="tcp_admin_prohibited",
        phase=Phase.TCP,
        title="A firewall has an explicit deny",
        meaning="A device on the path reported by ICMP that policy forbids this connection. It is the "
        "clearest evidence of a block.",
        signal="An ICMP `administratively prohibited` came back for the SYN.",
        evidence=(
            "tcp.icmp.offender: the device, as reported; NAT may rewrite it",
            "tcp.icmp.type, tcp.icmp.code: 3/13, 3/9, 3/10; 1/1, 1/5, 1/6 in IPv6",
            "tcp.local_port: to find the log entry",
        ),
        suspects=FIREWALL,
        severity=Outcome.BLOCKED,
        advice="On the device reporting itself as {offender}: allow tcp/{port} from {source} to "
        "{destination} ({address}). Its deny rule hit at {time}.",
        confirm=steps(CONNECT, "$ tcpdump -n -i any 'icmp or icmp6'"),
    ),
    Reason(
        code="tcp_unreachable",
        phase=Phase.TCP,
        title="A router has no route to the address",
        meaning="Routing fails beyond this host: a router has no route to the destination. It is a matter "
        "for the network team, not for a firewall policy.",
        signal="An ICMP network or host unreachable from a router that is not this host.",
        evidence=(
            "tcp.icmp.offender: the router, as reported",
            "tcp.icmp.type, tcp.icmp.code: 3/0, 3/1; 1/0, 1/3 in IPv6",
        ),
        suspects=NO_ROUTE_REPORTED,
        severity=Outcome.DOWN,
        advice="On the router {offender}: add or repair the route to {address}; it answers unreachable to "
        "{source}.",
        confirm=steps(TRACE, CONNECT),
    ),
    Reason(
        code="tcp_routing_loop",
        phase=Phase.TCP,
        title="Packets are caught in a routing loop",
        meaning="Two or more routers send the packet to one another until it expires. The routes must be "
        "fixed; no rule change helps.",
        signal="An ICMP time exceeded came back although the packet left with the normal hop limit.",
        evidence=(
            "tcp.icmp.type: 11, or 3 in IPv6",
            "tcp.icmp.offender: one router of the loop",
        ),
        suspects=NO_ROUTE_REPORTED,
        severity=Outcome.DOWN,
        advice="Break the routing loop at {offender} for packets from {source} to {address}.",
        confirm=steps(TRACE, "The same two routers alternate."),
    ),
    Reason(
        code="tcp_reset_after_accept",
        phase=Phase.TCP,
        title="The connection is accepted and reset at once",
        meaning="The connection was accepted and reset at once: by a proxy or SYN proxy that cannot reach "
        "the server, or by one that accepts before it applies its policy.",
        signal="connect() ended with ECONNRESET, not with ECONNREFUSED: the SYN was accepted first.",
        evidence=(
            "tcp.errno: 104, ECONNRESET",
            "tcp.info.bytes_acked: only the SYN",
            "tcp.elapsed_ms: how near the accepting device is",
        ),
        suspects=CLOSED_AFTER_ACCEPT,
        severity=Outcome.BLOCKED,
        advice="Find the device that accepts tcp/{port} from {source} in the name of {address} and resets "
        "it at {time}; allow {destination} there, or repair its own connection to the server.",
        confirm=steps(CONNECT, CAPTURE),
    ),
    Reason(
        code="tcp_accept_all",
        phase=Phase.TCP,
        title="A device on the path accepts every connection",
        meaning="Even an address that cannot exist accepts the connection, so a TCP success proves nothing "
        "here. Only TLS or HTTP from the right server does.",
        signal="A connection to 192.0.2.1:443, an address that no host may own, was accepted.",
        evidence=(
            "controls.testnet_tcp: accepted, in how many milliseconds",
            "tcp.elapsed_ms: equally short for every address",
        ),
        suspects=ACCEPTED_FOR_ANYBODY,
        severity=Outcome.OK,
        advice="Nothing to ask for by itself. Do not accept a bare TCP test as proof; Azure Firewall and "
        "transparent proxies complete the three-way handshake themselves and do not log such a test.",
        confirm=steps("$ nc -vz -w 8 192.0.2.1 443", CLIENT_HELLO),
        informational=True,
    ),
    Reason(
        code="tcp_synproxy_stall",
        phase=Phase.TCP,
        title="Accepted, but the window stays shut",
        meaning="The firewall completed the three-way handshake itself and then could not open its own "
        "connection to the server. It looks connected, but no byte can be sent.",
        signal="Connected, but the peer's window stayed at zero and none of our bytes could leave.",
        evidence=(
            "tls.info.bytes_sent: 0 although a ClientHello was written",
            "tls.info.peer_window: 0",
            "tls.info.bytes_acked: only the SYN",
        ),
        suspects=PORT_UNANSWERED,
        severity=Outcome.BLOCKED,
        advice="On the firewall with SYN-flood protection: check why its own connection to {remote} is not "
        "established for {source}; the client side is stuck at window zero.",
        confirm=steps(CAPTURE, CLIENT_HELLO, "The SYN-ACK shows `win 0`."),
    ),
    Reason(
        code="tcp_ipv6_broken",
        phase=Phase.TCP,
        title="IPv6 fails where IPv4 works",
        meaning="The host has IPv6 but cannot use it. Clients lose time on each connection before they fall "
        "back; those that do not fall back fail.",
        signal="All IPv6 connections to the name failed, the IPv4 ones succeeded.",
        evidence=(
            "trails.family: which trails failed",
            "tcp.failure, tcp.errno: how the IPv6 connections failed",
            "vantage.families: the address families of this host",
        ),
        suspects=LOSS,
        severity=Outcome.DEGRADED,
        advice="Repair the IPv6 path out of {source}, or withdraw the IPv6 default route; IPv4 to {host} "
        "works, so no rule for it is missing.",
        confirm=steps("$ curl -6 -sv -o /dev/null https://{place}/", "$ ip -6 route show default"),
    ),
    Reason(
        code="tcp_ipv4_broken",
        phase=Phase.TCP,
        title="IPv4 fails where IPv6 works",
        meaning="The endpoint can be used over IPv6 only. Components that support IPv4 only will fail.",
        signal="All IPv4 connections to the name failed, the IPv6 ones succeeded.",
        evidence=(
            "trails.family: which trails failed",
            "tcp.failure, tcp.errno: how the IPv4 connections failed",
            "vantage.families: the address families of this host",
        ),
        suspects=LOSS,
        severity=Outcome.DEGRADED,
        advice="Repair the IPv4 path out of {source} to {host}: IPv6 works, and some components use IPv4 "
        "only.",
        confirm=steps("$ curl -4 -sv -o /dev/null https://{place}/", "$ ip -4 route show default"),
    ),
    Reason(
        code="tcp_some_ips_blocked",
        phase=Phase.TCP,
        title="Some addresses of the name are blocked",
        meaning="The name has several addresses and only some get through. Whether it works depends on "
        "which address the next lookup returns.",
        signal="Of the addresses in the answer, some connected and some timed out on each attempt.",
        evidence=(
            "tcp.remote_address, tcp.failure: address by address",
            "dns.answers, dns.ttl: what the name had, and for how long",
            "controls.repeat: the same addresses fail again",
        ),
        suspects=SYN_UNANSWERED,
        severity=Outcome.DEGRADED,
        advice="Allow {service} from {source} to every address of {destination}: {address} is dropped. If "
        "the rule is an FQDN object, let firewall and clients use the same resolver.",
        confirm=steps(DIG, CONNECT, "Try each address of the answer."),
    ),
    Reason(
        code="tcp_fqdn_rule_stale_ip",
        phase=Phase.TCP,
        title="A current address of the name is not let through",
        meaning="The rule names the host, but the firewall fills it with addresses it saw in DNS, and those "
        "are not the ones this client got. The rule looks right and still does not match.",
        signal="An address with a TTL of minutes does not answer, and one that another resolver gave for "
        "the same name connects.",
        evidence=(
            "tcp.remote_address, tcp.failure: which addresses fail, and which work",
            "dns.resolver, dns.ttl: whose answer, and its TTL",
        ),
        suspects=SYN_UNANSWERED,
        severity=Outcome.BLOCKED,
        advice="Let the firewall learn {host} from the resolver that {source} uses ({resolver}), or replace "
        "the FQDN object by the service tag: {address} is current and not in the rule.",
        confirm=steps(DIG, CONNECT, "Compare with the addresses the firewall shows for the object."),
        needs=("second resolver",),
    ),
    Reason(
        code="tcp_rate_limited",
        phase=Phase.TCP,
        title="New connections are rate limited",
        meaning="One connection at a time works, a burst does not. A limit on new sessions per host is in "
        "force; agents that start together will run into it.",
        signal="Some connection attempts of a burst failed; the same attempts, spread out, all connected.",
        evidence=(
            "tcp.started, tcp.failure: failures cluster in time",
            "controls.repeat: paced repeats connect",
        ),
        suspects=RATE_LIMIT,
        severity=Outcome.DEGRADED,
        advice="Raise the limit of new sessions per second for {source} (DoS protection or zone protection "
        "profile, threat log at {time}).",
        confirm=steps("$ for n in $(seq 20); do nc -z -w 3 {address} {port} & done; wait"),
        needs=("several targets", "repeats"),
    ),
    Reason(
        code="tcp_idle_session_dropped",
        phase=Phase.TCP,
        title="Idle connections are cut after a fixed time",
        meaning="Long-lived connections, such as the notification channel, are dropped after some idle "
        "time, and the client notices late. New connections work.",
        signal="Established connections stopped working after the same idle time; new ones were fine.",
        evidence=(
            "tcp.started, http.failure: how long it lived and how it ended",
            "http.elapsed_ms: the idle time when it ended",
        ),
        suspects=STATE_TIMEOUT,
        severity=Outcome.DEGRADED,
        advice="Raise the TCP idle timeout for {source} to {place}, or send a reset when a session is aged "
        "out; enable keepalive in the client where possible.",
        confirm=steps("$ nc -v {address} {port}", "Leave it idle, then type: note when it fails."),
        needs=("a connection held open over many sweeps",),
    ),
    Reason(
        code="nat_ports_exhausted",
        phase=Phase.TCP,
        title="The NAT device may have run out of ports",
        meaning="New connections fail while established ones continue, and it improves when traffic goes "
        "down. Exhausted source NAT ports look like this from inside.",
        signal="Connection attempts fail in proportion to the number of concurrent connections, on "
        "unrelated destinations.",
        evidence=(
            "tcp.failure, tcp.started: failures across destinations at busy times",
            "controls.repeat: succeeds when it is quiet",
        ),
        suspects=CONNECTIONS_LIMITED,
        severity=Outcome.DEGRADED,
        advice="Check the source NAT pool used for {source} at {time} (FortiGate logs `NAT port exhausted`; "
        "Azure Firewall has a metric for SNAT port use), and add public addresses to it.",
        confirm=steps(CONNECT, "$ ss -s", "Compare a quiet hour with a busy one."),
        needs=("several targets", "repeats"),
    ),
    Reason(
        code="path_loss",
        phase=None,
        title="Packets are lost on the path",
        meaning="Connections work, but slowly or only at the second attempt, and to several destinations. A "
        "line or a queue loses packets; no rule is missing.",
        signal="Some attempts succeed and some do not, and the successful ones needed retransmissions.",
        evidence=(
            "tcp.info.retransmits: above zero in successes",
            "tcp.info.rtt_ms, tcp.elapsed_ms: how slow it gets",
            "controls.repeat: mixed results, controls included",
        ),
        suspects=LOSS,
        severity=Outcome.DEGRADED,
        advice="Look for loss on the path between {source} and the Internet at {time}: errors, duplex, a "
        "full queue. Policies need no change.",
        confirm=steps("$ mtr -n -T -P {port} -c 50 -r {address}", "$ nstat -az TcpRetransSegs"),
    ),
    Reason(
        code="path_intermittent",
        phase=None,
        title="Some attempts fail and others work",
        meaning="The same conversation with the same address sometimes fails and sometimes works. No rule "
        "does that: one of several servers or devices behind the address, a limit, or load. Clients see it "
        "as chance.",
        signal="Repeated without a change, the conversation ended differently: n of m attempts failed.",
        evidence=(
            "trails.attempt, controls.repeat: each attempt, and how it ended",
            "tcp.local_port: the attempts in a log",
            "tcp.remote_address: the address they share",
        ),
        suspects=CUT_SOMETIMES,
        severity=Outcome.DEGRADED,
        advice="Ask for no rule. Find what differs between attempts from {source} to {remote} that failed "
        "and those that worked: the server or device of a cluster that took them, a limit, load. The first "
        "one that failed began at {time}.",
        confirm=steps(AGAIN, "Set `probe.attempts` to 10, to see each attempt on a trail of its own."),
    ),
    Reason(
        code="path_some_ips_broken",
        phase=None,
        title="Some addresses connect, then fail",
        meaning="The name has several addresses. At some of them TCP connects and what follows fails every "
        "time. Clients do not try another address once TCP is connected, so that they fail by chance of the "
        "lookup.",
        signal="At one address the conversation works, at another it failed after the connect in every "
        "repeat.",
        evidence=(
            "tcp.remote_address: which addresses fail, and which work",
            "tls.failure, http.failure: how",
            "controls.repeat: the same address fails again",
        ),
        suspects=ONE_ADDRESS_FAILS,
        severity=Outcome.DEGRADED,
        advice="Look for what is different about {address}: it accepts connections for {host} from {source} "
        "and then fails at {time}, while other addresses of the name work. A rule that names the host would "
        "hit all.",
        confirm=steps(DIG, CLIENT_HELLO, "Try each address of the answer."),
    ),
    *(
        Reason(
            code=f"path_{family.lower()}_broken",
            phase=None,
            title=f"{family} connects, then fails; {other} works",
            meaning=f"TCP connects over {family}, and what follows fails at every address. Clients that "
            f"prefer {family} do not fall back to {other} once TCP is connected.",
            signal=f"Over {other} the conversation works; over {family} it failed after the connect in every "
            "repeat.",
            evidence=(
                "trails.family: which trails failed",
                "tls.failure, http.failure: how",
                "controls.repeat: the same addresses fail again",
            ),
            suspects=ONE_FAMILY_FAILS,
            severity=Outcome.DEGRADED,
            advice=f"Repair the {family} path out of {{source}} for what follows the connect (MTU, a filter "
            f"that knows {other} only), or withdraw {family}: at {{time}} {{address}} connected and then "
            "failed.",
            confirm=steps(
                f"$ curl -{family[-1]} -sv -o /dev/null https://{{place}}/", "$ tracepath -n {address}"
            ),
        )
        for family, other in (("IPv4", "IPv6"), ("IPv6", "IPv4"))
    ),
    Reason(
        code="tcp_unknown",
        phase=Phase.TCP,
        title="TCP failed for an unknown reason",
        meaning="The connection failed and no rule explains it. Do not call it a block on this evidence "
        "alone.",
        signal="A failure in the TCP phase that fits none of the known signatures.",
        evidence=(
            "tcp.failure, tcp.errno, tcp.detail: the raw failure",
            "tcp.icmp, tcp.info: what else is known",
        ),
        suspects=NOTHING_KNOWN,
        severity=Outcome.UNKNOWN,
        advice="Look up the session {source} to {remote} at {time} in the firewall log, with the facts of "
        "this report at hand.",
        confirm=steps(CONNECT, CAPTURE, AGAIN),
    ),
)

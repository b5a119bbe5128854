"""Reasons at, or behind, the explicit proxy."""

from __future__ import annotations

from egressd.attribution.blame.suspects import (
    ANSWER_TO_CONNECT,
    ARC_FAILS,
    ARC_PROXY,
    ARC_REFUSES,
    BEYOND_PROXY,
    CONFIGURED_PROXY,
    CONNECT_UNANSWERED,
    DIRECT_RULE,
    NO_ARC_GATEWAY,
    NO_PROXY_THERE,
    PROXYS_RESOLVER,
    RESOLVER,
    TRUST_STORE,
    TUNNEL_FAILS,
    UNKNOWN_AUTHORITY,
)
from egressd.attribution.reasons.commands import AGAIN, CURL_DIRECT, CURL_PROXY, PROXY_CLIENT_HELLO, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Outcome

_SQUID_ERRNO = "proxy.headers: `X-Squid-Error: ERR_CONNECT_FAIL` and the errno of the proxy's own connection"

PROXY: tuple[Reason, ...] = (
    Reason(
        code="proxy_name_unresolvable",
        phase=Phase.PROXY,
        title="The name of the proxy does not resolve",
        meaning="The host cannot find its own proxy, so nothing was sent. The proxy name is wrong, or the "
        "internal resolver does not know it.",
        signal="The lookup of the proxy's host name failed.",
        evidence=(
            "dns.name, dns.rcode: the proxy's name and the answer",
            "vantage.proxy: as configured",
        ),
        suspects=RESOLVER,
        severity=Outcome.BLOCKED,
        advice="Correct the host name of the proxy {proxy} in the configuration, or add it to the zone that "
        "{resolver} serves.",
        confirm=steps("$ getent ahosts PROXY-HOST", "$ dig @{resolver} PROXY-HOST A"),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_arc_unreachable",
        phase=Phase.PROXY,
        title="The Arc proxy of this host does not answer",
        meaning="The Connected Machine agent's Arc proxy listened when the sweep was planned and takes no "
        "connection now. It runs on this host, so no device of the network is on the way to it.",
        signal="The connection to the Arc proxy on loopback was refused or timed out.",
        evidence=(
            "tcp.remote_address, tcp.remote_port: the Arc proxy",
            "tcp.failure, tcp.errno: how it failed",
            "trails.path: the Arc proxy",
        ),
        suspects=ARC_PROXY,
        severity=Outcome.BLOCKED,
        advice="See why nothing takes connections at {proxy} on this host: start the Connected Machine agent "
        "and its Arc proxy again. No rule of the network is in question.",
        confirm=steps("$ azcmagent show", "Look at `Agent Status` and `Using HTTPS Proxy`."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_arc_no_gateway",
        phase=Phase.PROXY,
        title="The Arc proxy does not get to the gateway",
        meaning="The Arc proxy opens no tunnel, and the Azure Arc gateway's own URL is not reached from here "
        "either. All that the gateway forwards fails with it: mend the way to the gateway first.",
        signal="CONNECT at the Arc proxy failed, and so did every probe of the gateway's own URL.",
        evidence=(
            "proxy.status, proxy.failure: what the Arc proxy answered",
            "trails.path: the Arc proxy",
        ),
        suspects=NO_ARC_GATEWAY,
        severity=Outcome.BLOCKED,
        advice="Mend the way to the Azure Arc gateway first: its own row says where it ends. Then this name "
        "needs nothing of its own, as the gateway forwards it.",
        advice_for=(Blame.FIREWALL_L7, Blame.FIREWALL_L3L4, Blame.EXPLICIT_PROXY, Blame.AZURE_SERVICE),
        confirm=steps(CURL_PROXY, "Then the same for the gateway's own URL, without this proxy."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_arc_denied",
        phase=Phase.PROXY,
        title="The Arc gateway does not forward the name",
        meaning="The agent's Arc proxy refuses a tunnel to a name that Microsoft documents as forwarded. The "
        "gateway's list lacks it, the agent is not tied to this gateway, or the agent's bypass list sends it "
        "elsewhere. A firewall rule for the name would not help.",
        signal="CONNECT at the Arc proxy was answered by a 3xx or 4xx status.",
        evidence=(
            "proxy.status, proxy.headers: the answer",
            "proxy.authority: the name and port requested",
            "trails.path: the Arc proxy",
        ),
        suspects=ARC_REFUSES,
        severity=Outcome.BLOCKED,
        advice="On the host of {proxy}, see that the agent's connection type is gateway and that it is tied "
        "to this one, then ask why {place} is not forwarded: it answers {status}.",
        confirm=steps("$ azcmagent show", "$ azcmagent check", CURL_PROXY),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_arc_failed",
        phase=Phase.PROXY,
        title="The Arc proxy opens no tunnel",
        meaning="The agent's Arc proxy took the request and gets no tunnel through the gateway. The agent, "
        "the gateway or the service behind it fails; where the gateway's own URL is reached, no firewall is "
        "in question.",
        signal="CONNECT at the Arc proxy was answered by a 5xx status, or not at all.",
        evidence=(
            "proxy.status, proxy.failure, proxy.body: all that is known",
            "trails.path: the Arc proxy",
            "controls.repeat: whether it happens again",
        ),
        suspects=ARC_FAILS,
        severity=Outcome.BLOCKED,
        advice="Look up CONNECT {place} at {time} in the log of the agent's Arc proxy {proxy}, and see that "
        "the agent is tied to this gateway and up to date.",
        confirm=steps("$ azcmagent show", "$ azcmagent check", CURL_PROXY),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_unreachable",
        phase=Phase.PROXY,
        title="The proxy can't be reached",
        meaning="The connection to the proxy itself fails. Every endpoint behind it fails with it: fix this "
        "first.",
        signal="The connection to the proxy's address and port was refused, timed out or ended in "
        "unreachable.",
        evidence=(
            "tcp.remote_address, tcp.remote_port: the proxy",
            "tcp.failure, tcp.errno, tcp.icmp: how it failed, and the sender of an ICMP error",
        ),
        suspects=CONFIGURED_PROXY,
        severity=Outcome.BLOCKED,
        advice="Check that {proxy} is up and listening, and allow tcp from {source} to its port; nothing "
        "beyond it has been tested.",
        confirm=steps("$ nc -vz -w 8 PROXY-HOST PROXY-PORT", CURL_PROXY),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_not_connect_capable",
        phase=Phase.PROXY,
        title="The proxy does not support CONNECT",
        meaning="What answers on the proxy's port is not an HTTP proxy, or does not offer tunnels there. "
        "The port or the scheme in the configuration is probably wrong.",
        signal="CONNECT was answered by something that is not HTTP, or by status 400, 404, 405 or 501 and "
        "no name passes; or an `https://` proxy does not answer with TLS.",
        evidence=(
            "proxy.status, proxy.first_bytes: what came back",
            "proxy.proxy: scheme, host and port in use",
        ),
        suspects=NO_PROXY_THERE,
        severity=Outcome.BLOCKED,
        advice="Correct the scheme or the port of {proxy} in the configuration; ask the proxy team for the "
        "port that accepts CONNECT.",
        confirm=steps("$ curl -sv -x {proxy} https://{place}/", "Look at the answer to CONNECT."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_auth_required",
        phase=Phase.PROXY,
        title="The proxy requires credentials",
        meaning="The proxy requires authentication, and no credentials are configured. Agents often support "
        "Basic only, hardly ever NTLM or Negotiate.",
        signal="CONNECT was answered by 407, and no credentials had been sent.",
        evidence=(
            "proxy.status: 407",
            "proxy.headers: `Proxy-Authenticate` lists the schemes",
            "proxy.credentials_sent: false",
        ),
        suspects=CONFIGURED_PROXY,
        severity=Outcome.BLOCKED,
        advice="Exempt {source} from authentication on {proxy} for the Azure names, or give us credentials: "
        "it asks for {schemes}.",
        confirm=steps(CURL_PROXY, "Look for `Proxy-Authenticate` in the answer."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_auth_unsupported",
        phase=Phase.PROXY,
        title="The proxy requires an unsupported login scheme",
        meaning="The proxy asks for credentials by schemes that neither egressd nor the agents support, "
        "such as Negotiate (Kerberos) or NTLM. A user name and a password would not help.",
        signal="407, and Basic is not among the schemes that were offered.",
        evidence=(
            "proxy.status: 407",
            "proxy.headers: `Proxy-Authenticate` lists the schemes",
        ),
        suspects=CONFIGURED_PROXY,
        severity=Outcome.BLOCKED,
        advice="Exempt {source} from authentication on {proxy} for the Azure names, or offer Basic: it asks "
        "for {schemes}, which the agents do not support.",
        confirm=steps(CURL_PROXY, "Look for `Proxy-Authenticate` in the answer."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_certificate_untrusted",
        phase=Phase.PROXY,
        title="The TLS proxy's own certificate is not trusted",
        meaning="The connection to the proxy uses TLS, and the proxy's certificate does not lead to a "
        "trusted root or is for another name. No endpoint was requested yet.",
        signal="The TLS handshake with the proxy itself failed verification.",
        evidence=(
            "tls.sni: the proxy's name",
            "tls.verify_code, tls.verify_message: what is wrong",
            "tls.chain: the proxy's certificate",
        ),
        suspects=TRUST_STORE,
        severity=Outcome.BLOCKED,
        advice="Name the CA of {proxy} in `proxy.ca_file` and in the trust store of the agents, or give the "
        "proxy a certificate for the name that is configured.",
        confirm=steps("$ openssl s_client -connect PROXY:PORT -servername PROXY </dev/null"),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_auth_rejected",
        phase=Phase.PROXY,
        title="The proxy rejects the credentials",
        meaning="Credentials were sent and the proxy did not accept them: wrong, expired, locked, or for "
        "another scheme.",
        signal="CONNECT was answered by 407 although credentials had been sent.",
        evidence=(
            "proxy.status: 407",
            "proxy.credentials_sent: true",
            "proxy.headers: `Proxy-Authenticate` lists the schemes it takes",
        ),
        suspects=CONFIGURED_PROXY,
        severity=Outcome.BLOCKED,
        advice="Check user name, password file and account state for {proxy}; the proxy log at {time} names "
        "the cause.",
        confirm=steps("$ curl -sv -o /dev/null -x {proxy} -U USER https://{place}/"),
        needs=("proxy", "credentials"),
    ),
    Reason(
        code="proxy_denied",
        phase=Phase.PROXY,
        title="The proxy's policy denies the name",
        meaning="The proxy is up and answers, but its policy does not allow this host name. One line in its "
        "allow list is missing.",
        signal="CONNECT for this name was answered by 403, 451 or 470.",
        evidence=(
            "proxy.status: 403; 451 for legal reasons, 470 where a gateway has no rule for the name",
            "proxy.headers: `Via`, `Server`, `X-Squid-Error: ERR_ACCESS_DENIED`",
            "proxy.title, proxy.body: the block page, with the category where the product shows it",
            "proxy.authority: the name and port requested",
        ),
        suspects=CONFIGURED_PROXY,
        severity=Outcome.BLOCKED,
        advice="Allow CONNECT to {destination}, port {port}, for {source} on {proxy}; it answers {status}. "
        "The access log has the line at {time} (Squid: TCP_DENIED/403).",
        confirm=steps(CURL_PROXY, "Expect `200` to CONNECT."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_port_denied",
        phase=Phase.PROXY,
        title="The proxy denies this port",
        meaning="The proxy allows the name on 443 but not on this port. Its list of tunnel ports is too "
        "short.",
        signal="403 for this port, 200 for the same name on 443.",
        evidence=(
            "proxy.authority, proxy.status: 403 with this port",
            "controls.port_contrast: 200 on 443",
        ),
        suspects=CONFIGURED_PROXY,
        severity=Outcome.BLOCKED,
        advice="Add port {port} to the tunnel ports of {proxy} (Squid: `SSL_ports`); {host} is allowed on "
        "443 already.",
        confirm=steps(CURL_PROXY, "$ curl -sv -o /dev/null -x {proxy} https://{host}:443/"),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_redirected",
        phase=Phase.PROXY,
        title="The proxy redirects instead of opening a tunnel",
        meaning="The proxy answers CONNECT with a redirect, usually to a login, a consent or a policy page. "
        "Browsers may follow it with somebody in front of them; agents cannot.",
        signal="CONNECT was answered by a 3xx status.",
        evidence=(
            "proxy.status: 301, 302, 303, 307 or another 3xx",
            "proxy.headers: `Location` names the place the client is sent to",
            "proxy.title, proxy.body: the page, if one came along",
        ),
        suspects=ANSWER_TO_CONNECT,
        severity=Outcome.BLOCKED,
        advice="Exempt {source} on {proxy} from the login or policy page: it answers CONNECT {place} with "
        "{status} and sends the client to {location}, where no agent can follow.",
        confirm=steps(CURL_PROXY, "Look for `Location` in the answer to CONNECT."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_login_required",
        phase=Phase.PROXY,
        title="The proxy wants a login that clients can't give",
        meaning="The proxy asks for a login by a status that belongs to web servers (401) or to portals "
        "(511), not by 407. No client sends its proxy credentials in answer to that.",
        signal="CONNECT was answered by 401 or 511.",
        evidence=(
            "proxy.status: 401 or 511",
            "proxy.headers: `WWW-Authenticate`, `Location`",
            "proxy.title, proxy.body: the login page, if one came along",
        ),
        suspects=ANSWER_TO_CONNECT,
        severity=Outcome.BLOCKED,
        advice="Exempt {source} from the login on {proxy} for the Azure names, or have it ask by 407: it "
        "answers CONNECT {place} with {status}.",
        confirm=steps(CURL_PROXY, "Look at the status of the answer to CONNECT."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_rate_limited",
        phase=Phase.PROXY,
        title="The proxy limits the rate of connections",
        meaning="The proxy refuses tunnels because it has counted too many of them. Agents that retry make "
        "it worse; the limit has to fit what this host needs.",
        signal="CONNECT was answered by 429.",
        evidence=(
            "proxy.status: 429",
            "proxy.headers: `Retry-After`",
            "proxy.started: compare with the start of other tunnels",
        ),
        suspects=ANSWER_TO_CONNECT,
        severity=Outcome.BLOCKED,
        advice="Raise the rate limit of {proxy} for {source}: it answers CONNECT {place} with {status}.",
        confirm=steps(CURL_PROXY, "Wait for the time in `Retry-After`, then again."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_page_for_tunnel",
        phase=Phase.PROXY,
        title="The proxy grants the tunnel and sends a page",
        meaning="The answer to CONNECT is a success, and what follows is a web page where TLS should begin. "
        "It is a block or login page with the wrong status, or the listener is no proxy.",
        signal="CONNECT was answered by 2xx with a body, or a page without a head of its own came in the "
        "tunnel.",
        evidence=(
            "proxy.status: 200",
            "proxy.headers: `Content-Type`, `Content-Length`",
            "proxy.title, proxy.body, tls.first_text: the page",
        ),
        suspects=ANSWER_TO_CONNECT,
        severity=Outcome.BLOCKED,
        advice="Allow CONNECT to {destination}, port {port}, for {source} on {proxy}: it answers {status} "
        "and then sends a page instead of a tunnel. The page names the policy, or shows that {proxy} is no "
        "proxy.",
        confirm=steps(CURL_PROXY, "TLS fails with `wrong version number`."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_refused",
        phase=Phase.PROXY,
        title="The proxy refuses the tunnel",
        meaning="The proxy answered CONNECT with a status that has no usual meaning there. Only its log or "
        "its page says why.",
        signal="CONNECT was answered by a status other than 2xx that no other code covers.",
        evidence=(
            "proxy.status: the status",
            "proxy.headers: `Server`, `Via` and the marks of the product",
            "proxy.title, proxy.body: the page, if one came along",
        ),
        suspects=ANSWER_TO_CONNECT,
        severity=Outcome.BLOCKED,
        advice="Allow CONNECT to {destination}, port {port}, for {source} on {proxy}: it answers {status}. "
        "Its access log at {time} has the cause.",
        confirm=steps(CURL_PROXY, "Look at the status of the answer to CONNECT."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_closed",
        phase=Phase.PROXY,
        title="The proxy hangs up on CONNECT",
        meaning="The proxy accepted the connection, took the request and ended the connection without an "
        "answer: by policy, because its own connection failed, or because it expects something else there.",
        signal="The connection to the proxy was closed or reset after CONNECT, without a byte of HTTP.",
        evidence=(
            "proxy.failure: closed or reset",
            "proxy.authority: the name and port requested",
            "controls.repeat: whether it happens again",
        ),
        suspects=CONNECT_UNANSWERED,
        severity=Outcome.BLOCKED,
        advice="Give us the log lines of {proxy} for {source} at {time}: it takes CONNECT {place} and hangs "
        "up without an answer.",
        confirm=steps(CURL_PROXY, "curl reports `Proxy CONNECT aborted`."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_no_answer",
        phase=Phase.PROXY,
        title="The proxy does not answer CONNECT",
        meaning="The proxy accepted the connection and took the request, and no answer came within our time. "
        "It is overloaded, its own connection hangs, or something else listens there.",
        signal="No byte came after CONNECT until the timeout, and no other name got an answer either.",
        evidence=(
            "proxy.failure, proxy.elapsed_ms: timeout, and how long we waited",
            "proxy.info.bytes_acked: whether the request arrived",
            "controls.repeat: whether it happens again",
        ),
        suspects=CONNECT_UNANSWERED,
        severity=Outcome.BLOCKED,
        advice="Look at the load and the log of {proxy} at {time}: it took CONNECT {place} from {source} and "
        "did not answer.",
        confirm=steps(CURL_PROXY, "It hangs after `Establish HTTP proxy tunnel`."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_upstream_refused",
        phase=Phase.PROXY,
        title="The proxy's own connection is refused",
        meaning="The proxy accepted the request, but its own connection to the server was refused. Look at "
        "the firewall between the proxy and the Internet, not at the proxy's policy.",
        signal="The proxy answered 502 or 503 and named `connection refused` as its own error.",
        evidence=("proxy.status: 502 or 503", _SQUID_ERRNO + ": 111"),
        suspects=BEYOND_PROXY,
        severity=Outcome.BLOCKED,
        advice="Allow tcp/{port} to {destination} from the outside address of {proxy}: its own connection is "
        "refused. The rule for {source} is not the one in question.",
        confirm=steps("On the proxy:", "$ nc -vz -w 8 {host} {port}"),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_upstream_timeout",
        phase=Phase.PROXY,
        title="The proxy's own connection times out",
        meaning="The proxy tried to reach the server and got no answer. A firewall behind the proxy drops "
        "the proxy's own traffic.",
        signal="The proxy answered 503 and named a timeout as its own error, or 504 and no other cause; or "
        "it left this request without an answer while it serves others.",
        evidence=("proxy.status: 503 or 504", _SQUID_ERRNO + ": 110", "proxy.elapsed_ms: long"),
        suspects=BEYOND_PROXY,
        severity=Outcome.BLOCKED,
        advice="Allow tcp/{port} to {destination} from the outside address of {proxy}: its SYN stays "
        "unanswered. The rule for {source} is not the one in question.",
        confirm=steps("On the proxy:", "$ nc -vz -w 8 {host} {port}"),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_upstream_unreachable",
        phase=Phase.PROXY,
        title="The proxy has no route to the server",
        meaning="The proxy itself has no route to the server's address. Often it chose IPv6 without having "
        "any.",
        signal="The proxy answered 503 and named `network unreachable` as its own error.",
        evidence=("proxy.status: 503", _SQUID_ERRNO + ": 101 or 113"),
        suspects=BEYOND_PROXY,
        severity=Outcome.BLOCKED,
        advice="On {proxy}, check the route to {host} and whether it prefers IPv6 without having it; a "
        "device behind it may also answer unreachable.",
        advice_for=(Blame.EXPLICIT_PROXY,),
        confirm=steps("On the proxy:", "$ ip route get {address}", "$ nc -vz -w 8 {host} {port}"),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_upstream_dns_failed",
        phase=Phase.PROXY,
        title="The proxy can't resolve the name",
        meaning="The proxy resolves names itself and failed on this one. Its resolver is down, does not "
        "know the name or refuses it.",
        signal="The proxy answered 500, 502, 503 or 504 and its headers or its page name DNS as the cause.",
        evidence=(
            "proxy.status, proxy.headers: for Squid `ERR_DNS_FAIL` or `ERR_CANNOT_FORWARD`",
            "proxy.body: the text about DNS",
            "proxy.elapsed_ms: long when the resolver is down",
        ),
        suspects=PROXYS_RESOLVER,
        severity=Outcome.DOWN,
        advice="On {proxy}, make {host} resolve: check the resolvers the proxy uses, not those of {source}.",
        confirm=steps("On the proxy:", "$ dig {host} A"),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_upstream_error",
        phase=Phase.PROXY,
        title="The proxy fails without giving a cause",
        meaning="The proxy answered with a gateway error and gave no cause. Only its own log shows more.",
        signal="CONNECT was answered by 500, 502 or 503, without a usable error header or text.",
        evidence=(
            "proxy.status, proxy.headers, proxy.body: all that is known",
            "proxy.started: to find the line in the access log",
        ),
        suspects=TUNNEL_FAILS,
        severity=Outcome.DOWN,
        advice="Give us the access-log line of {proxy} for CONNECT {place} from {source} at {time}, and fix "
        "the cause it shows.",
        confirm=steps(CURL_PROXY),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_tunnel_closed_on_sni",
        phase=Phase.TLS,
        title="The proxy closes the tunnel on the SNI",
        meaning="The proxy granted the tunnel and closed it as soon as the ClientHello came. It reads the "
        "server name (SNI) and has a rule against it.",
        signal="CONNECT was answered by 200; after the ClientHello the stream ended without a byte, and with "
        "another name in a tunnel to the same place it did not.",
        evidence=(
            "proxy.status: 200",
            "tls.failure, tls.bytes_received: closed or reset, 0 bytes",
            "tls.sni: the name that triggers it",
            "controls.sni_contrast: another name in the same tunnel",
        ),
        suspects=TUNNEL_FAILS,
        severity=Outcome.BLOCKED,
        advice="On {proxy}, allow {sni} in the TLS inspection rules as well as in the CONNECT rules: the "
        "tunnel is granted and then terminated (Squid: `ssl_bump terminate`).",
        confirm=steps(PROXY_CLIENT_HELLO),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_tunnel_closed",
        phase=Phase.TLS,
        title="The tunnel is granted and closed after the ClientHello",
        meaning="The proxy granted the tunnel, and it ended as soon as the ClientHello had been sent. The "
        "proxy closed it, by policy or for want of a connection of its own, or the server did.",
        signal="CONNECT was answered by 200; after the ClientHello the stream ended without a byte.",
        evidence=(
            "proxy.status: 200",
            "tls.failure, tls.bytes_received: closed or reset, 0 bytes",
            "controls.sni_contrast: whether another name ends alike in a tunnel to the same place",
            "controls.repeat: whether it happens again",
        ),
        suspects=TUNNEL_FAILS,
        severity=Outcome.BLOCKED,
        advice="On {proxy}, look up the tunnel to {place} from {source} at {time}: it was granted, and "
        "closed after the ClientHello. The log shows which side closed it.",
        confirm=steps(PROXY_CLIENT_HELLO, "`unexpected eof` or `Connection reset`."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_block_page_in_tunnel",
        phase=Phase.HTTP,
        title="The proxy serves its block page inside the tunnel",
        meaning="The proxy terminated the TLS session only to show that it denies the name. It is a deny, "
        "not inspection in general: an exemption from inspection alone will not help.",
        signal="200 to CONNECT, then a certificate of the proxy's own CA, and inside it a block page.",
        evidence=(
            "tls.chain.issuer: the proxy's CA",
            "http.status, http.headers, http.title: 403 and the block page",
            "http.unverified: true, read without trusting it",
        ),
        suspects=CONFIGURED_PROXY,
        severity=Outcome.BLOCKED,
        advice="Allow {destination} in the policy of {proxy}: it denies the name with a block page inside "
        "the tunnel, signed by {issuer}.",
        confirm=steps("$ curl -skv -x {proxy} https://{place}/"),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_origin_untrusted",
        phase=Phase.TLS,
        title="The proxy does not trust the real server",
        meaning="The name of the issuer is what a proxy that inspects TLS writes when it could not verify "
        "the real certificate: its root store or its clock is out of date. A name is a hint, and anybody can "
        "write it.",
        signal="The issuer of the certificate that came back says `Not trusted by`.",
        evidence=(
            "tls.chain.issuer: `Not trusted by` and the proxy's CA",
            "proxy.proxy: which proxy",
        ),
        suspects=UNKNOWN_AUTHORITY,
        severity=Outcome.BLOCKED,
        advice="On {proxy}, update the root store, allow it to fetch intermediates over port 80, and check "
        "its clock; better still, exempt {destination} from inspection.",
        confirm=steps(PROXY_CLIENT_HELLO, "Read the `issuer=` line."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_tunnel_stall",
        phase=Phase.TLS,
        title="The tunnel is granted and nothing comes back",
        meaning="The proxy granted the tunnel and took the ClientHello, but nothing comes back. It answers "
        "200 before its own connection is made, or that connection stalls.",
        signal="200 to CONNECT, the ClientHello was acknowledged, and no byte was received until the "
        "timeout.",
        evidence=(
            "proxy.status: 200",
            "tls.info.bytes_acked: the whole ClientHello",
            "tls.bytes_received: 0",
        ),
        suspects=TUNNEL_FAILS,
        severity=Outcome.BLOCKED,
        advice="On {proxy}, look up the tunnel to {place} from {source} at {time}: it was granted, and "
        "no byte came back from the server's side.",
        confirm=steps(PROXY_CLIENT_HELLO, "It hangs after `CONNECTED`."),
        needs=("proxy",),
    ),
    Reason(
        code="proxy_breaks_path",
        phase=Phase.PROXY,
        title="It works directly and fails through the proxy",
        meaning="Direct connections work, and only the path through the proxy fails. A bypass entry is the "
        "quickest fix.",
        signal="The direct trail succeeded, the one through the proxy did not.",
        evidence=(
            "trails.path: direct against the proxy",
            "proxy.status, proxy.failure: how the proxy failed",
        ),
        suspects=CONFIGURED_PROXY,
        severity=Outcome.BLOCKED,
        advice="Put {destination} on the proxy bypass list of {source}, or correct the policy of {proxy}: "
        "the direct path works.",
        confirm=steps(CURL_PROXY, CURL_DIRECT),
        needs=("proxy", "direct path"),
    ),
    Reason(
        code="proxy_required",
        phase=Phase.PROXY,
        title="Only the path through the proxy works",
        meaning="Direct connections are closed by design and the proxy works. The agents need the proxy "
        "setting; nothing is broken.",
        signal="The trail through the proxy succeeded, the direct one did not.",
        evidence=(
            "trails.path: the proxy against direct",
            "tcp.failure: how the direct path failed",
        ),
        suspects=DIRECT_RULE,
        severity=Outcome.OK,
        advice="Nothing to ask. Configure {proxy} for the agents on {source}.",
        confirm=steps(CURL_PROXY, CURL_DIRECT),
        informational=True,
        needs=("proxy", "direct path"),
    ),
    Reason(
        code="proxy_unknown",
        phase=Phase.PROXY,
        title="The proxy failed for an unknown reason",
        meaning="The tunnel was not established and no rule explains why. The proxy's log should show more.",
        signal="A failure in the proxy phase that fits none of the known signatures.",
        evidence=(
            "proxy.failure, proxy.detail: the raw failure",
            "proxy.status, proxy.first_bytes: what came back",
        ),
        suspects=CONFIGURED_PROXY,
        severity=Outcome.UNKNOWN,
        advice="Give us the log lines of {proxy} for {source} at {time}, CONNECT {place}.",
        confirm=steps(CURL_PROXY, AGAIN),
        needs=("proxy",),
    ),
)

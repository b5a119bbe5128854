"""Reasons in the TLS handshake, from the ClientHello to the server's first useful bytes."""

from __future__ import annotations

from egressd.attribution.blame.suspects import (
    ANSWERED_IN_CLEAR,
    FAR_END,
    FLOODED,
    HELLO_NOT_ACKNOWLEDGED,
    INSPECTION,
    LARGE_HELLO,
    NOT_TLS,
    NOTHING_KNOWN,
    PROTOCOL_BROKEN,
    RESET_AFTER_HELLO,
    SEGMENTS_LOST,
    SILENCE_AFTER_HELLO,
    STALLED_MIDWAY,
)
from egressd.attribution.reasons.commands import AGAIN, CAPTURE, CLIENT_HELLO, CLIENT_HELLO_OTHER, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Outcome

_SMALL_CLIENT_HELLO = "$ openssl s_client -connect {remote} -servername {sni} \\\n  -groups X25519 </dev/null"
_PING = "$ ping -c 3 -M do -s 1472 HOST-BEHIND-THE-TUNNEL"
_TLS12 = "$ openssl s_client -connect {remote} -servername {sni} \\\n  -tls1_2 </dev/null"
_MTU = "$ tracepath -n {address}"

TLS: tuple[Reason, ...] = (
    Reason(
        code="tls_sni_reset",
        phase=Phase.TLS,
        title="The ClientHello is reset for its name (SNI)",
        meaning="The TCP connection is allowed; the ClientHello that carries the server name (SNI) is "
        "answered by a reset from a device on the path. The address rule is fine, the URL or application "
        "policy is not.",
        signal="A reset followed the ClientHello, which the server never acknowledged, while another name "
        "sent to the same address got an answer.",
        evidence=(
            "tls.sni, tls.hello_bytes: what was sent",
            "tls.info.bytes_acked: 1, so the ClientHello never arrived",
            "tls.elapsed_ms: faster than the server could answer",
            "controls.sni_contrast: another name on the same address",
            "tcp.local_address, tcp.local_port: to find the log entry",
        ),
        suspects=RESET_AFTER_HELLO,
        severity=Outcome.BLOCKED,
        advice="Allow {destination} for {source} in the URL, FQDN or App-ID policy: TCP to {remote} "
        "completes and the ClientHello carrying {sni} is reset. Look at {time} in the PAN traffic log "
        "(subtype deny) and URL log, AZFWApplicationRule, or the FortiGate web filter and application logs.",
        confirm=steps(CLIENT_HELLO, CLIENT_HELLO_OTHER, "Only the first ends in a reset."),
    ),
    Reason(
        code="tls_sni_dropped",
        phase=Phase.TLS,
        title="The ClientHello is dropped for its name (SNI)",
        meaning="The TCP connection is allowed; the ClientHello that carries the server name (SNI) is never "
        "acknowledged. L7 firewalls do that when they have read the name and have no rule for it.",
        signal="The ClientHello was retransmitted and never acknowledged, while another name sent to the "
        "same address got an answer.",
        evidence=(
            "tls.sni, tls.hello_bytes: what was sent",
            "tls.info.bytes_acked, tls.info.retransmits: 1, and several retransmissions",
            "tls.bytes_received: 0",
            "controls.sni_contrast: another name on the same address",
            "tcp.local_address, tcp.local_port: to find the log entry",
        ),
        suspects=HELLO_NOT_ACKNOWLEDGED,
        severity=Outcome.BLOCKED,
        advice="Allow {service} from {source} to {destination}: the TCP handshake completes and the "
        "ClientHello carrying {sni} is dropped. Check the URL or App-ID policy, not the address rule (PAN "
        "traffic log at {time}, subtype drop or deny; AZFWApplicationRule; FortiGate application control).",
        confirm=steps(CLIENT_HELLO, CLIENT_HELLO_OTHER, "Only the first hangs."),
    ),
    Reason(
        code="tls_all_hellos_dropped",
        phase=Phase.TLS,
        title="Every ClientHello is dropped, whatever the name",
        meaning="TCP is allowed but no TLS gets through, for any server name. The policy allows the port "
        "and not the application, or a default deny applies once the ClientHello is seen.",
        signal="Connected, then every ClientHello stayed unacknowledged, also with other names and to other "
        "addresses.",
        evidence=(
            "tls.info.bytes_acked: 1 on each",
            "tls.info.retransmits: retransmissions on each",
            "controls.sni_contrast, controls.address_contrast: dropped as well",
        ),
        suspects=HELLO_NOT_ACKNOWLEDGED,
        severity=Outcome.BLOCKED,
        advice="Allow the application `ssl` (TLS) for {source}, not just tcp/{port}: every ClientHello is "
        "dropped after the TCP handshake, whatever the name. Look at {time} for sessions of {source} "
        "without an application.",
        confirm=steps(CLIENT_HELLO, CLIENT_HELLO_OTHER, "Both hang after `CONNECTED`."),
    ),
    Reason(
        code="tls_reset_after_hello",
        phase=Phase.TLS,
        title="The connection is reset after the ClientHello",
        meaning="TCP connected, and the ClientHello was answered by a reset. Where it had been acknowledged, "
        "the reset is a proxy's or the server's own; where not, a packet filter may have sent it too.",
        signal="A reset followed the ClientHello; nothing shows that another name fares better there.",
        evidence=(
            "tls.info.bytes_acked: whether it is the size of the ClientHello plus one",
            "tls.failure: reset",
            "tls.elapsed_ms: compare with the round trip",
            "controls.sni_contrast: whether another name is reset too",
        ),
        suspects=RESET_AFTER_HELLO,
        severity=Outcome.BLOCKED,
        advice="Find the device that terminates TLS between {source} and {address} and resets {sni} at "
        "{time}; allow the name there. If there is none, the server itself resets.",
        confirm=steps(CLIENT_HELLO, CLIENT_HELLO_OTHER, CAPTURE),
    ),
    Reason(
        code="tls_fin_after_hello",
        phase=Phase.TLS,
        title="The ClientHello arrives and the connection is closed",
        meaning="The peer took the ClientHello and closed the connection with a FIN, without a TLS answer. "
        "Proxies and load balancers reject names in this way.",
        signal="The stream ended after the ClientHello, with no byte received.",
        evidence=(
            "tls.failure: closed",
            "tls.bytes_received: 0",
            "tls.info.bytes_acked: the whole ClientHello",
            "controls.sni_contrast: whether another name is answered",
        ),
        suspects=RESET_AFTER_HELLO,
        severity=Outcome.BLOCKED,
        advice="Allow {destination} from {source} on the proxy or L7 firewall in the path: it accepts the "
        "ClientHello to {remote} and closes without an answer at {time}.",
        confirm=steps(CLIENT_HELLO, CLIENT_HELLO_OTHER, "`unexpected eof` only for the first."),
    ),
    Reason(
        code="tls_stall_after_hello",
        phase=Phase.TLS,
        title="Nothing comes back after the ClientHello",
        meaning="TCP connected, and the ClientHello got no answer in the time allowed. A device that holds "
        "the session, a server that hangs or is slow, or a packet lost for its size.",
        signal="No byte was received after the ClientHello, and nothing arrived out of order.",
        evidence=(
            "tls.info.bytes_acked: whether the whole ClientHello arrived",
            "tls.bytes_received, tls.info.out_of_order: both 0",
            "controls.small_mss: whether small segments help",
            "controls.sni_contrast: whether another name is answered",
        ),
        suspects=SILENCE_AFTER_HELLO,
        severity=Outcome.BLOCKED,
        advice="Look for a device that terminates tcp/{port} from {source} to {address} and holds the "
        "session with {sni} at {time} without answering.",
        confirm=steps(CLIENT_HELLO, CLIENT_HELLO_OTHER, _PING),
    ),
    Reason(
        code="tls_pmtu_blackhole_inbound",
        phase=Phase.TLS,
        title="Large packets from the server are lost (MTU)",
        meaning="Small packets pass and the server's full-size ones are lost: a tunnel with a smaller MTU "
        "on the path, whose ICMP messages are filtered. It looks like a TLS problem and is not one.",
        signal="The ClientHello was acknowledged; either later small segments arrived without the large "
        "ones before them, or the same probe completed with small segments.",
        evidence=(
            "tls.info.out_of_order: at least 1, with no byte delivered",
            "tls.info.bytes_received: 0",
            "controls.small_mss: completes with a segment size of 1200",
            "tls.info.path_mtu, tls.info.receive_mss: what this host assumes",
        ),
        suspects=SEGMENTS_LOST,
        severity=Outcome.BLOCKED,
        advice="On the tunnel or VPN between {source} and the Internet: clamp the TCP segment size to the "
        "tunnel MTU, or let ICMP type 3 code 4 (IPv6: type 2) through. With segments of 1200 bytes {host} "
        "works.",
        confirm=steps(_MTU, _PING, CLIENT_HELLO),
    ),
    Reason(
        code="tls_pmtu_blackhole_outbound",
        phase=Phase.TLS,
        title="Large packets to the server are lost (MTU)",
        meaning="A small ClientHello passes and a large one never arrives, unless it is sent in smaller "
        "segments. A link on the path has a smaller MTU and its ICMP messages are filtered.",
        signal="The large ClientHello stayed unacknowledged; with small segments it was answered.",
        evidence=(
            "tls.hello_bytes: the size that fails",
            "tls.info.bytes_acked, tls.info.retransmits: only the SYN, and retransmissions",
            "tls.info.send_mss, tls.info.path_mtu: what this host assumes",
            "controls.small_mss: completes",
        ),
        suspects=SEGMENTS_LOST,
        severity=Outcome.BLOCKED,
        advice="On the tunnel or VPN from {source} towards the Internet: clamp the TCP segment size, or let "
        "ICMP type 3 code 4 (IPv6: type 2) back to {source}; full-size packets towards {address} are lost.",
        confirm=steps(_MTU, _PING, CLIENT_HELLO),
    ),
    Reason(
        code="tls_large_hello_intolerant",
        phase=Phase.TLS,
        title="A large ClientHello is not answered",
        meaning="Modern clients send a ClientHello in two packets (post-quantum key share). A device on the "
        "path expects one and resets or drops the rest; older clients on the same network still work.",
        signal="A small ClientHello was answered, a large one was not, and smaller segments made no "
        "difference.",
        evidence=(
            "tls.hello_bytes: which size fails and which passes",
            "controls.large_hello: fails with smaller segments as well, so it is not the MTU",
            "tls.info.bytes_acked: how much of the ClientHello arrived",
        ),
        suspects=LARGE_HELLO,
        severity=Outcome.BLOCKED,
        advice="Update the inspecting device or proxy to a version that reassembles a ClientHello of "
        "several packets: {source} to {host} fails only with a large ClientHello. Until then Go agents can "
        "be run with GODEBUG=tlsmlkem=0.",
        advice_for=(Blame.FIREWALL_L7, Blame.TLS_INSPECTION, Blame.EXPLICIT_PROXY),
        confirm=steps(CLIENT_HELLO, _SMALL_CLIENT_HELLO, "With OpenSSL 3.5 or later only the second works."),
        needs=("ClientHellos of two sizes",),
    ),
    Reason(
        code="tls_sni_position_intolerant",
        phase=Phase.TLS,
        title="A ClientHello with a late SNI is not answered",
        meaning="The device on the path looks for the server name in the first part of the ClientHello "
        "alone. Clients that put it later are treated as if they had sent none.",
        signal="The answer was right with the SNI first, and wrong or missing with the SNI last.",
        evidence=(
            "tls.hello_bytes, tls.sni: what was sent",
            "tls.chain.subject: a placeholder certificate such as `no-sni.invalid`",
        ),
        suspects=LARGE_HELLO,
        severity=Outcome.BLOCKED,
        advice="Update the TLS proxy between {source} and {host}: it misses the SNI unless it comes early "
        "in the ClientHello. Exempt {destination} from it until then.",
        confirm=steps(CLIENT_HELLO, "$ curl -sv -o /dev/null https://{place}/", "Compare the certificates."),
        needs=("ClientHello with the SNI last",),
    ),
    Reason(
        code="tls_no_sni_denied",
        phase=Phase.TLS,
        title="A ClientHello without SNI is denied",
        meaning="Connections with a server name pass and those without are cut. That is normal for "
        "firewalls that filter by name; every current agent sends one.",
        signal="The probe with a server name succeeded, the one without failed.",
        evidence=(
            "tls.sni: empty on the probe that failed",
            "controls.sni_contrast: a name on the same address passes",
        ),
        suspects=RESET_AFTER_HELLO,
        severity=Outcome.OK,
        advice="Nothing to ask for {host}. Tools that connect by address will fail from {source}; use the "
        "name with them.",
        confirm=steps(CLIENT_HELLO, "$ openssl s_client -connect {remote} -noservername </dev/null"),
        informational=True,
        needs=("probe without SNI",),
    ),
    Reason(
        code="tls_plaintext_block_page",
        phase=Phase.TLS,
        title="A block page in clear text instead of TLS",
        meaning="The ClientHello was answered with a page in plain HTTP that denies access or asks to log "
        "in. Browsers show it as a protocol error.",
        signal="The first bytes received are a page with the mark of a product, or an HTTP status that "
        "denies.",
        evidence=(
            "tls.first_text: the status line, the server header, the page",
            "tls.first_bytes: begins with 48 54 54 50",
        ),
        suspects=ANSWERED_IN_CLEAR,
        severity=Outcome.BLOCKED,
        advice="Allow {destination}, port {port}, for {source} on the device that answers TLS with plain "
        "HTTP at {time}; its page names the product and the policy.",
        confirm=steps("$ curl -sv http://{place}/ \\\n  --connect-to ::{remote}"),
    ),
    Reason(
        code="tls_not_tls",
        phase=Phase.TLS,
        title="What answers is not TLS",
        meaning="What answers on this port speaks another protocol: a web server without TLS, another "
        "service, or a port forward or an address that leads to the wrong server.",
        signal="The first bytes received are no TLS record: plain HTTP that denies nothing, or a greeting.",
        evidence=(
            "tls.first_bytes, tls.first_text: for instance an SSH banner",
            "tcp.remote_address: which host",
        ),
        suspects=NOT_TLS,
        severity=Outcome.BLOCKED,
        advice="Check what listens at {remote}, and port forwards and destination NAT on the way from "
        "{source}: what answered at {time} is not TLS.",
        confirm=steps("$ nc -w 5 {address} {port} </dev/null | head -c 200 | xxd", CLIENT_HELLO),
    ),
    Reason(
        code="tls_partial_then_stall",
        phase=Phase.TLS,
        title="The handshake stalls part-way",
        meaning="The server began to answer and the rest never came. Large packets lost on the path (MTU) "
        "are the usual cause; a filter that reads certificates is the other.",
        signal="Some handshake bytes arrived, then nothing until the timeout.",
        evidence=(
            "tls.bytes_received, tls.records_received: how far it got",
            "tls.info.out_of_order: segments beyond a hole point to lost packets",
            "controls.small_mss: completes, if it is the MTU",
        ),
        suspects=STALLED_MIDWAY,
        severity=Outcome.BLOCKED,
        advice="Clamp the TCP segment size on the tunnel between {source} and the Internet and let ICMP "
        "type 3 code 4 through; if that is in order, look for a filter that decides by the certificate of "
        "{host}.",
        confirm=steps(_MTU, _PING, CLIENT_HELLO),
    ),
    Reason(
        code="tls_partial_then_fin",
        phase=Phase.TLS,
        title="The handshake is closed part-way",
        meaning="The answer began and the connection was then closed with a FIN. A device rejected the "
        "session by the server's certificate, or the server gave up.",
        signal="Some handshake bytes arrived, then the stream ended.",
        evidence=(
            "tls.bytes_received, tls.server_hello: how far it got",
            "tls.failure: closed",
            "tls.version: in TLS 1.2 the certificate can be read on the path",
        ),
        suspects=RESET_AFTER_HELLO,
        severity=Outcome.BLOCKED,
        advice="Look for a policy that decides by the certificate of {host} for {source} at {time} and "
        "closes the session part-way; allow the name there.",
        confirm=steps(CLIENT_HELLO, _TLS12),
    ),
    Reason(
        code="tls_partial_then_reset",
        phase=Phase.TLS,
        title="The handshake is reset part-way",
        meaning="The answer began and a reset followed. Firewalls that categorise by the server's "
        "certificate act at this moment.",
        signal="Some handshake bytes arrived, then a reset.",
        evidence=(
            "tls.bytes_received, tls.server_hello: how far it got",
            "tls.failure: reset",
            "tls.version: in TLS 1.2 the certificate can be read on the path",
        ),
        suspects=RESET_AFTER_HELLO,
        severity=Outcome.BLOCKED,
        advice="Look for a policy that decides by the certificate of {host} for {source} at {time} and "
        "resets the session part-way; allow the name or its category there.",
        confirm=steps(CLIENT_HELLO, _TLS12),
    ),
    Reason(
        code="tls_protocol_error",
        phase=Phase.TLS,
        title="The peer violates the TLS protocol",
        meaning="The bytes look like TLS but OpenSSL could not accept them. A device that alters the "
        "handshake is more likely than a broken Azure front end.",
        signal="OpenSSL reported an error that is neither an alert of the peer nor a certificate problem.",
        evidence=(
            "tls.detail: OpenSSL's error",
            "tls.first_bytes, tls.bytes_received: what came",
        ),
        suspects=PROTOCOL_BROKEN,
        severity=Outcome.BLOCKED,
        advice="As a test, disable TLS inspection and protocol checks between {source} and {host}; the "
        "handshake at {time} was broken by what came back.",
        confirm=steps(CLIENT_HELLO + " -msg", CAPTURE),
    ),
    Reason(
        code="tls_flood",
        phase=Phase.TLS,
        title="The peer sends without end and never completes the handshake",
        meaning="What came is far more than a handshake takes, and the session is still not open: empty or "
        "repeated messages, warnings, or a message that does not end. Every client gives up on that. It is "
        "whoever answered the ClientHello, which is not known to be the server before its certificate is "
        "verified.",
        signal="More than 256 KiB, or more than 4096 records, came in the handshake; or OpenSSL counted too "
        "many records that bring nothing forward.",
        evidence=(
            "tls.detail, tls.bytes_received, tls.records_received: how much came",
            "tls.first_bytes, tls.server_hello: how it began",
        ),
        suspects=FLOODED,
        severity=Outcome.DOWN,
        advice="Ask the owner of {host} what its TLS front end sent to {source} at {time}; where a device "
        "terminates TLS on the way, look at it first.",
        confirm=steps(CLIENT_HELLO + " -msg", "The messages never end.", CAPTURE),
    ),
    Reason(
        code="tls_version_downgraded",
        phase=Phase.TLS,
        title="An older TLS version than usual was negotiated",
        meaning="The handshake works, with an older version than the same service gives elsewhere. Weak "
        "evidence of a device in between, because front ends differ as well.",
        signal="TLS 1.2 under the certificate of a device, TLS 1.3 under the real one of a name beside it or "
        "at the same address.",
        evidence=(
            "tls.version, tls.cipher: what was negotiated",
            "tls.chain.issuer: whether the certificate is the real one",
        ),
        suspects=INSPECTION,
        severity=Outcome.DEGRADED,
        advice="If a device terminates TLS between {source} and {host}, enable TLS 1.3 on it or exempt the "
        "name.",
        confirm=steps("$ openssl s_client -connect {remote} -servername {sni} \\\n  -tls1_3 </dev/null"),
        needs=("inspection of some names only",),
    ),
    Reason(
        code="tls_alpn_stripped",
        phase=Phase.TLS,
        title="HTTP/2 was offered and not chosen",
        meaning="The service supports HTTP/2 and this connection did not negotiate it. Inspection devices "
        "often remove it, and the resource bridge needs it.",
        signal="`h2` was offered; the peer chose HTTP/1.1 or nothing, where HTTP/2 is known to be supported.",
        evidence=(
            "tls.alpn_offered, tls.alpn: offered and chosen",
            "tls.chain.issuer: a private one points to inspection",
        ),
        suspects=INSPECTION,
        severity=Outcome.DEGRADED,
        advice="Exempt {destination} from TLS inspection for {source}, or allow HTTP/2 (ALPN h2) on the "
        "device that terminates the session: the resource bridge depends on it.",
        confirm=steps(
            "$ openssl s_client -connect {remote} -servername {sni} \\\n  -alpn h2,http/1.1 </dev/null",
            "Look for `ALPN protocol: h2`.",
        ),
    ),
    Reason(
        code="tls_client_cert_required",
        phase=Phase.TLS,
        title="The server requires a client certificate",
        meaning="The right server was reached and asks for a certificate, which the agent has and egressd "
        "does not. For reachability this is a pass.",
        signal="A genuine server ended the session because no client certificate was given.",
        evidence=(
            "tls.client_certificate_requested: true",
            "tls.alert.description, http.alert.description: 116, or 40 in TLS 1.2",
            "tls.facts.publicly_anchored: true",
        ),
        suspects=FAR_END,
        severity=Outcome.OK,
        advice="Nothing to ask: {host} can be reached from {source}.",
        confirm=steps(CLIENT_HELLO, "Look for `Acceptable client certificate CA names`."),
        informational=True,
    ),
    Reason(
        code="tls_unknown",
        phase=Phase.TLS,
        title="TLS failed for an unknown reason",
        meaning="The handshake failed and no rule explains it. The raw bytes are recorded; do not call it a "
        "block on this evidence alone.",
        signal="A failure in the TLS phase that fits none of the known signatures, or an alert number that "
        "no RFC names.",
        evidence=(
            "tls.failure, tls.errno, tls.detail: the raw failure",
            "tls.first_bytes, tls.alert, tls.info: what else is known",
        ),
        suspects=NOTHING_KNOWN,
        severity=Outcome.UNKNOWN,
        advice="Look up the session {source} to {remote} at {time} on every device that inspects TLS, with "
        "the facts of this report at hand.",
        confirm=steps(CLIENT_HELLO, CAPTURE, AGAIN),
    ),
)

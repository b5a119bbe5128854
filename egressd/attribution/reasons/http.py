"""Reasons in the HTTP answer, in clear text or inside TLS."""

from __future__ import annotations

from egressd.attribution.blame.suspects import (
    ANSWERED_BY_ANYBODY,
    ANSWERED_BY_PROXY,
    ANSWERED_IN_CLEAR,
    CACHE,
    EGRESSD_ITSELF,
    FAR_END,
    LOGIN_PAGE,
    MALFORMED,
    NOTHING_KNOWN,
    SESSION_CUT,
    SLOW,
)
from egressd.attribution.reasons.commands import AGAIN, CURL, CURL_PLAIN, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Outcome

_HEADERS = "$ curl -sI https://{place}/"
_HTTP1 = "$ curl -sv --http1.1 -o /dev/null https://{place}/"
_HTTP2 = "$ curl -sv --http2 -o /dev/null https://{place}/"
_UPGRADE = (
    "$ curl -sv --http1.1 https://{place}/ \\\n  -H 'Connection: Upgrade' -H 'Upgrade: websocket' \\\n  -H "
    "'Sec-WebSocket-Version: 13' \\\n  -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='"
)

HTTP: tuple[Reason, ...] = (
    Reason(
        code="service_reachable_http",
        phase=Phase.HTTP,
        title="The service answered; its status is not a network fault",
        meaning="The genuine server answered over verified TLS. An error status is its answer to a request "
        "without a login: the network is fine. The status follows the code, as in "
        "service_reachable_http_403.",
        signal="An HTTP answer, with the headers of the service, inside TLS that is valid for the name.",
        evidence=(
            "http.status: the number at the end of the code",
            "http.headers: `x-ms-request-id` and similar",
            "tls.facts.publicly_anchored, tls.facts.name_matches: both true",
        ),
        suspects=FAR_END,
        severity=Outcome.OK,
        advice="Nothing to ask: {host} can be reached from {source}.",
        confirm=steps(CURL),
        informational=True,
    ),
    Reason(
        code="service_public_access_denied",
        phase=Phase.HTTP,
        title="The service does not accept public access",
        meaning="The network is fine; the service rejects the request because it came over the public "
        "endpoint. A private link scope that forbids public access is the usual cause.",
        signal="403 from the genuine service on its public address, where a private endpoint may be in use.",
        evidence=(
            "http.status, http.body: 403 and the service's message",
            "http.headers: the request id, for a support case",
            "dns.answers: a public address",
        ),
        suspects=FAR_END,
        severity=Outcome.DEGRADED,
        advice="Ask the owner of the Arc private link scope to allow public access, or let {source} resolve "
        "{host} to the private endpoint. The firewall has nothing to change.",
        confirm=steps("$ dig {host} A", CURL),
    ),
    Reason(
        code="http_block_page",
        phase=Phase.HTTP,
        title="A block page came back",
        meaning="A security product answered in the server's place and says so. Its page usually names the "
        "product, the policy and the category.",
        signal="Status, headers or page match the block page of a known product.",
        evidence=(
            "http.title, http.body: what the page says",
            "http.headers: `Server`, `Via`, product headers",
            "http.status: often 403, sometimes 200",
        ),
        suspects=ANSWERED_IN_CLEAR,
        severity=Outcome.BLOCKED,
        advice="Allow {destination} for {source} in the web filter; the block page at {time} names the "
        "policy or the category to change (FortiGate: web filter log; PAN: URL filtering log; Squid: "
        "access.log).",
        confirm=steps(CURL_PLAIN, "Read the page."),
    ),
    Reason(
        code="http_azure_firewall_denied",
        phase=Phase.HTTP,
        title="Denied with the page of Azure Firewall",
        meaning="An Azure Firewall on the path has no application rule for this name, and says so in its "
        "answer.",
        signal="Status 470 with the firewall's message about the rule that did not match.",
        evidence=(
            "http.status: 470",
            "http.body: `Action: Deny` and the reason",
        ),
        suspects=ANSWERED_IN_CLEAR,
        severity=Outcome.BLOCKED,
        advice="Add an application rule for {destination} ({service}) from {source} on the Azure Firewall; "
        "see AZFWApplicationRule at {time}. A wildcard does not cover its bare domain: add that one too.",
        confirm=steps(CURL_PLAIN),
    ),
    Reason(
        code="http_captive_portal",
        phase=Phase.HTTP,
        title="A login page answers instead",
        meaning="The answer in clear text sends the client to another place, as a login page does. An "
        "appliance cannot log in; it has to be exempted. One redirect may be the service's own; where "
        "unrelated names lead to one place, it is a portal.",
        signal="A redirect to another host, or status 511, where the service itself would have answered.",
        evidence=(
            "http.redirect: where it leads",
            "http.status: 302, 307 or 511",
            "controls.redirect: what answers there",
        ),
        suspects=LOGIN_PAGE,
        severity=Outcome.BLOCKED,
        advice="Exempt {source} from the login portal that answers for {host} at {time}.",
        confirm=steps("$ curl -s http://www.msftconnecttest.com/connecttest.txt", CURL_PLAIN),
    ),
    Reason(
        code="http_transparent_proxy_auth",
        phase=Phase.HTTP,
        title="A transparent proxy requires credentials",
        meaning="No proxy is configured, yet one answers and requires a login. Clients do not know of it, "
        "so they cannot log in.",
        signal="401 or 407 from something other than the service, on a direct connection.",
        evidence=(
            "http.status: 407 or 401",
            "http.headers: `Proxy-Authenticate`, `Via`",
            "trails.path: direct",
        ),
        suspects=LOGIN_PAGE,
        severity=Outcome.BLOCKED,
        advice="Exempt {source} from authentication on the transparent proxy that answers for {host}, or "
        "give it a proxy address to configure.",
        confirm=steps(CURL_PLAIN),
    ),
    Reason(
        code="http_transparent_proxy_present",
        phase=Phase.HTTP,
        title="A transparent proxy is on the path",
        meaning="Plain HTTP passes through a proxy that is not configured on this host. That is not an "
        "error, but it explains changed or stale downloads.",
        signal="Headers of a proxy or cache on an answer that should come straight from the server.",
        evidence=(
            "http.headers: `Via`, `X-Cache`, `Age`",
            "trails.path: direct",
        ),
        suspects=CACHE,
        severity=Outcome.OK,
        advice="Nothing to ask by itself; if downloads from {host} are stale or changed, exempt {source} "
        "from it.",
        confirm=steps("$ curl -sI http://{host}/"),
        informational=True,
    ),
    Reason(
        code="http_content_replaced",
        phase=Phase.HTTP,
        title="A page came in place of the content",
        meaning="The answer looks like a success and holds something else: an HTML page where a file or a "
        "list was expected. Downloads will fail later, with a misleading message.",
        signal="200 with HTML where a binary, a revocation list or JSON was expected.",
        evidence=(
            "http.headers: `content-type`",
            "http.title, http.body: what came instead",
            "http.bytes_received, http.sha256: against what was expected",
        ),
        suspects=ANSWERED_BY_PROXY,
        severity=Outcome.BLOCKED,
        advice="Let downloads from {host} to {source} pass unchanged: take the name out of the web filter "
        "and of malware-scan pages.",
        confirm=steps(CURL_PLAIN, "$ curl -s https://{place}/ | head -c 200"),
    ),
    Reason(
        code="http_truncated",
        phase=Phase.HTTP,
        title="The download is cut off",
        meaning="Fewer bytes came than were announced. Always at the same point, it is a size limit or a "
        "virus scanner; at varying points, it is the line. Ended by close_notify inside a session that "
        "proved the name, the server itself stopped.",
        signal="The stream ended before the announced length was reached.",
        evidence=(
            "http.content_length, http.bytes_received: announced and received",
            "controls.repeat: whether it is cut off at the same point",
        ),
        suspects=SESSION_CUT,
        severity=Outcome.DEGRADED,
        advice="Raise the size limit or exempt {destination} from scanning on the proxy for {source}: "
        "downloads are cut off. If the point varies, look for loss on the line.",
        advice_for=(Blame.TRANSPARENT_PROXY,),
        confirm=steps("$ curl -sv -o /dev/null https://{place}/", "curl reports `transfer closed`."),
    ),
    Reason(
        code="http_range_blocked",
        phase=Phase.HTTP,
        title="Range requests are not allowed",
        meaning="Requests for a part of a file are answered with the whole file or refused. Updaters that "
        "resume will start again, or fail.",
        signal="A ranged request got 200, 403 or 416, where the server is known to answer 206.",
        evidence=(
            "http.status: something other than 206",
            "http.headers: `accept-ranges`, `content-range`, `Via`",
        ),
        suspects=ANSWERED_BY_PROXY,
        severity=Outcome.DEGRADED,
        advice="Allow range requests from {source} to {destination} on the proxy (FortiGate and Squid can "
        "strip them for scanning).",
        advice_for=(Blame.TRANSPARENT_PROXY,),
        confirm=steps("$ curl -sv -o /dev/null -r 0-1023 https://{place}/", "Expect 206."),
    ),
    Reason(
        code="http_stale_cache",
        phase=Phase.HTTP,
        title="A cache serves an old copy",
        meaning="The answer is older than what the server has now. Revocation lists and update catalogs "
        "then fail in ways that are hard to see.",
        signal="`Age`, `Date` or `Last-Modified` of the answer are too old.",
        evidence=("http.headers: `age`, `date`, `last-modified`, `via`",),
        suspects=CACHE,
        severity=Outcome.DEGRADED,
        advice="Purge {host} from the cache of the proxy in the path of {source}, and exempt the name from "
        "caching.",
        confirm=steps("$ curl -sI http://{host}/", "$ curl -sI -H 'Cache-Control: no-cache' http://{host}/"),
    ),
    Reason(
        code="http_websocket_blocked",
        phase=Phase.HTTP,
        title="The WebSocket upgrade is refused",
        meaning="The TLS session works and the upgrade to a WebSocket is not accepted. Notifications and "
        "remote access of Azure Arc depend on it. Inside a session that proved the name it is the server's "
        "answer.",
        signal="The upgrade was answered by something other than 101, or the connection ended at it.",
        evidence=(
            "http.status: anything but 101",
            "http.headers: `upgrade` and `connection`, or the proxy's own",
        ),
        suspects=SESSION_CUT,
        severity=Outcome.BLOCKED,
        advice="Allow WebSocket (the HTTP/1.1 upgrade, {service}) from {source} to {destination} on the "
        "proxy or firewall; the TLS session itself is let through.",
        advice_for=(Blame.TRANSPARENT_PROXY, Blame.FIREWALL_L7),
        confirm=steps(_UPGRADE),
    ),
    Reason(
        code="http_h2_broken",
        phase=Phase.HTTP,
        title="HTTP/2 is negotiated and then fails",
        meaning="The peer chose HTTP/2 and did not answer the request in it. Clients that do not fall back "
        "to HTTP/1.1 fail. GOAWAY that lets the request go on, and refusals that clients send again, are no "
        "such failure.",
        signal="`h2` was chosen, then a stream or the connection was ended, or broke the protocol, before "
        "an answer.",
        evidence=(
            "tls.alpn: h2",
            "http.failure, http.detail: http2_error and the error code",
            "controls.http1: whether the same request over HTTP/1.1 is answered",
        ),
        suspects=SESSION_CUT,
        severity=Outcome.DEGRADED,
        advice="Exempt {destination} from TLS inspection for {source}, or repair HTTP/2 on the device that "
        "terminates the session.",
        advice_for=(Blame.TLS_INSPECTION,),
        confirm=steps(_HTTP2, _HTTP1),
    ),
    Reason(
        code="http_reset_after_request",
        phase=Phase.HTTP,
        title="The connection is closed right after the request",
        meaning="The connection ended after the request and before an answer. The server or its front end "
        "can do that, and so can a device that lets the handshake pass. Many services of different owners "
        "that end alike point to the way; a proper close_notify is the server's.",
        signal="Reset or end of stream after the request, before a status line.",
        evidence=(
            "http.failure: reset or closed",
            "http.close_notify: true is the far end's, false says nothing",
            "http.info.bytes_acked: whether the request arrived",
            "http.bytes_received: 0",
        ),
        suspects=SESSION_CUT,
        severity=Outcome.DOWN,
        advice="Give the owner of {host} the time {time} and the address {address}: the session ended right "
        "after the request, and before an answer.",
        confirm=steps(CURL, AGAIN),
    ),
    Reason(
        code="http_no_answer",
        phase=Phase.HTTP,
        title="The request is never answered",
        meaning="The connection is up, the request was sent, and nothing came back in the time allowed. The "
        "server is slow or hangs, or a device on the way holds the request back; whether the request was "
        "acknowledged tells which.",
        signal="No status line within the time allowed, after the request had been sent.",
        evidence=(
            "http.failure, http.elapsed_ms: timeout",
            "http.info.bytes_acked, http.info.bytes_written: whether the request arrived",
            "tls.facts.publicly_anchored: true means that nobody on the way could read the request",
        ),
        suspects=SESSION_CUT,
        severity=Outcome.DOWN,
        advice="Give the owner of {host} the time {time} and the address {address}: the request was sent "
        "and not answered in the time allowed. Repeat with more patience before that.",
        confirm=steps(CURL + " -m 30", AGAIN),
    ),
    Reason(
        code="http_not_http",
        phase=Phase.HTTP,
        title="What answers is not HTTP",
        meaning="Another protocol answers on this port. Inside a session that proved the name, the server "
        "itself speaks it; otherwise a port forward, a NAT rule or a wrong address leads here.",
        signal="The answer to the request does not parse as HTTP.",
        evidence=(
            "http.detail, http.body: the first bytes",
            "tcp.remote_address: which host",
        ),
        suspects=ANSWERED_BY_ANYBODY,
        severity=Outcome.BLOCKED,
        advice="Find out what answers at {remote} for {source}: it does not speak HTTP.",
        confirm=steps(
            "$ printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {address} {port} | head -c 200 | xxd", CURL_PLAIN
        ),
    ),
    Reason(
        code="http_headers_too_large",
        phase=Phase.HTTP,
        title="The headers of the answer are too large",
        meaning="The answer carries more headers than egressd reads. That is a limit of egressd; clients "
        "have limits of their own.",
        signal="The header section went beyond the limit before it ended.",
        evidence=(
            "http.failure: too_large",
            "http.detail: how much was read",
        ),
        suspects=EGRESSD_ITSELF,
        severity=Outcome.UNKNOWN,
        advice="Look at the answer of {host} to {source} by hand, and find out what adds the headers.",
        confirm=steps(_HEADERS + " | wc -c"),
    ),
    Reason(
        code="http_flood",
        phase=Phase.HTTP,
        title="The peer sends without end and never answers the request",
        meaning="The request was taken, and what came is far more than an answer needs without being one: "
        "frames of HTTP/2 that carry no answer, TLS records without data, or empty lines. Every client gives "
        "up on that. Inside a verified session it is the server itself.",
        signal="More than 1000 frames or 256 KiB of them, 64 KiB of TLS records without data, or 300 KiB "
        "of empty lines came, and no answer among them.",
        evidence=(
            "http.detail: what came, and how much",
            "tls.facts.publicly_anchored: whether the session was the server's own",
        ),
        suspects=MALFORMED,
        severity=Outcome.DOWN,
        advice="Ask the owner of {host} what its front end sent to {source} at {time} in the place of an "
        "answer.",
        confirm=steps(_HTTP2, "It does not end, and prints no status."),
    ),
    Reason(
        code="http_unexpected_status",
        phase=Phase.HTTP,
        title="The status is not one of those expected",
        meaning="The answer has a status that the endpoint's row does not accept: a wrong path, a changed "
        "service, or another server. In clear text anybody on the way can have written it.",
        signal="An HTTP status outside the list under `expect.status`.",
        evidence=(
            "http.status: what came",
            "target.expect: what was allowed",
            "http.headers, http.body: which server answered",
        ),
        suspects=ANSWERED_BY_ANYBODY,
        severity=Outcome.DOWN,
        advice="Check the path and the `expect` of {host} in the configuration; if they are right, ask the "
        "owner of the service about status {status}.",
        confirm=steps(CURL),
    ),
    Reason(
        code="http_content_unexpected",
        phase=Phase.HTTP,
        title="The content is not what was expected",
        meaning="The right status came with a body that fails the check of the row: another type, too few "
        "bytes or another digest, compared after decoding. Either the file changed, or, where no session "
        "proved the server, it was changed on the way.",
        signal="Content type, size, form or SHA-256 differ from the endpoint's `expect`.",
        evidence=(
            "target.expect: what was asked for",
            "http.headers: `content-type`",
            "http.bytes_received, http.content_length, http.sha256: what came",
        ),
        suspects=ANSWERED_BY_ANYBODY,
        severity=Outcome.DEGRADED,
        advice="Compare the download of {host} with one from an open network: if both are alike, update "
        "`expect`; if not, find out what changes it between {source} and {address}.",
        confirm=steps("$ curl -s https://{place}/ | sha256sum", _HEADERS),
    ),
    Reason(
        code="http_slow_download",
        phase=Phase.HTTP,
        title="The download is very slow",
        meaning="Data comes, at a speed at which large images take hours or time out. Traffic shaping, a "
        "scanner or a full line are the usual causes.",
        signal="The measured throughput is below the least acceptable one, or the body did not end in the "
        "time allowed.",
        evidence=(
            "http.throughput, http.bytes_received: how fast, over how much",
            "http.info.retransmits, http.info.rtt_ms: loss or distance as the cause",
        ),
        suspects=SLOW,
        severity=Outcome.DEGRADED,
        advice="Take {host} out of traffic shaping and content scanning for {source}; if it stays slow, "
        "look for loss or a full line at {time}.",
        confirm=steps(
            "$ curl -s -o /dev/null -w '%{{speed_download}}\\n' -r 0-8388607 \\\n  https://{place}/"
        ),
    ),
    Reason(
        code="http_unproven_answer",
        phase=Phase.HTTP,
        title="Nothing shows that the server wrote this answer",
        meaning="In clear text somebody denied the request, and the answer holds nothing of what the "
        "endpoint promises. A filter's page looks like that, and a server may answer so as well; without a "
        "session or known content nobody can tell.",
        signal="A denial or a page over plain HTTP, without a mark of the service and without expected "
        "content.",
        evidence=(
            "http.status, http.title, http.body: what came",
            "http.headers: no header of the service",
            "target.expect: what would prove the server",
        ),
        suspects=ANSWERED_IN_CLEAR,
        severity=Outcome.UNKNOWN,
        advice="Look for {host} in the URL log of the firewall for {source} at {time}. If the server itself "
        "answers so, say it under `expect` of the endpoint.",
        confirm=steps(CURL_PLAIN, "Compare with the answer from an open network."),
    ),
    Reason(
        code="http_malformed_answer",
        phase=Phase.HTTP,
        title="The answer breaks the rules of HTTP",
        meaning="The answer was read, and its headers or its body break RFC 9112 or 9113. Some clients "
        "accept that, others fail: Go and curl do not forgive the same things.",
        signal="A header name, a length, a coding or a status line that the standard does not allow.",
        evidence=(
            "http.violations: what is wrong, in words",
            "http.status, http.headers: what was read nevertheless",
        ),
        suspects=MALFORMED,
        severity=Outcome.DEGRADED,
        advice="Tell the owner of {host} that its headers break RFC 9112: the report names them.",
        confirm=steps(_HEADERS + " | cat -A"),
    ),
    Reason(
        code="http_redirect_dead_end",
        phase=Phase.HTTP,
        title="A redirect leads nowhere",
        meaning="The endpoint answers, and sends clients on to a host that can't be reached, or in a "
        "circle. Clients that follow it fail there: the other host needs a rule of its own.",
        signal="Following the redirect ended in a failure or in a circle, or no host can have the name.",
        evidence=(
            "http.redirect: where the answer leads",
            "controls.redirect: each hop and how it ended",
        ),
        suspects=NOTHING_KNOWN,
        severity=Outcome.OK,
        advice="Probe the host that {host} leads to as an endpoint of its own, and allow it for {source} if "
        "clients follow the redirect.",
        confirm=steps("$ curl -sIL https://{place}/"),
        informational=True,
    ),
    Reason(
        code="http_unknown",
        phase=Phase.HTTP,
        title="HTTP failed for an unknown reason",
        meaning="The request failed and no rule explains it. Do not call it a block on this evidence alone.",
        signal="A failure in the HTTP phase that fits none of the known signatures.",
        evidence=(
            "http.failure, http.errno, http.detail: the raw failure",
            "http.status, http.bytes_received, http.alert: what else is known",
        ),
        suspects=NOTHING_KNOWN,
        severity=Outcome.UNKNOWN,
        advice="Look up the session {source} to {remote} at {time} on every proxy in the path, with the "
        "facts of this report at hand.",
        confirm=steps(CURL, AGAIN),
    ),
)

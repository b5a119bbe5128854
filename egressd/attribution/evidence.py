"""Evidence lines to search for in a firewall's log: times in UTC, addresses, ports, names, bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from egressd.attribution.advice import certificate_names
from egressd.attribution.control_results.tries import (
    Ending,
    control_result,
    failures,
    trail_ending,
    tries,
)
from egressd.attribution.facts.chain import UNREADABLE_AUTHORITY, open_end
from egressd.attribution.facts.proxy import auth_schemes
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import (
    Certificate,
    DnsObservation,
    DnsQuery,
    Failure,
    HttpObservation,
    Icmp,
    NtpObservation,
    Phase,
    ProxyObservation,
    TcpObservation,
    TlsObservation,
)
from egressd.model.plan import ControlKind
from egressd.model.recording import Control, Trail
from egressd.wording import bracketed, host_port

FAILURE_TEXT = {
    Failure.TIMEOUT: "no answer",
    Failure.REFUSED: "refused",
    Failure.RESET: "RST",
    Failure.CLOSED: "FIN",
    Failure.UNREACHABLE: "unreachable",
    Failure.INVALID_SOURCE: "the source address is not on this host",
    Failure.NO_RESOURCES: "out of local resources",
}


def evidence_lines(context: TrailContext, phase: Phase | None) -> tuple[str, ...]:
    """Return the evidence lines of a trail, the one that decided first."""
    lines = [*_dns_lines(context.trail), *_connection_lines(context.trail), *_certificate(context)]
    if phase is not Phase.DNS:
        lines = [*_connection_lines(context.trail), *_certificate(context), *_dns_lines(context.trail)]
    controls = (
        line
        for control in context.index.controls.get(context.probe.id, ())
        for line in control_lines(control, context.trail)
    )
    return tuple(dict.fromkeys((*lines, *_tries(context), *controls, *_route(context))))


def _route(context: TrailContext) -> Iterator[str]:
    """Yield whose way it is, where that is not the configured path."""
    if (route := context.probe.route) is not None:
        plan = context.index.recording.plan
        yield f"not by the configured path: {plan.path_of(context.probe)}, {plan.route(route).why}"


def _tries(context: TrailContext) -> Iterator[str]:
    """Yield how often the conversation was held at the address, and how it ended."""
    ends, every = failures(context), tries(context)
    if every > 1 and ends:
        failed = sum(ends.values())
        how = ", ".join(f"{_ending(one)} {number}" for one, number in ends.most_common())
        rest = f"; {every - failed} worked" if failed < every else ""
        yield f"{host_port(*context.dialled)}: {failed} of {every} attempts failed ({how}){rest}"


def _ending(one: Ending) -> str:
    """Return how attempts ended, and where: `RST or FIN in tls`, `alert 40 in tls`."""
    if one.alert is not None:
        return f"alert {one.alert} in {one.phase.value}"
    text = "RST or FIN" if one.failure is Failure.RESET else _failure(one.failure, "")
    return f"{text} in {one.phase.value}"


def redirect_lines(context: TrailContext) -> tuple[str, ...]:
    """Return a line for each host that the answer's redirect led to."""
    controls = context.controls(ControlKind.REDIRECT)
    return tuple(dict.fromkeys(line for control in controls for line in control_lines(control)))


def _dns_lines(trail: Trail) -> Iterator[str]:
    for one in trail.observations:
        if isinstance(one, DnsObservation):
            yield f"{one.resolver} queried for {one.type} {one.name} at {one.started}: {_answer(one)}"


def _answer(one: DnsObservation) -> str:
    parts = [_dns_result(one), f"{one.elapsed_ms:.0f} ms"]
    if one.cnames:
        parts.append("via " + " -> ".join(one.cnames))
    if one.queries:
        parts += _query_facts(one.queries[-1], failed=one.failure is not None)
    return ", ".join(parts)


def _dns_result(one: DnsObservation) -> str:
    if one.answers:
        return " ".join(one.answers)
    match one.failure:
        case Failure.NXDOMAIN:
            return "NXDOMAIN"
        case Failure.NODATA:
            return "NOERROR without an address"
        case Failure.RCODE:
            return one.rcode or "an error"
        case Failure.TIMEOUT:
            return f"no answer to {len(one.queries)} queries"
        case _:
            return _failure(one.failure, one.detail)


def _query_facts(query: DnsQuery, *, failed: bool) -> Iterator[str]:
    if failed and query.flags:
        yield f"flags {' '.join(query.flags)}"
    if failed and query.authority_soa is not None:
        yield "SOA in authority" if query.authority_soa else "no SOA in authority"
    for error in query.extended_errors:
        yield f"extended error {error.code} {error.text}".rstrip()
    if query.icmp is not None:
        yield _icmp(query.icmp)
    if query.ignored:
        yield f"{query.ignored} datagrams before it were no answer"
    for other in query.other_answers:
        said = " ".join(other.answers) or other.rcode
        yield f"another answer to the same query after {other.elapsed_ms:.0f} ms: {said}"


def _connection_lines(trail: Trail) -> Iterator[str]:
    """Yield a line for each TCP connection with all its phases, and for each NTP request."""
    tcp = next((one for one in trail.observations if isinstance(one, TcpObservation)), None)
    if tcp is not None:
        parts = [_connect(tcp), *(part for one in trail.observations for part in _later_phases(one))]
        yield f"{_ends(tcp)} at {tcp.started}: {'; '.join(parts)}"
    for one in trail.observations:
        if isinstance(one, NtpObservation):
            yield f"{_ends(one)}/udp at {one.started}: {_ntp_result(one)}"


def _ends(one: TcpObservation | NtpObservation) -> str:
    local = f"{bracketed(one.local_address or '?')}:{one.local_port or '?'}"
    return f"{local} -> {host_port(one.remote_address, one.remote_port)}"


def _connect(one: TcpObservation) -> str:
    if one.failure is None:
        size = f" with MSS {one.max_segment}" if one.max_segment is not None else ""
        return f"TCP connected in {one.elapsed_ms:.0f} ms{size}"
    if one.failure is Failure.TIMEOUT:
        return f"no answer to SYN in {one.elapsed_ms:.0f} ms"
    words = f"TCP {_failure(one.failure, one.detail)} after {one.elapsed_ms:.0f} ms"
    return f"{words}, {_icmp(one.icmp)}" if one.icmp is not None else words


def _later_phases(one: object) -> Iterator[str]:
    match one:
        case ProxyObservation():
            result = f"answered {one.status}" if one.status else _failure(one.failure, one.detail)
            more = "".join(f", {text}" for text in _proxy_facts(one))
            yield f"CONNECT {one.authority} at {one.proxy} {result} after {one.elapsed_ms:.0f} ms{more}"
        case TlsObservation():
            name = f"with SNI {one.sni}" if one.sni else "without SNI"
            yield f"{one.hello_bytes}-byte ClientHello {name} sent{_acked(one)}"
            yield _handshake(one)
        case HttpObservation():
            yield _exchange(one)
        case _:
            return


def _proxy_facts(one: ProxyObservation) -> Iterator[str]:
    yield from (f"{name}: {value}" for name, value in one.headers if name in _PROXY_HEADERS)
    if one.title:
        yield f"title {one.title!r}"
    if offered := auth_schemes(one):
        yield f"asks for {', '.join(offered)}"
    if one.status == 407:
        yield "credentials were sent" if one.credentials_sent else "no credentials were sent"


def _acked(one: TlsObservation) -> str:
    if one.info is None:
        return ""
    return f", {max(0, one.info.bytes_acked - 1)} bytes acknowledged"


def _handshake(one: TlsObservation) -> str:
    after = f"after {one.elapsed_ms:.0f} ms"
    if one.failure is None:
        return f"{one.version or 'TLS'} {one.cipher or ''} {after}".replace("  ", " ")
    if one.alert is not None:
        return f"alert {one.alert.description} {after}"
    if one.failure is Failure.VERIFY:
        return f"verification failed ({one.verify_code} {one.verify_message})"
    first = f", first bytes {one.first_text[:60]!r}" if one.failure is Failure.NOT_TLS else ""
    return f"{_failure(one.failure, one.detail)} {after}, {one.bytes_received} bytes received{first}"


def _exchange(one: HttpObservation) -> str:
    asked = f"{one.method} {one.url_path} for {one.host}"
    if one.retry_version is not None:
        return f"{asked}: not processed ({one.detail}), sent again over HTTP/{one.retry_version}"
    if one.status is None:
        return f"{asked}: {_failure(one.failure, one.detail)} after {one.elapsed_ms:.0f} ms{_arrived(one)}"
    headers = [f"{name}: {value}" for name, value in one.headers if name.lower() in _HEADERS]
    title = [f"title {one.title!r}"] if one.title else []
    failed = [_failure(one.failure, one.detail)] if one.failure is not None else []
    closed = ["closed by close_notify"] if one.failure is not None and one.close_notify else []
    broken = [f"breaks HTTP: {text}" for text in one.violations]
    size = f"{one.bytes_received} bytes"
    return ", ".join((f"{asked}: status {one.status}", size, *failed, *closed, *broken, *headers, *title))


def _arrived(one: HttpObservation) -> str:
    """Say whether the request was acknowledged, and how the session ended."""
    if one.close_notify:
        return ", closed by close_notify"
    if one.info is None or one.info.bytes_written is None:
        return ""
    lost = one.info.bytes_acked <= one.info.bytes_written
    return ", the request was not acknowledged" if lost else ", the request was acknowledged"


_PROXY_HEADERS = ("server", "via", "location", "retry-after", "www-authenticate", "x-squid-error")
_HEADERS = (
    "server",
    "via",
    "location",
    "x-squid-error",
    "proxy-authenticate",
    "x-ms-request-id",
    "content-type",
)


def _ntp_result(one: NtpObservation) -> str:
    if one.failure is not None:
        words = f"no valid answer: {_failure(one.failure, one.detail)} after {one.elapsed_ms:.0f} ms"
        return f"{words}, {_icmp(one.icmp)}" if one.icmp is not None else words
    kiss = f", kiss {one.kiss}" if one.kiss else ""
    return f"stratum {one.stratum}{kiss}, offset {one.offset_seconds} s"


def _icmp(icmp: Icmp) -> str:
    where = "this host" if icmp.local else icmp.offender
    return f"ICMP {icmp.type}/{icmp.code} reported by {where}"


def _failure(failure: Failure | None, detail: str) -> str:
    if failure is None:
        return "no error"
    text = FAILURE_TEXT.get(failure, failure.value)
    return f"{text} ({detail})" if detail and failure not in FAILURE_TEXT else text


def _certificate(context: TrailContext) -> Iterator[str]:
    tls = context.tls
    if tls is None or not tls.chain:
        return
    leaf = tls.chain[0]
    subject = (
        "with a subject that can't be read" if leaf.subject is None else leaf.subject or "without a subject"
    )
    public = tls.facts.publicly_anchored if tls.facts is not None else None
    root = {True: "public root", False: "no public root", None: "root not checked"}[public]
    yield (
        f"certificate {subject}, issued by {context.issuer}, {root}, {_validity(leaf)}, SHA-256 {leaf.sha256}"
    )
    if tls.facts is not None and tls.facts.name_matches is False:
        yield f"names in the certificate: {certificate_names(context)}"
    yield from _path(tls)


def _path(tls: TlsObservation) -> Iterator[str]:
    """Yield the path that counts, where it has an end to look at: its first expiry, or a gap."""
    if tls.facts is None or not tls.facts.path:
        return
    path = " <- ".join(one.subject or "(no name)" for one in tls.facts.path)
    first, end = tls.first_to_end, open_end(tls)
    if end is not None:
        issuer = end.issuer or UNREADABLE_AUTHORITY
        yield f"path {path}: the certificate of its issuer, {issuer}, was not sent and is not known here"
    elif first is not None:
        yield f"path {path}: the first to end is {first.subject or '(no name)'}, on {first.not_after}"


def _validity(one: Certificate) -> str:
    if one.not_before is None and one.not_after is None:
        return "its dates can't be read"
    start, end = (moment or "a time that can't be read" for moment in (one.not_before, one.not_after))
    return f"valid {start} to {end}"


def control_lines(control: Control, accused: Trail | None = None) -> Iterator[str]:
    """Yield what a control showed: a line for each way in which it ended, and for each resolver's answer.

    `accused` is the trail it was run for: a control that ended like it speaks for nobody.
    """
    if control.kind is ControlKind.HOPS:
        yield from _hops(control)
        return
    shown = [(_result(trail, accused), line) for trail in control.trails if (line := _first_line(trail))]
    if any(isinstance(one, DnsObservation) for trail in control.trails for one in trail.observations):
        yield from (f"control {control.kind.value} {result}: {line}" for result, line in shown)
        return
    counts = Counter(result for result, _ in shown)
    first = dict(reversed(shown))
    for result, number in counts.items():
        often = f" {number} of {len(shown)} times" if len(shown) > 1 else ""
        yield f"control {control.kind.value} {result}{often}: {first[result]}"


def _result(trail: Trail, accused: Trail | None) -> str:
    if accused is not None:
        return control_result(trail, accused).value
    return "failed" if trail_ending(trail) is not None else "worked"


def _first_line(trail: Trail) -> str:
    return next(iter((*_connection_lines(trail), *_dns_lines(trail))), "")


def _hops(control: Control) -> Iterator[str]:
    """Yield one line with the result at each hop limit."""
    results = ", ".join(result for trail in control.trails for result in _hop(trail))
    if results:
        yield f"control hops to {host_port(control.address or '?', control.port)}: {results}"


def _hop(trail: Trail) -> Iterator[str]:
    tcp = next((one for one in trail.observations if isinstance(one, TcpObservation)), None)
    last = trail.last
    if tcp is None or last is None:
        return
    what = "ClientHello" if isinstance(last, TlsObservation) else "SYN"
    if tcp.icmp is not None and what == "SYN":
        yield f"TTL {tcp.ttl} ends at {tcp.icmp.offender}"
    elif last.failure is None:
        yield f"{what} with TTL {tcp.ttl} answered"
    elif last.failure is not Failure.TIMEOUT and last.failure is not Failure.UNREACHABLE:
        yield f"{what} with TTL {tcp.ttl} gets {_failure(last.failure, '')}"

"""Observations: what happened in one phase of one probe, never what it means.

Rule of the file: a fact that could not be read is None, never a guess. Text from the network is reduced to
printable characters and cut before it gets here. Times are RFC 3339 UTC with milliseconds (`Timestamp`),
durations are milliseconds, sizes are bytes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from msgspec import Struct

Timestamp = str
"""RFC 3339, UTC, milliseconds: `2026-11-20T21:55:44.123Z`."""


class Phase(StrEnum):
    """The phases of a probe, in order. `ntp` is the single phase of an NTP probe."""

    DNS = "dns"
    TCP = "tcp"
    PROXY = "proxy"
    TLS = "tls"
    HTTP = "http"
    NTP = "ntp"


class Failure(StrEnum):
    """How a phase failed, in terms of the socket, the DNS message, OpenSSL or HTTP."""

    TIMEOUT = "timeout"
    """No answer within the timeout of the phase."""
    REFUSED = "refused"
    """ECONNREFUSED: a RST, or an ICMP port unreachable (then `icmp` is set)."""
    RESET = "reset"
    """ECONNRESET or EPIPE."""
    CLOSED = "closed"
    """The peer closed the connection (FIN) too early."""
    UNREACHABLE = "unreachable"
    """ENETUNREACH, EHOSTUNREACH, EACCES, EPERM, EINVAL, ENOPROTOOPT: see `errno` and `icmp`."""
    INVALID_SOURCE = "invalid_source"
    """The configured source address or interface is not on this host."""
    NO_RESOURCES = "no_resources"
    """EMFILE, ENFILE, ENOBUFS, or no local port left."""
    OS_ERROR = "os_error"
    """Any other errno."""
    NXDOMAIN = "nxdomain"
    NODATA = "nodata"
    """NOERROR without a record of the queried type."""
    RCODE = "rcode"
    """Any other rcode than NOERROR and NXDOMAIN: see `rcode`."""
    MALFORMED = "malformed"
    """An answer that is no valid message of the protocol."""
    NAME_INVALID = "name_invalid"
    """The name can't be queried (a label over 63 bytes, an invalid A-label)."""
    PROXY_STATUS = "proxy_status"
    """The proxy answered CONNECT with another status than 2xx."""
    PROXY_PAGE = "proxy_page"
    """The proxy answered CONNECT with 2xx and a page instead of a tunnel."""
    ALERT = "alert"
    """A fatal TLS alert: see `alert`."""
    NOT_TLS = "not_tls"
    """The answer is not a TLS record."""
    VERIFY = "verify"
    """The chain or the name did not verify: see `verify_code`."""
    TLS_ERROR = "tls_error"
    """Any other OpenSSL error."""
    NOT_HTTP = "not_http"
    """The answer is not HTTP."""
    TOO_LARGE = "too_large"
    """The response head, a body needed in full, or the records of a DNS answer exceed what is read."""
    TRUNCATED = "truncated"
    """Fewer bytes than announced: a body shorter than Content-Length, a DNS answer with TC."""
    FLOOD = "flood"
    """The peer sent far more than the phase needs, without completing it."""
    HTTP2_ERROR = "http2_error"
    """A GOAWAY that refuses the request, RST_STREAM or an HTTP/2 protocol error before the response."""
    INTERNAL_ERROR = "internal_error"
    """A bug of egressd; the log has the traceback."""


class Icmp(Struct, frozen=True, kw_only=True):
    """An ICMP error taken from the socket's error queue (RFC 792, RFC 4443)."""

    type: int
    code: int
    offender: str
    """The address that sent it (a NAT may have rewritten it)."""
    version: Literal[4, 6]
    local: bool
    """Whether the offender is this host: one of its addresses, or its kernel."""


class TcpInfo(Struct, frozen=True, kw_only=True):
    """Linux TCP_INFO (linux/tcp.h), read before close."""

    state: int
    bytes_acked: int
    """1: only the SYN was acknowledged; 1 + n: n bytes of ours were."""
    bytes_received: int
    bytes_sent: int | None
    retransmits: int
    out_of_order: int | None
    """Segments received out of order."""
    unacked: int
    rtt_ms: float
    path_mtu: int
    send_mss: int
    receive_mss: int
    peer_window: int | None = None
    bytes_written: int | None = None
    """What this program wrote; all of it was acknowledged where `bytes_acked` is larger."""


class ExtendedError(Struct, frozen=True, kw_only=True):
    """An Extended DNS Error (RFC 8914)."""

    code: int
    text: str


class OtherAnswer(Struct, frozen=True, kw_only=True):
    """A second answer to one DNS query that says something else: one resolver does not send two."""

    rcode: str
    answers: tuple[str, ...]
    elapsed_ms: float
    """Since the query was sent."""


class DnsQuery(Struct, frozen=True, kw_only=True):
    """One DNS query and its result."""

    transport: Literal["udp", "tcp", "getaddrinfo"]
    edns: bool
    elapsed_ms: float
    failure: Failure | None = None
    detail: str = ""
    rcode: str | None = None
    flags: tuple[str, ...] = ()
    """Header flags in lower case: `qr aa tc rd ra ad cd`."""
    answers: tuple[str, ...] = ()
    authority_soa: bool | None = None
    """Whether the authority section holds an SOA (RFC 2308)."""
    extended_errors: tuple[ExtendedError, ...] = ()
    errno: int | None = None
    icmp: Icmp | None = None
    bytes_received: int | None = None
    referral: bool | None = None
    """Whether the answer only names the zone's servers, as a server without recursion does."""
    ignored: int = 0
    """Datagrams that came before the answer and were none: malformed, or to another question."""
    other_answers: tuple[OtherAnswer, ...] = ()
    """Answers to the same query that came later and differ; clients take the first one."""


class DnsObservation(Struct, frozen=True, kw_only=True, tag_field="phase", tag="dns"):
    """One name and type looked up at one resolver, with every fallback that was needed."""

    phase: ClassVar[Literal[Phase.DNS]] = Phase.DNS

    started: Timestamp
    elapsed_ms: float
    name: str
    type: Literal["A", "AAAA"]
    resolver: str
    """`system` (getaddrinfo), or `address:port` of a DNS server."""
    queries: tuple[DnsQuery, ...]
    """In order: UDP with EDNS, then the fallbacks needed. The last one decides `failure`, unless an earlier
    one succeeded."""
    failure: Failure | None = None
    detail: str = ""
    rcode: str | None = None
    answers: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    """The CNAME targets, in order."""
    ttl: int | None = None
    """The least TTL of the CNAMEs and the answer, in seconds."""


class TcpObservation(Struct, frozen=True, kw_only=True, tag_field="phase", tag="tcp"):
    """One TCP connect to one address."""

    phase: ClassVar[Literal[Phase.TCP]] = Phase.TCP

    started: Timestamp
    elapsed_ms: float
    remote_address: str
    remote_port: int
    local_address: str | None = None
    local_port: int | None = None
    failure: Failure | None = None
    detail: str = ""
    errno: int | None = None
    icmp: Icmp | None = None
    info: TcpInfo | None = None
    max_segment: int | None = None
    """TCP_MAXSEG set by a control."""
    ttl: int | None = None
    """The hop limit set by a control: of the SYN, or of the data after the connect."""


class ProxyObservation(Struct, frozen=True, kw_only=True, tag_field="phase", tag="proxy"):
    """One CONNECT request to a proxy."""

    phase: ClassVar[Literal[Phase.PROXY]] = Phase.PROXY

    started: Timestamp
    elapsed_ms: float
    proxy: str
    """`scheme://host:port`, never credentials."""
    authority: str
    credentials_sent: bool
    failure: Failure | None = None
    detail: str = ""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    """The start of a refusal's page as text, 512 characters at most."""
    title: str = ""
    """The HTML title, if any."""
    first_bytes: str = ""
    """The first bytes received in hex, 64 bytes at most."""
    info: TcpInfo | None = None


class TlsAlert(Struct, frozen=True, kw_only=True):
    """A TLS alert record (RFC 8446 section 6)."""

    level: int
    description: int


class Certificate(Struct, frozen=True, kw_only=True):
    """One certificate of the peer's chain, as sent. None: it can't be read."""

    subject: str | None
    issuer: str | None
    """RFC 4514 strings."""
    san: tuple[str, ...]
    """DNS names and IP addresses, 100 at most."""
    serial: str | None
    """Hex."""
    not_before: Timestamp | None
    not_after: Timestamp | None
    """From 0001-01-01 to 9999-12-31; a date outside can't be read."""
    sha256: str
    """Of the DER, lower-case hex."""
    key: str | None
    """`rsa2048`, `ec-secp256r1`, `ed25519`, ..."""
    signature: str | None
    """The signature hash: `sha256`, `sha1`, ..."""
    self_signed: bool
    ocsp_urls: tuple[str, ...] = ()
    issuer_urls: tuple[str, ...] = ()
    """AIA caIssuers."""
    crl_urls: tuple[str, ...] = ()


class PathCertificate(Struct, frozen=True, kw_only=True):
    """A certificate of a path, sent by the peer or known here."""

    sha256: str
    subject: str | None
    key_id: str | None
    """Its subject key identifier, in hex; None: it can't be read."""
    not_after: Timestamp | None
    sent: bool
    """Whether the peer sent it; a root need not be sent."""


class ChainFacts(Struct, frozen=True, kw_only=True):
    """Properties of the received chain, computed from its bytes alone; None: it can't be told."""

    publicly_anchored: bool | None
    """Whether it leads to a public root, regardless of time and name."""
    store_anchored: bool | None
    """Whether it leads to a root of the trust store, regardless of time and name."""
    name_matches: bool | None
    """Whether a subjectAltName matches the host (RFC 6125)."""
    common_name_matches: bool | None
    """Whether only the subject's common name matches."""
    in_time: bool | None
    """Whether every certificate of the path is valid by this host's clock."""
    issuer_known_public: bool | None = None
    """Whether the issuer of the path's last certificate has the name of a public root."""
    path: tuple[PathCertificate, ...] = ()
    """The certificates that count, from the leaf up to a root, or to the last one whose issuer is not known.
    Of several ways up the one that lasts longest; what else was sent plays no part."""
    issuer_key: str | None = None
    """The key identifier of the authority at the top of the path, whether it was sent or not."""
    unused_public: bool | None = None
    """Whether a certificate was sent that is no part of the path and is, or leads to, a public root."""


class TlsObservation(Struct, frozen=True, kw_only=True, tag_field="phase", tag="tls"):
    """One TLS handshake."""

    phase: ClassVar[Literal[Phase.TLS]] = Phase.TLS

    started: Timestamp
    elapsed_ms: float
    sni: str
    alpn_offered: tuple[str, ...]
    hello_bytes: int
    """Size of the ClientHello, record header included."""
    bytes_sent: int
    bytes_received: int
    records_sent: int
    records_received: int
    failure: Failure | None = None
    detail: str = ""
    errno: int | None = None
    first_bytes: str = ""
    """The first bytes received in hex, 64 bytes at most."""
    first_text: str = ""
    """The first bytes as text where they are printable, 512 characters at most."""
    server_hello: bool = False
    """Whether a ServerHello was received."""
    alert: TlsAlert | None = None
    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    chain: tuple[Certificate, ...] = ()
    verify_code: int | None = None
    """OpenSSL's X509_V_ERR code; 0: the chain verified."""
    verify_message: str = ""
    facts: ChainFacts | None = None
    client_certificate_requested: bool = False
    info: TcpInfo | None = None

    @property
    def path(self) -> tuple[Certificate | PathCertificate, ...]:
        """The path of the chain; by the names in it for a report of 0.1.0, which had none."""
        if self.facts is not None and self.facts.path:
            return self.facts.path
        found = list(self.chain[:1])
        while found:
            name = found[-1].issuer
            above = next((one for one in self.chain if one.subject == name and one not in found), None)
            if name is None or above is None:
                break
            found.append(above)
        return tuple(found)

    @property
    def first_to_end(self) -> Certificate | PathCertificate | None:
        """The certificate of the path that ends first; None where an end can't be read."""
        path = self.path
        if not path or any(one.not_after is None for one in path):
            return None
        return min(path, key=lambda one: one.not_after or "")

    @property
    def issuer(self) -> str | None:
        """The issuer of the last certificate of the path that was sent; None: it can't be read."""
        sent = {one.sha256: one for one in self.chain}
        top = next((sent[one.sha256] for one in reversed(self.path) if one.sha256 in sent), None)
        return top.issuer if top is not None else None


class HttpObservation(Struct, frozen=True, kw_only=True, tag_field="phase", tag="http"):
    """One HTTP request and its response."""

    phase: ClassVar[Literal[Phase.HTTP]] = Phase.HTTP

    started: Timestamp
    elapsed_ms: float
    method: str
    host: str
    url_path: str
    version: str
    """`1.1` or `2`."""
    failure: Failure | None = None
    detail: str = ""
    errno: int | None = None
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """The response headers that attribution uses, names in lower case."""
    content_length: int | None = None
    bytes_received: int = 0
    """Body bytes as sent."""
    bytes_decoded: int | None = None
    """Body bytes after decoding; None where the body was not compressed."""
    throughput: float | None = None
    """Body bytes per second; only for downloads of 64 KiB and more."""
    sha256: str | None = None
    """Of the decoded body; None where it was not read completely."""
    violations: tuple[str, ...] = ()
    """What of the response breaks HTTP's rules, in words; it was read nevertheless."""
    redirect: str | None = None
    """The absolute URL that a redirect leads to, without its query; None where there is none."""
    retry_version: Literal["1.1", "2"] | None = None
    """The server did not process the request, which follows again on a new connection, in this version."""
    close_notify: bool | None = None
    """Whether the peer ended its TLS session with close_notify; None: no TLS, or the peer did not close."""
    body: str = ""
    """The start of the body as text, 512 characters at most."""
    title: str = ""
    """The HTML title, if any."""
    der: bool | None = None
    """Whether the body is one DER value (X.690), as CRLs and certificates are; None: no body."""
    alert: TlsAlert | None = None
    """The TLS alert that ended the exchange (116: certificate_required)."""
    unverified: bool = False
    """Whether the TLS session's chain did not verify."""
    credentials_sent: bool = False
    """Whether credentials for a forwarding proxy were sent."""
    info: TcpInfo | None = None


class NtpObservation(Struct, frozen=True, kw_only=True, tag_field="phase", tag="ntp"):
    """One NTP request and its reply (RFC 5905)."""

    phase: ClassVar[Literal[Phase.NTP]] = Phase.NTP

    started: Timestamp
    elapsed_ms: float
    remote_address: str
    remote_port: int
    local_address: str | None = None
    local_port: int | None = None
    failure: Failure | None = None
    detail: str = ""
    errno: int | None = None
    icmp: Icmp | None = None
    stratum: int | None = None
    kiss: str = ""
    """A kiss-o'-death code (stratum 0): DENY, RATE, ..."""
    offset_seconds: float | None = None
    """Server time minus ours."""


Observation = (
    DnsObservation | TcpObservation | ProxyObservation | TlsObservation | HttpObservation | NtpObservation
)

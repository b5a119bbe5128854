"""What happened in one phase of one probe. Never what it means.

Law of the file: facts that could not be read are None, never a guess. Text that came from the
network is scrubbed to printable characters and capped before it gets here. Times are RFC 3339 UTC
with milliseconds (`Timestamp`), durations are milliseconds, sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Timestamp = str
"""RFC 3339, UTC, milliseconds: `2026-11-20T21:55:44.123Z`."""


class Phase(StrEnum):
    """Where in the conversation we are. `ntp` is the one datagram of an NTP probe."""

    DNS = "dns"
    TCP = "tcp"
    PROXY = "proxy"
    TLS = "tls"
    HTTP = "http"
    NTP = "ntp"


class Failure(StrEnum):
    """What went wrong, in the words of the socket, the DNS message, OpenSSL or HTTP."""

    TIMEOUT = "timeout"
    """Nothing came within the phase's time."""
    REFUSED = "refused"
    """ECONNREFUSED: a RST, or an ICMP port unreachable (then `icmp` is set)."""
    RESET = "reset"
    """ECONNRESET or EPIPE."""
    CLOSED = "closed"
    """The peer ended the stream (FIN) where more was due."""
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
    """NOERROR without a record of the asked type."""
    RCODE = "rcode"
    """Any other rcode than NOERROR and NXDOMAIN: see `rcode`."""
    MALFORMED = "malformed"
    """Bytes that are no message of the protocol."""
    NAME_INVALID = "name_invalid"
    """The name can't be asked for (a label over 63 bytes, a bad A-label)."""
    PROXY_STATUS = "proxy_status"
    """The proxy answered CONNECT with something else than 2xx."""
    ALERT = "alert"
    """A fatal TLS alert: see `alert`."""
    NOT_TLS = "not_tls"
    """The first bytes are not a TLS record."""
    VERIFY = "verify"
    """The chain or the name did not verify: see `verify_code`."""
    TLS_ERROR = "tls_error"
    """Any other OpenSSL error."""
    NOT_HTTP = "not_http"
    """The answer is not HTTP."""
    TOO_LARGE = "too_large"
    """Headers beyond the limit."""
    TRUNCATED = "truncated"
    """Fewer bytes than Content-Length promised."""
    HTTP2_ERROR = "http2_error"
    """GOAWAY, RST_STREAM or an HTTP/2 protocol error before an answer."""
    INTERNAL_ERROR = "internal_error"
    """Our own bug; the log has the traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Icmp:
    """An ICMP error taken from the socket's error queue (RFC 792, RFC 4443)."""

    type: int
    code: int
    offender: str
    """The address that sent it, as reported (a NAT may rewrite it)."""
    version: Literal[4, 6]
    local: bool
    """Whether the offender is an address of this host, or the kernel itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpInfo:
    """Linux TCP_INFO, read before close."""

    state: int
    bytes_acked: int
    """1 = only the SYN; 1 + n = n bytes of ours were acknowledged."""
    bytes_received: int
    bytes_sent: int | None
    retransmits: int
    out_of_order: int | None
    """Segments that arrived beyond a hole."""
    unacked: int
    rtt_ms: float
    path_mtu: int
    send_mss: int
    receive_mss: int
    peer_window: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedError:
    """An Extended DNS Error (RFC 8914)."""

    code: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsQuery:
    """One question sent, and what came back."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsObservation:
    """One name and type asked of one resolver, with every fallback that was needed."""

    started: Timestamp
    elapsed_ms: float
    name: str
    type: Literal["A", "AAAA"]
    resolver: str
    """`system` (getaddrinfo), or `address:port` of a resolver asked by message."""
    queries: tuple[DnsQuery, ...]
    """In order: UDP with EDNS, then whatever fallback was needed. The last one decides `failure`,
    unless an earlier one succeeded."""
    failure: Failure | None = None
    detail: str = ""
    rcode: str | None = None
    answers: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    """The chain of canonical names, in order, without the name asked for."""
    ttl: int | None = None
    """The least TTL on the way to the answer, in seconds."""
    phase: Literal[Phase.DNS] = Phase.DNS


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpObservation:
    """One dial of one address."""

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
    """The hop limit set by a control: of the dial itself, or of what was sent once it stood."""
    phase: Literal[Phase.TCP] = Phase.TCP


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyObservation:
    """One CONNECT."""

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
    first_bytes: str = ""
    """Hex of the first bytes received, 64 bytes at most."""
    info: TcpInfo | None = None
    phase: Literal[Phase.PROXY] = Phase.PROXY


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsAlert:
    """A TLS alert record (RFC 8446 section 6)."""

    level: int
    description: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Facts of one certificate of the peer's chain, as sent."""

    subject: str
    issuer: str
    """RFC 4514 strings."""
    san: tuple[str, ...]
    """DNS names and IP addresses, 100 at most."""
    serial: str
    """Hex."""
    not_before: Timestamp
    not_after: Timestamp
    sha256: str
    """Of the DER, lower-case hex."""
    key: str
    """`rsa2048`, `ec-secp256r1`, `ed25519`, ..."""
    signature: str
    """The signature hash: `sha256`, `sha1`, ..."""
    self_signed: bool
    ocsp_urls: tuple[str, ...] = ()
    issuer_urls: tuple[str, ...] = ()
    """AIA caIssuers."""
    crl_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFacts:
    """What the received chain can be shown to be, computed from the bytes alone; None: not computed."""

    publicly_anchored: bool | None
    """Whether it leads to a public root, whatever the time and name."""
    store_anchored: bool | None
    """Whether it leads to a root of the trust store, whatever the time and name."""
    name_matches: bool | None
    """Whether a subjectAltName covers the host (RFC 6125)."""
    common_name_matches: bool | None
    """Whether only the subject's CN does."""
    in_time: bool | None
    """Whether every certificate of the chain is valid now by this host's clock."""
    issuer_known_public: bool | None = None
    """Whether the issuer's name of the last certificate sent is the subject of a public root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsObservation:
    """One handshake over one stream."""

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
    """Hex of the first bytes received, 64 bytes at most."""
    first_text: str = ""
    """The first bytes as text where they are printable, 512 characters at most."""
    server_hello: bool = False
    """Whether a ServerHello came back."""
    alert: TlsAlert | None = None
    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    chain: tuple[Certificate, ...] = ()
    verify_code: int | None = None
    """OpenSSL's X509_V_ERR code; 0 where the chain verified."""
    verify_message: str = ""
    facts: ChainFacts | None = None
    client_certificate_requested: bool = False
    info: TcpInfo | None = None
    phase: Literal[Phase.TLS] = Phase.TLS


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpObservation:
    """One request and its answer, on the stream the earlier phases made."""

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
    """The headers that matter for attribution, names in lower case."""
    content_length: int | None = None
    bytes_received: int = 0
    """Body bytes."""
    throughput: float | None = None
    """Body bytes per second; only for downloads of 64 KiB and more."""
    sha256: str | None = None
    """Of the whole body, where it was read whole."""
    body: str = ""
    """The start of the body as text, 512 characters at most."""
    title: str = ""
    """The HTML title, if any."""
    der: bool | None = None
    """Whether the body is one DER value (X.690), as CRLs and certificates are; None: there is no body."""
    alert: TlsAlert | None = None
    """A TLS alert that ended the exchange (116: a client certificate is wanted)."""
    unverified: bool = False
    """Whether it ran inside a TLS session whose chain did not verify."""
    credentials_sent: bool = False
    """Whether the proxy that forwards it was sent credentials."""
    info: TcpInfo | None = None
    phase: Literal[Phase.HTTP] = Phase.HTTP


@dataclass(frozen=True, slots=True, kw_only=True)
class NtpObservation:
    """One client datagram and its answer (RFC 5905)."""

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
    phase: Literal[Phase.NTP] = Phase.NTP


Observation = (
    DnsObservation | TcpObservation | ProxyObservation | TlsObservation | HttpObservation | NtpObservation
)

"""Factories for recordings: a test states only what the rule reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from egressd.model.endpoint import Expect, Inspection, Need, Protocol, SampleKind
from egressd.model.observation import (
    Certificate,
    ChainFacts,
    DnsObservation,
    DnsQuery,
    ExtendedError,
    Failure,
    HttpObservation,
    Icmp,
    NtpObservation,
    Observation,
    ProxyObservation,
    TcpInfo,
    TcpObservation,
    TlsAlert,
    TlsObservation,
)
from egressd.model.plan import ControlKind, ControlPlan, Plan, Probe, Target, Unsampled
from egressd.model.recording import (
    ClockReading,
    Control,
    ProbeRecord,
    Recording,
    Trail,
    Vantage,
    VantageSource,
)
from egressd.model.settings import (
    Family,
    Limits,
    ProbeRoute,
    Resolver,
    ServiceTag,
    ServiceTags,
    Source,
    Trust,
)
from egressd.model.verdict import Sweep, Verdict

NOW = "2026-11-20T03:10:04.120Z"
LATER = "2027-11-20T00:00:00.000Z"
LONG_AGO = "2024-11-20T00:00:00.000Z"
HOST = "gbl.his.arc.azure.com"
ADDRESS = "203.0.113.9"
OTHER_ADDRESS = "203.0.113.77"
PUBLIC_NETWORKS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
"""Documentation networks, which stand for the Internet in these recordings."""
RESOLVER = "10.0.0.53:53"
SECOND = "10.0.0.54:53"
SOURCE = "default"
ROUTER = "10.0.0.1"
HELLO = 517


def query(**facts: Any) -> DnsQuery:
    known: dict[str, Any] = {"transport": "udp", "edns": True, "elapsed_ms": 3.0}
    return DnsQuery(**(known | facts))


def dns(
    *answers: str,
    failure: Failure | None = None,
    name: str = HOST,
    resolver: str = RESOLVER,
    rcode: str | None = None,
    v6: bool = False,
    cnames: tuple[str, ...] = (),
    soa: bool | None = None,
    ede: tuple[int, ...] = (),
    icmp: Icmp | None = None,
    errno: int | None = None,
    queries: tuple[DnsQuery, ...] | None = None,
) -> DnsObservation:
    """Return an answer, or a failure, of one resolver."""
    if not answers and failure is None:
        answers = (ADDRESS,)
    one = query(
        failure=failure,
        rcode=rcode,
        answers=answers,
        authority_soa=soa,
        extended_errors=tuple(ExtendedError(code=code, text="") for code in ede),
        icmp=icmp,
        errno=errno,
    )
    return DnsObservation(
        started=NOW,
        elapsed_ms=3.0,
        name=name,
        type="AAAA" if v6 else "A",
        resolver=resolver,
        queries=queries if queries is not None else (one,),
        failure=failure,
        rcode=rcode,
        answers=answers,
        cnames=cnames,
    )


def info(
    *, acked: int = HELLO, received: int = 0, sent: int = HELLO, ooo: int = 0, window: int = 64000
) -> TcpInfo:
    """TCP_INFO; `acked` without the SYN."""
    return TcpInfo(
        state=1,
        bytes_acked=1 + acked,
        bytes_received=received,
        bytes_sent=sent,
        retransmits=0,
        out_of_order=ooo,
        unacked=0,
        rtt_ms=12.0,
        path_mtu=1500,
        send_mss=1448,
        receive_mss=1448,
        peer_window=window,
    )


def icmp(kind: int, code: int, *, offender: str = ROUTER, local: bool = False, version: int = 4) -> Icmp:
    return Icmp(
        type=kind,
        code=code,
        offender=offender,
        local=local,
        version=6 if version == 6 else 4,
    )


def tcp(
    failure: Failure | None = None,
    *,
    address: str = ADDRESS,
    port: int = 443,
    errno: int | None = None,
    error: Icmp | None = None,
    max_segment: int | None = None,
    elapsed_ms: float = 12.0,
) -> TcpObservation:
    return TcpObservation(
        started=NOW,
        elapsed_ms=8000.0 if failure is Failure.TIMEOUT else elapsed_ms,
        remote_address=address,
        remote_port=port,
        local_address="10.20.0.11",
        local_port=40112,
        failure=failure,
        errno=errno,
        icmp=error,
        max_segment=max_segment,
    )


def certificate(
    *,
    issuer: str = "CN=Public CA",
    subject: str = f"CN={HOST}",
    san: tuple[str, ...] = (HOST,),
    not_after: str | None = LATER,
    aia: tuple[str, ...] = ("http://pki.example/ca.cer",),
    self_signed: bool = False,
) -> Certificate:
    return Certificate(
        subject=subject,
        issuer=issuer,
        san=san,
        serial="01",
        not_before=LONG_AGO,
        not_after=not_after,
        sha256="ab" * 32,
        key="rsa2048",
        signature="sha256",
        self_signed=self_signed,
        issuer_urls=aia,
    )


def facts(
    public: bool | None = True,
    stored: bool | None = True,
    *,
    name: bool = True,
    cn: bool = False,
    key: str = "11" * 20,
) -> ChainFacts:
    """Return the facts of a chain; `key` is that of the authority at its top."""
    return ChainFacts(
        publicly_anchored=public,
        store_anchored=stored,
        name_matches=name,
        common_name_matches=cn,
        in_time=True,
        issuer_key=key,
    )


def tls(
    failure: Failure | None = None,
    *,
    sni: str = HOST,
    seen: TcpInfo | None = None,
    no_info: bool = False,
    received: int = 0,
    hello: bool | None = None,
    alert: int | None = None,
    code: int | None = None,
    chain: tuple[Certificate, ...] = (),
    about: ChainFacts | None = None,
    first_text: str = "",
    detail: str = "",
    wants_certificate: bool = False,
    alpn: str | None = "h2",
) -> TlsObservation:
    """Return a handshake; without a failure it is valid and public."""
    good = failure is None
    server_hello = good or failure is Failure.VERIFY if hello is None else hello
    answered = good or failure is Failure.VERIFY
    return TlsObservation(
        started=NOW,
        elapsed_ms=20.0,
        sni=sni,
        alpn_offered=("h2", "http/1.1"),
        hello_bytes=HELLO,
        bytes_sent=HELLO,
        bytes_received=4000 if answered else received,
        records_sent=1,
        records_received=3 if answered else 0,
        failure=failure,
        detail=detail,
        first_text=first_text,
        server_hello=server_hello,
        alert=TlsAlert(level=2, description=alert) if alert is not None else None,
        version="TLSv1.3" if good else None,
        alpn=alpn if good else None,
        chain=chain or ((certificate(), certificate(subject="CN=Public CA")) if answered else ()),
        verify_code=0 if good else code,
        facts=about or (facts() if answered else None),
        client_certificate_requested=wants_certificate,
        info=None if no_info else seen or info(received=received),
    )


def http(
    status: int | None = 200,
    failure: Failure | None = None,
    *,
    headers: dict[str, str] | None = None,
    body: str = "",
    title: str = "",
    received: int = 0,
    sha256: str | None = None,
    throughput: float | None = None,
    alert: int | None = None,
    unverified: bool = False,
) -> HttpObservation:
    return HttpObservation(
        started=NOW,
        elapsed_ms=30.0,
        method="GET",
        host=HOST,
        url_path="/",
        version="1.1",
        failure=failure,
        status=None if failure is not None and status == 200 else status,
        headers=tuple((headers or {}).items()),
        body=body,
        title=title,
        bytes_received=received,
        sha256=sha256,
        throughput=throughput,
        alert=TlsAlert(level=2, description=alert) if alert is not None else None,
        unverified=unverified,
    )


def connect(
    status: int | None = 200,
    failure: Failure | None = None,
    *,
    headers: dict[str, str] | None = None,
    body: str = "",
    credentials: bool = False,
) -> ProxyObservation:
    if failure is None and status != 200:
        failure = Failure.PROXY_STATUS
    return ProxyObservation(
        started=NOW,
        elapsed_ms=5.0,
        proxy=PROXY,
        authority=f"{HOST}:443",
        credentials_sent=credentials,
        failure=failure,
        status=status,
        headers=tuple((headers or {}).items()),
        body=body,
    )


PROXY = "http://proxy.corp.example:3128"


def ntp(failure: Failure | None = None, **more: Any) -> NtpObservation:
    known: dict[str, Any] = {
        "started": NOW,
        "elapsed_ms": 9.0,
        "remote_address": ADDRESS,
        "remote_port": 123,
        "failure": failure,
        "stratum": None if failure else 2,
        "offset_seconds": None if failure else 0.01,
    }
    return NtpObservation(**(known | more))


def trail(
    *seen: Observation,
    address: str | None = None,
    family: Family | None = None,
    resolver: str = "",
    path: str = "direct",
    attempt: int = 1,
    redirected: bool = False,
    borrowed_from: str | None = None,
) -> Trail:
    """Return a trail; its address and resolver are taken from its observations."""
    answer = next((one for one in seen if isinstance(one, DnsObservation)), None)
    dialled = next((one for one in seen if isinstance(one, TcpObservation | NtpObservation)), None)
    if address is None and dialled is not None:
        address = answer.answers[0] if answer and answer.answers and redirected else dialled.remote_address
    v6 = ":" in (address or "") or (answer is not None and answer.type == "AAAA")
    return Trail(
        source=SOURCE,
        family=family or (Family.IPV6 if v6 else Family.IPV4),
        address=address,
        path=path,
        observations=seen,
        resolver=resolver or (answer.resolver if answer is not None else ""),
        attempt=attempt,
        redirected=redirected,
        borrowed_from=borrowed_from,
    )


def good(host: str = HOST, address: str = ADDRESS, port: int = 443) -> Trail:
    """Return a whole conversation in which nothing is wrong."""
    secure = (tls(sni=host),) if port != 80 else ()
    return trail(dns(address, name=host), tcp(address=address, port=port), *secure, http())


def service_tags(**prefixes: tuple[str, ...]) -> ServiceTags:
    """Return the ranges of tags."""
    tags = tuple(ServiceTag(name=name, prefixes=some) for name, some in prefixes.items())
    return ServiceTags(dated="2026-11-16", change_number=400, tags=tags, digest="ab" * 32)


PROBE = Probe(id="", host=HOST, port=443, protocol=Protocol.HTTPS, source=SOURCE, targets=())


class Site:
    """A recording under construction: targets with their trails, and controls."""

    def __init__(
        self,
        *,
        resolvers: tuple[str, ...] = (RESOLVER,),
        public_roots: str = "bundled",
        clock_offset: float | None = 0.0,
        scope_in_use: bool | None = None,
    ) -> None:
        self.targets: list[Target] = []
        self.probes: list[Probe] = []
        self.records: list[ProbeRecord] = []
        self.controls: list[Control] = []
        self.base_controls: tuple[ControlPlan, ...] = ()
        self.resolvers = resolvers
        self.public_roots = public_roots
        self.clock_offset = clock_offset
        self.scope_in_use = scope_in_use
        self.unsampled: tuple[Unsampled, ...] = ()
        self.limits = Limits()
        self.started = NOW
        self.clock_readings: tuple[ClockReading, ...] = ()
        self.proxy_variables: tuple[str, ...] = ()
        self.routes: tuple[ProbeRoute, ...] = ()
        self.arc_gateway: str | None = None
        self.service_tags: ServiceTags | None = None

    def add(
        self,
        *trails: Trail,
        host: str = HOST,
        port: int = 443,
        protocol: Protocol = Protocol.HTTPS,
        sample: SampleKind = SampleKind.EXACT,
        pattern: str = "",
        expect: Expect | None = None,
        inspection: Inspection = Inspection.TOLERATED,
        internal: bool = False,
        owned: bool | None = None,
        private_link: bool = False,
        tags: tuple[str, ...] = (),
        need: Need = Need.REQUIRED,
        one_of: str | None = None,
        row: str = "row",
        via_proxy: bool = False,
        route: str | None = None,
        contrast: bool = False,
        source: str = SOURCE,
        skipped: str = "",
        bug: str = "",
    ) -> str:
        """Add a target with its probe and record; return the target's id."""
        target = f"{row}/{host}:{port}"
        name = f"{host}:{port}/{source}/{len(self.probes)}"
        probe = replace(PROBE, id=name, host=host, port=port, protocol=protocol, source=source)
        probe = replace(probe, targets=(target,), via_proxy=via_proxy, route=route, contrast=contrast)
        siblings = ("sibling.example",) if sample is SampleKind.RANDOM else ()
        if all(one.id != target for one in self.targets):
            self.targets.append(
                Target(
                    id=target,
                    endpoint=row,
                    profiles=("connected-machine",),
                    service="Service",
                    pattern=pattern or host,
                    sample=sample,
                    host=host,
                    port=port,
                    protocol=protocol,
                    need=need,
                    one_of=one_of,
                    expect=expect or Expect(),
                    inspection=inspection,
                    internal=internal,
                    owned=owned,
                    private_link=private_link,
                    service_tags=tags,
                )
            )
        self.probes.append(replace(probe, siblings=siblings))
        self.records.append(ProbeRecord(probe=name, trails=trails, skipped=skipped, bug=bug))
        return target

    def control(
        self,
        kind: ControlKind,
        *seen: Observation,
        subject: int | None = 0,
        address: str | None = ADDRESS,
        host: str = "other.example",
        port: int = 443,
        accused: tuple[Observation, ...] = (),
        rounds: int = 1,
    ) -> None:
        """Add a control that ran; `subject` is the number of its probe, None the whole sweep.

        `accused` is what it was held in turn with, in each of its rounds.
        """
        about = self.probes[subject].id if subject is not None else ""
        self.controls.append(
            Control(
                id=f"{kind.value}:{about}:{len(self.controls)}",
                kind=kind,
                source=SOURCE,
                subject=about,
                why="",
                host=host,
                address=address,
                port=port,
                trails=(trail(*seen),) * rounds,
                subject_trails=(trail(*accused),) * rounds if accused else (),
            )
        )

    def dialled(self, number: int) -> str:
        """Return the address that the first trail of a record dialled."""
        return self.records[number].trails[0].address or ""

    def path(self, number: int) -> str:
        """Return the path of the first trail of a record."""
        return self.records[number].trails[0].path

    def recording(self) -> Recording:
        return Recording(
            id="r1",
            started=self.started,
            finished=self.started,
            interrupted=False,
            plan=Plan(
                region=None,
                cloud="public",
                catalog_revision="1",
                catalog_digest="",
                config_digest="",
                targets=tuple(self.targets),
                probes=tuple(self.probes),
                controls=self.base_controls,
                sources=(Source(name=SOURCE),),
                resolvers=(Resolver(name="system"),),
                trust=Trust(public_roots=self.public_roots, public_networks=PUBLIC_NETWORKS),
                limits=self.limits,
                private_link=self.scope_in_use,
                service_tags=self.service_tags,
                routes=self.routes,
                arc_gateway=self.arc_gateway,
                unsampled=self.unsampled,
            ),
            vantage=Vantage(
                host="here",
                sources=(VantageSource(name=SOURCE, address="10.20.0.11", interface=None, roles=()),),
                resolvers=self.resolvers,
                proxy=None,
                families=(Family.IPV4, Family.IPV6),
                trust=(),
                clock_offset_seconds=self.clock_offset,
                clock_readings=self.clock_readings,
                proxy_variables=self.proxy_variables,
            ),
            records=tuple(self.records),
            controls=tuple(self.controls),
        )


def verdict_of(sweep: Sweep, target: str) -> Verdict:
    return next(one.verdict for one in sweep.verdicts if one.target == target)


def reasons(sweep: Sweep) -> Iterable[str]:
    return (one.reason for one in sweep.findings)

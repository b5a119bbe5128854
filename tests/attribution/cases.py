"""One scene per rule: what was observed, and the verdict it must get. The first target added is judged."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from egressd.attribution.reasons import ALERTS, alert_code
from egressd.model.endpoint import Expect, Need, Protocol, SampleKind
from egressd.model.observation import (
    ChainFacts,
    DnsObservation,
    Failure,
    Observation,
    PathCertificate,
    TcpObservation,
    TlsObservation,
)
from egressd.model.plan import ControlKind
from egressd.model.verdict import Blame, Confidence, Outcome
from tests.attribution import control_scenes
from tests.attribution.arc_scenes import (
    FORWARDED,
    GATEWAY_REACHED,
    GATEWAY_SILENT,
    by_arc_proxy,
)
from tests.attribution.dns_scenes import (
    GONE,
    LIE,
    asked_again,
    at_address,
    disagreeing,
    disputed,
    in_a_row,
    injected,
    mixed_scope,
    other_family,
    other_family_by_control,
    raced,
    resolver_row,
    scope_in_use,
    slow_for_all,
    wildcard,
)
from tests.attribution.peer_scenes import (
    EARLY,
    LATE,
    burst,
    concurrency_limited,
    downgraded,
    nxdomain_rewriting,
    reset_before_hello,
    stale,
    stale_address,
    unused_proxy,
)
from tests.attribution.recordings import (
    ADDRESS,
    HOST,
    LATER,
    LONG_AGO,
    OTHER_ADDRESS,
    PROXY,
    SECOND,
    Site,
    certificate,
    connect,
    dns,
    facts,
    good,
    http,
    icmp,
    info,
    ntp,
    query,
    service_tags,
    tcp,
    tls,
    trail,
)

BLOCKED, DOWN, DEGRADED, OK, UNKNOWN = (
    Outcome.BLOCKED,
    Outcome.DOWN,
    Outcome.DEGRADED,
    Outcome.OK,
    Outcome.UNKNOWN,
)
LOW, MEDIUM, HIGH, CONFIRMED = (
    Confidence.LOW,
    Confidence.MEDIUM,
    Confidence.HIGH,
    Confidence.CONFIRMED,
)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A recording to judge, and the verdict it must get."""

    name: str
    build: Callable[[], Site]
    reason: str | None
    outcome: Outcome
    least: Confidence = LOW
    most: Confidence = CONFIRMED
    blame: Blame | None = None
    also: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def outside_service_tag() -> Site:
    """A server that proves its name at an address that its tag does not have."""
    site = Site()
    site.service_tags = service_tags(AzureArcInfrastructure=("198.51.100.0/24",))
    site.add(good(), tags=("AzureArcInfrastructure",))
    return site


def alone(*seen: Observation, **target: Any) -> Callable[[], Site]:
    """One target, one trail, and another target on another address that works."""

    def build() -> Site:
        site = Site()
        site.add(trail(*seen), **target)
        site.add(good("works.example", OTHER_ADDRESS), host="works.example")
        return site

    return build


def solitary(*seen: Observation, **target: Any) -> Callable[[], Site]:
    """One target, one trail, and nothing to compare with."""

    def build() -> Site:
        site = Site()
        site.add(trail(*seen), **target)
        return site

    return build


def beside_one_that_works(*seen: Observation, **target: Any) -> Callable[[], Site]:
    """One target, and another whose whole conversation went well at another address."""

    def build() -> Site:
        site = Site()
        site.add(trail(*seen), **target)
        site.add(good("other.example", OTHER_ADDRESS), host="other.example")
        return site

    return build


def two_resolvers(*, first: DnsObservation, second: DnsObservation | None = None) -> Callable[[], Site]:
    """One resolver has the given answer, another gives an address that works."""

    def build() -> Site:
        site = Site(resolvers=(first.resolver, SECOND))
        site.add(trail(second or dns(resolver=SECOND), tcp(), tls(), http()), trail(first))
        return site

    return build


def proxied(*seen: Observation, **target: Any) -> Callable[[], Site]:
    """One target through the proxy."""

    def build() -> Site:
        site = Site()
        site.add(trail(*seen, path=PROXY), via_proxy=True, **target)
        return site

    return build


def with_control(
    base: Callable[[], Site], kind: ControlKind, *seen: Observation, **more: Any
) -> Callable[[], Site]:
    """A scene with a control of its first probe."""

    def build() -> Site:
        site = base()
        site.control(kind, *seen, **more)
        return site

    return build


def twice(base: Callable[[], Site], *seen: Observation) -> Callable[[], Site]:
    """A scene whose first probe was repeated."""
    return with_control(base, ControlKind.REPEAT, *seen)


def dns_dead(*, count: int, failure: Failure, rcode: str | None = None) -> Callable[[], Site]:
    """A resolver that treats several names alike."""

    def build() -> Site:
        site = Site()
        for number in range(count):
            name = f"n{number}.example"
            site.add(trail(dns(name=name, failure=failure, rcode=rcode)), host=name)
        return site

    return build


OWN = "10.20.0.11"
NXDOMAIN: dict[str, Any] = {"failure": Failure.NXDOMAIN, "rcode": "NXDOMAIN"}
BLOCK = "<html><title>Blocked</title><!-- Powered By FortiGuard -->"
UNACKED = info(acked=0)
ACKED = info()
FORGED = (certificate(issuer="CN=Corp Inspection CA", aia=()),)
PRIVATE = facts(False, False)
ENDED = replace(facts(), in_time=False)


def _local(number: int) -> Callable[[], Site]:
    return solitary(dns(), tcp(Failure.UNREACHABLE, errno=number))


LOCAL = (
    Scene(
        name="no-route",
        build=_local(errno.ENETUNREACH),
        reason="local_no_route",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="unreachable-route",
        build=_local(errno.EHOSTUNREACH),
        reason="local_unreachable_route",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="prohibit-route",
        build=_local(errno.EACCES),
        reason="local_prohibit_route",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="blackhole-route",
        build=_local(errno.EINVAL),
        reason="local_blackhole_route",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="gateway-dead",
        build=solitary(
            dns(),
            tcp(Failure.UNREACHABLE, errno=errno.EHOSTUNREACH, error=icmp(3, 1, offender=OWN, local=True)),
        ),
        reason="local_gateway_dead",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.LOCAL_GATEWAY,
    ),
    Scene(
        name="gateway-dead-for-one-route",
        build=beside_one_that_works(
            dns(),
            tcp(
                Failure.UNREACHABLE,
                errno=errno.EHOSTUNREACH,
                error=icmp(3, 1, offender=OWN, local=True),
                elapsed_ms=3061.0,
            ),
        ),
        reason="local_gateway_dead",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.LOCAL_GATEWAY,
    ),
    Scene(
        name="host-firewall-by-host-unreachable",
        build=beside_one_that_works(
            dns(),
            tcp(Failure.UNREACHABLE, errno=errno.EHOSTUNREACH, error=icmp(3, 1, offender=OWN, local=True)),
        ),
        reason="local_firewall_reject",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="host-firewall",
        build=solitary(
            dns(),
            tcp(Failure.UNREACHABLE, errno=errno.EHOSTUNREACH, error=icmp(3, 13, offender=OWN, local=True)),
        ),
        reason="local_firewall_reject",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="host-cgroup",
        build=_local(errno.EPERM),
        reason="local_firewall_reject",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="source-invalid",
        build=solitary(dns(), tcp(Failure.INVALID_SOURCE, errno=errno.EADDRNOTAVAIL)),
        reason="local_source_invalid",
        outcome=UNKNOWN,
        least=CONFIRMED,
    ),
    Scene(
        name="exhausted",
        build=solitary(dns(), tcp(Failure.NO_RESOURCES, errno=errno.EMFILE)),
        reason="local_resource_exhausted",
        outcome=UNKNOWN,
        least=CONFIRMED,
    ),
    Scene(
        name="dns-no-route",
        build=solitary(dns(failure=Failure.UNREACHABLE, errno=errno.ENETUNREACH)),
        reason="local_no_route",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="dns-unreachable-route",
        build=solitary(dns(failure=Failure.UNREACHABLE, errno=errno.EHOSTUNREACH)),
        reason="local_unreachable_route",
        outcome=BLOCKED,
    ),
    Scene(
        name="dns-prohibit-route",
        build=solitary(dns(failure=Failure.UNREACHABLE, errno=errno.EACCES)),
        reason="local_prohibit_route",
        outcome=BLOCKED,
    ),
    Scene(
        name="dns-blackhole-route",
        build=solitary(dns(failure=Failure.UNREACHABLE, errno=errno.EINVAL)),
        reason="local_blackhole_route",
        outcome=BLOCKED,
    ),
    Scene(
        name="dns-output-drop",
        build=solitary(dns(failure=Failure.UNREACHABLE, errno=errno.EPERM)),
        reason="local_firewall_drop_udp",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="dns-output-drop-of-datagrams",
        build=solitary(
            dns(
                ADDRESS,
                queries=(
                    query(failure=Failure.UNREACHABLE, errno=errno.EPERM),
                    query(transport="tcp", edns=False, answers=(ADDRESS,)),
                ),
            ),
            tcp(),
            tls(),
            http(),
        ),
        reason="local_firewall_drop_udp",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="dns-gateway-dead",
        build=solitary(dns(failure=Failure.UNREACHABLE, icmp=icmp(3, 1, offender=OWN, local=True))),
        reason="local_gateway_dead",
        outcome=BLOCKED,
    ),
    Scene(
        name="dns-host-firewall",
        build=solitary(dns(failure=Failure.REFUSED, icmp=icmp(3, 3, offender=OWN, local=True))),
        reason="local_firewall_reject",
        outcome=BLOCKED,
    ),
    Scene(
        name="dns-source",
        build=solitary(dns(failure=Failure.INVALID_SOURCE)),
        reason="local_source_invalid",
        outcome=UNKNOWN,
    ),
    Scene(
        name="dns-exhausted",
        build=solitary(dns(failure=Failure.NO_RESOURCES)),
        reason="local_resource_exhausted",
        outcome=UNKNOWN,
    ),
)


def _ntp(failure: Failure, number: int | None = None, **more: Any) -> Callable[[], Site]:
    return solitary(dns(), ntp(failure, errno=number, **more), port=123, protocol=Protocol.NTP)


NTP = (
    Scene(
        name="ntp-silent",
        build=alone(dns(), ntp(Failure.TIMEOUT), port=123, protocol=Protocol.NTP),
        reason="ntp_no_answer",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="ntp-refused",
        build=_ntp(Failure.REFUSED, icmp=icmp(3, 3)),
        reason="ntp_refused",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="ntp-prohibited",
        build=_ntp(Failure.UNREACHABLE, icmp=icmp(3, 13)),
        reason="tcp_admin_prohibited",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="ntp-unreachable",
        build=_ntp(Failure.UNREACHABLE, icmp=icmp(3, 0)),
        reason="tcp_unreachable",
        outcome=DOWN,
    ),
    Scene(
        name="ntp-kiss",
        build=solitary(dns(), ntp(kiss="DENY", stratum=0), port=123, protocol=Protocol.NTP),
        reason="ntp_kiss_of_death",
        outcome=DEGRADED,
    ),
    Scene(
        name="ntp-unsynchronized",
        build=solitary(dns(), ntp(stratum=16), port=123, protocol=Protocol.NTP),
        reason="ntp_unsynchronized",
        outcome=DOWN,
    ),
    Scene(name="ntp-garbage", build=_ntp(Failure.MALFORMED), reason="ntp_unknown", outcome=UNKNOWN),
    Scene(
        name="ntp-no-route",
        build=_ntp(Failure.UNREACHABLE, errno.ENETUNREACH),
        reason="local_no_route",
        outcome=BLOCKED,
    ),
    Scene(
        name="ntp-unreachable-route",
        build=_ntp(Failure.UNREACHABLE, errno.EHOSTUNREACH),
        reason="local_unreachable_route",
        outcome=BLOCKED,
    ),
    Scene(
        name="ntp-prohibit",
        build=_ntp(Failure.UNREACHABLE, errno.EACCES),
        reason="local_prohibit_route",
        outcome=BLOCKED,
    ),
    Scene(
        name="ntp-blackhole",
        build=_ntp(Failure.UNREACHABLE, errno.EINVAL),
        reason="local_blackhole_route",
        outcome=BLOCKED,
    ),
    Scene(
        name="ntp-output-drop",
        build=_ntp(Failure.UNREACHABLE, errno.EPERM),
        reason="local_firewall_drop_udp",
        outcome=BLOCKED,
    ),
    Scene(
        name="ntp-gateway",
        build=_ntp(Failure.UNREACHABLE, icmp=icmp(3, 1, local=True)),
        reason="local_gateway_dead",
        outcome=BLOCKED,
    ),
    Scene(
        name="ntp-host-firewall",
        build=_ntp(Failure.UNREACHABLE, icmp=icmp(3, 13, local=True)),
        reason="local_firewall_reject",
        outcome=BLOCKED,
    ),
    Scene(
        name="ntp-source", build=_ntp(Failure.INVALID_SOURCE), reason="local_source_invalid", outcome=UNKNOWN
    ),
    Scene(
        name="ntp-exhausted",
        build=_ntp(Failure.NO_RESOURCES),
        reason="local_resource_exhausted",
        outcome=UNKNOWN,
    ),
    Scene(
        name="ntp-ok", build=solitary(dns(), ntp(), port=123, protocol=Protocol.NTP), reason=None, outcome=OK
    ),
)


def _revocation() -> Site:
    site = Site()
    site.add(
        trail(dns(name="pki.example"), tcp(Failure.REFUSED, port=80)),
        host="pki.example",
        port=80,
        protocol=Protocol.HTTP,
    )
    site.add(good("works.example", OTHER_ADDRESS), host="works.example")
    return site


def _no_resolver() -> Site:
    site = Site(resolvers=("system",))
    site.add(trail(dns(failure=Failure.TIMEOUT, resolver="system")))
    return site


def _split() -> Site:
    site = Site(resolvers=("a", SECOND))
    private = dns("10.1.0.4", resolver="a", cnames=("gbl.privatelink.his.arc.azure.com",))
    public = dns(resolver=SECOND)
    site.add(
        trail(private, tcp(address="10.1.0.4"), tls(), http()),
        trail(public, tcp(), tls(), http()),
        private_link=True,
    )
    return site


def _unexpected() -> Site:
    site = Site(resolvers=("a", SECOND))
    wrong = dns(OTHER_ADDRESS, resolver="a")
    site.add(
        trail(
            wrong,
            tcp(address=OTHER_ADDRESS),
            tls(Failure.VERIFY, code=62, about=facts(True, True, name=False)),
        ),
        trail(dns(resolver=SECOND), tcp(), tls(), http()),
    )
    return site


def _override(*seen: Observation) -> Callable[[], Site]:
    def build() -> Site:
        site = Site(resolvers=("a",))
        site.add(trail(dns(resolver="a"), tcp(), tls(), http()), trail(*seen, resolver="system"))
        return site

    return build


def _aaaa(answer: DnsObservation) -> Callable[[], Site]:
    """A name whose IPv4 address works, and whose AAAA query gets this answer."""

    def build() -> Site:
        site = Site()
        site.add(good(), trail(answer))
        return site

    return build


def _lossy(count: int) -> Callable[[], Site]:
    """So many names whose first datagram was lost."""

    def build() -> Site:
        site = Site()
        for number in range(count):
            name = f"n{number}.example"
            answer = dns(name=name, queries=(query(failure=Failure.TIMEOUT), query()))
            site.add(trail(answer, tcp(), tls(sni=name), http()), host=name)
        site.add(good("prompt.example", OTHER_ADDRESS), host="prompt.example")
        return site

    return build


def _edns_lost_once() -> Site:
    """A name whose datagrams with EDNS were lost, and one whose was answered: chance."""
    site = Site()
    lost = dns(queries=(query(failure=Failure.TIMEOUT), query(edns=False)))
    site.add(trail(lost, tcp(), tls(), http()))
    site.add(good("other.example", OTHER_ADDRESS), host="other.example")
    return site


def _large_answer_lost() -> Site:
    """The same, where the answer is too long for a datagram without EDNS."""
    site = Site()
    queries = (
        query(failure=Failure.TIMEOUT),
        query(edns=False, flags=("qr", "tc")),
        query(transport="tcp", bytes_received=900),
    )
    site.add(trail(dns(queries=queries), tcp(), tls(), http()))
    site.add(good("other.example", OTHER_ADDRESS), host="other.example")
    return site


def _aaaa_broken() -> Site:
    site = Site()
    site.add(trail(dns(), tcp(), tls(), http()), trail(dns(failure=Failure.TIMEOUT, v6=True)))
    return site


PRIVATE_LINK = ("gbl.privatelink.his.arc.azure.com",)
CUT = query(flags=("qr", "tc"), failure=None)
LOST_TCP = query(transport="tcp", failure=Failure.TIMEOUT)

DNS = (
    Scene(
        name="no-resolver",
        build=_no_resolver,
        reason="dns_no_resolver",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="resolver-dead",
        build=dns_dead(count=3, failure=Failure.TIMEOUT),
        reason="dns_resolver_unreachable",
        outcome=BLOCKED,
    ),
    Scene(
        name="resolver-dead-one-name",
        build=solitary(dns(failure=Failure.TIMEOUT)),
        reason="dns_resolver_unreachable",
        outcome=BLOCKED,
    ),
    Scene(
        name="refused-everyone",
        build=dns_dead(count=2, failure=Failure.RCODE, rcode="REFUSED"),
        reason="dns_refused_client",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="refused-one-name-only",
        build=solitary(dns(failure=Failure.RCODE, rcode="REFUSED")),
        reason="dns_refused_client",
        outcome=BLOCKED,
    ),
    Scene(
        name="no-listener",
        build=solitary(dns(failure=Failure.REFUSED, icmp=icmp(3, 3))),
        reason="dns_no_listener",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="no-local-listener",
        build=solitary(
            dns(
                failure=Failure.REFUSED,
                resolver="127.0.0.1:53",
                icmp=icmp(3, 3, offender="127.0.0.1", local=True),
            )
        ),
        reason="dns_no_listener",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="dns-prohibited",
        build=solitary(dns(failure=Failure.UNREACHABLE, icmp=icmp(3, 13))),
        reason="dns_admin_prohibited",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.FIREWALL_L3L4,
    ),
    Scene(
        name="dropped-name",
        build=alone(dns(failure=Failure.TIMEOUT)),
        reason="dns_dropped_name",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="dropped-with-all-its-zone",
        build=with_control(
            alone(dns(failure=Failure.TIMEOUT)),
            ControlKind.SIBLING_NAME,
            dns(failure=Failure.TIMEOUT, name="egressd-control.his.arc.azure.com"),
            address="10.0.0.53",
        ),
        reason="dns_dropped_name",
        outcome=BLOCKED,
        most=MEDIUM,
        blame=Blame.DNS_RESOLVER,
    ),
    Scene(
        name="dropped-name-tcp-closed",
        build=alone(
            dns(
                failure=Failure.CLOSED,
                queries=(query(failure=Failure.TIMEOUT), query(transport="tcp", failure=Failure.CLOSED)),
            )
        ),
        reason="dns_dropped_name",
        outcome=BLOCKED,
    ),
    Scene(
        name="refused-name",
        build=alone(dns(failure=Failure.RCODE, rcode="REFUSED")),
        reason="dns_refused_name",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="servfail",
        build=alone(dns(failure=Failure.RCODE, rcode="SERVFAIL")),
        reason="dns_servfail",
        outcome=DOWN,
        least=MEDIUM,
    ),
    Scene(
        name="servfail-only-name",
        build=solitary(dns(failure=Failure.RCODE, rcode="SERVFAIL")),
        reason="dns_servfail",
        outcome=DOWN,
    ),
    Scene(
        name="nxdomain-no-soa",
        build=alone(dns(soa=False, **NXDOMAIN)),
        reason="dns_nxdomain_filtered",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="nxdomain-soa",
        build=alone(dns(soa=True, **NXDOMAIN)),
        reason="dns_name_absent",
        outcome=DOWN,
        least=MEDIUM,
    ),
    Scene(
        name="nxdomain-ede",
        build=alone(dns(soa=True, ede=(15,), **NXDOMAIN)),
        reason="dns_nxdomain_filtered",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="nxdomain-other-answers",
        build=two_resolvers(first=dns(soa=True, **NXDOMAIN)),
        reason="dns_nxdomain_filtered",
        outcome=DEGRADED,
        least=MEDIUM,
    ),
    Scene(
        name="nodata",
        build=alone(dns(failure=Failure.NODATA, soa=False)),
        reason="dns_nodata_filtered",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="nodata-soa",
        build=alone(dns(failure=Failure.NODATA, soa=True)),
        reason="dns_name_absent",
        outcome=DOWN,
    ),
    Scene(
        name="private-zone",
        build=alone(dns(cnames=PRIVATE_LINK, soa=True, **NXDOMAIN)),
        reason="dns_private_zone_missing_record",
        outcome=DOWN,
        least=HIGH,
    ),
    Scene(
        name="name-invalid",
        build=solitary(dns(failure=Failure.NAME_INVALID)),
        reason="dns_name_invalid",
        outcome=UNKNOWN,
    ),
    Scene(
        name="dns-malformed",
        build=solitary(dns(failure=Failure.MALFORMED)),
        reason="dns_malformed",
        outcome=BLOCKED,
    ),
    Scene(
        name="dns-too-large",
        build=solitary(dns(failure=Failure.TOO_LARGE)),
        reason="dns_beyond_our_limit",
        outcome=UNKNOWN,
        blame=Blame.EGRESSD_ENV,
    ),
    Scene(
        name="dns-odd",
        build=alone(dns(failure=Failure.RCODE, rcode="NOTAUTH")),
        reason="dns_unknown",
        outcome=UNKNOWN,
    ),
    Scene(
        name="dns-tcp-blocked",
        build=alone(dns(failure=Failure.TIMEOUT, queries=(CUT, LOST_TCP))),
        reason="dns_tcp_blocked",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="sinkhole",
        build=alone(
            dns("146.112.61.106"),
            tcp(address="146.112.61.106"),
            tls(Failure.VERIFY, code=20, about=PRIVATE, chain=FORGED),
        ),
        reason="dns_sinkhole_known",
        outcome=BLOCKED,
        least=CONFIRMED,
        also=("tls_mitm_untrusted",),
    ),
    Scene(
        name="null",
        build=alone(dns("0.0.0.0"), tcp(Failure.REFUSED, address="0.0.0.0")),
        reason="dns_null_answer",
        outcome=BLOCKED,
        least=CONFIRMED,
        also=("tcp_refused",),
    ),
    Scene(
        name="loopback-catalog",
        build=alone(dns("127.0.0.1"), tcp(Failure.REFUSED, address="127.0.0.1")),
        reason="dns_null_answer",
        outcome=BLOCKED,
    ),
    Scene(
        name="loopback-given",
        build=alone(dns("127.0.0.1"), tcp(Failure.REFUSED, address="127.0.0.1"), sample=SampleKind.GIVEN),
        reason="dns_null_answer",
        outcome=BLOCKED,
        also=("tcp_refused",),
    ),
    Scene(
        name="bogon",
        build=alone(dns("10.9.9.9"), tcp(Failure.TIMEOUT, address="10.9.9.9")),
        reason="dns_bogon_answer",
        outcome=BLOCKED,
        least=MEDIUM,
        also=("tcp_ip_blocked_silent",),
    ),
    Scene(
        name="bogon-internal",
        build=alone(dns("10.9.9.9"), tcp(Failure.TIMEOUT, address="10.9.9.9"), internal=True),
        reason="tcp_ip_blocked_silent",
        outcome=BLOCKED,
    ),
    Scene(
        name="bogon-works",
        build=alone(dns("10.9.9.9"), tcp(address="10.9.9.9"), tls(), http()),
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="private-link",
        build=alone(
            dns("10.1.0.4", cnames=PRIVATE_LINK), tcp(address="10.1.0.4"), tls(), http(), private_link=True
        ),
        reason=None,
        outcome=OK,
        also=("dns_private_link",),
    ),
    Scene(
        name="private-link-unexpected",
        build=alone(dns("10.1.0.4", cnames=PRIVATE_LINK), tcp(address="10.1.0.4"), tls(), http()),
        reason="dns_private_link_unexpected",
        outcome=DEGRADED,
        least=HIGH,
        also=("dns_private_link",),
        flags=("private_link_unexpected",),
    ),
    Scene(
        name="private-link-dead",
        build=alone(dns("10.1.0.4", cnames=PRIVATE_LINK), tcp(Failure.TIMEOUT, address="10.1.0.4")),
        reason="dns_private_link_unreachable",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="private-link-split", build=_split, reason="dns_private_link_split", outcome=DEGRADED, least=HIGH
    ),
    Scene(
        name="unexpected-address",
        build=_unexpected,
        reason="dns_unexpected_address",
        outcome=DEGRADED,
        least=MEDIUM,
    ),
    Scene(
        name="hosts-nxdomain",
        build=_override(dns(resolver="system", **NXDOMAIN)),
        reason="dns_local_override",
        outcome=DEGRADED,
        least=MEDIUM,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="hosts-elsewhere",
        build=_override(dns("127.0.0.1", resolver="system"), tcp(Failure.REFUSED, address="127.0.0.1")),
        reason="dns_local_override",
        outcome=DEGRADED,
    ),
    Scene(name="aaaa-broken", build=_aaaa_broken, reason="dns_aaaa_broken", outcome=DEGRADED, least=HIGH),
    Scene(
        name="rewritten",
        build=with_control(
            alone(dns("198.51.100.80"), tcp(address="198.51.100.80"), tls(Failure.NOT_TLS, received=5)),
            ControlKind.SIBLING_NAME,
            dns("198.51.100.80", name="egressd-control.his.arc.azure.com"),
            address="10.0.0.53",
        ),
        reason="dns_nxdomain_rewritten",
        outcome=BLOCKED,
    ),
    Scene(
        name="edns-unsupported",
        build=alone(
            dns(queries=(query(failure=Failure.RCODE, rcode="FORMERR"), query(edns=False))),
            tcp(),
            tls(),
            http(),
        ),
        reason="dns_edns_unsupported",
        outcome=DEGRADED,
    ),
    Scene(
        name="edns-lost",
        build=solitary(
            dns(queries=(query(failure=Failure.TIMEOUT), query(edns=False))), tcp(), tls(), http()
        ),
        reason="dns_edns_or_fragment_dropped",
        outcome=DEGRADED,
    ),
    Scene(
        name="edns-lost-where-it-works-for-others",
        build=_edns_lost_once,
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="large-answer-lost",
        build=_large_answer_lost,
        reason="dns_edns_or_fragment_dropped",
        outcome=DEGRADED,
        least=HIGH,
    ),
    Scene(
        name="no-datagram-answered",
        build=solitary(
            dns(
                queries=(
                    query(failure=Failure.TIMEOUT),
                    query(failure=Failure.TIMEOUT, edns=False),
                    query(transport="tcp"),
                )
            ),
            tcp(),
            tls(),
            http(),
        ),
        reason="dns_udp_blocked",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="lossy",
        build=_lossy(3),
        reason="dns_intermittent",
        outcome=DEGRADED,
    ),
    Scene(name="one-lost-datagram", build=_lossy(1), reason=None, outcome=OK),
    Scene(
        name="outside-its-service-tag",
        build=outside_service_tag,
        reason=None,
        outcome=OK,
        also=("dns_address_outside_service_tag",),
    ),
    Scene(
        name="dns64",
        build=alone(dns("64:ff9b::cb00:7109", v6=True), tcp(address="64:ff9b::cb00:7109"), tls(), http()),
        reason=None,
        outcome=OK,
        also=("dns_dns64_synthesized",),
    ),
)


def _silent_everywhere() -> Site:
    site = Site()
    for number in range(3):
        name, address = f"n{number}.example", f"203.0.113.{number + 1}"
        site.add(trail(dns(address, name=name), tcp(Failure.TIMEOUT, address=address)), host=name)
    return site


def _other_port() -> Site:
    site = Site()
    site.add(trail(dns(), tcp(Failure.TIMEOUT)))
    site.add(good("b.example", ADDRESS, 80), host="b.example", port=80, protocol=Protocol.HTTP)
    return site


def _some_addresses() -> Site:
    site = Site()
    answer = dns(ADDRESS, OTHER_ADDRESS)
    site.add(
        trail(answer, tcp(), tls(), http()),
        trail(answer, tcp(Failure.TIMEOUT, address=OTHER_ADDRESS)),
    )
    return site


def _family(*, broken: str, working: str, local: bool = False) -> Callable[[], Site]:
    failure = (
        tcp(Failure.UNREACHABLE, address=broken, errno=errno.ENETUNREACH)
        if local
        else tcp(Failure.TIMEOUT, address=broken)
    )

    def build() -> Site:
        site = Site()
        site.add(
            trail(dns(working, v6=":" in working), tcp(address=working), tls(), http()),
            trail(dns(broken, v6=":" in broken), failure),
        )
        return site

    return build


def _flaky(*seen: Observation) -> Callable[[], Site]:
    """A first attempt that fails in this way, and a second one that works."""

    def build() -> Site:
        site = Site()
        site.add(trail(dns(), *seen, attempt=1), trail(dns(), tcp(), tls(), http(), attempt=2))
        return site

    return build


def lost(one: Observation, packets: int) -> Observation:
    """Return an observation in which so many packets were sent again."""
    assert isinstance(one, TcpObservation | TlsObservation)
    return replace(one, info=replace(info(acked=0), retransmits=packets))


def _one_address(*failed: Observation, broken: str = OTHER_ADDRESS) -> Callable[[], Site]:
    """A name that works at one address, and at another fails after the connect, also when repeated."""

    def build() -> Site:
        site = Site()
        v6 = ":" in broken
        answer = dns(broken, v6=True) if v6 else dns(ADDRESS, broken)
        site.add(
            trail(dns(ADDRESS, *(() if v6 else (broken,))), tcp(), tls(), http()),
            trail(answer, tcp(address=broken), *failed),
        )
        site.control(ControlKind.REPEAT, tcp(address=broken), *failed, address=broken, rounds=3)
        return site

    return build


def _accepts_anything(port: int, *, tried: int, address: str = "192.0.2.1") -> Callable[[], Site]:
    """A bare connection to a port, and an unused address that accepts one on a port that was tried."""

    def build() -> Site:
        site = Site()
        site.add(trail(dns(), tcp(port=port)), port=port, protocol=Protocol.TCP)
        dialled = tcp(address=address, port=tried)
        site.control(ControlKind.TESTNET_TCP, dialled, subject=None, address=address, port=tried)
        return site

    return build


V6 = "2001:db8::9"
TCP = (
    Scene(
        name="tcp-prohibited",
        build=solitary(dns(), tcp(Failure.UNREACHABLE, errno=113, error=icmp(3, 13))),
        reason="tcp_admin_prohibited",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.FIREWALL_L3L4,
    ),
    Scene(
        name="tcp-prohibited-v6",
        build=solitary(
            dns(V6, v6=True),
            tcp(Failure.UNREACHABLE, address=V6, errno=errno.EACCES, error=icmp(1, 1, version=6)),
        ),
        reason="tcp_admin_prohibited",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="loop",
        build=solitary(dns(), tcp(Failure.UNREACHABLE, errno=113, error=icmp(11, 0))),
        reason="tcp_routing_loop",
        outcome=DOWN,
        least=HIGH,
    ),
    Scene(
        name="unreachable",
        build=solitary(dns(), tcp(Failure.UNREACHABLE, errno=113, error=icmp(3, 1))),
        reason="tcp_unreachable",
        outcome=DOWN,
        least=HIGH,
    ),
    Scene(
        name="refused-icmp",
        build=solitary(dns(), tcp(Failure.REFUSED, errno=111, error=icmp(3, 3))),
        reason="tcp_refused_icmp_port",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="refused",
        build=alone(dns(), tcp(Failure.REFUSED, errno=111)),
        reason="tcp_refused",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="reset-in-connect",
        build=alone(dns(), tcp(Failure.RESET, errno=104)),
        reason="tcp_reset_after_accept",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="silent-everywhere", build=_silent_everywhere, reason="tcp_egress_all_blocked", outcome=BLOCKED
    ),
    Scene(
        name="silent-here",
        build=twice(alone(dns(), tcp(Failure.TIMEOUT)), tcp(Failure.TIMEOUT)),
        reason="tcp_ip_blocked_silent",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="silent-alone",
        build=solitary(dns(), tcp(Failure.TIMEOUT)),
        reason="tcp_ip_blocked_silent",
        outcome=BLOCKED,
        least=Confidence.INCONCLUSIVE,
    ),
    Scene(name="silent-port", build=_other_port, reason="tcp_port_blocked", outcome=BLOCKED, least=MEDIUM),
    Scene(
        name="revocation",
        build=_revocation,
        reason="tcp_refused",
        outcome=BLOCKED,
        also=("pki_revocation_unreachable",),
    ),
    Scene(
        name="works-when-repeated",
        build=with_control(alone(dns(), tcp(Failure.TIMEOUT)), ControlKind.REPEAT, tcp(), tls(), http()),
        reason="path_loss",
        outcome=DEGRADED,
    ),
    Scene(
        name="tcp-odd",
        build=alone(dns(), tcp(Failure.OS_ERROR, errno=5)),
        reason="tcp_unknown",
        outcome=UNKNOWN,
    ),
    Scene(
        name="some-addresses",
        build=_some_addresses,
        reason="tcp_some_ips_blocked",
        outcome=DEGRADED,
        least=HIGH,
    ),
    Scene(
        name="v6-broken",
        build=_family(broken=V6, working=ADDRESS),
        reason="tcp_ipv6_broken",
        outcome=DEGRADED,
        least=HIGH,
    ),
    Scene(
        name="v4-broken",
        build=_family(broken=ADDRESS, working=V6),
        reason="tcp_ipv4_broken",
        outcome=DEGRADED,
        least=HIGH,
    ),
    Scene(
        name="no-v6",
        build=_family(broken=V6, working=ADDRESS, local=True),
        reason=None,
        outcome=OK,
        flags=("no_ipv6",),
    ),
    Scene(
        name="flaky", build=_flaky(tcp(Failure.TIMEOUT)), reason="path_loss", outcome=DEGRADED, least=MEDIUM
    ),
    Scene(
        name="connections-that-differ",
        build=_flaky(lost(tcp(Failure.TIMEOUT), 3)),
        reason="path_intermittent",
        outcome=DEGRADED,
        blame=Blame.UPSTREAM_PATH,
    ),
    Scene(
        name="reset-now-and-then",
        build=_flaky(tcp(), tls(Failure.RESET)),
        reason="path_intermittent",
        outcome=DEGRADED,
        least=CONFIRMED,
    ),
    Scene(
        name="refused-now-and-then",
        build=_flaky(tcp(Failure.REFUSED)),
        reason="path_intermittent",
        outcome=DEGRADED,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="another-certificate-now-and-then",
        build=_flaky(tcp(), tls(Failure.VERIFY, code=10)),
        reason="path_intermittent",
        outcome=DEGRADED,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="cut-at-one-address",
        build=_one_address(tls(Failure.RESET)),
        reason="path_some_ips_broken",
        outcome=DEGRADED,
        blame=Blame.AZURE_SERVICE,
        also=("tls_reset_after_hello",),
    ),
    Scene(
        name="expired-at-one-address",
        build=_one_address(
            tls(Failure.VERIFY, code=10, chain=(certificate(not_after=LONG_AGO),), about=ENDED)
        ),
        reason="tls_cert_expired",
        outcome=DEGRADED,
        also=("path_some_ips_broken",),
    ),
    Scene(
        name="silent-after-the-connect-over-v6",
        build=_one_address(tls(Failure.TIMEOUT), broken=V6),
        reason="path_ipv6_broken",
        outcome=DEGRADED,
        least=HIGH,
        also=("tls_stall_after_hello",),
    ),
    Scene(
        name="connection-that-any-address-gives",
        build=_accepts_anything(8443, tried=8443),
        reason="tcp_accept_all",
        outcome=UNKNOWN,
        flags=("accept_all",),
    ),
    Scene(
        name="connection-that-another-port-gives",
        build=_accepts_anything(8443, tried=443),
        reason="tcp_accept_all",
        outcome=UNKNOWN,
    ),
    Scene(
        name="connection-that-the-other-family-gives",
        build=_accepts_anything(8443, tried=8443, address="2001:db8:ffff::1"),
        reason=None,
        outcome=OK,
    ),
)


def _hello(failure: Failure, **more: Any) -> Callable[[], Site]:
    return alone(dns(), tcp(), tls(failure, **more))


def _sni(failure: Failure, **more: Any) -> Callable[[], Site]:
    return with_control(
        _hello(failure, **more),
        ControlKind.SNI_CONTRAST,
        tcp(),
        tls(Failure.VERIFY, sni="other.example", code=62),
    )


def _dropped_all() -> Site:
    site = _hello(Failure.TIMEOUT, seen=UNACKED)()
    site.control(ControlKind.SNI_CONTRAST, tcp(), tls(Failure.TIMEOUT, sni="other.example", seen=UNACKED))
    return site


def _dropped_name_on_a_bad_link() -> Site:
    site = _hello(Failure.TIMEOUT, seen=UNACKED)()
    site.control(ControlKind.SNI_CONTRAST, tcp(), tls(Failure.TIMEOUT, sni="other.example", seen=info()))
    return site


def _small_mss(**more: Any) -> Callable[[], Site]:
    """Return a ClientHello that is answered in small segments only, in three rounds."""
    lost = _hello(Failure.TIMEOUT, **more)

    def build() -> Site:
        site = lost()
        seen = (tcp(), tls(Failure.TIMEOUT, **more))
        site.control(ControlKind.SMALL_MSS, tcp(max_segment=1200), tls(), accused=seen, rounds=3)
        return site

    return build


TLS = (
    Scene(
        name="dropped-and-other-names-unanswered",
        build=_dropped_name_on_a_bad_link,
        reason="tls_stall_after_hello",
        outcome=BLOCKED,
        least=MEDIUM,
        most=MEDIUM,
    ),
    Scene(
        name="sni-reset",
        build=_sni(Failure.RESET, seen=UNACKED),
        reason="tls_sni_reset",
        outcome=BLOCKED,
        least=MEDIUM,
        blame=Blame.FIREWALL_L7,
    ),
    Scene(
        name="reset-alone",
        build=solitary(dns(), tcp(), tls(Failure.RESET, seen=UNACKED)),
        reason="tls_reset_after_hello",
        outcome=BLOCKED,
    ),
    Scene(
        name="sni-dropped",
        build=twice(_sni(Failure.TIMEOUT, seen=UNACKED), tcp(), tls(Failure.TIMEOUT, seen=UNACKED)),
        reason="tls_sni_dropped",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(name="all-dropped", build=_dropped_all, reason="tls_all_hellos_dropped", outcome=BLOCKED),
    Scene(
        name="reset-acked",
        build=_hello(Failure.RESET),
        reason="tls_reset_after_hello",
        outcome=BLOCKED,
        least=MEDIUM,
        blame=Blame.FIREWALL_L7,
    ),
    Scene(
        name="reset-acked-by-name",
        build=_sni(Failure.RESET),
        reason="tls_reset_after_hello",
        outcome=BLOCKED,
        least=HIGH,
        blame=Blame.FIREWALL_L7,
    ),
    Scene(
        name="reset-no-info",
        build=_hello(Failure.RESET, no_info=True),
        reason="tls_reset_after_hello",
        outcome=BLOCKED,
        least=LOW,
    ),
    Scene(
        name="fin", build=_hello(Failure.CLOSED), reason="tls_fin_after_hello", outcome=BLOCKED, least=MEDIUM
    ),
    Scene(name="stall", build=_hello(Failure.TIMEOUT), reason="tls_stall_after_hello", outcome=BLOCKED),
    Scene(
        name="pmtu-in",
        build=_hello(Failure.TIMEOUT, seen=info(ooo=2)),
        reason="tls_pmtu_blackhole_inbound",
        outcome=BLOCKED,
        least=LOW,
    ),
    Scene(
        name="pmtu-in-mss",
        build=_small_mss(),
        reason="tls_pmtu_blackhole_inbound",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.PATH_MTU_LINK,
    ),
    Scene(
        name="pmtu-out-mss",
        build=_small_mss(seen=UNACKED),
        reason="tls_pmtu_blackhole_outbound",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="synproxy",
        build=_hello(Failure.TIMEOUT, seen=info(acked=0, sent=0, window=0)),
        reason="tcp_synproxy_stall",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="page-in-clear",
        build=_hello(Failure.NOT_TLS, received=80, first_text="HTTP/1.1 403 Forbidden"),
        reason="tls_plaintext_block_page",
        outcome=BLOCKED,
        least=Confidence.LOW,
        most=Confidence.LOW,
    ),
    Scene(
        name="marked-page-in-clear",
        build=_hello(
            Failure.NOT_TLS, received=80, first_text="HTTP/1.1 403 Forbidden\r\n\r\n<p>Powered by FortiGuard"
        ),
        reason="tls_plaintext_block_page",
        outcome=BLOCKED,
        least=MEDIUM,
        most=MEDIUM,
    ),
    Scene(
        name="plain-http-server",
        build=_hello(Failure.NOT_TLS, received=80, first_text="HTTP/1.1 400 Bad Request\r\nServer: nginx"),
        reason="tls_not_tls",
        outcome=BLOCKED,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="not-tls",
        build=_hello(Failure.NOT_TLS, received=20, first_text="SSH-2.0-OpenSSH"),
        reason="tls_not_tls",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="half-stall",
        build=_hello(Failure.TIMEOUT, received=40),
        reason="tls_partial_then_stall",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="half-fin",
        build=_hello(Failure.CLOSED, received=40),
        reason="tls_partial_then_fin",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="half-reset",
        build=_hello(Failure.RESET, received=40),
        reason="tls_partial_then_reset",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="tls-error",
        build=_hello(Failure.TLS_ERROR, received=40, detail="bad extension"),
        reason="tls_protocol_error",
        outcome=BLOCKED,
    ),
    Scene(
        name="tls-old",
        build=_hello(Failure.TLS_ERROR, received=40, detail="UNSUPPORTED_PROTOCOL"),
        reason="tls_alert_protocol_version",
        outcome=BLOCKED,
    ),
    Scene(
        name="tls-flood",
        build=_hello(Failure.FLOOD, received=300_000),
        reason="tls_flood",
        outcome=DOWN,
    ),
    Scene(name="tls-odd", build=_hello(Failure.OS_ERROR), reason="tls_unknown", outcome=UNKNOWN),
    Scene(
        name="mtls-13",
        build=alone(dns(), tcp(), tls(), http(failure=Failure.ALERT, alert=116)),
        reason=None,
        outcome=OK,
        also=("tls_client_cert_required",),
    ),
    Scene(
        name="mtls-12",
        build=_hello(Failure.ALERT, alert=40, hello=True, wants_certificate=True, received=900),
        reason=None,
        outcome=OK,
        also=("tls_client_cert_required",),
    ),
    *(
        Scene(
            name=f"alert-{number}",
            build=_hello(Failure.ALERT, alert=number, received=7),
            reason=alert_code(number),
            outcome=BLOCKED,
            least=MEDIUM,
        )
        for number in ALERTS
    ),
)


def _verify(
    code: int,
    *,
    about: ChainFacts | None = None,
    internal: bool = False,
    **more: Any,
) -> Callable[[], Site]:
    def build() -> Site:
        made = Site()
        seen = tls(Failure.VERIFY, code=code, about=about or facts(), **more)
        made.add(trail(dns(), tcp(), seen), internal=internal)
        return made

    return build


def _known_authority(*, key: str) -> Callable[[], Site]:
    """Return a chain with a gap beside a sound one of an authority of the same name, whose key is 22.."""

    def build() -> Site:
        site = _verify(20, about=facts(False, False, key=key), chain=FORGED)()
        above = PathCertificate(
            sha256="cd" * 32, subject="CN=Corp Inspection CA", key_id="22" * 20, not_after=LATER, sent=True
        )
        leaf = replace(above, sha256="ab" * 32, subject="CN=leaf", key_id="44" * 20)
        sound = tls(sni="sound.example", about=replace(facts(), path=(leaf, above)))
        site.add(trail(dns(name="sound.example"), tcp(), sound, http()), host="sound.example")
        return site

    return build


def _skewed() -> Site:
    site = Site(clock_offset=86_400.0)
    site.add(trail(dns(), tcp(), tls(Failure.VERIFY, code=9)))
    return site


def _same_issuer() -> Site:
    site = _verify(20, about=PRIVATE, chain=FORGED)()
    for name in ("login.microsoftonline.com", "management.azure.com"):
        site.add(
            trail(dns(name=name), tcp(), tls(Failure.VERIFY, sni=name, code=20, about=PRIVATE, chain=FORGED)),
            host=name,
        )
    return site


def _trusted(**target: Any) -> Callable[[], Site]:
    forged = tls(about=facts(False, True), chain=FORGED, alpn="http/1.1")
    return alone(dns(), tcp(), forged, http(), **target)


def _lab_roots() -> Site:
    site = Site(public_roots="/lab/roots.pem")
    site.add(
        trail(dns(), tcp(), tls(about=facts(False, True), chain=FORGED), http()), sample=SampleKind.GIVEN
    )
    return site


OLD = (certificate(not_after=LONG_AGO),)
OLD_FORGED = (certificate(issuer="CN=Corp Inspection CA", not_after=LONG_AGO, aia=()),)
NO_SAN = (certificate(san=()),)
SOON = (certificate(not_after="2026-11-25T00:00:00.000Z"), certificate())

CERTIFICATE = (
    Scene(
        name="skew",
        build=_skewed,
        reason="local_clock_skew",
        outcome=BLOCKED,
        least=HIGH,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="expired",
        build=_verify(10, chain=OLD, about=ENDED),
        reason="tls_cert_expired",
        outcome=DOWN,
        least=HIGH,
    ),
    Scene(
        name="expired-forged",
        build=_verify(10, chain=OLD_FORGED, about=facts(False, True)),
        reason="tls_mitm_cert_expired",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(name="not-yet", build=_verify(9), reason="tls_cert_not_yet_valid", outcome=BLOCKED, least=HIGH),
    Scene(
        name="no-san",
        build=_verify(62, chain=NO_SAN, about=facts(True, True, name=False, cn=True)),
        reason="tls_cert_without_san",
        outcome=DOWN,
        least=CONFIRMED,
    ),
    Scene(
        name="wrong-name-public",
        build=_verify(62, about=facts(True, True, name=False)),
        reason="tls_hostname_mismatch",
        outcome=BLOCKED,
        least=MEDIUM,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="wrong-name-private",
        build=_verify(62, about=facts(False, True, name=False)),
        reason="tls_hostname_mismatch",
        outcome=BLOCKED,
        least=MEDIUM,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(name="weak", build=_verify(66), reason="tls_weak_certificate", outcome=DOWN, least=HIGH),
    Scene(
        name="page-inside",
        build=alone(
            dns(),
            tcp(),
            tls(Failure.VERIFY, code=20, about=PRIVATE, chain=FORGED),
            http(403, body=BLOCK, unverified=True),
        ),
        reason="tls_mitm_block_page",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="mitm-page-seen-by-a-control",
        build=with_control(
            _verify(20, about=PRIVATE, chain=FORGED),
            ControlKind.LOOK_INSIDE,
            tcp(),
            tls(),
            http(403, body=BLOCK, unverified=True),
        ),
        reason="tls_mitm_block_page",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="origin-untrusted",
        build=_verify(20, about=PRIVATE, chain=(certificate(issuer='CN=Not trusted by "Corp CA"', aia=()),)),
        reason="tls_mitm_origin_untrusted",
        outcome=BLOCKED,
        least=MEDIUM,
        most=MEDIUM,
    ),
    Scene(
        name="store",
        build=_verify(20, about=facts(True, False)),
        reason="local_trust_store_incomplete",
        outcome=BLOCKED,
        least=HIGH,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="self-signed",
        build=_verify(18, about=PRIVATE, chain=(certificate(self_signed=True, aia=()),)),
        reason="tls_self_signed",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="leaf-only",
        build=_verify(20, about=PRIVATE, chain=(certificate(),)),
        reason="tls_incomplete_chain",
        outcome=DOWN,
        least=MEDIUM,
        most=MEDIUM,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="root-in-the-place-of-the-intermediate",
        build=_verify(20, about=replace(PRIVATE, unused_public=True), chain=FORGED),
        reason="tls_incomplete_chain",
        outcome=DOWN,
        least=HIGH,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="authority-known-by-another-chain",
        build=_known_authority(key="22" * 20),
        reason="tls_incomplete_chain",
        outcome=DOWN,
        least=HIGH,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="authority-with-the-name-of-another-one",
        build=_known_authority(key="33" * 20),
        reason="tls_mitm_untrusted",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="own-authority-not-in-the-store",
        build=_verify(19, about=PRIVATE, chain=FORGED, internal=True),
        reason="tls_untrusted_root",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.ENDPOINT_OWNER,
    ),
    Scene(
        name="own-server-expired",
        build=_verify(10, chain=OLD_FORGED, about=facts(False, True), internal=True),
        reason="tls_cert_expired",
        outcome=DOWN,
        least=CONFIRMED,
        blame=Blame.ENDPOINT_OWNER,
    ),
    Scene(
        name="root-of-the-store-expired",
        build=_verify(10, about=facts(True, True)),
        reason="local_trust_store_incomplete",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="weak-private",
        build=_verify(68, about=PRIVATE, chain=FORGED),
        reason="tls_weak_certificate",
        outcome=DOWN,
        blame=Blame.TLS_INSPECTION,
    ),
    Scene(
        name="name-of-a-neighbour",
        build=_verify(
            62,
            chain=(certificate(san=("www.azure.com",)), certificate()),
            about=facts(True, True, name=False),
        ),
        reason="tls_hostname_mismatch",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="authority-first",
        build=_verify(
            62,
            chain=(certificate(subject="CN=Public CA", issuer="CN=Root"), certificate()),
            about=facts(True, True, name=False),
        ),
        reason="tls_chain_misordered",
        outcome=DOWN,
        least=CONFIRMED,
        blame=Blame.AZURE_SERVICE,
    ),
    *(
        Scene(
            name=f"openssl-refuses-{code}",
            build=_verify(code),
            reason=reason,
            outcome=outcome,
            least=CONFIRMED,
            blame=blame,
        )
        for code, reason, outcome, blame in (
            (26, "tls_cert_wrong_purpose", DOWN, Blame.AZURE_SERVICE),
            (79, "tls_issuer_no_authority", DOWN, Blame.AZURE_SERVICE),
            (25, "tls_path_too_long", DOWN, Blame.AZURE_SERVICE),
            (47, "tls_name_constraint", DOWN, Blame.AZURE_SERVICE),
            (7, "tls_signature_invalid", BLOCKED, Blame.AZURE_SERVICE),
            (14, "tls_cert_invalid_field", DOWN, Blame.AZURE_SERVICE),
            (34, "tls_cert_unknown_extension", DOWN, Blame.AZURE_SERVICE),
            (23, "tls_cert_revoked", DOWN, Blame.AZURE_SERVICE),
            (3, "tls_revocation_check_failed", UNKNOWN, Blame.LOCAL_HOST),
            (28, "local_trust_store_rejects", BLOCKED, Blame.LOCAL_HOST),
            (50, "tls_chain_refused", DOWN, Blame.AZURE_SERVICE),
        )
    ),
    *(
        Scene(
            name=f"openssl-said-{detail.lower()}",
            build=alone(dns(), tcp(), tls(Failure.TLS_ERROR, detail=detail, hello=True, received=400)),
            reason=reason,
            outcome=outcome,
            least=CONFIRMED,
            blame=blame,
        )
        for detail, reason, outcome, blame in (
            ("DH_KEY_TOO_SMALL", "tls_weak_key_exchange", DOWN, Blame.AZURE_SERVICE),
            ("EXCESSIVE_MESSAGE_SIZE", "tls_beyond_our_limit", UNKNOWN, Blame.EGRESSD_ENV),
            ("WRONG_TAG", "tls_cert_invalid_field", DOWN, Blame.AZURE_SERVICE),
        )
    ),
    Scene(
        name="cipher-that-agents-lack",
        build=alone(dns(), tcp(), replace(tls(), cipher="DHE-RSA-AES256-GCM-SHA384"), http()),
        reason="tls_agent_without_cipher",
        outcome=DEGRADED,
        least=CONFIRMED,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="inspected",
        build=_verify(20, about=PRIVATE, chain=FORGED),
        reason="tls_mitm_untrusted",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="inspected-widely",
        build=_same_issuer,
        reason="tls_mitm_untrusted",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="untrusted-root",
        build=_verify(19, about=facts(None, None), chain=FORGED),
        reason="tls_untrusted_root",
        outcome=BLOCKED,
    ),
    Scene(
        name="verify-without-a-code",
        build=alone(dns(), tcp(), replace(tls(Failure.VERIFY), verify_code=None)),
        reason="tls_unknown",
        outcome=UNKNOWN,
    ),
    Scene(name="strict-only", build=_verify(85), reason=None, outcome=OK, also=("tls_strict_profile_only",)),
    Scene(
        name="inspected-trusted",
        build=_trusted(),
        reason="tls_mitm_trusted",
        outcome=DEGRADED,
        least=CONFIRMED,
        also=("tls_alpn_stripped",),
    ),
    Scene(
        name="private-ca",
        build=_trusted(sample=SampleKind.GIVEN),
        reason=None,
        outcome=OK,
        flags=("private_ca",),
    ),
    Scene(name="private-ca-lab", build=_lab_roots, reason="tls_mitm_trusted", outcome=DEGRADED),
    Scene(
        name="private-ca-internal",
        build=_trusted(internal=True),
        reason=None,
        outcome=OK,
        flags=("private_ca",),
    ),
    Scene(
        name="unreadable-date",
        build=alone(dns(), tcp(), tls(chain=(certificate(not_after=None),)), http()),
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="expiring",
        build=alone(dns(), tcp(), tls(chain=SOON), http()),
        reason="tls_cert_expiring",
        outcome=DEGRADED,
        least=CONFIRMED,
    ),
)


def _clear(answer: Observation, **target: Any) -> Callable[[], Site]:
    return alone(dns(), tcp(port=80), answer, port=80, protocol=Protocol.HTTP, **target)


def _secure(answer: Observation, **target: Any) -> Callable[[], Site]:
    return alone(dns(), tcp(), tls(), answer, **target)


def _wss(answer: Observation) -> Callable[[], Site]:
    return _secure(answer, protocol=Protocol.WSS)


BINARY = Expect(status=(200, 206), content_type="application/octet-stream")
HTML = {"content-type": "text/html; charset=utf-8"}
CAB = {"content-type": "application/vnd.ms-cab-compressed"}
RANGED = Expect(status=(206,), not_content_type="text/html", min_bytes=1024)
JSON = {"content-type": "application/json"}


def _redirect_followed(*seen: Observation) -> Callable[[], Site]:
    moved = replace(http(302), redirect="https://gone.example/")
    return with_control(_secure(moved), ControlKind.REDIRECT, *seen)


def _portal() -> Site:
    """Two names of unrelated domains lead to the same place."""
    site = Site()
    for name in (HOST, "www.other.example"):
        answer = replace(http(302, headers={"location": "https://login.corp.example/"}), host=name)
        site.add(trail(dns(name=name), tcp(port=80), answer), host=name, port=80, protocol=Protocol.HTTP)
    return site


HTTP = (
    Scene(
        name="azure-firewall",
        build=_clear(http(470, body="Action: Deny. Reason: No rule matched")),
        reason="http_azure_firewall_denied",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="page",
        build=_clear(http(403, body=BLOCK)),
        reason="http_block_page",
        outcome=BLOCKED,
        least=HIGH,
        most=HIGH,
    ),
    Scene(
        name="page-with-header",
        build=_clear(http(403, headers={"x-squid-error": "ERR_ACCESS_DENIED 0"})),
        reason="http_block_page",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="login-in-clear",
        build=_clear(http(401)),
        reason="http_transparent_proxy_auth",
        outcome=BLOCKED,
        most=MEDIUM,
    ),
    Scene(
        name="plain-403",
        build=_clear(http(403, body="Forbidden")),
        reason="http_unproven_answer",
        outcome=UNKNOWN,
        blame=Blame.FIREWALL_L7,
    ),
    Scene(
        name="plain-403-expected",
        build=_clear(http(403, body="Forbidden"), expect=Expect(status=(403,))),
        reason=None,
        outcome=OK,
        most=MEDIUM,
    ),
    Scene(
        name="service-403-in-clear",
        build=_clear(http(403, headers={"x-ms-request-id": "1"})),
        reason=None,
        outcome=OK,
        most=MEDIUM,
    ),
    Scene(
        name="json-503-in-clear", build=_clear(http(503, headers=JSON)), reason=None, outcome=OK, most=MEDIUM
    ),
    Scene(
        name="page-404-in-clear", build=_clear(http(404, headers=HTML)), reason=None, outcome=OK, most=MEDIUM
    ),
    Scene(
        name="page-for-a-certificate",
        build=_clear(http(503, headers=HTML), expect=Expect(der=True)),
        reason="http_unproven_answer",
        outcome=UNKNOWN,
    ),
    Scene(
        name="page-with-200-for-a-certificate",
        build=_clear(http(200, headers=HTML), expect=Expect(der=True)),
        reason="http_content_replaced",
        outcome=BLOCKED,
    ),
    Scene(
        name="certificate-in-clear",
        build=_clear(replace(http(200), der=True), expect=Expect(der=True)),
        reason=None,
        outcome=OK,
        least=CONFIRMED,
    ),
    Scene(
        name="page-for-an-image",
        build=_clear(http(200, headers=HTML), expect=Expect(not_content_type="text/html")),
        reason="http_content_replaced",
        outcome=BLOCKED,
    ),
    Scene(name="azure-firewall-in-service", build=_secure(http(470)), reason=None, outcome=OK),
    Scene(
        name="azure-firewall-without-its-text",
        build=_clear(http(470)),
        reason="http_azure_firewall_denied",
        outcome=BLOCKED,
        most=MEDIUM,
    ),
    Scene(
        name="odd-headers",
        build=_secure(replace(http(200), violations=("a space before the colon of `X`",))),
        reason="http_malformed_answer",
        outcome=DEGRADED,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="broken-body",
        build=_secure(http(200, Failure.MALFORMED)),
        reason="http_malformed_answer",
        outcome=DEGRADED,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="not-http-in-service",
        build=_secure(http(failure=Failure.NOT_HTTP)),
        reason="http_not_http",
        outcome=DOWN,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="slow-body",
        build=_secure(replace(http(206, Failure.TIMEOUT), bytes_received=900), expect=Expect(min_bytes=1000)),
        reason="http_slow_download",
        outcome=DEGRADED,
    ),
    Scene(
        name="decoded-size",
        build=_secure(
            replace(http(200), bytes_received=90, bytes_decoded=1000), expect=Expect(min_bytes=1000)
        ),
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="truncated-by-service",
        build=_secure(replace(http(200, Failure.TRUNCATED), close_notify=True)),
        reason="http_truncated",
        outcome=DEGRADED,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="reset-in-the-middle",
        build=_secure(replace(http(200), failure=Failure.RESET, bytes_received=900)),
        reason="http_truncated",
        outcome=DEGRADED,
    ),
    Scene(
        name="alert-after-request",
        build=_secure(http(failure=Failure.ALERT, alert=80)),
        reason="http_reset_after_request",
        outcome=DOWN,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="unknown-coding",
        build=_secure(http(200, headers={"content-encoding": "br"}), expect=Expect(sha256="aa")),
        reason="http_content_unexpected",
        outcome=UNKNOWN,
        blame=Blame.EGRESSD_ENV,
    ),
    Scene(
        name="range-refused-by-service",
        build=_secure(http(403), expect=Expect(min_bytes=1000)),
        reason="http_range_blocked",
        outcome=DEGRADED,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="redirect-dead-end",
        build=_redirect_followed(dns(failure=Failure.NXDOMAIN, name="gone.example")),
        reason=None,
        outcome=OK,
        also=("http_redirect_dead_end",),
    ),
    Scene(
        name="redirect-followed", build=_redirect_followed(tcp(), tls(), http(200)), reason=None, outcome=OK
    ),
    Scene(
        name="own-redirect",
        build=_clear(http(302, headers={"location": "https://www.other.example/"}), owned=True),
        reason=None,
        outcome=OK,
        most=MEDIUM,
    ),
    Scene(
        name="own-redirect-to-an-address",
        build=_clear(http(302, headers={"location": "https://10.9.9.9/login"}), owned=True),
        reason="http_captive_portal",
        outcome=BLOCKED,
        most=MEDIUM,
    ),
    Scene(name="portal-shared", build=_portal, reason="http_captive_portal", outcome=BLOCKED, least=HIGH),
    Scene(
        name="h2-with-http1",
        build=with_control(
            _secure(http(failure=Failure.HTTP2_ERROR)), ControlKind.HTTP1, tcp(), tls(), http()
        ),
        reason="http_h2_broken",
        outcome=DEGRADED,
    ),
    Scene(name="page-words-in-service", build=_secure(http(403, body=BLOCK)), reason=None, outcome=OK),
    Scene(
        name="proxy-auth",
        build=_clear(http(407, headers={"proxy-authenticate": "Basic"})),
        reason="http_transparent_proxy_auth",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="portal",
        build=_clear(http(302, headers={"location": "https://login.corp.example/"})),
        reason="http_captive_portal",
        outcome=BLOCKED,
        most=MEDIUM,
    ),
    Scene(name="portal-511", build=_clear(http(511)), reason="http_captive_portal", outcome=BLOCKED),
    Scene(
        name="redirect-own",
        build=_clear(http(301, headers={"location": "https://www.microsoft.com/"})),
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="redirect-secure",
        build=_secure(http(302, headers={"location": "https://portal.other.example/"})),
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="range",
        build=_clear(http(416), expect=Expect(min_bytes=1000)),
        reason="http_range_blocked",
        outcome=DEGRADED,
    ),
    Scene(
        name="status-expected-of-a-product-s-page",
        build=_clear(http(403, body=BLOCK), expect=Expect(status=(200, 403, 404))),
        reason="http_block_page",
        outcome=BLOCKED,
    ),
    Scene(
        name="status-expected-of-an-own-server-s-page",
        build=_clear(http(403, body=BLOCK), expect=Expect(status=(200, 403, 404)), owned=True),
        reason=None,
        outcome=OK,
        most=MEDIUM,
    ),
    Scene(
        name="redirect-expected-and-led-away",
        build=_clear(
            http(302, headers={"location": "http://login.guest-network.example/"}),
            expect=Expect(status=(200, 302, 404)),
        ),
        reason="http_captive_portal",
        outcome=BLOCKED,
    ),
    Scene(
        name="range-ignored",
        build=_clear(http(200, headers=CAB, received=8000), expect=RANGED),
        reason="http_range_blocked",
        outcome=DEGRADED,
    ),
    Scene(
        name="range-answered",
        build=_clear(http(206, headers=CAB, received=1024), expect=RANGED),
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="range-replaced",
        build=_clear(http(200, headers=HTML, received=8000), expect=RANGED),
        reason="http_content_replaced",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="replaced",
        build=_clear(http(200, headers=HTML), expect=BINARY),
        reason="http_content_replaced",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="replaced-digest",
        build=_clear(http(200, sha256="bb"), expect=Expect(sha256="aa")),
        reason="http_content_replaced",
        outcome=BLOCKED,
    ),
    Scene(
        name="truncated",
        build=_clear(http(200, Failure.TRUNCATED)),
        reason="http_truncated",
        outcome=DEGRADED,
        least=HIGH,
    ),
    Scene(
        name="unexpected-status",
        build=_secure(http(404), expect=Expect(status=(200,))),
        reason="http_unexpected_status",
        outcome=DOWN,
    ),
    Scene(
        name="expected-status",
        build=_secure(http(404), expect=Expect(status=(200, 404))),
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="unexpected-content",
        build=_secure(http(200, headers=HTML), expect=BINARY),
        reason="http_content_unexpected",
        outcome=DEGRADED,
    ),
    Scene(
        name="private-only",
        build=_secure(http(403, body="Public network access is disabled")),
        reason="service_public_access_denied",
        outcome=DEGRADED,
    ),
    Scene(name="websocket-ok", build=_wss(http(101)), reason=None, outcome=OK),
    Scene(name="websocket-404", build=_wss(http(404)), reason=None, outcome=OK),
    Scene(
        name="websocket-200",
        build=_wss(http(200)),
        reason="http_websocket_blocked",
        outcome=DOWN,
        least=MEDIUM,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="websocket-closed",
        build=_wss(http(failure=Failure.CLOSED)),
        reason="http_websocket_blocked",
        outcome=DOWN,
    ),
    Scene(name="h2", build=_secure(http(failure=Failure.HTTP2_ERROR)), reason="http_h2_broken", outcome=DOWN),
    Scene(
        name="reset-after-request",
        build=_secure(http(failure=Failure.RESET)),
        reason="http_reset_after_request",
        outcome=DOWN,
    ),
    Scene(
        name="reset-in-clear",
        build=_clear(http(failure=Failure.RESET)),
        reason="http_reset_after_request",
        outcome=BLOCKED,
        blame=Blame.FIREWALL_L7,
    ),
    Scene(
        name="no-answer", build=_secure(http(failure=Failure.TIMEOUT)), reason="http_no_answer", outcome=DOWN
    ),
    Scene(
        name="not-http",
        build=_clear(http(failure=Failure.NOT_HTTP)),
        reason="http_not_http",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="too-large",
        build=_clear(http(failure=Failure.TOO_LARGE)),
        reason="http_headers_too_large",
        outcome=UNKNOWN,
    ),
    Scene(
        name="http-flood",
        build=_secure(http(failure=Failure.FLOOD)),
        reason="http_flood",
        outcome=DOWN,
        blame=Blame.AZURE_SERVICE,
    ),
    Scene(
        name="http-flood-in-clear",
        build=_clear(http(failure=Failure.FLOOD)),
        reason="http_flood",
        outcome=DOWN,
    ),
    Scene(
        name="http-odd", build=_clear(http(failure=Failure.OS_ERROR)), reason="http_unknown", outcome=UNKNOWN
    ),
    Scene(
        name="cached",
        build=_clear(http(200, headers={"via": "1.1 squid.corp"})),
        reason=None,
        outcome=OK,
        also=("http_transparent_proxy_present",),
    ),
    Scene(
        name="cdn",
        build=_clear(http(200, headers={"x-cache": "TCP_HIT", "x-azure-ref": "0"})),
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="slow",
        build=_secure(http(200, throughput=2000.0)),
        reason="http_slow_download",
        outcome=DEGRADED,
    ),
    Scene(
        name="service-401",
        build=_secure(http(401)),
        reason=None,
        outcome=OK,
        also=("service_reachable_http",),
    ),
)


def _connect(answer: Observation, *more: Observation, **target: Any) -> Callable[[], Site]:
    return proxied(tcp(port=3128), answer, *more, **target)


def _squid(error: str, status: int = 503) -> Callable[[], Site]:
    return _connect(connect(status, headers={"x-squid-error": error}))


def _port_denied() -> Site:
    site = _connect(connect(403), port=8443)()
    site.add(trail(tcp(port=3128), connect(), tls(), http(), path=PROXY), via_proxy=True)
    return site


def _breaks() -> Site:
    site = _connect(connect(403))()
    site.add(good(), host=HOST, contrast=True)
    return site


def _forwarded(status: int, *, credentials: bool = False, **headers: str) -> Callable[[], Site]:
    """A plain request that a proxy was to forward."""
    reported = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = replace(http(status, headers=reported), credentials_sent=credentials)
    return proxied(tcp(port=3128), answer, port=80, protocol=Protocol.HTTP)


def _other_name_in_tunnel(shown: Failure | None) -> Callable[[], Site]:
    """A tunnel that is closed on one name in each round, and how another name in it ended."""

    def build() -> Site:
        site = _connect(connect(), tls(Failure.CLOSED))()
        opened = (tcp(port=3128), connect())
        answer = (*opened, tls(shown, sni="other.example"))
        site.control(ControlKind.SNI_CONTRAST, *answer, accused=(*opened, tls(Failure.CLOSED)), rounds=3)
        control = site.controls[-1]
        site.controls[-1] = replace(
            control,
            trails=tuple(replace(one, path=PROXY) for one in control.trails),
            subject_trails=tuple(replace(one, path=PROXY) for one in control.subject_trails),
        )
        return site

    return build


def _refused_beside_others(answer: Observation) -> Callable[[], Site]:
    """One name is refused by a proxy that opens a tunnel to another one."""

    def build() -> Site:
        site = _connect(answer)()
        fine = trail(tcp(port=3128), connect(), tls(sni="a.example"), http(), path=PROXY)
        site.add(fine, host="a.example", via_proxy=True)
        return site

    return build


def _web_server() -> Site:
    """The configured proxy is a web server: it has a page for everything."""
    site = _forwarded(200, server="nginx")()
    site.add(trail(tcp(port=3128), connect(405), path=PROXY), via_proxy=True)
    return site


def _silent_connect() -> Site:
    site = _connect(connect(None, Failure.TIMEOUT))()
    site.add(trail(tcp(port=3128), connect(), tls(), http(), path=PROXY), host="a.example", via_proxy=True)
    return site


PROXY_SCENES = (
    *(
        Scene(
            name=f"out-of-buffers-in-{seen[-1].phase}",
            build=alone(*seen),
            reason="local_resource_exhausted",
            outcome=UNKNOWN,
            blame=Blame.EGRESSD_ENV,
        )
        for seen in (
            (dns(), tcp(), tls(Failure.NO_RESOURCES)),
            (dns(), tcp(), tls(), http(None, Failure.NO_RESOURCES)),
        )
    ),
    Scene(
        name="out-of-buffers-at-the-proxy",
        build=_connect(connect(None, Failure.NO_RESOURCES)),
        reason="local_resource_exhausted",
        outcome=UNKNOWN,
        blame=Blame.EGRESSD_ENV,
    ),
    Scene(
        name="proxy-tls-untrusted",
        build=proxied(tcp(port=3128), tls(Failure.VERIFY, code=20)),
        reason="proxy_certificate_untrusted",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="proxy-tls-not",
        build=proxied(tcp(port=3128), tls(Failure.NOT_TLS)),
        reason="proxy_not_connect_capable",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="proxy-407-negotiate",
        build=_connect(connect(407, headers={"proxy-authenticate": "Negotiate, NTLM"}, credentials=True)),
        reason="proxy_auth_unsupported",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="plain-407",
        build=_forwarded(407, proxy_authenticate='Basic realm="a, b"'),
        reason="proxy_auth_required",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="plain-407-again",
        build=_forwarded(407, credentials=True, proxy_authenticate="Basic"),
        reason="proxy_auth_rejected",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="plain-403-squid",
        build=_forwarded(403, server="squid/5.7", x_squid_error="ERR_ACCESS_DENIED 0"),
        reason="proxy_denied",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(name="plain-403-without-signature", build=_forwarded(403), reason="proxy_denied", outcome=BLOCKED),
    Scene(
        name="plain-503-without-signature", build=_forwarded(503), reason="proxy_upstream_error", outcome=DOWN
    ),
    Scene(name="plain-403-origin", build=_forwarded(403, server="AkamaiGHost"), reason=None, outcome=OK),
    Scene(name="plain-404", build=_forwarded(404, via="1.1 squid"), reason=None, outcome=OK),
    Scene(name="plain-503-azure", build=_forwarded(503, x_azure_ref="0"), reason=None, outcome=OK),
    Scene(
        name="plain-web-server",
        build=_web_server,
        reason="proxy_not_connect_capable",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="proxy-silent",
        build=_silent_connect,
        reason="proxy_upstream_timeout",
        outcome=BLOCKED,
    ),
    Scene(
        name="proxy-name",
        build=proxied(dns(name="proxy.corp.example", soa=True, **NXDOMAIN)),
        reason="proxy_name_unresolvable",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="proxy-refused",
        build=proxied(tcp(Failure.REFUSED, port=3128)),
        reason="proxy_unreachable",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="proxy-407",
        build=_connect(connect(407)),
        reason="proxy_auth_required",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="proxy-407-again",
        build=_connect(connect(407, credentials=True)),
        reason="proxy_auth_rejected",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(name="proxy-403", build=_connect(connect(403)), reason="proxy_denied", outcome=BLOCKED, least=HIGH),
    Scene(name="proxy-port", build=_port_denied, reason="proxy_port_denied", outcome=BLOCKED, least=HIGH),
    Scene(name="proxy-breaks", build=_breaks, reason="proxy_breaks_path", outcome=BLOCKED, least=HIGH),
    Scene(
        name="proxy-111",
        build=_squid("ERR_CONNECT_FAIL 111"),
        reason="proxy_upstream_refused",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="proxy-110",
        build=_squid("ERR_CONNECT_FAIL 110"),
        reason="proxy_upstream_timeout",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="proxy-101",
        build=_squid("ERR_CONNECT_FAIL 101"),
        reason="proxy_upstream_unreachable",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="proxy-dns",
        build=_squid("ERR_CANNOT_FORWARD 0", 500),
        reason="proxy_upstream_dns_failed",
        outcome=DOWN,
        least=HIGH,
    ),
    Scene(
        name="proxy-502",
        build=_connect(connect(502)),
        reason="proxy_upstream_error",
        outcome=DOWN,
        least=MEDIUM,
    ),
    Scene(
        name="proxy-302",
        build=_connect(connect(302, headers={"location": "https://portal.corp.example/?u=..."})),
        reason="proxy_redirected",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="proxy-308-to-nowhere",
        build=_connect(connect(308)),
        reason="proxy_redirected",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="proxy-401",
        build=_connect(connect(401, headers={"www-authenticate": "Negotiate"})),
        reason="proxy_login_required",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="plain-511",
        build=_forwarded(511),
        reason="proxy_login_required",
        outcome=BLOCKED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="proxy-429",
        build=_connect(connect(429, headers={"retry-after": "60"})),
        reason="proxy_rate_limited",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    *(
        Scene(
            name=f"proxy-{status}",
            build=_connect(connect(status)),
            reason="proxy_denied",
            outcome=BLOCKED,
            least=CONFIRMED,
            blame=Blame.EXPLICIT_PROXY,
        )
        for status in (451, 470)
    ),
    *(
        Scene(
            name=f"proxy-{status}",
            build=_connect(connect(status)),
            reason="proxy_refused",
            outcome=BLOCKED,
            least=CONFIRMED,
            blame=Blame.EXPLICIT_PROXY,
        )
        for status in (402, 410, 418, 423, 505, 599, 999)
    ),
    Scene(
        name="proxy-405-for-one-name",
        build=_refused_beside_others(connect(405)),
        reason="proxy_refused",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="proxy-504",
        build=_connect(connect(504)),
        reason="proxy_upstream_timeout",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="proxy-504-about-dns",
        build=_connect(connect(504, body="could not resolve host")),
        reason="proxy_upstream_dns_failed",
        outcome=DOWN,
    ),
    Scene(
        name="proxy-200-with-a-page",
        build=_connect(connect(200, Failure.PROXY_PAGE, headers={"content-type": "text/html"})),
        reason="proxy_page_for_tunnel",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="proxy-200-and-a-late-page",
        build=_connect(connect(), tls(Failure.NOT_TLS, first_text="<!DOCTYPE html><html>")),
        reason="proxy_page_for_tunnel",
        outcome=BLOCKED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="proxy-and-ssh-behind-it",
        build=_connect(connect(), tls(Failure.NOT_TLS, first_text="SSH-2.0-x")),
        reason="tls_not_tls",
        outcome=BLOCKED,
    ),
    Scene(
        name="proxy-hangs-up",
        build=_connect(connect(None, Failure.CLOSED)),
        reason="proxy_closed",
        outcome=BLOCKED,
        least=MEDIUM,
        most=MEDIUM,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="proxy-answers-nobody",
        build=_connect(connect(None, Failure.TIMEOUT)),
        reason="proxy_no_answer",
        outcome=BLOCKED,
        least=MEDIUM,
        most=MEDIUM,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="proxy-405",
        build=_connect(connect(405)),
        reason="proxy_not_connect_capable",
        outcome=BLOCKED,
        least=HIGH,
    ),
    Scene(
        name="proxy-not-http",
        build=_connect(connect(None, Failure.NOT_HTTP)),
        reason="proxy_not_connect_capable",
        outcome=BLOCKED,
    ),
    Scene(
        name="proxy-odd",
        build=_connect(connect(None, Failure.TOO_LARGE)),
        reason="proxy_unknown",
        outcome=UNKNOWN,
        least=Confidence.INCONCLUSIVE,
    ),
    Scene(
        name="tunnel-closed",
        build=_connect(connect(), tls(Failure.CLOSED)),
        reason="proxy_tunnel_closed",
        outcome=BLOCKED,
        most=MEDIUM,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="tunnel-closed-for-any-name",
        build=_other_name_in_tunnel(Failure.CLOSED),
        reason="proxy_tunnel_closed",
        outcome=BLOCKED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="tunnel-closed-for-one-name",
        build=_other_name_in_tunnel(None),
        reason="proxy_tunnel_closed_on_sni",
        outcome=BLOCKED,
        least=HIGH,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="tunnel-stall",
        build=_connect(connect(), tls(Failure.TIMEOUT)),
        reason="proxy_tunnel_stall",
        outcome=BLOCKED,
    ),
    Scene(
        name="tunnel-page",
        build=_connect(
            connect(),
            tls(Failure.VERIFY, code=20, about=PRIVATE, chain=FORGED),
            http(403, headers={"x-squid-error": "ERR_ACCESS_DENIED 0"}, unverified=True),
        ),
        reason="proxy_block_page_in_tunnel",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="tunnel-origin",
        build=_connect(
            connect(),
            tls(
                Failure.VERIFY,
                code=20,
                about=PRIVATE,
                chain=(certificate(issuer='CN=Not trusted by "Proxy CA"', aia=()),),
            ),
        ),
        reason="proxy_origin_untrusted",
        outcome=BLOCKED,
        least=MEDIUM,
        most=MEDIUM,
    ),
    Scene(
        name="tunnel-alert",
        build=_connect(connect(), tls(Failure.ALERT, alert=40, received=7)),
        reason="tls_alert_handshake_failure",
        outcome=BLOCKED,
    ),
    Scene(
        name="tunnel-forged",
        build=_connect(connect(), tls(Failure.VERIFY, code=20, about=PRIVATE, chain=FORGED)),
        reason="tls_mitm_untrusted",
        outcome=BLOCKED,
    ),
    Scene(
        name="tunnel-ok",
        build=_connect(connect(), tls(), http()),
        reason=None,
        outcome=OK,
        flags=("proxied",),
    ),
)


def _random(*seen: Observation) -> Callable[[], Site]:
    label = "egressd-probe-0a1b2c3d.his.arc.azure.com"
    return alone(*seen, host=label, sample=SampleKind.RANDOM, pattern="*.his.arc.azure.com")


RANDOM = (
    Scene(
        name="random-hello",
        build=_random(dns(), tcp(), tls(Failure.VERIFY, code=62)),
        reason=None,
        outcome=OK,
        flags=("rule_probe",),
    ),
    Scene(
        name="random-112",
        build=_random(dns(), tcp(), tls(Failure.ALERT, alert=112, received=7)),
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="random-reset",
        build=_random(dns(), tcp(), tls(Failure.RESET, seen=UNACKED)),
        reason="tls_reset_after_hello",
        outcome=BLOCKED,
        flags=("rule_probe",),
    ),
)


def _unprobed() -> Site:
    site = Site()
    site.add(skipped="interrupted")
    return site


def _bug() -> Site:
    site = Site()
    site.add(bug="KeyError: 'x'")
    return site


def _cut_short() -> Site:
    site = Site()
    site.add(trail(dns(), tcp()))
    return site


OWN_SCENES = (
    Scene(name="skipped", build=_unprobed, reason="not_probed", outcome=UNKNOWN),
    Scene(name="bug", build=_bug, reason="internal_error", outcome=UNKNOWN),
    Scene(name="cut-short", build=_cut_short, reason="not_probed", outcome=UNKNOWN),
    Scene(
        name="bug-in-phase",
        build=solitary(dns(), tcp(Failure.INTERNAL_ERROR)),
        reason="internal_error",
        outcome=UNKNOWN,
    ),
)

PEERS = (
    Scene(name="burst", build=burst(LATE, EARLY), reason="tcp_rate_limited", outcome=DEGRADED, least=MEDIUM),
    Scene(
        name="load",
        build=concurrency_limited,
        reason="nat_ports_exhausted",
        outcome=DEGRADED,
        blame=Blame.NAT_DEVICE,
    ),
    Scene(
        name="stale-address",
        build=stale_address,
        reason="tcp_some_ips_blocked",
        outcome=DEGRADED,
        also=("tcp_fqdn_rule_stale_ip",),
    ),
    Scene(
        name="downgraded",
        build=downgraded,
        reason="tls_mitm_trusted",
        outcome=DEGRADED,
        also=("tls_version_downgraded",),
        flags=("tls_mitm_partial",),
    ),
    Scene(
        name="invented",
        build=nxdomain_rewriting,
        reason="dns_nxdomain_rewritten",
        outcome=BLOCKED,
        least=HIGH,
        also=("tls_hostname_mismatch",),
    ),
    Scene(
        name="stale-answer",
        build=stale(age="2592000"),
        reason="http_stale_cache",
        outcome=DEGRADED,
        least=MEDIUM,
        blame=Blame.TRANSPARENT_PROXY,
    ),
    Scene(
        name="proxy-untold",
        build=unused_proxy,
        reason="tcp_egress_all_blocked",
        outcome=BLOCKED,
        also=("local_firewall_drop_tcp", "local_proxy_config_mismatch"),
        flags=("local_firewall_not_ruled_out",),
    ),
    Scene(
        name="reset-before-hello-when-repeated",
        build=with_control(
            alone(dns(), tcp(), tls(Failure.RESET)), ControlKind.REPEAT, tcp(Failure.RESET), address=ADDRESS
        ),
        reason="tcp_reset_after_accept",
        outcome=BLOCKED,
    ),
    Scene(
        name="reset-of-a-name-that-was-quick-once",
        build=with_control(
            with_control(alone(dns(), tcp(), tls(Failure.RESET)), ControlKind.REPEAT, tcp(Failure.RESET)),
            ControlKind.SNI_CONTRAST,
            tcp(),
            tls(sni="other.example"),
        ),
        reason="tls_reset_after_hello",
        outcome=BLOCKED,
        blame=Blame.FIREWALL_L7,
    ),
    Scene(
        name="reset-before-hello",
        build=reset_before_hello,
        reason="tcp_reset_after_accept",
        outcome=BLOCKED,
        blame=Blame.TRANSPARENT_PROXY,
    ),
)

HELLOS = (
    Scene(
        name="large-hello-lost",
        build=control_scenes.lost_in_two_segments,
        reason="tls_large_hello_intolerant",
        outcome=DEGRADED,
        least=HIGH,
        blame=Blame.FIREWALL_L7,
    ),
    Scene(
        name="large-hello-lost-once",
        build=control_scenes.lost_without_control,
        reason="tls_large_hello_intolerant",
        outcome=DEGRADED,
    ),
    Scene(
        name="large-hello-of-our-own",
        build=control_scenes.own_large_hello,
        reason="tls_large_hello_intolerant",
        outcome=BLOCKED,
        least=MEDIUM,
    ),
    Scene(
        name="large-hello-too-big-for-the-path",
        build=control_scenes.lost_in_full_segments,
        reason="tls_pmtu_blackhole_outbound",
        outcome=DEGRADED,
        least=CONFIRMED,
        blame=Blame.PATH_MTU_LINK,
    ),
    Scene(
        name="name-late-in-the-hello",
        build=control_scenes.late_sni_lost,
        reason="tls_sni_position_intolerant",
        outcome=DEGRADED,
        least=MEDIUM,
    ),
    Scene(
        name="hello-without-a-name",
        build=control_scenes.no_sni_lost,
        reason=None,
        outcome=OK,
        also=("tls_no_sni_denied",),
    ),
    Scene(
        name="refused-on-the-way",
        build=control_scenes.refused_at_hop_two,
        reason="tcp_refused_by_middlebox",
        outcome=BLOCKED,
        least=MEDIUM,
        blame=Blame.FIREWALL_L3L4,
    ),
    Scene(
        name="refused-by-the-far-end",
        build=control_scenes.refused_at_the_far_end,
        reason="tcp_refused",
        outcome=BLOCKED,
    ),
    Scene(
        name="reset-on-the-way",
        build=control_scenes.reset_at_hop_two,
        reason="tls_reset_after_hello",
        outcome=BLOCKED,
        least=LOW,
    ),
)

RESERVED, LEGACY, SHARED = "198.18.0.7", "28.0.0.7", "100.100.1.7"
NODATA: dict[str, Any] = {"failure": Failure.NODATA, "rcode": "NOERROR"}
REFUSED_AAAA = dns(failure=Failure.RCODE, rcode="REFUSED", v6=True)
SILENT_UDP = query(failure=Failure.TIMEOUT)
OVER_TCP = query(transport="tcp")
DNS_SCENES = (
    Scene(
        name="liar-silent",
        build=disagreeing(LIE, tcp(Failure.TIMEOUT, address=LIE)),
        reason="dns_unexpected_address",
        outcome=DEGRADED,
        most=MEDIUM,
        blame=Blame.DNS_FILTER,
    ),
    Scene(
        name="liar-refuses",
        build=disagreeing(LIE, tcp(Failure.REFUSED, address=LIE)),
        reason="dns_unexpected_address",
        outcome=DEGRADED,
        most=MEDIUM,
    ),
    Scene(
        name="liar-wrong-server",
        build=disagreeing(LIE, tcp(address=LIE), tls(Failure.VERIFY, code=62)),
        reason="dns_unexpected_address",
        outcome=DEGRADED,
        least=HIGH,
    ),
    Scene(
        name="liar-loopback",
        build=disagreeing("127.0.0.1", tcp(Failure.REFUSED, address="127.0.0.1")),
        reason="dns_null_answer",
        outcome=DEGRADED,
    ),
    Scene(
        name="liar-private",
        build=disagreeing("10.9.9.9", tcp(Failure.TIMEOUT, address="10.9.9.9"), owned=True),
        reason="dns_bogon_answer",
        outcome=DEGRADED,
    ),
    Scene(
        name="liar-reserved",
        build=disagreeing(RESERVED, tcp(Failure.TIMEOUT, address=RESERVED)),
        reason="dns_synthetic_address",
        outcome=DEGRADED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="nobody-proves-an-address",
        build=disagreeing(
            LIE,
            tcp(Failure.TIMEOUT, address=LIE),
            right=(tcp(Failure.TIMEOUT, address=OTHER_ADDRESS),),
        ),
        reason="tcp_ip_blocked_silent",
        outcome=BLOCKED,
    ),
    Scene(
        name="reserved-silent",
        build=at_address(RESERVED),
        reason="dns_synthetic_address",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="reserved-unreachable",
        build=at_address(RESERVED, tcp(Failure.UNREACHABLE, address=RESERVED, error=icmp(3, 1))),
        reason="dns_synthetic_address",
        outcome=BLOCKED,
    ),
    Scene(
        name="reserved-works",
        build=at_address(RESERVED, tcp(address=RESERVED), tls(), http()),
        reason=None,
        outcome=OK,
        also=("dns_synthetic_address",),
    ),
    Scene(
        name="legacy-silent",
        build=at_address(LEGACY),
        reason="dns_synthetic_address",
        outcome=BLOCKED,
        most=MEDIUM,
    ),
    Scene(
        name="shared-space-silent",
        build=at_address(SHARED),
        reason="dns_synthetic_address",
        outcome=BLOCKED,
    ),
    Scene(
        name="shared-space-of-the-operator",
        build=at_address(SHARED, owned=True),
        reason="tcp_ip_blocked_silent",
        outcome=BLOCKED,
    ),
    Scene(
        name="private-address-of-the-operator",
        build=at_address("10.99.0.2", tcp(Failure.REFUSED, address="10.99.0.2"), owned=True),
        reason="tcp_refused",
        outcome=BLOCKED,
    ),
    Scene(
        name="addresses-in-a-row",
        build=in_a_row,
        reason="dns_doubtful_address",
        outcome=BLOCKED,
        most=LOW,
        also=("tcp_ip_blocked_silent",),
    ),
    Scene(
        name="addresses-in-a-row-that-answer",
        build=lambda: in_a_row(works=True),
        reason="tcp_ip_blocked_silent",
        outcome=BLOCKED,
    ),
    Scene(name="asked-again", build=asked_again(), reason="dns_slow", outcome=DEGRADED),
    Scene(
        name="asked-again-by-control",
        build=asked_again(control=True),
        reason="dns_slow",
        outcome=UNKNOWN,
        blame=Blame.DNS_RESOLVER,
    ),
    Scene(
        name="asked-again-and-denied",
        build=asked_again(later=dns(soa=True, **NXDOMAIN), control=True),
        reason="dns_slow",
        outcome=UNKNOWN,
    ),
    Scene(name="slow-for-every-name", build=slow_for_all, reason="dns_slow", outcome=UNKNOWN),
    Scene(
        name="other-family-by-control",
        build=other_family_by_control,
        reason="dns_other_family_only",
        outcome=UNKNOWN,
        blame=Blame.EGRESSD_ENV,
    ),
    Scene(
        name="other-family-not-on-this-host",
        build=lambda: other_family(
            trail(dns(soa=True, **NODATA)),
            trail(dns("2603:1030::9", v6=True), tcp(Failure.UNREACHABLE, address="2603:1030::9", errno=101)),
        ),
        reason="dns_other_family_only",
        outcome=BLOCKED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="address-of-the-other-family",
        build=lambda: other_family(
            trail(dns(name="2603:1030::9", resolver="literal", queries=(), **NODATA)), host="2603:1030::9"
        ),
        reason="dns_other_family_only",
        outcome=BLOCKED,
    ),
    Scene(
        name="search-list",
        build=solitary(
            dns(LIE, resolver="system", cnames=(f"{HOST}.corp.example",)),
            tcp(address=LIE),
            tls(Failure.VERIFY, code=62),
        ),
        reason="dns_search_list",
        outcome=BLOCKED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="aaaa-refused",
        build=_aaaa(REFUSED_AAAA),
        reason="dns_aaaa_broken",
        outcome=DEGRADED,
        least=CONFIRMED,
    ),
    Scene(
        name="aaaa-denied",
        build=_aaaa(dns(v6=True, soa=True, **NXDOMAIN)),
        reason="dns_aaaa_broken",
        outcome=DEGRADED,
    ),
    Scene(name="aaaa-empty", build=_aaaa(dns(v6=True, soa=True, **NODATA)), reason=None, outcome=OK),
    Scene(
        name="row-tcp-closed",
        build=resolver_row(query(rcode="NOERROR"), query(transport="tcp", failure=Failure.TIMEOUT)),
        reason="dns_tcp_blocked",
        outcome=DEGRADED,
        least=CONFIRMED,
        blame=Blame.FIREWALL_L3L4,
    ),
    Scene(
        name="row-udp-closed",
        build=resolver_row(query(failure=Failure.REFUSED), OVER_TCP),
        reason="dns_udp_blocked",
        outcome=BLOCKED,
    ),
    Scene(
        name="udp-closed-at-one-of-two",
        build=two_resolvers(first=dns(OTHER_ADDRESS, queries=(SILENT_UDP, OVER_TCP))),
        reason="dns_udp_blocked",
        outcome=DEGRADED,
    ),
    Scene(
        name="query-rejected",
        build=alone(dns(failure=Failure.RCODE, rcode="NOTIMP")),
        reason="dns_query_rejected",
        outcome=BLOCKED,
        blame=Blame.DNS_RESOLVER,
    ),
    Scene(
        name="no-recursion",
        build=alone(dns(queries=(query(referral=True, failure=Failure.NODATA),), **NODATA)),
        reason="dns_no_recursion",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="injected-denial",
        build=injected(dns(soa=True, **NXDOMAIN), answer=dns(soa=True, **NXDOMAIN)),
        reason="dns_nxdomain_filtered",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.DNS_FILTER,
    ),
    Scene(
        name="injected-address",
        build=injected(dns(LIE), tcp(Failure.TIMEOUT, address=LIE), answer=dns(LIE)),
        reason="dns_unexpected_address",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.DNS_FILTER,
    ),
    Scene(
        name="two-answers-to-one-query",
        build=raced,
        reason="dns_nxdomain_filtered",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.DNS_FILTER,
    ),
    Scene(
        name="zone-denies-and-nothing-proves-the-address",
        build=disputed(tcp(Failure.REFUSED, address=LIE)),
        reason="dns_resolvers_disagree",
        outcome=BLOCKED,
        most=LOW,
    ),
    Scene(
        name="zone-denies-and-a-page-is-served",
        build=disputed(tcp(address=LIE, port=80), http(), port=80, protocol=Protocol.HTTP),
        reason="dns_resolvers_disagree",
        outcome=DEGRADED,
        most=LOW,
    ),
    Scene(
        name="wildcard-of-the-zone",
        build=wildcard(),
        reason="tls_hostname_mismatch",
        outcome=BLOCKED,
    ),
    Scene(
        name="zone-rewritten",
        build=wildcard(named=False),
        reason="dns_nxdomain_rewritten",
        outcome=BLOCKED,
        most=MEDIUM,
    ),
    Scene(
        name="wildcard-of-the-operator",
        build=wildcard(named=False, owned=True),
        reason="tls_hostname_mismatch",
        outcome=BLOCKED,
    ),
    Scene(
        name="everything-rewritten",
        build=wildcard(named=False, owned=True, unrelated=True),
        reason="dns_nxdomain_rewritten",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="private-link-in-part",
        build=mixed_scope(),
        reason="dns_private_link_mixed",
        outcome=DEGRADED,
        least=CONFIRMED,
        blame=Blame.DNS_RESOLVER,
    ),
    Scene(
        name="derived-name-absent",
        build=alone(dns(**GONE, soa=True), sample=SampleKind.DERIVED, need=Need.OPTIONAL),
        reason="dns_derived_name_absent",
        outcome=UNKNOWN,
        least=CONFIRMED,
        blame=Blame.EGRESSD_ENV,
        flags=("derived_name",),
    ),
    Scene(
        name="private-link-scope-with-a-public-name",
        build=scope_in_use(dns(ADDRESS)),
        reason="dns_private_link_public",
        outcome=DEGRADED,
        least=CONFIRMED,
        blame=Blame.DNS_RESOLVER,
    ),
    Scene(
        name="private-link-scope-beside-a-public-aaaa",
        build=scope_in_use(dns("10.20.0.5"), dns("2001:db8::5", v6=True)),
        reason="dns_private_link_one_family",
        outcome=DEGRADED,
        least=CONFIRMED,
        blame=Blame.DNS_RESOLVER,
    ),
    Scene(
        name="private-link-scope-with-a-private-name",
        build=scope_in_use(dns("10.20.0.5")),
        reason=None,
        outcome=OK,
    ),
    Scene(
        name="private-link-scope-and-a-zone-that-is-too-wide",
        build=scope_in_use(dns("10.20.0.5"), host="login.microsoftonline.com", capable=False),
        reason="dns_private_link_unexpected",
        outcome=DEGRADED,
        least=CONFIRMED,
    ),
    Scene(
        name="private-link-throughout",
        build=mixed_scope(others_private=True),
        reason=None,
        outcome=OK,
        also=("dns_private_link",),
    ),
)


ARC_SCENES = (
    Scene(
        name="arc-proxy-gone",
        build=by_arc_proxy(),
        reason="proxy_arc_unreachable",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.LOCAL_HOST,
    ),
    Scene(
        name="arc-403",
        build=by_arc_proxy(connect(403), gateway=GATEWAY_REACHED),
        reason="proxy_arc_denied",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="arc-502-and-the-gateway-answers",
        build=by_arc_proxy(connect(502), gateway=GATEWAY_REACHED),
        reason="proxy_arc_failed",
        outcome=BLOCKED,
        least=CONFIRMED,
        blame=Blame.EXPLICIT_PROXY,
    ),
    Scene(
        name="arc-502-and-the-gateway-was-not-tried",
        build=by_arc_proxy(connect(502)),
        reason="proxy_arc_failed",
        outcome=BLOCKED,
        least=CONFIRMED,
    ),
    Scene(
        name="arc-silence",
        build=by_arc_proxy(connect(None, Failure.TIMEOUT), gateway=GATEWAY_REACHED),
        reason="proxy_arc_failed",
        outcome=BLOCKED,
        most=MEDIUM,
    ),
    Scene(
        name="arc-502-and-no-gateway",
        build=by_arc_proxy(connect(502), gateway=GATEWAY_SILENT),
        reason="proxy_arc_no_gateway",
        outcome=BLOCKED,
        most=HIGH,
    ),
    Scene(
        name="arc-407-of-the-proxy-before-the-gateway",
        build=by_arc_proxy(connect(407, headers={"proxy-authenticate": "NTLM"}), gateway=GATEWAY_REACHED),
        reason="proxy_arc_denied",
        outcome=BLOCKED,
    ),
    Scene(
        name="arc-through",
        build=by_arc_proxy(connect(), tls(sni=FORWARDED), http(), gateway=GATEWAY_SILENT),
        reason=None,
        outcome=OK,
    ),
)

SCENES = (
    *ARC_SCENES,
    *DNS_SCENES,
    *HELLOS,
    *PEERS,
    *LOCAL,
    *DNS,
    *TCP,
    *PROXY_SCENES,
    *TLS,
    *CERTIFICATE,
    *HTTP,
    *NTP,
    *RANDOM,
    *OWN_SCENES,
)

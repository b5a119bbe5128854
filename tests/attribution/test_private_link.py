"""Names of a private link scope, held to what the configuration says of it and to each other."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.model.observation import DnsObservation, Failure, TcpObservation
from egressd.model.settings import SYSTEM_RESOLVER
from egressd.model.verdict import Blame, Confidence, Outcome, Sweep, Verdict
from tests.attribution.recordings import (
    HOST,
    OTHER_ADDRESS,
    RESOLVER,
    SECOND,
    Site,
    dns,
    good,
    http,
    tcp,
    tls,
    trail,
)

GUEST = "agentserviceapi.guestconfiguration.azure.com"
VAULT = "contoso.vault.azure.net"
ALIAS = ("gbl.privatelink.his.arc.azure.com",)
PRIVATE, OTHER_PRIVATE = "10.20.0.5", "10.20.0.6"


def add(
    site: Site, host: str, answer: DnsObservation, *, dial: TcpObservation | None = None, capable: bool = True
) -> None:
    """Add a name with one answer; it works unless the dial fails."""
    dialled = dial or tcp(address=answer.answers[0])
    rest = (tls(sni=host), http()) if dialled.failure is None else ()
    site.add(trail(replace(answer, name=host), dialled, *rest), host=host, private_link=capable)


def verdict(sweep: Sweep, host: str) -> Verdict:
    return next(one.verdict for one in sweep.verdicts if f"/{host}:" in one.target)


@pytest.mark.parametrize(
    ("in_use", "reason"), [(None, "dns_private_link_mixed"), (True, "dns_private_link_public")]
)
def test_a_mixture_is_one_finding_that_names_both_sides(in_use: bool | None, reason: str) -> None:
    """Some names of the scope are private, others public: one finding, whoever is taken for wrong."""
    site = Site(scope_in_use=in_use)
    add(site, HOST, dns(PRIVATE, cnames=ALIAS))
    add(site, "weu.his.arc.azure.com", dns("10.20.0.7", cnames=("weu.privatelink.his.arc.azure.com",)))
    add(site, GUEST, dns(OTHER_ADDRESS))
    site.add(good("works.example", "203.0.113.80"), host="works.example")

    (finding,) = judge(site.recording()).findings

    assert finding.reason == reason
    assert finding.blame is Blame.DNS_RESOLVER
    assert {one.partition("/")[2] for one in finding.targets} == {
        f"{name}:443" for name in (HOST, "weu.his.arc.azure.com", GUEST)
    }
    said = "\n".join(finding.evidence)
    assert "private here: " in said
    assert f"{HOST} ({PRIVATE} by {RESOLVER})" in said
    assert f"public here: {GUEST} ({OTHER_ADDRESS} by {RESOLVER})" in said


def test_an_alias_to_a_public_address_is_public() -> None:
    """Public DNS leads through `privatelink.` too, once an endpoint exists: the address decides."""
    site = Site()
    add(site, HOST, dns(PRIVATE, cnames=ALIAS))
    add(site, GUEST, dns(OTHER_ADDRESS, cnames=("agentserviceapi.privatelink.guestconfiguration.azure.com",)))

    (finding,) = judge(site.recording()).findings

    assert finding.reason == "dns_private_link_mixed"


def test_a_blocked_public_address_is_the_zones_fault() -> None:
    """A firewall may well block the public way where private link is in use: DNS led there."""
    site = Site(scope_in_use=True)
    add(site, HOST, dns(OTHER_ADDRESS), dial=tcp(Failure.TIMEOUT, address=OTHER_ADDRESS))
    add(site, GUEST, dns(OTHER_PRIVATE))
    site.add(good("works.example", "203.0.113.80"), host="works.example")

    found = verdict(judge(site.recording()), HOST)

    assert (found.outcome, found.reason) == (Outcome.BLOCKED, "dns_private_link_public")
    assert {one.blame for one in found.suspects} <= {Blame.DNS_RESOLVER, Blame.LOCAL_HOST}


@pytest.mark.parametrize("public_works", [True, False])
def test_the_hosts_file_is_a_documented_way(public_works: bool) -> None:
    """getaddrinfo gives the private endpoint and the nameserver the public address: nothing is wrong."""
    site = Site(scope_in_use=True, resolvers=(RESOLVER, SYSTEM_RESOLVER))
    dial = tcp(None if public_works else Failure.TIMEOUT, address=OTHER_ADDRESS)
    public = (dns(OTHER_ADDRESS), dial, *((tls(), http()) if public_works else ()))
    private = (dns(PRIVATE, resolver=SYSTEM_RESOLVER), tcp(address=PRIVATE), tls(), http())
    site.add(trail(*public), trail(*private), private_link=True)
    add(site, GUEST, dns(OTHER_PRIVATE))
    site.add(good("works.example", "203.0.113.80"), host="works.example")

    sweep = judge(site.recording())

    assert verdict(sweep, HOST).outcome is Outcome.OK
    assert sweep.findings == ()


def test_a_hosts_file_that_knows_one_family_only() -> None:
    """getaddrinfo takes the other family from DNS: a program may get past the private link."""
    site = Site(scope_in_use=True, resolvers=(RESOLVER, SYSTEM_RESOLVER))
    v6 = "2001:db8::9"
    site.add(
        trail(dns(OTHER_ADDRESS), tcp(address=OTHER_ADDRESS), tls(), http()),
        trail(dns(PRIVATE, resolver=SYSTEM_RESOLVER), tcp(address=PRIVATE), tls(), http()),
        trail(dns(v6, v6=True), tcp(address=v6), tls(), http()),
        trail(dns(v6, v6=True, resolver=SYSTEM_RESOLVER)),
        private_link=True,
    )

    assert verdict(judge(site.recording()), HOST).reason == "dns_private_link_one_family"


def test_nameservers_that_disagree_are_called_that() -> None:
    """One nameserver gives the private endpoint, another one the public address, and both work."""
    site = Site(scope_in_use=True, resolvers=(RESOLVER, SECOND))
    site.add(
        trail(dns(PRIVATE, cnames=ALIAS), tcp(address=PRIVATE), tls(), http()),
        trail(dns(OTHER_ADDRESS, resolver=SECOND), tcp(address=OTHER_ADDRESS), tls(), http()),
        private_link=True,
    )

    assert verdict(judge(site.recording()), HOST).reason == "dns_private_link_split"


@pytest.mark.parametrize("address", [PRIVATE, OTHER_ADDRESS])
@pytest.mark.parametrize("in_use", [None, True, False])
def test_endpoints_of_their_own_are_right_either_way(address: str, in_use: bool | None) -> None:
    """A key vault and Resource Manager have private endpoints of their own, or none."""
    site = Site(scope_in_use=in_use)
    cnames = ("contoso.privatelink.vaultcore.azure.net",) if address == PRIVATE else ()
    add(site, VAULT, dns(address, cnames=cnames))
    add(site, "management.azure.com", dns(address))

    assert {one.verdict.outcome for one in judge(site.recording()).verdicts} == {Outcome.OK}


def test_nothing_may_be_private_where_none_is_in_use() -> None:
    """With `private_link: false` the private endpoints of somebody else's scope are unexpected."""
    site = Site(scope_in_use=False)
    add(site, HOST, dns(PRIVATE, cnames=ALIAS))
    add(site, GUEST, dns(OTHER_PRIVATE, cnames=("agentserviceapi.privatelink.guestconfiguration.azure.com",)))

    sweep = judge(site.recording())

    (finding,) = sweep.findings
    assert finding.reason == "dns_private_link_unexpected"
    assert len(finding.targets) == 2


def test_a_zone_that_is_too_wide_is_one_finding() -> None:
    """Names without private endpoints answer privately: listed together, whether an alias shows it or not."""
    site = Site(scope_in_use=True)
    add(site, HOST, dns(PRIVATE))
    for number, name in enumerate(("login.microsoftonline.com", "pas.windows.net")):
        add(site, name, dns(f"10.30.0.{number}"), capable=False)

    (finding,) = judge(site.recording()).findings

    assert finding.reason == "dns_private_link_unexpected"
    assert {one.partition("/")[2] for one in finding.targets} == {
        "login.microsoftonline.com:443",
        "pas.windows.net:443",
    }


@pytest.mark.parametrize(
    ("answer", "sure"),
    [
        (dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=True), Confidence.MEDIUM),
        (dns(failure=Failure.NODATA, soa=True), Confidence.MEDIUM),
        (dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", cnames=ALIAS), Confidence.HIGH),
    ],
    ids=["zone-itself", "empty-record", "through-alias"],
)
def test_an_empty_private_zone(answer: DnsObservation, sure: Confidence) -> None:
    """With a scope in use, a name of it that does not exist lacks a record in the private zone."""
    site = Site(scope_in_use=True)
    site.add(trail(answer), private_link=True)
    add(site, GUEST, dns(OTHER_PRIVATE))
    site.add(good("works.example", "203.0.113.80"), host="works.example")

    found = verdict(judge(site.recording()), HOST)

    assert (found.reason, found.confidence) == ("dns_private_zone_missing_record", sure)


def test_a_filter_that_names_itself_is_no_empty_zone() -> None:
    """An answer that says that the name is blocked is believed, with a scope in use as well."""
    site = Site(scope_in_use=True)
    site.add(trail(dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", ede=(15,))), private_link=True)
    site.add(good("works.example", "203.0.113.80"), host="works.example")

    assert verdict(judge(site.recording()), HOST).reason == "dns_nxdomain_filtered"

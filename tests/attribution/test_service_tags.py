"""Service tags: an address outside of its tags is told, and a tag that an address rule lacks is named."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.firewall.ask import Asks
from egressd.model.endpoint import SampleKind
from egressd.model.observation import Failure
from egressd.model.verdict import Blame, Confidence, Finding, Outcome, Team
from egressd.report.saved import from_json, to_json
from tests.attribution.recordings import (
    PROXY,
    Site,
    connect,
    dns,
    facts,
    good,
    http,
    service_tags,
    tcp,
    tls,
    trail,
)

OUTSIDE = "dns_address_outside_service_tag"
INCOMPLETE = "site_service_tag_incomplete"
RANGES = service_tags(
    AzureArcInfrastructure=("203.0.113.0/28", "2001:db8:a::/48"),
    Storage=("198.51.100.0/24",),
    AzureActiveDirectory=("203.0.113.128/25",),
)
ARC, STORAGE, SIGN_IN = "203.0.113.9", "198.51.100.7", "203.0.113.200"
ARC_TAG = ("AzureArcInfrastructure",)


def named(address: str, tags: tuple[str, ...] = ARC_TAG, *, redirected: bool = False) -> Site:
    """Return a target whose server proves its name at an address."""
    site = Site()
    site.service_tags = RANGES
    site.add(replace(good(address=address), redirected=redirected), tags=tags)
    return site


def codes(site: Site) -> set[str]:
    (one,) = judge(site.recording()).verdicts
    assert one.verdict.outcome in (Outcome.OK, Outcome.DEGRADED)
    return {one.verdict.reason or "", *one.verdict.also}


@pytest.mark.parametrize("address", ["198.51.100.7", "203.0.113.200", "203.0.113.16", "2001:db8:b::1"])
def test_a_proven_address_outside_of_its_tags_is_told(address: str) -> None:
    """The server is right, so the list is out of date: information, no fault."""
    site = named(address)
    assert OUTSIDE in codes(site)
    assert judge(site.recording()).findings == ()


def test_an_address_of_one_of_its_tags_is_inside() -> None:
    """Any of the row's tags is enough, whatever the case of its name."""
    assert OUTSIDE not in codes(named(ARC))
    assert OUTSIDE not in codes(named(STORAGE, ("azurearcinfrastructure", "STORAGE")))


@pytest.mark.parametrize("tags", [(), ("NoSuchTag",), ("AzureArcInfrastructure", "NoSuchTag")])
def test_nothing_is_said_where_a_tag_is_not_known(tags: tuple[str, ...]) -> None:
    """The tag that the file lacks may have the address."""
    assert OUTSIDE not in codes(named(STORAGE, tags))


def test_nothing_is_said_of_a_family_without_ranges() -> None:
    """A tag without IPv6 ranges says nothing of IPv6 addresses."""
    assert OUTSIDE not in codes(named("2001:db8:b::1", ("Storage",)))


def test_nothing_is_said_without_a_proof_or_a_file() -> None:
    """A server that did not prove its name is another matter, and so is an address that was not used."""
    site = named(STORAGE)
    site.service_tags = None
    assert OUTSIDE not in codes(site)
    assert OUTSIDE not in codes(named(STORAGE, redirected=True))
    assert OUTSIDE not in codes(named("10.1.2.3"))
    unproven = Site()
    unproven.service_tags = RANGES
    inspected = tls(about=facts(public=False))
    unproven.add(trail(dns(STORAGE), tcp(address=STORAGE), inspected, http()), tags=ARC_TAG)
    assert OUTSIDE not in codes(unproven)


def listed_by_address(failure: Failure = Failure.TIMEOUT) -> Site:
    """Return a firewall that lets two tags through, and not a third."""
    site = Site()
    site.service_tags = RANGES
    for number, host in enumerate(("gbl.his.arc.test", "agent.guestconfig.test", "dp.kube.test")):
        address = f"203.0.113.{number + 1}"
        end = trail(dns(address, name=host), tcp(failure, address=address))
        site.add(end, host=host, row=f"row{number}", tags=ARC_TAG)
    site.add(good("login.test", SIGN_IN), host="login.test", tags=("AzureActiveDirectory",))
    site.add(good("blob.test", STORAGE), host="blob.test", tags=("Storage",))
    return site


def incomplete(site: Site) -> list[Finding]:
    return [one for one in judge(site.recording()).findings if one.reason == INCOMPLETE]


@pytest.mark.parametrize("failure", [Failure.TIMEOUT, Failure.REFUSED])
def test_a_tag_of_which_nothing_connects_is_one_finding(failure: Failure) -> None:
    """Three names share nothing but their tag: the ask names it, and it is a question until it is proven."""
    site = listed_by_address(failure)
    (finding,) = incomplete(site)
    assert len(finding.targets) == 3
    assert "(AzureArcInfrastructure)" in finding.title
    assert "Allow the service tag AzureArcInfrastructure in full, https/443 from 10.20.0.11" in finding.advice
    assert "addresses of Storage, AzureActiveDirectory do" in finding.advice
    assert finding.blame is Blame.FIREWALL_L3L4
    assert finding.confidence not in (Confidence.CONFIRMED, Confidence.HIGH)
    assert Blame.AZURE_SERVICE in {one.blame for one in finding.suspects}
    rules = [one for one in Asks(judge(site.recording())).rules() if one.team is Team.FIREWALL]
    assert {one.service_tag for one in rules} == {"AzureArcInfrastructure"}
    assert judge(from_json(to_json(judge(site.recording())))) == judge(site.recording())


def test_a_tag_of_which_something_connects_is_not_accused() -> None:
    """The rule is there: what fails fails for another reason."""
    site = listed_by_address()
    site.add(good("works.test", "203.0.113.12"), host="works.test", tags=ARC_TAG)
    assert incomplete(site) == []


def test_one_name_lacks_a_rule_of_its_own() -> None:
    """Nothing shows that it is the tag."""
    site = Site()
    site.service_tags = RANGES
    for number in (1, 2):
        host, address = f"n{number}.his.arc.test", f"203.0.113.{number}"
        end = trail(dns(address, name=host), tcp(Failure.TIMEOUT, address=address))
        site.add(end, host=host, pattern="*.his.arc.test", tags=ARC_TAG)
    site.add(good("login.test", SIGN_IN), host="login.test", tags=("AzureActiveDirectory",))
    assert incomplete(site) == []


def test_where_no_other_tag_connects_nothing_is_compared() -> None:
    """A line that is down is no lack of a tag; nor is a filter that reads names, nor a proxy's refusal."""
    site = Site()
    site.service_tags = RANGES
    for number in (1, 2):
        host, address = f"n{number}.arc{number}.test", f"203.0.113.{number}"
        site.add(
            trail(dns(address, name=host), tcp(Failure.TIMEOUT, address=address)), host=host, tags=ARC_TAG
        )
    site.add(good("elsewhere.test", "192.0.2.9"), host="elsewhere.test")
    assert incomplete(site) == []
    by_name = listed_by_address()
    for number, record in enumerate(by_name.records[:3]):
        seen = record.trails[0].observations
        cut = trail(seen[0], tcp(address=f"203.0.113.{number + 1}"), tls(Failure.RESET))
        by_name.records[number] = replace(record, trails=(cut,))
    assert incomplete(by_name) == []


def test_by_proxy_local_addresses_say_nothing() -> None:
    """The proxy looks names up itself."""
    site = Site()
    site.service_tags = RANGES
    for number in (1, 2):
        host = f"n{number}.arc{number}.test"
        end = trail(tcp(address="10.0.0.80", port=3128), connect(503), path=PROXY)
        site.add(end, host=host, via_proxy=True, tags=ARC_TAG)
    assert incomplete(site) == []
    assert {one.service_tag for one in Asks(judge(site.recording())).rules()} <= {None}


def test_a_random_label_has_the_tag_of_its_row() -> None:
    """Its rule is for the wildcard, and the tag is that of the address it was sent to."""
    site = listed_by_address()
    label = "egressd-probe-1.his.arc.test"
    site.add(
        trail(dns(), tcp(), tls(Failure.RESET, sni=label), borrowed_from="gbl.his.arc.test"),
        host=label,
        pattern="*.his.arc.test",
        sample=SampleKind.RANDOM,
        row="label",
        tags=ARC_TAG,
    )
    rules = Asks(judge(site.recording())).rules()
    assert {one.service_tag for one in rules if one.destination == "*.his.arc.test"} <= {
        "AzureArcInfrastructure"
    }

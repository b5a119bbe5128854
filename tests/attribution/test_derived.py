"""Names that egressd derived: they prove what works, and accuse nobody."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.followups.failure import failure_controls
from egressd.model.endpoint import Need, SampleKind
from egressd.model.observation import Failure, Observation
from egressd.model.verdict import Blame, Confidence, Outcome, Sweep, Verdict
from tests.attribution.recordings import (
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

GUESS = "northeurope.relay.example"
PATTERN = "*.relay.example"
ADDRESS = "203.0.113.40"


def guess(site: Site, *trails: tuple[Observation, ...], host: str = GUESS, **more: object) -> str:
    """Add a name that egressd derived, with its trails."""
    known: dict[str, object] = {"sample": SampleKind.DERIVED, "need": Need.OPTIONAL, "pattern": PATTERN}
    return site.add(*(trail(*one) for one in trails), host=host, **known | more)  # type: ignore[arg-type]


def works(
    site: Site, host: str = "eastus.relay.example", address: str = OTHER_ADDRESS, **more: object
) -> None:
    site.add(good(host, address), host=host, pattern=PATTERN, sample=SampleKind.DOCUMENTED, **more)  # type: ignore[arg-type]


def verdict(sweep: Sweep, host: str = GUESS) -> Verdict:
    return next(one.verdict for one in sweep.verdicts if f"/{host}:" in one.target)


ABSENT = {
    "nxdomain": dns(name=GUESS, failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=True),
    "nxdomain-without-soa": dns(name=GUESS, failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=False),
    "nodata": dns(name=GUESS, failure=Failure.NODATA, soa=True),
    "getaddrinfo": dns(name=GUESS, failure=Failure.NXDOMAIN, resolver="system"),
    "alias-to-nowhere": dns(
        name=GUESS, failure=Failure.NXDOMAIN, rcode="NXDOMAIN", cnames=("x.privatelink.relay.example",)
    ),
}


@pytest.mark.parametrize("answer", ABSENT.values(), ids=ABSENT.keys())
def test_an_absent_guess_is_egressds_own(answer: Observation) -> None:
    """There is no such name: unknown, blamed on egressd, and the advice says how to give the real one."""
    site = Site()
    guess(site, (answer,))
    works(site)

    sweep = judge(site.recording())

    found = verdict(sweep)
    assert (found.outcome, found.reason, found.blame) == (
        Outcome.UNKNOWN,
        "dns_derived_name_absent",
        Blame.EGRESSD_ENV,
    )
    assert [one.blame for one in found.suspects] == [Blame.EGRESSD_ENV]
    assert "`endpoints:`" in found.advice
    assert f"overrides: [{{match: {GUESS}, skip: true}}]" in found.advice
    assert any("egressd derived" in line for line in found.evidence)
    assert sweep.findings == ()


def test_several_absent_guesses_are_no_filter() -> None:
    """Ten names that do not exist are no evidence against the resolver, and call for no control."""
    site = Site()
    for number in range(10):
        name = f"guess{number}.relay.example"
        guess(site, (dns(name=name, failure=Failure.NXDOMAIN, rcode="NXDOMAIN"),), host=name)
    works(site)
    recording = site.recording()

    assert judge(recording).findings == ()
    assert list(failure_controls(SweepIndex.build(recording))) == []


FAILURES: dict[str, tuple[Observation, ...]] = {
    "reset-on-its-name": (dns(ADDRESS, name=GUESS), tcp(address=ADDRESS), tls(Failure.RESET, sni=GUESS)),
    "no-answer-to-its-name": (
        dns(ADDRESS, name=GUESS),
        tcp(address=ADDRESS),
        tls(Failure.TIMEOUT, sni=GUESS),
    ),
    "no-answer": (dns(ADDRESS, name=GUESS), tcp(Failure.TIMEOUT, address=ADDRESS)),
    "refused": (dns(ADDRESS, name=GUESS), tcp(Failure.REFUSED, address=ADDRESS)),
    "query-dropped": (dns(name=GUESS, failure=Failure.TIMEOUT),),
    "query-refused": (dns(name=GUESS, failure=Failure.RCODE, rcode="REFUSED"),),
    "private-address": (dns("10.9.9.9", name=GUESS), tcp(Failure.TIMEOUT, address="10.9.9.9")),
    "says-blocked": (dns(name=GUESS, failure=Failure.NXDOMAIN, rcode="NXDOMAIN", ede=(15,)),),
}


@pytest.mark.parametrize("seen", FAILURES.values(), ids=FAILURES.keys())
def test_whatever_a_guess_fails_with_accuses_nobody(seen: tuple[Observation, ...]) -> None:
    """It is told as what it is, and is unknown; whoever is named besides egressd is a suspicion at most."""
    site = Site()
    for number in range(3):
        guess(site, seen, host=GUESS if not number else f"guess{number}.relay.example")
    works(site)

    sweep = judge(site.recording())

    found = verdict(sweep)
    assert found.outcome is Outcome.UNKNOWN
    assert found.reason != "dns_derived_name_absent"
    assert "derived_name" in found.flags
    assert found.blame is Blame.EGRESSD_ENV or found.blame_confidence is Confidence.LOW
    assert sweep.findings == ()


def test_a_guess_is_no_proof_of_a_finding() -> None:
    """Names that documents show are reset: the finding lists these, not the guess that is reset as well."""
    site = Site()
    for number, name in enumerate(("eastus.relay.example", "westus.relay.example")):
        address = f"203.0.113.{50 + number}"
        reset = trail(dns(address, name=name), tcp(address=address), tls(Failure.RESET, sni=name))
        site.add(reset, host=name, pattern=PATTERN, sample=SampleKind.DOCUMENTED)
    target = guess(site, FAILURES["reset-on-its-name"])
    site.add(good("works.example", "203.0.113.80"), host="works.example")

    sweep = judge(site.recording())

    assert sweep.findings
    assert not any(target in one.targets for one in sweep.findings)


def test_a_guess_that_works_is_a_sample() -> None:
    """A name that answers is no guess any more."""
    site = Site()
    guess(site, (dns(ADDRESS, name=GUESS), tcp(address=ADDRESS), tls(sni=GUESS), http()))

    found = verdict(judge(site.recording()))

    assert (found.outcome, found.flags) == (Outcome.OK, ())


def test_a_name_that_another_row_documents_is_no_guess() -> None:
    """The same host stands in a document for another row: its absence is what it is."""
    site = Site()
    answer = dns(name=GUESS, failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=True)
    guess(site, (answer,), row="other")
    site.add(trail(answer), host=GUESS, sample=SampleKind.DOCUMENTED, pattern=PATTERN)
    works(site)

    reasons = {one.verdict.reason for one in judge(site.recording()).verdicts} - {None}

    assert "dns_derived_name_absent" not in reasons
    assert len(reasons) == 1


def test_a_name_that_another_resolver_has_is_no_absent_guess() -> None:
    """One resolver denies it and another one has it, and it works: the name exists."""
    site = Site(resolvers=(RESOLVER, SECOND))
    guess(
        site,
        (dns(name=GUESS, failure=Failure.NXDOMAIN, rcode="NXDOMAIN"),),
        (dns(ADDRESS, name=GUESS, resolver=SECOND), tcp(address=ADDRESS), tls(sni=GUESS), http()),
    )

    found = verdict(judge(site.recording()))

    assert found.outcome is Outcome.DEGRADED
    assert "dns_derived_name_absent" not in (found.reason, *found.also)


def test_a_random_label_sent_to_a_guess() -> None:
    """It borrows the address of a name that does not exist: nothing was tried."""
    site = Site()
    guess(site, (ABSENT["nxdomain"],))
    label = "egressd-probe-0badcafe.relay.example"
    site.add(
        trail(ABSENT["nxdomain"]), host=label, sample=SampleKind.RANDOM, pattern=PATTERN, need=Need.OPTIONAL
    )
    site.probes[-1] = replace(site.probes[-1], siblings=(GUESS,))
    works(site, host="works.example")

    sweep = judge(site.recording())

    assert verdict(sweep, label).outcome is Outcome.UNKNOWN
    assert verdict(sweep, label).blame is Blame.EGRESSD_ENV
    assert sweep.findings == ()

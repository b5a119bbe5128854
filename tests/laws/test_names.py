"""Laws of names and time: resolvers that disagree, chains with gaps, and our own patience."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.attribution.blame.parties import NAME_PARTIES
from egressd.model.observation import Failure, Observation
from egressd.model.recording import Recording
from egressd.model.settings import Limits
from egressd.model.verdict import Blame, Confidence
from tests.attribution.recordings import (
    ADDRESS,
    OTHER_ADDRESS,
    RESOLVER,
    SECOND,
    Site,
    certificate,
    dns,
    facts,
    http,
    tcp,
    tls,
    trail,
)
from tests.laws.worlds import BASES, SURE, claims_of, judged, mapped, verdicts_of


def disagreeing(
    first: tuple[Observation, ...], second: tuple[Observation, ...], *, swapped: bool
) -> Recording:
    """Two resolvers with different addresses, and how each address answered."""
    trails = (
        trail(dns(ADDRESS, resolver=RESOLVER), tcp(*_failure(first), address=ADDRESS), *_more(first)),
        trail(
            dns(OTHER_ADDRESS, resolver=SECOND), tcp(*_failure(second), address=OTHER_ADDRESS), *_more(second)
        ),
    )
    resolvers = (RESOLVER, SECOND)
    site = Site(resolvers=resolvers[::-1] if swapped else resolvers)
    site.add(*(trails[::-1] if swapped else trails))
    return site.recording()


def _failure(seen: tuple[Observation, ...]) -> tuple[Failure, ...]:
    return () if seen else (Failure.TIMEOUT,)


def _more(seen: tuple[Observation, ...]) -> tuple[Observation, ...]:
    return seen


US = (Blame.LOCAL_HOST, Blame.EGRESSD_ENV)
ANSWERS: tuple[Observation, ...] = (tls(), http())
SILENT: tuple[Observation, ...] = ()


@pytest.mark.parametrize("swapped", [False, True])
def test_law_07_resolvers_that_disagree_accuse_nobody_by_their_order(swapped: bool) -> None:
    """Where neither address answered, no resolver is accused surely; the order changes nothing."""
    verdict = judge(disagreeing(SILENT, SILENT, swapped=swapped)).verdicts[0].verdict
    assert verdict.blame not in NAME_PARTIES or verdict.blame_confidence not in SURE
    other = judge(disagreeing(SILENT, SILENT, swapped=not swapped)).verdicts[0].verdict
    assert (verdict.reason, verdict.blame, verdict.blame_confidence) == (
        other.reason,
        other.blame,
        other.blame_confidence,
    )


def test_law_07_what_answers_at_its_address_decides() -> None:
    """The target is reachable by the address that verified, whichever resolver gave it and in what order."""
    seen = {
        judge(disagreeing(*pair, swapped=swapped)).verdicts[0].verdict.outcome.reachable
        for pair in ((ANSWERS, SILENT), (SILENT, ANSWERS))
        for swapped in (False, True)
    }
    assert seen == {True}


LEAF = certificate(issuer="CN=Public Issuing CA")
MIDDLE = certificate(issuer="CN=Public Root", subject="CN=Public Issuing CA", san=())
ODD_CHAINS = {
    "leaf-only": (LEAF,),
    "leaf-twice": (LEAF, LEAF),
    "wrong-middle": (LEAF, certificate(issuer="CN=Z", subject="CN=Y", san=())),
    "middle-twice": (LEAF, certificate(issuer="CN=Z", subject="CN=Y", san=()), MIDDLE),
}


@pytest.mark.parametrize("name", ODD_CHAINS)
@pytest.mark.parametrize("code", [2, 20, 21])
def test_law_08_a_gap_is_not_a_forgery(name: str, code: int) -> None:
    """A chain that lacks, repeats or misorders certificates of a known authority is nobody's inspection."""
    about = replace(facts(None, False), issuer_known_public=True)
    site = Site()
    site.add(trail(dns(), tcp(), tls(Failure.VERIFY, code=code, about=about, chain=ODD_CHAINS[name])))
    for _, claim in claims_of(judge(site.recording())):
        assert not (claim.reason or "").startswith(("tls_mitm_", "site_inspection_"))
        assert claim.blame is not Blame.TLS_INSPECTION


def test_law_09_slowness_is_not_policy() -> None:
    """One silence, with no repeat and no comparison, is never sure of anything but the silence."""
    sure = []
    for name, base in BASES.items():
        alone = replace(base, controls=())
        for (target, _), verdict in verdicts_of(judge(alone)).items():
            silent = [
                path
                for probe, record in zip(alone.plan.probes, alone.records, strict=True)
                if target in probe.targets
                for path in record.trails
                if path.last is not None and path.last.failure is Failure.TIMEOUT
            ]
            if (
                len(silent) == 1
                and verdict.blame_confidence is Confidence.CONFIRMED
                and verdict.blame not in US
            ):
                sure.append(f"{name}: {verdict.reason} {verdict.blame}")
    assert sure == []


def test_law_09_our_patience_changes_no_verdict() -> None:
    """With three times the patience the same silences lead to the same verdicts."""

    def patient(value: Any) -> Any:
        if isinstance(value, Limits):
            return replace(
                value,
                dns_timeout=3 * value.dns_timeout,
                connect_timeout=3 * value.connect_timeout,
                tls_timeout=3 * value.tls_timeout,
                http_timeout=3 * value.http_timeout,
                deadline=3 * value.deadline,
            )
        if getattr(value, "failure", None) is Failure.TIMEOUT:
            return replace(value, elapsed_ms=3 * value.elapsed_ms)
        return value

    changed = []
    for name, base in BASES.items():
        before, after = verdicts_of(judged(name)), verdicts_of(judge(mapped(base, patient)))
        changed += [
            f"{name}: {old.reason} {old.blame} -> {after[key].reason} {after[key].blame}"
            for key, old in before.items()
            if (old.reason, old.blame, old.blame_confidence)
            != (after[key].reason, after[key].blame, after[key].blame_confidence)
        ]
    assert changed == []

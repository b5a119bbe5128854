"""Laws of reports: only what ran is said, and the same world gives the same verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.model.observation import DnsObservation, Observation, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Recording
from egressd.model.verdict import Finding, Sweep, Verdict
from tests.laws.worlds import (
    BASES,
    claims_of,
    every_observation,
    healthy_targets,
    judged,
    mapped,
    permuted,
    verdicts_of,
    with_healthy,
)

Shown = Callable[[Recording], bool]


def ran(*kinds: ControlKind) -> Shown:
    """Hold where one of these controls is in the report."""
    return lambda recording: any(one.kind in kinds for one in recording.controls)


def worked(kind: type[Observation]) -> Shown:
    """Hold where something of this kind worked, for a target or in a control."""
    return lambda recording: any(
        isinstance(one, kind) and one.failure is None for one in every_observation(recording)
    )


def several_names(recording: Recording) -> bool:
    """Whether handshakes with more than one server name were tried."""
    names = {one.sni for one in every_observation(recording) if isinstance(one, TlsObservation)}
    return len(names) > 1


MENTIONS: tuple[tuple[str, Shown], ...] = (
    (r"TEST-NET|192\.0\.2\.1\b", ran(ControlKind.TESTNET_TCP, ControlKind.TESTNET_DNS)),
    (r"another (?:server )?name got|other names? (?:was|were|is|are) answered", several_names),
    (r"whatever the name", several_names),
    (r"smaller segments|segment size of", ran(ControlKind.SMALL_MSS)),
    (r"at hop \d|rising hop limits show", ran(ControlKind.HOPS)),
    (r"without a server name (?:was|is) answered", ran(ControlKind.NO_SNI)),
    (r"random names?\b", ran(ControlKind.SIBLING_NAME, ControlKind.KNOWN_NAME)),
    (r"when (?:it was )?repeated|repeats agree", ran(ControlKind.REPEAT)),
    (r"others? connect\b|already connects|other addresses of the name work", worked(TcpObservation)),
    (r"other names are served", worked(DnsObservation)),
)
"""What a text says was seen, and what must be in the report for it."""
SLOW_FOR_ALL = frozenset({"dns_slow"})
"""Here a name that the same resolver answers at once makes another world."""
CONTROL = re.compile(r"\bcontrol (\w+)")


def said(claim: Verdict | Finding) -> Iterator[str]:
    """Yield every sentence of a claim about what was seen."""
    yield claim.advice
    yield from claim.evidence
    yield from (one.by for one in claim.ruled_out)


def test_law_13_only_what_ran_is_said() -> None:
    """No text mentions a control that is not in the report."""
    wrong = []
    for name, base in BASES.items():
        kinds = {one.kind for one in base.controls}
        for about, claim in claims_of(judged(name)):
            for text in said(claim):
                named = [
                    kind for kind in CONTROL.findall(text) if kind in set(ControlKind) and kind not in kinds
                ]
                loose = [words for words, shown in MENTIONS if re.search(words, text) and not shown(base)]
                wrong += [f"{name}: {about}: {word}: {text}" for word in (*named, *loose)]
    assert wrong == []


def claimed(sweep: Sweep) -> dict[str, tuple[object, ...]]:
    """Return what a sweep claims, without its texts and the order of its lists."""
    return {
        about: (
            getattr(one, "outcome", None),
            one.reason,
            one.confidence,
            one.blame,
            one.blame_confidence,
            frozenset(suspect.blame for suspect in one.suspects),
        )
        for about, one in claims_of(sweep)
    }


@pytest.mark.parametrize("seed", range(4))
def test_law_14_in_any_order(seed: int) -> None:
    """Targets, trails, controls and resolvers in another order change no claim."""
    assert [
        name for name, base in BASES.items() if claimed(judge(permuted(base, seed))) != claimed(judged(name))
    ] == []


def works_where_more_would(sweep: Sweep) -> bool:
    """Return whether something works already; directly, if anything was tried so: what is added works so."""
    working = healthy_targets(sweep)
    direct = {name for one in sweep.recording.plan.probes if not one.via_proxy for name in one.targets}
    return bool(working & direct if direct else working)


@pytest.mark.parametrize("count", [1, 5])
def test_law_14_with_any_set_of_healthy_targets(count: int) -> None:
    """Where something works already, more that works changes no verdict of the others."""
    changed = []
    for name, base in BASES.items():
        other_world = any(one.verdict.reason in SLOW_FOR_ALL for one in judged(name).verdicts)
        if other_world or not works_where_more_would(judged(name)):
            continue
        after = claimed(judge(with_healthy(base, count)))
        before = {f"{target}@{source}" for target, source in verdicts_of(judged(name))}
        changed += [f"{name}: {one}" for one in before if claimed(judged(name))[one] != after[one]]
    assert changed == []


def renamed(recording: Recording) -> Recording:
    """Give every host another first label, everywhere."""
    hosts = {one.host for one in recording.plan.targets}
    named = sorted((host for host in hosts if not re.fullmatch(r"[\d.:a-f]+", host)), key=len, reverse=True)
    if not named:
        return recording
    pattern = re.compile("|".join(rf"(?<![\w.-]){re.escape(host)}" for host in named), re.IGNORECASE)

    def change(value: Any) -> Any:
        return pattern.sub(lambda found: f"q{found[0]}", value) if isinstance(value, str) else value

    return mapped(recording, change)


def test_law_14_under_other_names() -> None:
    """Another host name under the same domain changes no verdict."""
    changed = []
    for name, base in BASES.items():
        before = [replace_texts(one.verdict) for one in judged(name).verdicts]
        after = [replace_texts(one.verdict) for one in judge(renamed(base)).verdicts]
        changed += [
            f"{name}: {old.reason} -> {new.reason}"
            for old, new in zip(before, after, strict=True)
            if old != new
        ]
    assert changed == []


def replace_texts(verdict: Verdict) -> Verdict:
    """Return a verdict without its texts."""
    suspects = tuple(replace(one, decided_by="") for one in verdict.suspects)
    ruled_out = tuple(replace(one, by="") for one in verdict.ruled_out)
    return replace(verdict, advice="", evidence=(), suspects=suspects, ruled_out=ruled_out)

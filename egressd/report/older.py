"""What reports of 0.1.0 have in another form than those of today."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from egressd.model.observation import Certificate, Observation, TlsObservation
from egressd.model.recording import Trail
from egressd.report.document import Report

SomeTrail = TypeVar("SomeTrail", bound=Trail)


def as_today(report: Report) -> Report:
    """Return a report with None for what 0.1.0 wrote as "" where a certificate can't be read."""
    targets = tuple(replace(one, trails=_trails(one.trails)) for one in report.targets)
    controls = tuple(
        replace(one, trails=_trails(one.trails), subject_trails=_trails(one.subject_trails))
        for one in report.controls
    )
    return replace(report, targets=targets, controls=controls)


def _trails(trails: tuple[SomeTrail, ...]) -> tuple[SomeTrail, ...]:
    return tuple(replace(one, observations=tuple(map(_observation, one.observations))) for one in trails)


def _observation(one: Observation) -> Observation:
    if not isinstance(one, TlsObservation) or all(
        held.key and held.not_before and held.not_after for held in one.chain
    ):
        return one
    return replace(one, chain=tuple(_certificate(held) for held in one.chain))


def _certificate(one: Certificate) -> Certificate:
    found = replace(one, not_before=one.not_before or None, not_after=one.not_after or None)
    if one.key != "":  # it was parsed: an empty subject is one
        return found
    return replace(found, subject=None, issuer=None, serial=None, key=None, signature=None)

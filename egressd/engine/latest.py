"""The newest result of every probe, put together from passes over parts of the plan. Pure.

Nothing older is kept: memory does not grow with time.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from egressd.model.observation import HttpObservation, TlsObservation
from egressd.model.plan import Plan
from egressd.model.recording import Control, ProbeRecord, Recording, Trail, Vantage

NOT_YET = "not probed yet"

Signature = frozenset[tuple[object, ...]]


class RecordChange(Enum):
    """How a record compares with the one before of the same probe, by their signatures."""

    FIRST = auto()
    UNCHANGED = auto()
    CHANGED = auto()


@dataclass(slots=True, kw_only=True)
class LatestResults:
    """The newest record of every probe, the controls that hold for them, and the newest vantage.

    A control holds for the signature of the record it was run for: a record with another signature drops it.
    """

    reuse: bool = False
    """Whether what is known is used again where a pass brings nothing newer: the controls of a probe with an
    unchanged signature, and the record of a probe that was skipped. Otherwise a pass replaces both."""
    records: dict[str, ProbeRecord] = field(default_factory=dict)
    """By id of the probe."""
    controls: dict[str, Control] = field(default_factory=dict)
    """By id."""
    vantage: Vantage | None = None

    def add(self, record: ProbeRecord) -> RecordChange:
        """Replace the record of a probe, and drop its controls if the signature changed."""
        before = self.records.get(record.probe)
        self.records[record.probe] = record
        if before is None:
            return RecordChange.FIRST
        if record_signature(before) == record_signature(record):
            return RecordChange.UNCHANGED
        self.controls = {key: one for key, one in self.controls.items() if one.subject != record.probe}
        return RecordChange.CHANGED

    def finish(self, recording: Recording, *, renewed: AbstractSet[str]) -> None:
        """Take what comes with the end of a pass: vantage, controls, and probes that were skipped.

        `renewed` are the probes whose controls were run again.
        """
        for record in recording.records:
            if record.skipped and not (self.reuse and record.probe in self.records):
                self.records[record.probe] = record
        self.controls = self._merged(recording, renewed)
        self.vantage = self._with_clock(recording.vantage)

    def within(self, plan: Plan) -> LatestResults:
        """Return a copy without what a plan does not have."""
        known = {one.id for one in plan.probes}
        subjects = known | {""} if plan.controls else known
        return replace(
            self,
            records={key: one for key, one in self.records.items() if key in known},
            controls={key: one for key, one in self.controls.items() if one.subject in subjects},
        )

    def recording(self, plan: Plan, of: Recording, *, renewed: AbstractSet[str] = frozenset()) -> Recording:
        """Return everything known as one recording, with what a pass adds that may still be running.

        `of` is that pass: it gives id, times and vantage. `renewed` are the probes whose controls it renews.
        """
        controls = self._merged(of, renewed)
        return replace(
            of,
            plan=plan,
            vantage=self._with_clock(of.vantage),
            records=tuple(
                self.records.get(one.id) or ProbeRecord(probe=one.id, trails=(), skipped=NOT_YET)
                for one in plan.probes
            ),
            controls=tuple(controls[key] for key in sorted(controls)),
        )

    def _merged(self, of: Recording, renewed: AbstractSet[str]) -> dict[str, Control]:
        """Return the controls with those of a pass; base controls (no subject) are replaced all together."""
        replaced = renewed | {""} if any(not one.subject for one in of.controls) else renewed
        kept = {key: one for key, one in self.controls.items() if one.subject not in replaced}
        return kept | {one.id: one for one in of.controls}

    def _with_clock(self, fresh: Vantage) -> Vantage:
        """Keep the known clock offset where a pass over few hosts had too few readings for one."""
        if fresh.clock_offset_seconds is not None or self.vantage is None:
            return fresh
        known = self.vantage
        return replace(
            fresh, clock_offset_seconds=known.clock_offset_seconds, clock_readings=known.clock_readings
        )


def record_signature(record: ProbeRecord) -> Signature:
    """Return how a probe ended, without what differs from one time to the next."""
    if record.bug or record.skipped:
        return frozenset({(bool(record.bug), bool(record.skipped))})
    return frozenset(_ending(trail) for trail in record.trails)


def _ending(trail: Trail) -> tuple[object, ...]:
    last = trail.last
    seen = (last.phase, last.failure) if last is not None else ()
    return (trail.source, trail.family, trail.path, *seen, *_answers(trail))


def _answers(trail: Trail) -> Iterator[object]:
    """Yield what another device would have answered otherwise."""
    for one in trail.observations:
        if isinstance(one, TlsObservation):
            yield one.issuer
            yield one.facts.issuer_key if one.facts is not None else None
            yield one.verify_code
        elif isinstance(one, HttpObservation):
            yield one.status
            yield one.title

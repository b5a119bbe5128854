"""The newest result of every probe, put together from passes over parts of the plan. Pure.

Nothing older is kept: memory does not grow with time. What is judged together belongs to one episode:
controls have an age beyond which they are no evidence, and so has what other targets showed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import Enum, auto

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.clock import StepWatch
from egressd.model.observation import HttpObservation, Timestamp, TlsObservation
from egressd.model.plan import ControlKind, Plan
from egressd.model.recording import Control, ProbeRecord, Recording, Trail, Vantage
from egressd.wording import seconds_between, stamp

NOT_YET = "not probed yet"
EVIDENCE_INTERVALS = 2
"""Intervals after which a control, or what another target showed, is no evidence any more."""
ROTATING = frozenset(
    {ControlKind.LARGE_HELLO, ControlKind.SPLIT_HELLO, ControlKind.SNI_LAST, ControlKind.NO_SNI}
)
"""Controls that go round places that work, so that each place keeps its last result."""
FETCHED_AGE = 600.0
"""Seconds for which a fetch for a target that works is evidence: it is a load on somebody else's server."""

Signature = frozenset[tuple[object, ...]]


class RecordChange(Enum):
    """How a record compares with the one before of the same probe, by their signatures."""

    FIRST = auto()
    UNCHANGED = auto()
    CHANGED = auto()


class LatestResults(Struct, kw_only=True):
    """The newest record of every probe, the controls that hold for them, and the newest vantage.

    A control holds for the signature of the record it was run for: a record with another signature drops it.
    """

    reuse: bool = False
    """Whether what is known is used again where a pass brings nothing newer: the controls of a probe with an
    unchanged signature, and the record of a probe that was skipped. Otherwise a pass replaces both."""
    records: dict[str, ProbeRecord] = field(default_factory=dict)
    """By id of the probe."""
    by_subject: dict[str, tuple[Control, ...]] = field(default_factory=dict)
    """The controls, by id of the probe they were run for; empty: base controls."""
    vantage: Vantage | None = None
    evidence_age: float | None = None
    """Seconds after which what was seen is no evidence about anything else; None: it always is."""
    clock_watch: StepWatch = field(default_factory=StepWatch)
    """Since when the clock's offset is known: one that is set has another."""

    @property
    def controls(self) -> dict[str, Control]:
        """The controls by id."""
        return _by_id(self.by_subject)

    def add(self, record: ProbeRecord) -> RecordChange:
        """Replace the record of a probe, and drop its controls if the signature changed."""
        before = self.records.get(record.probe)
        self.records[record.probe] = record
        if before is None:
            return RecordChange.FIRST
        if record_signature(before) == record_signature(record):
            return RecordChange.UNCHANGED
        self.by_subject.pop(record.probe, None)
        return RecordChange.CHANGED

    def finish(self, recording: Recording, *, renewed: AbstractSet[str]) -> None:
        """Take what comes with the end of a pass: vantage, controls, and probes that were skipped.

        `renewed` are the probes whose controls were run again.
        """
        for record in recording.records:
            if record.skipped and not (self.reuse and record.probe in self.records):
                self.records[record.probe] = record
        self.by_subject = self._merged(recording, renewed)
        self.vantage = self._with_clock(recording.vantage)

    def within(self, plan: Plan) -> LatestResults:
        """Return a copy without what a plan does not have."""
        known = {one.id for one in plan.probes}
        subjects = known | {""} if plan.controls else known
        return replace(
            self,
            records={key: one for key, one in self.records.items() if key in known},
            by_subject={key: some for key, some in self.by_subject.items() if key in subjects},
        )

    def recording(self, plan: Plan, of: Recording, *, renewed: AbstractSet[str] = frozenset()) -> Recording:
        """Return everything known as one recording, with what a pass adds that may still be running.

        `of` is that pass: it gives id, times and vantage. `renewed` are the probes whose controls it renews.
        """
        controls = _by_id(self._merged(of, renewed))
        return replace(
            of,
            plan=plan,
            evidence_since=self._evidence_since(of),
            vantage=self._with_clock(of.vantage),
            records=tuple(
                self.records.get(one.id) or ProbeRecord(probe=one.id, trails=(), skipped=NOT_YET)
                for one in plan.probes
            ),
            controls=tuple(one for _, one in sorted(controls.items()) if self._counts(one, of.started)),
        )

    def needs_controls(self, record: ProbeRecord) -> bool:
        """Whether nothing that is still evidence is known about why a probe failed."""
        if not _fails(record):
            return False
        started = _moment(record.trails)
        known = self.by_subject.get(record.probe, ())
        return started is None or not known or not all(self._counts(one, started) for one in known)

    def _counts(self, control: Control, now: Timestamp) -> bool:
        """Whether a control is young enough at a time to be evidence."""
        began, limit = _moment(control.trails), self._limit(control)
        return began is None or limit is None or abs(seconds_between(began, now)) <= limit

    def _limit(self, control: Control) -> float | None:
        """Return the seconds after which a control is no evidence; None: it always is."""
        subject = self.records.get(control.subject)
        if self.evidence_age is None or subject is None or _fails(subject):
            return self.evidence_age
        if control.kind in ROTATING:
            return None
        return (
            max(self.evidence_age, FETCHED_AGE)
            if control.kind is ControlKind.REVOCATION
            else self.evidence_age
        )

    def _evidence_since(self, of: Recording) -> Timestamp | None:
        if self.evidence_age is None:
            return None
        return stamp(datetime.fromisoformat(of.started) - timedelta(seconds=self.evidence_age))

    def _merged(self, of: Recording, renewed: AbstractSet[str]) -> dict[str, tuple[Control, ...]]:
        """Return the controls with those of a pass; base controls (no subject) are replaced all together."""
        fresh: dict[str, dict[str, Control]] = {}
        for one in of.controls:
            fresh.setdefault(one.subject, {})[one.id] = one
        replaced = renewed | {""} if "" in fresh else renewed
        known = dict(self.by_subject)  # a copy: this runs in a thread, and records come in meanwhile
        merged = {subject: some for subject, some in known.items() if subject not in replaced}
        for subject, some in fresh.items():
            kept = [one for one in merged.get(subject, ()) if one.id not in some]
            merged[subject] = (*kept, *some.values())
        return merged

    def _with_clock(self, fresh: Vantage) -> Vantage:
        """Keep the known clock offset where a pass over few hosts had too few readings for one.

        A clock that was set since then has another offset.
        """
        if fresh.clock_offset_seconds is not None:
            self.clock_watch = StepWatch()
        _, step = self.clock_watch.read()
        known = self.vantage
        if step and known is not None:
            known = self.vantage = replace(known, clock_offset_seconds=None, clock_readings=())
        if fresh.clock_offset_seconds is not None or known is None:
            return fresh
        return replace(
            fresh, clock_offset_seconds=known.clock_offset_seconds, clock_readings=known.clock_readings
        )


def _by_id(by_subject: Mapping[str, tuple[Control, ...]]) -> dict[str, Control]:
    return {one.id: one for some in by_subject.values() for one in some}


def _fails(record: ProbeRecord) -> bool:
    """Whether no trail of a probe came to its end."""
    ends = [trail.last for trail in record.trails]
    return all(one is None or one.failure is not None for one in ends)


def _moment(trails: Iterable[Trail]) -> Timestamp | None:
    """Return when the first of some trails began; None: none of them shows."""
    return min((trail.observations[0].started for trail in trails if trail.observations), default=None)


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

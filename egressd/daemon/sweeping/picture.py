"""The newest look at everything: one record per probe of the plan, however it came.

Nothing older is kept: memory does not grow with time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from egressd.model.observation import HttpObservation, TlsObservation
from egressd.model.plan import Plan
from egressd.model.recording import Control, ProbeRecord, Recording, Trail, Vantage

NOT_YET = "not probed yet"


@dataclass(slots=True)
class Picture:
    """Records and controls by id, and where they were seen from."""

    records: dict[str, ProbeRecord] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)
    vantage: Vantage | None = None

    def take(self, record: ProbeRecord) -> bool:
        """Put a record in the place of an older one; return whether it tells another story."""
        before = self.records.get(record.probe)
        self.records[record.probe] = record
        return before is not None and story(before) != story(record)

    def take_rest(self, recording: Recording) -> None:
        """Take what comes with the end of a pass: where from, the controls, and what was not done."""
        for record in recording.records:
            if record.skipped:
                self.records[record.probe] = record
        self.controls = self._controls(recording)
        self.vantage = self._clocked(recording.vantage)

    def keep_to(self, plan: Plan) -> None:
        """Forget what the plan does not know."""
        known = {one.id for one in plan.probes}
        self.records = {key: one for key, one in self.records.items() if key in known}
        self.controls = {
            key: one for key, one in self.controls.items() if not one.subject or one.subject in known
        }

    def recording(self, plan: Plan, of: Recording) -> Recording:
        """Return the whole picture as the recording of a pass over a part of it."""
        controls = self._controls(of)
        return replace(
            of,
            plan=plan,
            vantage=self._clocked(of.vantage),
            records=tuple(
                self.records.get(one.id) or ProbeRecord(probe=one.id, trails=(), skipped=NOT_YET)
                for one in plan.probes
            ),
            controls=tuple(controls[key] for key in sorted(controls)),
        )

    def _controls(self, of: Recording) -> dict[str, Control]:
        """Return the newest controls: those of a pass replace older ones about the same probes."""
        fresh = {one.id for one in of.plan.probes}
        kept = {key: one for key, one in self.controls.items() if one.subject and one.subject not in fresh}
        return kept | {one.id: one for one in of.controls}

    def _clocked(self, fresh: Vantage) -> Vantage:
        """Add the clock's offset where a look at few hosts has not heard enough of them to tell."""
        if fresh.clock_offset_seconds is not None or self.vantage is None:
            return fresh
        known = self.vantage
        return replace(
            fresh, clock_offset_seconds=known.clock_offset_seconds, clock_readings=known.clock_readings
        )


Story = frozenset[tuple[object, ...]]


def story(record: ProbeRecord) -> Story:
    """Return how a probe went, without what differs from one time to the next."""
    if record.bug or record.skipped:
        return frozenset({(bool(record.bug), bool(record.skipped))})
    return frozenset(_ending(trail) for trail in record.trails)


def _ending(trail: Trail) -> tuple[object, ...]:
    last = trail.last
    seen = (last.phase, last.failure) if last is not None else ()
    return (trail.source, trail.family, trail.path, *seen, *_answers(trail))


def _answers(trail: Trail) -> Iterator[object]:
    """Yield who answered, as far as another device would answer otherwise."""
    for one in trail.observations:
        if isinstance(one, TlsObservation):
            yield one.chain[-1].issuer if one.chain else ""
            yield one.verify_code
        elif isinstance(one, HttpObservation):
            yield one.status
            yield one.title

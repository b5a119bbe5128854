"""An index over what is evidence in a recording.

Records on which our code fails are left out, and no others; so is what this host lacked resources for.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.errors import OnBug, Part, describe_bug, isolate
from egressd.model.observation import Failure
from egressd.model.recording import Control, ProbeRecord, Recording, Trail


def index_recording(recording: Recording, *, part: Part, on_bug: OnBug) -> SweepIndex:
    """Index a recording; records and controls that raise an exception there are marked as bugs, or left out.

    Raises:
        Exception: the plan itself can't be indexed.
    """
    recording = without_shortages(recording)

    def without_some(_why: str) -> SweepIndex:
        kept = replace(
            recording,
            records=tuple(_checked_record(one, recording) for one in recording.records),
            controls=tuple(_usable_controls(recording)),
        )
        return isolate(part, on_bug, lambda: SweepIndex.build(kept), without_any)

    def without_any(why: str) -> SweepIndex:  # each alone can be indexed, and all together not
        marked = tuple(_marked(one, why) for one in recording.records)
        return SweepIndex.build(replace(recording, records=marked, controls=()))

    return isolate(part, on_bug, lambda: SweepIndex.build(recording), without_some)


def without_shortages(recording: Recording) -> Recording:
    """Return a recording without the trails that ended for want of descriptors, ports or memory.

    They tell nothing about the network. Those of a probe stay where it has no others.
    """
    short = any(_is_short(trail) for some in _trails(recording) for trail in some)
    if not short and all(one.trails for one in recording.controls):
        return recording
    controls = (replace(one, trails=_unhindered(one.trails)) for one in recording.controls)
    return replace(
        recording,
        records=tuple(
            replace(one, trails=_unhindered(one.trails) or one.trails) for one in recording.records
        ),
        controls=tuple(
            replace(one, subject_trails=_unhindered(one.subject_trails)) for one in controls if one.trails
        ),
    )


def _unhindered(trails: tuple[Trail, ...]) -> tuple[Trail, ...]:
    return tuple(one for one in trails if not _is_short(one))


def _trails(recording: Recording) -> Iterator[tuple[Trail, ...]]:
    yield from (one.trails for one in recording.records)
    for control in recording.controls:
        yield from (control.trails, control.subject_trails)


def _is_short(trail: Trail) -> bool:
    return trail.last is not None and trail.last.failure is Failure.NO_RESOURCES


def _checked_record(one: ProbeRecord, recording: Recording) -> ProbeRecord:
    why = _problem(replace(_small(recording, one.probe), records=(one,), controls=()))
    return _marked(one, why) if why else one


def _usable_controls(recording: Recording) -> Iterator[Control]:
    for one in recording.controls:
        if not _problem(replace(_small(recording, one.subject), records=(), controls=(one,))):
            yield one


def _small(recording: Recording, probe: str) -> Recording:
    """Return the recording with a plan of one probe: indexing the whole plan for each record takes long."""
    plan = recording.plan
    probes = tuple(one for one in plan.probes if one.id == probe)
    return replace(recording, plan=replace(plan, probes=probes, targets=()))


def _problem(recording: Recording) -> str:
    try:
        SweepIndex.build(recording)
    except Exception as bug:  # noqa: BLE001 - the caller reported it
        return describe_bug(bug)
    return ""


def _marked(one: ProbeRecord, why: str) -> ProbeRecord:
    return replace(one, trails=(), bug=one.bug or why, skipped="")

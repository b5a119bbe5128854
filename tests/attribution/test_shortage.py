"""What ended for want of this host's resources is evidence about nobody."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.attribution.isolation import without_shortages
from egressd.model.observation import Failure, TcpObservation
from egressd.model.recording import Recording, Trail
from egressd.model.verdict import Blame, Outcome
from tests.attribution.cases import SCENES

WITH_CONTROLS = [one for one in SCENES if one.build().recording().controls]


def starved(trail: Trail) -> Trail:
    """Return a trail whose connect found no descriptor."""
    connect = TcpObservation(
        started=trail.observations[0].started,
        elapsed_ms=0.1,
        remote_address="192.0.2.1",
        remote_port=443,
        failure=Failure.NO_RESOURCES,
        detail="EMFILE: Too many open files",
        errno=24,
    )
    return replace(trail, observations=(connect,))


def with_starved_controls(recording: Recording) -> Recording:
    """Return a recording in which every control found no descriptor."""
    controls = (
        replace(
            one,
            trails=tuple(map(starved, one.trails)),
            subject_trails=tuple(map(starved, one.subject_trails)),
        )
        for one in recording.controls
    )
    return replace(recording, controls=tuple(controls))


@pytest.mark.parametrize("scene", WITH_CONTROLS, ids=lambda one: one.name)
def test_starved_controls_say_nothing(scene: object) -> None:
    """Controls that this host could not run are as controls that did not run."""
    recording = scene.build().recording()  # type: ignore[attr-defined]  # a scene
    found, none = judge(with_starved_controls(recording)), judge(replace(recording, controls=()))
    assert found.verdicts == none.verdicts
    assert found.findings == none.findings


@pytest.mark.parametrize("scene", SCENES[:48], ids=lambda one: one.name)
def test_starved_probes_blame_this_host(scene: object) -> None:
    """Where every trail found no descriptor, nothing is known, and the host of egressd is why."""
    recording = scene.build().recording()  # type: ignore[attr-defined]  # a scene
    records = tuple(replace(one, trails=tuple(map(starved, one.trails))) for one in recording.records)
    sweep = judge(replace(recording, records=records, controls=()))
    for one in sweep.verdicts:
        if one.verdict.reason == "local_resource_exhausted":
            assert (one.verdict.outcome, one.verdict.blame) == (Outcome.UNKNOWN, Blame.EGRESSD_ENV)
    assert {one.verdict.blame for one in sweep.verdicts} <= {Blame.EGRESSD_ENV, None}
    assert {one.blame for one in sweep.findings} <= {Blame.EGRESSD_ENV}


def test_another_trail_counts() -> None:
    """A trail that found no descriptor does not hide what another one of its probe found."""
    recording = SCENES[0].build().recording()
    record = next(one for one in recording.records if one.trails)
    both = replace(record, trails=(*record.trails, starved(record.trails[0])))
    (kept,) = without_shortages(replace(recording, records=(both,), controls=())).records
    assert kept.trails == record.trails

"""Certificates with dates and names that no calendar has: judged, planned for and measured like any other."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.attribution import judge, plan_followups
from egressd.model.observation import Observation, TlsObservation
from egressd.model.recording import Recording
from egressd.standing.results import results_of
from tests.attribution.cases import SCENES

DATES = (None, "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z")
EVERY = 6
"""One scene in so many."""


def with_dates(recording: Recording, date: str | None) -> Recording:
    """Return a recording whose certificates begin and end then, and have no names."""

    def changed(one: Observation) -> Observation:
        if not isinstance(one, TlsObservation):
            return one
        chain = tuple(
            replace(each, not_before=date, not_after=date, subject="", issuer="") for each in one.chain
        )
        return replace(one, chain=chain)

    records = tuple(
        replace(
            record,
            trails=tuple(
                replace(trail, observations=tuple(map(changed, trail.observations)))
                for trail in record.trails
            ),
        )
        for record in recording.records
    )
    return replace(recording, records=records)


@pytest.mark.parametrize("date", DATES)
def test_no_date_of_a_certificate_is_a_bug(date: str | None) -> None:
    """Nothing raises, and every target has its verdict and its result."""
    for scene in SCENES[::EVERY]:
        recording = with_dates(scene.build().recording(), date)
        sweep = judge(recording)
        plan_followups(recording)
        assert len(sweep.verdicts) == len(recording.plan.targets)
        assert len(list(results_of(sweep))) == sum(len(one.by_source) for one in sweep.verdicts)

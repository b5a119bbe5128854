"""Any well-typed recording is judged, written in every format, counted, told and kept."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from egressd.model.endpoint import Expect, Inspection, Protocol, SampleKind
from egressd.model.recording import Control, Recording
from tests.attribution.cases import SCENES
from tests.attribution.recordings import SOURCE, Site, good
from tests.hostile.outputs import produce_everything
from tests.hostile.values import FLOATS, TEXTS, TRAILS, mutated, records


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Some targets that were answered anyhow, some controls, and a host with odd facts."""
    site = Site(clock_offset=draw(st.none() | FLOATS))
    for number in range(draw(st.integers(1, 3))):
        site.add(
            *draw(st.lists(TRAILS, max_size=3)),
            host=f"h{number}.example",
            port=draw(st.sampled_from((80, 443, 123))),
            protocol=draw(st.sampled_from(Protocol)),
            sample=draw(st.sampled_from(SampleKind)),
            pattern=draw(st.sampled_from(("", "*.example"))),
            expect=draw(st.sampled_from((Expect(), Expect(status=(200,), min_bytes=3, sha256="aa")))),
            inspection=draw(st.sampled_from(Inspection)),
            internal=draw(st.booleans()),
            via_proxy=draw(st.booleans()),
            bug=draw(st.just("") | TEXTS),
        )
    if draw(st.booleans()):
        site.add(good("works.example"), host="works.example")
    subjects = st.sampled_from(("", *(one.id for one in site.probes)))
    controls = records(
        Control, source=st.just(SOURCE), subject=subjects, trails=st.lists(TRAILS, max_size=2).map(tuple)
    )
    site.controls = draw(st.lists(controls, max_size=3))
    return site.recording()


SCENE_RECORDINGS = tuple(one.build().recording() for one in SCENES)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.sampled_from(SCENE_RECORDINGS).flatmap(mutated))
def test_any_scene_with_odd_values_through_every_output(recording: Recording) -> None:
    """A recording that some rule knows, with values that nobody expects, gives nothing but values."""
    produce_everything(recording)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(recordings())
def test_any_recording_through_every_output(recording: Recording) -> None:
    """Nothing but values come out, and what is written can be read again."""
    produce_everything(recording)

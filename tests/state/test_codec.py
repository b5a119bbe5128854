"""State values as JSON: round trips, damaged input, fields of later versions."""

from __future__ import annotations

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.model import event
from egressd.model.catalog import Discovery
from egressd.model.event import Event
from egressd.model.standing import FindingStanding, Standing
from egressd.state.codec import EVENT_TYPES, decode, encode, kind_of

# Durations are finite; JSON has no other numbers, and NaN is not equal to itself.
ANY_EVENT = st.one_of([st.from_type(kind) for kind in EVENT_TYPES.values()]).filter(
    lambda one: not (isinstance(one, event.SweepFinished) and not math.isfinite(one.seconds))
)


@given(ANY_EVENT)
def test_events_round_trip(one: Event) -> None:
    """Events with any text are decoded equal."""
    assert decode(encode(one), EVENT_TYPES[kind_of(one)]) == one


@given(st.from_type(Standing))
def test_standings_round_trip(one: Standing) -> None:
    """Standings with belief and pending belief are decoded equal."""
    assert decode(encode(one), Standing) == one


@given(st.from_type(FindingStanding))
def test_findings_round_trip(one: FindingStanding) -> None:
    """Findings with targets and evidence are decoded equal."""
    assert decode(encode(one), FindingStanding) == one


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["target", "source", "state", "belief", "since", "last_changed", "outcome", "evidence"]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_other_json_is_a_value_error(value: object) -> None:
    """Any other JSON gives a value or a `ValueError`, never another exception."""
    with suppress(ValueError):
        assert isinstance(decode(json.dumps(value), Standing), Standing)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "7", "[" * 5000, '{"name": 1, "hosts": "abc"}'])
def test_damaged_text_is_a_value_error(text: str) -> None:
    """Truncated or invalid JSON is a `ValueError`."""
    with pytest.raises(ValueError):
        decode(text, Discovery)


def test_a_field_of_a_later_version_is_ignored() -> None:
    """An unknown field is ignored, so that a downgrade can read the state."""
    made = decode('{"at": "2026-11-20T03:10:00.000Z", "mood": "fine"}', event.DaemonStopped)
    assert made == event.DaemonStopped(at="2026-11-20T03:10:00.000Z")


def test_every_event_type_has_a_kind() -> None:
    """Every event type has a kind of its own."""
    assert set(EVENT_TYPES.values()) == set(Event.__args__)
    assert len(EVENT_TYPES) == len(set(EVENT_TYPES.values()))

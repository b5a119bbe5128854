"""Rules are asked by what a trail shows at a glance: none that holds is left out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.clue import clues_of
from egressd.attribution.rules.condition import may_hold
from egressd.attribution.trail_judgement import DIRECT_TABLES, PROXY_TABLES
from egressd.model.recording import Recording
from tests.attribution.cases import SCENES, Scene
from tests.attribution.recordings import Site, good
from tests.attribution.test_property import sites

RULES = tuple(
    rule for table in (*DIRECT_TABLES, *PROXY_TABLES) for some in (table.rules, table.notes) for rule in some
)


def contexts(recording: Recording) -> Iterator[TrailContext]:
    """Yield every trail for every target of its probe."""
    index = SweepIndex.build(recording)
    for record in recording.records:
        probe = index.probes[record.probe]
        for one in record.trails:
            yield from (
                TrailContext(trail=one, probe=probe, target=index.targets[name], index=index)
                for name in probe.targets
            )


def left_out(recording: Recording) -> list[str]:
    """Return the rules that hold and are not asked."""
    return [
        rule.reason
        for context, clues in ((one, clues_of(one)) for one in contexts(recording))
        for rule in RULES
        if not may_hold(rule.when, clues) and rule.when(context)
    ]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_rule_that_holds_is_asked(scene: Scene) -> None:
    """Whether or not the configuration says something of a private link scope."""
    recording = scene.build().recording()
    assert not left_out(recording)
    for scope in (True, False):
        assert not left_out(replace(recording, plan=replace(recording.plan, private_link=scope)))


@settings(max_examples=100)
@given(sites())
def test_every_rule_that_holds_is_asked_of_any_recording(site: Site) -> None:
    """A trail may hold anything, in any order."""
    assert not left_out(site.recording())


def test_few_rules_are_asked_where_nothing_is_wrong() -> None:
    """A sweep is mostly of trails without a clue."""
    site = Site()
    site.add(good())
    (context,) = contexts(site.recording())
    assert not clues_of(context)
    tables = [one for one in DIRECT_TABLES if not one.clear(context)]
    rules = [rule for one in tables for rule in (*one.rules, *one.notes)]
    asked = [one.reason for one in rules if may_hold(one.when, frozenset())]
    assert len(asked) < len(rules) / 10, asked

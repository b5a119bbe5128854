"""Whatever happens, in whatever order, over restarts and reloads: what is said is right."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from egressd.alerting import ActiveSilence
from egressd.alerting.inhibit import OF_ONE_TARGET
from egressd.model.alert import AlertName, AlertState, Notice, NoticeKind
from egressd.model.endpoint import Need
from egressd.model.notification import Alerting, Scope
from tests.alerting.story import START, Story

NAMES = "abcdef"
NEEDS = dict(
    zip(
        NAMES,
        (Need.REQUIRED, Need.REQUIRED, Need.REQUIRED, Need.CONDITIONAL, Need.OPTIONAL) * 2,
        strict=False,
    )
)
WORDS = ("ok", "ok", "blocked:tls_reset", "down:dns_nxdomain", "degraded:http_slow", "unknown:tls_unknown")
CAUSES = {"m": tuple("abc"), "n": tuple("cdef"), "o": ()}


@dataclass
class Moment:
    """What happens next."""

    words: dict[str, str] = field(default_factory=dict)
    causes: set[str] = field(default_factory=set)
    seconds: float = 60.0
    restart: bool = False
    gone: set[str] = field(default_factory=set)
    covered: bool = False
    times: int = 1


moments = st.lists(
    st.builds(
        Moment,
        words=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WORDS)),
        causes=st.sets(st.sampled_from(sorted(CAUSES))),
        seconds=st.sampled_from([2.0, 60.0, 700.0, 4000.0]),
        restart=st.booleans(),
        gone=st.sets(st.sampled_from(NAMES), max_size=2),
        covered=st.booleans(),
        times=st.integers(1, 4),
    ),
    max_size=12,
)


def live(one: Story, moment: Moment) -> None:
    """Let a moment happen: every look of it is checked."""
    if moment.restart:
        one.restart()
        one.tick()
    one.targets = {name: need for name, need in NEEDS.items() if name not in moment.gone}
    window = ActiveSilence(name="w", began=START, ends=START.replace(year=2030), reason="", scope=Scope())
    one.windows = (window,) if moment.covered else ()
    causes = {
        name: tuple(target for target in CAUSES[name] if target in one.targets) for name in moment.causes
    }
    for _ in range(moment.times):
        before = spoken_for(one)
        said = one.look(moment.words, findings=causes, seconds=moment.seconds)
        assert before & failing(one) <= spoken_for(one)
        assert not [notice.id for notice in said if is_explained(one, notice)]
        assert one.tick(0) == []


def is_explained(one: Story, notice: Notice) -> bool:
    """Say whether something is said of a target while a confirmed cause explains it."""
    explained = {target for each in one.snapshot.standings.findings if each.opened for target in each.targets}
    about = notice.alert.condition
    ended = notice.kind is NoticeKind.CLOSED
    return not ended and about.alertname in OF_ONE_TARGET and not explained.isdisjoint(about.targets)


def failing(one: Story) -> set[tuple[str, str]]:
    """Return what is believed to fail."""
    return {each.key for each in one.snapshot.standings.targets if not each.up and not each.unknown}


def spoken_for(one: Story) -> set[tuple[str, str]]:
    """Return what an open alert speaks for, of what fails."""
    found = set()
    for alert in one.open.values():
        about = alert.condition
        pairs = {(target, source) for target in about.targets for source in one.sources}
        if about.alertname is not AlertName.CAUSE:
            pairs = {(target, source) for target in about.targets for source in about.sources}
        found |= pairs
    return found & failing(one)


@settings(max_examples=150)
@given(moments)
def test_openings_and_ends_take_turns_and_everything_ends(story: list[Moment]) -> None:
    """No alert ends that never opened, none opens twice, and each one ends once its cause is gone.

    What an alert spoke for and what still fails is always spoken for; the same moment says nothing twice.
    """
    one = Story(targets=dict(NEEDS), rules=Alerting(instance="here:10980", reminder=600.0))
    for moment in story:
        live(one, moment)
    one.targets, one.windows = dict(NEEDS), ()
    for _ in range(40):
        one.look(seconds=300)
    assert one.open == {}
    order = defaultdict(list)
    for notice in one.said:
        order[notice.alert.id].append(notice.kind)
    for said in order.values():
        is_open = False
        for kind in said:
            assert is_open is (kind is not NoticeKind.OPENED), said
            is_open = kind is not NoticeKind.CLOSED
        assert not is_open
    assert len({notice.id for notice in one.said}) == len(one.said)


@settings(max_examples=75)
@given(moments)
def test_nothing_opens_under_maintenance(story: list[Moment]) -> None:
    """A window that covers everything lets ends through, and nothing else."""
    one = Story(targets=dict(NEEDS))
    for moment in story:
        moment.covered = True
        live(one, moment)
    assert one.said == []
    assert not any(alert.state is not AlertState.PENDING for alert in one.snapshot.alerts)

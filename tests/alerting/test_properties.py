"""Properties of the notices over any sequence of results, restarts and reloads."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from egressd.alerting.inhibit import OF_ONE_TARGET
from egressd.model.alert import AlertName, AlertState, Notice, NoticeKind
from egressd.model.endpoint import Need
from egressd.model.notification import Alerting
from tests.alerting.simulation import AlertSimulation, silence

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
    """One step of a sequence."""

    words: dict[str, str] = field(default_factory=dict)
    causes: set[str] = field(default_factory=set)
    seconds: float = 60.0
    restart: bool = False
    removed: set[str] = field(default_factory=set)
    silenced: bool = False
    times: int = 1


moments = st.lists(
    st.builds(
        Moment,
        words=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WORDS)),
        causes=st.sets(st.sampled_from(sorted(CAUSES))),
        seconds=st.sampled_from([2.0, 60.0, 700.0, 4000.0]),
        restart=st.booleans(),
        removed=st.sets(st.sampled_from(NAMES), max_size=2),
        silenced=st.booleans(),
        times=st.integers(1, 4),
    ),
    max_size=12,
)


def live(one: AlertSimulation, moment: Moment) -> None:
    """Apply a moment; the invariants are checked after each probe."""
    if moment.restart:
        one.restart()
        one.tick()
    one.targets = {name: need for name, need in NEEDS.items() if name not in moment.removed}
    one.silences = (silence("w", minutes=10**6),) if moment.silenced else ()
    causes = {
        name: tuple(target for target in CAUSES[name] if target in one.targets) for name in moment.causes
    }
    for _ in range(moment.times):
        before = covered(one)
        said = one.probe(moment.words, findings=causes, seconds=moment.seconds)
        assert before & failing(one) <= covered(one)
        assert not [notice.id for notice in said if is_redundant(one, notice)]
        assert one.tick(0) == []


def is_redundant(one: AlertSimulation, notice: Notice) -> bool:
    """Whether a notice is about a target that a confirmed cause explains."""
    explained = {target for each in one.snapshot.standings.findings if each.opened for target in each.targets}
    about = notice.alert.condition
    ended = notice.kind is NoticeKind.CLOSED
    return not ended and about.alertname in OF_ONE_TARGET and not explained.isdisjoint(about.targets)


def failing(one: AlertSimulation) -> set[tuple[str, str]]:
    """Return the targets and sources believed to fail."""
    return {each.key for each in one.snapshot.standings.targets if not each.up and not each.unknown}


def covered(one: AlertSimulation) -> set[tuple[str, str]]:
    """Return the failing targets and sources that an open alert is about."""
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
def test_alerts_open_and_close_in_turn_and_all_are_closed_in_the_end(steps: list[Moment]) -> None:
    """No alert is closed that never opened, none opens twice, each is closed when its cause is gone.

    What still fails of an open alert stays covered by an open alert; no moment sends a notice twice.
    """
    one = AlertSimulation(targets=dict(NEEDS), rules=Alerting(instance="here:10980", reminder=600.0))
    for moment in steps:
        live(one, moment)
    one.targets, one.silences = dict(NEEDS), ()
    for _ in range(40):
        one.probe(seconds=300)
    assert one.open == {}
    order = defaultdict(list)
    for notice in one.notices:
        order[notice.alert.id].append(notice.kind)
    for said in order.values():
        is_open = False
        for kind in said:
            assert is_open is (kind is not NoticeKind.OPENED), said
            is_open = kind is not NoticeKind.CLOSED
        assert not is_open
    assert len({notice.id for notice in one.notices}) == len(one.notices)


@settings(max_examples=75)
@given(moments)
def test_nothing_opens_under_a_silence(steps: list[Moment]) -> None:
    """A silence that covers everything suppresses all notices from the start."""
    one = AlertSimulation(targets=dict(NEEDS))
    for moment in steps:
        moment.silenced = True
        live(one, moment)
    assert one.notices == []
    assert not any(alert.state is not AlertState.PENDING for alert in one.snapshot.alerts)

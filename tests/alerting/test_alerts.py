"""One cause is one alert; what it explains is suppressed; nothing resolves while it fails."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.model.alert import AlertName, AlertState, NoticeKind, Resolution
from egressd.model.endpoint import Need
from egressd.model.notification import Alerting, Scope, Severity
from egressd.model.snapshot import ReceiverStatus
from tests.alerting.simulation import AlertSimulation, kinds, silence, words_of

MANY = tuple(f"t{number:03d}" for number in range(300))
BAD = "blocked:tcp_port_blocked"


def many(need: Need = Need.REQUIRED) -> AlertSimulation:
    """Return three hundred targets, all ok."""
    one = AlertSimulation(targets=dict.fromkeys(MANY, need))
    one.repeat(3)
    return one


def few(**needs: Need) -> AlertSimulation:
    """Return some targets, all ok."""
    one = AlertSimulation(targets=needs or {"a": Need.REQUIRED, "b": Need.CONDITIONAL, "c": Need.OPTIONAL})
    one.repeat(3)
    return one


def test_three_hundred_targets_of_one_cause_are_one_alert() -> None:
    """One opens, naming all of them; it is closed when all are ok again."""
    one = many()
    broken = dict.fromkeys(MANY, BAD)
    said = one.repeat(6, broken, findings={"tcp_port_blocked:443": MANY})
    assert words_of(said) == ["opened EgressCause/tcp_port_blocked:443"]
    (notice,) = said
    assert notice.alert.condition.targets == MANY
    assert notice.alert.condition.severity is Severity.CRITICAL
    assert "300 targets out of reach, 300 of them required" in notice.alert.condition.summary
    said = one.repeat(4)
    assert words_of(said) == ["closed EgressCause/tcp_port_blocked:443"]
    assert said[0].alert.resolution is Resolution.FIXED


def test_two_causes_interleaved_are_two_alerts() -> None:
    """Each names its own targets, and each is closed by itself."""
    one = many()
    even, odd = MANY[::2], MANY[1::2]
    broken = dict.fromkeys(even, BAD) | dict.fromkeys(odd, "blocked:tls_sni_reset")
    said = one.repeat(5, broken, findings={"x": even, "y": odd})
    assert words_of(said) == ["opened EgressCause/x", "opened EgressCause/y"]
    assert [notice.alert.condition.targets for notice in said] == [even, odd]
    said = one.repeat(5, dict.fromkeys(odd, "blocked:tls_sni_reset"), findings={"y": odd})
    assert words_of(said) == ["closed EgressCause/x"]
    assert set(one.open) == {"EgressCause/y"}


def test_a_single_failing_target_fires_by_its_need() -> None:
    """Required as soon as confirmed, conditional after five minutes, optional after fifteen."""
    one = few()
    said = one.repeat(3, {"a": BAD, "b": BAD, "c": BAD})
    assert words_of(said) == [f"opened {AlertName.UNREACHABLE}/a@default"]
    assert said[0].alert.condition.since == "2026-11-20T03:04:00.000Z"
    later = one.repeat(14, {"a": BAD, "b": BAD, "c": BAD})
    assert words_of(later) == [f"opened {AlertName.UNREACHABLE}/b@default"]
    last = one.repeat(4, {"a": BAD, "b": BAD, "c": BAD})
    assert words_of(last) == [f"opened {AlertName.UNREACHABLE}/c@default"]
    assert [each.condition.severity for each in one.open.values()] == list(Severity)


def test_a_suspected_cause_suppresses_its_targets() -> None:
    """One notice for the cause, even when targets are confirmed before it."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED, c=Need.REQUIRED)
    bad = {"a": BAD, "b": BAD}
    assert one.repeat(2, bad) == []
    said = one.probe(bad, findings={"x": ("a", "b", "c")})
    assert said == []
    said = one.repeat(3, bad, findings={"x": ("a", "b", "c")})
    assert words_of(said) == ["opened EgressCause/x"]


def test_a_cause_suppresses_an_open_alert_until_it_is_gone() -> None:
    """The target's alert stays open but suppressed, and fires again when the cause is gone."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    one.repeat(3, {"a": BAD})
    assert set(one.open) == {f"{AlertName.UNREACHABLE}/a@default"}
    both = {"a": BAD, "b": BAD}
    said = one.repeat(4, both, findings={"x": ("a", "b")})
    assert words_of(said) == ["opened EgressCause/x"]
    target = one.open[f"{AlertName.UNREACHABLE}/a@default"]
    assert (target.state, target.suppressed_by) == (AlertState.SUPPRESSED, ("EgressCause/x",))
    assert one.repeat(4, {"a": BAD}) == []
    said = one.repeat(12, {"a": BAD})
    assert words_of(said) == ["closed EgressCause/x"]
    assert said[0].alert.resolution is Resolution.SUPERSEDED
    assert said[0].alert.succeeded_by == (f"{AlertName.UNREACHABLE}/a@default",)
    assert words_of(one.repeat(3)) == [f"closed {AlertName.UNREACHABLE}/a@default"]


def test_a_cause_is_not_closed_before_alerts_for_the_rest_are_open() -> None:
    """When it breaks up into single failures, those open first."""
    one = few(a=Need.REQUIRED, b=Need.CONDITIONAL)
    both = {"a": BAD, "b": BAD}
    one.repeat(4, both, findings={"x": ("a", "b")})
    said = one.repeat(2, both)
    assert words_of(said) == [f"opened {AlertName.UNREACHABLE}/a@default"]
    assert one.open["EgressCause/x"].state is AlertState.RESOLVING
    said = one.repeat(6, both)
    assert words_of(said) == [f"opened {AlertName.UNREACHABLE}/b@default", "closed EgressCause/x"]


def test_another_cause_of_the_same_targets_opens_before_the_first_is_closed() -> None:
    """The second opens, then the first is closed, superseded by it."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    both = {"a": BAD, "b": BAD}
    one.repeat(4, both, findings={"x": ("a", "b")})
    said = one.repeat(5, both, findings={"y": ("a", "b")})
    assert words_of(said) == ["opened EgressCause/y", "closed EgressCause/x"]
    assert said[1].alert.succeeded_by == ("EgressCause/y",)


def test_a_rise_in_severity_is_notified_at_once_and_another_reason_later() -> None:
    """A change of reason waits until ten minutes after the last notice; a rise in severity does not."""
    one = few(a=Need.REQUIRED)
    one.repeat(3, {"a": BAD})
    said = one.repeat(4, {"a": "blocked:tls_sni_reset"}, seconds=30)
    assert said == []
    said = one.repeat(1, {"a": "blocked:tls_sni_reset"}, seconds=600)
    assert [notice.change for notice in said] == [
        "the reason was tcp_port_blocked, is tls_sni_reset",
    ]
    two = few(a=Need.OPTIONAL, b=Need.REQUIRED)
    two.repeat(4, {"a": BAD}, findings={"x": ("a", "b")})
    said = two.repeat(4, {"a": BAD}, findings={"x": ("a", "b")}, seconds=300)
    assert words_of(said) == ["opened EgressCause/x"]
    said = two.repeat(3, {"a": BAD, "b": BAD}, findings={"x": ("a", "b")}, seconds=10)
    assert [notice.change for notice in said] == ["was warning, is critical"]


def test_a_cause_that_grows_is_notified_again() -> None:
    """Twice as many targets are worth a notice, one more is not."""
    one = many()
    one.repeat(4, dict.fromkeys(MANY[:4], BAD), findings={"x": MANY[:4]})
    said = one.repeat(4, dict.fromkeys(MANY[:5], BAD), findings={"x": MANY[:5]}, seconds=300)
    assert said == []
    said = one.repeat(2, dict.fromkeys(MANY, BAD), findings={"x": MANY}, seconds=300)
    assert [notice.change for notice in said] == ["touches 300 targets, were 4"]


def test_reminders_come_only_when_asked_for() -> None:
    """Every eight hours if configured; never while suppressed."""
    one = few(a=Need.REQUIRED)
    one.repeat(3, {"a": BAD})
    assert one.repeat(40, {"a": BAD}, seconds=3600) == []
    one.snapshot = replace(
        one.snapshot, settings=replace(one.snapshot.settings, alerting=Alerting(reminder=28800))
    )
    said = one.repeat(24, {"a": BAD}, seconds=3600)
    assert [notice.kind for notice in said] == [NoticeKind.REMINDED] * 3


def test_a_silence_sends_nothing_and_forgets_nothing() -> None:
    """What still fails when a silence is over is notified then; what recovered under it never is."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    one.silences = (silence("night", 30),)
    assert one.repeat(6, {"a": BAD, "b": BAD}) == []
    assert one.repeat(6, {"a": BAD}) == []
    assert {each.state.value for each in one.snapshot.standings.targets} == {"maintenance"}
    said = one.repeat(20, {"a": BAD})
    assert words_of(said) == [f"opened {AlertName.UNREACHABLE}/a@default"]
    assert said[0].at >= "2026-11-20T03:30:00.000Z"
    assert said[0].alert.condition.since == "2026-11-20T03:04:00.000Z"


def test_a_silence_with_a_scope_leaves_others_alone() -> None:
    """It covers what its scope names; a cause is suppressed only if all its failing targets are covered."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    one.silences = (silence("a", 600, Scope(targets=("a*",))),)
    bad = {"a": BAD, "b": BAD}
    assert words_of(one.repeat(4, bad)) == [f"opened {AlertName.UNREACHABLE}/b@default"]
    assert words_of(one.repeat(4, bad, findings={"x": ("a", "b")})) == ["opened EgressCause/x"]
    two = few(a=Need.REQUIRED, b=Need.REQUIRED)
    two.silences = (silence("a", 600, Scope(targets=("a*",))),)
    assert two.repeat(4, {"a": BAD}, findings={"x": ("a",)}) == []


def test_an_alert_opened_before_a_silence_may_resolve_under_it() -> None:
    """It is not left open until the silence is over."""
    one = few(a=Need.REQUIRED)
    one.repeat(3, {"a": BAD})
    one.silences = (silence("night", 600),)
    one.repeat(2, {"a": BAD})
    assert [each.suppressed_by for each in one.open.values()] == [("maintenance/night",)]
    assert words_of(one.repeat(4)) == [f"closed {AlertName.UNREACHABLE}/a@default"]


def test_an_alert_that_opens_again_and_again_is_held_open() -> None:
    """The third notice within the hour says so; it is closed only after it was clear for 15 minutes."""
    one = few(a=Need.REQUIRED)
    for _ in range(3):
        one.repeat(4, {"a": BAD}, seconds=120)
        one.repeat(5, seconds=120)
    mine = [notice for notice in one.notices if notice.alert.condition.alertname is AlertName.UNREACHABLE]
    assert [notice.kind for notice in mine] == [NoticeKind.OPENED, NoticeKind.CLOSED] * 2 + [
        NoticeKind.OPENED
    ]
    assert "opened 3 times within 60 minutes" in mine[-1].change
    one.repeat(4, {"a": BAD}, seconds=120)
    one.repeat(5, seconds=120)
    assert kinds(one.notices, f"{AlertName.UNREACHABLE}/a@default")[-1] is NoticeKind.OPENED
    one.repeat(8, seconds=120)
    assert kinds(one.notices, f"{AlertName.UNREACHABLE}/a@default")[-1] is NoticeKind.CLOSED


def test_a_flapping_target_has_one_alert() -> None:
    """It opens once, sends nothing at each change, and is closed when the target is stable."""
    one = few(a=Need.REQUIRED)
    for _ in range(30):
        one.probe({"a": BAD})
        one.probe()
    about = [notice for notice in one.notices if "a@default" in notice.alert.id]
    assert words_of(about) == [f"opened {AlertName.FLAPPING}/a@default"]
    one.repeat(30)
    assert kinds(one.notices, f"{AlertName.FLAPPING}/a@default") == [NoticeKind.OPENED, NoticeKind.CLOSED]
    assert one.open == {}


def test_the_alert_of_a_removed_target_is_closed() -> None:
    """A reload without the target closes its alert as removed."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    one.repeat(3, {"a": BAD})
    del one.targets["a"]
    said = one.repeat(1)
    assert words_of(said) == [f"closed {AlertName.UNREACHABLE}/a@default"]
    assert said[0].alert.resolution is Resolution.REMOVED


def test_a_restart_sends_nothing_again() -> None:
    """Open alerts stay notified; the first sweep after it decides what is resolved."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    one.repeat(4, {"a": BAD, "b": BAD}, findings={"x": ("a", "b")})
    one.restart()
    assert one.tick(3600) == []
    assert one.repeat(3, {"a": BAD, "b": BAD}, findings={"x": ("a", "b")}) == []
    one.restart()
    assert words_of(one.repeat(4)) == ["closed EgressCause/x"]


def test_the_offline_clock_warns_at_half_and_again_near_the_end() -> None:
    """The second supersedes the first without a gap."""
    one = few(a=Need.REQUIRED)
    one.limits = {"resource-bridge": 45 * 86400.0}
    last = "2026-11-20T03:00:00.000Z"
    one.snapshot = replace(
        one.snapshot, counters=replace(one.snapshot.counters, profiles={"resource-bridge": last})
    )
    day = 86400.0
    one.tick(22 * day)
    assert not [each for each in one.notices if each.alert.condition.alertname is AlertName.OFFLINE_HALF]
    one.tick(day)
    assert words_of(one.tick(700)) == ["opened EgressProfileOfflineHalf/resource-bridge"]
    one.tick(14 * day)
    assert set(one.open) == {"EgressProfileOfflineHalf/resource-bridge"}
    assert words_of(one.tick(700)) == [
        "opened EgressProfileOfflineNearLimit/resource-bridge",
        "closed EgressProfileOfflineHalf/resource-bridge",
    ]
    (alert,) = one.open.values()
    assert alert.condition.severity is Severity.CRITICAL
    assert "2027-01-04" in " ".join(alert.condition.evidence)


def test_problems_of_egressd_itself_are_alerts() -> None:
    """A refused reload after ten minutes, a receiver that can't be reached after five."""
    one = few(a=Need.REQUIRED)
    one.snapshot = replace(
        one.snapshot,
        config=replace(
            one.snapshot.config,
            problems=("egressd.yml:3: interval: bad",),
            attempted="2026-11-20T03:03:00.000Z",
        ),
        receivers=(
            ReceiverStatus(name="noc", waiting=3, failing_since="2026-11-20T03:03:00.000Z", why="refused"),
        ),
    )
    one.tick(0)
    assert words_of(one.tick(301)) == ["opened EgressdNotificationsFailing/noc"]
    assert words_of(one.tick(300)) == ["opened EgressdConfigReloadFailed/here:10980"]
    one.snapshot = replace(one.snapshot, config=replace(one.snapshot.config, problems=()), receivers=())
    assert len(one.tick(15)) == 2
    assert one.open == {}


@pytest.mark.parametrize("word", ["blocked:x", "down:x", "unknown:x"])
def test_losing_the_evidence_resolves_no_alert(word: str) -> None:
    """From blocked to unknown is no recovery."""
    one = few(a=Need.REQUIRED)
    one.repeat(4, {"a": BAD})
    one.repeat(12, {"a": word}, seconds=120)
    assert f"{AlertName.UNREACHABLE}/a@default" in one.open
    one.repeat(12, {"a": word}, seconds=300)
    assert len([each for each in one.open.values() if each.state is AlertState.FIRING]) == 1

"""One cause is one alert; what it explains is quiet; nothing is over before it is mended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from egressd.alerting import ActiveSilence
from egressd.model.alert import AlertName, AlertState, NoticeKind, Resolution
from egressd.model.endpoint import Need
from egressd.model.notification import Alerting, Scope, Severity
from egressd.model.snapshot import ReceiverStatus
from tests.alerting.story import START, Story, kinds, words_of

MANY = tuple(f"t{number:03d}" for number in range(300))
BAD = "blocked:tcp_port_blocked"


def many(need: Need = Need.REQUIRED) -> Story:
    """Return three hundred targets, all well."""
    one = Story(targets=dict.fromkeys(MANY, need))
    one.again(3)
    return one


def few(**needs: Need) -> Story:
    """Return some targets, all well."""
    one = Story(targets=needs or {"a": Need.REQUIRED, "b": Need.CONDITIONAL, "c": Need.OPTIONAL})
    one.again(3)
    return one


def test_three_hundred_targets_of_one_cause_are_one_alert() -> None:
    """One opens, naming all of them; one ends when all are well again."""
    one = many()
    broken = dict.fromkeys(MANY, BAD)
    said = one.again(6, broken, findings={"tcp_port_blocked:443": MANY})
    assert words_of(said) == ["opened EgressCause/tcp_port_blocked:443"]
    (notice,) = said
    assert notice.alert.condition.targets == MANY
    assert notice.alert.condition.severity is Severity.CRITICAL
    assert "300 targets out of reach, 300 of them required" in notice.alert.condition.summary
    said = one.again(4)
    assert words_of(said) == ["closed EgressCause/tcp_port_blocked:443"]
    assert said[0].alert.resolution is Resolution.FIXED


def test_two_causes_interleaved_are_two_alerts() -> None:
    """Each names its own, and each ends for itself."""
    one = many()
    even, odd = MANY[::2], MANY[1::2]
    broken = dict.fromkeys(even, BAD) | dict.fromkeys(odd, "blocked:tls_sni_reset")
    said = one.again(5, broken, findings={"x": even, "y": odd})
    assert words_of(said) == ["opened EgressCause/x", "opened EgressCause/y"]
    assert [notice.alert.condition.targets for notice in said] == [even, odd]
    said = one.again(5, dict.fromkeys(odd, "blocked:tls_sni_reset"), findings={"y": odd})
    assert words_of(said) == ["closed EgressCause/x"]
    assert set(one.open) == {"EgressCause/y"}


def test_a_target_that_fails_alone_is_told_by_who_needs_it() -> None:
    """Required as soon as confirmed, conditional after five minutes, optional after fifteen."""
    one = few()
    said = one.again(3, {"a": BAD, "b": BAD, "c": BAD})
    assert words_of(said) == [f"opened {AlertName.UNREACHABLE}/a@default"]
    assert said[0].alert.condition.since == "2026-11-20T03:04:00.000Z"
    later = one.again(14, {"a": BAD, "b": BAD, "c": BAD})
    assert words_of(later) == [f"opened {AlertName.UNREACHABLE}/b@default"]
    last = one.again(4, {"a": BAD, "b": BAD, "c": BAD})
    assert words_of(last) == [f"opened {AlertName.UNREACHABLE}/c@default"]
    assert [each.condition.severity for each in one.open.values()] == list(Severity)


def test_a_suspected_cause_holds_its_targets_back() -> None:
    """What is seen together is told together, even where targets are confirmed before their cause."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED, c=Need.REQUIRED)
    bad = {"a": BAD, "b": BAD}
    assert one.again(2, bad) == []
    said = one.look(bad, findings={"x": ("a", "b", "c")})
    assert said == []
    said = one.again(3, bad, findings={"x": ("a", "b", "c")})
    assert words_of(said) == ["opened EgressCause/x"]


def test_a_cause_takes_over_what_was_told_and_gives_it_back() -> None:
    """The target's alert stays open and silent under its cause, and goes on when the cause is gone."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    one.again(3, {"a": BAD})
    assert set(one.open) == {f"{AlertName.UNREACHABLE}/a@default"}
    both = {"a": BAD, "b": BAD}
    said = one.again(4, both, findings={"x": ("a", "b")})
    assert words_of(said) == ["opened EgressCause/x"]
    target = one.open[f"{AlertName.UNREACHABLE}/a@default"]
    assert (target.state, target.suppressed_by) == (AlertState.SUPPRESSED, ("EgressCause/x",))
    said = one.again(4, {"a": BAD})
    assert words_of(said) == ["closed EgressCause/x"]
    assert said[0].alert.resolution is Resolution.SUPERSEDED
    assert said[0].alert.succeeded_by == (f"{AlertName.UNREACHABLE}/a@default",)
    assert words_of(one.again(3)) == [f"closed {AlertName.UNREACHABLE}/a@default"]


def test_a_cause_is_not_over_while_what_is_left_was_not_told() -> None:
    """Where it falls apart into single failures, those open first."""
    one = few(a=Need.REQUIRED, b=Need.CONDITIONAL)
    both = {"a": BAD, "b": BAD}
    one.again(4, both, findings={"x": ("a", "b")})
    said = one.again(2, both)
    assert words_of(said) == [f"opened {AlertName.UNREACHABLE}/a@default"]
    assert one.open["EgressCause/x"].state is AlertState.RESOLVING
    said = one.again(6, both)
    assert words_of(said) == [f"opened {AlertName.UNREACHABLE}/b@default", "closed EgressCause/x"]


def test_another_cause_for_the_same_targets_is_told_before_the_first_ends() -> None:
    """The second opens, then the first is over, superseded by it."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    both = {"a": BAD, "b": BAD}
    one.again(4, both, findings={"x": ("a", "b")})
    said = one.again(5, both, findings={"y": ("a", "b")})
    assert words_of(said) == ["opened EgressCause/y", "closed EgressCause/x"]
    assert said[1].alert.succeeded_by == ("EgressCause/y",)


def test_more_urgent_is_told_at_once_and_another_reason_now_and_then() -> None:
    """A change of reason waits ten minutes since something was said; a rise in severity does not."""
    one = few(a=Need.REQUIRED)
    one.again(3, {"a": BAD})
    said = one.again(4, {"a": "blocked:tls_sni_reset"}, seconds=30)
    assert said == []
    said = one.again(1, {"a": "blocked:tls_sni_reset"}, seconds=600)
    assert [notice.change for notice in said] == [
        "the reason was tcp_port_blocked, is tls_sni_reset",
    ]
    two = few(a=Need.OPTIONAL, b=Need.REQUIRED)
    two.again(4, {"a": BAD}, findings={"x": ("a", "b")})
    said = two.again(4, {"a": BAD}, findings={"x": ("a", "b")}, seconds=300)
    assert words_of(said) == ["opened EgressCause/x"]
    said = two.again(3, {"a": BAD, "b": BAD}, findings={"x": ("a", "b")}, seconds=10)
    assert [notice.change for notice in said] == ["was warning, is critical"]


def test_a_cause_that_grows_is_told_again() -> None:
    """Twice as many targets are worth a word, one more is not."""
    one = many()
    one.again(4, dict.fromkeys(MANY[:4], BAD), findings={"x": MANY[:4]})
    said = one.again(4, dict.fromkeys(MANY[:5], BAD), findings={"x": MANY[:5]}, seconds=300)
    assert said == []
    said = one.again(2, dict.fromkeys(MANY, BAD), findings={"x": MANY}, seconds=300)
    assert [notice.change for notice in said] == ["touches 300 targets, were 4"]


def test_reminders_come_only_when_asked_for() -> None:
    """Every eight hours where the operator says so; never under maintenance or under a cause."""
    one = few(a=Need.REQUIRED)
    one.again(3, {"a": BAD})
    assert one.again(40, {"a": BAD}, seconds=3600) == []
    one.snapshot = replace(
        one.snapshot, settings=replace(one.snapshot.settings, alerting=Alerting(reminder=28800))
    )
    said = one.again(24, {"a": BAD}, seconds=3600)
    assert [notice.kind for notice in said] == [NoticeKind.REMINDED] * 3


def window(name: str, minutes: float, scope: Scope = Scope()) -> ActiveSilence:  # noqa: B008 - frozen
    """Return a window from the beginning of the story on."""
    return ActiveSilence(
        name=name, began=START, ends=START + timedelta(minutes=minutes), reason="", scope=scope
    )


def test_maintenance_keeps_quiet_and_forgets_nothing() -> None:
    """What fails in a window and still does when it is over is told then; what was mended in it never is."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    one.windows = (window("night", 30),)
    assert one.again(6, {"a": BAD, "b": BAD}) == []
    assert one.again(6, {"a": BAD}) == []
    assert {each.state.value for each in one.snapshot.standings.targets} == {"maintenance"}
    said = one.again(20, {"a": BAD})
    assert words_of(said) == [f"opened {AlertName.UNREACHABLE}/a@default"]
    assert said[0].at >= "2026-11-20T03:30:00.000Z"
    assert said[0].alert.condition.since == "2026-11-20T03:04:00.000Z"


def test_maintenance_of_some_leaves_others_alone() -> None:
    """A scope covers what it names; a cause is quiet only if all that fails by it is covered."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    one.windows = (window("a", 600, Scope(targets=("a*",))),)
    bad = {"a": BAD, "b": BAD}
    assert words_of(one.again(4, bad)) == [f"opened {AlertName.UNREACHABLE}/b@default"]
    assert words_of(one.again(4, bad, findings={"x": ("a", "b")})) == ["opened EgressCause/x"]
    two = few(a=Need.REQUIRED, b=Need.REQUIRED)
    two.windows = (window("a", 600, Scope(targets=("a*",))),)
    assert two.again(4, {"a": BAD}, findings={"x": ("a",)}) == []


def test_what_was_told_before_a_window_may_end_in_it() -> None:
    """A mended alert is not left open until the window is over."""
    one = few(a=Need.REQUIRED)
    one.again(3, {"a": BAD})
    one.windows = (window("night", 600),)
    one.again(2, {"a": BAD})
    assert [each.suppressed_by for each in one.open.values()] == [("maintenance/night",)]
    assert words_of(one.again(4)) == [f"closed {AlertName.UNREACHABLE}/a@default"]


def test_an_alert_that_comes_back_again_and_again_is_held_open() -> None:
    """The third opening within the hour says so; its end waits for a quarter of an hour of calm."""
    one = few(a=Need.REQUIRED)
    for _ in range(3):
        one.again(4, {"a": BAD}, seconds=120)
        one.again(5, seconds=120)
    mine = [notice for notice in one.said if notice.alert.condition.alertname is AlertName.UNREACHABLE]
    assert [notice.kind for notice in mine] == [NoticeKind.OPENED, NoticeKind.CLOSED] * 2 + [
        NoticeKind.OPENED
    ]
    assert "opened 3 times within 60 minutes" in mine[-1].change
    one.again(4, {"a": BAD}, seconds=120)
    one.again(5, seconds=120)
    assert kinds(one.said, f"{AlertName.UNREACHABLE}/a@default")[-1] is NoticeKind.OPENED
    one.again(8, seconds=120)
    assert kinds(one.said, f"{AlertName.UNREACHABLE}/a@default")[-1] is NoticeKind.CLOSED


def test_a_target_that_flutters_has_one_alert() -> None:
    """It opens once, says nothing at every change, and ends once it is calm."""
    one = few(a=Need.REQUIRED)
    for _ in range(30):
        one.look({"a": BAD})
        one.look()
    about = [notice for notice in one.said if "a@default" in notice.alert.id]
    assert words_of(about) == [f"opened {AlertName.FLAPPING}/a@default"]
    one.again(30)
    assert kinds(one.said, f"{AlertName.FLAPPING}/a@default") == [NoticeKind.OPENED, NoticeKind.CLOSED]
    assert one.open == {}


def test_a_target_nobody_asks_for_any_more_is_removed() -> None:
    """A reload without it ends its alert, and says why."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    one.again(3, {"a": BAD})
    del one.targets["a"]
    said = one.again(1)
    assert words_of(said) == [f"closed {AlertName.UNREACHABLE}/a@default"]
    assert said[0].alert.resolution is Resolution.REMOVED


def test_a_restart_says_nothing_again() -> None:
    """What was told stays told; the first sweep after it decides what is mended."""
    one = few(a=Need.REQUIRED, b=Need.REQUIRED)
    one.again(4, {"a": BAD, "b": BAD}, findings={"x": ("a", "b")})
    one.restart()
    assert one.tick(3600) == []
    assert one.again(3, {"a": BAD, "b": BAD}, findings={"x": ("a", "b")}) == []
    one.restart()
    assert words_of(one.again(4)) == ["closed EgressCause/x"]


def test_the_offline_clock_warns_at_half_and_again_near_the_end() -> None:
    """The second takes over from the first: there is no gap, and the first is over only then."""
    one = few(a=Need.REQUIRED)
    one.limits = {"resource-bridge": 45 * 86400.0}
    last = "2026-11-20T03:00:00.000Z"
    one.snapshot = replace(
        one.snapshot, counters=replace(one.snapshot.counters, profiles={"resource-bridge": last})
    )
    day = 86400.0
    one.tick(22 * day)
    assert not [each for each in one.said if each.alert.condition.alertname is AlertName.OFFLINE_HALF]
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


def test_what_is_wrong_with_egressd_itself_is_told() -> None:
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


@pytest.mark.parametrize("fault", ["blocked:x", "down:x", "unknown:x"])
def test_evidence_that_has_to_be_discarded_ends_no_alert(fault: str) -> None:
    """From blocked to unknown is no repair."""
    one = few(a=Need.REQUIRED)
    one.again(4, {"a": BAD})
    one.again(12, {"a": fault}, seconds=120)
    assert f"{AlertName.UNREACHABLE}/a@default" in one.open
    one.again(12, {"a": fault}, seconds=300)
    assert len([each for each in one.open.values() if each.state is AlertState.FIRING]) == 1

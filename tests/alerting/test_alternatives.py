"""Alerts about choices, of which one endpoint that works is enough, and about names that egressd derived."""

from __future__ import annotations

from egressd.daemon.counters import reachable_profiles
from egressd.model.alert import AlertName
from egressd.model.endpoint import Need
from egressd.model.notification import Severity
from tests.alerting.simulation import AlertSimulation, plan_of, words_of

BAD = "blocked:tcp_port_blocked"
CHOICE = {"a": "wsus/port", "b": "wsus/port"}
UNREACHABLE_A, UNREACHABLE_B = (f"{AlertName.UNREACHABLE}/{name}@default" for name in "ab")


def choice(**more: object) -> AlertSimulation:
    """Two alternatives and a target beside them, all ok."""
    targets = dict.fromkeys("abc", Need.REQUIRED)
    one = AlertSimulation(targets=targets, choices=CHOICE, **more)  # type: ignore[arg-type]
    one.repeat(3)
    return one


def test_an_alternative_that_is_not_needed_raises_no_alert() -> None:
    """One of two fails for an hour: nobody is called, and the product counts as reachable."""
    one = choice()

    assert one.repeat(60, {"a": BAD}) == []
    plan, standings = plan_of(one.targets, choices=CHOICE), one.snapshot.standings
    assert reachable_profiles({}, plan, standings, now="2026-11-20T05:00:00.000Z") == {
        "resource-bridge": "2026-11-20T05:00:00.000Z"
    }


def test_when_the_last_alternative_fails_both_are_told() -> None:
    """Each is required then; when one works again, both alerts end."""
    one = choice()
    one.repeat(10, {"a": BAD})

    said = one.repeat(6, {"a": BAD, "b": BAD})
    assert set(words_of(said)) == {f"opened {UNREACHABLE_A}", f"opened {UNREACHABLE_B}"}
    assert {notice.alert.condition.severity for notice in said} == {Severity.CRITICAL}
    plan, standings = plan_of(one.targets, choices=CHOICE), one.snapshot.standings
    assert reachable_profiles({}, plan, standings, now="x") == {}

    said = one.repeat(20, {"a": BAD})
    assert {word for word in words_of(said) if word.startswith("closed")} == {
        f"closed {UNREACHABLE_A}",
        f"closed {UNREACHABLE_B}",
    }


def test_one_bad_result_of_the_alternative_is_no_alert() -> None:
    """What is believed decides, not the last result."""
    one = choice()
    one.repeat(10, {"a": BAD})

    assert one.probe({"a": BAD, "b": BAD}) == []
    assert one.repeat(5, {"a": BAD}) == []


def test_a_cause_of_what_is_not_needed_raises_no_alert() -> None:
    """A finding that explains nothing but a spared alternative is in the report only."""
    one = choice()

    assert one.repeat(20, {"a": BAD}, findings={"x": ("a",)}) == []


def test_a_cause_that_takes_a_needed_target_along_does() -> None:
    """The target beside the choice fails for the same cause: critical, for its sake."""
    one = choice()

    said = one.repeat(6, {"a": BAD, "c": BAD}, findings={"x": ("a", "c")})

    assert words_of(said) == ["opened EgressCause/x"]
    assert said[0].alert.condition.severity is Severity.CRITICAL
    assert "1 target out of reach, 1 of them required" in said[0].alert.condition.summary


def test_while_the_alternative_is_unknown_it_is_a_warning() -> None:
    """It may work: nothing critical is proved."""
    one = choice()

    said = one.repeat(30, {"a": BAD, "b": "unknown:not_probed"})

    severities = {notice.alert.id: notice.alert.condition.severity for notice in said}
    assert severities.get(UNREACHABLE_A) in (None, Severity.WARNING)


def test_a_derived_name_raises_no_alert() -> None:
    """Whatever becomes of a guess: blocked, absent, degraded, or now this and now that."""
    one = AlertSimulation(targets={"guess": Need.OPTIONAL, "c": Need.REQUIRED}, derived=frozenset({"guess"}))
    one.repeat(3)
    words = (BAD, "unknown:dns_derived_name_absent", "degraded:tls_mitm_trusted")

    assert [notice for word in words for notice in one.repeat(90, {"guess": word})] == []
    assert [notice for _ in range(30) for word in (BAD, "ok") for notice in one.probe({"guess": word})] == []

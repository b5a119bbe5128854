"""The samples of a snapshot, as `/metrics` and `--format prometheus` show them."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from egressd import __version__
from egressd.bugs import attempt, report_bug
from egressd.errors import Part, isolate_each
from egressd.metrics.table import MOST_REASONS, OTHER_REASONS
from egressd.model.alert import AlertState
from egressd.model.endpoint import SampleKind
from egressd.model.notification import Severity
from egressd.model.plan import Target
from egressd.model.snapshot import Counters, Snapshot
from egressd.model.standing import FindingStanding
from egressd.model.verdict import (
    Outcome,
    Sweep,
    Verdict,
    outcomes_by_pair,
    spared_in,
)
from egressd.standing.onset import FAILURES
from egressd.standing.results import TargetResult, results_of, unix

Row = tuple[tuple[str, ...], float]
"""Label values, in the table's order, and the value."""


def rows_of(snapshot: Snapshot, *, limits: Mapping[str, float]) -> dict[str, list[Row]]:
    """Return the samples of every metric except histograms, which the writer takes from the counters.

    `limits` are the seconds that the product of a profile may be offline. What has a bug is missing.
    """
    groups: list[Callable[[], Iterator[tuple[str, list[Row]]]]] = [
        partial(_of_daemon, snapshot),
        partial(_of_counters, snapshot.counters),
        partial(_of_standings, snapshot),
        partial(_of_alerts, snapshot),
    ]
    if snapshot.sweep is not None:
        results = attempt(Part.METRICS, (), results_of, snapshot.sweep, on_bug=report_bug)
        groups += [partial(_of_sweep, snapshot.sweep, limits), partial(_of_results, results)]
    return dict(row for group in groups for row in attempt(Part.METRICS, (), _collect, group))


def _collect(group: Callable[[], Iterator[tuple[str, list[Row]]]]) -> tuple[tuple[str, list[Row]], ...]:
    return tuple(isolate_each(Part.METRICS, report_bug, group()))


def _of_daemon(snapshot: Snapshot) -> Iterator[tuple[str, list[Row]]]:
    catalog = snapshot.plan.catalog_revision if snapshot.plan else ""
    yield "build_info", [((__version__, catalog, platform.python_version()), 1)]
    if snapshot.settings.chosen_site is not None:
        yield "site_info", [((snapshot.settings.chosen_site,), 1)]
    yield "config_last_reload_successful", _one(snapshot.config.successful)
    yield "config_last_reload_success_timestamp_seconds", _one(unix(snapshot.config.since))
    yield "config_stale", _one(snapshot.config.stale_since is not None)
    if snapshot.state.directory is not None:
        yield "state_persisted", _one(not snapshot.state.problem)
    if snapshot.state.saved_at is not None:
        yield "state_last_saved_timestamp_seconds", _one(unix(snapshot.state.saved_at))
    yield "sweep_interval_seconds", _one(snapshot.settings.interval)
    yield "log_lines_lost_total", _one(snapshot.log_lines_lost)


def _one(value: float) -> list[Row]:
    return [((), float(value))]


def _of_counters(counters: Counters) -> Iterator[tuple[str, list[Row]]]:
    yield "probes_total", [(key, count) for key, count in counters.probes.items()]
    yield "probe_failures_total", _failures(counters)
    yield "sweep_overruns_total", _one(counters.overruns)
    yield "internal_errors_total", [((one,), count) for one, count in counters.bugs.items()]
    yield "notifications_total", [((one,), count) for one, count in counters.notifications.items()]
    yield "notifications_failed_total", [((one,), n) for one, n in counters.notifications_failed.items()]
    yield "notifications_dropped_total", [((one,), n) for one, n in counters.notifications_dropped.items()]
    if counters.completed is not None:
        yield "sweep_last_completed_timestamp_seconds", _one(unix(counters.completed))
    if counters.sweep_seconds is not None:
        yield "sweep_duration_seconds", _one(counters.sweep_seconds)
    yield (
        "profile_last_reachable_timestamp_seconds",
        [((name,), unix(when)) for name, when in counters.profiles.items() if name],
    )


def _failures(counters: Counters) -> list[Row]:
    """Count the first reasons of a target apart and the rest together, to bound the number of series."""
    counted: Counter[tuple[str, str]] = Counter()
    found: Counter[tuple[str, ...]] = Counter()
    for (target, source, reason), count in counters.failures.items():
        counted[target, source] += 1
        own = reason if counted[target, source] <= MOST_REASONS else OTHER_REASONS
        found[target, source, own] += count
    return list(found.items())


def _of_standings(snapshot: Snapshot) -> Iterator[tuple[str, list[Row]]]:
    yield (
        "target_last_success_timestamp_seconds",
        [(one.key, unix(one.last_success)) for one in snapshot.standings.targets if one.last_success],
    )
    yield (
        "target_failing_since_timestamp_seconds",
        [
            (one.key, unix(one.failing_since))
            for one in snapshot.standings.targets
            if one.failing_since is not None and one.last_outcome in FAILURES
        ],
    )
    findings = [(one.id, one.reason, one.blame.value) for one in _open_findings(snapshot)]
    yield "finding_active", list(Counter(finding[1:] for finding in findings).items())
    yield "finding_info", [(finding, 1) for finding in findings]
    yield (
        "finding_confidence",
        [((one.id, *claim), 1) for one in _open_findings(snapshot) for claim in _claims(one)],
    )
    explained: dict[str, tuple[str, str, str]] = {}
    for one, finding in zip(_open_findings(snapshot), findings, strict=True):
        for target in one.explained:
            explained.setdefault(target, finding)
    yield "finding_target", [((target, *finding), 1) for target, finding in explained.items()]
    suspected = {name for one in snapshot.standings.findings if not one.opened for name in one.targets}
    yield "target_cause_suspected", [((target,), 1) for target in sorted(suspected - explained.keys())]


def _open_findings(snapshot: Snapshot) -> Iterator[FindingStanding]:
    """Yield the confirmed findings."""
    return (one for one in snapshot.standings.findings if one.opened)


def _of_alerts(snapshot: Snapshot) -> Iterator[tuple[str, list[Row]]]:
    firing = (AlertState.FIRING, AlertState.RESOLVING)
    severities = Counter(one.condition.severity for one in snapshot.alerts if one.state in firing)
    yield "alerts_firing", [((one.value,), severities[one]) for one in Severity]
    yield "maintenance_active", _one(len(snapshot.silences))
    receivers = snapshot.receivers
    yield "notifications_queue_length", [((one.name,), one.waiting) for one in receivers]
    yield (
        "notifications_last_success_timestamp_seconds",
        [((one.name,), unix(one.delivered_at)) for one in receivers if one.delivered_at],
    )
    yield "notifications_failing", [((one.name,), float(one.failing_since is not None)) for one in receivers]
    alertmanagers = {one.name for one in snapshot.settings.notify.alertmanagers}
    unreached = {one.name for one in receivers if one.unreached_since is not None}
    yield "alertmanager_receiver_configured", _one(bool(alertmanagers))
    yield "alertmanager_receiver_reached", _one(not alertmanagers or bool(alertmanagers - unreached))


def _of_sweep(sweep: Sweep, limits: Mapping[str, float]) -> Iterator[tuple[str, list[Row]]]:
    plan = sweep.recording.plan
    yield "target_info", [(_describe(one), 1) for one in plan.targets]
    up = _profiles(sweep)
    yield "profile_up", [((name,), float(good)) for name, good in up.items()]
    yield "target_not_needed", [(pair, 1) for pair in _not_needed(sweep)]
    yield "profile_offline_limit_seconds", [((name,), limits[name]) for name in up if name in limits]
    yield "wildcard_samples", _wildcards(sweep)
    offset = sweep.recording.vantage.clock_offset_seconds
    if offset is not None:
        yield "clock_offset_seconds", _one(offset)


def _describe(target: Target) -> tuple[str, ...]:
    return (
        target.id,
        target.endpoint,
        target.service,
        target.shown_host,
        str(target.port),
        target.protocol.value,
        target.need.value,
        ",".join(one for one in target.profiles if one),
    )


def _not_needed(sweep: Sweep) -> list[tuple[str, str]]:
    """Return targets and sources that are no reason for an alert, although they are not ok."""
    guessed = {one.id for one in sweep.recording.plan.targets if one.sample is SampleKind.DERIVED}
    fails = (pair for pair, one in outcomes_by_pair(sweep).items() if one is not Outcome.OK)
    return sorted(spared_in(sweep).keys() | {pair for pair in fails if pair[0] in guessed})


def _profiles(sweep: Sweep) -> dict[str, bool]:
    """Return for each profile whether all its required targets are reachable; True if it has none."""
    outcomes = sweep.deciding
    found: dict[str, bool] = {}
    for target in sweep.recording.plan.targets:
        good = outcomes.get(target.id, Outcome.OK).reachable
        for name in filter(None, target.profiles):
            found[name] = found.get(name, True) and good
    return found


def _wildcards(sweep: Sweep) -> list[Row]:
    plan = sweep.recording.plan
    hosts = {(one.pattern, one.sample.value, one.host) for one in plan.targets if "*" in one.pattern}
    kinds = Counter((pattern, kind) for pattern, kind, _ in hosts)
    sampled = {pattern for pattern, _, _ in hosts}
    missing = {one.pattern for one in plan.unsampled if "*" in one.pattern} - sampled
    return [*sorted(kinds.items()), *(((pattern, "none"), 0) for pattern in sorted(missing))]


def _of_results(results: tuple[TargetResult, ...]) -> Iterator[tuple[str, list[Row]]]:
    yield "target_up", [((one.target, one.source), float(one.verdict.outcome.reachable)) for one in results]
    yield (
        "target_outcome",
        [
            ((one.target, one.source, outcome.value), float(one.verdict.outcome is outcome))
            for one in results
            for outcome in Outcome
        ],
    )
    yield "target_failure", [(_failure(one), 1) for one in results if not one.verdict.outcome.reachable]
    yield (
        "target_failure_confidence",
        [
            ((one.target, one.source, *claim), 1)
            for one in results
            if not one.verdict.outcome.reachable
            for claim in _claims(one.verdict)
        ],
    )
    yield (
        "probe_phase_duration_seconds",
        [
            ((one.target, one.source, phase), seconds)
            for one in results
            for phase, seconds in one.durations.items()
        ],
    )
    for name, pick in _NUMBERS.items():
        yield (
            name,
            [((one.target, one.source), float(value)) for one in results if (value := pick(one)) is not None],
        )


_NUMBERS: Mapping[str, Callable[[TargetResult], float | None]] = {
    "tls_chain_expiry_timestamp_seconds": lambda one: one.chain_expiry,
    "tls_intercepted": lambda one: one.intercepted,
    "download_bytes_per_second": lambda one: one.throughput,
}


def _claims(one: Verdict | FindingStanding) -> Iterator[tuple[str, str]]:
    """Yield the claims, each with its confidence."""
    yield "what", one.confidence.value
    if one.blame_confidence is not None:
        yield "who", one.blame_confidence.value


def _failure(result: TargetResult) -> tuple[str, ...]:
    verdict = result.verdict
    return (result.target, result.source, verdict.phase or "", verdict.reason or "", verdict.blame or "")

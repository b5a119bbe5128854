"""The conditions of one evaluation: what is wrong now, one condition per thing that can be repaired.

Names, labels and severities are those of the shipped Prometheus rules, so that routes and inhibitions fit
both, whoever sends the alert. Whether a condition fires is decided in `egressd.alerting.lifecycle` and
`inhibit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from egressd.alerting.context import AlertContext, cause_id
from egressd.alerting.inhibit import OF_ONE_TARGET
from egressd.alerting.own import OWN, own_conditions
from egressd.alerting.summary import cause_summary
from egressd.attribution.reasons import find_reason
from egressd.errors import OnBug, Part, isolate_each, raise_bug
from egressd.model.alert import AlertName, Condition
from egressd.model.endpoint import Need, SampleKind
from egressd.model.notification import Labels, Severity
from egressd.model.observation import Timestamp
from egressd.model.plan import Target
from egressd.model.standing import Belief, FindingStanding, Lifecycle, Standing
from egressd.model.verdict import Blame, Outcome, Pair
from egressd.standing.results import INTERCEPTED, TargetResult
from egressd.wording import stamp

BY_NEED = {
    Need.REQUIRED: Severity.CRITICAL,
    Need.CONDITIONAL: Severity.WARNING,
    Need.OPTIONAL: Severity.INFO,
}
EXPIRING_WITHIN = 7 * 86400.0
"""Seconds before it expires from which on a certificate is a condition."""
LARGEST_OFFSET = 120.0
"""Seconds of clock offset that are no condition."""
CLOCK_REASON = "local_clock_skew"
HALF, NEAR_LIMIT = 0.5, 0.8
"""Shares of the time a profile may be offline."""


class _Rule(Struct, frozen=True, kw_only=True):
    """What makes conditions of some names."""

    make: Callable[[AlertContext, datetime], Iterator[Condition]]
    names: frozenset[AlertName]
    pair: Pair | None = None
    """The target and source it is about; None: any."""


def conditions_of(
    context: AlertContext, *, now: datetime, on_bug: OnBug = raise_bug
) -> tuple[Condition, ...]:
    """Return the conditions that hold `now` (aware), by id.

    `on_bug` is called with a bug in a rule: what that rule found before is taken to hold still.
    """
    found: dict[str, Condition] = {}
    for rule in _rules(context):
        found |= _made(context, rule, now, on_bug)
    return tuple(found[key] for key in sorted(found))


def _made(context: AlertContext, rule: _Rule, now: datetime, on_bug: OnBug) -> dict[str, Condition]:
    bugs: list[Exception] = []

    def note(part: Part, bug: Exception) -> None:
        bugs.append(bug)
        on_bug(part, bug)

    made = {one.id: one for one in isolate_each(Part.ALERTS, note, rule.make(context, now))}
    return _before(context, rule) | made if bugs else made


def _before(context: AlertContext, rule: _Rule) -> dict[str, Condition]:
    """Return the conditions of a rule that held at the last evaluation."""
    held = (one for one in context.snapshot.alerts if one.holds and one.condition.alertname in rule.names)
    return {
        one.id: one.condition
        for one in held
        if rule.pair is None or rule.pair == (*one.condition.targets, *one.condition.sources)
    }


def _rules(context: AlertContext) -> Iterator[_Rule]:
    yield _Rule(make=_causes, names=frozenset({AlertName.CAUSE}))
    for one in context.standings:
        yield _Rule(make=partial(_target, one), names=OF_ONE_TARGET, pair=one.key)
    yield _Rule(make=_expiring, names=frozenset({AlertName.EXPIRING}))
    yield _Rule(make=_clock, names=frozenset({AlertName.CLOCK}))
    yield _Rule(make=_offline, names=frozenset({AlertName.OFFLINE_HALF, AlertName.OFFLINE_NEAR_LIMIT}))
    yield _Rule(make=own_conditions, names=OWN)


def _causes(context: AlertContext, _: datetime) -> Iterator[Condition]:
    for one in context.causes:
        failing = {pair for pair in context.failing if pair[0] in one.explained}
        if not failing or not failing <= context.spared:
            yield _cause(context, one)


def _cause(context: AlertContext, one: FindingStanding) -> Condition:
    needed = [name for name in one.explained if name in context.down and context.is_required(name)]
    targets = frozenset(one.explained)
    sources = {source for target, source in context.failing if target in targets}
    return Condition(
        id=cause_id(one),
        alertname=AlertName.CAUSE,
        severity=Severity.CRITICAL if needed else Severity.WARNING,
        labels=context.labels(finding=one.id, reason=one.reason, blame=one.blame),
        summary=cause_summary(context, one),
        since=one.since,
        reason=one.reason,
        blame=one.blame,
        confidence=one.confidence,
        blame_confidence=one.blame_confidence,
        suspects=one.suspects,
        evidence=one.evidence,
        advice=one.advice,
        targets=one.explained,
        sources=tuple(sorted(sources)),
        profiles=context.profiles(*one.explained),
    )


def _target(one: Standing, context: AlertContext, _: datetime) -> Iterator[Condition]:
    """Yield at most one condition of a target and source, and that it flaps.

    None of one whose alternative works, nor of a name that egressd derived.
    """
    target, result = context.targets[one.target], context.results.get(one.key)
    if one.key in context.spared or target.sample is SampleKind.DERIVED:
        return
    if one.state is Lifecycle.FLAPPING:
        yield _flapping(context, target, one)
    outcome = one.belief.outcome
    if outcome in (Outcome.BLOCKED, Outcome.DOWN):
        yield _unreachable(context, target, one)
    elif outcome is Outcome.UNKNOWN:
        yield _unknown(context, target, one)
    elif result is not None and result.intercepted:
        yield _intercepted(context, target, one)
    elif outcome is Outcome.DEGRADED:
        yield _degraded(context, target, one)


def _unreachable(context: AlertContext, target: Target, one: Standing) -> Condition:
    belief = one.belief
    labels = context.labels(
        target=target.id,
        source=one.source,
        phase=belief.phase,
        reason=belief.reason,
        blame=belief.blame,
        need=target.need,
        service=target.service,
        host=target.shown_host,
        port=str(target.port),
    )
    severity = Severity.WARNING if one.key in context.undecided else BY_NEED[target.need]
    return _of_target(
        context, AlertName.UNREACHABLE, target, one, "can't be reached", severity=severity, labels=labels
    )


def _unknown(context: AlertContext, target: Target, one: Standing) -> Condition:
    shown = one if one.pending is None else replace(one, belief=one.pending)
    labels = context.labels(target=target.id, source=one.source, egressd_target_outcome=Outcome.UNKNOWN)
    return _of_target(context, AlertName.UNKNOWN, target, shown, "is not known to work", labels=labels)


def _degraded(context: AlertContext, target: Target, one: Standing) -> Condition:
    labels = context.labels(target=target.id, source=one.source, egressd_target_outcome=Outcome.DEGRADED)
    what = "works, but not as it should"
    return _of_target(context, AlertName.DEGRADED, target, one, what, severity=Severity.INFO, labels=labels)


def _intercepted(context: AlertContext, target: Target, one: Standing) -> Condition:
    what = "has its TLS opened on the way"
    if one.pending is not None and _names_inspection(one.pending) and not _names_inspection(one.belief):
        shown = replace(one, belief=one.pending)  # not confirmed yet
        return _of_target(context, AlertName.INTERCEPTED, target, shown, what, since=one.pending_since)
    return _of_target(context, AlertName.INTERCEPTED, target, one, what)


def _names_inspection(belief: Belief) -> bool:
    return (belief.reason or "").startswith(INTERCEPTED)


def _flapping(context: AlertContext, target: Target, one: Standing) -> Condition:
    shown = one if one.pending is None or not one.up else replace(one, belief=one.pending)
    return _of_target(context, AlertName.FLAPPING, target, shown, "comes and goes", since=one.last_changed)


def _of_target(
    context: AlertContext,
    alertname: AlertName,
    target: Target,
    one: Standing,
    what: str,
    *,
    severity: Severity = Severity.WARNING,
    labels: Labels | None = None,
    since: Timestamp | None = None,
) -> Condition:
    """Build a condition of one target from one source; `labels` default to these two."""
    belief = one.belief
    reason = find_reason(belief.reason) if belief.reason else None
    why = f": {reason.title}" if reason else ""
    return Condition(
        id=f"{alertname}/{target.id}@{one.source}",
        alertname=alertname,
        severity=severity,
        labels=context.labels(target=target.id, source=one.source) if labels is None else labels,
        summary=f"{target.shown_host}:{target.port} ({target.service}) {what} from {one.source}{why}",
        since=since or one.since,
        reason=belief.reason,
        blame=belief.blame,
        phase=belief.phase,
        confidence=belief.confidence,
        blame_confidence=belief.blame_confidence,
        suspects=belief.suspects,
        evidence=belief.evidence,
        advice=belief.advice,
        targets=(target.id,),
        sources=(one.source,),
        profiles=context.profiles(target.id),
    )


def _expiring(context: AlertContext, now: datetime) -> Iterator[Condition]:
    """Yield certificates that expire soon, one per host, port and source."""
    found: dict[tuple[str, str, int], list[TargetResult]] = {}
    for (name, source), result in context.results.items():
        if context.targets[name].sample is SampleKind.DERIVED:
            continue
        if result.chain_expiry is not None and result.chain_expiry - now.timestamp() < EXPIRING_WITHIN:
            target = context.targets[name]
            found.setdefault((source, target.shown_host, target.port), []).append(result)
    for (source, host, port), results in found.items():
        yield _expiry(context, source, host, port, results=results, now=now)


def _expiry(
    context: AlertContext, source: str, host: str, port: int, *, results: list[TargetResult], now: datetime
) -> Condition:
    ends, which = min((one.chain_expiry or 0.0, one.expires_first or "") for one in results)
    day = f"{_moment(ends):%Y-%m-%d %H:%M} UTC"
    over = ends <= now.timestamp()
    inspected = any(one.intercepted for one in results)
    names = tuple(one.target for one in results)
    own = all(context.targets[name].is_own for name in names)
    owner = Blame.ENDPOINT_OWNER if own else Blame.AZURE_SERVICE
    return Condition(
        id=f"{AlertName.EXPIRING}/{host}:{port}@{source}",
        alertname=AlertName.EXPIRING,
        severity=Severity.WARNING,
        labels=context.labels(source=source, host=host, port=str(port)),
        summary=f"a certificate of {host}:{port} {'ended' if over else 'ends'} on {day}",
        since=stamp(_moment(ends - EXPIRING_WITHIN)),
        reason="tls_cert_expired" if over else "tls_cert_expiring",
        blame=Blame.TLS_INSPECTION if inspected else owner,
        evidence=(
            f"the path from the certificate that {host}:{port} showed to {source} ends on {day}: {which}",
        ),
        advice=_renew(inspected=inspected),
        targets=names,
        sources=(source,),
        profiles=context.profiles(*names),
    )


def _moment(seconds: float) -> datetime:
    """Return a Unix time in UTC; the first or the last that a datetime can hold where it is beyond."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.min.replace(tzinfo=UTC) if seconds < 0 else datetime.max.replace(tzinfo=UTC)


def _renew(*, inspected: bool) -> str:
    if inspected:
        return "Ask the team that runs TLS inspection to renew its authority's certificate."
    return "It should be renewed by its owner; if it is not two days before its end, ask them."


def _clock(context: AlertContext, now: datetime) -> Iterator[Condition]:
    offset = context.sweep.recording.vantage.clock_offset_seconds
    is_a_cause = any(one.reason == CLOCK_REASON for one in context.causes)
    if offset is None or abs(offset) <= LARGEST_OFFSET or is_a_cause:
        return
    reason = find_reason(CLOCK_REASON)
    yield Condition(
        id=f"{AlertName.CLOCK}/{context.instance}",
        alertname=AlertName.CLOCK,
        severity=Severity.WARNING,
        labels=context.labels(),
        summary=f"this host's clock is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead'}",
        since=stamp(now),
        reason=CLOCK_REASON,
        blame=Blame.LOCAL_HOST,
        evidence=tuple(
            f"{one.host} is {one.offset_seconds:+.1f} s off, by {one.origin}"
            for one in context.sweep.recording.vantage.clock_readings[:6]
        ),
        advice=reason.advise({}) if reason else "",
    )


def _offline(context: AlertContext, now: datetime) -> Iterator[Condition]:
    """Yield the profiles that have used up much of the time they may be offline."""
    for profile, last in context.snapshot.counters.profiles.items():
        limit = context.limits.get(profile)
        if limit is None or not any(profile in one.profiles for one in context.targets.values()):
            continue
        began = datetime.fromisoformat(last)
        used = (now - began).total_seconds() / limit
        if used > HALF:
            yield _offline_for(context, profile, used=used, began=began, limit=limit)


def _offline_for(
    context: AlertContext, profile: str, *, used: float, began: datetime, limit: float
) -> Condition:
    near = used > NEAR_LIMIT
    alertname = AlertName.OFFLINE_NEAR_LIMIT if near else AlertName.OFFLINE_HALF
    end = began + timedelta(seconds=limit)
    return Condition(
        id=f"{alertname}/{profile}",
        alertname=alertname,
        severity=Severity.CRITICAL if near else Severity.WARNING,
        labels=context.labels(profile=profile),
        summary=f"{profile} has used {100 * used:.0f} % of the time it may be offline",
        since=stamp(began + timedelta(seconds=(NEAR_LIMIT if near else HALF) * limit)),
        evidence=(
            f"everything {profile} requires was last reachable at {stamp(began)}",
            f"from {stamp(end)} on its credentials can't be renewed, and it must be deployed anew",
        ),
        advice="Fix what keeps it offline: the other alerts name the reason and whom to ask."
        + (" Escalate it now." if near else ""),
        profiles=(profile,),
    )

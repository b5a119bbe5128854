"""Facts about alerts as text: titles, lines, names and links.

All text in it is scrubbed: printable, one line each, bounded. What is left out by a bound is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from egressd.attribution.blame.claims import suspect_lines, who_and_team
from egressd.model.alert import Alert, Condition, Notice, NoticeKind, Resolution
from egressd.model.notification import Alerting
from egressd.net.scrub import scrub
from egressd.notify.content.message import ContentSection
from egressd.notify.content.times import format_elapsed, format_time
from egressd.wording import count

LONGEST_TITLE = 300
LONGEST_LINE = 500
LONGEST_ADVICE = 2000
LONGEST_NAME = 256
"""Characters of a target's id: a DNS name has 253."""
MOST_EVIDENCE = 20
"""Lines of one alert: what to search for, not the log itself."""
MOST_NAMED = 5
"""Names in one line, but for targets: those are all named."""

_RESOLUTIONS = {
    Resolution.FIXED: "the problem is gone",
    Resolution.SUPERSEDED: "what still fails continues under other alerts",
    Resolution.REMOVED: "no longer configured",
}
_NOTHING_WRONG = "This is a test: nothing is wrong, and nothing is to be done."


def title_of(notice: Notice) -> str:
    """Return the title: severity or what is new, and the summary."""
    return f"{_prefix(notice)}: {scrub(notice.alert.condition.summary, LONGEST_TITLE)}"


def report_dropped(dropped: int) -> str:
    """Return the line that reports dropped notices."""
    lost, were = count(dropped, "notification"), "was" if dropped == 1 else "were"
    why = "the queue for this receiver was full. `egressd history` has what happened."
    return f"{lost} before this one {were} dropped: {why}"


def runbook(condition: Condition, rules: Alerting) -> str:
    """Return the URL of the alert's heading in the runbooks; empty where `runbooks` is not configured."""
    name = condition.alertname.value
    if not rules.runbooks:
        return ""
    file = "egressd.md" if name.startswith("Egressd") else "targets.md"
    return f"{rules.runbooks.rstrip('/')}/{file}#{name.lower()}"


def evidence_of(condition: Condition) -> tuple[str, ...]:
    """Return the lines to search logs for; those beyond the bound are counted."""
    lines = tuple(scrub(line, LONGEST_LINE) for line in condition.evidence[:MOST_EVIDENCE])
    more = len(condition.evidence) - len(lines)
    return (*lines, f"and {more} lines more, on the status page") if more else lines


def target_names(condition: Condition) -> tuple[str, ...]:
    """Return all targets by name."""
    return tuple(scrub(one, LONGEST_NAME) for one in condition.targets)


def target_places(conditions: Iterable[Condition]) -> Iterator[str]:
    """Yield the host or pattern, with its port, of each target."""
    for one in conditions:
        yield from (name.rpartition("/")[2] for name in target_names(one))


def advice_of(condition: Condition) -> str:
    """Return what to ask for."""
    return scrub(condition.advice, LONGEST_ADVICE)


def ask_of(notice: Notice) -> str:
    """Return what to ask for; empty once the alert is resolved."""
    return "" if notice.kind is NoticeKind.CLOSED else advice_of(notice.alert.condition)


def blame_of(condition: Condition) -> str:
    """Return who caused it, how sure that is, whom to call and what would decide; empty: nobody is blamed."""
    if condition.blame is None:
        return ""
    return who_and_team(condition.blame, condition.blame_confidence, condition.suspects or ())


def suspects_of(condition: Condition) -> tuple[str, ...]:
    """Return a line for each suspect: what shows whether it did it."""
    return tuple(scrub(line, LONGEST_LINE) for line in suspect_lines(condition.suspects or ()))


def outline(notice: Notice, rules: Alerting) -> tuple[str, ...]:
    """Return the facts of an alert, a line each."""
    found = ((name, value) for name, value in _outline(notice, rules) if value)
    return tuple(f"{name}: {scrub(value, LONGEST_LINE)}" for name, value in found)


def _outline(notice: Notice, rules: Alerting) -> Iterator[tuple[str, str]]:
    alert, condition = notice.alert, notice.alert.condition
    yield "Changed", "" if notice.kind is NoticeKind.CLOSED else notice.change
    yield "Since", format_time(condition.since)
    yield from _resolved(alert)
    yield "Site", rules.place
    yield "Seen from", _first_names(tuple(one for one in (rules.instance, *condition.sources) if one))
    yield "Severity", condition.severity.value
    yield "Reason", _reason(condition)
    yield "To blame", blame_of(condition)
    yield "Affected profiles", _first_names(condition.profiles)


def _resolved(alert: Alert) -> Iterator[tuple[str, str]]:
    if alert.closed is None:
        return
    end = alert.cleared_at or alert.closed
    yield "Resolved", format_time(end)
    yield "Lasted", format_elapsed(alert.condition.since, end)
    if alert.resolution is not None:
        yield "Resolution", _RESOLUTIONS[alert.resolution]
    yield "Continues as", _first_names(alert.succeeded_by)


def _first_names(names: Sequence[str]) -> str:
    """Name the first few and count the rest."""
    more = len(names) - MOST_NAMED
    return ", ".join((*names[:MOST_NAMED], *((f"and {more} more",) if more > 0 else ())))


def _reason(condition: Condition) -> str:
    if condition.reason is None:
        return ""
    phase = f" in phase {condition.phase.value}" if condition.phase else ""
    sure = f" (confidence: {condition.confidence.value})" if condition.confidence else ""
    return f"{condition.reason}{phase}{sure}"


def sections_of(notice: Notice, rules: Alerting) -> Iterator[ContentSection]:
    """Yield the sections of a single notice."""
    condition = notice.alert.condition
    if notice.kind is NoticeKind.TEST:
        yield ContentSection(lines=(_NOTHING_WRONG,))
    yield from section("", outline(notice, rules))
    yield from section("Ask for", (ask_of(notice),))
    yield from section("Evidence, to search logs for", evidence_of(condition))
    targets = target_names(condition)
    yield from section(f"Targets ({len(targets)})", targets)
    yield ContentSection(lines=(f"Alert: {scrub(notice.alert.id, LONGEST_LINE)}",))


def section(heading: str, lines: Sequence[str]) -> tuple[ContentSection, ...]:
    """Return a section of the lines that are not empty; none where all are."""
    kept = tuple(line for line in lines if line)
    return (ContentSection(heading=heading, lines=kept),) if kept else ()


def _prefix(notice: Notice) -> str:
    severity = notice.alert.condition.severity.value.upper()
    match notice.kind:
        case NoticeKind.OPENED:
            return severity
        case NoticeKind.CHANGED:
            return f"{severity}, changed"
        case NoticeKind.REMINDED:
            return f"{severity}, still"
        case NoticeKind.CLOSED:
            return "RESOLVED"
        case NoticeKind.TEST:
            return "TEST"

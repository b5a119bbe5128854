"""Content of a message: one notice in full, several in short, many in a line each. Every target is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from egressd.attribution.blame_text import CALL
from egressd.model.alert import Notice, NoticeKind
from egressd.model.notification import Alerting
from egressd.net.scrub import scrub
from egressd.notify.content import facts
from egressd.notify.content.message import ContentSection, Message, MessageContent
from egressd.notify.content.times import format_elapsed, format_time
from egressd.wording import name_first

MANY = 20
"""More notices than this are a line each, so that a digest stays readable."""
_OPEN_ONLY = ("Severity", "Reason", "To blame", "Affected profiles", "Seen from")
"""Lines that a digest leaves out for resolved alerts."""
_KINDS = {NoticeKind.CLOSED: "resolved"}
"""Where the word for people is not the stored one."""


def compose(message: Message) -> MessageContent:
    """Return the content of one notice, or the digest of several."""
    notices, rules = message.notices, message.rules
    lost = facts.section("", (facts.report_dropped(message.dropped),) if message.dropped else ())
    if len(notices) == 1:
        (one,) = notices
        sections = (*facts.sections_of(one, rules), *lost)
        return MessageContent(
            title=facts.title_of(one), sections=sections, link=facts.runbook(one.alert.condition, rules)
        )
    urgent = sorted(notices, key=_urgency)
    each = _one_liners(urgent) if len(urgent) > MANY else _summaries(urgent, rules)
    return MessageContent(title=_title(notices, rules), sections=(*lost, *each))


def _one_liners(notices: Sequence[Notice]) -> Iterator[ContentSection]:
    """Yield open and resolved alerts, a line each."""
    for over in (False, True):
        lines = [_one_liner(one) for one in notices if (one.kind is NoticeKind.CLOSED) is over]
        yield from facts.section(f"{'Resolved' if over else 'Open'} ({len(lines)})", lines)


def _one_liner(notice: Notice) -> str:
    condition, alert = notice.alert.condition, notice.alert
    over = notice.kind is NoticeKind.CLOSED and alert.closed is not None
    parts = [f"{facts.title_of(notice)}; since {format_time(condition.since)}"]
    if over:
        parts.append(
            f"lasted {format_elapsed(condition.since, alert.cleared_at or alert.closed or notice.at)}"
        )
    elif condition.blame is not None:
        parts.append(f"call {CALL[condition.blame]}")
    targets = facts.target_names(condition)
    if targets:
        parts.append(f"{len(targets)} targets: {', '.join(targets)}" if len(targets) > 1 else targets[0])
    return "; ".join(parts)


def _summaries(notices: Sequence[Notice], rules: Alerting) -> Iterator[ContentSection]:
    for one in notices:
        yield ContentSection(heading=facts.title_of(one), lines=tuple(_summary(one, rules)))


def _summary(notice: Notice, rules: Alerting) -> Iterator[str]:
    """Yield the lines of one notice among several: facts, what to do while it is open, and every target."""
    condition, over = notice.alert.condition, notice.kind is NoticeKind.CLOSED
    skipped = ("Site", *(_OPEN_ONLY if over else ("Severity",)))  # the title of the digest names the site
    yield from (line for line in facts.outline(notice, rules) if not line.startswith(skipped))
    if not over:
        yield from (f"Ask for: {text}" for text in (facts.ask_of(notice),) if text)
        yield from (f"Evidence: {line}" for line in facts.evidence_of(condition)[:1])
        yield from (f"Runbook: {link}" for link in (facts.runbook(condition, rules),) if link)
    targets = facts.target_names(condition)
    if targets:
        yield f"Targets ({len(targets)}):"
    yield from targets


def _title(notices: Sequence[Notice], rules: Alerting) -> str:
    kinds = Counter(one.kind for one in notices)
    counts = ", ".join(f"{kinds[kind]} {_KINDS.get(kind, kind.value)}" for kind in NoticeKind if kinds[kind])
    names = (("on", rules.instance), ("at", rules.place))
    where = "".join(f" {word} {scrub(name, facts.LONGEST_NAME)}" for word, name in names if name)
    worst = min((one for one in notices if one.kind is not NoticeKind.CLOSED), key=_urgency, default=None)
    mark = f"{worst.alert.condition.severity.value.upper()}: " if worst else ""
    targets = name_first(facts.target_places(one.alert.condition for one in sorted(notices, key=_urgency)))
    about = f"; {targets}" if targets else ""
    return f"{mark}{len(notices)} notifications{where}: {counts}{about}"


def _urgency(notice: Notice) -> tuple[bool, int]:
    """Sort open before resolved, the most urgent first."""
    return notice.kind is NoticeKind.CLOSED, notice.alert.condition.severity.rank

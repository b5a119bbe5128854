"""All that is known of each event: time, change, reason, evidence and advice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from egressd.model.alert import NoticeKind
from egressd.model.event import (
    ConfigRejected,
    ConfigReloaded,
    DaemonStarted,
    DaemonStopped,
    Event,
    FindingClosed,
    FindingOpened,
    History,
    NoticePosted,
    SweepFinished,
    SweepOverran,
    TargetChanged,
    TargetRemoved,
)
from egressd.model.notification import Severity
from egressd.model.standing import Belief
from egressd.model.verdict import Blame, Confidence
from egressd.report.text import Style, clean, colourize, fold
from egressd.wording import count

INDENT = " " * 4


def render_history(history: History, *, width: int = 80, colour: bool = False) -> str:
    """Render the events of a time range; no line is wider than `width`."""
    blocks = [history_head(history, width)]
    if history.already:
        blocks.append([colourize("NOT OK AT THE START", Style.BOLD, colour=colour)])
        blocks += [_entry(one, width=width, colour=colour) for one in history.already]
        blocks.append([colourize("THEN", Style.BOLD, colour=colour)])
    blocks += [_entry(one, width=width, colour=colour) for one in history.events]
    if not history.events:
        blocks.append(["Nothing changed in that time."])
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def history_head(history: History, width: int) -> list[str]:
    """Say which time it is, and whether egressd looked; no line is wider than `width`."""
    watch = history.watch
    looked = (
        f"{count(watch.sweeps, 'sweep')} on record, {watch.first} to {watch.last}"
        if watch.sweeps
        else "no sweep on record: egressd did not run, or it was too long ago"
    )
    at = f" at {', then '.join(map(clean, history.sites))}" if history.sites else ""
    lines = fold(f"From {history.since} to {history.until}{at}: {looked}.", width=width)
    if history.cut:
        lines += fold("Only the newest events are shown; choose a shorter time.", width=width)
    if history.unreadable:
        lines += fold(
            f"{count(history.unreadable, 'event')} can't be read: the file is damaged.", width=width
        )
    return lines


def _entry(event: Event, *, width: int, colour: bool) -> list[str]:
    text, style = _title(event)
    first, *rest = fold(text, width=width, first=f"{event.at}  ", rest=INDENT)
    lines = [colourize(first, style, colour=colour) if style else first, *rest]
    for detail in _details(event):
        lines += fold(detail, width=width, first=INDENT)
    return lines


def _title(event: Event) -> tuple[str, Style | None]:
    match event:
        case TargetChanged():
            before = event.before.outcome if event.before else "unknown"
            text = f"{event.target} from {event.source}: {before} -> {event.after.outcome}"
            return text, Style.GREEN if event.after.outcome.reachable else Style.RED
        case TargetRemoved():
            return f"{event.target} from {event.source}: {event.before.outcome} -> no longer probed", None
        case FindingOpened():
            return f"finding opened: {event.title}, {count(len(event.targets), 'target')}", Style.RED
        case FindingClosed():
            return f"finding closed: {event.title}, open since {event.since}", Style.GREEN
        case SweepOverran():
            return f"a sweep took {event.seconds:.0f} s; {count(event.missed, 'sweep')} skipped", Style.YELLOW
        case SweepFinished():
            return f"sweep completed in {event.seconds:.1f} s", None
        case NoticePosted():
            return _notice_title(event)
        case _:
            return _daemon_title(event)


def _daemon_title(
    event: ConfigReloaded | ConfigRejected | DaemonStarted | DaemonStopped,
) -> tuple[str, Style | None]:
    match event:
        case ConfigReloaded():
            return f"configuration reloaded, digest {event.digest[:12]}", None
        case ConfigRejected():
            return "configuration rejected; the previous one stays in use", Style.YELLOW
        case DaemonStarted():
            return f"egressd {clean(event.egressd)} started{_at(event.site)}", None
        case DaemonStopped():
            return "egressd stopped", None
        case _:
            assert_never(event)


def _at(site: str | None) -> str:
    return f" at {clean(site)}" if site else ""


def _notice_title(event: NoticePosted) -> tuple[str, Style]:
    over = event.notice_kind is NoticeKind.CLOSED
    ended = f" ({event.resolution})" if event.resolution else ""
    style = Style.GREEN if over else Style.RED if event.severity is Severity.CRITICAL else Style.YELLOW
    return f"alert {event.notice_kind}{ended}: {event.alertname}: {event.summary}", style


def _details(event: Event) -> Iterator[str]:
    match event:
        case TargetChanged():
            yield from _belief(event.after, since=event.since)
        case FindingOpened():
            blame = _blame(event.blame, event.blame_confidence)
            yield f"{event.reason}, {blame}, confidence {event.confidence}, since {event.since}"
            yield from _evidence(event.evidence, event.advice)
            yield from event.targets[:10]
        case NoticePosted():
            yield f"{event.alert}, {event.severity}, since {event.since}"
            yield f"sent to: {', '.join(event.receivers) or 'no receiver'}"
            yield from [f"changed: {event.change}"] if event.change else []
        case ConfigRejected():
            yield from event.problems
        case _:
            return


def _belief(belief: Belief, *, since: str) -> Iterator[str]:
    if belief.reason is None:
        yield f"first seen {since}"
        return
    words = [belief.reason]
    words += [f"at {belief.phase}"] if belief.phase else []
    words += [_blame(belief.blame, belief.blame_confidence)] if belief.blame else []
    yield f"{', '.join(words)}, confidence {belief.confidence}, first seen {since}"
    yield from _evidence(belief.evidence, belief.advice)


def _blame(blame: Blame, sure: Confidence | None) -> str:
    return f"blame {blame}" + (f" ({sure})" if sure else "")


def _evidence(evidence: Iterable[str], advice: str) -> Iterator[str]:
    yield from evidence
    if advice:
        yield f"ask: {advice}"

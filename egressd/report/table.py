"""The report for people: what fails, why, who can mend it, and what to ask for.

Failures first, grouped by cause; plain characters, so that it survives a mail and a ticket.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from datetime import datetime

from egressd import __version__
from egressd.attribution.blame_text import party
from egressd.errors import ExitCode
from egressd.model.endpoint import Need
from egressd.model.plan import Target, Unsampled
from egressd.model.recording import Recording, Vantage
from egressd.model.verdict import Outcome, Sweep, Tally
from egressd.planning.render import table
from egressd.report.cause import Cause, causes_of
from egressd.report.diff import changes_since
from egressd.report.diff.render import blocks_of, summarize
from egressd.report.exit import exit_code, required_outcomes
from egressd.report.summary import by_profile, outcomes_of, tally
from egressd.report.text import Ink, clean, fold, paint
from egressd.wording import count

LEAST_WIDTH = 50
MOST_HOSTS = 8
MOST_NAMES = 6

_SECTIONS = (
    ("FAILING", (Outcome.BLOCKED, Outcome.DOWN), Ink.RED),
    ("DEGRADED", (Outcome.DEGRADED,), Ink.YELLOW),
    ("UNKNOWN", (Outcome.UNKNOWN,), Ink.YELLOW),
    ("WORTH KNOWING", (Outcome.OK,), Ink.BOLD),
)


def render_table(sweep: Sweep, *, width: int = 80, colour: bool = False) -> str:
    """Render a sweep; no line is wider than `width`, which is at least 50."""
    width = max(width, LEAST_WIDTH)
    blocks = [_headline(sweep, width=width, colour=colour), *_causes(sweep, width=width, colour=colour)]
    blocks += _since(sweep, width=width)
    blocks += [_unsampled(sweep, width=width), _notes(sweep, width=width), _profiles(sweep, width=width)]
    blocks.append(_conclusion(sweep, width=width, colour=colour))
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def render_causes(sweep: Sweep, *, width: int = 80, colour: bool = False) -> str:
    """Render what is not well, by cause; empty where everything is."""
    width = max(width, LEAST_WIDTH)
    bad = set(Outcome) - {Outcome.OK}
    blocks = _causes(sweep, width=width, colour=colour, outcomes=bad)
    return "".join("\n".join(lines) + "\n\n" for lines in blocks)


def _causes(
    sweep: Sweep, *, width: int, colour: bool, outcomes: Container[Outcome] = tuple(Outcome)
) -> Iterator[list[str]]:
    """Yield a heading for each kind of cause, then its causes; of what is degraded in short."""
    causes = [one for one in causes_of(sweep) if one.outcome in outcomes]
    for title, some, ink in _SECTIONS:
        chosen = [one for one in causes if one.outcome in some]
        full = some != (Outcome.DEGRADED,)
        if chosen:
            yield [paint(title, ink, colour=colour)]
        for number, one in enumerate(chosen, 1):
            yield _cause(one, number, width=width, colour=colour, full=full)


def headline(sweep: Sweep) -> str:
    """Say in one line how many ended how, and where that was seen from."""
    recording = sweep.recording
    return f"{counts(tally(outcomes_of(sweep).values()))}; from {describe(recording.vantage)}"


def _headline(sweep: Sweep, *, width: int, colour: bool) -> list[str]:
    """Say what was seen, from where, and when."""
    recording = sweep.recording
    plan = recording.plan
    place = f"region {plan.region}, " if plan.region else ""
    made = f"egressd {__version__}, {recording.started}, {seconds_of(recording):.1f} s"
    lines = [
        *fold(f"{made}, {place}cloud {plan.cloud}, catalog {plan.catalog_revision}", width=width),
        *fold(f"from {describe(recording.vantage)}", width=width, rest="  "),
    ]
    summary = counts(tally(outcomes_of(sweep).values()))
    return [paint(line, Ink.BOLD, colour=colour) for line in fold(summary, width=width)] + lines


def describe(vantage: Vantage) -> str:
    """Say where a sweep was made from."""
    sources = [
        one.name + (f" ({where})" if (where := one.address or one.interface) else "")
        for one in vantage.sources
    ]
    named = f", sources {', '.join(sources)}" if sources and sources != ["default"] else ""
    clock = vantage.clock_offset_seconds
    skew = (
        f", its clock {abs(clock):.0f} s {'behind' if clock > 0 else 'ahead'}"
        if clock and abs(clock) >= 5
        else ""
    )
    through = f"through {vantage.proxy}" if vantage.proxy else "direct"
    return f"{vantage.host}{named}, {through}, DNS by {', '.join(vantage.resolvers) or 'nobody'}{skew}"


def seconds_of(recording: Recording) -> float:
    """Return how long a sweep took."""
    elapsed = datetime.fromisoformat(recording.finished) - datetime.fromisoformat(recording.started)
    return max(elapsed.total_seconds(), 0.0)


def _cause(cause: Cause, number: int, *, width: int, colour: bool, full: bool) -> list[str]:
    """Render one cause: title, who and how sure, hosts; in full also what was seen and what to ask for."""
    title = fold(cause.title, width=width, first=f"{number:2}. ")
    facts = [
        cause.reason,
        f"{cause.outcome}{f' in {cause.phase}' if cause.phase else ''}",
        f"blame: {party(cause.blame)}" if cause.blame else "",
        f"confidence: {cause.confidence}",
        _members(cause),
    ]
    lines = [paint(line, Ink.BOLD, colour=colour) for line in title]
    lines += fold("; ".join(fact for fact in facts if fact), width=width, first="    ")
    if cause.targets:
        lines += fold(_hosts(cause.targets), width=width, first="    hosts  ")
    if full and cause.evidence:
        lines += fold(cause.evidence[0], width=width, first="    saw    ")
    if cause.advice:
        lines += fold(cause.advice, width=width, first="    ask    ")
    return lines


def _members(cause: Cause) -> str:
    if not cause.targets:
        return "about the path"
    if cause.required == len(cause.targets):
        return count(cause.required, "required target")
    return f"{count(len(cause.targets), 'target')}, {cause.required or 'none'} required"


def _hosts(targets: Iterable[Target]) -> str:
    """Name the hosts once each, and say where the rest is."""
    names = list(dict.fromkeys(one.id.partition("/")[2] or one.host for one in targets))
    more = len(names) - MOST_HOSTS
    shown = ", ".join(names[:MOST_HOSTS])
    return f"{shown} and {more} more (--format json or csv names them all)" if more > 0 else shown or "-"


def _since(sweep: Sweep, *, width: int) -> list[list[str]]:
    """Say what changed since the baseline, if there was one."""
    changes = changes_since(sweep)
    if changes is None:
        return []
    head = fold(f"SINCE THE BASELINE of {changes.before_started}: {summarize(changes)}", width=width)
    return [head, *blocks_of(changes, width=width)]


def _unsampled(sweep: Sweep, *, width: int) -> list[str]:
    """Name the endpoints no host stands for, put together by why."""
    groups: dict[str, list[Unsampled]] = {}
    for one in sweep.recording.plan.unsampled:
        groups.setdefault(one.why, []).append(one)
    if not groups:
        return []
    lines = fold("NOT PROBED: no host is known that stands for these endpoints", width=width)
    for why, rows in groups.items():
        required = sum(one.need is Need.REQUIRED for one in rows)
        names = ", ".join(one.endpoint for one in rows[:MOST_NAMES])
        more = f" and {len(rows) - MOST_NAMES} more (see `egressd plan`)" if len(rows) > MOST_NAMES else ""
        text = f"{why}: {names}{more} ({required} of {len(rows)} required)"
        lines += fold(text, width=width, first="  - ")
    return lines


def _notes(sweep: Sweep, *, width: int) -> list[str]:
    notes = sweep.recording.plan.notes
    lines = [line for note in notes for line in fold(note, width=width, first="  - ")]
    return ["NOTES", *lines] if lines else []


def _profiles(sweep: Sweep, *, width: int) -> list[str]:
    """Count per profile: as a table, or in sentences where that is too wide."""
    tallies = by_profile(sweep)
    rows: list[tuple[str, ...]] = [("PROFILE", "TARGETS", "OK", "DEGRADED", "BLOCKED", "DOWN", "UNKNOWN")]
    for name, one in tallies.items():
        numbers = (one.targets, one.ok, one.degraded, one.blocked, one.down, one.unknown)
        rows.append((clean(name), *(str(number) for number in numbers)))
    lines = table(rows, indent="").splitlines() if tallies else []
    if all(len(line) <= width for line in lines):
        return lines
    sentences = (f"{name}: {counts(one)}" for name, one in tallies.items())
    return [line for text in sentences for line in fold(text, width=width, rest="  ")]


def counts(one: Tally) -> str:
    """Say how many ended how; what did not happen is not mentioned."""
    outcomes = (
        ("ok", one.ok),
        ("degraded", one.degraded),
        ("blocked", one.blocked),
        ("down", one.down),
        ("unknown", one.unknown),
    )
    said = [f"{number} {word}" for word, number in outcomes if number or word == "ok"]
    return f"{count(one.targets, 'target')}, {', '.join(said)}"


def conclude(sweep: Sweep) -> str:
    """Say in one sentence what the exit code says."""
    required = required_outcomes(sweep)
    failing = sum(one in (Outcome.BLOCKED, Outcome.DOWN) for one in required)
    unknown = sum(one is Outcome.UNKNOWN for one in required)
    code = exit_code(sweep)
    bad = f"{count(failing, 'required target')} blocked or down"
    unsure = f"{count(unknown, 'required target')} unknown"
    match code:
        case ExitCode.OK:
            text = f"PASS: {count(len(required), 'required target')}, each can be reached"
            if not required:
                text = f"PASS: none of {count(len(sweep.verdicts), 'target')} is required"
        case ExitCode.FAILED:
            text = f"FAIL: {bad}" + (f", {unsure}" if unknown else "")
        case ExitCode.INTERRUPTED:
            text = f"INTERRUPTED: {bad}, {unsure}"
        case _:
            text = (
                f"UNSURE: nothing proved bad, {unsure}" if required else "UNSURE: nothing required was probed"
            )
    return f"{text} (exit code {code.value})"


def _conclusion(sweep: Sweep, *, width: int, colour: bool) -> list[str]:
    inks = {ExitCode.OK: Ink.GREEN, ExitCode.FAILED: Ink.RED}
    ink = inks.get(exit_code(sweep), Ink.YELLOW)
    return [paint(line, ink, colour=colour) for line in fold(conclude(sweep), width=width)]

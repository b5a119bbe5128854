"""What a report for a ticket says, before it is Markdown or HTML: causes first, then every target.

Law of the file: pure; the text is as it came, and whoever writes it out makes it harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from egressd import __version__
from egressd.attribution.blame_text import party
from egressd.errors import ExitCode
from egressd.model.plan import Target
from egressd.model.verdict import Outcome, SourceVerdict, Sweep, Tally
from egressd.report.cause import Cause, causes_of
from egressd.report.diff import changes_since
from egressd.report.diff.render import lines_of, summarize
from egressd.report.exit import exit_code
from egressd.report.summary import by_profile, outcomes_of, tally
from egressd.report.table import conclude, counts, describe, seconds_of
from egressd.report.ticket.connection import Connection, Trails, connection_of, trails_of
from egressd.wording import host_port

SECTIONS = (
    ("Failing", (Outcome.BLOCKED, Outcome.DOWN)),
    ("Degraded", (Outcome.DEGRADED,)),
    ("Unknown", (Outcome.UNKNOWN,)),
    ("Worth knowing", (Outcome.OK,)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One conversation of a cause; targets that share it are one line."""

    place: str
    """`host:port`."""
    source: str
    path: str
    outcome: Outcome
    connection: Connection

    @property
    def local(self) -> str:
        """Where it left from: `address:port`."""
        return _join(self.connection.local_address, self.connection.local_port)

    @property
    def remote(self) -> str:
        """Where it went: `address:port`, or the resolver that was asked."""
        return _join(self.connection.remote_address, self.connection.remote_port)

    @property
    def size(self) -> str:
        """Bytes of the handshake, out and in."""
        one = self.connection
        return "" if one.bytes_sent is None else f"{one.bytes_sent} / {one.bytes_received or 0}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Causes of one kind."""

    title: str
    causes: tuple[tuple[Cause, tuple[Seen, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One target from one source."""

    target: Target
    judged: SourceVerdict

    @property
    def place(self) -> str:
        """`host:port`, with a `*` for a random label."""
        return _place(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything a report for a ticket says."""

    headline: str
    state: str
    """`good`, `bad` or `unsure`."""
    counts: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    changes: tuple[str, ...]
    """What changed since a baseline; the first line sums up."""
    unsampled: tuple[tuple[str, str, str], ...]
    """Endpoint, need and why no host stands for it."""
    notes: tuple[str, ...]
    profiles: tuple[tuple[str, Tally], ...]
    lines: tuple[Line, ...]


def page_of(sweep: Sweep) -> Page:
    """Lay a sweep out as a page."""
    causes, trails = causes_of(sweep), trails_of(sweep)
    sections = (
        Section(
            title=title,
            causes=tuple((one, _seen(one, sweep, trails)) for one in causes if one.outcome in outcomes),
        )
        for title, outcomes in SECTIONS
    )
    plan = sweep.recording.plan
    return Page(
        headline=conclude(sweep),
        state={ExitCode.OK: "good", ExitCode.FAILED: "bad"}.get(exit_code(sweep), "unsure"),
        counts=counts(tally(outcomes_of(sweep).values())),
        facts=tuple(_facts(sweep)),
        sections=tuple(one for one in sections if one.causes),
        changes=tuple(_changes(sweep)),
        unsampled=tuple((one.endpoint, one.need.value, one.why) for one in plan.unsampled),
        notes=plan.notes,
        profiles=tuple(by_profile(sweep).items()),
        lines=tuple(_lines(sweep)),
    )


def facts_of(cause: Cause) -> tuple[tuple[str, str], ...]:
    """Return what is said of a cause besides evidence and advice, as names and values."""
    where = f"{cause.outcome}{f' in {cause.phase}' if cause.phase else ''}"
    concerned = f"{len(cause.targets)}, {cause.required} of them required" if cause.targets else "the path"
    facts = (
        ("reason", cause.reason),
        ("outcome", where),
        ("to blame", party(cause.blame) if cause.blame else ""),
        ("confidence", cause.confidence.value),
        ("targets", concerned),
    )
    return tuple((name, value) for name, value in facts if value)


def _facts(sweep: Sweep) -> Iterator[tuple[str, str]]:
    recording, plan = sweep.recording, sweep.recording.plan
    place = f"region {plan.region or 'not given'}, cloud {plan.cloud}, catalog {plan.catalog_revision}"
    yield "when", f"{recording.started} to {recording.finished} ({seconds_of(recording):.1f} s)"
    yield "from", describe(recording.vantage)
    yield "for", place
    yield (
        "by",
        f"egressd {__version__}, run {recording.id}, configuration {plan.config_digest[:12] or 'none'}",
    )


def _seen(cause: Cause, sweep: Sweep, trails: Trails) -> tuple[Seen, ...]:
    """Return the conversations of a cause, each once, in the order of its targets."""
    verdicts = {one.target: one.by_source for one in sweep.verdicts}
    found: dict[Seen, None] = {}
    for target in cause.targets:
        for judged in verdicts[target.id]:
            if judged.verdict.outcome is Outcome.OK and cause.outcome is not Outcome.OK:
                continue
            seen = Seen(
                place=_place(target),
                source=judged.source,
                path=judged.path,
                outcome=judged.verdict.outcome,
                connection=connection_of(target.id, judged, trails),
            )
            found[seen] = None
    return tuple(found)


def _changes(sweep: Sweep) -> Iterator[str]:
    changes = changes_since(sweep)
    if changes is not None:
        yield f"Since {changes.before_started}: {summarize(changes)}"
        for heading, lines in lines_of(changes):
            yield from (f"{heading.capitalize()}: {line}" for line in lines)


def _lines(sweep: Sweep) -> Iterator[Line]:
    """Yield every target and source, the worst first; what is alike stays in the order of the plan."""
    targets = {one.id: one for one in sweep.recording.plan.targets}
    lines = [
        Line(target=targets[judged.target], judged=one)
        for judged in sweep.verdicts
        for one in judged.by_source
    ]
    yield from sorted(lines, key=lambda one: -one.judged.verdict.outcome.severity)


def _place(target: Target) -> str:
    return target.id.partition("/")[2] or host_port(target.host, target.port)


def _join(address: str, port: int | None) -> str:
    if port is None:
        return address
    return host_port(address, port)

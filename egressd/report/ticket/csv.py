"""The report as CSV: one row per target and source, for a spreadsheet or a ticket.

No cell starts like a formula. The connection is the one that decided the verdict, to find its entry in a
firewall's log. Required endpoints that were not probed for want of an option have a row as well.
"""

from __future__ import annotations

import csv
import io

from egressd.attribution.blame.claims import suspect_lines
from egressd.model.observation import Phase
from egressd.model.plan import Target, Unsampled
from egressd.model.verdict import Outcome, SourceVerdict, Sweep, Team, spared_in
from egressd.report.summary import option_of, unproved
from egressd.report.text import clean
from egressd.report.ticket.connection import Connection, connection_of, trails_of
from egressd.report.ticket.teams import targets_of_team
from egressd.wording import harmless_cell

COLUMNS = (
    "target",
    "endpoint",
    "service",
    "profiles",
    "host",
    "port",
    "protocol",
    "need",
    "source",
    "path",
    "outcome",
    "phase",
    "reason",
    "confidence",
    "blame",
    "flags",
    "time",
    "local_address",
    "local_port",
    "remote_address",
    "remote_port",
    "evidence",
    "advice",
    "blame_confidence",
    "suspects",
    "decided_by",
    "not_needed",
    *(f"{phase}_ms" for phase in Phase),
)


def render_csv(sweep: Sweep, team: Team | None = None) -> str:
    """Render a sweep in the order of its plan, with CRLF line ends (RFC 4180).

    With a team only what it can mend: the failing targets of its findings.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    trails = trails_of(sweep)
    excused = spared_in(sweep)
    targets = {one.id: one for one in sweep.recording.plan.targets}
    concerned = None if team is None else targets_of_team(sweep, team)
    for judged in sweep.verdicts:
        if concerned is not None and judged.target not in concerned:
            continue
        for one in (*judged.by_source, *judged.other_path):
            if concerned is not None and one.verdict.outcome is Outcome.OK:
                continue
            connection = connection_of(judged.target, one, trails)
            alternative = excused.get((judged.target, one.source), "")
            row = (*_row(targets[judged.target], one, connection), alternative, *_latency(connection))
            writer.writerow(_harmless(cell) for cell in row)
    for missing in unproved(sweep) if team is None else ():
        writer.writerow(_harmless(cell) for cell in _not_probed(missing))
    return out.getvalue()


def _not_probed(one: Unsampled) -> tuple[str, ...]:
    """Return the row of an endpoint that was not probed, and for want of what."""
    wanted = " and ".join(option_of(name) for name in one.lacks)
    known = {
        "endpoint": one.endpoint,
        "host": one.pattern,
        "need": one.need.value,
        "outcome": Outcome.UNKNOWN.value,
        "reason": "not_probed",
        "evidence": one.why,
        "advice": f"Give {wanted}, so that it is probed.",
    }
    return tuple(known.get(name, "") for name in COLUMNS)


def _latency(connection: Connection) -> tuple[str, ...]:
    """Return the milliseconds of each phase; empty where it was not reached."""
    spent = dict(connection.latency)
    return tuple(f"{spent[phase]:.1f}" if phase in spent else "" for phase in Phase)


def _row(target: Target, judged: SourceVerdict, connection: Connection) -> tuple[str, ...]:
    verdict = judged.verdict
    return (
        target.id,
        target.endpoint,
        target.service,
        " ".join(target.profiles),
        target.host,
        str(target.port),
        target.protocol,
        target.need,
        judged.source,
        judged.path,
        verdict.outcome,
        verdict.phase or "",
        verdict.reason or "",
        verdict.confidence,
        verdict.blame or "",
        " ".join(verdict.flags),
        connection.time,
        *_ends(connection),
        "; ".join(verdict.evidence),
        verdict.advice,
        verdict.blame_confidence or "",
        " ".join(one.blame for one in verdict.suspects),
        "; ".join(suspect_lines(verdict.suspects)),
    )


def _ends(connection: Connection) -> tuple[str, ...]:
    """Return both ends of a connection, empty for a DNS query."""
    if connection.transport == "DNS":
        return ("",) * 4
    ends = (
        connection.local_address,
        connection.local_port,
        connection.remote_address,
        connection.remote_port,
    )
    return tuple("" if end is None else str(end) for end in ends)


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from reading a cell as a formula, and a terminal from reading control characters."""
    return harmless_cell(clean(cell))

"""The report as CSV: one row per target and source, for a spreadsheet or a ticket.

No cell starts like a formula; the connection is the one that decided, so that its row in a firewall's
log can be found.
"""

from __future__ import annotations

import csv
import io

from egressd.model.plan import Target
from egressd.model.verdict import SourceVerdict, Sweep
from egressd.report.text import clean
from egressd.report.ticket.connection import Connection, connection_of, trails_of

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
)
_FORMULA = ("=", "+", "-", "@")


def render_csv(sweep: Sweep) -> str:
    """Render a sweep in the order of its plan, with CRLF line ends (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    trails = trails_of(sweep)
    targets = {one.id: one for one in sweep.recording.plan.targets}
    for judged in sweep.verdicts:
        for one in (*judged.by_source, *judged.other_path):
            row = _row(targets[judged.target], one, connection_of(judged.target, one, trails))
            writer.writerow(_harmless(cell) for cell in row)
    return out.getvalue()


def _row(target: Target, judged: SourceVerdict, seen: Connection) -> tuple[str, ...]:
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
        seen.time,
        *_ends(seen),
        "; ".join(verdict.evidence),
        verdict.advice,
    )


def _ends(seen: Connection) -> tuple[str, ...]:
    """Return both ends of a connection; of a question to a resolver there is none to look for."""
    if seen.transport == "DNS":
        return ("",) * 4
    ends = (seen.local_address, seen.local_port, seen.remote_address, seen.remote_port)
    return tuple("" if end is None else str(end) for end in ends)


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from running a cell as a formula, and a terminal from obeying it."""
    text = clean(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text

"""The report as CSV: one row per target and source, for a spreadsheet or a ticket.

No cell starts like a formula; the connection is the one that decided, so that its row in a firewall's
log can be found.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from egressd.model.observation import NtpObservation, Phase, TcpObservation
from egressd.model.plan import Target
from egressd.model.recording import Trail
from egressd.model.verdict import SourceVerdict, Sweep, Verdict
from egressd.report.text import clean

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
    trails = _trails(sweep)
    targets = {one.id: one for one in sweep.recording.plan.targets}
    for judged in sweep.verdicts:
        for one in (*judged.by_source, *judged.other_path):
            row = _row(targets[judged.target], one, trails.get((judged.target, one.source, one.path), ()))
            writer.writerow(_harmless(cell) for cell in row)
    return out.getvalue()


def _row(target: Target, judged: SourceVerdict, trails: Iterable[Trail]) -> tuple[str, ...]:
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
        *_connection(verdict, trails),
        "; ".join(verdict.evidence),
        verdict.advice,
    )


def _trails(sweep: Sweep) -> dict[tuple[str, str, str], tuple[Trail, ...]]:
    """Collect the trails of every target, source and path."""
    left = {one.probe: one.trails for one in sweep.recording.records}
    found: dict[tuple[str, str, str], tuple[Trail, ...]] = {}
    for probe in sweep.recording.plan.probes:
        for target in probe.targets:
            key = (target, probe.source, sweep.recording.plan.path_of(probe))
            found[key] = (*found.get(key, ()), *left.get(probe.id, ()))
    return found


def _connection(verdict: Verdict, trails: Iterable[Trail]) -> tuple[str, ...]:
    """Return the time and both ends of the connection that decided; empty where none was made."""
    deciding = sorted(trails, key=lambda one: _decides(verdict, one), reverse=True)
    for trail in deciding[:1]:
        for one in _dials(trail):
            ends = (one.local_address, one.local_port, one.remote_address, one.remote_port)
            return (one.started, *("" if end is None else str(end) for end in ends))
        return (trail.observations[0].started if trail.observations else "", "", "", "", "")
    return ("",) * 5


def _decides(verdict: Verdict, trail: Trail) -> bool:
    """Say whether a trail ended where the verdict says; for a good verdict, at the end."""
    last = trail.last
    if last is None or verdict.phase is None:
        return last is not None and last.failure is None and last.phase is not Phase.DNS
    return last.phase is verdict.phase


def _dials(trail: Trail) -> Iterator[TcpObservation | NtpObservation]:
    for one in trail.observations:
        if isinstance(one, TcpObservation | NtpObservation):
            yield one


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from running a cell as a formula, and a terminal from obeying it."""
    text = clean(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text

"""A sweep or a watch as JSON Lines, `egressd.stream/1`: what is seen while it is seen, and what it means.

`stream-1.schema.json` is generated from the types of the lines.
"""

from egressd.report.stream.line import AbortedLine, Line, PassLine, TransitionLine, line_json
from egressd.report.stream.sweep import (
    judged_targets,
    probe_line,
    render_stream,
    start_line,
    state_lines,
    verdict_lines,
)

__all__ = [
    "AbortedLine",
    "Line",
    "PassLine",
    "TransitionLine",
    "judged_targets",
    "line_json",
    "probe_line",
    "render_stream",
    "start_line",
    "state_lines",
    "verdict_lines",
]

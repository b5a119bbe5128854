"""The recorded events as text: one line for each change, or all that is known of each."""

from egressd.report.history.changes import LONGEST_WORD, change_lines_of
from egressd.report.history.compact import render_compact
from egressd.report.history.full import render_history

__all__ = ["LONGEST_WORD", "change_lines_of", "render_compact", "render_history"]

"""What changed from one sweep to another: pure functions of two judged sweeps."""

from __future__ import annotations

from egressd.report.diff.change import Change, ChangeKind, Changes, changes_since, compare
from egressd.report.diff.render import render_json, render_text

__all__ = ["Change", "ChangeKind", "Changes", "changes_since", "compare", "render_json", "render_text"]

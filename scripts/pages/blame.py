"""The table of blame words, made from the texts that messages use."""

from __future__ import annotations

from egressd.attribution.blame_text import CALL, blame_text
from egressd.model.verdict import Blame
from scripts.pages.splice import splice


def render_blame_page() -> str:
    """Render the page with a row for each blame value, ordered by the team to call."""
    rows = ["| `blame` | who that is | call |", "| --- | --- | --- |"]
    by_team = sorted(Blame, key=lambda one: list(CALL.values()).index(CALL[one]))
    rows += [f"| `{one}` | {blame_text(one)} | {CALL[one]} |" for one in by_team]
    return splice("docs/blame.md", table="\n".join(rows))

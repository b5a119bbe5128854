"""The table of blame words, made from the texts that messages use."""

from __future__ import annotations

from egressd.attribution.blame_text import CALL, blame_text
from egressd.model.verdict import Blame, Team, team_of
from scripts.pages.splice import splice


def render_blame_page() -> str:
    """Render the page with a row for each blame value, by the team that can change what it does."""
    rows = ["| `blame` | who that is | `--team` | call |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{blame}` | {blame_text(blame)} | `{team}` | {CALL[blame]} |"
        for team in Team
        for blame in Blame
        if team_of(blame) is team
    ]
    return splice("docs/blame.md", table="\n".join(rows))

"""The table of every fault of the lab: a part of `docs/lab.md`."""

from __future__ import annotations

from egressd.lab.faults import FAULTS
from scripts.pages.splice import splice


def render_lab_page() -> str:
    """Render the lab's page with the faults that the code has."""
    return splice("docs/lab.md", faults=fault_table())


def fault_table() -> str:
    """Render every fault with its phase, its effect and the reason codes it leads to, as Markdown."""
    lines = ["| fault | phase | what happens | egressd says |", "| --- | --- | --- | --- |"]
    for one in FAULTS.values():
        said = " or ".join(f"`{code}`" for code in one.reasons) or "ok"
        everywhere = ", ".join(f"`{code}`" for code in one.everywhere)
        said += f"; everywhere: {everywhere}" if everywhere else ""
        noted = ", ".join(f"`{code}`" for code in one.notes)
        said += f", noting {noted}" if noted else ""
        lines.append(f"| `{one.name}` | {one.phase} | {one.summary} | {said} |")
    return "\n".join(lines)

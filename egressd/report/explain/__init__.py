"""What reason codes and blame words mean, for a terminal and as data.

Law of the room: the texts are those of `egressd.attribution`; nothing is explained here in other words.
"""

from egressd.report.explain.choose import Explained, choose_explained, suggest
from egressd.report.explain.document import render_explained_json
from egressd.report.explain.render import (
    command_blocks,
    render_blame,
    render_explanation,
    render_reason_list,
    render_titles,
    usual_values,
)

__all__ = [
    "Explained",
    "choose_explained",
    "command_blocks",
    "render_blame",
    "render_explained_json",
    "render_explanation",
    "render_reason_list",
    "render_titles",
    "suggest",
    "usual_values",
]

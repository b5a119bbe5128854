"""The report as one self-contained HTML file, without scripts, fonts or images."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from egressd.model.verdict import Sweep
from egressd.report.template import page_template
from egressd.report.ticket.page import ReportPage, page_of
from egressd.report.ticket.rule_row import rule_columns
from egressd.report.ticket.scope import WHOLE, TicketScope

TEMPLATE = Path(__file__).with_name("report.html")


def render_html(sweep: Sweep, scope: TicketScope = WHOLE) -> str:
    """Render a sweep, or one team's ticket of it.

    Text from the network is escaped and free of control characters.
    """
    return html_page(page_of(sweep, scope))


def html_page(page: ReportPage) -> str:
    """Render a page."""
    return page_template(TEMPLATE).render(page=page, columns_of=rule_columns, indent_of=_indent_of) + "\n"


def _indent_of(line: str) -> Markup:
    """Return the blanks that a line of a command begins with; every other value loses its own."""
    return Markup(" " * (len(line) - len(line.lstrip(" "))))  # noqa: S704 - blanks alone

"""The report as one self-contained HTML file, without scripts, fonts or images."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from egressd.model.verdict import Sweep
from egressd.report.text import clean
from egressd.report.ticket.page import facts_of, page_of

TEMPLATE = Path(__file__).with_name("report.html")


def render_html(sweep: Sweep) -> str:
    """Render a sweep; text from the network is escaped and free of control characters."""
    return _template().render(page=page_of(sweep), facts_of=facts_of) + "\n"


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def _finalize(value: object) -> object:
    """Remove control characters from every value; jinja escapes it afterwards."""
    return clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value

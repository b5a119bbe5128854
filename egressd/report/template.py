"""Templates of self-contained pages: every value is escaped, and free of control characters."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from egressd.report.text import clean


@cache
def page_template(path: Path) -> Template:
    """Return the template in a file; a value that it names and is not given is an error."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize
    )
    return environment.from_string(path.read_text(encoding="utf-8"))


def _finalize(value: object) -> object:
    """Remove control characters from every value; jinja escapes it afterwards."""
    return clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value

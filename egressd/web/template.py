"""Pages from templates: every value is escaped and free of control characters; no page has a script inside.

Links are relative, so that pages work below the path of a reverse proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from egressd import __version__

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""The Content-Security-Policy of pages: our own files, and nothing that is written into a page."""
STATIC: Mapping[str, str] = {
    "egressd.css": "text/css; charset=utf-8",
    "status.js": "text/javascript; charset=utf-8",
    "good.svg": "image/svg+xml",
    "bad.svg": "image/svg+xml",
    "waiting.svg": "image/svg+xml",
}
"""Files that pages refer to, each with its type."""


def render_page(template: str, *, root: str, **values: object) -> bytes:
    """Render a template; `root` leads to the status page, as `../`; empty: it is a neighbour."""
    text = _environment().get_template(template).render(root=root, version=__version__, **values)
    return text.encode()


def root_of(path: str) -> str:
    """Return the way from the page of a path to the status page; empty for its neighbours."""
    return "../" * (path.count("/") - 1)


@cache
def static_file(name: str) -> bytes:
    """Return the content of one of `STATIC`."""
    return (files("egressd.web") / "static" / name).read_bytes()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("egressd.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )


def _finalize(value: object) -> object:
    """Replace what is not printable in every text but the ends of lines; jinja escapes it afterwards."""
    if not isinstance(value, str) or value.isprintable() or hasattr(value, "__html__"):
        return value
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in value)

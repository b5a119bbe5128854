"""The documents that come with egressd, as pages: `docs` of the source tree, packed into the wheel."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from urllib.parse import urldefrag

from msgspec import Struct

from egressd.attribution.reasons import find_reason
from egressd.web.manual.markdown import RenderedMarkdown, anchor_of, markdown_to_html

_SOURCE = Path(__file__).parents[3] / "docs"
"""Where the documents are in a source tree."""
RUNBOOKS = "runbooks/"
REASON_PAGES = ("reason-codes.md", "reasons/")
"""Documents that the pages of the reasons stand for."""


class Listed(Struct, frozen=True, kw_only=True):
    """A document in the list of all."""

    title: str
    place: str
    """Where it is served, without a slash at the front."""


@cache
def documents() -> Mapping[str, Traversable]:
    """Return the documents by their path within `docs`, in order; none where a package has left them out."""
    packed = files("egressd.web") / "docs"
    root = packed if packed.is_dir() else _SOURCE
    found = dict(_markdown(root)) if root.is_dir() else {}
    return {name: found[name] for name in sorted(found) if not name.startswith(REASON_PAGES)}


def _markdown(folder: Traversable, place: str = "") -> Iterator[tuple[str, Traversable]]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _markdown(one, f"{place}{one.name}/")
        elif one.name.endswith(".md"):
            yield place + one.name, one


def place_of(name: str) -> str:
    """Return where a document is served: a runbook where alerts link to it."""
    return name if name.startswith(RUNBOOKS) else f"docs/{name}"


@cache
def render_document(name: str, root: str) -> RenderedMarkdown:
    """Render one of `documents`."""
    text = documents()[name].read_text(encoding="utf-8")
    return markdown_to_html(text, lambda target: _locate(target, name, root))


def _locate(target: str, name: str, root: str) -> str | None:
    """Return where a link in a document leads: other documents and reasons are served, sources are not."""
    path, anchor = urldefrag(target)
    if "://" in target:
        return target
    if not path:
        return target
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
    if wanted.startswith(REASON_PAGES):
        reason = find_reason(anchor)
        return (
            f"{root}reasons/{reason.code}" if reason else f"{root}reasons" + (f"#{anchor}" if anchor else "")
        )
    if wanted not in documents():
        return None
    return root + place_of(wanted) + (f"#{anchor}" if anchor else "")


@cache
def listed_documents() -> Mapping[str, tuple[Listed, ...]]:
    """Return all documents by the folder they are in; the runbooks come first."""
    found: dict[str, list[Listed]] = {"Runbooks": [], "Documents": []}
    for name, source in documents().items():
        folder = name.rpartition("/")[0]
        group = folder.capitalize() or "Documents"
        found.setdefault(group, []).append(Listed(title=_title(source) or name, place=place_of(name)))
    return {group: tuple(some) for group, some in found.items() if some}


def _title(source: Traversable) -> str:
    """Return the first heading of a document; empty: it has none."""
    with source.open(encoding="utf-8") as lines:
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("# ")), "")


def runbook_place(alertname: str) -> str:
    """Return where the runbook of an alert is served."""
    file = "egressd.md" if alertname.startswith("Egressd") else "targets.md"
    return f"{RUNBOOKS}{file}#{anchor_of(alertname)}"

"""Pictures of what people get, drawn from a sweep of the lab that is kept in the repository.

The sweep is judged again by today's rules and written by today's reports, so that a picture is as fresh as
any generated page. `scripts/record` makes the sweep anew. SVG carries text: it is small, sharp at every size,
and the same on every machine.
"""

from __future__ import annotations

import gzip
import html
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

from typer.testing import CliRunner

from egressd.cli.app import app
from egressd.web.template import static_file
from scripts.pages.site import render_status

ROOT = Path(__file__).parents[2]
SWEEP = ROOT / "docs" / "pictures" / "sweep.json.gz"
COLUMNS = 100
CHARACTER, LINE, MARGIN, SIZE = 7.8, 17, 18, 13
"""Width of a character of a terminal, height of a line, and size of its type, in pixels."""
DARK, LIGHT, RED = "#0d1117", "#e6edf3", "#ff7b72"
CAPITALS = {"viewbox": "viewBox", "preserveaspectratio": "preserveAspectRatio"}
"""Attributes that have capitals in XML; the parser of HTML has none."""
VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


def pictures() -> Mapping[str, Callable[[], str]]:
    """Return the pictures by path."""
    return {
        "docs/pictures/report.svg": lambda: draw_terminal(replay("--color", "always", "--format", "table")),
        "docs/pictures/status.svg": lambda: draw_page(with_sweep(render_status), width=1320, height=1200),
        "docs/pictures/ticket.svg": lambda: draw_page(
            replay("--team", "firewall", "--format", "html"), width=1320, height=1500
        ),
    }


def with_sweep(make: Callable[[Path], str]) -> str:
    """Return what is made of the sweep, unpacked into a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sweep.json"
        file.write_bytes(gzip.decompress(SWEEP.read_bytes()))
        return make(file)


def replay(*words: str) -> str:
    """Return what `egressd replay` writes of the sweep."""

    def run(file: Path) -> str:
        wide = {"COLUMNS": str(COLUMNS), "NO_COLOR": None}
        done = CliRunner().invoke(app, ["replay", str(file), *words], env=wide)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    return with_sweep(run)


def draw_terminal(text: str) -> str:
    """Draw text as a terminal shows it: bold and red are the colours that reports use."""
    lines = text.rstrip("\n").split("\n")
    width = round(COLUMNS * CHARACTER + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN
    rows = [
        f'<text x="{MARGIN}" y="{MARGIN + (number + 1) * LINE - 4}">{"".join(_spans(line))}</text>'
        for number, line in enumerate(lines)
        if line
    ]
    style = (
        f"text{{font:{SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        f"fill:{LIGHT};white-space:pre}}.b{{font-weight:700}}.r{{fill:{RED}}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">\n'
        f'<style>{style}</style>\n<rect width="100%" height="100%" rx="8" fill="{DARK}"/>\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )


def _spans(line: str) -> Iterator[str]:
    """Yield the parts of a line, each with its colours."""
    codes: set[str] = set()
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            found = set(part[2:-1].split(";"))
            codes = set() if found <= {"0", ""} else codes | found
        elif part:
            classes = " ".join(name for code, name in (("1", "b"), ("31", "r")) if code in codes)
            text = html.escape(part, quote=False)
            yield f'<tspan class="{classes}">{text}</tspan>' if classes else text


def draw_page(page: str, *, width: int, height: int) -> str:
    """Draw the head of an HTML page, as a browser shows it in the light theme.

    Args:
        page: HTML with its style in it, or a page of the daemon.
        width: of the window, in pixels.
        height: where it is cut off.
    """
    written = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    style = _without_media("".join(written) or static_file("egressd.css").decode())
    style = re.sub(
        r"(^|[\s}])body\b", r"\1.body", style.replace("light dark", "light").replace(":root", ".page")
    )
    style = html.escape(style, quote=False) + ".wide{overflow:hidden}"  # nobody can scroll in a picture
    body = _Xhtml(page[page.index("<body") :]).text
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">\n'
        f'<rect width="100%" height="100%" rx="8" fill="#fff" stroke="#d0d7de"/>\n'
        f'<foreignObject x="1" y="1" width="{width - 2}" height="{height - 2}">\n'
        f'<div xmlns="http://www.w3.org/1999/xhtml" class="page"><style>{style}</style>\n'
        f"{body}</div>\n</foreignObject>\n</svg>\n"
    )


def _without_media(style: str) -> str:
    """Leave out what is for other media: a picture is for all readers the same."""
    kept, depth, skipping = [], 0, False
    for part in re.split(r"(@media[^{]*|[{}])", style):
        skipping = skipping or part.startswith("@media")
        depth += skipping and {"{": 1, "}": -1}.get(part, 0)
        if not skipping:
            kept.append(part)
        elif part == "}" and depth == 0:
            skipping = False
    return "".join(kept)


class _Xhtml(HTMLParser):
    """Write the body of an HTML page again as XML, in which every element is closed."""

    def __init__(self, body: str) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self._parts: list[str] = []
        self.feed(body)
        self.close()

    @property
    def text(self) -> str:
        """The body, as a `div`."""
        return "".join([*self._parts, *(f"</{name}>" for name in reversed(self._open))])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Write an element; one that has no content is closed at once."""
        if tag in {"script", "style"}:
            raise ValueError(f"a picture has no {tag} in its body")
        name = "div" if tag == "body" else tag
        kept = [
            (CAPITALS.get(key, key), value) for key, value in attrs if key not in {"href", "src", "action"}
        ]
        kept += [("class", "body")] if tag == "body" else []
        kept += [("xmlns", "http://www.w3.org/2000/svg")] if tag == "svg" else []
        shown = "".join(f' {key}="{html.escape(value or key)}"' for key, value in kept)
        self._parts.append(f"<{name}{shown}/>" if tag in VOID else f"<{name}{shown}>")
        if tag not in VOID:
            self._open.append(name)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and those within it that HTML lets open."""
        name = "div" if tag == "body" else tag
        while name in self._open:
            closed = self._open.pop()
            self._parts.append(f"</{closed}>")
            if closed == name:
                return

    def handle_data(self, data: str) -> None:
        """Write text."""
        self._parts.append(html.escape(data, quote=False))

"""Write the pages that are made from the code; `tests/test_house.py` asks that they are fresh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from egressd.catalog.compiled import compile_catalog
from egressd.catalog.load import DATA, load_catalog
from scripts.pages.blame import render_blame_page
from scripts.pages.commands import render_commands_page
from scripts.pages.configuration import render_reference
from scripts.pages.firewall_languages import render_firewall_languages
from scripts.pages.floors import render_architecture, render_names, render_ontology
from scripts.pages.lab import render_lab_page
from scripts.pages.manual import manual_pages
from scripts.pages.metrics import render_metrics_page
from scripts.pages.pictures import pictures
from scripts.pages.profiles import profile_pages
from scripts.pages.reason_codes import reason_pages
from scripts.pages.schema import render_fleet_schema, render_schema, render_stream_schema
from tests.proofs import proofs

ROOT = Path(__file__).parents[1]


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/architecture.md": render_architecture,
    "docs/ontology.md": render_ontology,
    "docs/names.md": render_names,
    "docs/blame.md": render_blame_page,
    "docs/commands.md": render_commands_page,
    "docs/configuration.md": render_reference,
    "egressd/report/sweep-1.schema.json": render_schema,
    "egressd/report/stream/stream-1.schema.json": render_stream_schema,
    "egressd/report/fleet/fleet-1.schema.json": render_fleet_schema,
    "egressd/catalog/data/compiled.json": lambda: compile_catalog(load_catalog(DATA)),
    "docs/lab.md": render_lab_page,
    "docs/metrics.md": render_metrics_page,
    "docs/firewall-languages.md": render_firewall_languages,
    **manual_pages(),
    **pictures(),
    **profile_pages(),
    **reason_pages(proofs()),
}
"""Path within the repository, and the function that makes its text."""


def main() -> None:
    """Write each page that differs and say so."""
    for name, make in PAGES.items():
        path, text = ROOT / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")


if __name__ == "__main__":
    main()

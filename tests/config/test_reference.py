"""The configuration reference."""

from __future__ import annotations

from pathlib import Path

from egressd.config.daemon import File
from egressd.config.schema import EndpointPart, ProbePart
from scripts.pages.configuration import render_reference

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_fresh() -> None:
    """It is what the schema generates."""
    assert PAGE.read_text(encoding="utf-8") == render_reference()


def test_every_key_is_explained() -> None:
    """No key is without type, default and meaning."""
    rows = [line.split(" | ") for line in render_reference().splitlines() if line.startswith("| `")]
    assert {f"| `{key}`" for key in (*File.model_fields, *EndpointPart.model_fields)} <= {
        row[0] for row in rows
    }
    assert all(len(row) >= 4 and all(cell.strip(" |") for cell in row) for row in rows)


def test_defaults_are_written_as_in_the_file() -> None:
    """A duration's default has a unit, a list its brackets."""
    text = render_reference()
    assert f"| `deadline` | duration | `{ProbePart().deadline:.0f}s` |" in text
    assert "`[ipv4, ipv6]`" in text
    assert "| `retention` | duration | `90d` |" in text

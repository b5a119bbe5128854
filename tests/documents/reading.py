"""Read a text as a document, and show its rows in short."""

from __future__ import annotations

from pathlib import Path

from egressd.documents.listed import ListedRow, Listing
from egressd.documents.read import decode_document, read_document

DATA = Path(__file__).parent / "data"


def read(text: str, name: str = "page.md") -> Listing:
    """Read a text."""
    return read_document(text, name)


def read_data(name: str) -> Listing:
    """Read a file of `data`."""
    return read_document(decode_document((DATA / name).read_bytes()), name)


def shown(row: ListedRow) -> str:
    """Show a row as `*.corp.example 443 https`; what it does not say is `-`."""
    return f"{row.pattern} {row.port or '-'} {row.protocol or '-'}"


def rules(text: str, name: str = "page.md") -> list[str]:
    """Show all rows of a text."""
    return [shown(row) for row in read(text, name).rows]

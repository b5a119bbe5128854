"""The JSON Schema that ships with the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from egressd.model.verdict import Outcome, Sweep
from egressd.report.saved import to_document
from scripts.pages.schema import render_schema

SCHEMA = Path(__file__).parents[2] / "egressd" / "report" / "sweep-1.schema.json"


def test_the_shipped_schema_is_fresh() -> None:
    """The shipped schema equals the one of the dataclasses; `make docs` writes it."""
    assert SCHEMA.read_text(encoding="utf-8") == render_schema()


def test_the_schema_is_valid_and_describes_its_keys() -> None:
    """It is a valid schema, requires every key, and has the docstrings of the model."""
    schema = json.loads(render_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    certificate = schema["$defs"]["Certificate"]
    assert set(certificate["required"]) == set(certificate["properties"])
    assert certificate["properties"]["sha256"]["description"] == "Of the DER, lower-case hex."
    assert schema["$defs"]["FindingEntry"]["properties"]["title"] == {"type": "string"}


@pytest.mark.parametrize(
    "key", ["schema", "run", "vantage", "summary", "targets", "findings", "controls", "plan"]
)
def test_a_document_without_a_key_is_invalid(
    sweep_of: Callable[..., Sweep], row: Callable[..., object], key: str
) -> None:
    """A complete document is valid; without any one key it is not."""
    document = to_document(sweep_of(row(), row(host="a.example", outcome=Outcome.BLOCKED)))
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    validator.validate(document)
    del document[key]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)

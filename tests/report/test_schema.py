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
    """It is what the dataclasses say; write it again with `make docs` when they change."""
    assert SCHEMA.read_text(encoding="utf-8") == render_schema()


def test_it_is_a_schema_that_says_what_keys_mean() -> None:
    """It is valid itself, asks for every key, and carries the model's own words."""
    schema = json.loads(render_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    certificate = schema["$defs"]["Certificate"]
    assert set(certificate["required"]) == set(certificate["properties"])
    assert certificate["properties"]["sha256"]["description"] == "Of the DER, lower-case hex."
    assert schema["$defs"]["Finding"]["properties"]["title"] == {"type": "string"}


@pytest.mark.parametrize(
    "key", ["schema", "run", "vantage", "summary", "targets", "findings", "controls", "plan"]
)
def test_a_document_without_a_key_is_invalid(
    sweep_of: Callable[..., Sweep], row: Callable[..., object], key: str
) -> None:
    """A whole document passes; take any part away and it does not."""
    document = to_document(sweep_of(row(), row(host="a.example", outcome=Outcome.BLOCKED)))
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    validator.validate(document)
    del document[key]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)

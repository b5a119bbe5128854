"""The JSON Schemas of a report, of a stream and of a fleet, made from their types."""

from __future__ import annotations

import ast
import inspect
import json
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Any

import msgspec

from egressd.fleet import values
from egressd.model import endpoint, observation, plan, recording, settings, verdict
from egressd.report import document
from egressd.report.diff import sweep_diff
from egressd.report.fleet import document as fleet_document
from egressd.report.stream import line

_MODULES: tuple[ModuleType, ...] = (
    line,
    sweep_diff,
    document,
    endpoint,
    observation,
    plan,
    recording,
    settings,
    verdict,
    values,
    fleet_document,
)
_NOISE = ("title", "default")


def render_schema() -> str:
    """Render the schema of a report as it is shipped."""
    return _render(document.Report, document.SCHEMA)


def render_stream_schema() -> str:
    """Render the schema of a line of a stream as it is shipped."""
    return _render(line.Line, line.STREAM)


def render_fleet_schema() -> str:
    """Render the schema of a fleet as it is shipped."""
    return _render(fleet_document.FleetDocument, fleet_document.FLEET_SCHEMA)


def _render(kind: Any, schema: str) -> str:
    """Render a schema. Every key is always written, so every key is required."""
    (made,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    for name, one in parts.items():
        _tidy(one, name)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{schema.replace('/', ':')}",
        "title": schema,
    }
    return json.dumps(head | {"$defs": dict(sorted(parts.items()))} | made, indent=1) + "\n"


def _tidy(one: dict[str, Any], name: str) -> None:
    """Ask for every key, and say what it is."""
    _drop(one)
    properties = one.get("properties", {})
    if properties:
        one["required"] = list(properties)
    for key, text in _docstrings(name).items():
        if key in properties:
            properties[key]["description"] = text


def _drop(node: Any) -> None:
    """Drop what only repeats the key, and defaults: nothing is ever left out."""
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _drop(value)
    if isinstance(node, dict):
        for key in _NOISE:
            if not isinstance(node.get(key), dict):
                node.pop(key, None)


@cache
def _docstrings(name: str) -> dict[str, str]:
    """Return the docstrings under the fields of a type, those of its parents included."""
    kind = next((getattr(one, name) for one in _MODULES if hasattr(one, name)), None)
    texts: dict[str, str] = {}
    for one in reversed(inspect.getmro(kind)[:-1] if inspect.isclass(kind) else ()):
        if one.__module__.startswith("egressd."):
            texts |= _field_docstrings(ast.parse(inspect.getsource(one)).body[0])
    return texts


def _field_docstrings(node: ast.stmt) -> dict[str, str]:
    body = node.body if isinstance(node, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }

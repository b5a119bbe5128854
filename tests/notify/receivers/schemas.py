"""JSON Schemas of what receivers take, written from their public descriptions.

Alertmanager: its webhook documentation and its OpenAPI description of the API v2. CloudEvents 1.0: the
specification and its JSON format. Slack: the reference of blocks and composition objects. Adaptive Cards 1.4:
the schema explorer, with the elements that are used here.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # has no stubs

Schema = dict[str, Any]

STRINGS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
LABELS: Schema = STRINGS | {
    "minProperties": 1,
    "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
    "additionalProperties": {"type": "string", "minLength": 1},
}
TIME: Schema = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
}


def strict(required: Schema, optional: Schema | None = None) -> Schema:
    """Return the schema of an object with these members and no other."""
    return {
        "type": "object",
        "required": list(required),
        "properties": required | (optional or {}),
        "additionalProperties": False,
    }


POSTABLE_ALERTS: Schema = {
    "type": "array",
    "maxItems": 64,
    "items": strict(
        {"labels": LABELS},
        {"annotations": STRINGS, "startsAt": TIME, "endsAt": TIME, "generatorURL": {"type": "string"}},
    ),
}

STATUS: Schema = {"enum": ["firing", "resolved"]}
WEBHOOK: Schema = strict(
    {
        "version": {"const": "4"},
        "groupKey": {"type": "string", "minLength": 1},
        "truncatedAlerts": {"type": "integer", "minimum": 0},
        "status": STATUS,
        "receiver": {"type": "string"},
        "groupLabels": STRINGS,
        "commonLabels": STRINGS,
        "commonAnnotations": STRINGS,
        "externalURL": {"type": "string"},
        "alerts": {
            "type": "array",
            "minItems": 1,
            "items": strict(
                {
                    "status": STATUS,
                    "labels": LABELS,
                    "annotations": STRINGS,
                    "startsAt": TIME,
                    "endsAt": TIME,
                    "generatorURL": {"type": "string"},
                    "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
                }
            ),
        },
    }
)

CLOUDEVENT: Schema = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1, "format": "uri-reference"},
        "type": {"type": "string", "pattern": r"^io\.egressd\.alert\.[a-z]+$"},
        "subject": {"type": "string", "minLength": 1},
        "time": TIME,
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object"},
    },
    "propertyNames": {"pattern": "^[a-z0-9]+$"},
    "additionalProperties": False,
}


def _text(kind: str, longest: int) -> Schema:
    member = {"emoji": {"type": "boolean"}} if kind == "plain_text" else {"verbatim": {"type": "boolean"}}
    return strict(
        {"type": {"const": kind}, "text": {"type": "string", "minLength": 1, "maxLength": longest}}, member
    )


SLACK: Schema = strict(
    {
        "text": {"type": "string", "minLength": 1, "maxLength": 4000},
        "blocks": {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": {
                "oneOf": [
                    strict({"type": {"const": "header"}, "text": _text("plain_text", 150)}),
                    strict({"type": {"const": "section"}, "text": _text("plain_text", 2999)}),
                    strict(
                        {
                            "type": {"const": "context"},
                            "elements": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 10,
                                "items": _text("mrkdwn", 2999),
                            },
                        }
                    ),
                ]
            },
        },
    },
    {
        "mrkdwn": {"type": "boolean"},
        "unfurl_links": {"type": "boolean"},
        "unfurl_media": {"type": "boolean"},
    },
)

_RUN: Schema = strict(
    {"type": {"const": "TextRun"}, "text": {"type": "string", "minLength": 1}},
    {
        "weight": {"enum": ["default", "lighter", "bolder"]},
        "size": {"enum": ["default", "small", "medium", "large", "extraLarge"]},
    },
)
_RICH: Schema = strict(
    {"type": {"const": "RichTextBlock"}, "inlines": {"type": "array", "minItems": 1, "items": _RUN}},
    {"separator": {"type": "boolean"}},
)
_CARD: Schema = strict(
    {
        "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
        "type": {"const": "AdaptiveCard"},
        "version": {"const": "1.4"},
        "body": {"type": "array", "minItems": 1, "items": _RICH},
    },
    {
        "fallbackText": {"type": "string"},
        "msteams": strict({"width": {"const": "full"}}),
        "actions": {
            "type": "array",
            "items": strict(
                {
                    "type": {"const": "Action.OpenUrl"},
                    "title": {"type": "string"},
                    "url": {"type": "string", "pattern": "^https?://"},
                }
            ),
        },
    },
)
TEAMS: Schema = strict(
    {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": strict(
                {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "contentUrl": {"type": "null"},
                    "content": _CARD,
                }
            ),
        },
    }
)


def check(schema: Schema, document: object) -> None:
    """Validate a document, formats included."""
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(document)

"""Rules as JSON, by the schema `egressd.rules/1`."""

from __future__ import annotations

import json

from msgspec import to_builtins

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.language import Language
from egressd.firewall.languages.people.as_asked import AS_ASKED


def _render(asked: RuleSet) -> str:
    """Write the rules and their origin as one object."""
    origin = asked.origin
    reports = [
        {"run": one.run, "started": one.started, "host": one.host, "site": one.site}
        for one in (origin, *origin.further)
        if one.run is not None
    ]
    document = {
        "schema": "egressd.rules/1",
        "catalog": {"revision": origin.catalog_revision, "digest": origin.catalog_digest},
        "cloud": origin.cloud,
        "region": origin.region,
        "profiles": list(origin.profiles),
        "report": reports[0] if reports else None,
        "reports": reports,
        "rules": [to_builtins(rule) for rule in asked.rules],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


LANGUAGE = Language(
    name="json",
    title="JSON, by the schema egressd.rules/1",
    suffix=".json",
    comment="",
    wildcards=AS_ASKED,
    document="",
    tried="",
    render=_render,
)

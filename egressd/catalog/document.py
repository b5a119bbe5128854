"""Selected rows of the catalog as data (`egressd.endpoints/1`), as they are in their cloud."""

from __future__ import annotations

import json
from collections.abc import Mapping

from egressd.catalog.table import selected_rows
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Endpoint
from egressd.model.settings import Settings
from egressd.planning.placeholder import placeholder_values, substitute_known

SCHEMA = "egressd.endpoints/1"


def render_endpoints_json(catalog: Catalog, settings: Settings) -> str:
    """Render the selected rows as JSON. Raises UsageError for an `--only` that matches none."""
    values = placeholder_values(catalog, settings)
    document = {
        "schema": SCHEMA,
        "catalog": {"revision": catalog.revision, "digest": catalog.digest},
        "cloud": settings.cloud,
        "region": settings.region,
        "endpoints": [
            {"host": substitute_known(row.endpoint.pattern, values), **_fields(row.endpoint)}
            for row in selected_rows(catalog, settings)
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _fields(one: Endpoint) -> Mapping[str, object]:
    source = one.provenance
    return {
        "id": one.id,
        "profile": one.profile or None,
        "service": one.service,
        "purpose": one.purpose,
        "pattern": one.pattern,
        "any_depth": one.deep,
        "port": one.port,
        "last_port": one.last_port,
        "protocol": one.protocol,
        "need": one.need,
        "condition": one.condition,
        "feature": one.feature,
        "one_of": one.one_of,
        "roles": one.roles,
        "direction": one.direction,
        "regions": one.regions,
        "service_tags": one.service_tags,
        "inspection": one.inspection,
        "since": one.since,
        "until": one.until,
        "document": source.document if source else None,
    }

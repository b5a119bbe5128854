"""The offline limits of products, from the catalog."""

from __future__ import annotations

from collections.abc import Mapping

from egressd.model.catalog import Catalog

DAY = 86400.0


def offline_limits(catalog: Catalog) -> Mapping[str, float]:
    """Return the offline limit of each profile that has one, in seconds."""
    return {
        one.name: one.offline_limit_days * DAY
        for one in catalog.profiles
        if one.offline_limit_days is not None
    }

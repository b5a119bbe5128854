"""Features: with `features` in the configuration, conditional rows count, or are left out."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from msgspec.structs import replace

from egressd.errors import UsageError
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Endpoint, Need
from egressd.model.settings import Settings


def refuse_unknown_features(settings: Settings, catalog: Catalog) -> None:
    """Refuse a feature that the catalog does not have.

    Raises:
        UsageError: naming the closest ones.
    """
    known = [one.name for one in catalog.features]
    for name in settings.features or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "`egressd catalog features` lists them"
            raise UsageError(f"cannot find the feature {name[:60]!r}: {hint}")


def with_features(endpoint: Endpoint, features: Collection[str] | None) -> Endpoint:
    """Return a row as required, and as one to probe, where its feature is in use."""
    in_use = features is not None and endpoint.feature is not None and endpoint.feature in features
    if endpoint.need is not Need.CONDITIONAL or not in_use:
        return endpoint
    return replace(endpoint, need=Need.REQUIRED, condition=None, unprobed=None)


def feature_not_in_use(endpoint: Endpoint, features: Collection[str] | None) -> str | None:
    """Return the feature that a row waits for, and that is not in use; None: the row is probed.

    An override that gives the row another need puts it in use by itself.
    """
    name = endpoint.feature
    if features is None or endpoint.need is not Need.CONDITIONAL or name is None:
        return None
    return None if name in features else name

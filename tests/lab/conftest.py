"""Shared by the lab's tests: the catalog, loaded once."""

from __future__ import annotations

import pytest

from egressd.catalog import load_catalog
from egressd.model.catalog import Catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The catalog of the package."""
    return load_catalog()

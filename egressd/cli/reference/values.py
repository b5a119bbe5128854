"""What a shell completes values with: names of the catalog and of reasons, without any network."""

from __future__ import annotations


def complete_regions() -> list[str]:
    """Return the names of regions."""
    from egressd.catalog import load_catalog

    return [one.name for one in load_catalog().regions]


def complete_profiles() -> list[str]:
    """Return the names of profiles."""
    from egressd.catalog import load_catalog

    return [one.name for one in load_catalog().profiles]


def complete_features() -> list[str]:
    """Return the names of features."""
    from egressd.catalog import load_catalog

    return [one.name for one in load_catalog().features]


def complete_endpoints() -> list[str]:
    """Return the ids of the catalog's rows."""
    from egressd.catalog import load_catalog

    return [one.id for one in load_catalog().endpoints]


def complete_faults() -> list[str]:
    """Return the lab's faults, each as far as its host."""
    from egressd.lab.faults import FAULTS

    return [f"{name}=" for name in FAULTS]


def complete_reasons() -> list[str]:
    """Return the reason codes."""
    from egressd.attribution.reasons import REASONS

    return list(REASONS)


def complete_explained() -> list[str]:
    """Return the reason codes and the blame words."""
    from egressd.model.verdict import Blame

    return [*complete_reasons(), *(one.value for one in Blame)]

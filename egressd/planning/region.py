"""Regions and clouds: which the catalog knows, and in which of them a product exists.

A wrong region makes names that do not exist, and those look like a firewall: it is refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence

from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud
from egressd.model.settings import Settings
from egressd.planning.select import profiles_with_included
from egressd.wording import either_of

REGION_NAME = re.compile(r"[a-z0-9]{2,40}")
ALLOWED = "--allow-unknown-region is for regions newer than the catalog"
MOST_NAMED = 8
"""Regions that one line names at most."""
NEAREST = 3
"""Suggestions for a name that is not known."""


def normalize_region(text: str) -> str:
    """Return the name of a region for what people write: `West Europe` and `(Europe) West Europe` too.

    Raises ValueError for what can't be a region.
    """
    bare = re.sub(r"^\s*\([^()]{1,40}\)", "", text)
    name = re.sub(r"[\s_-]+", "", bare).lower()
    if not REGION_NAME.fullmatch(name):
        raise ValueError(f"must be a region such as westeurope or 'West Europe', not {text[:60]!r}")
    return name


def unknown_region(catalog: Catalog, settings: Settings) -> str | None:
    """Say that the catalog does not have the region, and what was probably meant; None if nothing is wrong.

    A region of another cloud is never a new one.
    """
    region, cloud = settings.region, settings.cloud
    if region is None or catalog.region(region, cloud) is not None:
        return None
    elsewhere = next((one.cloud for one in catalog.regions if one.name == region), None)
    if elsewhere is not None:
        return f"{region} is a region of cloud {elsewhere.value}, not of cloud {cloud.value}"
    if settings.allow_unknown_region:
        return None
    return (
        f"no region of cloud {cloud.value} is called {region}: {_meant(catalog, region, cloud)} ({ALLOWED})"
    )


def _meant(catalog: Catalog, region: str, cloud: Cloud) -> str:
    known = [one.name for one in catalog.regions if one.cloud is cloud]
    if near := difflib.get_close_matches(region, known, n=NEAREST):
        return f"did you mean {either_of(near)}?"
    return f"known are {_some(known)} (`egressd catalog regions`)"


def absent_products(
    catalog: Catalog, profiles: Iterable[str], *, region: str | None, cloud: Cloud
) -> Iterator[tuple[str, str]]:
    """Yield each profile that does not exist in the cloud or the region, and where it does.

    What a profile includes it needs: where that is absent, so is the profile. A region that the catalog
    does not know is not held against a product.
    """
    for name in dict.fromkeys(profiles):
        if why := _why_absent(catalog, name, region, cloud):
            yield name, why


def place_problem(catalog: Catalog, settings: Settings) -> str | None:
    """Return what is wrong with the region, cloud and profiles together; None if nothing is."""
    if problem := unknown_region(catalog, settings):
        return problem
    absent = absent_products(catalog, settings.profiles, region=settings.region, cloud=settings.cloud)
    return "; ".join(why for _, why in absent) or None


def _why_absent(catalog: Catalog, name: str, region: str | None, cloud: Cloud) -> str | None:
    included = profiles_with_included(catalog, name)
    clouds = {cloud for row in catalog.endpoints if row.profile in included for cloud in row.clouds}
    if cloud not in clouds and clouds:
        return f"{name} does not exist in cloud {cloud.value}, but in {either_of(_in_order(clouds))}"
    if region is None or catalog.region(region, cloud) is None:
        return None
    for profile in catalog.profiles:
        offered = profile.regions_in(cloud) if profile.name in included else None
        if offered is not None and region not in offered:
            part = "" if profile.name == name else f" (it needs {profile.name})"
            return f"{name} is not offered in region {region}{part}, but in {_some(offered)}"
    return None


def _in_order(clouds: Iterable[Cloud]) -> list[str]:
    found = set(clouds)
    return [one.value for one in Cloud if one in found]


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")

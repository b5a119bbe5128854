"""Regions: what people write, what the catalog knows, and where a product exists."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.model.catalog import Catalog, Profile
from egressd.model.endpoint import Cloud
from egressd.model.settings import Settings
from egressd.planning.region import normalize_region, place_problem


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("westeurope", "westeurope"),
        ("West Europe", "westeurope"),
        ("  WEST-EUROPE ", "westeurope"),
        ("(Europe) West Europe", "westeurope"),
        ("East US 2", "eastus2"),
        ("US Gov Virginia", "usgovvirginia"),
        ("china_north_3", "chinanorth3"),
    ],
)
def test_display_names(written: str, name: str) -> None:
    """Portal, CLI and hand-written forms are one region."""
    assert normalize_region(written) == name


@pytest.mark.parametrize(
    "written", ["", " ", "()", "west/europe", "west.europe", "wést", "a" * 41, "x\x1b[31m"]
)
def test_what_is_no_region(written: str) -> None:
    """What can't be part of a host name is refused as it is written."""
    with pytest.raises(ValueError, match="must be a region such as westeurope"):
        normalize_region(written)


def test_every_display_name_of_the_catalog_is_a_region() -> None:
    """Normalizing a name of the catalog changes nothing."""
    assert all(normalize_region(one.name) == one.name for one in load_catalog().regions)


def offered(catalog: Catalog) -> Catalog:
    """Limit `bridge` to one public region; `vmm` includes it, `machine` is limited nowhere."""
    bridge, machine, vmm = catalog.profiles
    return replace(
        catalog, profiles=(replace(bridge, regions=((Cloud.PUBLIC, ("westeurope",)),)), machine, vmm)
    )


def problem(catalog: Catalog, *profiles: str, **changes: object) -> str | None:
    settings = replace(Settings(profiles=profiles), **changes)
    return place_problem(offered(catalog), settings)


@pytest.mark.parametrize(
    ("region", "cloud", "said"),
    [
        (
            "westeurop",
            Cloud.PUBLIC,
            "no region of cloud public is called westeurop: did you mean westeurope?",
        ),
        ("usgovvirginia", Cloud.PUBLIC, "usgovvirginia is a region of cloud usgov, not of cloud public"),
        ("westeurope", Cloud.CHINA, "westeurope is a region of cloud public, not of cloud china"),
        ("moonbase", Cloud.PUBLIC, "called moonbase: known are westeurope, centralus"),
    ],
)
def test_regions_that_are_not_there(catalog: Catalog, region: str, cloud: Cloud, said: str) -> None:
    """One line says what is wrong and what was probably meant."""
    found = problem(catalog, region=region, cloud=cloud)
    assert found is not None
    assert said in found


def test_a_newer_region_may_be_allowed(catalog: Catalog) -> None:
    """It is held against no product; a region of another cloud is no new one."""
    assert problem(catalog, "bridge", region="moonbase", allow_unknown_region=True) is None
    assert problem(catalog, region="usgovvirginia", allow_unknown_region=True) is not None


def test_where_a_product_is_offered(catalog: Catalog) -> None:
    """A product is absent where what it includes is; a cloud without a list is not limited."""
    assert problem(catalog, "bridge", region="westeurope") is None
    assert problem(catalog, "machine", region="centralus") is None
    assert problem(catalog, "bridge", region="centralus") == (
        "bridge is not offered in region centralus, but in westeurope"
    )
    assert problem(catalog, "vmm", "machine", region="centralus") == (
        "vmm is not offered in region centralus (it needs bridge), but in westeurope"
    )


def test_where_a_product_has_rows(catalog: Catalog) -> None:
    """A product without a row in a cloud does not exist there; one without any row is not judged."""
    assert problem(catalog, "bridge", cloud=Cloud.CHINA) == (
        "bridge does not exist in cloud china, but in public"
    )
    assert problem(catalog, "machine", cloud=Cloud.USGOV) is None
    empty = replace(catalog, profiles=(*catalog.profiles, Profile(name="none", title="", summary="")))
    assert place_problem(empty, Settings(profiles=("none",))) is None

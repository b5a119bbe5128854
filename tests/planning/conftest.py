"""A small catalog, and a maker of rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from egressd.model.catalog import Catalog, DiscoveryCall, Profile, Region
from egressd.model.endpoint import Cloud, Endpoint, Need, Protocol, Role, Samples

Make = Callable[..., Endpoint]


def make_row(name: str, pattern: str, **changes: object) -> Endpoint:
    """Return a required HTTPS row of profile `bridge`."""
    plain = Endpoint(
        id=name,
        profile="bridge",
        service=f"Service of {name}",
        pattern=pattern,
        port=443,
        protocol=Protocol.HTTPS,
        roles=(Role.APPLIANCE,),
        need=Need.REQUIRED,
    )
    return replace(plain, **changes)


ROWS = (
    make_row("b-dns", "{resolver}", port=53, protocol=Protocol.DNS, internal=True),
    make_row("b-arm", "management.example"),
    make_row(
        "b-his",
        "*.his.example",
        samples=Samples(
            documented=("gbl.his.example",),
            templated=("{his}.his.example",),
            discovered="his-region",
            random=True,
        ),
    ),
    make_row("b-obo", "{region}.obo.example", port=8084),
    make_row("m-arm", "management.example", profile="machine", roles=(Role.MACHINE,)),
    make_row("m-relay", "azgn*.bus.example", profile="machine", protocol=Protocol.WSS, roles=(Role.MACHINE,),
             samples=Samples(discovered="relays")),
    make_row("m-time", "time.example", profile="machine", port=123, protocol=Protocol.NTP,
             roles=(Role.MACHINE, Role.MANAGEMENT)),
    make_row("m-gov", "gov.example", profile="machine", clouds=(Cloud.USGOV,)),
    make_row("v-server", "{server}", profile="vmm", internal=True),
)  # fmt: skip


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """Three profiles; `vmm` includes `bridge`."""
    return Catalog(
        revision="2026-11-20",
        digest="d" * 64,
        profiles=(
            Profile(name="bridge", title="The bridge", summary=""),
            Profile(name="machine", title="The machine", summary=""),
            Profile(name="vmm", title="The server", summary="", includes=("bridge",)),
        ),
        endpoints=ROWS,
        regions=(
            Region(name="westeurope", cloud=Cloud.PUBLIC, his="weu", gas="we", values=(("storage", "wes1"),)),
            Region(name="centralus", cloud=Cloud.PUBLIC),
            Region(name="usgovvirginia", cloud=Cloud.USGOV, his="usgv"),
        ),
        discoveries=(
            DiscoveryCall(
                name="his-region",
                cloud=Cloud.PUBLIC,
                host="gbl.his.example",
                path="/discovery?location={region}",
                answer="his-region",
            ),
            DiscoveryCall(
                name="relays", cloud=Cloud.PUBLIC, host="gns.example", path="/list", answer="json-hosts"
            ),
            DiscoveryCall(
                name="relays", cloud=Cloud.USGOV, host="gns.gov.example", path="/list", answer="json-hosts"
            ),
        ),
    )


@pytest.fixture
def row() -> Make:
    """Make a row without a profile."""
    return make_row

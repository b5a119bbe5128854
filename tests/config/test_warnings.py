"""What `egressd config check` warns of: settings that work here and fail on the appliance."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from egressd.config.addresses import names_of, places_of, reserved_addresses, resolver_places
from egressd.config.warnings import appliance_warnings
from egressd.model.endpoint import Endpoint, Need, Protocol, Role
from egressd.model.settings import Proxy, Resolver, Settings, Source

SOUND = Proxy(url="http://proxy.corp.example:3128", bypass=(".corp.example", "10.20.0.0/24", ".svc"))
APPLIANCE = Source(name="appliance-1", address="10.20.0.11", roles=(Role.APPLIANCE,))
BRIDGE = Settings(profiles=("resource-bridge",), sources=(APPLIANCE,), proxy=SOUND)


def test_sound_settings_have_no_warnings() -> None:
    """Nor have settings without a proxy, or of other products."""
    assert appliance_warnings(BRIDGE) == ()
    assert appliance_warnings(Settings()) == ()
    odd = replace(SOUND, url="http://proxy.corp.local:1", bypass=("*",))
    assert appliance_warnings(replace(BRIDGE, profiles=(), proxy=odd)) == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (replace(BRIDGE, proxy=replace(SOUND, url="http://proxy.corp.local:3128")), "a name in .local"),
        (replace(BRIDGE, proxy=replace(SOUND, bypass=("*",))), "* bypasses the proxy for everything"),
        (
            replace(BRIDGE, proxy=replace(SOUND, bypass=(*SOUND.bypass, "*.x.example"))),
            "*.x.example: the appliance's noProxy takes no *; write .x.example",
        ),
        (replace(BRIDGE, proxy=replace(SOUND, bypass=())), "proxy.bypass should name 10.20.0.11"),
        (
            replace(BRIDGE, proxy=replace(SOUND, url="http://10.244.3.4:3128")),
            (
                "proxy http://10.244.3.4:3128: 10.244.3.4 lies in 10.244.0.0/16, which is taken by the "
                "appliance's pods"
            ),
        ),
        (
            replace(BRIDGE, resolvers=(Resolver(name="10.96.0.10", address="10.96.0.10"),)),
            "10.96.0.10 lies in 10.96.0.0/24, which is taken by the appliance's services",
        ),
        (
            replace(BRIDGE, sources=(replace(APPLIANCE, address="10.97.1.1"),)),
            (
                "source appliance-1: 10.97.1.1 lies in 10.96.0.0/12, which is taken by the services of an "
                "appliance before 1.8"
            ),
        ),
        (
            Settings(
                profiles=("connected-machine",), proxy=replace(SOUND, username="svc", password="hunter2")
            ),
            "the Connected Machine agent can't log in at a proxy",
        ),
        (
            Settings(profiles=("connected-machine",), proxy=replace(SOUND, url="https://proxy:3129")),
            "speaks plain HTTP to its proxy",
        ),
    ],
)
def test_a_warning_says_what_to_do(changed: Settings, said: str) -> None:
    """One sentence: what is wrong and what to do; never a secret."""
    found = appliance_warnings(changed)
    assert any(said in one for one in found), found
    assert "hunter2" not in str(found)


def test_the_address_after_a_reserved_range_is_free() -> None:
    """The first address after a reserved range has no warning."""
    for free in ("10.95.255.255", "10.112.0.0", "10.243.255.255", "10.245.0.0", "fd00::1"):
        source = replace(APPLIANCE, address=free, roles=tuple(Role))
        assert appliance_warnings(replace(BRIDGE, sources=(source,))) == (), free


def test_a_bundle_of_certificates(tmp_path: Path) -> None:
    """The appliance takes one certificate of the proxy."""
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    given = replace(BRIDGE, proxy=replace(SOUND, ca_file=str(ca)))
    assert appliance_warnings(given) == ()
    trustme.CA().cert_pem.write_to_path(str(ca), append=True)
    assert appliance_warnings(given) == (
        f"proxy.ca_file: {ca} holds 2 certificates; az arcappliance accepts only one",
    )


OWN = Endpoint(
    id="vcenter",
    profile="own",
    service="vCenter",
    pattern="10.244.7.7",
    port=443,
    protocol=Protocol.HTTPS,
    roles=(Role.APPLIANCE,),
    need=Need.REQUIRED,
)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            replace(BRIDGE, values=(("scvmm_server", "10.96.0.20"),)),
            "values.scvmm_server: 10.96.0.20 lies",
        ),
        (replace(BRIDGE, endpoints=(OWN,)), "endpoint vcenter: 10.244.7.7 lies in 10.244.0.0/16"),
    ],
)
def test_every_address_of_the_file_is_checked(changed: Settings, said: str) -> None:
    """The bridge reaches the operator's own servers too, by value or by endpoint."""
    (warning,) = appliance_warnings(changed)
    assert said in warning


def test_names_and_nameservers_are_checked_where_they_lead() -> None:
    """A name is fine; what it resolves to is not, nor a nameserver of the host inside the pods' network."""
    named = replace(BRIDGE, values=(("vcenter", "vc.corp.example"),), endpoints=())
    places = (*places_of(named), *resolver_places([Resolver(name="10.244.0.9", address="10.244.0.9")]))
    assert "vc.corp.example" in names_of(places)
    assert appliance_warnings(named) == ()
    found = tuple(reserved_addresses(places, {"vc.corp.example": ("10.20.0.9", "10.100.1.1")}))
    assert [one.partition(" lies")[0] for one in found] == [
        "values.vcenter: vc.corp.example resolves to 10.100.1.1",
        "nameserver of this host: 10.244.0.9",
    ]

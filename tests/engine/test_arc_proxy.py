"""The Arc proxy of this host in a daemon: found in the list of sockets, and still tried when it is gone."""

from __future__ import annotations

import socket

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.engine import plan as engine_plan
from egressd.engine.plan import plan_sweep
from egressd.model.endpoint import Forwarding
from egressd.model.settings import ARC_ROUTE, ArcGateway, Settings

HOST = "guestnotificationservice.azure.com"
SETTINGS = Settings(
    region="westeurope",
    profiles=("connected-machine",),
    only=(HOST,),
    arc_gateway=ArcGateway(prefix="contoso"),
    values=(("arc_gateway", "contoso"),),
)


def test_an_arc_proxy_that_stops_is_still_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that is made again does not take its end for a machine without an agent."""
    catalog = load_catalog()
    rows = tuple(
        replace(one, gateway=(("connected-machine", Forwarding.FORWARDED),) if one.pattern == HOST else ())
        for one in catalog.endpoints
    )
    catalog = replace(catalog, endpoints=rows)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(engine_plan, "ARC_PROXY_PORT", port)
        first = plan_sweep(SETTINGS, catalog)
    again = plan_sweep(SETTINGS, catalog, before=first)
    for plan in (first, again):
        (probe,) = plan.probes
        assert (probe.route, plan.path_of(probe)) == (ARC_ROUTE, f"http://127.0.0.1:{port}")
    without = plan_sweep(SETTINGS, catalog)
    assert not without.probes
    assert "stands for it" in without.unsampled[0].why

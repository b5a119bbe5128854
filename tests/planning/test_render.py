"""A plan as text."""

from __future__ import annotations

from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Role
from egressd.model.settings import ConnectTo, Proxy, Resolver, Settings, Source
from egressd.planning import make_plan
from egressd.planning.render import render_plan

LABEL = "egressd-probe-0badcafe"
SETTINGS = Settings(
    profiles=("bridge", "machine"),
    sources=(
        Source(name="appliance", address="10.20.0.11", interface="eth1", roles=(Role.APPLIANCE,)),
        Source(name="machine", roles=(Role.MACHINE,)),
    ),
    resolvers=(Resolver(name="10.0.0.53", address="10.0.0.53"),),
    proxy=Proxy(url="http://proxy.example:3128", username="user", password="s3cret"),
    connect_to=(ConnectTo(match="gbl.*", address="127.0.0.1", port=10443),),
)


def test_the_whole_text(catalog: Catalog) -> None:
    """What is probed, from where and why; what is not and why; the controls; the notes."""
    plan = make_plan(catalog, replace(SETTINGS, site="oslo-1"), label=LABEL)
    assert render_plan(plan) == (
        "Plan: 6 targets by 6 probes, cloud public, region not given, catalog of 2026-11-20\n"
        "Site: oslo-1\n"
        "DNS: 10.0.0.53\n"
        "Path: through http://proxy.example:3128 unless bypassed\n"
        "\n"
        "Sources\n"
        "  appliance: 10.20.0.11 on eth1; roles appliance\n"
        "  machine: chosen by the kernel; roles machine\n"
        "\n"
        "Targets\n"
        "  b-dns: Service of b-dns (required)\n"
        "    dns://10.0.0.53:53                                               given       appliance\n"
        "  b-arm: Service of b-arm (required)\n"
        "    https://management.example:443                                   exact       "
        "appliance via proxy\n"
        "  b-his: Service of b-his (required)\n"
        "    https://gbl.his.example:443                                      documented  "
        "appliance via proxy\n"
        "    https://*.his.example:443                                        random      "
        "appliance via proxy\n"
        "  m-arm: Service of m-arm (required)\n"
        "    https://management.example:443                                   exact       "
        "machine via proxy\n"
        "  m-time: Service of m-time (required)\n"
        "    ntp://time.example:123                                           exact       machine\n"
        "\n"
        "Not probed (2 required)\n"
        "  ENDPOINT  NEED      WHY\n"
        "  b-obo     required  <region>.obo.example: needs `region`\n"
        "  m-relay   required  azgn*.bus.example: discovery relays is called when a sweep begins\n"
        "\n"
        "Wildcards and their samples\n"
        "  - *.his.example (b-his): documented, random; needs `region`\n"
        "\n"
        "Controls\n"
        "  - appliance|testnet_tcp: connect to 192.0.2.1:443: no host has this address: a connection shows a"
        "\n    device that accepts everything\n"
        "  - appliance|testnet_dns: query example.com at 192.0.2.53:53: no server has this address: an answer"
        "\n    shows that port 53 is intercepted\n"
        "  - machine|testnet_tcp: connect to 192.0.2.1:443: no host has this address: a connection shows a"
        "\n    device that accepts everything\n"
        "  - machine|testnet_dns: query example.com at 192.0.2.53:53: no server has this address: an answer"
        "\n    shows that port 53 is intercepted\n"
        "\n"
        "Notes\n"
        "  - no region is given: not or only partly sampled are b-his, b-obo\n"
    )


def test_an_empty_plan(catalog: Catalog) -> None:
    """An empty plan says so."""
    text = render_plan(make_plan(catalog, Settings(profiles=()), label=LABEL))
    assert "Plan: 0 targets by 0 probes" in text
    assert "Targets\n  none\n" in text


def test_the_package_s_plans_fit_a_page() -> None:
    """Where host names allow it, no line is wider than 100 columns."""
    shipped = load_catalog()
    for cloud in Cloud:
        region = next(one.name for one in shipped.regions if one.cloud is cloud)
        settings = Settings(cloud=cloud, region=region, profiles=("scvmm", "connected-machine"))
        lines = render_plan(make_plan(shipped, settings, label=LABEL)).splitlines()
        assert [line for line in lines if len(line) > 100 and "://" not in line] == []


def test_a_narrow_terminal_has_no_long_lines() -> None:
    """At 80 columns a line is wider only where a single name is."""
    plan = make_plan(load_catalog(), Settings(region="westeurope"), label=LABEL)
    lines = render_plan(plan, width=80).splitlines()
    assert [line for line in lines if len(line) > 80 and len(line.split()) > 1] == []
    assert all(len(line) <= 100 for line in render_plan(plan).splitlines())


def test_sources_fit_beside_the_name_or_below_it(catalog: Catalog) -> None:
    """With a proxy, sources and paths of a target fit into 80 columns."""
    plan = make_plan(catalog, SETTINGS, label=LABEL)
    text = render_plan(plan, width=80)
    assert max(map(len, text.splitlines())) <= 80
    name = f"{'https://gbl.his.example:443':<43}"
    assert f"    {name}  documented  appliance via proxy\n" in text

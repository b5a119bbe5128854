"""The namespace lab: everything is reachable, every program starts, everything is removed at the end."""

from __future__ import annotations

from tests.net.programs import (
    dnsmasq,
    haproxy,
    http_server,
    https_server,
    issuer_location,
    nginx,
    pki_folder,
    squid,
    unbound,
)
from tests.net.run_egressd import endpoint, settings, sweep
from tests.net.topology import NETNS_ETC, SECOND_RESOLVER, Network, run, temporary_network
from tests.servers.certificates import ZONE

HEALTHY = f"healthy.{ZONE}"


def test_an_open_path_gives_no_finding(network: Network) -> None:
    """On an open path a sweep over IPv4 and IPv6 is ok, without findings."""
    records = [f"{HEALTHY}. 300 IN A 203.0.113.10", f"{HEALTHY}. 300 IN AAAA 2001:db8:113::10"]
    unbound(network.server, records=[*records, f"pki.{ZONE}. 300 IN A 203.0.113.10"])
    nginx(
        network.server,
        https_server(folder=pki_folder(network)),
        http_server(options=issuer_location(network)),
    )
    config = settings(
        network,
        endpoint(HEALTHY),
        endpoint(HEALTHY, port=80),
        resolvers=["system"],
        probe={"families": ["ipv4", "ipv6"]},
    )

    done = sweep(network, config)

    assert {one["outcome"] for one in done.report["targets"]} == {"ok"}, done.report
    assert done.report["findings"] == []
    assert done.code == 0
    families = {trail["family"] for trail in done.target(HEALTHY, 443)["trails"] if trail["address"]}
    assert families == {"ipv4", "ipv6"}


def test_every_program_starts(network: Network) -> None:
    """Both resolvers, the proxies and the web server listen at the same time."""
    unbound(network.server)
    dnsmasq(network.server, f"address=/{ZONE}/203.0.113.10", at=SECOND_RESOLVER)
    nginx(network.server, http_server(listen="8080"), tcp=(8080,))
    haproxy(network.firewall, "listen all\n  bind :8443\n  server far 203.0.113.10:8080", tcp=(8443,))
    squid(network.firewall, "http_port 3128\nhttp_access allow all")

    page = network.client.run(
        "curl", "-sS", "--proxy", "http://192.0.2.129:3128", "http://203.0.113.10:8080/"
    )

    assert page == "ok"


def test_nothing_is_left_behind() -> None:
    """Namespaces, files and processes are removed, also where a test failed."""
    try:
        with temporary_network() as one:
            sleeper = one.client.start("sleep", "600")
            raise LookupError(one.client.name)
    except LookupError as error:
        name = str(error)
    assert name not in run("ip", "netns", "list")
    assert not (NETNS_ETC / name).exists()
    assert sleeper.returncode is not None

"""The small Internet itself: everything is reachable, every program starts, nothing is left behind."""

from __future__ import annotations

from tests.net.programs import dnsmasq, haproxy, issuer, nginx, pki_folder, plain, squid, unbound, web
from tests.net.sweeping import endpoint, settings, sweep
from tests.net.topology import CONFIGURED, SECOND_RESOLVER, Network, made, run
from tests.servers.certificates import ZONE

HEALTHY = f"healthy.{ZONE}"


def test_all_is_well(network: Network) -> None:
    """On an open path a sweep over both families finds nothing to complain of."""
    records = [f"{HEALTHY}. 300 IN A 203.0.113.10", f"{HEALTHY}. 300 IN AAAA 2001:db8:113::10"]
    unbound(network.server, records=[*records, f"pki.{ZONE}. 300 IN A 203.0.113.10"])
    nginx(network.server, web(folder=pki_folder(network)), plain(options=issuer(network)))
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
    """Both resolvers, the proxies and the web server listen beside each other."""
    unbound(network.server)
    dnsmasq(network.server, f"address=/{ZONE}/203.0.113.10", at=SECOND_RESOLVER)
    nginx(network.server, plain(listen="8080"), tcp=(8080,))
    haproxy(network.firewall, "listen all\n  bind :8443\n  server far 203.0.113.10:8080", tcp=(8443,))
    squid(network.firewall, "http_port 3128\nhttp_access allow all")

    page = network.client.run(
        "curl", "-sS", "--proxy", "http://192.0.2.129:3128", "http://203.0.113.10:8080/"
    )

    assert page == "ok"


def test_nothing_is_left_behind() -> None:
    """After the end no namespace, file or process is there, also where a test failed."""
    try:
        with made() as one:
            sleeper = one.client.start("sleep", "600")
            raise LookupError(one.client.name)
    except LookupError as error:
        name = str(error)
    assert name not in run("ip", "netns", "list")
    assert not (CONFIGURED / name).exists()
    assert sleeper.returncode is not None

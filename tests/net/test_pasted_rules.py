"""What `egressd rules` printed, pasted into squid or nftables, turns a blocked lab into exit 0."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import yaml

from tests.net.firewall_frames import frame, framed_dnsmasq, framed_squid, paste_into_squid, stop_last
from tests.net.programs import http_server, https_server, inspection_ca, nginx, pki_folder, unbound
from tests.net.run_egressd import Run, endpoint, settings, sweep
from tests.net.scenario import HEALTHY, host
from tests.net.topology import APPLIANCE_1, APPLIANCE_2, CLIENT, CLIENT6, FIREWALL, FIREWALL6, Host, Network
from tests.servers.certificates import LeafSpec, authority, leaf

PROXY = f"http://{FIREWALL}:3128"
INSPECTING_PROXY = f"http://{FIREWALL}:3129"
SOURCES = [
    {"name": "appliance-1", "address": APPLIANCE_1},
    {"name": "appliance-2", "address": APPLIANCE_2},
]
WILDCARDS = {
    host("*.his"): (host("weu.his"), False),
    host("azgn*.bus"): (host("azgn-1.bus"), False),
    host("*.dl"): (host("a.sb.dl"), True),
}
"""By pattern: a host that stands for it, and whether it reaches any depth."""
PLAIN = {HEALTHY: 443, host("dl"): 443, host("ported"): 8443, host("seen"): 80, host("under_score"): 8530}
LISTED = (*PLAIN, *(sample for sample, _ in WILDCARDS.values()))
BY_VERSION = {
    4: (FIREWALL, (APPLIANCE_1, APPLIANCE_2)),
    6: (FIREWALL6, ("2001:db8:1::131", "2001:db8:1::132")),
}
"""By IP version: the resolver on the firewall, and the sources."""
AZURE = ("mcr.microsoft.com", "*.his.arc.azure.com")
"""Of the catalog: a private CA's certificate is no fault of an operator's own server."""
UNLISTED = (
    *(host(label) for label in ("other", "his", "a.weu.his", "bus", "zazgn-1.bus", "azgn-1.x.bus")),
    f"evil-{HEALTHY}",
)
"""Names beside and around those that are asked for."""


def start_internet(network: Network) -> dict[str, Any]:
    """Start the resolver and the web servers; return a configuration that probes all that is listed."""
    folder = pki_folder(network)
    root = authority("Example Public Root 3", organization="Example Trust Services")
    zones = tuple(host(f"*.{one}") for one in ("his", "bus", "dl", "sb.dl"))
    leaf(folder, "site", LeafSpec(issuer=root, names=(host("*"), *zones, *AZURE)))
    (folder / "public.pem").write_bytes(root.pem())
    records = [
        f"{name}. 300 IN {kind}"
        for number, name in enumerate((*LISTED, *UNLISTED, host("pki")), start=10)
        for kind in (f"A 203.0.113.{number}", f"AAAA 2001:db8:113::{number}")
    ]
    zones_of_azure = [
        line
        for zone in ("mcr.microsoft.com", "his.arc.azure.com")
        for line in (f'local-zone: "{zone}." redirect', f'local-data: "{zone}. 300 IN A 203.0.113.9"')
    ]
    unbound(network.server, records=records, server=zones_of_azure)
    secure = [https_server(listen=port, certificate="site", folder=folder) for port in ("443", "8443")]
    plain = [http_server(listen=port) for port in ("80", "8530")]
    nginx(network.server, *secure, *plain, tcp=(80, 443, 8443, 8530))
    rows = [
        endpoint(name, port=port, protocol="http" if port in (80, 8530) else "https", roles=[])
        for name, port in PLAIN.items()
    ]
    rows += [
        {
            "id": f"row-{number}",
            "service": "Lab",
            "pattern": pattern,
            "samples": [sample],
            "deep": deep,
            "port": 443,
            "protocol": "https",
        }
        for number, (pattern, (sample, deep)) in enumerate(WILDCARDS.items())
    ]
    probe = {"connect_timeout": "1s", "tls_timeout": "2s", "deadline": "5s"}
    return settings(network, *rows, sources=SOURCES, probe=probe)


def printed(network: Network, run: Run, language: str, *arguments: str) -> str:
    """Return what `egressd rules` prints for a run."""
    path = network.client.folder / "report.json"
    path.write_text(json.dumps(run.report), encoding="utf-8")
    done = network.client.egressd("rules", str(path), "--format", language, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


ASK_PROXY = """
import socket, sys
source, name = sys.argv[1:]
with socket.create_connection(("192.0.2.129", 3128), 5, (source, 0)) as proxy:
    proxy.sendall(f"CONNECT {name} HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
    print(proxy.recv(100).split()[1].decode())
"""
CONNECT_BY_NAME = """
import socket, sys
source, name = sys.argv[1:]
host, _, port = name.rpartition(":")
family = socket.AF_INET6 if ":" in source else socket.AF_INET
address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
try:
    socket.create_connection(address[:2], 1, (source, 0)).close()
    print("open")
except OSError:
    print("closed")
"""


def tried(client: Host, script: str, source: str, name: str) -> str:
    """Run one of the scripts above on the client; return what it printed."""
    done = client.attempt(sys.executable, "-c", script, source, name)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_squid_lets_through_what_was_printed_for_it(network: Network) -> None:
    """Behind a squid that denies all, sources are blocked; after pasting, all is ok, and no more is open."""
    config = {**start_internet(network), "resolvers": ["127.0.0.1"], "proxy": {"url": PROXY}}
    framed_squid(network.firewall, "")
    before = sweep(network, config)
    assert before.code == 1
    text = printed(network, before, "squid")

    paste_into_squid(network.firewall, text)

    after = sweep(network, config)
    assert after.code == 0, (before.report["findings"], text, after.report["findings"])
    assert {one["outcome"] for one in after.report["targets"]} == {"ok"}
    client = network.client
    assert tried(client, ASK_PROXY, APPLIANCE_2, f"{HEALTHY}:443") == "200"
    assert tried(client, ASK_PROXY, CLIENT, f"{HEALTHY}:443") == "403"
    assert tried(client, ASK_PROXY, APPLIANCE_1, f"{HEALTHY}:8443") == "403"
    for name in UNLISTED:
        assert tried(client, ASK_PROXY, APPLIANCE_1, f"{name}:443") == "403", name


def test_squid_lets_through_what_a_plan_asked_for(network: Network) -> None:
    """What `catalog export` prints before anything was probed is enough for exit 0."""
    config = {**start_internet(network), "resolvers": ["127.0.0.1"], "proxy": {"url": PROXY}}
    path = network.client.folder / "egressd.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    done = network.client.egressd("catalog", "export", f"--config.file={path}", "--format", "squid")
    framed_squid(network.firewall, done.stdout)
    assert sweep(network, config).code == 0, (done.stderr, done.stdout)


def test_squid_stops_inspecting_what_was_printed_for_it(network: Network) -> None:
    """Behind a squid that inspects all, the splice lines that were printed leave the certificates alone."""
    config = {**start_internet(network), "resolvers": ["127.0.0.1"], "proxy": {"url": INSPECTING_PROXY}}
    config |= {"profiles": ["resource-bridge"], "region": "westeurope", "endpoints": []}
    own = {
        "before": f"http_port {FIREWALL}:3129 ssl-bump tls-cert={inspection_ca(network)} "
        f"generate-host-certificates=on\ntls_outgoing_options cafile={pki_folder(network)}/public.pem\n"
        "acl tls port 443 8443\nhttp_access allow CONNECT tls\nhttp_access allow !CONNECT",
        "behind": "ssl_bump stare all\nssl_bump bump all",
    }
    framed_squid(network.firewall, "", **own)
    only = [word for name in AZURE for word in ("--only", name)]
    before = sweep(network, config, *only)
    assert before.code == 1
    text = printed(network, before, "squid", "--team", "inspection")

    paste_into_squid(network.firewall, text)

    after = sweep(network, config, *only)
    assert after.code == 0, (before.report["findings"], text, after.report["findings"])
    assert {one["outcome"] for one in after.report["targets"]} == {"ok"}


@pytest.mark.parametrize("version", [4, 6])
def test_nftables_and_dnsmasq_let_through_what_was_printed_for_them(network: Network, version: int) -> None:
    """Behind a firewall that drops all, sources fail; after pasting, all is ok, and no more is open."""
    resolver, sources = BY_VERSION[version]
    config = start_internet(network)
    config |= {
        "resolvers": [resolver],
        "sources": [{"name": f"appliance-{one[-1]}", "address": one} for one in sources],
        "probe": {**config["probe"], "families": [f"ipv{version}"]},
    }
    network.client.etc("resolv.conf", f"nameserver {resolver}\noptions timeout:1 attempts:1\n")
    network.firewall.nft(frame("nft"))
    framed_dnsmasq(network.firewall, "", at=resolver)
    before = sweep(network, config)
    assert before.code == 1
    text = printed(network, before, "dnsmasq-nftables")

    network.firewall.nft(text)
    network.firewall.nft(text)  # as it is, a second time
    stop_last(network.firewall)
    framed_dnsmasq(network.firewall, text, at=resolver)

    after = sweep(network, config)
    assert after.code == 0, (before.report["findings"], text, after.report["findings"])
    assert {one["outcome"] for one in after.report["targets"]} == {"ok"}
    client = network.client
    assert tried(client, CONNECT_BY_NAME, sources[1], f"{HEALTHY}:443") == "open"
    assert tried(client, CONNECT_BY_NAME, CLIENT if version == 4 else CLIENT6, f"{HEALTHY}:443") == "closed"
    assert tried(client, CONNECT_BY_NAME, sources[0], f"{HEALTHY}:8443") == "closed"
    assert tried(client, CONNECT_BY_NAME, sources[0], f"{host('other')}:443") == "closed"

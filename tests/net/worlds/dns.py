"""DNS faults: resolvers, filters in them, and the path to them."""

from __future__ import annotations

from typing import Any

from tests.net.programs import (
    dnsmasq,
    http_server,
    https_server,
    issuer_location,
    nginx,
    pki_folder,
    unbound,
)
from tests.net.run_egressd import endpoint, settings
from tests.net.scenario import HEALTHY, HEALTHY_ADDRESS, Config, World, host, row, start_services
from tests.net.topology import BLACKHOLED, CLIENT, RESOLVER, SECOND_RESOLVER, Network
from tests.servers.certificates import ZONE

POLICIES = {
    "refused": "refuse",
    "dropped": "deny",
    "filtered": "always_nxdomain",
    "emptied": "always_nodata",
    "nulled": "always_null",
    "sinkholed": "redirect",
}
SINKHOLE = "146.112.61.104"
AZURE_NAMES = ("gbl.his.arc.azure.com", "login.microsoftonline.com", "login.windows.net")
"""Names of the catalog: a private address is normal for the operator's own only."""
SERVICE_ADDRESSES = "10.40.0.0/24"
"""Addresses of private endpoints; the router has a route to them."""


def local_zone_policies(network: Network) -> Config:
    """Filter single names with unbound's local-zone policies."""
    server = [f'local-zone: "{host(label)}." {policy}' for label, policy in POLICIES.items()]
    server.append(f'local-data: "{host("sinkholed")}. 300 IN A {SINKHOLE}"')
    more = ""
    for label, forwarder in (("refusing", SECOND_RESOLVER), ("silent", BLACKHOLED)):
        server.append(f'local-zone: "{host(label)}." transparent')
        more += f'forward-zone:\n  name: "{host(label)}."\n  forward-addr: {forwarder}\n'
    unbound(network.server, server=("access-control: 198.51.100.0/24 refuse",), at=SECOND_RESOLVER)
    labels = [*POLICIES, "absent", "name.refusing", "name.silent"]
    return start_services(network, dict.fromkeys(labels, ""), server=tuple(server), more=more)


def response_policy(network: Network) -> Config:
    """Filter names with a response policy zone (RPZ)."""
    zone = network.server.folder / "rpz.zone"
    zone.write_text(
        "$ORIGIN rpz.example.\n@ 300 IN SOA ns. host. 1 3600 900 86400 300\n@ 300 IN NS ns.\n"
        f"{host('rpz-nxdomain')} CNAME .\n{host('rpz-nodata')} CNAME *.\n"
        f"{host('rpz-drop')} CNAME rpz-drop.\n{AZURE_NAMES[0]} A 10.9.9.9\n",
        encoding="utf-8",
    )
    more = f'rpz:\n  name: "rpz.example."\n  zonefile: "{zone}"\n'
    built = through_forwarder(network, ("rpz-nxdomain", "rpz-nodata", "rpz-drop"), more=more)
    built["endpoints"].append(endpoint(AZURE_NAMES[0]))
    return built


def through_forwarder(
    network: Network, labels: tuple[str, ...] = (), *, more: str = "", **options: Any
) -> Config:
    """Let unbound forward every query to dnsmasq, so that its modules see the responses."""
    dnsmasq(network.server, f"address=/{ZONE}/{HEALTHY_ADDRESS}", f"local=/{ZONE}/", at=SECOND_RESOLVER)
    unbound(
        network.server,
        server=options.pop("server", ()),
        more=f'forward-zone:\n  name: "."\n  forward-addr: {SECOND_RESOLVER}\n{more}',
    )
    nginx(
        network.server,
        https_server(folder=pki_folder(network)),
        http_server(options=issuer_location(network)),
    )
    return settings(network, endpoint(HEALTHY), *(endpoint(host(label)) for label in labels), **options)


def client_refused(network: Network) -> Config:
    """Refuse the client in the resolver's access list."""
    return start_services(network, {}, server=(f"access-control: {CLIENT}/32 refuse",))


def dns_admin_prohibited(network: Network) -> Config:
    """Reject DNS at the firewall with ICMP admin-prohibited."""
    network.firewall.rules(
        "forward", "udp dport 53 reject with icmpx admin-prohibited", "tcp dport 53 reject with tcp reset"
    )
    return start_services(network, {})


def dns_dropped(network: Network) -> Config:
    """Drop every DNS query at the firewall."""
    network.firewall.rules("forward", "meta l4proto { tcp, udp } th dport 53 drop")
    return start_services(network, {})


def no_listener(network: Network) -> Config:
    """Configure a resolver address where no resolver runs."""
    return start_services(network, {}, resolvers=[SECOND_RESOLVER])


def dns_intercepted(network: Network) -> Config:
    """Redirect every DNS query to another resolver at the firewall (DNAT)."""
    network.firewall.rules(
        "prerouting -100",
        f"udp dport 53 dnat to {RESOLVER}",
        f"tcp dport 53 dnat to {RESOLVER}",
        family="ip",
        kind="nat",
    )
    server = ('local-zone: "example.com." redirect', 'local-data: "example.com. 300 IN A 203.0.113.20"')
    return start_services(network, {}, server=server, resolvers=["203.0.113.53"])


def dns_over_tcp_dropped(network: Network) -> Config:
    """Truncate responses over UDP and drop DNS over TCP."""
    network.firewall.rules("forward", "tcp dport 53 drop")
    many = " ".join(f"203.0.113.{number}" for number in range(20, 120))
    return start_services(network, {"many": many})


def large_responses_dropped(network: Network) -> Config:
    """Drop DNS responses of more than 512 bytes, as old inspection does."""
    network.firewall.rules("forward", "udp sport 53 udp length > 520 drop")
    many = " ".join(f"203.0.113.{number}" for number in range(20, 64))
    return start_services(network, {"many": many})


def edns_dropped(network: Network) -> Config:
    """Drop queries with an OPT record (EDNS)."""
    network.firewall.iptables("FORWARD -p udp --dport 53 -m string --algo kmp --hex-string |000029| -j DROP")
    return start_services(network, {"plain": "203.0.113.20"})


def aaaa_dropped(network: Network) -> Config:
    """Drop AAAA queries."""
    network.firewall.iptables(
        "FORWARD -p udp --dport 53 -m string --algo kmp --hex-string |00001c0001| -j DROP"
    )
    network.firewall.iptables(
        "FORWARD -p tcp --dport 53 -m string --algo kmp --hex-string |00001c0001| -j DROP"
    )
    return start_services(network, {}, probe={"families": ["ipv4", "ipv6"]})


def private_link(network: Network) -> Config:
    """Resolve through private zones: one endpoint works, one has no route, one has no record."""
    network.router.ip("route", "add", SERVICE_ADDRESSES, "via", "198.51.100.2")
    network.server.ip("route", "add", "local", SERVICE_ADDRESSES, "dev", "lo")
    zone = f"privatelink.{ZONE}"
    options = [
        *(f"address=/{name}/{HEALTHY_ADDRESS}" for name in (HEALTHY, host("pki"))),
        f"local=/{zone}/",
        *(f"cname={host(label)},{label}.{zone}" for label in ("linked", "cut-off", "forgotten")),
        f"host-record=linked.{zone},10.40.0.5",
        f"host-record=cut-off.{zone},10.50.0.5",
    ]
    dnsmasq(network.server, *options, at=RESOLVER)
    nginx(
        network.server,
        https_server(folder=pki_folder(network)),
        http_server(options=issuer_location(network)),
    )
    names = [endpoint(host(label), private_link=True) for label in ("linked", "cut-off", "forgotten")]
    return settings(network, endpoint(HEALTHY), *names)


def private_link_in_use(network: Network) -> Config:
    """Let a scope be in use: one name is private, one is public, one is private over IPv4 only."""
    network.router.ip("route", "add", SERVICE_ADDRESSES, "via", "198.51.100.2")
    network.server.ip("route", "add", "local", SERVICE_ADDRESSES, "dev", "lo")
    names = ("linked", "left-public", "half-public")
    return start_services(
        network,
        {"linked": "10.40.0.5", "left-public": "203.0.113.20", "half-public": "10.40.0.6 2001:db8:113::20"},
        private_link=True,
        probe={"families": ["ipv4", "ipv6"]},
    ) | {"endpoints": [endpoint(HEALTHY), *(endpoint(host(label), private_link=True) for label in names)]}


def split_private_link(network: Network) -> Config:
    """Give one resolver the private zone, and the other the public records."""
    network.router.ip("route", "add", SERVICE_ADDRESSES, "via", "198.51.100.2")
    network.server.ip("route", "add", "local", SERVICE_ADDRESSES, "dev", "lo")
    zone = f"privatelink.{ZONE}"
    dnsmasq(
        network.server,
        f"address=/{HEALTHY}/{HEALTHY_ADDRESS}",
        f"cname={host('linked')},linked.{zone}",
        f"host-record=linked.{zone},10.40.0.5",
        at=SECOND_RESOLVER,
    )
    return start_services(network, {"linked": "203.0.113.20"}, resolvers=[RESOLVER, SECOND_RESOLVER])


def resolvers_disagree(network: Network) -> Config:
    """Let one of two resolvers return an address of another server."""
    dnsmasq(
        network.server,
        f"address=/{HEALTHY}/{HEALTHY_ADDRESS}",
        f"address=/{host('hijacked')}/203.0.113.66",
        at=SECOND_RESOLVER,
    )
    folder = pki_folder(network)
    other = https_server(listen="203.0.113.66:443", certificate="other-name", folder=folder)
    return start_services(
        network,
        {"hijacked": "203.0.113.20"},
        sites=(other.replace("listen [::]:443 ssl http2;", ""),),
        resolvers=[SECOND_RESOLVER, RESOLVER],
    )


def liar_is_silent(network: Network) -> Config:
    """Let one of two resolvers return addresses where nothing answers, or nobody listens."""
    network.firewall.rules("forward", "ip daddr 203.0.113.67 drop")
    network.server.rules("input", "ip daddr 203.0.113.68 tcp dport 443 reject with tcp reset")
    dnsmasq(
        network.server,
        f"address=/{HEALTHY}/{HEALTHY_ADDRESS}",
        f"address=/{host('silent')}/203.0.113.67",
        f"address=/{host('refused')}/203.0.113.68",
        f"address=/{host('loopback')}/127.0.0.1",
        f"address=/{host('gone')}/203.0.113.68",
        at=SECOND_RESOLVER,
    )
    names = dict.fromkeys(("silent", "refused", "loopback"), "203.0.113.20") | {"gone": ""}
    return start_services(network, names, resolvers=[SECOND_RESOLVER, RESOLVER])


def addresses_in_a_row(network: Network) -> Config:
    """Give names of several owners addresses in a row, in a network that nobody knows."""
    network.router.ip("route", "add", "blackhole", "45.13.7.0/24")
    server = [
        f'local-data: "{name}. 300 IN A 45.13.7.{number}"'
        for number, name in enumerate(AZURE_NAMES, start=20)
    ]
    built = start_services(network, {}, server=tuple(server))
    built["endpoints"] += [endpoint(name) for name in AZURE_NAMES]
    return built


def search_list(network: Network) -> Config:
    """Answer a name that is gone by a wildcard of the host's search list."""
    domain = "corp.example"
    server = (f'local-zone: "{domain}." redirect', f'local-data: "{domain}. 300 IN A 203.0.113.66"')
    other = https_server(listen="203.0.113.66:443", certificate="other-name", folder=pki_folder(network))
    built = start_services(
        network,
        {"gone": ""},
        server=server,
        sites=(other.replace("listen [::]:443 ssl http2;", ""),),
        resolvers=["system"],
    )
    network.client.etc("resolv.conf", f"nameserver {RESOLVER}\nsearch {domain}\n")
    return built


def nxdomain_rewritten(network: Network) -> Config:
    """Rewrite NXDOMAIN to the address of another server, in every zone."""
    server = tuple(
        line
        for zone in (f"gone.{ZONE}", "example.com")
        for line in (f'local-zone: "{zone}." redirect', f'local-data: "{zone}. 300 IN A 203.0.113.66"')
    )
    folder = pki_folder(network)
    other = https_server(listen="203.0.113.66:443", certificate="other-name", folder=folder)
    return start_services(
        network,
        {"service.gone": ""},
        server=server,
        sites=(other.replace("listen [::]:443 ssl http2;", ""),),
    )


def dns64(network: Network) -> Config:
    """Synthesize AAAA from A (DNS64), with working NAT64."""
    network.server.ip("-6", "route", "add", "local", "64:ff9b::/96", "dev", "lo")
    network.router.ip("-6", "route", "add", "64:ff9b::/96", "via", "2001:db8:3::2")
    server = ('module-config: "dns64 iterator"', "dns64-prefix: 64:ff9b::/96")
    return through_forwarder(network, server=server, probe={"families": ["ipv4", "ipv6"]})


def third_of_queries_lost(network: Network) -> Config:
    """Drop every third DNS query."""
    network.firewall.rules("forward", "udp dport 53 numgen inc mod 3 0 drop")
    names = {f"name-{number}": "203.0.113.20" for number in range(30)}
    return start_services(network, names)


def empty_resolv_conf(network: Network) -> Config:
    """Empty resolv.conf."""
    built = start_services(network, {}, resolvers=["system"])
    network.client.etc("resolv.conf", "")
    return built


DNS_WORLDS = (
    World(
        name="dns_policies",
        build=local_zone_policies,
        rows=(
            row("dns_refused_name_by_unbound", "refused blocked dns_refused_name dns_filter high"),
            row("dns_dropped_name_by_unbound", "dropped blocked dns_dropped_name dns_filter medium"),
            row(
                "dns_nxdomain_filtered_by_unbound", "filtered blocked dns_nxdomain_filtered dns_filter medium"
            ),
            row("dns_nodata_filtered_by_unbound", "emptied blocked dns_nodata_filtered dns_filter medium"),
            row("dns_null_answer_by_unbound", "nulled blocked dns_null_answer dns_filter confirmed"),
            row("dns_sinkhole_known_by_unbound", "sinkholed blocked dns_sinkhole_known dns_filter confirmed"),
            row("dns_name_absent_with_soa", "absent down dns_name_absent azure_service medium..medium"),
            row("dns_servfail_by_refusing_forwarder", "name.refusing down dns_servfail dns_resolver medium"),
            row(
                "dns_dropped_name_where_the_zone_does_not_answer",
                "name.silent blocked dns_dropped_name dns_resolver low..medium",
                why="a resolver that cannot reach a zone's servers looks like one that drops queries for it",
            ),
        ),
    ),
    World(
        name="dns_response_policy_zone",
        build=response_policy,
        rows=(
            row(
                "dns_nxdomain_filtered_by_rpz", "rpz-nxdomain blocked dns_nxdomain_filtered dns_filter medium"
            ),
            row("dns_nodata_filtered_by_rpz", "rpz-nodata blocked dns_nodata_filtered dns_filter medium"),
            row("dns_dropped_name_by_rpz", "rpz-drop blocked dns_dropped_name dns_filter medium"),
            row("dns_bogon_answer_by_rpz", f"{AZURE_NAMES[0]} blocked dns_bogon_answer dns_filter medium"),
        ),
    ),
    World(
        name="dns_refused",
        build=client_refused,
        healthy=False,
        rows=(
            row(
                "dns_refused_client_by_acl",
                "healthy blocked dns_refused_client dns_resolver confirmed",
                finding="dns_refused_client",
            ),
        ),
    ),
    World(
        name="dns_prohibited",
        build=dns_admin_prohibited,
        healthy=False,
        rows=(
            row(
                "dns_admin_prohibited_by_nft",
                "healthy blocked dns_admin_prohibited firewall_l3l4 confirmed",
                finding="dns_admin_prohibited",
            ),
        ),
    ),
    World(
        name="dns_unreachable",
        build=dns_dropped,
        healthy=False,
        rows=(
            row(
                "dns_resolver_unreachable_by_drop",
                "healthy blocked dns_resolver_unreachable dns_resolver low",
                finding="dns_resolver_unreachable",
            ),
        ),
    ),
    World(
        name="dns_no_listener",
        build=no_listener,
        healthy=False,
        rows=(
            row(
                "dns_no_listener_at_wrong_address",
                "healthy blocked dns_no_listener dns_resolver confirmed",
                finding="dns_no_listener",
            ),
        ),
    ),
    World(
        name="dns_intercepted",
        build=dns_intercepted,
        rows=(row("dns_transparent_proxy_by_dnat", "- - - - -", finding="dns_transparent_proxy"),),
    ),
    World(
        name="dns_tcp_dropped",
        build=dns_over_tcp_dropped,
        rows=(row("dns_tcp_blocked_by_drop", "many blocked dns_tcp_blocked firewall_l3l4 high"),),
    ),
    World(
        name="dns_large_answers_dropped",
        build=large_responses_dropped,
        rows=(
            row(
                "dns_edns_or_fragment_dropped_by_length",
                "many degraded dns_edns_or_fragment_dropped firewall_l3l4 high",
            ),
        ),
    ),
    World(
        name="dns_edns_dropped",
        build=edns_dropped,
        healthy=False,
        rows=(
            row(
                "dns_edns_or_fragment_dropped_by_string",
                "plain degraded dns_edns_or_fragment_dropped firewall_l3l4 high",
            ),
            row(
                "dns_edns_or_fragment_dropped_for_every_name",
                "healthy degraded dns_edns_or_fragment_dropped firewall_l3l4 high",
            ),
        ),
    ),
    World(
        name="dns_aaaa_dropped",
        build=aaaa_dropped,
        healthy=False,
        rows=(row("dns_aaaa_broken_by_string", "healthy degraded dns_aaaa_broken dns_resolver high"),),
    ),
    World(
        name="dns_private_link",
        build=private_link,
        rows=(
            row("dns_private_link_works", "linked ok - - -", also="dns_private_link"),
            row(
                "dns_private_link_unreachable_without_route",
                "cut-off blocked dns_private_link_unreachable firewall_l3l4 high",
            ),
            row(
                "dns_private_zone_missing_record_in_dnsmasq",
                "forgotten down dns_private_zone_missing_record dns_resolver high",
            ),
        ),
    ),
    World(
        name="dns_private_link_in_use",
        build=private_link_in_use,
        rows=(
            row("dns_private_link_as_configured", "linked ok - - -"),
            row(
                "dns_private_link_public_in_unbound",
                "left-public degraded dns_private_link_public dns_resolver medium..high",
                finding="dns_private_link_public",
            ),
            row(
                "dns_private_link_one_family_in_unbound",
                "half-public degraded dns_private_link_one_family dns_resolver medium..high",
                finding="dns_private_link_public",
            ),
        ),
    ),
    World(
        name="dns_private_link_split",
        build=split_private_link,
        rows=(
            row(
                "dns_private_link_split_by_resolver",
                "linked degraded dns_private_link_split dns_resolver high",
            ),
        ),
    ),
    World(
        name="dns_resolvers_disagree",
        build=resolvers_disagree,
        rows=(
            row(
                "dns_unexpected_address_from_one_resolver",
                "hijacked degraded dns_unexpected_address dns_filter medium",
            ),
        ),
    ),
    World(
        name="dns_liar_is_silent",
        build=liar_is_silent,
        rows=(
            row(
                "dns_unexpected_address_where_nothing_answers",
                "silent degraded dns_unexpected_address dns_filter medium..medium",
            ),
            row(
                "dns_unexpected_address_where_nobody_listens",
                "refused degraded dns_unexpected_address dns_filter medium..medium",
            ),
            row("dns_null_answer_from_one_resolver", "loopback degraded dns_null_answer dns_filter high"),
            row(
                "dns_resolvers_disagree_on_a_name_that_is_gone",
                "gone blocked dns_resolvers_disagree dns_resolver low..low",
                why="the zone denies the name, and no server proves it at the other resolver's address",
            ),
        ),
    ),
    World(
        name="dns_addresses_in_a_row",
        build=addresses_in_a_row,
        rows=tuple(
            row(
                f"dns_doubtful_address_of_{number}",
                f"{name} blocked dns_doubtful_address local_host low..low",
                why="the addresses may be made up, or a firewall may drop what is sent there",
            )
            for number, name in enumerate(AZURE_NAMES, start=1)
        ),
    ),
    World(
        name="dns_search_list",
        build=search_list,
        rows=(row("dns_search_list_by_a_wildcard", "gone blocked dns_search_list local_host confirmed"),),
    ),
    World(
        name="dns_nxdomain_rewritten",
        build=nxdomain_rewritten,
        rows=(
            row(
                "dns_nxdomain_rewritten_by_redirect",
                "service.gone blocked dns_nxdomain_rewritten dns_resolver high",
            ),
        ),
    ),
    World(
        name="dns_dns64",
        build=dns64,
        rows=(row("dns_dns64_synthesized_by_unbound", "healthy ok - - -", also="dns_dns64_synthesized"),),
    ),
    World(
        name="dns_lossy",
        build=third_of_queries_lost,
        healthy=False,
        harmless=True,
        rows=(row("dns_intermittent_by_numgen", "- - - - -", finding="dns_intermittent"),),
    ),
    World(
        name="dns_no_resolver",
        build=empty_resolv_conf,
        healthy=False,
        rows=(
            row(
                "dns_no_resolver_in_resolv_conf",
                "healthy blocked dns_no_resolver local_host confirmed",
                finding="dns_no_resolver",
            ),
        ),
    ),
)

"""Reasons in DNS: the resolver, a filter in front of it, or the name itself."""

from __future__ import annotations

from egressd.attribution.blame.suspects import (
    ANSWER_ALTERED,
    ANSWERS_DISAGREE,
    CONFIGURED_PROXY,
    DNS_TAKEN_OVER,
    DOUBTFUL_NETWORK,
    EGRESSD_ITSELF,
    FIREWALL,
    HOST,
    NAME_ABSENT,
    NAME_DENIED,
    NAME_REFUSED,
    NOTHING_KNOWN,
    RESOLVER,
    RESOLVER_FAILS,
    RESOLVER_SILENT,
    SEARCH_LIST,
    SYN_UNANSWERED,
    SYNTHETIC_ADDRESS,
    TRANSPORT_BLOCKED,
    TYPE_REFUSED,
    ZONE_LINKED,
)
from egressd.attribution.reasons.commands import (
    AGAIN,
    CLIENT_HELLO,
    CONNECT,
    DIG,
    DIG_AAAA,
    DIG_OTHER,
    DIG_SIBLING,
    DIG_TCP,
    ROUTE,
    steps,
)
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Outcome

DNS: tuple[Reason, ...] = (
    Reason(
        code="dns_no_resolver",
        phase=Phase.DNS,
        title="No resolver is configured on this host",
        meaning="The host has no DNS server configured, so every name fails. This is host configuration, "
        "not a network fault.",
        signal="The host's resolver files list no name server and none was given to egressd.",
        evidence=(
            "vantage.resolvers: empty, or only `system`",
            "dns.detail: the resolver library's error",
        ),
        suspects=HOST,
        severity=Outcome.BLOCKED,
        advice="Configure a resolver on the probing host (DHCP, systemd-resolved or /etc/resolv.conf), or "
        "name one under `resolvers:`.",
        confirm=steps("$ cat /etc/resolv.conf", "$ resolvectl status"),
    ),
    Reason(
        code="dns_resolver_unreachable",
        phase=Phase.DNS,
        title="The resolver does not answer at all",
        meaning="Every query to this resolver stays unanswered, over UDP and over TCP. Either the address "
        "is wrong, the resolver is down, or port 53 to it is closed.",
        signal="All queries to this resolver timed out on both transports; other resolvers, if any, may "
        "answer.",
        evidence=(
            "dns.resolver: the address that does not answer",
            "dns.queries.transport, dns.queries.failure: timeout on udp and on tcp",
            "controls.known_name: a name that must exist gets no answer either",
            "controls.other_resolver: whether another resolver answers",
        ),
        suspects=RESOLVER_SILENT,
        severity=Outcome.BLOCKED,
        advice="Allow udp/53 and tcp/53 from {source} to {resolver}, or tell us the resolver this subnet "
        "should use.",
        confirm=steps(DIG, DIG_TCP, "$ nc -vz -w 5 {resolver} 53"),
    ),
    Reason(
        code="dns_no_listener",
        phase=Phase.DNS,
        title="Nothing listens on port 53 at that address",
        meaning="The host at that address is up but runs no DNS service, or a device reports so in its "
        "place. Most often the resolver address is wrong.",
        signal="The query was answered by an ICMP port unreachable, or the TCP connection was refused.",
        evidence=(
            "dns.queries.icmp.offender: the sender of the error",
            "dns.queries.errno: 111, ECONNREFUSED",
        ),
        suspects=RESOLVER,
        severity=Outcome.BLOCKED,
        advice="Start the DNS service on {resolver}, or correct the resolver address given to {source}.",
        confirm=steps(DIG, "dig prints `connection refused`."),
    ),
    Reason(
        code="dns_admin_prohibited",
        phase=Phase.DNS,
        title="A firewall forbids DNS to this resolver",
        meaning="A router or firewall has an explicit rule against this traffic and reported it by ICMP. "
        "The address of the device is known.",
        signal="An ICMP `administratively prohibited` came back for the query to port 53.",
        evidence=(
            "dns.queries.icmp.type, dns.queries.icmp.code: 3/13, 3/9, 3/10, or 1/1 in IPv6",
            "dns.queries.icmp.offender: the device, as reported",
        ),
        suspects=FIREWALL,
        severity=Outcome.BLOCKED,
        advice="On the device reporting itself as {offender}: allow udp/53 and tcp/53 from {source} to "
        "{resolver}, or tell us which resolver may be used.",
        confirm=steps(DIG, "$ tcpdump -n -i any 'icmp or icmp6'"),
    ),
    Reason(
        code="dns_refused_client",
        phase=Phase.DNS,
        title="The resolver refuses this client",
        meaning="The resolver is healthy but does not serve this source address. Its access list lacks the "
        "subnet of the appliance.",
        signal="The answer was REFUSED for every name, including one that must exist.",
        evidence=(
            "dns.rcode: REFUSED",
            "dns.queries.extended_errors: 18, Prohibited, where the resolver gives a reason",
            "controls.known_name: refused as well",
        ),
        suspects=RESOLVER,
        severity=Outcome.BLOCKED,
        advice="Add {source} (better: its whole subnet) to the access list of the resolver {resolver}.",
        confirm=steps(DIG, "$ dig @{resolver} . NS +tries=1", "Both answer `status: REFUSED`."),
    ),
    Reason(
        code="dns_refused_name",
        phase=Phase.DNS,
        title="The resolver refuses this one name",
        meaning="Other names are served, this one is refused: a policy on the resolver covers it.",
        signal="REFUSED for the name, while a name that must exist is answered by the same resolver.",
        evidence=(
            "dns.rcode: REFUSED",
            "controls.known_name: answered",
            "dns.queries.extended_errors: a reason, if given",
        ),
        suspects=NAME_REFUSED,
        severity=Outcome.BLOCKED,
        advice="Allow {destination} in the DNS policy of {resolver}; other names are served to {source}, so "
        "it is not the access list.",
        confirm=steps(DIG, "$ dig @{resolver} www.microsoft.com A", "Only the first is REFUSED."),
    ),
    Reason(
        code="dns_nxdomain_filtered",
        phase=Phase.DNS,
        title="A DNS filter denies that the name exists",
        meaning="The name exists, but this resolver answers that it does not. Response-policy zones and DNS "
        "firewalls block in this way; Azure itself is fine.",
        signal="NXDOMAIN without the zone's SOA record in the authority section, or with an Extended DNS "
        "Error of a filter, while another resolver answers the name.",
        evidence=(
            "dns.rcode: NXDOMAIN",
            "dns.queries.authority_soa: false, which a real denial would carry",
            "dns.queries.flags: `aa` from a resolver that does not own the zone",
            "dns.queries.extended_errors: 15 blocked, 16 censored, 17 filtered",
            "controls.sibling_name, controls.other_resolver: a sibling name, another resolver",
        ),
        suspects=NAME_DENIED,
        severity=Outcome.BLOCKED,
        advice="Allow {destination} in the DNS filter or response-policy zone behind {resolver}; look in its "
        "DNS security log (on FortiGate: the DNS filter log) at {time} for client {source}.",
        confirm=steps(DIG, DIG_OTHER, DIG_SIBLING, "A genuine NXDOMAIN carries an SOA record."),
    ),
    Reason(
        code="dns_name_absent",
        phase=Phase.DNS,
        title="The name does not exist anywhere",
        meaning="All resolvers agree, with proof from the zone, that there is no such name. Usually the "
        "region or the sample host is wrong; seldom has the service withdrawn it.",
        signal="NXDOMAIN with the zone's SOA from every resolver asked.",
        evidence=(
            "dns.rcode: NXDOMAIN",
            "dns.queries.authority_soa: true",
            "controls.other_resolver: NXDOMAIN too",
        ),
        suspects=NAME_ABSENT,
        severity=Outcome.DOWN,
        advice="Check region, cloud and spelling of {host} in the configuration first; if they are right, "
        "ask the service's owner whether the name was withdrawn. No firewall rule helps.",
        confirm=steps(DIG, DIG_OTHER, "$ dig {host} A +trace"),
    ),
    Reason(
        code="dns_derived_name_absent",
        phase=Phase.DNS,
        title="A name that egressd derived does not exist",
        meaning="No document shows this name: egressd made it from the form of others, to have a host to try "
        "below a wildcard. That it does not exist says nothing of the network, or of the service.",
        signal="NXDOMAIN, or no address, for a name that no document, discovery or configuration names.",
        evidence=(
            "target.sample: derived",
            "dns.rcode, dns.answers: no such name, or no address",
        ),
        suspects=EGRESSD_ITSELF,
        severity=Outcome.UNKNOWN,
        advice="Ask nobody: {host} was a guess. To have its row probed, name a real host below the same "
        "pattern in `endpoints:`; `overrides: [{{match: {host}, skip: true}}]` leaves the guess out.",
        confirm=steps(DIG, "A name that no document shows need not exist."),
        needs=("derived sample",),
    ),
    Reason(
        code="dns_nodata_filtered",
        phase=Phase.DNS,
        title="A DNS filter returns an empty answer",
        meaning="The resolver answers that the name exists but returns no address for it. Some DNS filters "
        "block in this way.",
        signal="NOERROR without any address, while another resolver returns addresses.",
        evidence=(
            "dns.rcode: NOERROR",
            "dns.answers: none",
            "dns.queries.authority_soa: false",
            "controls.other_resolver: has addresses",
        ),
        suspects=NAME_DENIED,
        severity=Outcome.BLOCKED,
        advice="Allow {destination} in the DNS filter behind {resolver}: it returns an empty answer to "
        "{source}.",
        confirm=steps(DIG, DIG_OTHER, "The first shows `ANSWER: 0`, the second does not."),
    ),
    Reason(
        code="dns_servfail",
        phase=Phase.DNS,
        title="The resolver fails to resolve this name",
        meaning="The resolver tried and gave up: a dead forwarder, a DNSSEC failure, or a filter that blocks "
        "in this way. Other names may work.",
        signal="SERVFAIL from this resolver, not from the others.",
        evidence=(
            "dns.rcode: SERVFAIL",
            "dns.queries.extended_errors: 6 DNSSEC bogus, 22 no reachable authority, 23 network error",
            "controls.known_name, controls.other_resolver: whether it is the name or the resolver",
        ),
        suspects=RESOLVER_FAILS,
        severity=Outcome.DOWN,
        advice="On {resolver}, find out why {host} ends in SERVFAIL: test the forwarders, DNSSEC validation "
        "of the zone, and a DNS filter that answers SERVFAIL for blocked names.",
        confirm=steps(
            DIG, "$ dig @{resolver} {host} A +cd", DIG_OTHER, "If +cd works, DNSSEC validation fails."
        ),
    ),
    Reason(
        code="dns_dropped_name",
        phase=Phase.DNS,
        title="Queries for this one name are dropped",
        meaning="The resolver answers other names quickly and this one not at all. Something between this "
        "host and the resolver drops the query because of the name in it.",
        signal="The query timed out each time, while other names asked of the same resolver before and "
        "after were answered.",
        evidence=(
            "dns.queries.failure: timeout on each try",
            "controls.known_name: answered, in how many milliseconds",
            "controls.repeat: no answer again",
        ),
        suspects=NAME_REFUSED,
        severity=Outcome.BLOCKED,
        advice="Find the DNS policy that drops queries for {host} from {source} to {resolver} at {time}, "
        "and allow the name.",
        confirm=steps("$ dig @{resolver} www.microsoft.com A", DIG, "Only the second one hangs."),
    ),
    Reason(
        code="dns_sinkhole_known",
        phase=Phase.DNS,
        title="The answer is a vendor's block address",
        meaning="The resolver sends the client to the block page of a security product instead of Azure. "
        "The address identifies the product.",
        signal="An answer is one of the published sinkhole addresses of a DNS security product.",
        evidence=(
            "dns.answers: the sinkhole address",
            "dns.cnames: sometimes a name of the vendor",
            "dns.resolver: which resolver gave it",
        ),
        suspects=DNS_TAKEN_OVER,
        severity=Outcome.BLOCKED,
        advice="In the DNS security product behind {resolver}, allow {destination}: the answer for {host} is "
        "the block address {address}; the product's log names the category for client {source}.",
        confirm=steps(DIG, DIG_OTHER, "$ whois {address}"),
    ),
    Reason(
        code="dns_null_answer",
        phase=Phase.DNS,
        title="The answer is a null or loopback address",
        meaning="The name is blocked by an answer that leads nowhere, as ad blockers and hosts lists do.",
        signal="The answer is 0.0.0.0, :: or an address of this host itself, where nothing listens.",
        evidence=(
            "dns.answers: the null address",
            "dns.resolver: which resolver gave it; `system` may mean the hosts file",
        ),
        suspects=ANSWER_ALTERED,
        severity=Outcome.BLOCKED,
        advice="Take {host} off the block list that answers {address}: of {resolver}, or of this host's "
        "hosts file.",
        confirm=steps(DIG, DIG_OTHER, "$ getent ahosts {host}"),
    ),
    Reason(
        code="dns_bogon_answer",
        phase=Phase.DNS,
        title="A public name has a private answer",
        meaning="A public Azure name resolves to private or reserved address space, and not through private "
        "link. An internal override or a forgotten zone sends clients to the wrong server.",
        signal="A private or reserved address, without a `privatelink.` name in the CNAME chain.",
        evidence=(
            "dns.answers: the private address",
            "dns.cnames: no privatelink name among them",
            "controls.other_resolver: a different, public answer",
            "tls.failure: how the wrong server answered",
        ),
        suspects=ANSWER_ALTERED,
        severity=Outcome.BLOCKED,
        advice="Remove the internal override for {host} on {resolver}: it answers {address}, which is not "
        "Azure and not a private endpoint.",
        confirm=steps(DIG, DIG_OTHER, CLIENT_HELLO),
    ),
    Reason(
        code="dns_private_link",
        phase=Phase.DNS,
        title="The name is served by private link",
        meaning="The name resolves through a private link zone to a private address. This is correct where "
        "an Arc private link scope is in use; Entra ID and Resource Manager stay public.",
        signal="The CNAME chain passes through `privatelink.` and ends in a private address.",
        evidence=(
            "dns.cnames: the privatelink name",
            "dns.answers: the private endpoint",
        ),
        suspects=RESOLVER,
        severity=Outcome.OK,
        advice="Nothing to ask. Make sure that every host uses the same forwarder, and that {source} is "
        "meant to use the private endpoint of {host}.",
        confirm=steps(DIG, "The CNAME chain shows `privatelink.`."),
        informational=True,
    ),
    Reason(
        code="dns_private_link_unexpected",
        phase=Phase.DNS,
        title="A private endpoint answers for a public name",
        meaning="The name resolves to a private endpoint, and either Microsoft documents none for it or "
        "`private_link: false` says that none is in use. It works now; the owner of that endpoint decides "
        "how long, and updates of the service may miss it.",
        signal="`privatelink.` in the CNAME chain and a private answer, for a row of the catalog that is "
        "not private-link capable; with `private_link: true` any private answer for such a row, with "
        "`private_link: false` one for a name of the scope.",
        evidence=(
            "dns.cnames, dns.answers: the zone and the private address",
            "target.private_link: false by the documents",
        ),
        suspects=ANSWER_ALTERED,
        severity=Outcome.DEGRADED,
        advice="Ask who linked the private DNS zone that answers for {host} at {resolver}: only documented "
        "endpoints can be private, so let this name resolve publicly for {source}.",
        confirm=steps(DIG, "Expect a CNAME through `privatelink.` and a private address."),
        needs=("private link",),
    ),
    Reason(
        code="dns_private_link_unreachable",
        phase=Phase.DNS,
        title="The private endpoint can't be reached",
        meaning="DNS points at a private endpoint, but this network has no path to it. Either routing to it "
        "is missing, or a stale private zone hides the public service.",
        signal="The name resolves through private link, and TCP or TLS to the private address fails.",
        evidence=(
            "dns.cnames: the privatelink name",
            "tcp.remote_address, tcp.failure: the private endpoint and how it failed",
            "controls.other_resolver: whether a public answer exists",
        ),
        suspects=SYN_UNANSWERED,
        severity=Outcome.BLOCKED,
        advice="Route and allow {service} from {source} to the private endpoint {address} over "
        "ExpressRoute or VPN; or remove the stale private zone, so that {host} resolves publicly.",
        confirm=steps(DIG, CONNECT, "$ ip route get {address}"),
    ),
    Reason(
        code="dns_private_link_split",
        phase=Phase.DNS,
        title="Resolvers disagree on private or public",
        meaning="Some resolvers give the private endpoint and some the public address. Agents get one or "
        "the other with each lookup, which shows as intermittent failures.",
        signal="Of the resolvers queried, at least one answered with the private endpoint and one without.",
        evidence=(
            "dns.resolver, dns.answers: one row per resolver",
            "dns.cnames: which answers go through privatelink",
        ),
        suspects=RESOLVER,
        severity=Outcome.DEGRADED,
        advice="Let every resolver of this network forward the privatelink zones to the same place, so that "
        "{host} has one answer.",
        confirm=steps(DIG, DIG_OTHER),
        needs=("second resolver",),
    ),
    Reason(
        code="dns_private_zone_missing_record",
        phase=Phase.DNS,
        title="The private zone lacks the record",
        meaning="A private DNS zone is linked here but holds no entry for this resource, and it hides the "
        "public record. The name works elsewhere.",
        signal="The CNAME chain ends in a `privatelink.` name that does not exist, though the public name "
        "does.",
        evidence=(
            "dns.cnames: the privatelink name at the end",
            "dns.rcode: NXDOMAIN or an empty answer",
        ),
        suspects=RESOLVER,
        severity=Outcome.DOWN,
        advice="Add the record of {host} to the private DNS zone behind {resolver} (the private endpoint's "
        "DNS zone group does it), or unlink the zone from this network.",
        confirm=steps(DIG, "$ dig @{resolver} {host} CNAME", DIG_OTHER),
    ),
    Reason(
        code="dns_unexpected_address",
        phase=Phase.DNS,
        title="The answer leads to the wrong server",
        meaning="Resolvers disagree. At another resolver's address the server proves the name; at this one "
        "nothing answers, or a server that can't. Something answers for the zone that should not.",
        signal="No resolver gave both addresses, and only the other one works; or an address that runs no "
        "DNS answered with this one.",
        evidence=(
            "dns.answers: what this resolver gave",
            "trails.resolver, trails.address: what another gave, and that it works",
            "tcp.failure, tls.facts.name_matches: what answers at this address",
            "controls.testnet_dns: whether the answer is injected on the path",
        ),
        suspects=ANSWER_ALTERED,
        severity=Outcome.BLOCKED,
        advice="On {resolver}, find out what answers {address} for {host}, and restore the public answer.",
        confirm=steps(DIG, DIG_OTHER, CLIENT_HELLO),
    ),
    Reason(
        code="dns_address_outside_service_tag",
        phase=Phase.DNS,
        title="A good address outside the known service tag",
        meaning="The server proved its name over TLS, yet its address is not in the service-tag list at "
        "hand. Usually the list is out of date.",
        signal="The address is outside the tag's prefixes, and the TLS behind it is valid and public.",
        evidence=(
            "dns.answers: the address",
            "tls.facts.publicly_anchored, tls.facts.name_matches: both true",
        ),
        suspects=RESOLVER,
        severity=Outcome.OK,
        advice="{address} of {host} is in no range of the service tag {tags}: load the current file, as "
        "ranges change weekly. A firewall whose rules were made from an older one will miss it.",
        confirm=steps(DIG, CLIENT_HELLO),
        informational=True,
        needs=("service tag file",),
    ),
    Reason(
        code="dns_transparent_proxy",
        phase=Phase.DNS,
        title="Port 53 is intercepted",
        meaning="The same device answers whichever resolver is queried. Changing the resolver on the host "
        "will not change the answers.",
        signal="A query sent to an address that runs no DNS (192.0.2.53) was answered.",
        evidence=(
            "controls.testnet_dns: an answer that should not exist",
            "dns.answers: given by the same device, whichever resolver is queried",
        ),
        suspects=DNS_TAKEN_OVER,
        severity=Outcome.DEGRADED,
        advice="Tell us which device redirects udp/53 from {source}, and make DNS policy changes for {host} "
        "there; naming another resolver has no effect.",
        confirm=steps("$ dig @192.0.2.53 {host} A +tries=1 +time=3", "Any answer proves interception."),
    ),
    Reason(
        code="dns_nxdomain_rewritten",
        phase=Phase.DNS,
        title="The resolver answers names that do not exist",
        meaning="Names that do not exist get an address here. A success in DNS then proves nothing, and "
        "typing errors lead to an advertising or block page.",
        signal="A random name, which cannot exist, was answered with an address.",
        evidence=(
            "controls.sibling_name: the random names, in two unrelated zones, and the address they got",
            "dns.resolver: which resolver gave it",
        ),
        suspects=RESOLVER,
        severity=Outcome.DEGRADED,
        advice="Switch off the rewriting of NXDOMAIN on {resolver} for {source}.",
        confirm=steps(DIG_SIBLING, "Expect `status: NXDOMAIN`."),
    ),
    Reason(
        code="dns_tcp_blocked",
        phase=Phase.DNS,
        title="DNS over TCP is blocked",
        meaning="The resolver answers over UDP, and not over TCP. Long answers, such as CNAME chains, fail "
        "while short ones work.",
        signal="UDP was answered, cut short (TC) where a name was looked up, and tcp/53 to the same resolver "
        "was refused or timed out.",
        evidence=(
            "dns.queries.flags: `tc` on the UDP answer",
            "dns.queries.transport, dns.queries.failure: the failure over tcp",
            "controls.dns_tcp: the same query over TCP",
        ),
        suspects=TRANSPORT_BLOCKED,
        severity=Outcome.BLOCKED,
        advice="Allow tcp/53 from {source} to {resolver} beside udp/53: answers that do not fit in UDP need "
        "it.",
        confirm=steps(DIG_TCP, "$ dig @{resolver} {host} A +ignore", "The second shows the flag `tc`."),
    ),
    Reason(
        code="dns_edns_or_fragment_dropped",
        phase=Phase.DNS,
        title="Large DNS answers over UDP are dropped",
        meaning="Small plain queries are answered, larger ones or those with EDNS are dropped. Every lookup "
        "pays for the fallback with a delay, and some clients do not fall back at all.",
        signal="The query with EDNS stayed unanswered; without EDNS, or over TCP, it was answered.",
        evidence=(
            "dns.queries.edns, dns.queries.failure: no answer with EDNS, an answer without",
            "dns.queries.transport: what worked in the end",
        ),
        suspects=TRANSPORT_BLOCKED,
        severity=Outcome.DEGRADED,
        advice="Let UDP answers over 512 bytes and fragments from {resolver} pass to {source}, and switch "
        "off DNS inspection that limits the length; or set the EDNS size of the resolver to 1232.",
        confirm=steps(
            "$ dig @{resolver} {host} A +bufsize=4096",
            "$ dig @{resolver} {host} A +bufsize=1232",
            "$ dig @{resolver} {host} A +noedns",
        ),
    ),
    Reason(
        code="dns_edns_unsupported",
        phase=Phase.DNS,
        title="The resolver does not support EDNS",
        meaning="The resolver, or a gateway in front of it, rejects queries with EDNS. It works only after "
        "a fallback that costs time.",
        signal="FORMERR or NOTIMP with EDNS, a normal answer without.",
        evidence=(
            "dns.queries.edns, dns.queries.rcode: FORMERR with EDNS, NOERROR without",
            "dns.resolver: who",
        ),
        suspects=RESOLVER,
        severity=Outcome.DEGRADED,
        advice="Update the resolver {resolver}, or the DNS gateway in front of it, to one that supports "
        "EDNS.",
        confirm=steps("$ dig @{resolver} {host} A +edns=0", "$ dig @{resolver} {host} A +noedns"),
    ),
    Reason(
        code="dns_dns64_synthesized",
        phase=Phase.DNS,
        title="IPv6 addresses are synthesised by DNS64",
        meaning="This network reaches IPv4 services through NAT64. The IPv6 answers are translations, and "
        "the NAT64 gateway is on the path of every connection.",
        signal="All AAAA answers lie in 64:ff9b::/96 or in the network's own NAT64 prefix.",
        evidence=(
            "dns.type, dns.answers: AAAA records in the translation prefix",
            "vantage.families: whether IPv4 exists beside it",
        ),
        suspects=RESOLVER,
        severity=Outcome.OK,
        advice="Nothing to ask. If connections fail, check the NAT64 gateway as well as the firewall.",
        confirm=steps(DIG_AAAA, "$ dig @{resolver} ipv4only.arpa AAAA"),
        informational=True,
    ),
    Reason(
        code="dns_aaaa_broken",
        phase=Phase.DNS,
        title="AAAA queries fail",
        meaning="IPv4 lookups work; IPv6 lookups fail instead of returning an empty answer. Some clients "
        "wait for the failure on each connection; others, as musl's, take NXDOMAIN or REFUSED for "
        "the whole name.",
        signal="A is answered; AAAA for the same name gets no answer, an error, or NXDOMAIN.",
        evidence=(
            "dns.type, dns.failure: AAAA fails, A does not",
            "dns.queries.elapsed_ms: the delay clients suffer",
        ),
        suspects=TYPE_REFUSED,
        severity=Outcome.DEGRADED,
        advice="Make {resolver}, or the DNS gateway in front of it, answer AAAA queries: an empty NOERROR "
        "is right where there is no IPv6.",
        confirm=steps(DIG, DIG_AAAA),
    ),
    Reason(
        code="dns_local_override",
        phase=Phase.DNS,
        title="This host overrides the name",
        meaning="The operating system gives another answer than the resolvers do: a line in the hosts file "
        "or an nsswitch module. It may be intended, and is often forgotten.",
        signal="getaddrinfo and the resolvers queried directly disagree on the addresses.",
        evidence=(
            "dns.resolver, dns.answers: `system` against the others",
            "trails.resolver: whose answer was used",
        ),
        suspects=HOST,
        severity=Outcome.DEGRADED,
        advice="On the probing host, remove {host} from /etc/hosts (or from the nsswitch module that "
        "overrides it), unless it is meant to be there.",
        confirm=steps("$ getent ahosts {host}", "$ grep -n '{host}' /etc/hosts", DIG),
    ),
    Reason(
        code="dns_intermittent",
        phase=Phase.DNS,
        title="DNS queries are lost now and then",
        meaning="Some attempts are answered and some are not, for good names too. That is loss or overload; "
        "a rule would fail every time.",
        signal="Of several attempts, some failed; so did some of the controls.",
        evidence=(
            "dns.queries.failure, dns.queries.elapsed_ms: which attempts failed, how slow the others were",
            "controls.repeat, controls.known_name: losses there too",
        ),
        suspects=RESOLVER_SILENT,
        severity=Outcome.DEGRADED,
        advice="Look for loss between {source} and {resolver}, and for load on the resolver; there is no "
        "missing rule.",
        confirm=steps(
            "$ for n in 1 2 3 4 5 6; do dig @{resolver} {host} +tries=1 +time=2 \\\n  +short; done"
        ),
    ),
    Reason(
        code="dns_not_required",
        phase=Phase.DNS,
        title="DNS fails here, but the proxy resolves names",
        meaning="Behind a proxy this host need not resolve public names. The failure concerns the host and "
        "is not a fault of the path.",
        signal="The local lookup failed while the probe went through a proxy, which resolves names itself.",
        evidence=(
            "dns.failure: what failed locally",
            "trails.path: the proxy that was used",
        ),
        suspects=CONFIGURED_PROXY,
        severity=Outcome.OK,
        advice="Nothing to ask, unless some component connects without the proxy: then allow udp/53 and "
        "tcp/53 from {source} to {resolver}.",
        confirm=steps(DIG, "$ curl -sv -o /dev/null -x {proxy} https://{place}/"),
        informational=True,
        needs=("proxy",),
    ),
    Reason(
        code="dns_malformed",
        phase=Phase.DNS,
        title="The answer is not valid DNS",
        meaning="What came back from port 53 cannot be parsed as an answer to the query. A broken resolver, "
        "a protocol gateway, or something that is not DNS at all.",
        signal="No datagram that came is a DNS message which answers the query, until the time was over.",
        evidence=(
            "dns.queries.failure, dns.queries.detail: what is wrong with the message",
            "dns.queries.ignored: how many datagrams came before an answer",
        ),
        suspects=RESOLVER_FAILS,
        severity=Outcome.BLOCKED,
        advice="Check what serves port 53 at {resolver}; as a test, disable DNS inspection between {source} "
        "and it.",
        confirm=steps(DIG, DIG_TCP, "$ tcpdump -n -X -i any host {resolver} and port 53"),
    ),
    Reason(
        code="dns_beyond_our_limit",
        phase=Phase.DNS,
        title="The answer has more records than egressd reads",
        meaning="The answer to the query has more than a hundred addresses and aliases, and none of those "
        "that are read leads to an address of the name. That breaks no rule, and agents may well take it.",
        signal="The first 132 records that may answer lead to no address, and there are more.",
        evidence=("dns.queries.failure: too_large", "dns.queries.detail: how large the answer was"),
        suspects=EGRESSD_ITSELF,
        severity=Outcome.UNKNOWN,
        advice="Query {resolver} for the name with dig: egressd can't judge an answer of this size. "
        "Nothing is to be asked of a network team.",
        confirm=steps(DIG, DIG_TCP),
    ),
    Reason(
        code="dns_name_invalid",
        phase=Phase.DNS,
        title="The host name is not valid",
        meaning="The host name in the plan violates the rules for DNS names, so no query was sent. The "
        "catalog or the configuration is wrong.",
        signal="A label is empty or longer than 63 bytes, or an internationalised label is malformed.",
        evidence=(
            "dns.name: the name as configured",
            "dns.detail: the rule it breaks",
        ),
        suspects=EGRESSD_ITSELF,
        severity=Outcome.UNKNOWN,
        advice="Correct `{host}` in the configuration or the catalog file.",
        confirm=steps("$ egressd config check", "$ egressd plan"),
    ),
    Reason(
        code="dns_slow",
        phase=Phase.DNS,
        title="The resolver answers late",
        meaning="No answer came in time, and one came when the question was asked again, or other names take "
        "as long. The resolver waits for servers behind it. Slowness is no policy: nothing blocks "
        "the name.",
        signal="A lookup without an answer, and an answer to the same question later; or no name that this "
        "resolver answers at once.",
        evidence=(
            "dns.elapsed_ms, dns.queries.failure: how long there was no answer",
            "trails.attempt, controls.dns_repeat: the answer to the same question, later",
        ),
        suspects=RESOLVER_FAILS,
        severity=Outcome.DEGRADED,
        advice="Find out why {resolver} needs so long for {host}: look at the forwarders and name servers "
        "that it asks, and at its load, at {time}.",
        confirm=steps(DIG, "$ sleep 5", DIG, "The second one is answered, from the cache."),
    ),
    Reason(
        code="dns_other_family_only",
        phase=Phase.DNS,
        title="The name has addresses of the other family only",
        meaning="The name, or the address given as host, exists for IPv6 only and this host uses IPv4 only, "
        "or the other way round. DNS and the server are fine.",
        signal="No address of the families that are probed here, and addresses of the other one.",
        evidence=(
            "dns.type, dns.failure: the family without an address",
            "controls.other_family, dns.answers: the addresses of the other one",
            "vantage.families: the families that this host has",
        ),
        suspects=HOST,
        severity=Outcome.BLOCKED,
        advice="{host} has {other_family} addresses only. Give this host a path for {other_family}, name it "
        "in `probe.families`, or take the endpoint off the list.",
        confirm=steps(DIG, DIG_AAAA, "$ ip -6 route show default"),
    ),
    Reason(
        code="dns_search_list",
        phase=Phase.DNS,
        title="A domain of the search list answers instead",
        meaning="This host appended a domain of its search list to the name, and a wildcard record there "
        "answered. The address belongs to another name.",
        signal="getaddrinfo reports a canonical name that is the host with more labels behind it.",
        evidence=(
            "dns.cnames: the name that was found",
            "dns.resolver: `system`; messages to a resolver ask for the exact name",
        ),
        suspects=SEARCH_LIST,
        severity=Outcome.BLOCKED,
        advice="On the probing host, remove the domain from `search` in /etc/resolv.conf, or the wildcard "
        "record from that domain: the answer for {host} is {address} of another name.",
        confirm=steps("$ getent ahosts {host}", "$ grep search /etc/resolv.conf", DIG),
    ),
    Reason(
        code="dns_udp_blocked",
        phase=Phase.DNS,
        title="DNS over UDP is not answered, over TCP it is",
        meaning="The resolver answers on tcp/53, and nothing comes back on udp/53. Most clients ask over UDP "
        "first and do not try TCP after silence.",
        signal="Every query over UDP was silent or refused, and the same query over TCP was answered.",
        evidence=(
            "dns.queries.transport, dns.queries.failure: what each transport got",
            "dns.queries.icmp.offender: who reports udp/53 as closed, where somebody does",
        ),
        suspects=TRANSPORT_BLOCKED,
        severity=Outcome.BLOCKED,
        advice="{resolver} answers over TCP: find out whether udp/53 from {source} is dropped on the way, or "
        "not served there.",
        confirm=steps(DIG, DIG_TCP),
    ),
    Reason(
        code="dns_query_rejected",
        phase=Phase.DNS,
        title="The resolver answers with an error",
        meaning="The resolver can't or won't process the query, whatever the name. It may be no resolver for "
        "clients, or a gateway that does not know this kind of query.",
        signal="FORMERR, NOTIMP or BADVERS, with and without EDNS.",
        evidence=(
            "dns.rcode: the error",
            "dns.queries.edns: whether it is the same without EDNS",
        ),
        suspects=TYPE_REFUSED,
        severity=Outcome.BLOCKED,
        advice="Find out why {resolver} rejects the query for {host} from {source} at {time}, or name a "
        "resolver that serves clients.",
        confirm=steps(DIG, "$ dig @{resolver} {host} A +noedns"),
    ),
    Reason(
        code="dns_no_recursion",
        phase=Phase.DNS,
        title="The server does not resolve names for others",
        meaning="The server names other servers instead of asking them: it serves its own zones only, and is "
        "no resolver for this host.",
        signal="An answer without addresses that refers to other name servers.",
        evidence=(
            "dns.queries.referral: true",
            "dns.queries.flags: without `ra`, recursion available",
        ),
        suspects=RESOLVER,
        severity=Outcome.BLOCKED,
        advice="Name a resolver that recurses for {source}, or allow recursion for it on {resolver}.",
        confirm=steps(DIG, "dig prints `recursion requested but not available`."),
    ),
    Reason(
        code="dns_resolvers_disagree",
        phase=Phase.DNS,
        title="Resolvers disagree, and nothing proves one right",
        meaning="One resolver shows the zone's own word that there is no such name, another gives an address "
        "where no server proves the name. Which of them is right is open.",
        signal="NXDOMAIN or an empty answer with the zone's SOA from one, an address from another, and no "
        "valid certificate at any address.",
        evidence=(
            "dns.resolver, dns.answers, dns.rcode: what each one said",
            "dns.queries.authority_soa: who shows the zone's SOA",
        ),
        suspects=ANSWERS_DISAGREE,
        severity=Outcome.DEGRADED,
        advice="Compare the answers of all resolvers for {host} with those of a resolver of another network, "
        "and ask whoever runs the one that differs where its answer comes from.",
        confirm=steps(DIG, DIG_OTHER, "$ dig {host} A +trace"),
        needs=("second resolver",),
    ),
    Reason(
        code="dns_synthetic_address",
        phase=Phase.DNS,
        title="The address is none that a public server has",
        meaning="The name was given an address of a reserved network, or of one that is not used for public "
        "services. A tunnelling client of this host or a DNS product hands out such addresses and "
        "carries the traffic itself.",
        signal="An answer in 198.18.0.0/15, 100.64.0.0/10, a documentation network or a network of the kind; "
        "nothing answers there unless the client is at work.",
        evidence=(
            "dns.answers: the address",
            "dns.resolver: who gave it; `system` may mean a client of this host",
            "tcp.failure, tcp.icmp.offender: what became of the connection",
        ),
        suspects=SYNTHETIC_ADDRESS,
        severity=Outcome.BLOCKED,
        advice="Look for a tunnelling client (ZTNA, VPN, proxy) on this host or a DNS product behind "
        "{resolver} that answers {address} for {host}: repair it, or exempt the name. No firewall "
        "rule for that address helps.",
        confirm=steps(DIG, DIG_OTHER, ROUTE),
    ),
    Reason(
        code="dns_doubtful_address",
        phase=Phase.DNS,
        title="Names of several owners share a silent network",
        meaning="Names that have nothing in common were given addresses in a row, and none of them answers, "
        "while other networks do. The addresses may be made up by a tunnelling client or a resolver, "
        "or be blocked.",
        signal="One address per name, side by side, for names of several domains, and no answer from any.",
        evidence=(
            "dns.answers: the addresses, one per name",
            "tcp.failure: no answer from any of them",
        ),
        suspects=DOUBTFUL_NETWORK,
        severity=Outcome.BLOCKED,
        advice="First ask a resolver of another network for {host}: if it does not know {address}, look for "
        "a tunnelling client on this host or at {resolver} that made it up. Only if it does, look at "
        "the firewall.",
        confirm=steps(DIG, DIG_OTHER, ROUTE),
    ),
    Reason(
        code="dns_private_link_mixed",
        phase=Phase.DNS,
        title="A private link scope is private in part",
        meaning="Some names of one product resolve to private endpoints here and others to public addresses. "
        "Each can be reached, but the product takes all of them by private link or none, and "
        "refuses the mixture.",
        signal="A `privatelink.` answer for this name, and a public one for another name of the same scope.",
        evidence=(
            "dns.cnames, dns.answers: the private endpoint of this name",
            "trails.resolver: who answers privately",
        ),
        suspects=ZONE_LINKED,
        severity=Outcome.DEGRADED,
        advice="At {resolver}, link the private DNS zones of all names of the private link scope, or remove "
        "the leftover zone that answers for {host}.",
        confirm=steps(DIG, "Compare with another name of the product: all private, or all public."),
        needs=("private link",),
    ),
    Reason(
        code="dns_private_link_public",
        phase=Phase.DNS,
        title="A name of the private link scope is public",
        meaning="`private_link: true` says that a private link scope is in use, and this name of it resolves "
        "to a public address. The agent takes all of its names by private link or none; where the scope or a "
        "firewall forbids the public way, nothing answers there.",
        signal="A public address for a private-link capable name of the scope; an entry of the hosts file "
        "counts as an answer.",
        evidence=(
            "dns.answers, dns.cnames: the public address, and whether an alias leads into a private zone",
            "trails.resolver: who answers publicly",
        ),
        suspects=ZONE_LINKED,
        severity=Outcome.DEGRADED,
        advice="At {resolver}, forward the zone of {host} to where its private DNS zone (`privatelink...`) "
        "is linked, with a record for it, or name its private endpoint in the hosts file of {source}. If no "
        "private link scope is meant to be in use, set `private_link: false`.",
        confirm=steps(DIG, "A private address is expected."),
        needs=("private link",),
    ),
    Reason(
        code="dns_private_link_one_family",
        phase=Phase.DNS,
        title="A name is private in one address family only",
        meaning="The name resolves to a private endpoint in one address family, and to a public address in "
        "the other, which this host can use as well. Programs take either, so they get past the private "
        "link.",
        signal="A private A record beside a public AAAA record, or the reverse, for a name of the scope in "
        "use.",
        evidence=(
            "dns.type, dns.answers: the public address of one type",
            "trails.family: the family that is public",
        ),
        suspects=ZONE_LINKED,
        severity=Outcome.DEGRADED,
        advice="{host} is private over {other_family} only: at {resolver}, let the zone answer the other "
        "family with a private address or with none, not with {address}.",
        confirm=steps(DIG, "Ask for A and for AAAA: both private, or one of them empty."),
        needs=("private link", "IPv6"),
    ),
    Reason(
        code="dns_unknown",
        phase=Phase.DNS,
        title="DNS failed for an unknown reason",
        meaning="The lookup failed and no rule explains it. Do not call it a block on this evidence alone.",
        signal="A failure in the DNS phase that fits none of the known signatures.",
        evidence=(
            "dns.failure, dns.detail: the raw failure",
            "dns.queries.rcode, dns.queries.errno, dns.queries.icmp: what else is known",
        ),
        suspects=NOTHING_KNOWN,
        severity=Outcome.UNKNOWN,
        advice="Look at the resolver's log at {time} for {host} from {source}, with the facts of this "
        "report at hand.",
        confirm=steps(DIG, DIG_TCP, AGAIN),
    ),
)

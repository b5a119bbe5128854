"""Faults of DNS, TCP and NTP."""

from __future__ import annotations

from egressd.lab.faults.fault import fault

TIME = "time.windows.com"

DNS = (
    fault(
        "dns_nxdomain dns dns=nxdomain",
        "The name does not exist: NXDOMAIN with the zone's SOA",
        "dns_name_absent",
    ),
    fault(
        "dns_nxdomain_filtered dns dns=nxdomain_filtered",
        "A DNS filter answers NXDOMAIN: AA set, no SOA",
        "dns_nxdomain_filtered",
    ),
    fault(
        "dns_nodata dns dns=nodata",
        "A DNS filter answers NOERROR without addresses",
        "dns_nodata_filtered",
    ),
    fault("dns_servfail dns dns=servfail", "SERVFAIL with an extended error", "dns_servfail"),
    fault(
        "dns_refused dns dns=refused",
        "The resolver answers REFUSED",
        "dns_refused_name",
        everywhere=("dns_refused_client",),
    ),
    fault(
        "dns_timeout dns dns=drop",
        "The query is dropped",
        "dns_dropped_name",
        everywhere=("dns_resolver_unreachable",),
    ),
    fault(
        "dns_sinkhole dns dns=sinkhole route=closed",
        "The answer is the block address of a DNS filter",
        "dns_sinkhole_known",
    ),
    fault(
        "dns_sinkhole_page dns dns=sinkhole certificate=inspection http=block_generic",
        "The answer is the block address of a DNS filter, which serves a block page with a private CA",
        "dns_sinkhole_known",
    ),
    fault("dns_bogon dns dns=bogon route=silent", "The answer is a private address", "dns_bogon_answer"),
    fault("dns_null dns dns=null route=closed", "The answer is 0.0.0.0", "dns_null_answer"),
    fault(
        "dns_truncated dns dns=truncated",
        "UDP answers are truncated, and DNS over TCP is reset",
        "dns_tcp_blocked",
    ),
    fault(
        "dns_edns_dropped dns dns=edns_dropped",
        "Queries with EDNS are dropped",
        "dns_edns_or_fragment_dropped",
        example="*",
    ),
    fault(
        "dns_edns_formerr dns dns=edns_formerr",
        "Queries with EDNS are answered FORMERR",
        "dns_edns_unsupported",
    ),
    fault("dns_malformed dns dns=malformed", "The answer is no DNS message", "dns_malformed"),
    fault(
        "dns_many_records dns dns=many_records",
        "The answer has more aliases than egressd reads, and no address",
        "dns_beyond_our_limit",
    ),
    fault(
        "dns_wrong_id dns dns=wrong_id",
        "The answer has the id of another query, as a spoofed one would",
        "dns_malformed",
    ),
    fault(
        "dns_private_link dns dns=private_link",
        "The answer is a private endpoint and it works; the other names of the product are public",
        "dns_private_link_mixed",
        notes=("dns_private_link",),
        example="gbl.his.arc.azure.com",
    ),
    fault(
        "dns_private_link_dead dns dns=private_link route=silent",
        "The answer is a private endpoint that can't be reached",
        "dns_private_link_unreachable",
        notes=("tcp_ip_blocked_silent",),
        example="gbl.his.arc.azure.com",
    ),
    fault(
        "dns_private_link_missing dns dns=private_link_missing",
        "The private zone lacks the record",
        "dns_private_zone_missing_record",
        example="gbl.his.arc.azure.com",
    ),
    fault(
        "dns_private_link_split dns dns=private_link_split",
        "One resolver answers the private endpoint, a second one the public address",
        "dns_private_link_split",
        example="gbl.his.arc.azure.com",
    ),
    fault("dns_notimp dns dns=notimp", "The resolver answers NOTIMP", "dns_query_rejected"),
    fault("dns_no_recursion dns dns=referral", "The server names other servers", "dns_no_recursion"),
    fault("dns_late dns dns=late", "The answer comes when the question is asked again", "dns_slow"),
    fault(
        "dns_udp_dropped dns dns=udp_dropped",
        "Queries over UDP are dropped, over TCP they are answered",
        "dns_udp_blocked",
        example="*",
    ),
    fault(
        "dns_aaaa_only dns dns=aaaa_only",
        "The name has IPv6 addresses only, and IPv6 is not probed",
        "dns_other_family_only",
    ),
    fault(
        "dns_synthetic dns dns=synthetic route=silent",
        "The answer is an address as tunnelling clients hand out, and nothing answers there",
        "dns_synthetic_address",
    ),
    fault("dns_aaaa_servfail dns dns=aaaa_servfail", "AAAA is answered SERVFAIL", "dns_aaaa_broken"),
    fault("dns_dns64 dns dns=dns64", "AAAA is synthesized in 64:ff9b::/96"),
    fault(
        "dns_rewritten dns dns=rewritten certificate=wrong_name",
        "The resolver rewrites NXDOMAIN to the address of its search page",
        "dns_nxdomain_rewritten",
        notes=("tls_hostname_mismatch",),
    ),
    fault(
        "dns_no_listener dns global=no_resolver",
        "Nothing listens at the resolver's address",
        "dns_no_listener",
        example="*",
    ),
    fault(
        "dns_intercepted dns global=dns_intercepted",
        "Port 53 is intercepted: an address that runs no DNS answers",
        everywhere=("dns_transparent_proxy",),
        example="*",
    ),
)

TCP = (
    fault("tcp_refused tcp route=closed", "The SYN is answered with RST", "tcp_refused"),
    fault(
        "pki_refused tcp route=closed",
        "The host of revocation lists refuses connections on port 80",
        "tcp_refused",
        notes=("pki_revocation_unreachable",),
        example="www.microsoft.com:80",
    ),
    fault(
        "tcp_silent tcp route=silent",
        "The SYN is dropped",
        "tcp_ip_blocked_silent",
        everywhere=("tcp_egress_all_blocked",),
    ),
    fault(
        "tcp_reset tcp route=reset",
        "The connection is accepted and reset at once",
        "tcp_reset_after_accept",
        "tls_reset_after_hello",
    ),
    fault(
        "tcp_accept_all tcp global=accept_all tls=silence",
        "A device accepts every connection, even to TEST-NET, and does not answer",
        "tls_stall_after_hello",
        everywhere=("tcp_accept_all",),
        example="*",
    ),
)

NTP = (
    fault("ntp_silence ntp route=ntp_silence", "Time requests are dropped", "ntp_no_answer", example=TIME),
    fault("ntp_refused ntp route=ntp_closed", "Nothing listens on port 123", "ntp_refused", example=TIME),
    fault("ntp_kiss ntp route=ntp_kiss", "A kiss-o'-death", "ntp_kiss_of_death", example=TIME),
    fault(
        "ntp_unsynchronized ntp route=ntp_unsynchronized",
        "The server's clock is not synchronised",
        "ntp_unsynchronized",
        example=TIME,
    ),
    fault("ntp_garbage ntp route=ntp_garbage", "The answer is no NTP", "ntp_unknown", example=TIME),
    fault(
        "clock_skew ntp global=skew",
        "All servers' clocks are an hour ahead, and their certificates were issued half an hour ago",
        "local_clock_skew",
        everywhere=("local_clock_skew",),
        example="*",
    ),
)

"""What would mend a failure: by its reason, and by who is asked.

Only what a rule can mend has one. A slow link, a lost packet, a device's defect and a certificate that ends
have none: asking for a rule there would send people the wrong way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from egressd.attribution.blame.request import SURE, mends
from egressd.attribution.reasons import REASONS
from egressd.firewall.rule import Action
from egressd.model.verdict import Blame, Confidence, Suspect, Team, team_of

_ACTIONS: Mapping[Team, Action] = {
    Team.FIREWALL: Action.ALLOW,
    Team.PROXY: Action.ALLOW,
    Team.DNS: Action.RESOLVE,
    Team.INSPECTION: Action.EXEMPT,
}
"""What each team can add for a name; others have no rules."""
AT_RESOLVER = frozenset(
    {"dns_resolver_unreachable", "dns_udp_blocked", "dns_tcp_blocked", "dns_admin_prohibited"}
)
"""Failures of the way to a resolver: a firewall is asked to allow that, not the name."""
_BY_ADDRESS = frozenset({"dns_private_link_unreachable", "dns_doubtful_address"})
"""Failures of an address that DNS gave."""
_WITHOUT_POLICY = frozenset({Blame.UPSTREAM_PATH, Blame.PATH_MTU_LINK, Blame.NAT_DEVICE})
"""Parties that have nothing to allow: a route, a segment size or a pool of addresses is mended otherwise."""
ABOUT_OTHERS = frozenset({"site_choice_unreachable", "site_change_correlated", "site_outage"})
"""Findings that say no more than their targets' own verdicts do of what to change."""
_WITHOUT = frozenset(
    {
        "dns_private_link_unexpected",
        "dns_private_link_split",
        "dns_private_zone_missing_record",
        "dns_transparent_proxy",
        "dns_nxdomain_rewritten",
        "dns_edns_or_fragment_dropped",
        "dns_edns_unsupported",
        "dns_aaaa_broken",
        "dns_intermittent",
        "dns_malformed",
        "dns_slow",
        "dns_other_family_only",
        "dns_search_list",
        "dns_resolvers_disagree",
        "dns_private_link_mixed",
        "dns_private_link_public",
        "dns_private_link_one_family",
        "dns_unknown",
        "tcp_unreachable",
        "tcp_routing_loop",
        "tcp_ipv6_broken",
        "tcp_ipv4_broken",
        "tcp_rate_limited",
        "tcp_idle_session_dropped",
        "nat_ports_exhausted",
        "path_loss",
        "path_intermittent",
        "path_some_ips_broken",
        "path_ipv4_broken",
        "path_ipv6_broken",
        "tcp_unknown",
        "proxy_name_unresolvable",
        "proxy_arc_unreachable",
        "proxy_not_connect_capable",
        "proxy_auth_required",
        "proxy_auth_unsupported",
        "proxy_certificate_untrusted",
        "proxy_auth_rejected",
        "proxy_login_required",
        "proxy_rate_limited",
        "proxy_unknown",
        "tls_pmtu_blackhole_inbound",
        "tls_pmtu_blackhole_outbound",
        "tls_large_hello_intolerant",
        "tls_sni_position_intolerant",
        "tls_partial_then_stall",
        "tls_protocol_error",
        "tls_flood",
        "tls_unknown",
        "tls_mitm_partial",
        "http_truncated",
        "http_range_blocked",
        "http_stale_cache",
        "http_h2_broken",
        "http_flood",
        "http_slow_download",
        "http_unproven_answer",
        "http_malformed_answer",
        "http_unknown",
        "ntp_kiss_of_death",
        "ntp_unsynchronized",
        "ntp_unknown",
        "site_requires_proxy",
        "not_probed",
        "internal_error",
    }
)
"""What no rule mends, in the order of the manual."""


def says_who(reason: str, blame: Blame | None, sure: Confidence | None, suspects: Sequence[Suspect]) -> bool:
    """Return whether a cause says who is asked, or that no rule would help.

    What is only suspected of parties that have no rules says neither: then its targets' own verdicts do.
    """
    if reason in ABOUT_OTHERS:
        return False
    return reason in _WITHOUT or sure in SURE or who_can_act(reason, blame, sure, suspects) is not None


def who_can_act(
    reason: str, blame: Blame | None, sure: Confidence | None, suspects: Sequence[Suspect]
) -> tuple[Blame, Action] | None:
    """Return the party to ask and what of it; None where no rule would help.

    A party that is blamed for sure is asked alone. Until then it is the first suspect that can add a rule,
    of those that the advice speaks to: text and rules never ask different people. Of the way to a resolver
    the firewall is asked as well: every product's list has that connection.
    """
    if blame is None or reason in _WITHOUT:
        return None
    known = REASONS.get(reason)
    others = () if sure in SURE or known is None else (one.blame for one in suspects)
    spoken_to = (one for one in others if reason in AT_RESOLVER or (known is not None and mends(known, one)))
    for party in (blame, *spoken_to):
        if (action := _ACTIONS.get(team_of(party))) is not None and _fits(reason, party, action):
            return party, action
    return None


def _fits(reason: str, party: Blame, action: Action) -> bool:
    """Return whether an action can mend a reason: a resolver no handshake, inspection no lookup."""
    if action is Action.ALLOW and party in _WITHOUT_POLICY:
        return False
    if reason in AT_RESOLVER:
        return action is Action.ALLOW
    about_names = reason.startswith("dns_")
    match action:
        case Action.RESOLVE:
            return about_names or reason == "proxy_upstream_dns_failed" or party is Blame.DNS_FILTER
        case Action.EXEMPT:
            return reason.startswith(("tls_", "http_", "proxy_", "site_"))
        case Action.ALLOW:
            return not about_names or reason in _BY_ADDRESS

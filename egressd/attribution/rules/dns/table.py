"""The rules of the DNS phase, in order."""

from __future__ import annotations

from egressd.attribution.certainty import Certainty, at, contrasted
from egressd.attribution.rules.condition import both, either, is_prohibited, phase_failed
from egressd.attribution.rules.dns import answer, lookup, private_link, transport
from egressd.attribution.rules.local import local_rules
from egressd.attribution.rules.rule import Rule, RuleTable
from egressd.attribution.service_tags.ranges import outside_its_tags
from egressd.model.observation import Failure, Phase
from egressd.model.verdict import Confidence, Outcome

_DENIAL = Certainty(
    text="Confirmed where a server proved the name at another resolver's address, where the resolver says "
    "that it blocks, or where the answer is injected; medium otherwise.",
    of=lookup.sure_of_denial,
)

DNS = RuleTable(
    phase=Phase.DNS,
    rules=(
        *local_rules(Phase.DNS),
        Rule(reason="dns_name_invalid", when=phase_failed(Phase.DNS, Failure.NAME_INVALID)),
        Rule(reason="dns_aaaa_broken", when=lookup.aaaa_broken),
        Rule(
            reason="dns_other_family_only",
            when=lookup.only_other_family,
            suspects=lookup.suspects_of_other_family,
            outcome=lookup.outcome_of_other_family,
        ),
        Rule(reason="dns_no_resolver", when=lookup.no_resolver),
        Rule(
            reason="dns_slow", when=lookup.slow, outcome=lookup.outcome_if_slow, certainty=at(Confidence.HIGH)
        ),
        Rule(reason="dns_search_list", when=answer.search_list_applied),
        Rule(
            reason="dns_local_override",
            when=either(answer.system_lookup_fails, answer.system_differs),
            certainty=contrasted(answer.by_other_resolver, Confidence.MEDIUM),
        ),
        Rule(reason="dns_no_listener", when=lookup.no_listener),
        Rule(reason="dns_admin_prohibited", when=both(lookup.failed, is_prohibited)),
        Rule(reason="dns_tcp_blocked", when=transport.truncated_and_tcp_lost),
        Rule(reason="dns_udp_blocked", when=transport.udp_closed, outcome=transport.outcome_if_udp_closed),
        Rule(
            reason="dns_dropped_name",
            when=lookup.dropped_name,
            suspects=lookup.resolver_if_zone_silent,
            certainty=contrasted(lookup.by_sibling, Confidence.MEDIUM),
        ),
        Rule(
            reason="dns_resolver_unreachable",
            when=lookup.resolver_unreachable,
            certainty=Certainty(
                text="Medium when nothing came, high where another resolver answers at the same time.",
                of=lookup.sure_of_silence,
            ),
        ),
        Rule(reason="dns_refused_client", when=lookup.refused_client),
        Rule(reason="dns_refused_name", when=lookup.refused_name, certainty=at(Confidence.HIGH)),
        Rule(reason="dns_servfail", when=lookup.servfail),
        Rule(reason="dns_query_rejected", when=lookup.query_rejected),
        Rule(reason="dns_derived_name_absent", when=lookup.derived_name_absent),
        Rule(
            reason="dns_private_zone_missing_record",
            when=private_link.record_missing,
            certainty=Certainty(
                text="High where an alias leads into a private zone, medium where the configuration does.",
                of=private_link.sure_of_missing_record,
            ),
        ),
        Rule(reason="dns_no_recursion", when=lookup.no_recursion),
        Rule(
            reason="dns_name_absent",
            when=lookup.name_absent,
            certainty=Certainty(
                text="High where two resolvers agree, medium for one voice.", of=lookup.sure_of_absence
            ),
        ),
        Rule(
            reason="dns_nxdomain_filtered",
            when=lookup.nxdomain_filtered,
            certainty=_DENIAL,
        ),
        Rule(
            reason="dns_nodata_filtered",
            when=lookup.nodata_filtered,
            certainty=_DENIAL,
        ),
        Rule(reason="dns_malformed", when=lookup.malformed),
        Rule(reason="dns_beyond_our_limit", when=lookup.too_large),
        Rule(reason="dns_sinkhole_known", when=answer.sinkhole),
        Rule(reason="dns_null_answer", when=answer.null_answer),
        Rule(
            reason="dns_synthetic_address",
            when=answer.synthetic_address,
            certainty=Certainty(
                text=("Confirmed for a reserved network, medium for one that is assigned and not used."),
                of=answer.sure_of_synthetic,
            ),
        ),
        Rule(
            reason="dns_private_link_unreachable",
            when=private_link.private_link_dead,
            certainty=at(Confidence.HIGH),
        ),
        Rule(
            reason="dns_nxdomain_rewritten",
            when=answer.nxdomain_rewritten,
            outcome=lambda _: Outcome.BLOCKED,
            certainty=Certainty(
                text=("Confirmed where labels of unrelated zones get the address, medium for one zone."),
                of=answer.sure_of_rewriting,
            ),
        ),
        Rule(
            reason="dns_private_link_one_family",
            when=private_link.public_in_one_family,
            outcome=private_link.outcome_of_public,
        ),
        Rule(
            reason="dns_private_link_public",
            when=private_link.public_in_scope,
            outcome=private_link.outcome_of_public,
        ),
        Rule(
            reason="dns_bogon_answer",
            when=answer.bogon,
            certainty=contrasted(answer.by_tls_or_other_resolver, Confidence.HIGH),
        ),
        Rule(
            reason="dns_unexpected_address",
            when=answer.unexpected_address,
            suspects=answer.suspects_of_unexpected,
            certainty=Certainty(
                text=(
                    "Confirmed where the answer is injected; high where a wrong server answers here and "
                    "the right one at another resolver's address; medium where nothing answers here; "
                    "low without TLS."
                ),
                of=answer.sure_of_unexpected,
            ),
        ),
        Rule(reason="dns_doubtful_address", when=answer.doubtful_address, certainty=at(Confidence.LOW)),
        Rule(
            reason="dns_resolvers_disagree",
            when=either(lookup.denial_disputed, answer.disputed),
            certainty=at(Confidence.LOW),
        ),
        Rule(reason="dns_unknown", when=lookup.failed, certainty=at(Confidence.LOW)),
    ),
    notes=(
        Rule(reason="dns_tcp_blocked", when=transport.tcp_closed),
        Rule(reason="dns_private_link_mixed", when=private_link.private_link_mixed),
        Rule(
            reason="dns_private_link_split",
            when=private_link.private_link_split,
            certainty=at(Confidence.HIGH),
        ),
        Rule(reason="dns_private_link_unexpected", when=private_link.private_link_undocumented),
        Rule(reason="dns_private_link", when=private_link.private_link_works),
        Rule(reason="dns_synthetic_address", when=answer.synthetic_works, outcome=answer.outcome_if_works),
        Rule(reason="dns_edns_unsupported", when=transport.edns_unsupported),
        Rule(
            reason="dns_edns_or_fragment_dropped",
            when=transport.edns_lost,
            certainty=contrasted(transport.by_edns, Confidence.MEDIUM),
        ),
        Rule(reason="dns_intermittent", when=transport.lossy, certainty=at(Confidence.MEDIUM)),
        Rule(reason="dns_dns64_synthesized", when=answer.synthesized),
        Rule(reason="dns_address_outside_service_tag", when=outside_its_tags, certainty=at(Confidence.LOW)),
    ),
)

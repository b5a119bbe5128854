"""The facts that decide who caused a failure: ONE table, each row with what it rules out and why.

A row holds for an accusation, which is a failure that a rule explained. It may rule parties out; name the
party that shows itself in a way no other can fake; or point to the party to think of first, which proves
nothing. Reasoning is from protocol definitions: RFC 8446 (TLS), 9112 and 9113 (HTTP), 1035 and 2308 (DNS),
792 and 4443 (ICMP). Add a row with its test in `tests/attribution/test_blame_facts.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from egressd.attribution.blame.parties import FAR_END, NAME_PARTIES, ON_THE_WAY
from egressd.attribution.control_results.contrast import Contrast, mss_contrast, sni_contrast
from egressd.attribution.control_results.hops import failure_hop
from egressd.attribution.control_results.redirect import portal_shared
from egressd.attribution.control_results.resolvers import (
    DENIALS,
    answered_when_asked_again,
    denied_by_other_resolver,
    is_contradicted,
    is_injected,
    other_resolver_answers,
    says_blocked,
    zone_denies,
)
from egressd.attribution.control_results.session import owners_fail_alike, request_lost
from egressd.attribution.facts.certificate import (
    missing_link_is_public,
    names_neighbour,
    signs_unrelated_names,
)
from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.proxy import (
    BAD_GATEWAY,
    arc_gateway_reached,
    goes_by_arc_proxy,
    names_web_server,
    plain_request,
    proxy_refusal,
)
from egressd.attribution.facts.sweep_index import SweepIndex, is_cut
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import product_of
from egressd.model.observation import Failure, HttpObservation, Phase, TlsObservation
from egressd.model.recording import Trail
from egressd.model.verdict import Blame

SHOWN = frozenset({Contrast.AGAIN, Contrast.FLIP})
"""Comparisons that excluded chance: this one failed, the other worked, this one failed again."""


NEGOTIATION_ALERTS = frozenset({40, 70, 71, 109, 120})
"""Alerts of who read the whole offer and takes none of its versions, ciphers or protocols (RFC 8446, 6.2)."""


class Accusation(Struct, frozen=True, kw_only=True):
    """A failure of one trail, as a rule explained it."""

    context: TrailContext
    reason: str
    phase: Phase | None


class Fact(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    says: str
    """The fact in plain words: a reader can check it in the report."""
    holds: Callable[[Accusation], bool]
    rules_out: frozenset[Blame] = frozenset()
    names: Blame | None = None
    """The party that shows itself; all others are ruled out."""
    points_to: Blame | None = None
    """The party to think of first: a hint, not a proof. `azure_service` stands for the far end."""


def _proven(accusation: Accusation) -> bool:
    """Whether the failure came after the server had proved its name by a public chain."""
    return accusation.phase is Phase.HTTP and accusation.context.public_tls


def _content_of_proven_session(accusation: Accusation) -> bool:
    http = accusation.context.http
    written = http is not None and http.failure is not Failure.TLS_ERROR and not is_cut(http)
    return _proven(accusation) and written


def _in_clear(accusation: Accusation) -> HttpObservation | None:
    """Return the answer, where anybody on the way can have written it."""
    http = accusation.context.http
    return http if accusation.phase is Phase.HTTP and not accusation.context.public_tls else None


def _status_of_portals(accusation: Accusation) -> bool:
    answer = _in_clear(accusation)
    return answer is not None and answer.status in (407, 511)


def _status_of_azure_firewall(accusation: Accusation) -> bool:
    answer = _in_clear(accusation)
    return answer is not None and answer.status == 470


def _page_of_product(accusation: Accusation) -> bool:
    answer = _in_clear(accusation)
    return answer is not None and bool(product_of(answer))


def _unrelated_names_lead_there(accusation: Accusation) -> bool:
    return _in_clear(accusation) is not None and portal_shared(accusation.context)


def _request_lost(accusation: Accusation) -> bool:
    return accusation.phase is Phase.HTTP and request_lost(accusation.context)


def _owners_fail_alike(accusation: Accusation) -> bool:
    return accusation.phase is Phase.HTTP and owners_fail_alike(accusation.context)


def _asked(context: TrailContext) -> str:
    """Return the address that the failing phase sent packets to: the resolver's, or the target's."""
    return context.resolver_address if context.failed_in is Phase.DNS else context.dialled[0]


def _icmp_from_hop(accusation: Accusation) -> bool:
    icmp = accusation.context.icmp
    return icmp is not None and not icmp.local and icmp.offender != _asked(accusation.context)


def _icmp_from_target(accusation: Accusation) -> bool:
    icmp = accusation.context.icmp
    return icmp is not None and not icmp.local and icmp.offender == _asked(accusation.context)


def _begins_at_nearer_hop(accusation: Accusation) -> bool:
    return failure_hop(accusation.context) is not None


def _reached_from_other_source(accusation: Accusation) -> bool:
    context = accusation.context
    if context.proxied or accusation.phase is not Phase.TCP:
        return False
    reached = (found for source, found in context.index.reached.items() if source != context.source)
    return any(context.dialled in one for one in reached)


def _others_connect(accusation: Accusation) -> bool:
    context = accusation.context
    silent = context.tcp is not None and context.tcp.failure is Failure.TIMEOUT
    return silent and not context.proxied and bool(context.index.connected(context.source))


def _other_name_answered(accusation: Accusation) -> bool:
    """Whether a name is treated otherwise; an alert for one name is the server's way to say what it lacks."""
    context = accusation.context
    alert = context.tls is not None and context.tls.failure is Failure.ALERT
    return accusation.phase is Phase.TLS and not alert and sni_contrast(context) in SHOWN


def _cut_for_this_name(accusation: Accusation) -> bool:
    """Whether only this name failed, and not by an alert of who takes nothing of our offer."""
    tls = accusation.context.tls
    negotiated = tls is not None and tls.alert is not None and tls.alert.description in NEGOTIATION_ALERTS
    return _other_name_answered(accusation) and not negotiated


def _same_alert_for_any_name(accusation: Accusation) -> bool:
    """Whether another name got the same alert at the address: it is the server's policy, or our offer."""
    context = accusation.context
    alert = context.tls is not None and context.tls.failure is Failure.ALERT
    return accusation.phase is Phase.TLS and alert and sni_contrast(context) is Contrast.FAILED


def _same_name_elsewhere(accusation: Accusation) -> bool:
    """Whether the same name worked at another address of the same family, so that no rule names it."""
    context = accusation.context
    if accusation.phase is not Phase.TLS or context.proxied:
        return False
    return any(
        one.family is context.trail.family and one.address != context.trail.address and _got_tls(one)
        for one in context.probe_trails
    )


def _got_tls(trail: Trail) -> bool:
    tls = trail.seen(Phase.TLS)
    return tls is not None and tls.failure is None


def _small_segments_pass(accusation: Accusation) -> bool:
    return accusation.phase is Phase.TLS and mss_contrast(accusation.context) in SHOWN


def _signed_publicly_for_name(accusation: Accusation) -> bool:
    """Whether a public authority signed a refused certificate for this name."""
    tls = accusation.context.tls
    facts = tls.facts if tls is not None and tls.failure is Failure.VERIFY else None
    refused = accusation.phase is Phase.TLS and facts is not None
    return refused and facts is not None and bool(facts.publicly_anchored and facts.name_matches)


def _only_link_missing(accusation: Accusation) -> bool:
    return accusation.phase is Phase.TLS and missing_link_is_public(accusation.context)


def _sibling_proven_at_address(accusation: Accusation) -> bool:
    context = accusation.context
    answered = context.tls is not None and context.tls.failure is Failure.VERIFY
    return accusation.phase is Phase.TLS and answered and _sibling_proven(context)


def _private_beside_public(accusation: Accusation) -> bool:
    """Whether a private authority signed this name, and a public one others at the same address."""
    tls = accusation.context.tls
    facts = tls.facts if tls is not None and accusation.phase is Phase.TLS else None
    private = facts is not None and facts.publicly_anchored is False
    return private and not missing_link_is_public(accusation.context) and _sibling_proven(accusation.context)


def _sibling_proven(context: TrailContext) -> bool:
    """Whether another name of the same domain was proven at this address."""
    domains = context.index.once(_proven_domains).get((context.source, *context.dialled), frozenset())
    return not context.proxied and domain_of(context.probe.host) in domains


def _proven_domains(index: SweepIndex) -> dict[tuple[str, str, int], frozenset[str]]:
    """Return the domains of the names that were proven at each address."""
    return {place: frozenset(map(domain_of, names)) for place, names in index.proven_names.items()}


def _names_neighbour(accusation: Accusation) -> bool:
    return accusation.phase is Phase.TLS and names_neighbour(accusation.context)


def _owners_authority(accusation: Accusation) -> bool:
    """Whether the operator's own server shows an authority that this host trusts."""
    tls = accusation.context.tls
    facts = tls.facts if tls is not None else None
    trusted = facts is not None and facts.store_anchored is True
    return accusation.context.owned and trusted and not signs_unrelated_names(accusation.context)


def _signs_unrelated_names(accusation: Accusation) -> bool:
    return accusation.phase is Phase.TLS and signs_unrelated_names(accusation.context)


def _answered_connect(accusation: Accusation) -> bool:
    """Whether the listener at the proxy's address answered for itself, and not for what is beyond it."""
    tunnel = accusation.context.tunnel
    if accusation.phase is not Phase.PROXY or tunnel is None or goes_by_arc_proxy(accusation.context):
        return False
    own = tunnel.failure is Failure.PROXY_STATUS and tunnel.status not in BAD_GATEWAY
    return own or tunnel.failure is Failure.PROXY_PAGE


def _by_proven_proxy(accusation: Accusation) -> bool:
    """Whether it answered inside TLS in which the proxy proved its own name."""
    trail = accusation.context.trail
    own = [one for one in trail.observations if isinstance(one, TlsObservation)]
    with_proxy = own[: len(own) - len(trail.handshakes)]
    return _answered_connect(accusation) and any(one.failure is None for one in with_proxy)


def _is_no_proxy(accusation: Accusation) -> bool:
    """Whether the listener at the proxy's address shows itself as something else."""
    if accusation.reason != "proxy_not_connect_capable":
        return False
    answer = proxy_refusal(accusation.context) or plain_request(accusation.context)
    return answer is None or answer.status is None or names_web_server(answer)


def _no_tunnel_for_anybody(accusation: Accusation) -> bool:
    """Whether the same proxy opened no tunnel to names of unrelated owners either."""
    context, index = accusation.context, accusation.context.index
    if goes_by_arc_proxy(context):  # the gateway is the far end, whatever name is asked for
        return False
    if accusation.phase is not Phase.PROXY or context.trail.path in index.working_proxies:
        return False
    return len(index.once(_domains_by_proxy).get(context.trail.path, ())) > 1


def _domains_by_proxy(index: SweepIndex) -> dict[str, set[str]]:
    """Return the domains for which each proxy was asked for a tunnel."""
    found: dict[str, set[str]] = {}
    for probe, trails in index.trails.items():
        for one in trails:
            if one.seen(Phase.PROXY) is not None:
                found.setdefault(one.path, set()).add(domain_of(index.probes[probe].host))
    return found


def _arc_gateway_reached(accusation: Accusation) -> bool:
    context = accusation.context
    refused = accusation.phase is Phase.PROXY and goes_by_arc_proxy(context)
    return refused and arc_gateway_reached(context) is True


def _arc_proxy_opens_tunnels(accusation: Accusation) -> bool:
    context = accusation.context
    refused = accusation.phase is Phase.PROXY and goes_by_arc_proxy(context)
    return refused and context.trail.path in context.index.working_proxies


def _other_name_in_tunnel(accusation: Accusation) -> bool:
    return accusation.context.proxied and _other_name_answered(accusation)


def _injected(accusation: Accusation) -> bool:
    return accusation.phase is Phase.DNS and is_injected(accusation.context)


def _answered_twice(accusation: Accusation) -> bool:
    return accusation.phase is Phase.DNS and is_contradicted(accusation.context)


def _resolver_says_blocked(accusation: Accusation) -> bool:
    return accusation.phase is Phase.DNS and says_blocked(accusation.context)


def _zone_denies_twice(accusation: Accusation) -> bool:
    """Whether this resolver and another one both show the zone's denial, and nobody injects it."""
    context = accusation.context
    own = context.dns
    if accusation.phase is not Phase.DNS or own is None or own.failure not in DENIALS or is_injected(context):
        return False
    others = [one for one in other_resolver_answers(context) if zone_denies(one.queries)]
    return zone_denies(own.queries) and denied_by_other_resolver(context) and bool(others)


def _answered_later(accusation: Accusation) -> bool:
    return accusation.phase is Phase.DNS and answered_when_asked_again(accusation.context)


FACTS: tuple[Fact, ...] = (
    Fact(
        name="proven_proxy",
        says="the answer to CONNECT came inside TLS in which the proxy proved its name",
        holds=_by_proven_proxy,
        names=Blame.EXPLICIT_PROXY,
    ),
    Fact(
        name="no_proxy",
        says="what listens at the proxy's address answers as a web server does, or speaks no HTTP",
        holds=_is_no_proxy,
        points_to=Blame.EGRESSD_ENV,
    ),
    Fact(
        name="answered_connect",
        says="what listens at the proxy's address answered CONNECT itself, so nothing beyond it was tried",
        holds=_answered_connect,
        rules_out=FAR_END | NAME_PARTIES,
        points_to=Blame.EXPLICIT_PROXY,
    ),
    Fact(
        name="no_tunnel_for_anybody",
        says="the same proxy opened no tunnel to names of unrelated owners either",
        holds=_no_tunnel_for_anybody,
        rules_out=FAR_END,
    ),
    Fact(
        name="arc_gateway_reached",
        says="the gateway's own URL proved its name, so the way to it is open, and no other one is needed",
        holds=_arc_gateway_reached,
        rules_out=frozenset({Blame.FIREWALL_L7, Blame.FIREWALL_L3L4}),
    ),
    Fact(
        name="arc_proxy_opens_tunnels",
        says="the same Arc proxy opened tunnels to other names, so its way to the gateway is open",
        holds=_arc_proxy_opens_tunnels,
        rules_out=frozenset({Blame.FIREWALL_L7, Blame.FIREWALL_L3L4}),
    ),
    Fact(
        name="other_name_in_tunnel",
        says="another server name got a TLS answer in a tunnel to the same place, and this one failed "
        "every time",
        holds=_other_name_in_tunnel,
        points_to=Blame.EXPLICIT_PROXY,
    ),
    Fact(
        name="answer_injected",
        says="an address that runs no DNS answered for this name and for no other: somebody on the way does",
        holds=_injected,
        names=Blame.DNS_FILTER,
    ),
    Fact(
        name="two_answers",
        says="one query got two different answers: besides the resolver, somebody on the way answers",
        holds=_answered_twice,
        names=Blame.DNS_FILTER,
    ),
    Fact(
        name="resolver_says_blocked",
        says="the answer itself says that the name is blocked (RFC 8914)",
        holds=_resolver_says_blocked,
        names=Blame.DNS_FILTER,
    ),
    Fact(
        name="zone_denies_twice",
        says="two resolvers show the zone's own denial, with its SOA",
        holds=_zone_denies_twice,
        rules_out=NAME_PARTIES,
    ),
    Fact(
        name="answered_later",
        says="the same question was answered when it was asked again, so nothing forbids it",
        holds=_answered_later,
        rules_out=frozenset({Blame.DNS_FILTER, Blame.FIREWALL_L3L4}),
    ),
    Fact(
        name="content_of_proven_session",
        says="the answer came inside TLS that proved the server's name by a public authority, where no "
        "device on the way can write",
        holds=_content_of_proven_session,
        rules_out=ON_THE_WAY | NAME_PARTIES | {Blame.LOCAL_HOST},
    ),
    Fact(
        name="name_proven_at_address",
        says="the server at this address proved its name by a public authority, so the address is right",
        holds=_proven,
        rules_out=NAME_PARTIES,
    ),
    Fact(
        name="status_of_portals",
        says="the status, in clear text, is one that only proxies and login portals give",
        holds=_status_of_portals,
        rules_out=FAR_END,
        points_to=Blame.TRANSPARENT_PROXY,
    ),
    Fact(
        name="status_of_azure_firewall",
        says="the status, in clear text, is one that only Azure Firewall gives",
        holds=_status_of_azure_firewall,
        rules_out=FAR_END,
        points_to=Blame.FIREWALL_L7,
    ),
    Fact(
        name="page_of_product",
        says="the answer, in clear text, has the marks of a product that filters or forwards requests",
        holds=_page_of_product,
        rules_out=FAR_END,
        points_to=Blame.FIREWALL_L7,
    ),
    Fact(
        name="unrelated_names_lead_there",
        says="answers in clear text to names of unrelated owners lead to the same place",
        holds=_unrelated_names_lead_there,
        rules_out=FAR_END,
        points_to=Blame.TRANSPARENT_PROXY,
    ),
    Fact(
        name="request_lost",
        says="the request was never acknowledged, so the server never got it",
        holds=_request_lost,
        rules_out=FAR_END,
        points_to=Blame.FIREWALL_L7,
    ),
    Fact(
        name="owners_fail_alike",
        says="genuine sessions with services of several owners ended in the same way",
        holds=_owners_fail_alike,
        points_to=Blame.FIREWALL_L7,
    ),
    Fact(
        name="icmp_from_hop",
        says="a device on the way reported the failure by ICMP",
        holds=_icmp_from_hop,
        rules_out=FAR_END | NAME_PARTIES,
    ),
    Fact(
        name="icmp_from_target",
        says="the ICMP error came from the address that was asked itself",
        holds=_icmp_from_target,
        rules_out=frozenset({Blame.UPSTREAM_PATH, Blame.LOCAL_GATEWAY}),
    ),
    Fact(
        name="nearer_hop",
        says="rising hop limits show that the failure begins before the far end",
        holds=_begins_at_nearer_hop,
        rules_out=FAR_END | {Blame.UPSTREAM_PATH},
    ),
    Fact(
        name="reached_from_other_source",
        says="another source of this host reached the same address and port",
        holds=_reached_from_other_source,
        rules_out=FAR_END | NAME_PARTIES | {Blame.UPSTREAM_PATH, Blame.LOCAL_GATEWAY},
        points_to=Blame.FIREWALL_L3L4,
    ),
    Fact(
        name="others_connect",
        says="other connections from the same source were answered",
        holds=_others_connect,
        rules_out=frozenset({Blame.LOCAL_GATEWAY}),
    ),
    Fact(
        name="other_name_answered",
        says="another server name got a TLS answer at the same address, and this one failed every time",
        holds=_other_name_answered,
        rules_out=frozenset(
            {
                Blame.FIREWALL_L3L4,
                Blame.UPSTREAM_PATH,
                Blame.LOCAL_GATEWAY,
                Blame.PATH_MTU_LINK,
                Blame.NAT_DEVICE,
            }
        ),
    ),
    Fact(
        name="cut_for_this_name",
        says="this server name was cut off or refused and another one was not, without a word on versions or "
        "ciphers",
        holds=_cut_for_this_name,
        points_to=Blame.FIREWALL_L7,
    ),
    Fact(
        name="same_alert_for_any_name",
        says="another server name got the same alert at the same address",
        holds=_same_alert_for_any_name,
        points_to=Blame.AZURE_SERVICE,
    ),
    Fact(
        name="same_name_elsewhere",
        says="the same server name was answered at another address",
        holds=_same_name_elsewhere,
        rules_out=frozenset({Blame.FIREWALL_L7}),
    ),
    Fact(
        name="small_segments_pass",
        says="the same ClientHello was answered when it was sent in smaller segments",
        holds=_small_segments_pass,
        rules_out=frozenset({Blame.FIREWALL_L7}),
        points_to=Blame.PATH_MTU_LINK,
    ),
    Fact(
        name="signed_publicly_for_name",
        says="a public authority signed the certificate for this very name, which no device on the way can "
        "make it do",
        holds=_signed_publicly_for_name,
        rules_out=ON_THE_WAY | NAME_PARTIES,
    ),
    Fact(
        name="only_link_missing",
        says="the authority that signed the certificate is known to be public, and only its own certificate "
        "was not sent",
        holds=_only_link_missing,
        points_to=Blame.AZURE_SERVICE,
    ),
    Fact(
        name="sibling_proven_at_address",
        says="another name of the same domain was proven at this address by a public authority",
        holds=_sibling_proven_at_address,
        rules_out=NAME_PARTIES,
    ),
    Fact(
        name="private_beside_public",
        says="at the same address a public authority signed for other names of the domain, and a private one "
        "for this name",
        holds=_private_beside_public,
        points_to=Blame.TLS_INSPECTION,
    ),
    Fact(
        name="names_neighbour",
        says="the certificate is for other names of the same domain, so its owner's server answered",
        holds=_names_neighbour,
        rules_out=ON_THE_WAY | NAME_PARTIES,
    ),
    Fact(
        name="owners_authority",
        says="the server is the operator's own, and this host trusts the authority that signed for it",
        holds=_owners_authority,
        rules_out=frozenset({Blame.TLS_INSPECTION}),
    ),
    Fact(
        name="signs_unrelated_names",
        says="the same private authority signed for names of unrelated owners",
        holds=_signs_unrelated_names,
        rules_out=FAR_END,
        names=Blame.TLS_INSPECTION,
    ),
)

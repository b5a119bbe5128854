"""Who is left when sites are controls for each other: what the sites' own facts leave, less what others show.

Three limits hold whatever is compared. An address that others reach may be served from many places, and its
owner may refuse one network: comparing sites never confirms. An answer inside a proven session stays the far
end's. And one change pushed to all firewalls looks as an outage does: the firewalls stay suspects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from egressd.attribution.blame.elimination import (
    Attribution,
    SharedFact,
    common_attribution,
    narrowed,
    usual_attribution,
    with_deciders,
)
from egressd.attribution.blame.parties import BEHIND_PROXY, FAR_END, NAME_PARTIES
from egressd.attribution.blame.request import SURE
from egressd.attribution.blame.suspects import NOTHING_KNOWN
from egressd.attribution.certainty import highest, lower
from egressd.attribution.reasons import find_reason
from egressd.fleet.values import SiteTarget
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Confidence, Suspect, Verdict
from egressd.wording import host_port

_B = Blame
OF_ONE_SITE = frozenset({_B.LOCAL_GATEWAY, _B.NAT_DEVICE, _B.PATH_MTU_LINK})
"""What each site has for itself and nobody changes at several from one place."""
FIREWALLS = frozenset(
    {
        _B.FIREWALL_L3L4,
        _B.FIREWALL_L7,
        _B.TLS_INSPECTION,
        _B.TRANSPARENT_PROXY,
        _B.EXPLICIT_PROXY,
        _B.DNS_FILTER,
    }
)
"""What is often managed from one place for all sites."""
COMPARABLE = frozenset({Phase.TCP, Phase.TLS})
"""Phases in which what an address does for one site it does for another. By HTTP a server knows whom it
refuses, and a zone may answer by where it is asked from."""
DEVICES_ONLY = frozenset(
    {
        "dns_null_answer",
        "dns_sinkhole_known",
        "http_azure_firewall_denied",
        "http_block_page",
        "http_captive_portal",
        "http_transparent_proxy_auth",
        "proxy_auth_rejected",
        "proxy_auth_required",
        "proxy_denied",
        "proxy_port_denied",
        "tcp_admin_prohibited",
        "tcp_refused_by_middlebox",
        "tls_mitm_block_page",
        "tls_mitm_cert_expired",
        "tls_mitm_origin_untrusted",
        "tls_mitm_trusted",
        "tls_mitm_untrusted",
        "tls_plaintext_block_page",
    }
)
"""Reasons that show a device on the way: however many sites have one, no service is accused."""


def own_attribution(one: SiteTarget) -> Attribution:
    """Return who a site by itself has for suspects; where only the first is known, with the usual ones."""
    sure = one.blame_confidence or Confidence.LOW
    if one.suspects and one.blame is not None:
        return Attribution(blame=one.blame, confidence=sure, suspects=one.suspects, ruled_out=one.ruled_out)
    usual = _usual_parties(one)
    first = one.blame or usual[0]
    left = (first,) if sure is Confidence.CONFIRMED else tuple(dict.fromkeys((first, *usual)))
    return Attribution(blame=first, confidence=sure, suspects=with_deciders(left, known_values(one)))


def _usual_parties(one: SiteTarget) -> tuple[Blame, ...]:
    reason = find_reason(one.reason or "")
    signature = reason.suspects if reason is not None else NOTHING_KNOWN
    parties = signature.own if one.owned and signature.own else signature.parties
    if one.owned:
        parties = tuple(_B.ENDPOINT_OWNER if party is _B.AZURE_SERVICE else party for party in parties)
    if one.path != "direct" and one.phase is not Phase.DNS and _B.EXPLICIT_PROXY not in parties:
        parties = tuple(BEHIND_PROXY.get(party, party) for party in parties if party not in NAME_PARTIES)
    return tuple(dict.fromkeys(parties))


def known_values(one: SiteTarget) -> Mapping[str, str]:
    """Return the values of placeholders that a result alone gives."""
    place = host_port(one.host, one.port)
    return {
        "host": one.host,
        "place": place,
        "service": f"{one.protocol}/{one.port}",
        "time": one.onset.by if one.onset is not None else one.seen,
        "proxy": one.path if one.path != "direct" else "",
    }


def common_suspects(some: Iterable[SiteTarget]) -> Attribution | None:
    """Return who can have done it at every site; whom one rules out did not. None: there is nobody."""
    kinds: dict[tuple[Blame | None, Confidence | None, tuple[Blame, ...]], Verdict] = {}
    for one in some:
        own = own_attribution(one)
        key = own.blame, own.confidence, tuple(suspect.blame for suspect in own.suspects)
        if key not in kinds:  # a thousand sites have a handful of them
            kinds[key] = Verdict(
                outcome=one.outcome,
                blame=own.blame,
                blame_confidence=own.confidence,
                suspects=own.suspects,
                ruled_out=own.ruled_out,
            )
    return common_attribution(tuple(kinds.values()))


def most_sure(some: Iterable[SiteTarget]) -> Confidence:
    """Return how sure it is what happened: what one of them shows, all have."""
    return highest(one.confidence for one in some)


def accuses_far_end(found: Attribution) -> bool:
    """Whether the far end is left."""
    return any(one.blame in FAR_END for one in found.suspects)


def only_devices_do(some: Sequence[SiteTarget]) -> bool:
    """Whether a device on the way shows itself by what happened, or by what most sites know of it."""
    known = sum(one.blame not in FAR_END and one.blame_confidence in SURE for one in some)
    return 2 * known > len(some) or any(one.reason in DEVICES_ONLY for one in some)


def may_be_rolled_out(one: SiteTarget) -> bool:
    """Whether a site by itself thinks first of what is managed for several sites, and not of its host."""
    return one.blame is None or one.blame not in FAR_END | {_B.LOCAL_HOST, _B.EGRESSD_ENV}


def by_controls(
    found: Attribution, one: SiteTarget, *, others: int, same_address: int, surely: bool
) -> Attribution:
    """Return who is left where others reach the same place, so many of them at the very same address.

    `surely`: they did while it failed, and not only soon before or after. What a site knows for sure of its
    far end, a name that works elsewhere does not outweigh.
    """
    excludes = bool(same_address) and one.phase in COMPARABLE and not (one.anycast or one.owned)
    if found.confidence is Confidence.CONFIRMED or (
        found.blame in FAR_END and found.confidence in SURE and not excludes
    ):
        return found
    fact = _contrast(found, one, others=others, same_address=same_address)
    most = Confidence.HIGH if excludes and surely and others > 1 else Confidence.MEDIUM
    return _less(found, fact, most=lower(one.confidence, most))


def _less(found: Attribution, fact: SharedFact, *, most: Confidence) -> Attribution:
    """Return who is left by a fact; who was first before it is not less sure by it."""
    left = narrowed(found, (fact,), most=most)
    if left.blame is not found.blame:
        return left
    return replace(left, confidence=highest((left.confidence, found.confidence)))


def _contrast(found: Attribution, one: SiteTarget, *, others: int, same_address: int) -> SharedFact:
    own = own_parties(found)
    if not same_address or one.phase not in COMPARABLE:
        says = f"{_sites(others)} reached the same name and port"
        return SharedFact(says=says, rules_out=frozenset(), points_to=own)
    says = f"{_sites(same_address)} reached the very same address and port in the same time"
    if one.anycast:
        says += ", which may be served from another place for them"
        return SharedFact(says=says, rules_out=NAME_PARTIES, points_to=own)
    gone = NAME_PARTIES | {_B.AZURE_SERVICE, _B.PKI_ENDPOINT}
    return SharedFact(says=says, rules_out=gone, points_to=own)


def _sites(number: int) -> str:
    return "another site" if number == 1 else f"{number} other sites"


def own_parties(found: Attribution) -> tuple[Blame, ...]:
    """Return the suspects that a site has for itself, in their order: all but far end and transit."""
    return tuple(
        one.blame for one in found.suspects if one.blame not in FAR_END and one.blame is not _B.UPSTREAM_PATH
    )


def of_outage(found: Attribution, some: Sequence[SiteTarget], *, sites: int) -> Attribution:
    """Return who is left where most sites began to fail alike in the same minutes."""
    resolvers = {device for one in some for device in one.devices if device.startswith("resolver ")}
    gone = OF_ONE_SITE | {_B.LOCAL_HOST} | ({_B.DNS_RESOLVER} if len(resolvers) > 1 else frozenset())
    fact = SharedFact(
        says=f"{sites} sites with ways of their own began to fail in the same way in the same minutes",
        rules_out=gone,
        points_to=(_B.AZURE_SERVICE, _B.ENDPOINT_OWNER, _B.PKI_ENDPOINT),
    )
    return _less(found, fact, most=most_sure(some))


def of_change(found: Attribution, some: Sequence[SiteTarget], *, sites: int) -> Attribution:
    """Return who is left where one change reached several sites."""
    fact = SharedFact(
        says=f"it began in the same way at {sites} sites, which no device of a single site explains",
        rules_out=OF_ONE_SITE,
        points_to=tuple(one for one in own_parties(found) if one in FIREWALLS),
    )
    return _less(found, fact, most=lower(most_sure(some), Confidence.HIGH))


def of_cut_off(some: Sequence[SiteTarget], *, others: int) -> Attribution:
    """Return who cuts a site off: whom its failures have in common, and never the many far ends."""
    gone = dict.fromkeys(FAR_END, f"{others} other sites reach the same places")
    usual = usual_attribution(NOTHING_KNOWN, most=Confidence.MEDIUM, values={}, ruled_out=gone)
    common = common_suspects(some)
    left = tuple(one for one in common.suspects if one.blame not in FAR_END) if common is not None else ()
    if common is None or not left:
        return usual
    sure = highest((Confidence.MEDIUM, common.confidence)) if len(left) == 1 else Confidence.LOW
    return replace(common, blame=left[0].blame, confidence=sure, suspects=left, ruled_out=usual.ruled_out)


def capped(found: Attribution, most: Confidence) -> Attribution:
    """Return the same, at most so sure, unless a party has shown itself."""
    if found.confidence is Confidence.CONFIRMED:
        return found
    return replace(found, confidence=lower(found.confidence, most))


_DECIDED_BY = {
    _B.AZURE_SERVICE: "the service's status page for {time}, and {place} from a network that none of these "
    "sites uses",
    _B.ENDPOINT_OWNER: "the log of the server behind {place} at {time}, and whether it lets these sites' "
    "addresses in",
    _B.UPSTREAM_PATH: "the providers' routing at {time}: which sites share a provider?",
    _B.LOCAL_HOST: "what was installed or configured on the hosts of these sites at {time}",
}
_PUSHED = "the log of what was pushed to {devices} from their management at {time}"
_DEVICES = {
    _B.FIREWALL_L3L4: "all these firewalls",
    _B.FIREWALL_L7: "all these firewalls",
    _B.TLS_INSPECTION: "all these inspecting devices",
    _B.TRANSPARENT_PROXY: "all these proxies",
    _B.EXPLICIT_PROXY: "all these proxies",
    _B.DNS_FILTER: "all these DNS filters",
}


def decided_for_sites(found: Attribution, *, place: str, time: str) -> Attribution:
    """Return the same with what decides for several sites at once, instead of the log lines of one."""

    def decided(one: Suspect) -> Suspect:
        text = _PUSHED if one.blame in _DEVICES else _DECIDED_BY.get(one.blame, "")
        if not text:
            return one
        said = text.format(place=place, time=time, devices=_DEVICES.get(one.blame, ""))
        return replace(one, decided_by=said)

    return replace(found, suspects=tuple(decided(one) for one in found.suspects))

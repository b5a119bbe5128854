"""Which parties are present for a trail, in the place of those of the usual signature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from egressd.attribution.blame.suspects import Signature
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import Phase
from egressd.model.verdict import Blame

NAME_PARTIES = frozenset({Blame.DNS_RESOLVER, Blame.DNS_FILTER})
"""Who answers for names."""
FAR_END = frozenset({Blame.AZURE_SERVICE, Blame.ENDPOINT_OWNER, Blame.PKI_ENDPOINT})
ON_THE_WAY = frozenset(
    {
        Blame.LOCAL_GATEWAY,
        Blame.FIREWALL_L3L4,
        Blame.FIREWALL_L7,
        Blame.TLS_INSPECTION,
        Blame.TRANSPARENT_PROXY,
        Blame.EXPLICIT_PROXY,
        Blame.PATH_MTU_LINK,
        Blame.NAT_DEVICE,
        Blame.UPSTREAM_PATH,
        Blame.UNKNOWN_MIDDLEBOX,
    }
)
"""Who forwards packets or connections."""
BEHIND_PROXY: Mapping[Blame, Blame] = {
    Blame.LOCAL_GATEWAY: Blame.EXPLICIT_PROXY,
    Blame.FIREWALL_L3L4: Blame.EXPLICIT_PROXY,
    Blame.FIREWALL_L7: Blame.EXPLICIT_PROXY,
    Blame.TLS_INSPECTION: Blame.EXPLICIT_PROXY,
    Blame.TRANSPARENT_PROXY: Blame.EXPLICIT_PROXY,
    Blame.PATH_MTU_LINK: Blame.EXPLICIT_PROXY,
    Blame.NAT_DEVICE: Blame.EXPLICIT_PROXY,
    Blame.UPSTREAM_PATH: Blame.EXPLICIT_PROXY,
    Blame.UNKNOWN_MIDDLEBOX: Blame.EXPLICIT_PROXY,
}
"""Through a proxy the direct way is not used: what stands for it is the proxy."""


def parties_present(context: TrailContext, signature: Signature, phase: Phase | None) -> tuple[Blame, ...]:
    """Return the parties of a signature that are there for a trail, in its order."""
    parties = signature.own if context.owned and signature.own else signature.parties
    found: Iterator[Blame] = (far_end_of(one, context) for one in parties)
    if context.proxied and phase is not Phase.DNS and Blame.EXPLICIT_PROXY not in parties:
        found = _behind_proxy(tuple(found))
    return tuple(dict.fromkeys(found)) or parties


def unidentified(context: TrailContext) -> Blame:
    """Return the party to ask where the facts leave nobody: behind a proxy only its side can look further."""
    return BEHIND_PROXY[Blame.UNKNOWN_MIDDLEBOX] if context.proxied else Blame.UNKNOWN_MIDDLEBOX


def far_end_of(party: Blame, context: TrailContext) -> Blame:
    """Name the far end by who runs it."""
    return Blame.ENDPOINT_OWNER if party is Blame.AZURE_SERVICE and context.owned else party


def _behind_proxy(parties: tuple[Blame, ...]) -> Iterator[Blame]:
    """Yield the proxy for what stands on the direct way; resolvers of this host are not asked.

    Inspection that comes first has shown itself by its certificate: it is known for what it does.
    """
    for place, one in enumerate(parties):
        if one is Blame.TLS_INSPECTION and place == 0:
            yield one
        elif one not in NAME_PARTIES:
            yield BEHIND_PROXY.get(one, one)

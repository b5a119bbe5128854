"""What an Azure Arc gateway in use means for a row: forwarded, to be reached without it, or not documented.

It is a property of the product that asks, not of the host: a name that the gateway forwards for servers may
have to be reached directly by an appliance.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from egressd.model.endpoint import Cloud, Endpoint, Forwarding, GatewayUse, Inspection, Need, Protocol
from egressd.model.settings import ALL_ROLES, ARC_GATEWAY_DOMAIN, ArcGateway
from egressd.planning.pattern import pattern_covers
from egressd.planning.placeholder import placeholders

VALUE_NAME = "arc_gateway"
HTTPS_PORT = 443
FORWARDED_IN_CLEAR = ("*.update.microsoft.com", "www.microsoft.com")
"""All that the gateway forwards of plain HTTP, by Microsoft's list of what it forwards."""
ENCRYPTED = (Protocol.HTTPS, Protocol.WSS, Protocol.TLS)


def is_gateway(endpoint: Endpoint) -> bool:
    """Return whether a row is the gateway's own URL."""
    texts = (endpoint.pattern, *endpoint.samples.templated)
    return any(VALUE_NAME in placeholders(text) for text in texts) and ARC_GATEWAY_DOMAIN in endpoint.pattern


def required(endpoint: Endpoint) -> Endpoint:
    """Return the gateway's own row, where one is in use: nothing works without it."""
    return replace(endpoint, need=Need.REQUIRED, condition=None, feature=None)


def row_of_gateway(gateway: ArcGateway) -> Endpoint:
    """Return a row for the gateway's own URL, where no selected product has one."""
    return Endpoint(
        id="arc-gateway",
        profile="",
        service="Azure Arc gateway",
        pattern=gateway.host,
        port=HTTPS_PORT,
        protocol=Protocol.HTTPS,
        roles=ALL_ROLES,
        need=Need.REQUIRED,
        purpose="Carry what the gateway forwards.",
        inspection=Inspection.FORBIDDEN,
        gateway=(("", Forwarding.DIRECT),),
        clouds=(Cloud.PUBLIC,),
    )


def gateway_use(endpoint: Endpoint, profiles: Sequence[str]) -> GatewayUse:
    """Return what the gateway means for a row that these products ask for.

    It is forwarded only if it is for all of them; what one of them needs without the gateway stays so.
    """
    if ARC_GATEWAY_DOMAIN in endpoint.pattern:
        return GatewayUse(word=Forwarding.DIRECT, why="it is the gateway")
    if endpoint.internal:
        return GatewayUse(word=Forwarding.DIRECT, why="it is on your own network")
    if endpoint.protocol not in (*ENCRYPTED, Protocol.HTTP):
        return GatewayUse(word=Forwarding.DIRECT, why=f"it forwards no {endpoint.protocol.value}")
    if endpoint.protocol is Protocol.HTTP and not _is_forwarded_in_clear(endpoint):
        return GatewayUse(word=Forwarding.DIRECT, why="it forwards no plain HTTP to this host")
    words = {one: _word(endpoint, one) for one in profiles}
    direct = [one for one, word in words.items() if word is Forwarding.DIRECT]
    silent = [one for one, word in words.items() if word is None]
    if direct:
        return GatewayUse(word=Forwarding.DIRECT, why=f"{_listed(direct)} must reach this without it")
    if silent or not words:
        return GatewayUse(word=None, why=f"no document says whether it forwards this for {_listed(silent)}")
    return GatewayUse(word=Forwarding.FORWARDED, why=f"documented for {_listed(profiles)}")


def _word(endpoint: Endpoint, asking: str) -> Forwarding | None:
    """Return what a document says for a product: of its own, or for that whose list the row is in."""
    words = dict(endpoint.gateway)
    return words.get(asking, words.get(endpoint.profile))


def _is_forwarded_in_clear(endpoint: Endpoint) -> bool:
    return any(one == endpoint.pattern or pattern_covers(one, endpoint.pattern) for one in FORWARDED_IN_CLEAR)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)

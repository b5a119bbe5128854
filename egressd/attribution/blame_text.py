"""The text of each blame value, and the team to call; the runbooks have the same table (tested)."""

from __future__ import annotations

from collections.abc import Mapping

from egressd.model.verdict import Blame

FIREWALL = "the firewall team"
GATEWAY = "the proxy or web gateway team"
DNS = "the DNS team"
HOST = "the administrator of the host"
NETWORK = "the network team, then the provider"
OWNER = "the team that runs the server"
SERVICE = "the service's status page, then its support"

CALL: Mapping[Blame, str] = {
    Blame.LOCAL_HOST: HOST,
    Blame.LOCAL_GATEWAY: HOST,
    Blame.DNS_RESOLVER: DNS,
    Blame.DNS_FILTER: DNS,
    Blame.FIREWALL_L3L4: FIREWALL,
    Blame.FIREWALL_L7: FIREWALL,
    Blame.TLS_INSPECTION: GATEWAY,
    Blame.EXPLICIT_PROXY: GATEWAY,
    Blame.TRANSPARENT_PROXY: GATEWAY,
    Blame.PATH_MTU_LINK: NETWORK,
    Blame.NAT_DEVICE: FIREWALL,
    Blame.UPSTREAM_PATH: NETWORK,
    Blame.AZURE_SERVICE: SERVICE,
    Blame.ENDPOINT_OWNER: OWNER,
    Blame.PKI_ENDPOINT: SERVICE,
    Blame.EGRESSD_ENV: HOST,
    Blame.UNKNOWN_MIDDLEBOX: NETWORK,
}

_WHAT: Mapping[Blame, str] = {
    Blame.LOCAL_HOST: "the probing host",
    Blame.LOCAL_GATEWAY: "the gateway of the probing host",
    Blame.DNS_RESOLVER: "the DNS resolver",
    Blame.DNS_FILTER: "a DNS filter",
    Blame.FIREWALL_L3L4: "an L3/L4 firewall (address, port)",
    Blame.FIREWALL_L7: "an L7 firewall (URL, application)",
    Blame.TLS_INSPECTION: "a TLS inspection device",
    Blame.EXPLICIT_PROXY: "the proxy it goes through",
    Blame.TRANSPARENT_PROXY: "a transparent proxy",
    Blame.PATH_MTU_LINK: "a link with a smaller MTU",
    Blame.NAT_DEVICE: "the NAT device",
    Blame.UPSTREAM_PATH: "the upstream network",
    Blame.AZURE_SERVICE: "the service itself",
    Blame.ENDPOINT_OWNER: "the operator's own server",
    Blame.PKI_ENDPOINT: "a revocation or certificate server",
    Blame.EGRESSD_ENV: "egressd or its configuration",
    Blame.UNKNOWN_MIDDLEBOX: "an unidentified device",
}


def blame_text(blame: Blame) -> str:
    """Return the text of a blame value."""
    return _WHAT[blame]


def blame_and_team(blame: Blame) -> str:
    """Return text, value (as in labels and runbooks) and team to call of a blame."""
    return f"{_WHAT[blame]} ({blame.value}); call {CALL[blame]}"

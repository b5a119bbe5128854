"""Who is to blame, in words, and whom to call. The runbooks say the same, and a test keeps it so."""

from __future__ import annotations

from collections.abc import Mapping

from egressd.model.verdict import Blame

FIREWALL = "the firewall team"
GATEWAY = "the proxy or web gateway team"
DNS = "the DNS team"
HOST = "whoever runs the host"
NETWORK = "the network team, then the provider"
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
    Blame.PKI_ENDPOINT: SERVICE,
    Blame.EGRESSD_ENV: HOST,
    Blame.UNKNOWN_MIDDLEBOX: NETWORK,
}

_WHAT: Mapping[Blame, str] = {
    Blame.LOCAL_HOST: "the probing host itself",
    Blame.LOCAL_GATEWAY: "the gateway of the probing host",
    Blame.DNS_RESOLVER: "the DNS resolver",
    Blame.DNS_FILTER: "a DNS filter",
    Blame.FIREWALL_L3L4: "a firewall, by address or port",
    Blame.FIREWALL_L7: "a firewall, by name or application",
    Blame.TLS_INSPECTION: "a device that inspects TLS",
    Blame.EXPLICIT_PROXY: "the configured proxy",
    Blame.TRANSPARENT_PROXY: "a proxy nobody configured",
    Blame.PATH_MTU_LINK: "a link with a smaller MTU",
    Blame.NAT_DEVICE: "the NAT device",
    Blame.UPSTREAM_PATH: "the network beyond",
    Blame.AZURE_SERVICE: "the service itself",
    Blame.PKI_ENDPOINT: "a revocation or certificate server",
    Blame.EGRESSD_ENV: "egressd or its configuration",
    Blame.UNKNOWN_MIDDLEBOX: "a device not identified",
}


def party(blame: Blame) -> str:
    """Name the party to blame in words."""
    return _WHAT[blame]


def blamed(blame: Blame) -> str:
    """Return who is to blame and whom to call, with the code that labels and runbooks use."""
    return f"{_WHAT[blame]} ({blame.value}); call {CALL[blame]}"

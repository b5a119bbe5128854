"""Signatures: for each kind of failure, the parties that can cause it, most likely first.

What decides between them is said per party: the log line or the check that shows its hand. Sources: RFC 8446,
9112, 9113, 1035, 2308, 792 and 4443 for what a party can do at all.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from egressd.model.verdict import Blame

_B = Blame


class Signature(Struct, frozen=True, kw_only=True):
    """Who can cause one kind of failure."""

    parties: tuple[Blame, ...]
    """The most likely first; `azure_service` stands for the far end, whoever runs it."""
    own: tuple[Blame, ...] = ()
    """The order for the operator's own endpoints, where it differs."""

    @property
    def usual(self) -> Blame:
        """The party to think of first."""
        return self.parties[0]


def _only(*parties: Blame) -> Signature:
    return Signature(parties=parties)


def with_egressd_first(signature: Signature) -> Signature:
    """Return a signature for a name that egressd made up: that is the first explanation."""
    own = (_B.EGRESSD_ENV, *signature.own) if signature.own else ()
    return Signature(parties=(_B.EGRESSD_ENV, *signature.parties), own=own)


HOST = _only(_B.LOCAL_HOST)
EGRESSD_ITSELF = _only(_B.EGRESSD_ENV)
FIRST_HOP = _only(_B.LOCAL_GATEWAY)
FIREWALL = _only(_B.FIREWALL_L3L4)
FAR_END = _only(_B.AZURE_SERVICE)
INSPECTION = _only(_B.TLS_INSPECTION)
CONFIGURED_PROXY = _only(_B.EXPLICIT_PROXY)

NOTHING_KNOWN = _only(_B.UNKNOWN_MIDDLEBOX, _B.AZURE_SERVICE, _B.UPSTREAM_PATH)
REFUSED = Signature(
    parties=(_B.FIREWALL_L3L4, _B.AZURE_SERVICE, _B.LOCAL_HOST),
    own=(_B.ENDPOINT_OWNER, _B.FIREWALL_L3L4, _B.LOCAL_HOST),
)
REFUSED_ON_THE_WAY = _only(_B.FIREWALL_L3L4, _B.UNKNOWN_MIDDLEBOX)
SYN_UNANSWERED = _only(_B.FIREWALL_L3L4, _B.AZURE_SERVICE, _B.UPSTREAM_PATH, _B.LOCAL_GATEWAY)
NOTHING_ANSWERS = _only(_B.FIREWALL_L3L4, _B.LOCAL_HOST, _B.LOCAL_GATEWAY, _B.UPSTREAM_PATH)
PORT_UNANSWERED = Signature(
    parties=(_B.FIREWALL_L3L4, _B.AZURE_SERVICE), own=(_B.FIREWALL_L3L4, _B.ENDPOINT_OWNER)
)
NO_ROUTE_REPORTED = _only(_B.UPSTREAM_PATH, _B.LOCAL_GATEWAY, _B.FIREWALL_L3L4)
LOSS = _only(_B.UPSTREAM_PATH, _B.FIREWALL_L3L4, _B.LOCAL_GATEWAY)
RATE_LIMIT = _only(_B.FIREWALL_L3L4, _B.NAT_DEVICE, _B.UPSTREAM_PATH)
CONNECTIONS_LIMITED = _only(_B.NAT_DEVICE, _B.FIREWALL_L3L4, _B.UPSTREAM_PATH)
REFUSED_SOMETIMES = Signature(
    parties=(_B.AZURE_SERVICE, _B.FIREWALL_L3L4, _B.NAT_DEVICE),
    own=(_B.ENDPOINT_OWNER, _B.FIREWALL_L3L4, _B.NAT_DEVICE),
)
SILENT_SOMETIMES = _only(_B.UPSTREAM_PATH, _B.FIREWALL_L3L4, _B.NAT_DEVICE, _B.AZURE_SERVICE)
CUT_SOMETIMES = Signature(
    parties=(_B.FIREWALL_L7, _B.AZURE_SERVICE, _B.NAT_DEVICE, _B.UPSTREAM_PATH),
    own=(_B.ENDPOINT_OWNER, _B.FIREWALL_L7, _B.NAT_DEVICE, _B.UPSTREAM_PATH),
)
ANSWERS_DIFFER = _only(_B.AZURE_SERVICE, _B.TLS_INSPECTION, _B.FIREWALL_L7)
ONE_ADDRESS_FAILS = _only(_B.AZURE_SERVICE, _B.FIREWALL_L7, _B.UPSTREAM_PATH, _B.PATH_MTU_LINK)
ONE_FAMILY_FAILS = _only(_B.UPSTREAM_PATH, _B.FIREWALL_L7, _B.PATH_MTU_LINK, _B.AZURE_SERVICE)
ACCEPTED_FOR_ANYBODY = _only(_B.TRANSPARENT_PROXY, _B.FIREWALL_L7)
CLOSED_AFTER_ACCEPT = _only(_B.TRANSPARENT_PROXY, _B.FIREWALL_L7, _B.AZURE_SERVICE)
STATE_TIMEOUT = _only(_B.FIREWALL_L3L4, _B.NAT_DEVICE)

RESET_AFTER_HELLO = _only(_B.FIREWALL_L7, _B.AZURE_SERVICE, _B.TLS_INSPECTION)
SILENCE_AFTER_HELLO = _only(_B.FIREWALL_L7, _B.TLS_INSPECTION, _B.AZURE_SERVICE)
HELLO_NOT_ACKNOWLEDGED = _only(_B.FIREWALL_L7, _B.PATH_MTU_LINK, _B.FIREWALL_L3L4)
SEGMENTS_LOST = _only(_B.PATH_MTU_LINK, _B.FIREWALL_L3L4)
STALLED_MIDWAY = _only(_B.PATH_MTU_LINK, _B.FIREWALL_L7, _B.AZURE_SERVICE)
LARGE_HELLO = _only(_B.FIREWALL_L7, _B.TLS_INSPECTION, _B.AZURE_SERVICE)
ALERT = _only(_B.AZURE_SERVICE, _B.TLS_INSPECTION, _B.FIREWALL_L7)
FLOODED = _only(_B.AZURE_SERVICE, _B.TLS_INSPECTION, _B.UNKNOWN_MIDDLEBOX)
PROTOCOL_BROKEN = _only(_B.UNKNOWN_MIDDLEBOX, _B.AZURE_SERVICE)
NOT_TLS = Signature(
    parties=(_B.AZURE_SERVICE, _B.UNKNOWN_MIDDLEBOX, _B.FIREWALL_L7),
    own=(_B.ENDPOINT_OWNER, _B.UNKNOWN_MIDDLEBOX, _B.FIREWALL_L7),
)

CHAIN_OF_SERVER = _only(_B.AZURE_SERVICE)
CHAIN_REFUSED = _only(_B.AZURE_SERVICE, _B.TLS_INSPECTION)
PRIVATE_CHAIN = Signature(
    parties=(_B.TLS_INSPECTION, _B.AZURE_SERVICE, _B.DNS_FILTER), own=(_B.ENDPOINT_OWNER, _B.TLS_INSPECTION)
)
TRUSTED_AUTHORITY = Signature(parties=(_B.TLS_INSPECTION,), own=(_B.ENDPOINT_OWNER, _B.TLS_INSPECTION))
UNKNOWN_AUTHORITY = Signature(
    parties=(_B.TLS_INSPECTION, _B.DNS_FILTER, _B.AZURE_SERVICE),
    own=(_B.ENDPOINT_OWNER, _B.LOCAL_HOST, _B.TLS_INSPECTION),
)
SELF_SIGNED = Signature(
    parties=(_B.AZURE_SERVICE, _B.FIREWALL_L7, _B.DNS_FILTER),
    own=(_B.ENDPOINT_OWNER, _B.FIREWALL_L7, _B.DNS_FILTER),
)
NAMES_ANOTHER_HOST = _only(_B.AZURE_SERVICE, _B.EGRESSD_ENV)
WRONG_NAME = _only(_B.AZURE_SERVICE, _B.DNS_FILTER, _B.TRANSPARENT_PROXY)
TRUST_STORE = _only(_B.LOCAL_HOST)
WRONG_CLOCK = _only(_B.LOCAL_HOST, _B.AZURE_SERVICE)
CLOCK_OF_PRIVATE = _only(_B.LOCAL_HOST, _B.TLS_INSPECTION, _B.AZURE_SERVICE)

ANSWERED_IN_CLEAR = _only(_B.FIREWALL_L7, _B.TRANSPARENT_PROXY, _B.DNS_FILTER, _B.AZURE_SERVICE)
LOGIN_PAGE = _only(_B.TRANSPARENT_PROXY, _B.FIREWALL_L7, _B.AZURE_SERVICE)
ANSWERED_BY_INSPECTION = _only(_B.TLS_INSPECTION, _B.FIREWALL_L7, _B.TRANSPARENT_PROXY, _B.AZURE_SERVICE)
ANSWERED_BY_ANYBODY = _only(_B.AZURE_SERVICE, _B.FIREWALL_L7, _B.TRANSPARENT_PROXY, _B.DNS_FILTER)
ANSWERED_BY_PROXY = _only(_B.TRANSPARENT_PROXY, _B.FIREWALL_L7, _B.AZURE_SERVICE)
MALFORMED = _only(_B.AZURE_SERVICE, _B.TRANSPARENT_PROXY, _B.FIREWALL_L7)
SESSION_CUT = _only(_B.AZURE_SERVICE, _B.FIREWALL_L7, _B.TLS_INSPECTION, _B.TRANSPARENT_PROXY)
CUT_IN_CLEAR = _only(_B.FIREWALL_L7, _B.TRANSPARENT_PROXY, _B.AZURE_SERVICE)
CACHE = _only(_B.TRANSPARENT_PROXY, _B.AZURE_SERVICE)
SLOW = _only(_B.UPSTREAM_PATH, _B.TLS_INSPECTION, _B.TRANSPARENT_PROXY, _B.AZURE_SERVICE)
REVOCATION_UNREACHABLE = _only(_B.FIREWALL_L3L4, _B.PKI_ENDPOINT, _B.UPSTREAM_PATH)
REVOCATION_NAME = _only(_B.DNS_FILTER, _B.DNS_RESOLVER, _B.PKI_ENDPOINT)
REVOCATION_CUT = _only(_B.FIREWALL_L7, _B.TRANSPARENT_PROXY, _B.PKI_ENDPOINT)
REVOCATION_ABSENT = _only(_B.PKI_ENDPOINT, _B.FIREWALL_L7, _B.TRANSPARENT_PROXY)
REVOCATION_ANSWER = _only(_B.FIREWALL_L7, _B.TRANSPARENT_PROXY, _B.PKI_ENDPOINT)

NAME_REFUSED = _only(_B.DNS_FILTER, _B.DNS_RESOLVER)
NAME_ABSENT = _only(_B.AZURE_SERVICE, _B.DNS_FILTER)
NAME_DENIED = _only(_B.DNS_FILTER, _B.DNS_RESOLVER, _B.AZURE_SERVICE)
ANSWER_ALTERED = _only(_B.DNS_FILTER, _B.DNS_RESOLVER, _B.LOCAL_HOST)
SYNTHETIC_ADDRESS = _only(_B.LOCAL_HOST, _B.DNS_FILTER, _B.DNS_RESOLVER)
ADDRESS_IN_DOUBT = _only(_B.DNS_FILTER, _B.DNS_RESOLVER, _B.FIREWALL_L3L4)
DOUBTFUL_NETWORK = _only(_B.LOCAL_HOST, _B.DNS_RESOLVER, _B.DNS_FILTER, _B.FIREWALL_L3L4)
ANSWERS_DISAGREE = _only(_B.DNS_RESOLVER, _B.DNS_FILTER, _B.AZURE_SERVICE)
TYPE_REFUSED = _only(_B.DNS_RESOLVER, _B.DNS_FILTER)
ZONE_LINKED = _only(_B.DNS_RESOLVER, _B.LOCAL_HOST)
SEARCH_LIST = _only(_B.LOCAL_HOST, _B.DNS_RESOLVER)
RESOLVER = _only(_B.DNS_RESOLVER)
RESOLVER_FAILS = _only(_B.DNS_RESOLVER, _B.UPSTREAM_PATH)
RESOLVER_SILENT = _only(_B.DNS_RESOLVER, _B.FIREWALL_L3L4, _B.UPSTREAM_PATH)
TRANSPORT_BLOCKED = _only(_B.FIREWALL_L3L4, _B.DNS_RESOLVER)
DNS_TAKEN_OVER = _only(_B.DNS_FILTER)

ANSWER_TO_CONNECT = _only(_B.EXPLICIT_PROXY, _B.FIREWALL_L7)
CONNECT_UNANSWERED = _only(_B.EXPLICIT_PROXY, _B.FIREWALL_L3L4, _B.AZURE_SERVICE)
PROXYS_RESOLVER = _only(_B.DNS_RESOLVER, _B.EXPLICIT_PROXY, _B.AZURE_SERVICE)
NO_PROXY_THERE = _only(_B.EGRESSD_ENV, _B.EXPLICIT_PROXY)
LISTENER_REFUSES = _only(_B.EXPLICIT_PROXY, _B.EGRESSD_ENV)
NO_PROXY_ON_ROUTE = _only(_B.LOCAL_HOST, _B.EXPLICIT_PROXY)
ROUTE_REFUSES = _only(_B.EXPLICIT_PROXY, _B.LOCAL_HOST)
TUNNEL_FAILS = _only(_B.EXPLICIT_PROXY, _B.AZURE_SERVICE)
BEYOND_PROXY = _only(_B.FIREWALL_L3L4, _B.AZURE_SERVICE, _B.EXPLICIT_PROXY)
ARC_PROXY = _only(_B.LOCAL_HOST)
ARC_REFUSES = _only(_B.EXPLICIT_PROXY, _B.AZURE_SERVICE, _B.FIREWALL_L7)
ARC_FAILS = _only(_B.EXPLICIT_PROXY, _B.AZURE_SERVICE, _B.FIREWALL_L7, _B.FIREWALL_L3L4)
NO_ARC_GATEWAY = _only(_B.FIREWALL_L7, _B.FIREWALL_L3L4, _B.AZURE_SERVICE, _B.EXPLICIT_PROXY)
GATEWAY_UNKNOWN = _only(_B.DNS_RESOLVER, _B.DNS_FILTER, _B.AZURE_SERVICE, _B.EXPLICIT_PROXY)
"""The Arc proxy answers for itself, for the gateway, and for whoever stands before the gateway."""
DIRECT_RULE = _only(_B.FIREWALL_L3L4)
CHANGED = _only(
    _B.FIREWALL_L3L4,
    _B.FIREWALL_L7,
    _B.TLS_INSPECTION,
    _B.EXPLICIT_PROXY,
    _B.TRANSPARENT_PROXY,
    _B.DNS_FILTER,
    _B.LOCAL_HOST,
)
"""What is managed from one place for several sites."""

LOG = "for {flow}"
DECIDED_BY: Mapping[Blame, str] = {
    _B.LOCAL_HOST: "the host's own packet filter, routes and trust store at {time}",
    _B.LOCAL_GATEWAY: "another host behind the same gateway, at the same time",
    _B.DNS_RESOLVER: "the same question for {host} to another resolver, and the resolver's own log at {time}",
    _B.DNS_FILTER: "the DNS filter's log for {host} at {time}, and the answer of a resolver outside of it",
    _B.FIREWALL_L3L4: f"the firewall's traffic log {LOG}",
    _B.FIREWALL_L7: f"the firewall's URL or application log {LOG}",
    _B.TLS_INSPECTION: f"the decryption log of the inspecting device {LOG}",
    _B.EXPLICIT_PROXY: "the access log of {proxy} for {place} from {ends}",
    _B.TRANSPARENT_PROXY: f"the access log of the proxy on the way {LOG}",
    _B.PATH_MTU_LINK: "a packet capture on both ends of the link, or a ping with DF set and growing size",
    _B.NAT_DEVICE: "the translation table and port usage of the NAT device at {time}",
    _B.UPSTREAM_PATH: "the provider's routing towards {address} at {time}, and another site's result",
    _B.AZURE_SERVICE: "the same from another network, and the service's status page",
    _B.ENDPOINT_OWNER: "the log and configuration of the server behind {place}, for {flow}",
    _B.PKI_ENDPOINT: "the same download from another network",
    _B.EGRESSD_ENV: "egressd's configuration and log",
    _B.UNKNOWN_MIDDLEBOX: "a packet capture on both sides of each device between {source} and {address}",
}
"""By party: what shows whether it did it; a template for `fill_template`."""

"""What a reason's texts say by the path: those of the direct way never speak for a tunnel.

Behind a proxy our packets end at the proxy: addresses, resolvers and devices of this host's own way say
nothing about the far end. Such an advice is not given there, and commands take the same way as the probe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from egressd.attribution.reasons.commands import CURL_PROXY, PROXY_CLIENT_HELLO, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase

_DIRECT_WAY = re.compile(
    r"\{(address|remote|resolver|offender|flow|peers)\}"
    r"|\bfirewall|\bport forward|\bNAT\b|\bDNS\b|\bresolvers?\b|\bgateway\b|\bMTU\b|\bsegment|\bICMP\b"
    r"|\bTTL\b|\bbetween \{source\}|\bin the path\b|\bon the (path|way)\b|\bTCP to\b|\btransparent\b",
    re.IGNORECASE,
)
"""What belongs to the way of our own packets."""


def names_direct_way(template: str) -> bool:
    """Whether a text speaks of addresses, resolvers or devices that a tunnel does not show."""
    return bool(_DIRECT_WAY.search(template))


def holds_in_tunnel(reason: Reason) -> bool:
    """Whether the advice of a reason may be given where the conversation went through a proxy."""
    return reason.code.startswith("proxy_") or not names_direct_way(reason.advice)


def confirmation_by_proxy(reason: Reason) -> str:
    """Return how to check by hand through the proxy; empty where a reason does not arise in a tunnel."""
    if reason.phase not in (Phase.TLS, Phase.HTTP) or reason.code.startswith("proxy_"):
        return ""
    return steps(*_commands(reason))


def _commands(reason: Reason) -> Iterator[str]:
    if reason.phase is Phase.TLS:
        yield PROXY_CLIENT_HELLO
    yield CURL_PROXY

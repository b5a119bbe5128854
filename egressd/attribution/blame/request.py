"""What to ask for, and of whom: always of the party that is blamed, and as a question until that is sure.

A reason's advice mends the fault of its usual suspect. Where the facts leave another one, what that one can
do is asked for instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from egressd.attribution.blame.elimination import Attribution
from egressd.attribution.blame_text import CALL, OWNER, SERVICE, blame_text
from egressd.attribution.reasons.reason import Reason, fill_template
from egressd.model.verdict import Blame, Confidence, Outcome

_B = Blame
SURE = frozenset({Confidence.CONFIRMED, Confidence.HIGH})
"""From here on a request is one; below it is a question."""
ASK_OF: Mapping[Blame, str] = {
    _B.LOCAL_HOST: "On the probing host, look at the packet filter, routes, hosts file and trust store for "
    "what concerns {host} at {time}.",
    _B.LOCAL_GATEWAY: "Check the gateway of {source}: its address, its link, and what it filters.",
    _B.DNS_RESOLVER: "Have the resolver's log looked up for {host} from {source} at {time}, and its answer "
    "mended.",
    _B.DNS_FILTER: "Have the log of the DNS filter looked up for {host} from {source} at {time}, and the "
    "name answered as public DNS does.",
    _B.FIREWALL_L3L4: "Have the firewall's log looked up for {flow}, and the rule that acted there changed.",
    _B.FIREWALL_L7: "Have the firewall's URL or application log looked up for {flow}, "
    "and the policy that acted on {host} changed.",
    _B.TLS_INSPECTION: "Have the decryption log looked up for {flow}, and {destination} exempted.",
    _B.EXPLICIT_PROXY: "Have the access log of {proxy} looked up for {place} from {ends}, and "
    "what it shows mended.",
    _B.TRANSPARENT_PROXY: "Have the log of the proxy on the way looked up for {flow}, "
    "and {destination} passed on unchanged.",
    _B.PATH_MTU_LINK: "Find the link with the smaller MTU between {source} and {address}: clamp the TCP "
    "segment size there, or let ICMP that says `too big` through.",
    _B.NAT_DEVICE: "Check the source NAT pool and the session limits for {source} at {time}.",
    _B.UPSTREAM_PATH: "Have the way from {source} to {address} checked beyond the site's edge at {time}.",
    _B.AZURE_SERVICE: "Report it to the service with {place}, {remote} and {time}; this network has nothing "
    "to change.",
    _B.ENDPOINT_OWNER: "Have the log and the configuration of the server behind {place} looked at, for "
    "{flow}.",
    _B.PKI_ENDPOINT: "Report it to the certificate authority that runs {host}, with {time}; this network "
    "has nothing to change.",
    _B.EGRESSD_ENV: "Check the configuration of egressd and its log, and run again.",
    _B.UNKNOWN_MIDDLEBOX: "Find the device between {source} and {address} that acted on {ends}: a "
    "packet capture on both sides of each shows it.",
}
"""What to ask of a party whatever it did; a template for `fill_template`."""
NOTHING_TO_ASK = "Nothing to ask."
_FAR_END = frozenset({SERVICE, OWNER})


def request(reason: Reason, advice: str, found: Attribution, values: Mapping[str, str]) -> str:
    """Return what to ask for; `advice` is the reason's with its values, empty where it does not hold."""
    if reason.severity is Outcome.OK:
        return advice or NOTHING_TO_ASK
    fits = bool(advice) and mends(reason, found.blame)
    if found.confidence in SURE:
        return advice if fits else fill_template(ASK_OF[found.blame], values)
    return f"{_question(found)} If it was: {advice}" if fits else _question(found)


def mends(reason: Reason, blame: Blame) -> bool:
    """Whether the reason's advice is addressed to the team of a party."""
    return any(_same_team(blame, one) for one in reason.advice_for or (reason.suspects.usual,))


def _same_team(one: Blame, other: Blame) -> bool:
    return CALL[one] == CALL[other] or {CALL[one], CALL[other]} <= _FAR_END


def _question(found: Attribution) -> str:
    decided_by = next((one.decided_by for one in found.suspects if one.blame is found.blame), "")
    return (
        f"A question first, to {CALL[found.blame]}, because this is not proven: was it "
        f"{blame_text(found.blame)}? What decides: {decided_by}."
    )

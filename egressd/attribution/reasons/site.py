"""Reasons of findings: what only several targets together show."""

from __future__ import annotations

from egressd.attribution.blame.suspects import (
    CHANGED,
    DIRECT_RULE,
    INSPECTION,
    NOTHING_KNOWN,
    RESET_AFTER_HELLO,
)
from egressd.attribution.reasons.commands import CURL_DIRECT, CURL_PROXY, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.verdict import Blame, Outcome

_SWEEP = "$ egressd --once --format table"

SITE: tuple[Reason, ...] = (
    Reason(
        code="site_requires_proxy",
        phase=None,
        title="This site allows outbound traffic only through its proxy",
        meaning="Every direct probe fails in the same way and every one through the proxy works. The site "
        "is built like that: the agents need the proxy setting.",
        signal="All direct trails failed alike; the trails through the proxy succeeded.",
        evidence=(
            "trails.path: direct against the proxy, over all targets",
            "tcp.failure: the same one everywhere",
        ),
        suspects=DIRECT_RULE,
        severity=Outcome.BLOCKED,
        advice="Configure {proxy} for egressd and for the agents on {source}; no firewall rules for single "
        "endpoints are needed.",
        advice_for=(Blame.EGRESSD_ENV, Blame.FIREWALL_L3L4),
        confirm=steps(CURL_PROXY, CURL_DIRECT),
        needs=("proxy", "direct path"),
    ),
    Reason(
        code="site_suffix_rule_missing",
        phase=None,
        title="Every name tried of one wildcard is blocked",
        meaning="All names below one domain fail, and the others work. One rule with a wildcard fixes them "
        "all.",
        signal="Every target below the same suffix failed alike; targets below others did not.",
        evidence=(
            "target.pattern, target.host: the suffix they share",
            "tls.failure, tcp.failure: the same one on each",
        ),
        suspects=RESET_AFTER_HELLO,
        severity=Outcome.BLOCKED,
        advice="Allow {destination} as a whole, {service} from {source}: every name below it that was tried "
        "is blocked, and others are not.",
        confirm=_SWEEP,
        needs=("several targets",),
    ),
    Reason(
        code="site_choice_unreachable",
        phase=None,
        title="None of several alternatives can be reached",
        meaning="The documents ask for one of these endpoints, whichever: one that works is enough. Here "
        "none does.",
        signal="Every row of one choice failed, from the same source.",
        evidence=(
            "target.one_of: the choice",
            "trails: how each alternative failed",
        ),
        suspects=NOTHING_KNOWN,
        severity=Outcome.BLOCKED,
        advice="Open one of {host} for {source}: whichever suits, the others are not needed then.",
        advice_for=(
            Blame.FIREWALL_L3L4,
            Blame.FIREWALL_L7,
            Blame.EXPLICIT_PROXY,
            Blame.UNKNOWN_MIDDLEBOX,
            Blame.ENDPOINT_OWNER,
        ),
        confirm=_SWEEP,
        needs=("several targets",),
    ),
    Reason(
        code="site_source_rule_missing",
        phase=None,
        title="A source address is missing in the rule",
        meaning="The same targets are reached from one address of this site and blocked from another. The "
        "rule exists and does not name every host: often the second appliance was forgotten.",
        signal="A target failed from one source and worked, in the same sweep, from another.",
        evidence=(
            "trails.source: which sources pass and which do not",
            "tcp.local_address, tcp.failure: the address that is missing, and how it fails",
            "vantage.sources: what was configured",
        ),
        suspects=DIRECT_RULE,
        severity=Outcome.BLOCKED,
        advice="Add {source} to the rules that already let {peers} reach {destination}, {service}: nothing "
        "else differs.",
        confirm=steps("$ curl -sv -o /dev/null --interface {source} https://{place}/", _SWEEP),
        needs=("several sources",),
    ),
    Reason(
        code="site_wildcard_rule_incomplete",
        phase=None,
        title="The wildcard was opened only for the known names",
        meaning="The well-known hosts pass, and a new name below the same wildcard does not: single hosts "
        "were allowed instead of the wildcard. It breaks when Azure uses a new name.",
        signal="The documented or discovered samples succeeded; a random label below the same pattern was "
        "blocked in the site's usual way.",
        evidence=(
            "target.pattern, target.sample: which sample passed, which did not",
            "tls.failure, tls.info.bytes_acked: the site's block signature on the random one",
            "trails.borrowed_from: whose address the random name was sent to",
        ),
        suspects=RESET_AFTER_HELLO,
        severity=Outcome.BLOCKED,
        advice="Replace the single host rules by the documented wildcard for {destination}, {service} "
        "from {source}: a random name below it is blocked while the known ones pass.",
        confirm=steps(
            "$ openssl s_client -connect {remote} \\\n  -servername RANDOM-LABEL.DOMAIN </dev/null",
            "A certificate, even for another name, means that the rule is open.",
        ),
        needs=("random sample",),
    ),
    Reason(
        code="site_service_tag_incomplete",
        phase=None,
        title="Address rules cover only part of the service tags",
        meaning="Addresses inside some service tags connect and those of another do not. The address list on "
        "the firewall may lack a tag, or be old; or that service is down.",
        signal="Of two names or more of one service tag no address connects; addresses of other tags do, "
        "from the same source to the same port.",
        evidence=("tcp.remote_address, tcp.failure: which addresses fail, and which connect",),
        suspects=DIRECT_RULE,
        severity=Outcome.BLOCKED,
        advice="Allow the service tag {tags} in full, {service} from {source}, by Microsoft's current file: "
        "nothing of it that was tried connects ({address}), and addresses of {peers} do. A region of a tag, "
        "or single addresses, are not enough.",
        confirm=_SWEEP,
        needs=("several targets", "service tag file"),
    ),
    Reason(
        code="site_port80_blocked",
        phase=None,
        title="Port 80 is closed, 443 is open",
        meaning="Everything over HTTPS works and everything over plain HTTP fails. Revocation lists are "
        "served on port 80, so certificate checks will fail or hang.",
        signal="All targets on 443 connected; all targets on 80 failed.",
        evidence=(
            "target.port: 80 on all that fail",
            "tcp.failure: the same one on each",
            "controls.port_contrast: 443 on the same addresses",
        ),
        suspects=DIRECT_RULE,
        severity=Outcome.DEGRADED,
        advice="Allow http/80 from {source} to the revocation and certificate hosts in this report: they "
        "are plain HTTP by design, and clients need them to verify TLS.",
        confirm=steps("$ nc -vz -w 8 {host} 80", "$ nc -vz -w 8 {host} 443"),
        needs=("several targets",),
    ),
    Reason(
        code="site_inspection_exemption_incomplete",
        phase=None,
        title="The inspection exemption misses some names",
        meaning="One device inspects some Azure names and not others: the exemption list exists and has "
        "gaps.",
        signal="Some targets carry certificates of one private CA, the rest their real ones.",
        evidence=(
            "tls.chain.issuer: the same private CA on some of them",
            "tls.facts.publicly_anchored: false there, true elsewhere",
        ),
        suspects=INSPECTION,
        severity=Outcome.BLOCKED,
        advice="Add {destination} to the TLS inspection exemption for {source}: signed by {issuer}, while "
        "other names come with their own certificates.",
        confirm=_SWEEP,
        needs=("several targets",),
    ),
    Reason(
        code="site_outage",
        phase=None,
        title="The whole site is offline",
        meaning="Nothing works, the controls included. Fix the line, the gateway or the resolver first; "
        "single endpoints say nothing now.",
        signal="The targets fail and so do controls that have nothing to do with Azure.",
        evidence=(
            "controls.known_name, controls.address_contrast: failed as well",
            "vantage.sources: whether it is one source or all of them",
        ),
        suspects=NOTHING_KNOWN,
        severity=Outcome.UNKNOWN,
        advice="Check the outbound path of {source} as such: link, gateway, resolver, line. Open no tickets "
        "for single endpoints until the controls are good.",
        confirm=steps("$ ip route show default", "$ ping -c 3 GATEWAY", _SWEEP),
    ),
    Reason(
        code="site_change_correlated",
        phase=None,
        title="Sites began to fail by one change",
        meaning="The same began to fail at several sites, one after another or in the same minutes, while "
        "others reach it. Something was changed for these sites: a policy push, a certificate, a route. The "
        "moments are the best clue.",
        signal="Over the reports of several sites: the same place worked at each and fails now in the same "
        "way, since moments that belong together, and other sites reach it.",
        evidence=(
            "tcp.started, tls.started: the first failures at each site",
            "run.started, run.finished: between which sweeps it began",
            "vantage.site: which sites have it, and in which order",
        ),
        suspects=CHANGED,
        severity=Outcome.UNKNOWN,
        advice="Find out what was changed at these sites and times ({time}), and stop it before it reaches "
        "{peers}.",
        advice_for=(
            Blame.FIREWALL_L3L4,
            Blame.FIREWALL_L7,
            Blame.TLS_INSPECTION,
            Blame.EXPLICIT_PROXY,
            Blame.DNS_FILTER,
        ),
        confirm="$ egressd fleet REPORTS",
        needs=("several sites",),
    ),
)

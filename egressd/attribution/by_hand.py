"""How to check a verdict by hand: the commands of its reason, with hosts, addresses and ports filled in.

A command is made to be pasted into a shell, and what stands in it comes from the network or from a report
that somebody sent: a value that a shell would read as more than a word stays a name in capitals.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from egressd.attribution.advice import values_of
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.isolation import index_recording
from egressd.attribution.reasons import Reason, fill_template, find_reason
from egressd.attribution.reasons.by_path import confirmation_by_proxy
from egressd.attribution.reasons.commands import AGAIN, CURL_PROXY
from egressd.destination import DEFAULT_PORTS
from egressd.errors import Part, isolate
from egressd.model.endpoint import Protocol
from egressd.model.observation import DnsObservation, Phase
from egressd.model.plan import ControlKind, Plan, Probe, Target
from egressd.model.recording import Recording, Trail
from egressd.model.settings import SYSTEM_RESOLVER
from egressd.model.verdict import SourceVerdict
from egressd.wording import host_port

_WORD = re.compile(r"[A-Za-z0-9_:/\[][A-Za-z0-9_.:/@%+,=\[\]-]*")
_GLOB = re.compile(r"[A-Za-z0-9_.*-]+")
_DNS_PORT = 53
_COMMAND = ("$ ", "  ")
"""What a line of a command starts with, and one that continues it."""
_CHOOSE = {
    "OTHER-RESOLVER": "OTHER-RESOLVER: one outside of this network.",
    "OTHER-NAME": "OTHER-NAME: any other host that works from here.",
    "HOST-BEHIND-THE-TUNNEL": "HOST-BEHIND-THE-TUNNEL: a host that answers ping on the far side of the link.",
    "CRL-URL": "CRL-URL: as the certificate names it.",
    "RANDOM-LABEL": "RANDOM-LABEL: any word that is no host there.",
}
"""What the reader chooses, where the sweep knows none."""


class HandChecks:
    """Makes the checks of one recording, whose index is built once."""

    def __init__(self, recording: Recording) -> None:
        self._probes = _probes_by_target(recording.plan)
        # What is a bug there was reported when the recording was judged.
        self._index = index_recording(recording, part=Part.JUDGEMENT, on_bug=_reported)

    def of(
        self, codes: Iterable[str], target: Target, judged: SourceVerdict, trail: Trail, place: str
    ) -> str:
        """Return the checks of reasons, one below the other, each command once.

        They are for the trail that decided a target's verdict from one source. `place` is the `host:port` to
        check instead of the target. Empty where no code has a check.
        """
        probe = self._probe(target, judged)
        if probe is None:
            return ""
        context = TrailContext(trail=trail, probe=probe, target=target, index=self._index)
        reasons = (find_reason(one) for one in codes)
        checks = [_guarded(one, context, place) for one in reasons if one is not None]
        return "\n".join(dict.fromkeys(part for one in checks for part in _commands(one)))

    def _probe(self, target: Target, judged: SourceVerdict) -> Probe | None:
        return self._probes.get((target.id, judged.source, judged.path))


def _probes_by_target(plan: Plan) -> dict[tuple[str, str, str], Probe]:
    """Return the first probe of each target, source and path."""
    found: dict[tuple[str, str, str], Probe] = {}
    for one in plan.probes:
        for target in one.targets:
            found.setdefault((target, one.source, plan.path_of(one)), one)
    return found


def _reported(_part: Part, _bug: Exception) -> None:
    """Take a bug that is known."""


def _guarded(reason: Reason, context: TrailContext, place: str) -> str:
    """Return a check; empty where a recording makes our code fail."""
    return isolate(
        Part.JUDGEMENT, _reported, lambda: check_by_hand(reason, context, place=place), lambda _: ""
    )


def _commands(check: str) -> Iterator[str]:
    """Yield the commands of a check and its lines of prose, each with the lines that continue it."""
    held: list[str] = []
    for line in check.splitlines():
        if held and not line.startswith("  "):
            yield "\n".join(held)
            held = []
        held.append(line)
    if held:
        yield "\n".join(held)


def check_by_hand(reason: Reason, context: TrailContext, *, place: str = "") -> str:
    """Return the check of a reason for one trail, along the path that the trail took.

    `place` is the `host:port` to check instead of the target, such as a revocation server.
    """
    values = _values(context, place)
    template = _placed(_template(reason, context), context, values)
    plain = {name: " ".join(value.split()) for name, value in values.items()}
    words = {name: _word(value) for name, value in values.items()}
    lines = [
        fill_template(line, words if line.startswith(_COMMAND) else plain) for line in template.split("\n")
    ]
    return "\n".join([*lines, *(text for name, text in _CHOOSE.items() if name in template)])


def _template(reason: Reason, context: TrailContext) -> str:
    """Return the check that takes the path of the trail; on the way to a proxy that is the direct one."""
    if not context.proxied or reason.code.startswith("proxy_") or _on_the_way_to_proxy(context):
        return reason.confirm
    return confirmation_by_proxy(reason) or CURL_PROXY


def _on_the_way_to_proxy(context: TrailContext) -> bool:
    return context.failed_in in (Phase.DNS, Phase.TCP)


def _values(context: TrailContext, place: str) -> dict[str, str]:
    """Return the values of a command: those of the advice, with what is dialled and asked."""
    values = values_of(context) | {"resolver": _resolver(context)[0]}
    address, port = context.dialled
    if context.tcp is not None and (not context.proxied or context.failed_in is Phase.TCP):
        values |= {"address": address, "port": str(port), "remote": host_port(address, port)}
    if isinstance(context.failing, DnsObservation) and context.probe.protocol is Protocol.DNS:
        values["host"] = context.failing.name  # the host of such a target is the resolver
    if place:
        values |= {"host": place.rpartition(":")[0].strip("[]"), "place": place}
    return values


def _resolver(context: TrailContext) -> tuple[str, int]:
    """Return the address and port of the resolver that was asked; an empty address: it is not known."""
    asked = context.trail.resolver
    if asked and asked != SYSTEM_RESOLVER:
        return _address_and_port(asked)
    for one in context.index.recording.vantage.resolvers:  # the system's with those it asks, in brackets
        name, _, rest = one.partition(" (")
        if name == SYSTEM_RESOLVER and rest:
            return rest.rstrip(")").split(",")[0].strip(), _DNS_PORT
    return "", _DNS_PORT


def _address_and_port(resolver: str) -> tuple[str, int]:
    host, _, port = resolver.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else _DNS_PORT


def _placed(template: str, context: TrailContext, values: Mapping[str, str]) -> str:
    """Fill in what commands write in a form of their own, and what the sweep knows another of."""
    address, port = _resolver(context)
    if not address:
        template = template.replace("@{resolver} ", "")  # dig asks the host's own then
    elif port != _DNS_PORT:
        template = template.replace("@{resolver}", f"@{{resolver}} -p {port}")
    pattern = context.target.shown_host
    if _GLOB.fullmatch(pattern):
        template = template.replace(AGAIN, AGAIN.replace("{host}", pattern))
    if pattern.startswith("*.") and _GLOB.fullmatch(pattern):
        template = template.replace("RANDOM-LABEL.DOMAIN", f"check-1a2b3c.{pattern.removeprefix('*.')}")
    template = _with_scheme(template, encrypted=context.probe.protocol.encrypted)
    template = template.replace("OTHER-NAME", _other_name(context) or "OTHER-NAME")
    template = template.replace("@OTHER-RESOLVER", _other_resolver(context) or "@OTHER-RESOLVER")
    return _with_proxy(template, values.get("proxy", ""))


def _with_scheme(template: str, *, encrypted: bool) -> str:
    """Let a command speak the protocol of the probe; one that compares both keeps both."""
    if encrypted:
        return template.replace("http://{place}", "https://{place}")
    if "http://{place}" in template:
        return template.replace("https://{place}", "https://{host}")
    return template.replace("https://{place}", "http://{place}")


def _other_name(context: TrailContext) -> str:
    """Return a name to compare with: the one that was compared, else one that works from here."""
    compared = (one.host for one in context.controls(ControlKind.SNI_CONTRAST))
    working = context.index.once(_working_names)[context.source]
    others = (one for one in working if one != context.probe.host)
    return next((one for one in (*compared, *others) if _WORD.fullmatch(one)), "")


def _working_names(index: SweepIndex) -> defaultdict[str, list[str]]:
    """Return, by source, two names that work from there: one at least is another than the one asked about."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for probe in index.recording.plan.probes:
        names = found[probe.source]
        if len(names) == 2 or probe.host in names or probe.siblings or not _WORD.fullmatch(probe.host):
            continue
        if any(trail.handshakes and _works(trail) for trail in index.trails.get(probe.id, ())):
            names.append(probe.host)
    return found


def _works(trail: Trail) -> bool:
    return trail.last is not None and trail.last.failure is None


def _other_resolver(context: TrailContext) -> str:
    """Return another resolver of the sweep, as dig takes it; empty: there is none."""
    known = (one for one in context.index.recording.vantage.resolvers if " " not in one)
    for one in known:
        address, port = _address_and_port(one)
        if one not in (SYSTEM_RESOLVER, context.trail.resolver) and _WORD.fullmatch(address):
            return f"@{address}" if port == _DNS_PORT else f"@{address} -p {port}"
    return ""


def _with_proxy(template: str, proxy: str) -> str:
    try:
        url = urlsplit(proxy)
        host, port = url.hostname or "", url.port or DEFAULT_PORTS.get(url.scheme)
    except ValueError:
        return template
    if not _WORD.fullmatch(host) or port is None:
        return template
    template = template.replace("PROXY-HOST:PORT", _word(host_port(host, port)))
    return template.replace("PROXY-HOST", host).replace("PROXY-PORT", str(port))


def _word(value: str) -> str:
    """Return a value as one word of a shell; empty where it would be more."""
    if not _WORD.fullmatch(value):
        return ""
    return f"'{value}'" if "[" in value or "]" in value else value

"""What to ask for, with the names of this case filled in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from egressd.attribution.facts.case import Case
from egressd.attribution.facts.proxy import refusal, schemes
from egressd.attribution.facts.shown.hops import before, begins_at
from egressd.attribution.facts.whole import Whole
from egressd.attribution.reasons import Reason
from egressd.model.endpoint import Inspection
from egressd.model.observation import DnsObservation, HttpObservation, ProxyObservation
from egressd.model.settings import SYSTEM_RESOLVER
from egressd.wording import host_port

FORBIDDEN = "The documents for this endpoint do not allow TLS inspection: exempt it."
FORBIDDEN_FOR = "The documents do not allow TLS inspection for"
ABOUT_INSPECTION = ("tls_mitm_", "site_inspection_")
THE_RESOLVERS = "the resolvers of this host"
UNNAMED = "a scheme that it does not name"
MOST_NAMED = 4
"""How many names a sentence bears; the rest is counted."""


def advise(reason: Reason, case: Case) -> str:
    """Return the advice of a reason for a case."""
    text = reason.advise(values_of(case))
    forbidden = reason.code.startswith("tls_mitm_") and case.target.inspection is Inspection.FORBIDDEN
    return f"{text} {FORBIDDEN}" if forbidden else text


def advise_all(reason: Reason, cases: Sequence[Case], **values: str) -> str:
    """Return the advice of a reason for several targets at once: it names them, the first few at least."""
    if not cases:
        return reason.advise(values)
    known = values_of(cases[0])
    for name in ("host", "sni", "address", "source", "port", "protocol", "place", "remote"):
        known[name] = listed(dict.fromkeys(values_of(case)[name] for case in cases))
    text = reason.advise(known | values)
    if not reason.code.startswith(ABOUT_INSPECTION):
        return text
    forbidden = dict.fromkeys(
        case.probe.host for case in cases if case.target.inspection is Inspection.FORBIDDEN
    )
    return f"{text} {FORBIDDEN_FOR} {listed(forbidden)}." if forbidden else text


def listed(names: Iterable[str]) -> str:
    """Name the first few and count the rest: `a, b, c, d and 26 more`."""
    known = [one for one in names if one]
    shown = ", ".join(known[:MOST_NAMED])
    return f"{shown} and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else shown


def source_address(whole: Whole, name: str) -> str:
    """Return where a source's packets come from: what was seen on them, what was configured, or its name."""
    seen = next(iter(whole.left_from.get(name, ())), "")
    named = (one for one in whole.recording.vantage.sources if one.name == name)
    return seen or next((one.address or one.interface or "" for one in named), "") or name


def values_of(case: Case) -> dict[str, str]:
    """Return what is known of the names a template may use."""
    icmp, last = case.icmp, case.failing or case.trail.last
    address = _address(case)
    return {
        "host": case.probe.host,
        "port": str(case.probe.port),
        "place": host_port(case.probe.host, case.probe.port),
        "source": _source(case),
        "address": address,
        "remote": host_port(address, case.probe.port) if address else "",
        "sni": case.tls.sni if case.tls is not None else case.probe.host,
        "offender": icmp.offender if icmp is not None else before(case, begins_at(case) or 0),
        "resolver": case.trail.resolver,
        "issuer": case.issuer,
        "protocol": case.probe.protocol.value,
        "time": last.started if last is not None else case.whole.recording.started,
        "proxy": case.trail.path if case.proxied else case.whole.recording.vantage.proxy or "",
        "status": _status(case),
        "schemes": ", ".join(schemes(refusal(case))) or UNNAMED,
    }


def _address(case: Case) -> str:
    """Return where the packets went: to the address dialled, or no further than to a resolver."""
    match case.failing:
        case DnsObservation(resolver=resolver):
            return THE_RESOLVERS if resolver == SYSTEM_RESOLVER else resolver.rpartition(":")[0].strip("[]")
        case _:
            return case.dialled[0]


def _source(case: Case) -> str:
    if case.tcp is not None and case.tcp.local_address:
        return case.tcp.local_address
    return source_address(case.whole, case.source)


def _status(case: Case) -> str:
    seen = (one for one in reversed(case.trail.observations))
    statuses = (one.status for one in seen if isinstance(one, HttpObservation | ProxyObservation))
    return next((str(status) for status in statuses if status is not None), "")

"""The values of single cells: ports, protocols, roles, needs, as documents word them."""

from __future__ import annotations

import re

from msgspec import Struct

from egressd.documents.hosts import one_line, text_of_cell
from egressd.model.endpoint import Need, Protocol, Role

USUAL = {53: Protocol.DNS, 80: Protocol.HTTP, 123: Protocol.NTP, 443: Protocol.HTTPS}
"""The protocol of a port, if the list has none."""

_PORTS = re.compile(r"(?<![\d.])(\d{1,6})(?:\s*(?:-|\u2013|\u2014|\bto\b|:)\s*(\d{1,6}))?(?![\d.]*\d)")
NOTHING = frozenset({"", "-", "--", "n/a", "na", "none", "not applicable", "not available", "\u2013", "icmp"})
"""What stands in a cell of which the row has no use."""
_PROTOCOLS = {
    "https": Protocol.HTTPS,
    "http": Protocol.HTTP,
    "tls": Protocol.TLS,
    "ssl": Protocol.TLS,
    "wss": Protocol.WSS,
    "ws": Protocol.WSS,
    "websocket": Protocol.WSS,
    "websockets": Protocol.WSS,
    "tcp": Protocol.TCP,
    "udp": Protocol.UDP,
    "ntp": Protocol.NTP,
    "dns": Protocol.DNS,
    "icmp": Protocol.ICMP,
    "ping": Protocol.ICMP,
}
_CARRIERS = (Protocol.TCP, Protocol.UDP)
_NEEDS = {
    "required": Need.REQUIRED,
    "mandatory": Need.REQUIRED,
    "critical": Need.REQUIRED,
    "always": Need.REQUIRED,
    "yes": Need.REQUIRED,
    "true": Need.REQUIRED,
    "optional": Need.OPTIONAL,
    "recommended": Need.OPTIONAL,
    "warning": Need.OPTIONAL,
    "informational": Need.OPTIONAL,
    "no": Need.OPTIONAL,
    "false": Need.OPTIONAL,
    "conditional": Need.CONDITIONAL,
}
_ROLES = (
    (Role.MANAGEMENT, re.compile(r"\b(?:management|mgmt|host|deployment) machine|workstation")),
    (Role.APPLIANCE, re.compile(r"appliance")),
    (Role.CONTROL_PLANE, re.compile(r"control[- ]plane")),
)
_ROLE_NAMES = frozenset(one.value for one in Role)
_DIRECTIONS = re.compile(r"(?:out|in)bound|bi-?directional|both|ingress|egress|any")


class Spoken(Struct, frozen=True, kw_only=True):
    """Ports and protocols of a cell; `problems` are what is in it beside them."""

    ports: tuple[str, ...] = ()
    protocols: tuple[Protocol, ...] = ()
    problems: tuple[str, ...] = ()


def read_ports(text: str) -> Spoken:
    """Read `443`, `80, 443`, `TCP/443`, `10124-10139`, `WinRM (default: 5985 and 5986)`."""
    text = text_of_cell(text)
    ports: dict[str, None] = {}
    problems = []
    for first, last in _PORTS.findall(text):
        span = f"{int(first)}-{int(last)}" if last and int(last) != int(first) else str(int(first))
        good = all(0 < int(one) < 65536 for one in span.split("-")) and int(first) <= int(last or first)
        if good:
            ports[span] = None
        else:
            problems.append(f"port {span} is not a port or a range")
    if not ports and not problems and text.lower() not in NOTHING:
        problems.append(f"port {text[:40]!r} is not a number or a range")
    return Spoken(ports=tuple(ports), protocols=_protocols(text), problems=tuple(problems))


def read_protocols(text: str) -> Spoken:
    """Read `HTTPS`, `HTTP/HTTPS`, `TCP`, `NTP over UDP`; a single word that is none of them is a problem."""
    text = text_of_cell(text)
    found = _protocols(text)
    if not found and re.fullmatch(r"[A-Za-z0-9]+", text) and text.lower() not in {"na", "none", "any", "all"}:
        return Spoken(problems=(f"protocol {text[:40]!r} is not known",))
    return Spoken(protocols=found)


def _protocols(text: str) -> tuple[Protocol, ...]:
    """Return the protocols that a text names; of `NTP over UDP`, NTP alone."""
    words = re.findall(r"[a-z]+", text.lower())
    found = dict.fromkeys(_PROTOCOLS[one] for one in words if one in _PROTOCOLS)
    if any(one not in _CARRIERS for one in found):
        found = {one: None for one in found if one not in _CARRIERS}
    if Protocol.WSS in found:
        found = {one: None for one in found if one not in (Protocol.HTTPS, Protocol.TLS)}
    return tuple(found)


def protocol_on(port: str | None, spoken: tuple[Protocol, ...]) -> tuple[Protocol, ...]:
    """Return what is spoken on one port of a row that names these protocols for all of its ports."""
    usual = USUAL.get(int(port)) if port is not None and port.isdecimal() else None
    if not spoken or usual in spoken:
        return (usual,) if usual in spoken else ()
    if usual is not None and set(spoken) <= set(_CARRIERS):
        datagram = spoken == (Protocol.UDP,)
        return spoken if datagram and usual in (Protocol.HTTP, Protocol.HTTPS) else (usual,)
    if usual in (Protocol.HTTP, Protocol.HTTPS) and set(spoken) == {Protocol.HTTP, Protocol.HTTPS}:
        return (usual,)
    return spoken


def usual_port(protocol: Protocol | None) -> str | None:
    """Return the port of a protocol that has one."""
    if protocol is Protocol.WSS:
        return "443"
    return next((str(port) for port, one in USUAL.items() if one is protocol), None)


def read_need(text: str) -> tuple[Need | None, str | None]:
    """Read a need, and the condition that may follow it after a colon."""
    text = re.sub(r"\(one of [^()]*\)", "", text_of_cell(text))
    word, _, condition = text.partition(":")
    return _NEEDS.get(word.strip().rstrip(".").lower()), condition.strip() or None


def need_of(when: str) -> tuple[Need | None, str | None]:
    """Return the need that words such as `Always` or `If using SQL` stand for, and the condition."""
    text = text_of_cell(when)
    low = text.lower()
    if re.match(
        r"always|required\b|yes\b|at install|only at install|when connect|only when you connect", low
    ):
        return (Need.CONDITIONAL, text) if "except" in low else (Need.REQUIRED, None)
    if re.match(r"optional|not required|no\b", low):
        return Need.OPTIONAL, None
    return (Need.CONDITIONAL, text) if re.match(r"(?:only )?(?:if|when|for|to use)\b", low) else (None, None)


def read_roles(text: str) -> tuple[tuple[Role, ...], bool, tuple[str, ...]]:
    """Return the roles a cell names, whether it speaks of inbound alone, and what is wrong in it."""
    text = text_of_cell(text).lower()
    words = [one for one in re.split(r"[\s,;]+", text) if one]
    if words and all(one in _ROLE_NAMES for one in words):
        return tuple(dict.fromkeys(Role(one) for one in words)), False, ()
    roles = _worded_roles(text)
    inbound = "inbound" in text and not re.search(r"outbound|bi-?directional|both", text)
    alone = len(words) == 1 and not roles and not _DIRECTIONS.fullmatch(text)
    return roles, inbound, (f"role {one_line(text)[:40]!r} is not known",) if alone else ()


def _worded_roles(text: str) -> tuple[Role, ...]:
    """Return the roles that a sentence begins with; none if it names an unknown machine beside them."""
    who = re.split(r"\.(?:\s|$)| need| must", re.sub(r"\([^()]*\)", "", text), maxsplit=1)[0]
    parts = [one for one in re.split(r",|\+|&|/|\band\b|\bor\b", who) if re.search(r"[a-z]", one)]
    found = [[role for role, pattern in _ROLES if pattern.search(one)] for one in parts]
    return tuple(dict.fromkeys(role for some in found for role in some)) if all(found) else ()


def read_gateway(text: str) -> bool | None:
    """Read whether an Azure Arc gateway carries a row: `Yes. 2408 or later`, `No`, `true`."""
    word = re.match(r"[a-z]+", text_of_cell(text).lower())
    return {
        "yes": True,
        "true": True,
        "supported": True,
        "forwarded": True,
        "no": False,
        "false": False,
        "not": False,
        "direct": False,
    }.get(word[0] if word else "")

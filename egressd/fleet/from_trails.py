"""What the trails of a target show that sites can be compared by: addresses, and who stood in the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from egressd.attribution.facts.address import AddressKind, is_ordinary, kind_of_address, parse_ip
from egressd.attribution.facts.stats import DIRECT
from egressd.model.observation import DnsObservation, NtpObservation, TcpObservation, TlsObservation
from egressd.model.recording import Recording, Trail
from egressd.model.settings import SYSTEM_RESOLVER
from egressd.model.verdict import Verdict

ANYCAST = (
    "azurefd.net",
    "azureedge.net",
    "msedge.net",
    "cloudflare.net",
    "fastly.net",
    "fastlylb.net",
)
"""Domains of networks that serve one address from many places: Azure Front Door (`t-msedge.net` and others
end in `msedge.net`), Cloudflare, Fastly. That another site reached the address proves nothing about the place
that serves this one."""


def seen_at(trails: Iterable[Trail], *, otherwise: str) -> str:
    """Return when the last observation of a target began, by its host's clock."""
    return max((one.started for trail in trails for one in trail.observations), default=otherwise)


def addresses(trails: Iterable[Trail], *, reached: bool) -> tuple[str, ...]:
    """Return the far end's addresses that worked (`reached`) or that failed, of what was dialled directly."""
    found = {
        address
        for trail in trails
        if (trail.last is not None and trail.last.failure is None) is reached
        for address in _dialled(trail)
    }
    return tuple(sorted(found))


def _dialled(trail: Trail) -> Iterator[str]:
    """Yield the address that was dialled because DNS gave it for this very name."""
    if trail.path != DIRECT or trail.redirected or trail.borrowed_from is not None:
        return
    for one in trail.observations:
        if isinstance(one, TcpObservation | NtpObservation):
            yield one.remote_address


def all_private(found: Iterable[str], public: tuple[str, ...]) -> bool:
    """Whether there are addresses, and none of them can be a public server's."""
    known = tuple(found)
    return bool(known) and not any(is_ordinary(one, public) for one in known)


def is_anycast(host: str, trails: Iterable[Trail]) -> bool:
    """Whether the name leads to a network that serves one address from many places."""
    names = [host]
    for trail in trails:
        for one in trail.observations:
            if isinstance(one, DnsObservation):
                names += one.cnames
    return any(name.lower().rstrip(".").endswith(ANYCAST) for name in names)


def devices(recording: Recording, verdict: Verdict, trails: Iterable[Trail]) -> tuple[str, ...]:
    """Return the identities of what stood in the way of a target that fails.

    What every host has for itself, as an address of its loopback, identifies nothing.
    """
    found: set[str] = set()
    for trail in trails:
        if trail.path != DIRECT and _is_identity(urlsplit(trail.path).hostname or ""):
            found.add(f"proxy {trail.path}")
        if (verdict.reason or "").startswith("dns_"):
            found.update(f"resolver {one}" for one in _resolvers(recording, trail) if _is_identity(one))
        found.update(_who_answered(trail))
    return tuple(sorted(found))


def _resolvers(recording: Recording, trail: Trail) -> tuple[str, ...]:
    known = recording.vantage.resolvers if trail.resolver == SYSTEM_RESOLVER else (trail.resolver,)
    return tuple(one for one in known if one and one != SYSTEM_RESOLVER)


def _who_answered(trail: Trail) -> Iterator[str]:
    icmp = getattr(trail.last, "icmp", None)
    if icmp is not None and not icmp.local and _is_identity(icmp.offender):
        yield f"icmp {icmp.offender}"
    for one in trail.observations:
        if isinstance(one, TlsObservation) and one.facts is not None and one.facts.publicly_anchored is False:
            key = one.facts.issuer_key or (one.chain[-1].sha256 if one.chain else None)
            if key:
                yield f"issuer {key}"


def _is_identity(end: str) -> bool:
    address = host_of_end(end)
    if parse_ip(address) is None:
        return address.lower() not in ("", "localhost")
    return kind_of_address(address) not in (AddressKind.LOOPBACK, AddressKind.NULL)


def host_of_end(end: str) -> str:
    """Return the host of `host:port`, `[host]:port` or a host alone."""
    if parse_ip(end) is not None:
        return end
    return urlsplit(f"//{end}").hostname or ""

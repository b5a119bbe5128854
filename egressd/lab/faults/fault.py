"""What a fault is: data. What an act means is known by the layer's own module."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """Where a fault acts."""

    DNS = "dns"
    ROUTE = "route"
    TLS = "tls"
    CERTIFICATE = "certificate"
    HTTP = "http"
    WORLD = "world"
    """Everywhere at once: the lab's clock, its resolver's address, the controls' addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that can go wrong."""

    name: str
    phase: str
    """The phase it shows in: dns, tcp, tls, http or ntp."""
    summary: str
    acts: tuple[tuple[Layer, str], ...]
    reasons: tuple[str, ...] = ()
    """What egressd should say of one host that has it, any of these; none: the target stays ok."""
    everywhere: tuple[str, ...] = ()
    """What it should say where every host has it, if that differs."""
    notes: tuple[str, ...] = ()
    """What it should note beside that, each of them."""
    example: str = "mcr.microsoft.com"
    """A host, as written in a switch, that shows it."""

    def act(self, layer: Layer) -> str | None:
        """Return what the fault does at a layer, or None."""
        return dict(self.acts).get(layer)


def fault(
    row: str,
    summary: str,
    *reasons: str,
    everywhere: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    example: str = "mcr.microsoft.com",
) -> Fault:
    """Build a fault from `name phase layer=act ...`."""
    name, phase, *acts = row.split()
    pairs = tuple((Layer(one.partition("=")[0]), one.partition("=")[2]) for one in acts)
    return Fault(
        name=name,
        phase=phase,
        summary=summary,
        acts=pairs,
        reasons=reasons,
        everywhere=everywhere,
        notes=notes,
        example=example,
    )

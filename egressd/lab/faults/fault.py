"""The description of a fault. Its effects are implemented by the module of the layer."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Layer(StrEnum):
    """The layer at which a fault has an effect."""

    DNS = "dns"
    ROUTE = "route"
    TLS = "tls"
    CERTIFICATE = "certificate"
    HTTP = "http"
    GLOBAL = "global"
    """The whole lab: its clock, its resolver's address, the addresses of the controls."""


class Fault(Struct, frozen=True, kw_only=True):
    """A fault that the lab can simulate."""

    name: str
    phase: str
    """The phase in which it is seen: dns, tcp, tls, http or ntp."""
    summary: str
    effects: tuple[tuple[Layer, str], ...]
    reasons: tuple[str, ...] = ()
    """The reason codes for one host that has it, any of these; (): the target stays ok."""
    everywhere: tuple[str, ...] = ()
    """The reason codes where every host has it, if different."""
    notes: tuple[str, ...] = ()
    """Further codes of the verdict, each of them."""
    example: str = "mcr.microsoft.com"
    """A host that shows it, as in `FAULT=HOST`."""

    def effect(self, layer: Layer) -> str | None:
        """Return the effect at a layer; None: none."""
        return dict(self.effects).get(layer)


def fault(
    row: str,
    summary: str,
    *reasons: str,
    everywhere: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    example: str = "mcr.microsoft.com",
) -> Fault:
    """Build a fault from `name phase layer=effect ...`."""
    name, phase, *effects = row.split()
    pairs = tuple((Layer(one.partition("=")[0]), one.partition("=")[2]) for one in effects)
    return Fault(
        name=name,
        phase=phase,
        summary=summary,
        effects=pairs,
        reasons=reasons,
        everywhere=everywhere,
        notes=notes,
        example=example,
    )

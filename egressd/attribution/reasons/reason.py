"""One reason code: its texts and usual values. The rules that select a code are in `attribution.rules`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from egressd.attribution.blame.suspects import Signature
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Outcome

PLACEHOLDERS = frozenset(
    {
        "host",
        "other_family",
        "port",
        "source",
        "peers",
        "address",
        "sni",
        "offender",
        "resolver",
        "issuer",
        "names",
        "time",
        "proxy",
        "status",
        "schemes",
        "location",
        "place",
        "remote",
        "ends",
        "flow",
        "destination",
        "service",
        "tags",
    }
)
"""The names a template may use in braces. `destination` is what a rule is for, a wildcard or a host, and
`host` what was tried; `service` is protocol and port. `place` is host and port, `remote` address and port of
the far end, as URLs write them (an IPv6 address in brackets); `ends` is our own end with the time, `flow`
what a log of the path has for it, with the time: both ends, or the proxy's own connection. What concerns
several targets or sources names each."""
_PAIRS = {
    "place": "HOST:PORT",
    "remote": "ADDRESS:PORT",
    "service": "PROTOCOL/PORT",
    "ends": "SOURCE:PORT at TIME",
    "flow": "SOURCE:PORT to ADDRESS:PORT at TIME",
}


class _TemplateValues(dict[str, str]):
    """Values of a template; a missing one reads as its name in capitals, as in a manual page."""

    def __missing__(self, key: str) -> str:
        return _PAIRS.get(key, key.upper())


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders of a template; unknown or empty values read as the name in capitals."""
    return template.format_map(_TemplateValues({name: value for name, value in values.items() if value}))


class Reason(Struct, frozen=True, kw_only=True):
    """One reason code. The code is API: never renamed, never reused."""

    code: str
    phase: Phase | None
    """The phase that fails; None if it spans several phases or targets, or does not concern the network."""
    title: str
    """A heading, 60 characters at most."""
    meaning: str
    """What it means for the person on call, in one to three sentences."""
    signal: str
    """What egressd observed."""
    evidence: tuple[str, ...]
    """Recorded facts to look at: field names, a colon, text. `tls.alert.level` is a field of an observation,
    `controls.repeat` a kind of control; `target`, `trails`, `record`, `run` and `vantage` are parts of the
    report."""
    suspects: Signature
    """Who can have caused it, the most likely first."""
    severity: Outcome
    """The usual outcome of a target; `ok` for a fact that needs no action."""
    advice: str
    """What to ask for, addressed to the team to blame; a template for `fill_template`."""
    confirm: str
    """How to check by hand: lines that start with `$ ` are commands, lines indented by two blanks continue
    them, the rest is prose; a template for `fill_template`."""
    advice_for: tuple[Blame, ...] = ()
    """The suspects whose team the advice addresses; empty: the usual one."""
    informational: bool = False
    """Whether it never raises an alert by itself."""
    needs: tuple[str, ...] = ()
    """What the code requires to arise: `proxy`, `second source`, ..."""

    def advise(self, values: Mapping[str, str]) -> str:
        """Return the advice with values filled in."""
        return fill_template(self.advice, values)

    def confirmation(self, values: Mapping[str, str]) -> str:
        """Return the check by hand with values filled in."""
        return fill_template(self.confirm, values)

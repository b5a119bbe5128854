"""What a reason code says to people. The wording lives here; deciding which code holds does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Confidence, Outcome

PLACEHOLDERS = frozenset(
    {
        "host",
        "port",
        "source",
        "peers",
        "address",
        "sni",
        "offender",
        "resolver",
        "issuer",
        "protocol",
        "time",
        "proxy",
        "status",
        "schemes",
        "place",
    }
)
"""The names a template may use in braces; nothing else is ever filled in."""


class _Filled(dict[str, str]):
    """Values for a template; what is not known stands as its name in capitals, as in a manual page."""

    def __missing__(self, key: str) -> str:
        return "HOST:PORT" if key == "place" else key.upper()


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values into a template's placeholders; unknown or empty ones read `NAME`, in capitals."""
    return template.format_map(_Filled({name: value for name, value in values.items() if value}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason code. The code is API: never renamed, never reused."""

    code: str
    phase: Phase | None
    """Where it shows; None for what is seen over several phases or targets, or is not the network's."""
    title: str
    """A heading in plain words, 60 characters at most."""
    meaning: str
    """What it means for the person on call, in one to three sentences."""
    signal: str
    """What egressd saw to say so."""
    evidence: tuple[str, ...]
    """Which recorded facts to look at: field names, a colon, words. `tls.alert.level` is a field of an
    observation, `controls.repeat` a kind of control; `target`, `trails`, `record`, `run` and `vantage` are
    what they are called."""
    blame: Blame
    """The usual party."""
    severity: Outcome
    """The usual outcome of a target; `ok` for what is only worth knowing."""
    advice: str
    """What to ask for, addressed to the party to blame; a template for `fill`."""
    confirm: str
    """How a person checks by hand: lines that start with `$ ` are commands and lines indented by two blanks
    go on with them, the rest is prose; a template for `fill`."""
    base: Confidence
    """How sure one standard run makes us, before controls raise or lower it."""
    capped: str = ""
    """What raises the confidence; its first word is the level it rises to."""
    informational: bool = False
    """Whether it never alarms by itself."""
    needs: tuple[str, ...] = ()
    """What must be there for the code to arise at all: `proxy`, `second source`, ..."""

    @property
    def ceiling(self) -> Confidence:
        """How sure this code may ever make us: what raises it says so, else it stays at its base."""
        return Confidence(self.capped.split()[0].lower()) if self.capped else self.base

    def advise(self, values: Mapping[str, str]) -> str:
        """Fill the advice in."""
        return fill(self.advice, values)

    def confirmation(self, values: Mapping[str, str]) -> str:
        """Fill the check by hand in."""
        return fill(self.confirm, values)

"""Sites as series for promtool: what each target does is a line of words, a minute for each step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

MINUTES = 80
UP, FAILS, UNKNOWN, ABSENT = "ufn-"
"""Steps: reached, not reached, without evidence, not there. `u20 f5 u`: up for 20 minutes, down for 5, up."""
Series = dict[str, str]
Values = Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class RuleTarget:
    """One target of a host."""

    steps: str
    host: str = "h"
    reason: str = "tcp_timeout"
    blame: str = "firewall_l3l4"
    need: str = "required"
    since: float | None = None
    """When it says that it began, where that is not the first step that fails."""
    not_needed: bool = False


@dataclass(frozen=True, kw_only=True)
class RuleHost:
    """One host of a site."""

    site: str
    targets: tuple[RuleTarget, ...]
    instance: str = ""
    job: str = "egressd"
    interval: int | None = 60
    """Seconds; None for a file of the textfile collector."""
    knows_since: bool = True
    behind: int = 0
    """Seconds that its clock is behind, as it knows."""
    swept: str = ""
    """Values of the last sweep, where it is not a minute after the other."""
    labels: str = ""
    """More labels on every series."""
    own_site: str = "site"
    """The label in which `egressd_site_info` has the site."""
    maintenance: str = ""
    until: int = MINUTES
    """The minute from which nothing comes."""

    def series(self) -> Iterator[Series]:
        """Yield its series."""
        where = f'job="{self.job}", instance="{self.instance or self.site}"{self.labels}'
        always = [1.0] * self.until
        yield _one("egressd_site_info", f'{where}, {self.own_site}="{self.site}"', always)
        if self.interval is not None:
            yield _one("egressd_sweep_interval_seconds", where, [self.interval] * self.until)
        if self.behind:
            yield _one("egressd_clock_offset_seconds", where, [self.behind] * self.until)
        swept = self.swept or f"{-self.behind}+60x{self.until - 1}" + (
            " stale" if self.until < MINUTES else ""
        )
        yield {"series": f"egressd_sweep_last_completed_timestamp_seconds{{{where}}}", "values": swept}
        if self.maintenance:
            yield {"series": f"egressd_maintenance_active{{{where}}}", "values": self.maintenance}
        for one in self.targets:
            yield from self._target(one, where)

    def _target(self, target: RuleTarget, where: str) -> Iterator[Series]:
        steps = expand(target.steps)[: self.until]
        about = f'{where}, target="t-{target.host}"'
        info = f'endpoint="e", service="S", host="{target.host}", port="443", need="{target.need}"'
        yield _one("egressd_target_info", f"{about}, {info}", [1.0] * self.until)
        seen, here = f'{about}, source="s"', [one != ABSENT for one in steps]
        up = [float(one == UP) if there else None for one, there in zip(steps, here, strict=True)]
        yield _one("egressd_target_up", seen, up)
        unknown = [float(one == UNKNOWN) for one in steps]
        yield _one("egressd_target_outcome", f'{seen}, egressd_target_outcome="unknown"', unknown)
        why = f'phase="tcp", reason="{target.reason}", blame="{target.blame}"'
        yield _one(
            "egressd_target_failure",
            f"{seen}, {why}",
            [1.0 if one in FAILS + UNKNOWN else None for one in steps],
        )
        if self.knows_since:
            yield _one("egressd_target_failing_since_timestamp_seconds", seen, self._since(target, steps))
        if target.not_needed:
            yield _one("egressd_target_not_needed", seen, [1.0] * self.until)

    def _since(self, target: RuleTarget, steps: str) -> Iterator[float | None]:
        began = 0.0
        for minute, one in enumerate(steps):
            if minute == 0 or steps[minute - 1] != FAILS:
                began = minute * 60 - self.behind if target.since is None else target.since
            yield began if one == FAILS else None


def expand(steps: str) -> str:
    """Return one letter for each minute; the last step goes on to the end."""
    words = [(one, int(count or MINUTES)) for one, count in re.findall(r"([ufn-])(\d*)", steps)]
    return "".join(one * count for one, count in words)[:MINUTES]


def _one(name: str, labels: str, values: Iterator[float | None] | Values) -> Series:
    return {"series": f"{name}{{{labels}}}", "values": " ".join(_notation([*values]))}


def _notation(values: Values) -> Iterator[str]:
    """Write values as promtool reads them; after a value that ends comes Prometheus' mark of that."""
    before = False
    for value, run in groupby([*values, *[None] * (MINUTES - len(values))]):
        count = len([*run])
        if value is not None:
            yield f"{value:g}x{count - 1}"
        elif before:
            yield f"stale _x{count - 1}" if count > 1 else "stale"
        else:
            yield f"_x{count}"
        before = value is not None


@dataclass(frozen=True, kw_only=True)
class RuleWorld:
    """A fleet, and what is told of it in which minute: alerts as their labels' values."""

    name: str
    hosts: tuple[RuleHost, ...]
    told: Mapping[int, frozenset[str]] = field(default_factory=dict)
    quiet: Sequence[int] = ()

    def expected(self) -> dict[int, frozenset[str]]:
        """Return what must fire, by minute."""
        return {**dict.fromkeys(self.quiet, frozenset()), **self.told}

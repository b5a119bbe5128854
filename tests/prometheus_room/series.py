"""Series of a fleet as an OpenMetrics page with times, from which a real Prometheus is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

NOW = 1_790_000_000
"""When the pages end: 2026-09-21T14:13:20Z."""
STEP = 60


@dataclass(frozen=True, kw_only=True)
class Failing:
    """A failing target of a site."""

    since: int
    reason: str = "tls_reset_after_hello"
    phase: str = "tls"
    blame: str = "firewall_l7"
    unknown: bool = False


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a site's host says in its series."""

    site: str
    instance: str
    targets: tuple[str, ...] = ("a.example", "b.example")
    failing: dict[str, Failing] | None = None
    last: int = NOW
    offset: float | None = None
    """Seconds that the host's clock is behind; the times that it says are by that clock."""
    relabelled: bool = False
    """Whether every series has the site, as a scrape configuration can give it."""


def page(places: Iterable[Place]) -> str:
    """Return the page, with samples of the last half hour of each place."""
    rows: dict[str, list[str]] = {}
    for one in places:
        for at in range(one.last - 1800, one.last + 1, STEP):
            for name, labels, value in samples(one, at):
                text = ",".join(f'{key}="{escaped(word)}"' for key, word in labels.items())
                rows.setdefault(name, []).append(f"{name}{{{text}}} {value} {at}")
    lines = [line for name in sorted(rows) for line in (f"# TYPE {name} gauge", *rows[name])]
    return "\n".join((*lines, "# EOF", ""))


def samples(one: Place, at: int) -> Iterator[tuple[str, dict[str, str], object]]:
    """Yield name, labels and value of each series of a place at a time."""
    where = {"job": "egressd", "instance": one.instance}
    named = {"site": one.site}
    base = where | named if one.relabelled else where
    yield "egressd_site_info", where | named, 1
    yield "egressd_sweep_interval_seconds", base, 60
    yield "egressd_sweep_last_completed_timestamp_seconds", base, at - 5 - (one.offset or 0)
    if one.offset is not None:
        yield "egressd_clock_offset_seconds", base, one.offset
    for target in one.targets:
        yield from target_samples(one, base, target, at)


def target_samples(
    one: Place, base: dict[str, str], target: str, at: int
) -> Iterator[tuple[str, dict[str, str], object]]:
    """Yield the series of a target."""
    failing = (one.failing or {}).get(target)
    failing = failing if failing is not None and at >= failing.since else None
    result = base | {"target": f"row/{target}:443", "source": "default"}
    yield (
        "egressd_target_info",
        base
        | {"target": f"row/{target}:443", "endpoint": "row", "host": target, "port": "443"}
        | {"protocol": "https", "need": "required", "profiles": "connected-machine", "service": "x"},
        1,
    )
    yield "egressd_target_up", result, int(failing is None)
    unknown = failing is not None and failing.unknown
    yield "egressd_target_outcome", result | {"egressd_target_outcome": "unknown"}, int(unknown)
    if failing is None:
        return
    words = {"phase": failing.phase, "reason": failing.reason, "blame": failing.blame}
    yield "egressd_target_failure", result | words, 1
    yield "egressd_target_failure_confidence", result | {"claim": "what", "confidence": "high"}, 1
    yield "egressd_target_failure_confidence", result | {"claim": "who", "confidence": "medium"}, 1
    if not unknown:
        yield "egressd_target_failing_since_timestamp_seconds", result, failing.since - (one.offset or 0)


def escaped(text: str) -> str:
    """Escape a label's value."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

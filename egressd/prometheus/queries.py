"""What a Prometheus is asked of a fleet: instant queries of the series that sites send to the centre."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

_BY_RESULT = "by (job, instance, site, target, source)"
_DAY = "1d"
"""How long a site is remembered that reports no more."""

QUERIES: Mapping[str, str] = MappingProxyType(
    {
        "fresh": "timestamp(egressd_site_info)",
        "last": (
            f"max by (job, instance, site) (max_over_time(timestamp(egressd_site_info)[{_DAY}:1m])) "
            "unless on (job, instance, site) egressd_site_info"
        ),
        "swept": "egressd_sweep_last_completed_timestamp_seconds",
        "interval": "egressd_sweep_interval_seconds",
        "offset": "egressd_clock_offset_seconds",
        "up": f"min {_BY_RESULT} (egressd_target_up)",
        "unknown": f'max {_BY_RESULT} (egressd_target_outcome{{egressd_target_outcome="unknown"}}) == 1',
        "failure": "egressd_target_failure == 1",
        "confidence": "egressd_target_failure_confidence == 1",
        "since": "egressd_target_failing_since_timestamp_seconds",
        "success": (
            "egressd_target_last_success_timestamp_seconds "
            "and on (job, instance, target, source) egressd_target_failure == 1"
        ),
        "not_needed": f"max {_BY_RESULT} (egressd_target_not_needed) == 1",
        "changing": "changes(egressd_target_up[1h]) > 1",
        "info": (
            "group by (job, instance, site, target, endpoint, host, port, protocol, need, profiles) "
            "(egressd_target_info)"
        ),
    }
)
"""Each query by what its answer is called here.

`fresh` has the newest sample of each host that reports, `last` that of each that no longer does. `success` is
not among the series that agents send to the centre: it may be absent.
"""

_AT_ONCE = 20
"""Targets of one query."""
_STEPS = (("1h", "1m"), (_DAY, "5m"))
"""How far back is looked, and how closely: a day by the minute, of a thousand sites, is more than Prometheus
reads for one query."""
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


def last_worked_queries(targets: Iterable[str]) -> Iterator[str]:
    """Yield queries for the last sample, within a day, that shows each of some targets reachable.

    Only of those targets: a day of the samples of every target is more than a Prometheus hands out.
    """
    names = sorted(set(targets))
    for first in range(0, len(names), _AT_ONCE):
        pattern = "|".join(map(_quoted, names[first : first + _AT_ONCE]))
        series = f'egressd_target_up{{target=~"{pattern}"}}'
        worked = f"timestamp({series}) and {series} == 1"
        yield " or ".join(
            f"max {_BY_RESULT} (max_over_time(({worked})[{back}:{step}]))" for back, step in _STEPS
        )


def _quoted(name: str) -> str:
    """Write a name as a regular expression that matches it alone, inside a string of PromQL."""
    pattern = _SPECIAL.sub(lambda found: f"\\{found[0]}", name)
    return "".join(_ESCAPED.get(one, one) for one in pattern)


_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
"""What a string of PromQL can't hold as it is."""

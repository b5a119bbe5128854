"""Warnings of times and numbers that are allowed and do not fit each other. Each is one sentence."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.fields.parse import config_duration
from egressd.model.settings import Limits, Settings

DESCRIPTORS_EACH = 2
"""Descriptors that one probe may hold: a connection, and a query to a resolver."""
HURRIED = 1.0
"""Seconds; the first repeat of a lost packet comes after one."""
PATIENT = 300.0
RARE = 3600.0


def timing_warnings(settings: Settings) -> Iterator[str]:
    """Yield what is probably not meant."""
    limits, interval = settings.limits, settings.interval
    if interval < limits.deadline:
        yield (
            f"interval: {config_duration(interval)} is shorter than probe.deadline "
            f"({config_duration(limits.deadline)}): one silent target makes sweeps late, and some are skipped"
        )
    if interval > RARE:
        yield f"interval: {config_duration(interval)} is how long a fault may go unseen"
    for name, seconds in _timeouts(settings):
        if seconds < HURRIED:
            yield (
                f"probe.{name}: {config_duration(seconds)} is less than a second: one lost packet looks like "
                "a failure"
            )
        if seconds > PATIENT:
            yield f"probe.{name}: {config_duration(seconds)} is how long one silent target may delay a sweep"
        if limits.deadline < seconds != getattr(Limits(), name):  # a default was not written by anybody
            yield (
                f"probe.{name}: {config_duration(seconds)} is never reached: probe.deadline ends all after "
                f"{config_duration(limits.deadline)}"
            )
    if limits.sweep_deadline is not None and limits.sweep_deadline < limits.deadline:
        yield (
            f"probe.sweep_deadline: {config_duration(limits.sweep_deadline)} is shorter than probe.deadline "
            f"({config_duration(limits.deadline)}): slow targets end as unknown"
        )


def _timeouts(settings: Settings) -> Iterator[tuple[str, float]]:
    limits = settings.limits
    for name in ("dns_timeout", "connect_timeout", "tls_timeout", "http_timeout", "deadline"):
        yield name, getattr(limits, name)

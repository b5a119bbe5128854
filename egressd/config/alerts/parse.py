"""Parsers of single values of `alerts:`: labels, patterns, cron expressions, time zones.

Each raises ValueError with the rest of a sentence that starts with the key.
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

OWN_LABELS = frozenset(
    {
        *("alertname", "severity", "instance", "job", "target", "source", "endpoint", "service", "host"),
        *("port", "protocol", "need", "profiles", "profile", "phase", "reason", "blame", "receiver"),
        "sent_by",
    }
)
"""Labels that alerts have already: another value would make two alerts of one."""
REFERENCE = datetime(2026, 1, 1, tzinfo=UTC)
"""From here schedules are tried, so that validation does not depend on the date."""
LONGEST_SCHEDULE = 100


def parse_label_name(text: str) -> str:
    """Check the name of a label, by Prometheus' rules."""
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", text) or len(text) > 64:
        raise ValueError("must be a label's name: up to 64 letters, digits and _, and no digit first")
    if text.startswith("__"):
        raise ValueError("must not start with __: such labels are Prometheus' own")
    if text in OWN_LABELS:
        hint = f"; set alerts.{text}" if text in {"job", "instance"} else ""
        raise ValueError(f"is a label that alerts have already{hint}")
    return text


def parse_line(text: str) -> str:
    """Check a text of one line, of 1 to 200 characters."""
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise ValueError("must be one line of 1 to 200 characters")
    return text


def parse_glob(text: str) -> str:
    """Check a pattern, where `*` stands for anything."""
    if not text or len(text) > 200 or not text.isprintable() or " " in text:
        raise ValueError("must be a pattern of 1 to 200 characters without spaces, where * is anything")
    return text


def parse_schedule(text: str) -> str:
    """Check five fields of cron."""
    wanted = 'must be five fields of cron, such as "0 2 * * SAT"'
    if len(text) > LONGEST_SCHEDULE or len(text.split()) != 5:
        raise ValueError(f"{wanted} (minute, hour, day of month, month, day of week)")
    try:
        next(CronSim(text, REFERENCE))
    except CronSimError as error:
        why = str(error).removeprefix("Bad ")
        raise ValueError(f"{wanted}; the {why} can't be right") from None
    except StopIteration:
        raise ValueError(f"{wanted}; no day is ever like this one") from None
    return " ".join(text.split())


def parse_timezone(text: str) -> str:
    """Check the name of a time zone."""
    try:
        ZoneInfo(text)
    except (LookupError, ValueError, OSError):
        near = difflib.get_close_matches(text, sorted(available_timezones()), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"must be a time zone such as Europe/Berlin, not {text[:60]!r}{hint}") from None
    return text

"""Logs on stderr: for people, as JSON or as logfmt, without secrets.

A line that can't be written is lost and counted; it stops nothing and delays nothing.
"""

from egressd.cli.log.configure import (
    HIDDEN,
    Form,
    Level,
    configure_logging,
    configure_logging_late,
    flush_log,
    is_journal,
    lines_lost,
    register_secrets,
    without_secrets,
)
from egressd.cli.log.human import printable

__all__ = [
    "HIDDEN",
    "Form",
    "Level",
    "configure_logging",
    "configure_logging_late",
    "flush_log",
    "is_journal",
    "lines_lost",
    "printable",
    "register_secrets",
    "without_secrets",
]

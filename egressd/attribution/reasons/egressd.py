"""Reasons that concern egressd itself, never the network."""

from __future__ import annotations

from egressd.attribution.blame.suspects import EGRESSD_ITSELF
from egressd.attribution.reasons.commands import AGAIN, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.verdict import Outcome

EGRESSD: tuple[Reason, ...] = (
    Reason(
        code="not_probed",
        phase=None,
        title="The endpoint was not probed",
        meaning="The sweep ended before this probe ran: interrupted, or out of time. Nothing is known about "
        "the endpoint, good or bad.",
        signal="The plan holds the probe and the recording has no trail of it.",
        evidence=(
            "record.skipped: why it did not run",
            "run.interrupted: whether it was stopped early",
        ),
        suspects=EGRESSD_ITSELF,
        severity=Outcome.UNKNOWN,
        advice="Run again; if the sweep is short of time, raise `--deadline` or narrow it with `--only`.",
        confirm=AGAIN,
    ),
    Reason(
        code="internal_error",
        phase=None,
        title="egressd itself failed on this endpoint",
        meaning="A bug in egressd ended this probe. It says nothing about the network; the other results of "
        "the sweep stand.",
        signal="An exception that no network failure explains; the log holds the traceback.",
        evidence=(
            "record.bug: class and text of the exception",
            "http.failure, tls.failure, tcp.failure, dns.failure: internal_error, where one phase was hit",
        ),
        suspects=EGRESSD_ITSELF,
        severity=Outcome.UNKNOWN,
        advice="Report it with the traceback from the log and the JSON report of this sweep; there is "
        "nothing to ask of a network team.",
        confirm=steps("$ egressd --once --log.level debug --only '{host}'"),
    ),
)

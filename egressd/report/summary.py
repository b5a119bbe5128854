"""The sweep in short: counts, exit code, and the sentences that several formats share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from egressd.errors import ExitCode
from egressd.model.endpoint import Need
from egressd.model.plan import Unsampled
from egressd.model.recording import Recording
from egressd.model.verdict import (
    Outcome,
    OutcomeCounts,
    Sweep,
    choices_of,
    outcomes_by_pair,
)
from egressd.report.public_dns import without_public_dns
from egressd.wording import count, host_port

FAILING = frozenset({Outcome.BLOCKED, Outcome.DOWN})
MOST_DEGRADED = 6
"""Degraded targets that a conclusion names."""
MOST_WANTED = 4
"""Missing options that it names."""
OWN_ENDPOINTS = "own endpoints"
"""Where targets count that no profile has; with a blank, so that no profile is called so."""
_FLAGS = {"region": "--region", "arc_gateway": "--arc-gateway", "endpoints": "endpoints"}
"""What gives what is missing: an option or a key; the rest is given under `values`."""


def count_outcomes(outcomes: Iterable[Outcome]) -> OutcomeCounts:
    """Count targets by outcome."""
    counts = Counter(outcomes)
    return OutcomeCounts(
        targets=counts.total(),
        ok=counts[Outcome.OK],
        degraded=counts[Outcome.DEGRADED],
        blocked=counts[Outcome.BLOCKED],
        down=counts[Outcome.DOWN],
        unknown=counts[Outcome.UNKNOWN],
    )


def outcomes_of(sweep: Sweep) -> dict[str, Outcome]:
    """Return the outcome of every target by its id."""
    return {one.target: one.verdict.outcome for one in sweep.verdicts}


def by_profile(sweep: Sweep) -> dict[str, OutcomeCounts]:
    """Count targets by profile and outcome, in the plan's order; a target counts for each of its profiles.

    The operator's own endpoints, which no profile has, are counted under a name of their own.
    """
    outcomes = outcomes_of(sweep)
    found: dict[str, list[Outcome]] = {}
    for target in sweep.recording.plan.targets:
        for profile in target.profiles or (OWN_ENDPOINTS,):
            found.setdefault(profile, []).append(outcomes[target.id])
    return {profile: count_outcomes(some) for profile, some in found.items()}


def exit_code(sweep: Sweep) -> ExitCode:
    """Return the exit code. Only required endpoints decide; others never fail a sweep."""
    code = code_of_targets(sweep)
    if code is ExitCode.OK and unproved(sweep):
        return ExitCode.UNKNOWN
    return code


def code_of_targets(sweep: Sweep) -> ExitCode:
    """Return the exit code by what was probed, whatever could not be."""
    if sweep.recording.interrupted:
        return ExitCode.INTERRUPTED
    outcomes = required_outcomes(sweep)
    if any(one in _failures(sweep) for one in outcomes):
        return ExitCode.FAILED
    if any(one is Outcome.UNKNOWN for one in outcomes) or not sweep.verdicts:
        return ExitCode.UNKNOWN  # without verdicts nothing is proved
    return ExitCode.OK


def unproved(sweep: Sweep) -> tuple[Unsampled, ...]:
    """Return the required endpoints that were not probed for want of what the operator could give.

    One whose alternative works is not among them.
    """
    plan = sweep.recording.plan
    missing = [one for one in plan.unsampled if one.need is Need.REQUIRED and one.lacks]
    if not any(one.one_of for one in missing):
        return tuple(missing)
    choices = choices_of(plan.targets, plan.unsampled, outcomes_by_pair(sweep))
    stuck = {one.name for one in choices if one.working is None}
    known = {one.name for one in choices}
    return tuple(one for one in missing if one.one_of not in known - stuck)


def _failures(sweep: Sweep) -> frozenset[Outcome]:
    """Return the outcomes that fail a sweep; with `--strict` also that of what works and has a fault."""
    return FAILING | {Outcome.DEGRADED} if sweep.recording.plan.strict else FAILING


def degraded_required(sweep: Sweep) -> tuple[str, ...]:
    """Return the required targets that are degraded, as `host:port`, each once."""
    outcomes = sweep.deciding
    found = (
        one.id.partition("/")[2] or host_port(one.host, one.port)
        for one in sweep.recording.plan.targets
        if outcomes.get(one.id) is Outcome.DEGRADED
    )
    return tuple(dict.fromkeys(found))


def required_outcomes(sweep: Sweep) -> tuple[Outcome, ...]:
    """Return the outcomes of the required targets that decide."""
    return tuple(sweep.deciding.values())


def conclude(sweep: Sweep) -> str:
    """State the exit code and its reason in one sentence; degraded targets are named."""
    required = required_outcomes(sweep)
    failing = sum(one in FAILING for one in required)
    unknown = sum(one is Outcome.UNKNOWN for one in required)
    code = exit_code(sweep)
    bad = f"{count(failing, 'required target')} blocked or down"
    unsure = f"{count(unknown, 'required target')} unknown"
    match code:
        case ExitCode.OK:
            text = f"PASS: {count(len(required), 'required target')}, all reachable"
            if not required:
                text = f"PASS: none of {count(len(sweep.verdicts), 'target')} is required"
        case ExitCode.FAILED:
            text = f"FAIL: {bad}" + (f", {unsure}" if unknown else "")
        case ExitCode.INTERRUPTED:
            text = f"INTERRUPTED: {bad}, {unsure}"
        case _:
            seen = f"UNSURE: no failure proved, {unsure}" if unknown else "UNSURE: no failure proved"
            text = seen if required else "UNSURE: no required target was probed"
    left = f"{_unproved(sweep)}{_beyond_probing(sweep)}{_degraded(sweep)}"
    return f"{_with_public_dns(text, sweep)}{left} (exit code {code.value})"


def notices(sweep: Sweep) -> tuple[str, ...]:
    """Return what to read before anything else: no public DNS, then what was not probed and why."""
    dns = without_public_dns(sweep.recording)
    missing = unproved(sweep)
    wanted = {option_of(lack): lack for one in missing for lack in one.lacks}
    waiting = (
        _waiting(option, [one for one in missing if lack in one.lacks]) for option, lack in wanted.items()
    )
    return (*([dns.text] if dns is not None else []), *waiting)


def _waiting(option: str, some: list[Unsampled]) -> str:
    """Say what was not probed for want of an option; of `endpoints` also which host it takes."""
    wildcards = ", ".join(one.pattern for one in some)
    how = f" (a host of {wildcards})" if option == _FLAGS["endpoints"] else ""
    proved = "it" if len(some) == 1 else "them"
    return (
        f"{count(len(some), 'required endpoint')} not probed for want of {option}{how}, so nothing is proved "
        f"of {proved}."
    )


def _with_public_dns(text: str, sweep: Sweep) -> str:
    """Say first that there is no public DNS, from which the rest follows."""
    missing = without_public_dns(sweep.recording)
    if missing is None:
        return text
    state, _, rest = text.partition(": ")
    return f"{state}: {missing.short}; {rest}"


def missing_options(sweep: Sweep) -> tuple[str, ...]:
    """Return the options for want of which required endpoints were not probed, as they are written."""
    wanted = dict.fromkeys(name for one in unproved(sweep) for name in one.lacks)
    return tuple(option_of(name) for name in wanted)


def option_of(lack: str) -> str:
    """Return what gives something that a row lacks: an option, or a key of the configuration."""
    return _FLAGS.get(lack, f"values.{lack}")


def _unproved(sweep: Sweep) -> str:
    """Say how many required endpoints were not probed, and for want of which options; empty: none."""
    missing, wanted = unproved(sweep), missing_options(sweep)
    if not missing:
        return ""
    named = ", ".join(wanted[:MOST_WANTED])
    more = f" and {len(wanted) - MOST_WANTED} more" if len(wanted) > MOST_WANTED else ""
    return f"; {count(len(missing), 'required endpoint')} not probed for want of {named}{more}"


def _beyond_probing(sweep: Sweep) -> str:
    """Name the required endpoints that no option would have probed from here; empty: there are none.

    Such are ranges of ports, UDP, and rows of roles that no source has. They decide nothing.
    """
    rows = (one for one in sweep.recording.plan.unsampled if one.feature is None and one.one_of is None)
    names = [one.endpoint for one in rows if one.need is Need.REQUIRED and not one.lacks]
    if not names:
        return ""
    more = f" and {len(names) - MOST_WANTED} more" if len(names) > MOST_WANTED else ""
    return f"; required and not probed from here: {', '.join(names[:MOST_WANTED])}{more}"


def _degraded(sweep: Sweep) -> str:
    """Name the required targets that work and have a fault, the first few; empty: there are none."""
    names = degraded_required(sweep)
    if not names:
        return ""
    more = f" and {len(names) - MOST_DEGRADED} more" if len(names) > MOST_DEGRADED else ""
    counts = ", which --strict counts as failed" if sweep.recording.plan.strict else ""
    return f"; degraded{counts}: {', '.join(names[:MOST_DEGRADED])}{more}"


def headline(sweep: Sweep) -> str:
    """State in one line the counts, and where the sweep was made from."""
    counts = count_outcomes(outcomes_of(sweep).values())
    return f"{counts_text(counts)}; from {describe_vantage(sweep.recording)}"


def counts_text(one: OutcomeCounts) -> str:
    """Write counts in words, without the outcomes that did not occur."""
    outcomes = (
        ("ok", one.ok),
        ("degraded", one.degraded),
        ("blocked", one.blocked),
        ("down", one.down),
        ("unknown", one.unknown),
    )
    parts = [f"{number} {word}" for word, number in outcomes if number or word == "ok"]
    return f"{count(one.targets, 'target')}, {', '.join(parts)}"


def describe_vantage(recording: Recording) -> str:
    """Describe in one line where a sweep was made from."""
    vantage, gateway = recording.vantage, recording.plan.arc_gateway
    sources = [
        one.name + (f" ({where})" if (where := one.address or one.interface) else "")
        for one in vantage.sources
    ]
    named = f", sources {', '.join(sources)}" if sources and sources != ["default"] else ""
    clock = vantage.clock_offset_seconds
    skew = (
        f", its clock {abs(clock):.0f} s {'behind' if clock > 0 else 'ahead'}"
        if clock and abs(clock) >= 5
        else ""
    )
    through = f"through {vantage.proxy}" if vantage.proxy else "direct"
    through += f", Arc gateway {gateway}" if gateway else ""
    site = f" at {vantage.site}" if vantage.site not in (None, vantage.host) else ""
    return f"{vantage.host}{site}{named}, {through}, resolvers {', '.join(vantage.resolvers) or 'none'}{skew}"


def seconds_of(recording: Recording) -> float:
    """Return the duration of a sweep in seconds."""
    elapsed = datetime.fromisoformat(recording.finished) - datetime.fromisoformat(recording.started)
    return max(elapsed.total_seconds(), 0.0)

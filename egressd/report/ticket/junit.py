"""The report as JUnit XML, for a CI server: a test case for every target and source.

A required target that is blocked or down is a failure; one that is unknown is an error, because missing
evidence is not a pass. So is one that was not probed for want of an option. Optional and conditional targets
never fail, nor do those with an alternative that works: if not reachable they are skipped, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from msgspec import Struct

from egressd import __version__
from egressd.attribution.blame.claims import ruled_out_lines, sureness, who_text
from egressd.model.plan import Target, Unsampled
from egressd.model.verdict import (
    Outcome,
    SourceVerdict,
    Sweep,
    Verdict,
    deciding_outcomes,
    outcomes_by_pair,
    spared_in,
)
from egressd.report.summary import conclude, exit_code, option_of, seconds_of, unproved
from egressd.report.text import clean
from egressd.report.ticket.connection import Trails, milliseconds, trails_of

DIRECT = "direct"


class JunitCase(Struct, frozen=True, kw_only=True):
    """One target from one source, as a JUnit test case."""

    target: Target
    judged: SourceVerdict
    seconds: float
    strict: bool
    decides: Outcome | None
    """The outcome that counts for the sweep; None: it does not decide."""
    alternative: str | None
    """The endpoint that works in its place."""

    @property
    def result(self) -> str:
        """`passed`, `failure`, `error` or `skipped`."""
        outcome = self.judged.verdict.outcome
        if outcome is Outcome.OK or (outcome is Outcome.DEGRADED and not self.strict):
            return "passed"
        if self.decides is None:
            return "skipped"
        return "error" if self.decides is Outcome.UNKNOWN else "failure"

    @property
    def why_skipped(self) -> str:
        """Why it does not decide."""
        if self.alternative is not None:
            return f"not needed, alternative {self.alternative} works"
        return self.target.need


def render_junit(sweep: Sweep) -> str:
    """Render a sweep: one suite for each source, in the order of the plan."""
    trails = trails_of(sweep)
    cases, missing = tuple(_cases(sweep, trails)), unproved(sweep)
    spent = f"{seconds_of(sweep.recording):.3f}"
    numbers = _numbers([*(one.result for one in cases), *("error" for _ in missing)])
    root = Element("testsuites", {"name": "egressd", **numbers, "time": spent})
    for source in dict.fromkeys(one.judged.source for one in cases):
        _suite(root, sweep, source, tuple(one for one in cases if one.judged.source == source))
    if missing:
        _not_probed(root, sweep, missing)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _cases(sweep: Sweep, trails: Trails) -> Iterable[JunitCase]:
    plan, outcomes, excused = sweep.recording.plan, outcomes_by_pair(sweep), spared_in(sweep)
    deciding = deciding_outcomes(plan.targets, plan.unsampled, outcomes)
    targets = {one.id: one for one in plan.targets}
    for judged in sweep.verdicts:
        for one in judged.by_source:
            spent = milliseconds(judged.target, one, trails) / 1000
            yield JunitCase(
                target=targets[judged.target],
                judged=one,
                seconds=spent,
                strict=plan.strict,
                decides=deciding.get((judged.target, one.source)),
                alternative=excused.get((judged.target, one.source)),
            )


def _numbers(found: list[str]) -> dict[str, str]:
    """Count results as JUnit does."""
    return {
        "tests": str(len(found)),
        "failures": str(found.count("failure")),
        "errors": str(found.count("error")),
        "skipped": str(found.count("skipped")),
    }


def _suite(root: Element, sweep: Sweep, source: str, cases: tuple[JunitCase, ...]) -> None:
    numbers = _numbers([one.result for one in cases])
    seconds = sum(one.seconds for one in cases)
    suite = _new_suite(root, sweep, f"egressd from {source}", numbers, seconds=seconds)
    for one in cases:
        _case(suite, one)


def _not_probed(root: Element, sweep: Sweep, missing: tuple[Unsampled, ...]) -> None:
    """Add the required endpoints that were not probed for want of an option, as a suite of errors."""
    numbers = _numbers(["error" for _ in missing])
    suite = _new_suite(root, sweep, "egressd: not probed", numbers, seconds=0)
    for one in missing:
        case = SubElement(
            suite,
            "testcase",
            classname=clean(f"egressd.{one.endpoint}"),
            name=clean(f"{one.pattern} not probed"),
            time="0.000",
        )
        wanted = " and ".join(option_of(name) for name in one.lacks)
        text = f"required, and not probed for want of {wanted}: {one.why}"
        SubElement(case, "error", message=clean(text), type="not_probed").text = clean(text)


def _new_suite(root: Element, sweep: Sweep, name: str, numbers: dict[str, str], *, seconds: float) -> Element:
    recording = sweep.recording
    head = {
        "name": clean(name),
        **numbers,
        "time": f"{seconds:.3f}",
        "timestamp": recording.started.partition(".")[0],  # readers of JUnit take no fraction and no zone
        "hostname": clean(recording.vantage.host),
    }
    suite = SubElement(root, "testsuite", head)
    properties = SubElement(suite, "properties")
    for key, value in (
        ("egressd", __version__),
        ("run", recording.id),
        ("site", recording.vantage.site or recording.vantage.host),
        ("cloud", recording.plan.cloud),
        ("region", recording.plan.region or ""),
        ("catalog", recording.plan.catalog_revision),
        ("conclusion", conclude(sweep)),
        ("exit_code", str(exit_code(sweep).value)),
    ):
        SubElement(properties, "property", name=key, value=clean(value))
    return suite


def _case(suite: Element, one: JunitCase) -> None:
    verdict, path = one.judged.verdict, one.judged.path
    through = "" if path == DIRECT else f" through {path}"
    place = one.target.id.partition("/")[2] or one.target.host
    case = SubElement(
        suite,
        "testcase",
        classname=clean(f"egressd.{one.target.endpoint}"),
        name=clean(f"{place} {one.target.protocol} from {one.judged.source}{through}"),
        time=f"{one.seconds:.3f}",
    )
    if one.result == "skipped":
        SubElement(case, "skipped", message=clean(f"{one.why_skipped}: {_message(verdict)}"))
    elif one.result != "passed":
        kind = clean(verdict.reason or "unknown")
        SubElement(case, one.result, message=clean(_message(verdict)), type=kind).text = _body(verdict)
    if one.result in {"skipped", "passed"} and verdict.outcome is not Outcome.OK:
        SubElement(case, "system-out").text = _body(verdict)


def _message(verdict: Verdict) -> str:
    where = f" in {verdict.phase}" if verdict.phase else ""
    return f"{verdict.outcome}{where} ({verdict.reason or 'unknown'})"


def _body(verdict: Verdict) -> str:
    """Return both claims, advice and evidence, a line each."""
    ask = [f"ask: {verdict.advice}"] if verdict.advice else []
    who = who_text(verdict.blame, verdict.blame_confidence, verdict.suspects) if verdict.blame else ""
    lines = [
        f"what: {_message(verdict)}; {sureness(verdict.confidence)}",
        *([f"who: {who}"] if who else []),
        *(f"not: {line}" for line in ruled_out_lines(verdict.ruled_out)),
        *ask,
        *verdict.evidence,
    ]
    return "\n".join(clean(line) for line in lines)

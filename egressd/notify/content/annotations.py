"""The annotations of an alert, for programs: one line each, scrubbed; all targets are named."""

from __future__ import annotations

from egressd.model.alert import Alert
from egressd.model.notification import Alerting
from egressd.net.scrub import scrub
from egressd.notify.content import facts
from egressd.notify.content.times import format_time


def annotate(alert: Alert, rules: Alerting, *, change: str = "", dropped: str = "") -> dict[str, str]:
    """Return what is known of an alert as annotations; what is empty is left out."""
    condition = alert.condition
    found = {
        "summary": scrub(condition.summary, facts.LONGEST_TITLE),
        "description": _description(alert),
        "runbook_url": facts.runbook(condition, rules),
        "change": scrub(change, facts.LONGEST_TITLE),
        "since": condition.since,
        "blame": scrub(facts.blame_of(condition), facts.LONGEST_LINE),
        "suspects": "\n".join(facts.suspects_of(condition)),
        "ask": facts.advice_of(condition),
        "evidence": "\n".join(facts.evidence_of(condition)),
        "targets": "\n".join(facts.target_names(condition)),
        "sources": ", ".join(condition.sources),
        "profiles": ", ".join(condition.profiles),
        "egressd_alert": alert.id,
        "dropped": dropped,
    }
    return {name: text for name, text in found.items() if text}


def _description(alert: Alert) -> str:
    condition = alert.condition
    parts = [f"{scrub(condition.summary, facts.LONGEST_TITLE)}. Since {format_time(condition.since)}."]
    if condition.reason:
        phase = f" in phase {condition.phase.value}" if condition.phase else ""
        sure = f", confidence {condition.confidence.value}" if condition.confidence else ""
        parts.append(f"Reason: {condition.reason}{phase}{sure}.")
    if condition.blame:
        parts.append(f"To blame: {scrub(facts.blame_of(condition), facts.LONGEST_LINE)}.")
    parts += [f"Ask for: {text}" for text in (facts.advice_of(condition),) if text]
    parts += [f"Evidence: {line}" for line in facts.evidence_of(condition)[:1]]
    return " ".join(parts)

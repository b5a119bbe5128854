"""The one line that names an alert: what is wrong, and which host or pattern it concerns."""

from __future__ import annotations

from egressd.alerting.context import AlertContext
from egressd.model.standing import FindingStanding
from egressd.wording import count, name_first


def cause_summary(context: AlertContext, one: FindingStanding) -> str:
    """Return what a finding says, and of which hosts or patterns."""
    if not one.explained:
        return f"{one.title}: the whole path"
    failing = [name for name in one.targets if name in context.down]
    shown = failing or [name for name in one.explained if name in context.targets]
    needed = sum(context.is_required(name) for name in failing)
    words = [name_first(context.targets[name].shown_host for name in shown)]
    if failing:
        words.append(f"{count(len(failing), 'target')} out of reach, {needed} of them required")
    elif one.targets:
        words.append(f"{count(len(one.targets), 'target')} touched")
    if one.recovering:
        words.append(f"{len(one.recovering)} answering again")
    return f"{one.title}: {'; '.join(words)}"

"""Which conditions are being repaired: their last results are good, so that no alert begins with them."""

from __future__ import annotations

from egressd.alerting.context import AlertContext, cause_id
from egressd.alerting.inhibit import OF_ONE_TARGET
from egressd.model.alert import AlertName, Condition


def is_recovering(context: AlertContext, condition: Condition) -> bool:
    """Whether the last result of everything that a condition is about was good, though not confirmed yet.

    An alert that is open stays so until then; one that is not waits for a result that is bad.
    """
    if condition.alertname is AlertName.CAUSE:
        cause = next((one for one in context.causes if cause_id(one) == condition.id), None)
        return cause is not None and (cause.clearing or bool(cause.recovering and not cause.targets))
    if condition.alertname not in OF_ONE_TARGET:
        return False
    pair = (condition.targets[0], condition.sources[0])
    flaps = condition.alertname is AlertName.FLAPPING
    return pair in (context.steady if flaps else context.recovering)

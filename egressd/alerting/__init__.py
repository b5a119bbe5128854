"""From standings to notifications: conditions, alerts, inhibition, silences, notices, routes.

Rules: pure, no I/O, clock or randomness; the time is an argument. Evaluating the same snapshot twice sends
no notice the second time. One cause is one alert, and no alert resolves while its condition holds.
"""

from egressd.alerting.advance import advance_alerts
from egressd.alerting.routing import audience_of, receivers_for
from egressd.alerting.silences import active_silences, silenced_pairs

__all__ = ["active_silences", "advance_alerts", "audience_of", "receivers_for", "silenced_pairs"]

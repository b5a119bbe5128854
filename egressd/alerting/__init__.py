"""From what is believed to what somebody is told: conditions, alerts, notices.

Law of the room: pure. No I/O, no clock, no randomness; the time is given. Taking the same moment in twice
says nothing the second time. One cause is one alert; nothing is over before it is mended.
"""

from egressd.alerting.advance import advance_alerts
from egressd.alerting.routing import audience_of, receivers_for
from egressd.alerting.silences import ActiveSilence, covered_pairs, in_force

__all__ = ["ActiveSilence", "advance_alerts", "audience_of", "covered_pairs", "in_force", "receivers_for"]

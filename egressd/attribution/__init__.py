"""Attribution: judge a recording, and plan the follow-up controls that would make it clearer.

Law of the room: no I/O, no clock, no randomness. The same recording always gives the same sweep, so
that a saved one can be judged again, and every bug report is a test case.
"""

from __future__ import annotations

from egressd.attribution.baseline import baseline_of
from egressd.attribution.followups import SAMPLED, plan_followups
from egressd.attribution.judgement import judge

__all__ = ["SAMPLED", "baseline_of", "judge", "plan_followups"]

"""What a recording means: pure functions of facts.

Law of the room: no I/O, no clock, no randomness. The same recording always gives the same sweep, so
that a saved one can be judged again, and every bug report is a test case.
"""

from __future__ import annotations

from egressd.attribution.baseline import baseline_of
from egressd.attribution.judgement import judge
from egressd.attribution.questions import open_questions

__all__ = ["baseline_of", "judge", "open_questions"]

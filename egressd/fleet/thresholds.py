"""The numbers by which sites are compared; the rule files for Prometheus use the same ones (tested)."""

from __future__ import annotations

from fractions import Fraction

TOGETHER = 300
"""Seconds: failures that begin within it of the median began together. One change or one outage."""
MOST = Fraction(2, 3)
"""Of the sites that have a place: from this share on it is most of them."""
LEAST_SITES = 3
"""Sites that must fail alike and together before the far end is accused."""
ROLLOUT = 86_400
"""Seconds: failures that begin one after another within it are one rollout."""
LEAST_ROLLOUT = 2
"""Sites that must begin to fail one after another before a rollout is seen."""
CHANCE = Fraction(1, 100)
"""Of the sites that have a place: so many begin to fail within a day by chance, and are no rollout."""
CUT_OFF = Fraction(1, 2)
"""Of a site's required places: from this share on the site as such is cut off, and no place is to blame."""
TYPICAL = Fraction(1, 4)
"""Of the median site's required places: while less of them fail, the other sites are well."""
LEAST_CUT_OFF = 3
"""Required places that must fail before a site is cut off."""
LEAST_OTHERS = 2
"""Other sites that must reach a place before a site that does not is said to differ."""
SAME_TIME = 900
"""Seconds: results at most so far apart speak of the same time. A report of last week clears nobody today."""
SILENT_INTERVALS = 3
"""A site is silent after so many of its own intervals without a report, and not before `SAME_TIME`."""
RECENT = 3_600
"""Seconds before a site's last result in which a success among failures is told: it comes and goes."""

"""Cross-target detectors: one finding per cause, the most general first; a target belongs to one at most.

A cause that lies on the whole path (a dead resolver, an inspecting device, no route) is a finding even
for a single target. Any other cause is one only where two targets share it: a target that fails alone has its
verdict.
"""

from __future__ import annotations

from egressd.attribution.detectors.detect import detect_findings

__all__ = ["detect_findings"]

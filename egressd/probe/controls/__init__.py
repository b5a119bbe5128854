"""Controls: small probes with a known correct result, run to tell explanations apart."""

from __future__ import annotations

from egressd.probe.controls.run import run_control

__all__ = ["run_control"]

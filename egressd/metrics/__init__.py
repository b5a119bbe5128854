"""Prometheus metrics, made from one immutable snapshot.

Law of the room: values in, samples out. Nothing here is set, counted or remembered while probing; what
only grows is in the snapshot. A target that is gone leaves no series. Every metric stands in `table.py`,
which is also the page `docs/metrics.md`.
"""

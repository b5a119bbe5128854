"""Prometheus metrics, made from one immutable snapshot.

Nothing is set or counted here while probing: counters are part of the snapshot. A removed target leaves no
series. `table.py` lists every metric; `docs/metrics.md` is generated from it.
"""

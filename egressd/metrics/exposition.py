"""Metrics as text: negotiated, and made once for each snapshot however many ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Metric,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from egressd.metrics.collect import families_of
from egressd.metrics.writing import write_snapshot
from egressd.model.snapshot import Snapshot

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_END = b"# EOF\n"
_encode_openmetrics: Callable[[Collector], bytes] = openmetrics.generate_latest


class SnapshotCollector(Collector):
    """The families of one snapshot, for a registry."""

    def __init__(self, snapshot: Snapshot, limits: Mapping[str, float]) -> None:
        self._snapshot = snapshot
        self._limits = limits

    def collect(self) -> Iterable[Metric]:
        """Yield every family of the table."""
        return families_of(self._snapshot, limits=self._limits)

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: registering must not collect."""
        return ()


class Exposition:
    """The text of `/metrics`. `render` is safe in a worker thread."""

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = limits
        self._process = CollectorRegistry(support_collectors_without_names=True)
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        self._made: dict[str, _Made] = {}

    def render(self, snapshot: Snapshot, *, form: str = PLAIN, names: tuple[str, ...] = ()) -> bytes:
        """Render a snapshot and this process; with names, only those samples."""
        if names:
            return self._pick(snapshot, form, names)
        made = self._made.get(form)
        if made is None or made.snapshot is not snapshot:
            text = write_snapshot(snapshot, limits=self._limits, openmetrics=form == OPENMETRICS)
            made = self._made[form] = _Made(snapshot=snapshot, text=text.encode())
        return made.text + _text(self._process, form)

    def _pick(self, snapshot: Snapshot, form: str, names: tuple[str, ...]) -> bytes:
        ours = CollectorRegistry(support_collectors_without_names=True)
        ours.register(SnapshotCollector(snapshot, self._limits))
        picked = [_text(one.restricted_registry(names), form) for one in (ours, self._process)]
        return picked[0].removesuffix(_END) + picked[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    snapshot: Snapshot
    text: bytes


def choose_form(accept: str) -> str:
    """Choose the format an `Accept` header prefers; what can't be read asks for plain text."""
    weights = dict(_weights(accept))
    rest = max(weights.get("text/*", 0.0), weights.get("*/*", 0.0))
    rich, plain = weights.get("application/openmetrics-text", 0.0), weights.get("text/plain", rest)
    return OPENMETRICS if rich > 0 and rich >= plain else PLAIN


def _weights(accept: str) -> Iterator[tuple[str, float]]:
    """Yield media types with their weights; OpenMetrics only in versions there are."""
    for part in accept[:2000].split(","):
        kind, *parameters = (one.strip().lower() for one in part.split(";"))
        values = dict(one.partition("=")[::2] for one in parameters)
        if kind.endswith("openmetrics-text") and values.get("version", "1.0.0") not in ("1.0.0", "0.0.1"):
            continue
        yield kind, _weight(values.get("q", "1"))


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _text(registry: Collector, form: str) -> bytes:
    return _encode_openmetrics(registry) if form == OPENMETRICS else generate_latest(registry)

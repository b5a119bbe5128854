"""The response of `/metrics`: format negotiated, rendered once for each snapshot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from msgspec import Struct
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from egressd.metrics.writing import write_snapshot
from egressd.model.snapshot import Snapshot

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_END = b"# EOF"
_encode_openmetrics: Callable[[Collector], bytes] = openmetrics.generate_latest


class Exposition:
    """The text of `/metrics`. `render` is safe in a worker thread."""

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = limits
        self._process = CollectorRegistry(support_collectors_without_names=True)
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        self._rendered: dict[str, _Rendered] = {}

    def render(self, snapshot: Snapshot, *, form: str = PLAIN, names: tuple[str, ...] = ()) -> bytes:
        """Render a snapshot and the metrics of this process; with names, only those samples."""
        rendered = self._rendered.get(form)
        if rendered is None or rendered.snapshot is not snapshot:
            text = write_snapshot(snapshot, limits=self._limits, openmetrics=form == OPENMETRICS)
            rendered = self._rendered[form] = _Rendered(snapshot=snapshot, text=text.encode())
        page = rendered.text + _text(self._process, form)
        return b"".join(line + b"\n" for line in _pick(page, names)) if names else page


class _Rendered(Struct, frozen=True, kw_only=True):
    snapshot: Snapshot
    text: bytes


def _pick(page: bytes, names: Collection[str]) -> Iterator[bytes]:
    """Yield the lines of the named samples, with the comments of their families."""
    wanted = {name.encode(errors="replace") for name in names if name}
    comments: list[bytes] = []
    for line in page.split(b"\n"):
        if line == _END:
            yield line
        elif line.startswith(b"# HELP "):
            comments = [line]
        elif line.startswith(b"#"):
            comments.append(line)
        elif line.partition(b"{")[0].partition(b" ")[0] in wanted:
            yield from (*comments, line)
            comments = []


def choose_form(accept: str) -> str:
    """Choose the format that an `Accept` header prefers; plain text if it can't be parsed."""
    weights = dict(_weights(accept))
    rest = max(weights.get("text/*", 0.0), weights.get("*/*", 0.0))
    rich, plain = weights.get("application/openmetrics-text", 0.0), weights.get("text/plain", rest)
    return OPENMETRICS if rich > 0 and rich >= plain else PLAIN


def _weights(accept: str) -> Iterator[tuple[str, float]]:
    """Yield media types with their weights; OpenMetrics only in known versions."""
    for part in accept[:2000].split(","):
        media_type, *parameters = (one.strip().lower() for one in part.split(";"))
        values = dict(one.partition("=")[::2] for one in parameters)
        if media_type.endswith("openmetrics-text") and values.get("version", "1.0.0") not in (
            "1.0.0",
            "0.0.1",
        ):
            continue
        yield media_type, _weight(values.get("q", "1"))


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _text(registry: Collector, form: str) -> bytes:
    return _encode_openmetrics(registry) if form == OPENMETRICS else generate_latest(registry)

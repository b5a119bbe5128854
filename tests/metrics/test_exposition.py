"""The formats of `/metrics`, and the choice of single samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from egressd.metrics import exposition, writing
from egressd.metrics.exposition import OPENMETRICS, PLAIN, Exposition, choose_form
from egressd.model.observation import Phase
from egressd.model.snapshot import Counters, Histogram, Snapshot
from egressd.model.verdict import Outcome
from tests.metrics.client_library import SnapshotCollector

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/html,*/*;q=0.8", PLAIN),
        ("application/openmetrics-text", OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        ("application/openmetrics-text;version=9.9.9", PLAIN),
        ("application/openmetrics-text;version=1.0.0;q=0", PLAIN),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", PLAIN),
        ("application/openmetrics-text;version=1.0.0,*/*;q=0.1", OPENMETRICS),
        ("application/openmetrics-text;q=x", PLAIN),
        (";;;=,=,application/openmetrics-text;q=nan", PLAIN),
        ("," * 100_000, PLAIN),
    ],
)
def test_the_format_is_negotiated(accept: str, form: str) -> None:
    """OpenMetrics for a client that prefers a known version of it; plain text for all others."""
    assert choose_form(accept) == form


def test_both_formats_can_be_read(snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any) -> None:
    """Each format parses, and has the metrics of this process."""
    snapshot, page = snapshot_of(sweep_of(row())), Exposition({})
    plain = {one.name for one in parse_plain(page.render(snapshot).decode())}
    read: Callable[[str], Iterable[Metric]] = parse_openmetrics
    rich = {one.name for one in read(page.render(snapshot, form=OPENMETRICS).decode())}
    for names in (plain, rich):
        assert {"egressd_target_up", "process_resident_memory_bytes"} <= names
    assert "python_info" in plain
    assert "egressd_target" in rich


def test_single_metrics_can_be_picked(snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any) -> None:
    """`name[]` selects samples of the snapshot and of the process."""
    names = ("egressd_target_up", "process_open_fds")
    text = Exposition({}).render(snapshot_of(sweep_of(row())), names=names).decode()
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert {line.replace("{", " ").split()[0] for line in samples} == set(names)


@pytest.mark.parametrize("form", [PLAIN, OPENMETRICS])
@pytest.mark.parametrize(
    "names",
    [
        ("egressd_target_up",),
        ("egressd_probes_total", "egressd_target_info", "egressd_clock_offset_seconds"),
        ("egressd_phase_latency_seconds_count", "egressd_phase_latency_seconds_sum"),
        ("egressd_nothing", "egressd_target", ""),
    ],
)
def test_picked_samples_are_those_of_the_library(
    snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any, form: str, names: tuple[str, ...]
) -> None:
    """Byte for byte what the client library writes of a registry restricted to these names."""
    counters = Counters(probes={("t", "s"): 7}, latency={Phase.TCP: Histogram(), Phase.DNS: Histogram()})
    snapshot = snapshot_of(sweep_of(row(), row(host='"\n# EOF\n\\b')), counters=counters)
    registry = CollectorRegistry(support_collectors_without_names=True)
    registry.register(SnapshotCollector(snapshot, {}))
    encode: Callable[[Any], bytes] = generate_latest if form == PLAIN else openmetrics.generate_latest
    restricted = encode(registry.restricted_registry(names))
    assert Exposition({}).render(snapshot, form=form, names=names) == restricted


def test_a_snapshot_is_rendered_once(
    snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scrapes of one snapshot share one rendering; a new snapshot is rendered at once."""
    made = []
    original = writing.write_snapshot

    def count(snapshot: Snapshot, **rest: Any) -> Any:
        made.append(snapshot)
        return original(snapshot, **rest)

    monkeypatch.setattr(exposition, "write_snapshot", count)
    snapshot, page = snapshot_of(sweep_of(row())), Exposition({})
    for _ in range(3):
        page.render(snapshot)
    assert len(made) == 1
    later = replace(snapshot, sweep=sweep_of(row(host="new.example")))
    assert b"new.example" in page.render(later)
    assert len(made) == 2


@pytest.mark.parametrize("form", [PLAIN, OPENMETRICS])
def test_the_writer_equals_the_client_library(
    snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any, finding_of: Any, form: str
) -> None:
    """Byte for byte what the client library writes, unusual names and numbers included."""
    rows = [row(throughput=1234567.875), row(host="\\b", outcome=Outcome.BLOCKED), row(pattern="*.x")]
    counters = Counters(
        probes={("t", "s"): 7},
        failures={("t", 's"\n', "tcp_refused"): 2},
        latency={Phase.TCP: Histogram(seconds=0.1 + 0.2), Phase.DNS: Histogram()},
        completed="2026-11-20T03:10:04.000Z",
        sweep_seconds=1e-7,
        profiles={"resource-bridge": "2026-11-20T03:10:04.000Z"},
    )
    snapshot = snapshot_of(sweep_of(*rows, sources=2), findings=(finding_of("a"),), counters=counters)
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(snapshot, {"resource-bridge": 3888000.0}))
    encode: Callable[[CollectorRegistry], bytes] = (
        generate_latest if form == PLAIN else openmetrics.generate_latest
    )
    ours = Exposition({"resource-bridge": 3888000.0}).render(snapshot, form=form)
    theirs = encode(registry).removesuffix(b"# EOF\n")
    assert ours.startswith(theirs)
    assert ours.count(b"# TYPE egressd_") == theirs.count(b"# TYPE egressd_")

"""The metrics of a snapshot."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from egressd.metrics.table import METRICS, MOST_REASONS
from egressd.metrics.writing import write_snapshot
from egressd.model.endpoint import Need, SampleKind
from egressd.model.notification import Matcher, Notify, Route, Severity
from egressd.model.observation import Phase
from egressd.model.plan import Unsampled
from egressd.model.snapshot import BUCKETS, Counters, Histogram, ReceiverStatus, Snapshot
from egressd.model.verdict import Outcome
from tests.metrics.snapshots import NOW
from tests.notify.samples import sample_receiver

LIMITS = {"resource-bridge": 45 * 86400.0}
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def write_plain(snapshot: Snapshot) -> str:
    return write_snapshot(snapshot, limits=LIMITS, openmetrics=False)


def read(snapshot: Snapshot) -> Samples:
    """The samples by name, each by its labels."""
    found: defaultdict[str, dict[tuple[tuple[str, str], ...], float]] = defaultdict(dict)
    for family in text_string_to_metric_families(write_plain(snapshot)):
        for sample in family.samples:
            found[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return found


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


PAIR = {"target": "row-0/mcr.microsoft.com:443", "source": "source-0"}


def test_a_reachable_target(snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any) -> None:
    """A probe of a reachable target gives outcome, phases, certificate expiry and throughput."""
    found = read(snapshot_of(sweep_of(row(throughput=5e6))))
    assert found["egressd_target_up"] == {labels(**PAIR): 1}
    states = found["egressd_target_outcome"]
    assert sum(states.values()) == 1
    assert states[labels(**PAIR, egressd_target_outcome="ok")] == 1
    assert len(states) == len(Outcome)
    assert found["egressd_target_failure"] == {}
    durations = found["egressd_probe_phase_duration_seconds"]
    assert durations == {
        labels(**PAIR, phase="tcp"): 0.0125,
        labels(**PAIR, phase="tls"): 0.03,
        labels(**PAIR, phase="http"): 0.055,
    }
    expiry = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert found["egressd_tls_chain_expiry_timestamp_seconds"] == {labels(**PAIR): expiry}
    assert found["egressd_tls_intercepted"] == {labels(**PAIR): 0}
    assert found["egressd_download_bytes_per_second"] == {labels(**PAIR): 5e6}
    assert found["egressd_target_last_success_timestamp_seconds"].keys() == {labels(**PAIR)}
    assert found["egressd_clock_offset_seconds"] == {(): 0.25}


def test_a_failing_target(snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any) -> None:
    """A failure has phase, reason and blame, and no values of phases that did not run."""
    found = read(snapshot_of(sweep_of(row(outcome=Outcome.BLOCKED))))
    assert found["egressd_target_up"] == {labels(**PAIR): 0}
    why = labels(**PAIR, phase="tls", reason="tls_reset_after_hello", blame="firewall_l7")
    assert found["egressd_target_failure"] == {why: 1}
    assert found["egressd_target_failure_confidence"] == {
        labels(**PAIR, claim="what", confidence="confirmed"): 1,
        labels(**PAIR, claim="who", confidence="medium"): 1,
    }
    assert found["egressd_tls_chain_expiry_timestamp_seconds"] == {}
    assert found["egressd_tls_intercepted"] == {}
    assert found["egressd_target_last_success_timestamp_seconds"] == {}
    began = datetime.fromisoformat(NOW).timestamp()
    assert found["egressd_target_failing_since_timestamp_seconds"] == {labels(**PAIR): began}
    assert found["egressd_profile_up"] == {labels(profile="resource-bridge"): 0}
    assert found["egressd_alerts_firing"][labels(severity="critical")] == 1


@pytest.mark.parametrize("last", ["ok", "unknown"])
def test_a_last_result_that_is_no_failure(
    snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any, last: str
) -> None:
    """While the last probe did not find the target blocked or down, it fails since no time."""
    made = snapshot_of(sweep_of(row(outcome=Outcome.BLOCKED)))
    (standing,) = made.standings.targets
    pending = replace(standing.belief, outcome=Outcome(last))
    changed = replace(made.standings, targets=(replace(standing, pending=pending),))
    assert read(replace(made, standings=changed))["egressd_target_failing_since_timestamp_seconds"] == {}


def test_the_site_of_the_host(snapshot_of: Callable[..., Snapshot]) -> None:
    """The site is a series of its own, quotes and all, from the start and before any sweep."""
    made = snapshot_of(None)
    named = replace(made, settings=replace(made.settings, site='Oslo "1"'))
    assert read(named)["egressd_site_info"] == {labels(site='Oslo "1"'): 1}
    assert read(made)["egressd_site_info"] == {}


def test_tls_inspection_is_exposed(snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any) -> None:
    """TLS inspection is exposed although the target is reachable."""
    found = read(snapshot_of(sweep_of(row(outcome=Outcome.DEGRADED, reason="tls_mitm_trusted"))))
    assert found["egressd_tls_intercepted"] == {labels(**PAIR): 1}
    assert found["egressd_target_up"] == {labels(**PAIR): 1}
    assert found["egressd_target_failure"] == {}


def test_label_values_are_escaped(snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any) -> None:
    """A quote, a backslash and a line end in a name survive exposition and parsing."""
    found = read(snapshot_of(sweep_of(row(profiles=("connected-machine", "resource-bridge")))))
    (info,) = (dict(one) for one in found["egressd_target_info"])
    assert info["service"] == 'A "service"\\ of two\nlines'
    assert info["profiles"] == "connected-machine,resource-bridge"
    assert info["need"] == "required"


def test_a_profile_is_up_by_what_it_requires(
    snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any
) -> None:
    """Optional targets do not take a profile down; a profile with an offline limit exposes it."""
    rows = (
        row(need=Need.OPTIONAL, outcome=Outcome.DOWN),
        row(host="a.example", profiles=("connected-machine", "resource-bridge")),
        row(host="b.example", profiles=("connected-machine",), outcome=Outcome.UNKNOWN),
    )
    found = read(snapshot_of(sweep_of(*rows)))
    assert found["egressd_profile_up"] == {
        labels(profile="resource-bridge"): 1,
        labels(profile="connected-machine"): 0,
    }
    assert found["egressd_profile_offline_limit_seconds"] == {labels(profile="resource-bridge"): 3888000}


def test_a_removed_target_leaves_no_series(
    snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any
) -> None:
    """A target that is not in the next snapshot is no longer exposed."""
    both = write_plain(snapshot_of(sweep_of(row(), row(host="gone.example"))))
    one = write_plain(snapshot_of(sweep_of(row())))
    assert "gone.example" in both
    assert "gone.example" not in one


def test_findings_cover_their_targets(
    snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any, finding_of: Any
) -> None:
    """The targets that a finding explains are exposed with it, so that they raise no alerts of their own."""
    sweep = sweep_of(*(row(host=f"{name}.example", outcome=Outcome.BLOCKED) for name in "abc"))
    ids = [one.id for one in sweep.recording.plan.targets]
    found = read(snapshot_of(sweep, findings=(finding_of(*ids[:2]),)))
    cause = {"reason": "site_port80_blocked", "blame": "firewall_l3l4"}
    assert found["egressd_finding_active"] == {labels(**cause): 1}
    own = {"finding": "site_port80_blocked", **cause}
    assert found["egressd_finding_info"] == {labels(**own): 1}
    assert (
        labels(finding="site_port80_blocked", claim="who", confidence="low")
        in found["egressd_finding_confidence"]
    )
    assert found["egressd_finding_target"] == {labels(target=one, **own): 1 for one in ids[:2]}
    assert found["egressd_target_cause_suspected"] == {}
    assert found["egressd_alerts_firing"][labels(severity="critical")] == 2


def test_an_unconfirmed_finding_is_not_exposed(
    snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any, finding_of: Any
) -> None:
    """Neither a finding of one sweep nor its target; only that a cause is suspected of it."""
    sweep = sweep_of(row(outcome=Outcome.BLOCKED))
    ids = [one.id for one in sweep.recording.plan.targets]
    found = read(snapshot_of(sweep, findings=(finding_of(*ids, opened=False),)))
    assert found["egressd_finding_active"] == {}
    assert found["egressd_finding_target"] == {}
    assert found["egressd_target_cause_suspected"] == {labels(target=one): 1 for one in ids}
    assert found["egressd_alerts_firing"][labels(severity="critical")] == 0


def test_samples_of_wildcards(snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any) -> None:
    """Hosts are counted once per pattern and kind; a pattern without a sample has kind none."""
    pattern = {"pattern": "*.blob.core.windows.net", "sample": SampleKind.DOCUMENTED}
    missing = Unsampled(endpoint="e", pattern="*.vault.azure.net", need=Need.REQUIRED, why="no value")
    rows = [row(host=host, **pattern) for host in ("a.blob.core.windows.net", "b.blob.core.windows.net") * 2]
    found = read(snapshot_of(sweep_of(*rows, unsampled=(missing,))))
    assert found["egressd_wildcard_samples"] == {
        labels(pattern="*.blob.core.windows.net", kind="documented"): 2,
        labels(pattern="*.vault.azure.net", kind="none"): 0,
    }


def test_before_the_first_sweep(snapshot_of: Callable[..., Snapshot]) -> None:
    """Before the first sweep there are no samples about targets."""
    found = read(snapshot_of(problems=("bad",)))
    assert found["egressd_config_last_reload_successful"] == {(): 0}
    assert found["egressd_sweep_overruns_total"] == {(): 0}
    assert found["egressd_target_up"] == {}
    assert "egressd_sweep_last_completed_timestamp_seconds" not in found
    assert found["egressd_alerts_firing"] == {
        labels(severity=one): 0 for one in ("critical", "warning", "info")
    }


def test_counters_come_from_the_snapshot(snapshot_of: Callable[..., Snapshot]) -> None:
    """Counters are exposed as they are; histogram buckets are cumulative."""
    counts = (1, 2, *(0,) * (len(BUCKETS) - 3), 3, 4)
    counters = Counters(
        probes={("t", "s"): 7},
        failures={("t", "s", "tcp_refused"): 2},
        latency={Phase.TCP: Histogram(counts=counts, seconds=99.5)},
        overruns=3,
        sweep_seconds=1.5,
        completed="2026-11-20T03:10:04.000Z",
        profiles={"resource-bridge": "2026-11-20T03:10:04.000Z"},
        notifications={"ops": 5},
        notifications_failed={"ops": 1},
    )
    found = read(snapshot_of(counters=counters))
    assert found["egressd_probes_total"] == {labels(target="t", source="s"): 7}
    assert found["egressd_probe_failures_total"] == {labels(target="t", source="s", reason="tcp_refused"): 2}
    buckets = found["egressd_phase_latency_seconds_bucket"]
    assert buckets[labels(phase="tcp", le="0.005")] == 1
    assert buckets[labels(phase="tcp", le="0.01")] == 3
    assert buckets[labels(phase="tcp", le="10.0")] == 6
    assert buckets[labels(phase="tcp", le="+Inf")] == 10
    assert found["egressd_phase_latency_seconds_count"] == {labels(phase="tcp"): 10}
    assert found["egressd_phase_latency_seconds_sum"] == {labels(phase="tcp"): 99.5}
    assert found["egressd_sweep_overruns_total"] == {(): 3}
    assert found["egressd_notifications_failed_total"] == {labels(receiver="ops"): 1}
    moment = datetime(2026, 11, 20, 3, 10, 4, tzinfo=UTC).timestamp()
    assert found["egressd_profile_last_reachable_timestamp_seconds"] == {
        labels(profile="resource-bridge"): moment
    }


CRITICAL = Route(receivers=("am",), match=Matcher(severity=(Severity.CRITICAL,)))
OTHERS = Route(receivers=("hook",))


@pytest.mark.parametrize(
    ("names", "routes", "unreached", "expected"),
    [
        ((), (), (), (0, 1)),
        (("hook",), (), ("hook",), (0, 1)),
        (("am",), (), (), (1, 1)),
        (("am",), (), ("am",), (1, 0)),
        (("am", "am-2"), (), ("am",), (1, 1)),
        (("am", "am-2"), (), ("am", "am-2"), (1, 0)),
        (("am", "hook"), (CRITICAL, OTHERS), (), (1, 1)),
        (("am", "hook"), (OTHERS, CRITICAL), ("am",), (0, 1)),
        (("am", "am-2"), (Route(receivers=("am",)),), ("am",), (1, 0)),
    ],
)
def test_who_speaks_to_alertmanager(
    snapshot_of: Callable[..., Snapshot],
    names: tuple[str, ...],
    routes: tuple[Route, ...],
    unreached: tuple[str, ...],
    expected: tuple[int, int],
) -> None:
    """egressd speaks if a route leads to an Alertmanager, and is heard if one of those is reached."""
    made = tuple(sample_receiver("webhook" if one == "hook" else "alertmanager", one) for one in names)
    since = "2026-11-20T03:00:00.000Z"
    failing = tuple(ReceiverStatus(name=one, unreached_since=since, failing_since=since) for one in unreached)
    fine = tuple(ReceiverStatus(name=one) for one in names if one not in unreached)
    snapshot = snapshot_of()
    settings = replace(snapshot.settings, notify=Notify(receivers=made, routes=routes))
    found = read(replace(snapshot, settings=settings, receivers=(*failing, *fine)))
    gauges = ("egressd_alertmanager_receiver_configured", "egressd_alertmanager_receiver_reached")
    assert tuple(found[one][()] for one in gauges) == expected
    assert found["egressd_notifications_failing"] == {
        labels(receiver=one): float(one in unreached) for one in names
    }


def test_reasons_are_bounded(snapshot_of: Callable[..., Snapshot]) -> None:
    """The number of series per target is bounded, and no count is lost."""
    failures = {("t", "s", f"reason_{number:03d}"): 1 for number in range(100)}
    found = read(snapshot_of(counters=Counters(failures=failures)))["egressd_probe_failures_total"]
    assert len(found) == MOST_REASONS + 1
    assert sum(found.values()) == 100
    assert found[labels(target="t", source="s", reason="other")] == 100 - MOST_REASONS


def test_series_are_bounded_as_stated(snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any) -> None:
    """The bound that docs/metrics.md states holds where everything fails."""
    rows = [row(host=f"h{number}.example", outcome=Outcome.BLOCKED) for number in range(20)]
    found = read(snapshot_of(sweep_of(*rows, sources=3)))
    total = sum(len(one) for one in found.values())
    assert 20 * 3 * 8 < total <= 38 * 60 + 4 * 20 + 3 + 111


def test_every_metric_is_in_the_table(snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any) -> None:
    """Every sample is documented, none has a `_created` series, and every value is a number."""
    text = write_plain(snapshot_of(sweep_of(row())))
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert families == {one.full for one in METRICS.values()}
    assert "_created" not in text
    values = [value for one in read(snapshot_of(sweep_of(row()))).values() for value in one.values()]
    assert not any(math.isnan(one) for one in values)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_no_problem(
    snapshot_of: Callable[..., Snapshot], sweep_of: Any, row: Any, finding_of: Any
) -> None:
    """Names, types and help texts follow the conventions of Prometheus."""
    sweep = sweep_of(row(throughput=1.0), row(host="x.example", outcome=Outcome.DOWN))
    counters = Counters(
        probes={("t", "s"): 7},
        failures={("t", "s", "tcp_refused"): 2},
        latency={Phase.TCP: Histogram()},
        completed="2026-11-20T03:10:04.000Z",
        profiles={"resource-bridge": "2026-11-20T03:10:04.000Z"},
    )
    snapshot = replace(snapshot_of(sweep, findings=(finding_of("a"),)), counters=counters)
    text = write_plain(snapshot)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

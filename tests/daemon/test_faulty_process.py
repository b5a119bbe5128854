"""The real daemon, in which functions of every task fail: it stays healthy, sweeps, and counts."""

from __future__ import annotations

import re
from pathlib import Path

from tests.daemon.process import Lab, daemon

FAULTS = {
    "sweeps": "egressd.daemon.scheduler:Scheduler._due=2",
    "rechecks": "egressd.daemon.recheck:to_recheck=1",
    "evaluation": "egressd.state.silences:SilencesFile.refresh=2",
    "standings": "egressd.daemon.state_store:advance=1",
    "alerts": "egressd.daemon.state_store:advance_alerts=2",
    "counters": "egressd.daemon.state_store:count_results=1000000",
    "log": "egressd.daemon.event_log:status_line=1000000",
    "metrics": "egressd.metrics.collect:_of_alerts=1000000",
    "delivery": "egressd.notify.supervisor:DeliverySupervisor._wanted=2",
    "watchdog": "egressd.daemon.run:replace=1",
    "http": "egressd.web.status.page:StatusPage.render=1000000",
    "discovery": "egressd.engine.session:Session.refresh=1",
    "probe": "egressd.probe.sweep:clock_offset=1000000",
}
"""By the part that is counted."""


def test_a_daemon_with_bugs_everywhere_goes_on(tmp_path: Path, config: Path, lab: Lab) -> None:
    """Each task fails, some for good: health is good, sweeps end, each bug is counted, and logged once."""
    faults = " ".join(FAULTS.values())
    with daemon(tmp_path, config, module="tests.daemon.faulty_daemon", FAULTS=faults) as running:
        running.wait_for("READY=1")
        lab.do("on tls_reset=mcr.microsoft.com")
        running.until(lambda: len(running.events("sweep")) >= 3, "sweeps")
        running.until(lambda: running.events("target changed"), "a confirmed failure")
        assert running.get("/")[0] == 500

        def counted() -> set[str]:
            assert running.get("/-/healthy") == (200, "egressd is healthy\n")
            text = running.get("/metrics")[1]
            found = re.findall(r'egressd_internal_errors_total\{part="(\w+)"\} (\S+)', text)
            return {part for part, count in found if float(count) > 0}

        running.until(lambda: counted() >= FAULTS.keys(), "counted")
        lab.do("off")
        assert running.stop()[0] == 0
    lines = running.events("internal error: a bug of egressd, please report it")
    tracebacks = [one for one in lines if "exception" in one]
    assert len(tracebacks) == len({(one["part"], one["why"]) for one in tracebacks})
    assert len(lines) < 40

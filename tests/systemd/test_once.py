"""The one-sweep service and its timer: metrics for node_exporter without a daemon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.systemd.conftest import CONFIG
from tests.systemd.machine import Machine

pytestmark = pytest.mark.machine

ONCE = "egressd-once.service"
TIMER = "egressd-once.timer"
FOLDER = "/var/lib/prometheus/node-exporter"
WRITTEN = f"{FOLDER}/egressd.prom"


@pytest.fixture
def collector(machine: Machine) -> Iterator[Machine]:
    """Return the machine with the textfile collector's folder, prepared as the unit's comments describe."""
    machine.must("mkdir", "-p", FOLDER)
    machine.must("groupadd", "--system", "--force", "egressd-textfile")
    machine.must("chgrp", "egressd-textfile", FOLDER)
    machine.must("chmod", "g+w", FOLDER)
    yield machine
    machine.must("rm", "-rf", FOLDER, f"/etc/systemd/system/{TIMER}.d")


def test_writes_metrics_that_node_exporter_can_read(collector: Machine) -> None:
    """The metrics file is complete, readable by node_exporter's user, and alone in its folder."""
    collector.must("systemctl", "start", ONCE)
    assert collector.must("stat", "--format=%a", WRITTEN).strip() == "644"
    text = collector.must("setpriv", "--reuid=65534", "--clear-groups", "cat", WRITTEN)
    assert "egressd_target_up{" in text
    assert text.endswith("\n")
    assert collector.must("ls", FOLDER).split() == ["egressd.prom"]


def test_a_blocked_target_is_no_failed_unit(collector: Machine) -> None:
    """A blocked target is in the metrics, and the unit succeeds."""
    collector.must("sed", "-i", "s/127.0.0.1:21000/127.0.0.1:9/", CONFIG)
    assert collector.run("/usr/bin/egressd", "--once", f"--config.file={CONFIG}").returncode == 1
    collector.must("systemctl", "start", ONCE)
    assert 'reason="dns_no_listener"' in collector.must("cat", WRITTEN)


def test_a_bad_configuration_is_a_failed_unit(collector: Machine) -> None:
    """A bad configuration is exit code 78, and the old metrics file is kept."""
    collector.must("systemctl", "start", ONCE)
    before = collector.must("cat", WRITTEN)
    collector.write(CONFIG, "interval: sometimes\n")
    assert collector.run("systemctl", "start", ONCE).returncode != 0
    assert collector.show("ExecMainStatus", ONCE) == "78"
    assert collector.must("cat", WRITTEN) == before


def test_the_timer_starts_it(collector: Machine) -> None:
    """The timer, set to a nearer time, starts the service."""
    collector.write(
        f"/etc/systemd/system/{TIMER}.d/soon.conf", "[Timer]\nOnActiveSec=1s\nRandomizedDelaySec=0\n"
    )
    collector.must("systemctl", "daemon-reload")
    collector.must("systemctl", "start", TIMER)
    assert collector.show("ActiveState", TIMER) == "active"
    collector.must(
        "sh", "-c", f"i=0; until test -s {WRITTEN} || test $i = 600; do i=$((i+1)); sleep 0.1; done"
    )
    assert "egressd_target_up{" in collector.must("cat", WRITTEN)

"""One systemd machine for all tests, with the package installed from its archive and a lab running.

Each test gets the service stopped, with a good configuration, no state and no drop-ins.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.systemd.debian import debian, package, skip_without
from tests.systemd.machine import UNIT, Machine, boot, once, unpack

LAB = "/usr/bin/egressd lab --profile connected-machine --port.base 21000 --config.write /srv/lab.yml"
CONFIG = "/etc/egressd/egressd.yml"
TRUST_FILES = ("store", "public_roots")
DROP_INS = f"/etc/systemd/system/{UNIT}.d"


@pytest.fixture(scope="session")
def installed() -> Iterator[Machine]:
    """Return the machine, booted once, with the package installed and the lab running."""
    skip_without("systemd-nspawn", "mmdebstrap", "nsenter", "tar")
    archive = debian()
    packed = package()
    with tempfile.TemporaryDirectory(prefix="egressd-machine-", ignore_cleanup_errors=True) as folder:
        root = Path(folder) / "root"
        unpack(archive, root)
        unpack(packed, root / "srv")
        shutil.rmtree(packed.parent)
        install = next((root / "srv").glob("egressd-*/install"))
        ended = once(root, f"/{install.relative_to(root)}")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        machine = boot(root)
        try:
            _open_lab(machine)
            yield machine
        finally:
            machine.power_off()


def _open_lab(machine: Machine) -> None:
    machine.must("systemd-run", "--unit=lab", "--setenv=TMPDIR=/srv", *LAB.split())
    machine.wait(until="running", of="SubState", unit="lab.service")
    machine.must("sh", "-c", "until test -s /srv/lab.yml; do sleep 0.1; done")
    trust = yaml.safe_load((machine.root / "srv/lab.yml").read_text(encoding="utf-8"))["trust"]
    for name in TRUST_FILES:  # the lab's folder is private to its user
        machine.must("install", "-m", "0644", trust[name], f"/srv/{name}.pem")


@pytest.fixture
def machine(installed: Machine) -> Machine:
    """Return the machine with the service as after an installation."""
    installed.run("systemctl", "stop", UNIT, "egressd-once.timer", "egressd-once.service")
    for path in (
        DROP_INS,
        "/var/lib/private/egressd",
        "/var/lib/egressd",
        "/srv/stall",
        "/etc/egressd/credentials",
    ):
        installed.must("rm", "-rf", path)
    configure(installed)
    installed.must("systemctl", "daemon-reload")
    installed.run("systemctl", "reset-failed")
    installed.must("journalctl", "--rotate", "--vacuum-time=1us", "--quiet")
    return installed


def configure(machine: Machine, **changes: Any) -> None:
    """Write the lab's configuration with an interval of a few seconds, and changes."""
    settings = yaml.safe_load((machine.root / "srv/lab.yml").read_text(encoding="utf-8"))
    settings["trust"] |= {name: f"/srv/{name}.pem" for name in TRUST_FILES}
    settings["probe"] |= dict.fromkeys(("deadline", "dns_timeout", "http_timeout"), "2s")
    machine.write(CONFIG, yaml.safe_dump(settings | {"interval": "6s"} | changes))


def drop_in(machine: Machine, *lines: str) -> None:
    """Write a drop-in for the service."""
    machine.write(f"{DROP_INS}/test.conf", "\n".join(("[Service]", *lines, "")))
    machine.must("systemctl", "daemon-reload")

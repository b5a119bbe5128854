"""No false alarm in a healthy network: 200 targets, 1 % packet loss, many sweeps.

TEST_SWEEPS is the number of sweeps, even; the default suits a run of all tests.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.net import repeated_sweeps
from tests.net.scenario import start_services
from tests.net.topology import Network

SWEEPS = int(os.environ.get("TEST_SWEEPS", "8"))
TARGETS = 200
USABLE = ("ok", "degraded")
AT_ONCE = 2
USUAL = {"dns_timeout": "5s", "connect_timeout": "8s", "tls_timeout": "8s", "deadline": "20s"}


@pytest.mark.timeout(1800)
def test_no_false_alarm(network: Network) -> None:
    """With ordinary timeouts and 1 % packet loss, no target is ever blocked or down."""
    names = {f"name-{number}": f"203.0.113.{20 + number}" for number in range(TARGETS - 1)}
    config = network.client.folder / "egressd.yml"
    config.write_text(yaml.safe_dump(start_services(network, names, probe=USUAL)), encoding="utf-8")
    network.firewall.rules("forward", "numgen random mod 100 == 0 counter drop")

    def sweeps(_: int) -> list[str]:
        program = (sys.executable, str(Path(repeated_sweeps.__file__)), str(config), str(SWEEPS // AT_ONCE))
        return network.client.run(*program, timeout=1700).splitlines()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = [json.loads(line) for lines in pool.map(sweeps, range(AT_ONCE)) for line in lines]

    assert [len(one) for one in seen] == [TARGETS] * SWEEPS
    failed = [(target, said) for one in seen for target, said in one.items() if said[0] not in USABLE]
    assert failed == []
    assert "counter packets 0" not in network.firewall.run("nft", "list", "ruleset")

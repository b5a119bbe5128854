"""An hour of faults and repairs, compressed, pages exactly what was wrong, once, whoever speaks.

Two Alertmanagers, of which one is killed and comes back, with the shipped configuration; Prometheus with the
shipped rules; one daemon for each mode, of which one is killed and one is given a receiver by a reload while
everything fails. `EGRESSD_HOUR` is how many seconds it takes: 3600 is an hour with the files as they are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter

import pytest

from tests.alertmanager.hour import Hour, Mode, running_hour
from tests.alertmanager.pages import FIRING, RESOLVED, Told, Wrong, mistakes
from tests.alertmanager.peers import PROGRAM

pytestmark = [
    pytest.mark.alone,
    pytest.mark.servers,
    pytest.mark.skipif(
        not (shutil.which(PROGRAM) and shutil.which("prometheus")),
        reason="Debian's packages prometheus and prometheus-alertmanager are not installed",
    ),
]
SECONDS = float(os.environ.get("EGRESSD_HOUR", "90"))
DIVISOR = 3600 / SECONDS
REFUSED, RESET, UNRESOLVED = "packages.microsoft.com", "mcr.microsoft.com", "graph.microsoft.com"
INSPECTED, FINE, FLAPPING = "management.azure.com", "aka.ms", "download.microsoft.com"
TOGETHER = ("login.microsoftonline.com", "login.windows.net", "sts.windows.net", "pas.windows.net")
HOSTS = (REFUSED, RESET, UNRESOLVED, INSPECTED, FINE, FLAPPING, *TOGETHER)
MODES = {
    "rules": Mode(receiver=False, scraped=True),
    "receiver": Mode(receiver=True, scraped=False),
    "both": Mode(receiver=True, scraped=True),
    "switch": Mode(receiver=False, scraped=True),
}
if SECONDS >= 300:
    MODES["unheard"] = Mode(receiver=True, scraped=True, heard=False)
SWITCH, END = 22.0, 53.0
"""When the daemon `switch` is given a receiver, and when everything is told; in minutes."""
TARGET, CAUSE = "EgressTargetUnreachable", "EgressCause"
WRONG = (
    Wrong(began=1, ended=28, alertname=TARGET, labels={"host": RESET, "reason": "tls_reset_after_hello"}),
    Wrong(began=2, ended=29.5, alertname=TARGET, labels={"host": REFUSED, "reason": "tcp_refused"}),
    Wrong(began=3, ended=31, alertname=TARGET, labels={"host": UNRESOLVED, "reason": "dns_servfail"}),
    Wrong(began=4, ended=32.5, alertname=CAUSE, labels={"reason": "site_inspection_exemption_incomplete"}),
    Wrong(began=5, ended=38.5, alertname=CAUSE, labels={"reason": "dns_refused_name"}),
)
"""What is wrong on every daemon, the last repaired host by host; and one target flaps."""
Step = tuple[float, Callable[[], None]]


def script(hour: Hour) -> Iterator[Step]:
    """Yield what happens, and at which minute."""
    fault = hour.faults
    yield 1, partial(fault, f"on tls_reset={RESET}")
    yield 2, hour.gate.close
    yield 3, partial(fault, f"on dns_servfail={UNRESOLVED}")
    yield 4, partial(fault, f"on inspection={INSPECTED}")
    yield 5, partial(fault, f"on {' '.join(f'dns_refused={one}' for one in TOGETHER)}")
    yield 10, hour.sites["both"].restart_after_kill
    yield 14, hour.peers[1].kill
    yield 18, hour.peers[1].start
    yield SWITCH, partial(hour.sites["switch"].reload, hour.urls)
    yield 28, partial(fault, f"off tls_reset={RESET}")
    yield 29.5, hour.gate.open
    yield 31, partial(fault, "off dns_servfail")
    yield 32.5, partial(fault, "off inspection")
    for number, host in enumerate(TOGETHER):
        yield 34 + 1.5 * number, partial(fault, f"off dns_refused={host}")
    for number in range(8):
        yield 6 + 2 * number, partial(fault, f"{('on', 'off')[number % 2]} tls_fin={FLAPPING}")
    yield END, lambda: None


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hour]:
    """Run the hour."""
    with running_hour(tmp_path_factory.mktemp("hour"), HOSTS, DIVISOR, MODES) as made:
        for minute, act in sorted(script(made), key=itemgetter(0)):
            made.wait_until(minute)
            act()
        yield made


def of_network(hour: Hour, site: str) -> list[Told]:
    """Return what was told about a site's network, but for the target that flaps."""
    about = [one for one in hour.told(site) if not one.labels["alertname"].startswith("Egressd")]
    return [one for one in about if FLAPPING not in one.labels.get("target", "")]


@pytest.mark.parametrize("site", [name for name in MODES if name != "switch"])
def test_each_fault_is_told_once_by_its_speaker(hour: Hour, site: str) -> None:
    """What is wrong is told once, while it is wrong, and ended once, after its repair; and nothing else."""
    found = of_network(hour, site)
    assert list(mistakes(found, WRONG)) == []
    assert {one.by_egressd for one in found} == {site in ("receiver", "both")}


def test_a_change_of_the_speaker_leaves_no_gap(hour: Hour) -> None:
    """Each speaker tells of each fault once, and the rules end theirs when egressd has opened its own."""
    found = of_network(hour, "switch")
    for each in WRONG:
        about = [(one.by_egressd, one.status) for one in found if each.is_told_by(one)]
        assert about == [(False, FIRING), (True, FIRING), (False, RESOLVED), (True, RESOLVED)], found
    assert list(mistakes((one for one in found if one.by_egressd), WRONG)) == []


@pytest.mark.parametrize("site", MODES)
def test_a_flapping_target_is_no_storm(hour: Hour, site: str) -> None:
    """A target that comes and goes is told three times at most, and that it flaps once."""
    firing = [one for one in hour.told(site) if one.status == FIRING]
    about = [one for one in firing if FLAPPING in one.labels.get("target", "")]
    names = [one.labels["alertname"] for one in about]
    assert names.count(TARGET) <= 3
    assert names.count("EgressTargetFlapping") <= 1
    assert set(names) <= {TARGET, "EgressTargetFlapping"}
    assert len({one.by_egressd for one in about}) <= (2 if site == "switch" else 1)


@pytest.mark.parametrize("site", MODES)
def test_egressd_fails_only_where_it_is_not_heard(hour: Hour, site: str) -> None:
    """A peer of two that is away, and a restart, are no failure of egressd; compressed sweeps may overrun."""
    own = {one.labels["alertname"] for one in hour.told(site)} - {TARGET, CAUSE, "EgressTargetFlapping"}
    failing = {"EgressdNotificationsFailing"} if not MODES[site].heard else set()
    assert own - {"EgressdSweepsOverrun"} == failing

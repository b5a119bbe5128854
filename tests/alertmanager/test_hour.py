"""An hour of faults and repairs, compressed, pages exactly what was wrong, once, whoever speaks.

Two Alertmanagers, of which one is killed and comes back, with the shipped configuration; Prometheus with the
shipped rules; one daemon for each mode, of which one is killed and one is given a receiver by a reload while
everything fails. `TEST_HOUR` is how many seconds it takes: 3600 is an hour with the files as they are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pytest

from tests.alertmanager.hour import Hour, Mode, running_hour
from tests.alertmanager.pages import FIRING, RESOLVED, Told, Wrong, mistakes
from tests.alertmanager.peers import PROGRAM, until

pytestmark = [
    pytest.mark.alone,
    pytest.mark.servers,
    pytest.mark.skipif(
        not (shutil.which(PROGRAM) and shutil.which("prometheus")),
        reason="Debian's packages prometheus and prometheus-alertmanager are not installed",
    ),
]
SECONDS = float(os.environ.get("TEST_HOUR", "90"))
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
TARGET, CAUSE = "EgressTargetUnreachable", "EgressCause"
FAULTS = {
    "reset": (TARGET, {"host": RESET, "reason": "tls_reset_after_hello"}),
    "refused": (TARGET, {"host": REFUSED, "reason": "tcp_refused"}),
    "unresolved": (TARGET, {"host": UNRESOLVED, "reason": "dns_servfail"}),
    "inspected": (CAUSE, {"reason": "site_inspection_exemption_incomplete"}),
    "together": (CAUSE, {"reason": "dns_refused_name"}),
}
"""What is wrong on every daemon, the last repaired host by host; and one target flaps."""
Step = tuple[float, str, Callable[[], None]]


def breaking(hour: Hour) -> Iterator[Step]:
    """Yield what breaks: the minutes to wait before, its name, and how."""
    fault = hour.faults
    yield 1, "reset", partial(fault, f"on tls_reset={RESET}")
    yield 1, "refused", hour.gate.close
    yield 1, "unresolved", partial(fault, f"on dns_servfail={UNRESOLVED}")
    yield 1, "inspected", partial(fault, f"on inspection={INSPECTED}")
    yield 1, "together", partial(fault, f"on {' '.join(f'dns_refused={one}' for one in TOGETHER)}")
    for number in range(4):
        yield 1, "", partial(fault, f"{('on', 'off')[number % 2]} tls_fin={FLAPPING}")
    yield 1, "", hour.sites["both"].restart_after_kill
    yield 3, "", hour.peers[1].kill
    yield 4, "", hour.peers[1].start
    for number in range(4):
        yield 1, "", partial(fault, f"{('on', 'off')[number % 2]} tls_fin={FLAPPING}")


def mending(hour: Hour) -> Iterator[Step]:
    """Yield the repairs, the last one host by host."""
    fault = hour.faults
    yield 1, "reset", partial(fault, f"off tls_reset={RESET}")
    yield 1.5, "refused", hour.gate.open
    yield 1.5, "unresolved", partial(fault, "off dns_servfail")
    yield 1.5, "inspected", partial(fault, "off inspection")
    for host in TOGETHER:
        yield 1.5, "together", partial(fault, f"off dns_refused={host}")


def play(hour: Hour, steps: Iterator[Step]) -> dict[str, float]:
    """Do it, and return when each had happened last."""
    times: dict[str, float] = {}
    for minutes, name, act in steps:
        hour.wait_until(hour.now() + minutes)
        act()
        times[name] = hour.now()
    return times


def count_told(hour: Hour, status: str, sites: Iterable[str], *, by: bool | None = None) -> bool:
    """Return whether the sites were told of every fault with a status; `by`: by egressd."""
    return all(
        any(
            one.labels["alertname"] == name and labels.items() <= one.labels.items()
            for one in hour.told(site)
            if one.status == status and (by is None or one.by_egressd is by)
        )
        for site in sites
        for name, labels in FAULTS.values()
    )


def wait_for_told(hour: Hour, status: str, *sites: str, by: bool | None = None) -> None:
    """Wait until all is told."""
    until(lambda: count_told(hour, status, sites, by=by), lambda: [hour.told(site) for site in sites])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hour, tuple[Wrong, ...]]]:
    """Run the hour; return it with what was wrong, and when."""
    with running_hour(tmp_path_factory.mktemp("hour"), HOSTS, DIVISOR, MODES) as made:
        began = play(made, breaking(made))
        wait_for_told(made, FIRING, *MODES)
        made.sites["switch"].reload(made.urls)
        wait_for_told(made, FIRING, "switch", by=True)
        wait_for_told(made, RESOLVED, "switch", by=False)
        ended = play(made, mending(made))
        wait_for_told(made, RESOLVED, *MODES)
        wait_for_told(made, RESOLVED, "switch", by=True)
        made.wait_until(made.now() + 6)  # longer than a group's interval: what would be told again is told
        yield (
            made,
            tuple(
                Wrong(began=began[one], ended=ended[one], alertname=name, labels=labels)
                for one, (name, labels) in FAULTS.items()
            ),
        )


@pytest.fixture
def hour(story: tuple[Hour, tuple[Wrong, ...]]) -> Hour:
    return story[0]


@pytest.fixture
def wrong(story: tuple[Hour, tuple[Wrong, ...]]) -> tuple[Wrong, ...]:
    return story[1]


def of_network(hour: Hour, site: str) -> list[Told]:
    """Return what was told about a site's network, but for the target that flaps."""
    about = [one for one in hour.told(site) if not one.labels["alertname"].startswith("Egressd")]
    return [one for one in about if FLAPPING not in one.labels.get("target", "")]


@pytest.mark.parametrize("site", [name for name in MODES if name != "switch"])
def test_each_fault_is_told_once_by_its_speaker(hour: Hour, wrong: tuple[Wrong, ...], site: str) -> None:
    """What is wrong is told once, while it is wrong, and ended once, after its repair; and nothing else."""
    found = of_network(hour, site)
    assert list(mistakes(found, wrong)) == []
    assert {one.by_egressd for one in found} == {site in ("receiver", "both")}


def test_a_change_of_the_speaker_leaves_no_gap(hour: Hour, wrong: tuple[Wrong, ...]) -> None:
    """Each speaker tells of each fault once, and the rules end theirs when egressd has opened its own."""
    found = of_network(hour, "switch")
    for each in wrong:
        about = [(one.by_egressd, one.status) for one in found if each.is_told_by(one)]
        assert about == [(False, FIRING), (True, FIRING), (False, RESOLVED), (True, RESOLVED)], found
    assert list(mistakes((one for one in found if one.by_egressd), wrong)) == []


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

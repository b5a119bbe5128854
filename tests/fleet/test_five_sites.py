"""Five sites, two of them behind NAT, one centre: what happens to them is told rightly, once, in time.

The rules, the routes and inhibitions of Alertmanager and flags are the shipped ones, with time compressed,
as `tests/fleet/lab.py` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.alertmanager.compression import CONFIG
from tests.fleet.lab import (
    CLOSED,
    DIVISOR,
    INTERVAL,
    NUMBERS,
    ROLLED_OUT,
    SERVICE,
    instance,
    running_lab,
)
from tests.fleet.network import SITES
from tests.fleet.story import DARK, FLAPPING, LONE, ROLLOUT, Story, play, write_stretched
from tests.net.topology import missing_requirement, remove_leftovers

pytestmark = [pytest.mark.servers, pytest.mark.alone]
PROGRAMS = ("nft", "sysctl", "nginx", "unbound", "prometheus", "prometheus-alertmanager")
FLEET_ALERTS = {"EgressServiceDown", "EgressRuleRollout", "EgressSiteDiffers", "EgressSiteSilent"}
SOON = 2
"""Evaluations of the recording rules after the facts are in Prometheus: the alert fires by then."""


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """Let it all happen, once."""
    reason = missing_requirement(*PROGRAMS)
    if reason:
        pytest.skip(reason)
    remove_leftovers()
    with running_lab() as lab:
        yield play(lab)


def samples(story: Story, selector: str, step: str) -> dict[str, list[tuple[float, float]]]:
    """Return the samples of series since a step began, by instance: their times and values."""
    found: dict[str, list[tuple[float, float]]] = {}
    for one in story.lab.ask(f"{selector}[20m]"):
        values = [(float(at), float(value)) for at, value in one["values"]]
        since = [each for each in values if each[0] >= story.steps[step].began]
        if since:
            found.setdefault(one["metric"].get("instance", ""), []).extend(since)
    return found


def first(story: Story, selector: str, step: str) -> dict[str, float]:
    """Return when series first had a sample since a step began, by instance."""
    return {name: min(values)[0] for name, values in samples(story, selector, step).items()}


def evaluations(story: Story, after: float, until: float) -> int:
    """Return how often the recording rules were evaluated after one moment, until another."""
    one = f'instance:egressd_sweep_interval_seconds:assumed{{instance="{instance(LONE)}"}}[20m]'
    (found,) = story.lab.ask(one)
    return sum(after < float(at) <= until for at, _ in found["values"])


def fired(story: Story, step: str, alert: str, state: str = "firing") -> float:
    """Return when an alert first fired in a step."""
    return min(first(story, f'ALERTS{{alertname="{alert}", alertstate="{state}"}}', step).values())


def failing(label: str) -> str:
    """Return the selector of the failures of an endpoint."""
    return f'egressd_target_failure{{target=~".*{label}\\\\..*"}}'


def onset(story: Story, step: str, label: str, site: str) -> float:
    """Return when an endpoint began to fail at a site, as its daemon says."""
    selector = f'egressd_target_failing_since_timestamp_seconds{{target=~".*{label}\\\\..*"}}'
    return min(value for _, value in samples(story, selector, step)[instance(site)])


def facts_of_a_lone_site(story: Story) -> float:
    """Return when Prometheus had all of it: it lasts for two sweeps, and two others have swept since."""
    step = "site_differs"
    began = onset(story, step, CLOSED, LONE)
    completed = samples(story, "egressd_sweep_last_completed_timestamp_seconds", step)
    others = sorted(
        min(at for at, value in values if value - INTERVAL > began)
        for name, values in completed.items()
        if name != instance(LONE)
    )
    return max(first(story, failing(CLOSED), step)[instance(LONE)], began + 2 * INTERVAL, others[1])


def facts_of_an_outage(story: Story) -> float:
    """Return when Prometheus had the failure of two thirds of the sites: of four of five."""
    return sorted(first(story, failing(SERVICE), "service_down").values())[3]


def facts_of_a_rollout(story: Story) -> float:
    """Return when the second site, later than the first, had failed for two sweeps."""
    step, second = "rule_rollout", ROLLOUT[1]
    known = first(story, failing(ROLLED_OUT), step)[instance(second)]
    return max(known, onset(story, step, ROLLED_OUT, second) + 2 * INTERVAL)


def facts_of_silence(story: Story) -> float:
    """Return when the last sample of the dark site was as old as Prometheus looks back."""
    last = max(at for at, _ in samples(story, "egressd_site_info", "site_silent")[instance(DARK)])
    return last + 300 / DIVISOR


FACTS = {
    "site_differs": ("EgressSiteDiffers", "firing", facts_of_a_lone_site),
    "service_down": ("EgressServiceDown", "firing", facts_of_an_outage),
    "rule_rollout": ("EgressRuleRollout", "firing", facts_of_a_rollout),
    "site_silent": ("EgressSiteSilent", "pending", facts_of_silence),
}
"""What says so, in which state (silence has to last), and since when it could."""


@pytest.mark.parametrize("step", FACTS)
def test_the_alert_fires_within_two_evaluations(story: Story, step: str) -> None:
    """Not before the facts are in Prometheus, it fires at the second evaluation at the latest."""
    alert, state, facts = FACTS[step]
    assert evaluations(story, facts(story), fired(story, step, alert, state)) <= SOON


def labels_of(story: Story, alert: str) -> list[dict[str, str]]:
    """Return the labels with which an alert fired, over all steps."""
    found = story.lab.ask(f'ALERTS{{alertname="{alert}", alertstate="firing"}}[20m]')
    return [one["metric"] for one in found]


def told(story: Story, step: str) -> list[dict[str, str]]:
    """Return what people were paged with from when a step began until the next one."""
    starts = sorted(one.began for one in story.steps.values())
    later = [at for at in starts if at > story.steps[step].began]
    after = len(story.told(later[0])) if later else 0
    pages = story.told(story.steps[step].began)
    return pages[: len(pages) - after]


def differing(story: Story, step: str) -> set[str]:
    """Return the sites that began to differ in a step."""
    window = story.steps[step]
    found = story.lab.ask('ALERTS{alertname="EgressSiteDiffers", alertstate="firing"}[20m]')
    began = [(one["metric"]["site"], float(one["values"][0][0])) for one in found]
    return {site for site, at in began if window.began <= at < window.ended}


def test_a_lone_site_is_told_once(story: Story) -> None:
    """That one site differs is found for that site alone, and its people are paged once."""
    assert differing(story, "site_differs") == {LONE}
    (page,) = told(story, "site_differs")
    assert page["site"] == LONE
    assert page["alertname"] in ("EgressSiteDiffers", "EgressTargetUnreachable")


def test_an_outage_is_one_page(story: Story) -> None:
    """A service that is down for all is one alert and one page, and no site is accused."""
    (alert,) = labels_of(story, "EgressServiceDown")
    assert (alert["host"].partition(".")[0], alert["reason"]) == (SERVICE, "tcp_refused")
    assert [one["alertname"] for one in told(story, "service_down")] == ["EgressServiceDown"]
    assert differing(story, "service_down") == set()


def test_a_rollout_is_told_once(story: Story) -> None:
    """A rule that is rolled out is one page, from the second site on; before, the first was alone with it."""
    (alert,) = labels_of(story, "EgressRuleRollout")
    assert (alert["host"].partition(".")[0], alert["reason"]) == (ROLLED_OUT, "tcp_admin_prohibited")
    pages = told(story, "rule_rollout")
    assert [one["alertname"] for one in pages].count("EgressRuleRollout") == 1
    others = [one for one in pages if one["alertname"] != "EgressRuleRollout"]
    assert {one["site"] for one in others} <= {LONE, ROLLOUT[0]}  # that one's repair is not told yet
    assert len([one for one in others if one["site"] == ROLLOUT[0]]) <= 1


def test_a_dark_site_is_told_once(story: Story) -> None:
    """A site that no longer reports is one page, and no other site is said to be silent."""
    assert {one["site"] for one in labels_of(story, "EgressSiteSilent")} - {*FLAPPING} == {DARK}
    assert [(one["alertname"], one["site"]) for one in told(story, "site_silent")] == [
        ("EgressSiteSilent", DARK)
    ]


def test_flapping_links_accuse_nobody_else(story: Story) -> None:
    """Links that go down and up are no service that is down and no rollout, and name no other site."""
    pages = told(story, "flapping")
    assert {one["alertname"] for one in pages} & {"EgressServiceDown", "EgressRuleRollout"} == set()
    assert {one["site"] for one in pages} <= {*FLAPPING}


def test_each_page_is_resolved_once(story: Story) -> None:
    """What was told is told to be over once everything is mended, and nothing is told twice."""
    history: dict[str, list[str]] = {}
    for message in story.lab.notified():
        for one in message["alerts"] if message["path"] == "/page" else ():
            said = history.setdefault(one["fingerprint"], [])
            if said[-1:] != [one["status"]]:
                said.append(one["status"])
    assert history
    assert {tuple(said) for said in history.values()} == {("firing", "resolved")}


def test_sites_behind_nat_are_pushed(story: Story) -> None:
    """The centre has all five sites, each under its own instance."""
    (found,) = story.lab.ask("count(group by (site, instance) (egressd_site_info))")
    assert found["value"][1] == str(len(SITES))


def test_the_numbers_that_are_compressed_stand_in_the_rules() -> None:
    """Each number of seconds that the lab divides is there as often as it says, and means seconds."""
    text = (CONFIG / "prometheus" / "egressd-fleet-recording.yml").read_text(encoding="utf-8")
    assert {number: text.count(number) for number in NUMBERS} == NUMBERS


SAYS = {
    "site_differs": ("site_differs", CLOSED, (LONE,)),
    "service_down": ("service_down", SERVICE, SITES),
    "rule_rollout": ("rule_rollout", ROLLED_OUT, ROLLOUT),
}
"""What `egressd fleet` says of a step: the kind of verdict, the endpoint, and the sites where it fails."""


def verdicts_of(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return the verdicts that the command printed."""
    assert done.stdout, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["verdicts"]
    return found


def about(verdicts: list[dict[str, Any]], label: str) -> list[tuple[str, set[str]]]:
    """Return what is said of an endpoint: kinds and sites."""
    return [
        (one["kind"], {*one["sites"]})
        for one in verdicts
        if any(target.startswith(f"{label}.") for target in one["targets"])
    ]


@pytest.mark.parametrize("step", SAYS)
def test_the_command_says_the_same_from_saved_reports(story: Story, step: str, tmp_path: Path) -> None:
    """`egressd fleet` of the sites' reports finds what the alert said, and accuses nobody else of it."""
    write_stretched(story, step, tmp_path)
    done = story.lab.network.centre.egressd("fleet", str(tmp_path), "--format", "json")
    kind, label, sites = SAYS[step]
    verdicts = verdicts_of(done)
    assert done.returncode == 1
    assert about(verdicts, label) == [(kind, {*sites})], verdicts


def test_the_command_says_who_is_silent(story: Story, tmp_path: Path) -> None:
    """Of the dark site there is no report of the time of the others; no service and no rule is accused."""
    write_stretched(story, "flapping", tmp_path)
    done = story.lab.network.centre.egressd("fleet", str(tmp_path), "--format", "json")
    verdicts = verdicts_of(done)
    assert [one["sites"] for one in verdicts if one["kind"] == "site_silent"] == [[DARK]]
    assert {one["kind"] for one in verdicts} & {"service_down", "rule_rollout", "common_change"} == set()


@pytest.mark.parametrize("step", ["site_differs", "service_down"])
def test_the_command_says_the_same_from_prometheus(story: Story, step: str) -> None:
    """Asked at the centre, as of then, it finds the same. Onsets that are seconds apart are no rollout."""
    at = datetime.fromtimestamp(story.steps[step].ended - 1, UTC).isoformat(timespec="seconds")
    words = ("--prometheus", "http://127.0.0.1:9090", "--at", at.replace("+00:00", "Z"), "--format", "json")
    done = story.lab.network.centre.egressd("fleet", *words)
    kind, label, sites = SAYS[step]
    ((found, failing_sites),) = about(verdicts_of(done), label)
    assert found == kind
    assert failing_sites <= {*sites}  # the alert fires before the last of five fails

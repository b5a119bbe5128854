"""What happens to the five sites, one after another, and what was seen of it meanwhile."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.fleet.lab import ADDRESSES, CLOSED, DIVISOR, INTERVAL, ROLLED_OUT, SERVICE, Lab, instance
from tests.fleet.network import SITES

TIMEOUT = 150.0
LONE, DARK = "bergen", "narvik"
ROLLOUT = ("lodz", "turin", "oslo")
APART = 300 / DIVISOR + 2 * INTERVAL
"""Seconds between two sites of a rollout: certainly more than what counts as the same minutes."""
SILENT = 900 / DIVISOR + 2 * INTERVAL
"""Seconds after which `egressd fleet` takes a site for silent: its reports are older than others."""
FLAPPING = SITES[:2]
WATCHED = "EgressServiceDown|EgressRuleRollout|EgressSite.+|EgressTargetUnreachable"
_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT[\d:.]+Z)"')


@dataclass(kw_only=True)
class Step:
    """One thing that happened: from when to when, and the reports of all sites until it was seen."""

    began: float
    ended: float = 0.0
    reports: list[tuple[str, str]] = field(default_factory=list)


@dataclass(kw_only=True)
class Story:
    """All of it."""

    lab: Lab
    steps: dict[str, Step] = field(default_factory=dict)
    saved: list[tuple[str, str]] = field(default_factory=list)
    """Site and report, oldest first."""
    began: float = field(default_factory=time.time)

    def until(self, true: Callable[[], Any], what: str) -> Any:
        """Wait until `true` returns something true, and return it."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            try:
                if found := true():
                    return found
            except OSError:
                pass
            time.sleep(0.5)
        alerts = [one["metric"] for one in self.lab.ask("ALERTS")]
        raise AssertionError(f"never: {what}; alerts: {alerts}")

    def holds(self, expression: str, what: str = "") -> Any:
        """Wait until a query at the centre has a result."""
        return self.until(lambda: self.lab.ask(expression), what or expression)

    def save(self, *, without: str = "") -> None:
        """Keep the newest report of each site."""
        self.saved += [(name, self.lab.report(name)) for name in SITES if name != without]

    def told(self, since: float = 0.0, status: str = "firing") -> list[dict[str, str]]:
        """Return the labels of alerts that people were told of since then; what is repeated is told once."""
        found, last = list[dict[str, str]](), dict[str, str]()
        for message in self.lab.notified():
            for alert in message["alerts"] if message["path"] == "/page" else ():
                before = last.get(alert["fingerprint"])
                last[alert["fingerprint"]] = alert["status"]
                if before != alert["status"] == status and message["at"] >= since:
                    found.append(alert["labels"])
        return found

    def begin(self, name: str) -> Step:
        """Begin a step."""
        self.steps[name] = Step(began=time.time())
        return self.steps[name]

    def see(self, step: Step, alert: str, *, page: str, without: str = "") -> None:
        """Wait until an alert fires and somebody is paged; keep the reports of that moment."""
        self.holds(f'ALERTS{{alertname="{alert}", alertstate="firing"}}')
        self.until(
            lambda: any(re.fullmatch(page, one["alertname"]) for one in self.told(step.began)),
            f"{alert} is told",
        )
        self.save(without=without)
        step.reports = [*self.saved]


def play(lab: Lab) -> Story:
    """Let everything happen, and end when all is well again."""
    story = Story(lab=lab)
    everything = len(SITES) * (len(ADDRESSES) + 1)
    story.holds(f"count(egressd_target_up offset {round(2 * INTERVAL)}s == 1) == {everything}", "all is well")
    story.holds(f"count(instance:egressd_site_info:fresh) == {len(SITES)}", "the rules know every site")
    story.save()
    _close_one(story)
    _service_down(story)
    _rollout(story)
    _dark(story)
    _flap(story)
    lab.start_site(DARK)
    story.holds(f'absent(ALERTS{{alertname=~"{WATCHED}", alertstate="firing"}})', "all is well again")
    story.until(
        lambda: all(one in story.told(status="resolved") for one in story.told()), "every page is resolved"
    )
    return story


def _close_one(story: Story) -> None:
    step = story.begin("site_differs")
    story.lab.network.close_rule(LONE, ADDRESSES[CLOSED], "tcp reset")
    story.see(step, "EgressSiteDiffers", page="EgressSiteDiffers|EgressTargetUnreachable")
    story.lab.network.open_rules(LONE)
    step.ended = time.time()


def _service_down(story: Story) -> None:
    worked = f'max_over_time(egressd_target_up{{target=~".*{SERVICE}\\\\..*"}}[1h:1m]) == 1'
    story.holds(f"count({worked}) == {len(SITES)}", "that it worked shows by the minute, as the command asks")
    story.save()
    step = story.begin("service_down")
    story.lab.stop_service()
    story.see(step, "EgressServiceDown", page="EgressServiceDown")
    story.lab.start_service()
    step.ended = time.time()


def _rollout(story: Story) -> None:
    story.save()
    step = story.begin("rule_rollout")
    for name in ROLLOUT:
        story.save()
        story.lab.network.close_rule(name, ADDRESSES[ROLLED_OUT], "icmp type admin-prohibited")
        began = "egressd_target_failing_since_timestamp_seconds"
        since = f'{began}{{instance="{instance(name)}", target=~".*{ROLLED_OUT}\\\\..*"}}'
        story.holds(since)
        story.save()
        if name != ROLLOUT[-1]:
            story.holds(f"time() - {since} > {APART}")
    story.see(step, "EgressRuleRollout", page="EgressRuleRollout")
    for name in ROLLOUT:
        story.lab.network.open_rules(name)
    step.ended = time.time()


def _dark(story: Story) -> None:
    story.save()
    step = story.begin("site_silent")
    story.lab.stop_site(DARK)
    story.see(step, "EgressSiteSilent", page="EgressSiteSilent", without=DARK)
    step.ended = time.time()


def _flap(story: Story) -> None:
    """Let two links go down and up, for a scrape or two each, while one site is dark."""
    step = story.begin("flapping")
    for _ in range(4):
        for state, scraped in (("down", 0), ("up", 1)):
            for name in FLAPPING:
                story.lab.network.switch_link(name, state)
            story.holds(f'count(up{{site=~"{"|".join(FLAPPING)}"}} == {scraped}) == {len(FLAPPING)}')
    story.holds(
        f"vector(time()) > {story.steps['site_silent'].began + SILENT}",
        "the dark site is silent for long enough",
    )
    story.save(without=DARK)
    step.reports = [*story.saved]
    step.ended = time.time()


def write_stretched(story: Story, name: str, folder: Path) -> None:
    """Write the reports of a step with as many minutes between them as seconds passed, times DIVISOR / 60."""
    start = datetime.fromtimestamp(story.began, UTC)

    def stretched(found: re.Match[str]) -> str:
        since = datetime.fromisoformat(found[1]) - start
        if abs(since) > timedelta(hours=1):  # a certificate's
            return found[0]
        return f'"{(start + since * DIVISOR).isoformat(timespec="milliseconds").replace("+00:00", "Z")}"'

    for number, (site, text) in enumerate(story.steps[name].reports):
        (folder / f"{number:03}-{site}.json").write_text(_TIME.sub(stretched, text), encoding="utf-8")

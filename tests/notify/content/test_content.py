"""The text of notifications: complete, sorted, and safe against hostile text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from msgspec.structs import replace

from egressd.attribution.blame_text import CALL
from egressd.model.alert import AlertName, Notice, NoticeKind, Resolution
from egressd.model.notification import Alerting, Severity
from egressd.model.verdict import Blame
from egressd.notify.content.annotations import annotate
from egressd.notify.content.compose import compose
from egressd.notify.content.facts import runbook
from egressd.notify.content.layout import plain_text
from egressd.notify.content.times import format_elapsed
from tests.notify.content.sample import CAUSE, DOUBTED, RULES, alert, message_of, notice, notices, over

ROOT = Path(__file__).parents[3]


def section_text(*notices: Notice, dropped: int = 0, rules: Alerting = RULES) -> str:
    """Return the text of one notice or of a digest."""
    return plain_text(compose(message_of(*notices, dropped=dropped, rules=rules)))


def test_a_message_has_facts_advice_evidence_and_targets() -> None:
    """A message has summary, time, source, severity, blame, advice, evidence, targets and runbook."""
    text = section_text(notice())
    for wanted in (
        "CRITICAL: A firewall resets TLS by name: 3 targets out of reach, 2 of them required\n",
        "Since: 2026-11-21 02:13:05 UTC\n",
        "Seen from: bridge-1:10980, appliance-1\n",
        "Severity: critical\n",
        "Reason: tls_reset_after_hello in phase tls (confidence: confirmed)\n",
        "To blame: an L7 firewall (URL, application) (firewall_l7); call the firewall team\n",
        "Affected profiles: resource-bridge\n",
        "Ask for:\n  Allow TLS to the names below from 10.20.0.11, without inspection.\n",
        "Evidence, to search logs for:\n  10.20.0.11:51234 -> 20.61.1.2:443 RST 4 ms after the ClientHello\n",
        "Targets (3):\n  mcr.microsoft.com:443\n  gas.azure.example:443\n  his.azure.example:443\n",
        "Runbook: https://docs.corp.example/egressd/runbooks/targets.md#egresscause\n",
    ):
        assert wanted in text
    assert "Resolved" not in text
    assert "dropped" not in text


def test_a_site_is_named_where_it_says_more_than_the_host() -> None:
    """A site is a line of one notice and in the title of several; one that is the host's name is neither."""
    oslo = replace(RULES, labels=(("site", "oslo-1"),))
    assert "Site: oslo-1\nSeen from: bridge-1:10980, appliance-1\n" in section_text(notice(), rules=oslo)
    digest = section_text(notice(), notice(NoticeKind.CLOSED), rules=oslo)
    assert digest.startswith("CRITICAL: 2 notifications on bridge-1:10980 at oslo-1: ")
    assert "Site:" not in digest
    same = replace(RULES, labels=(("site", "bridge-1"),))
    assert "Site:" not in section_text(notice(), rules=same)


def test_a_message_says_how_sure_it_is_who_did_it() -> None:
    """What happened and who did it are two claims; what would decide comes with the second."""
    about = alert(condition=DOUBTED)
    wanted = (
        "To blame: most likely an L7 firewall (URL, application), else the service itself; "
        "confidence: medium; call the firewall team (firewall_l7); "
        "decides: the URL log for 10.20.0.11:51234 at 02:13:05"
    )
    assert f"{wanted}\n" in section_text(notice(about=about))
    notes = annotate(about, RULES)
    assert f"To blame: {wanted.removeprefix('To blame: ')}." in notes["description"]
    assert notes["suspects"].splitlines() == [
        "an L7 firewall (URL, application): the URL log for 10.20.0.11:51234 at 02:13:05",
        "the service itself: the same from another network",
    ]
    assert "suspects" not in annotate(alert(), RULES)


def test_a_resolved_alert_has_its_duration_and_no_advice() -> None:
    """A resolved alert has end, duration and resolution, and no advice."""
    text = section_text(notice(NoticeKind.CLOSED, about=over(cleared_at="2026-11-21T03:12:05.200Z")))
    assert text.startswith("RESOLVED: A firewall resets")
    assert "Resolved: 2026-11-21 03:12:05 UTC\nLasted: 59 min\nResolution: the problem is gone\n" in text
    assert "Ask for" not in text


def test_a_superseded_alert_names_its_successors() -> None:
    """A superseded alert names the alerts that continue, so that it does not look fixed."""
    ended = over(resolution=Resolution.SUPERSEDED, succeeded_by=("EgressTargetUnreachable/a@default", "b"))
    text = section_text(notice(NoticeKind.CLOSED, about=ended, change="b"))
    assert "Changed" not in text
    assert "Resolution: what still fails continues under other alerts\n" in text
    assert "Continues as: EgressTargetUnreachable/a@default, b\n" in text


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (NoticeKind.CHANGED, "CRITICAL, changed: "),
        (NoticeKind.REMINDED, "CRITICAL, still: "),
        (NoticeKind.TEST, "TEST: "),
    ],
)
def test_a_title_says_what_is_new(kind: NoticeKind, title: str) -> None:
    """The title has severity and kind."""
    text = section_text(notice(kind, change="the severity rose from warning to critical"))
    assert text.startswith(title)
    assert "Changed: the severity rose from warning to critical\n" in text
    assert ("nothing is wrong" in text) == (kind is NoticeKind.TEST)


def test_a_digest_has_every_notice_most_urgent_first() -> None:
    """A digest counts its notices and lists each, the most urgent first, resolved ones last."""
    mild = alert(condition=replace(CAUSE, severity=Severity.INFO, summary="something mild"))
    notices = (notice(NoticeKind.CLOSED), notice(about=mild), notice())
    text = section_text(*notices, dropped=2)
    title, _, _ = text.partition("\n")
    assert title.startswith("CRITICAL: 3 notifications on bridge-1:10980: 2 opened, 1 resolved; ")
    assert CAUSE.targets[0].partition("/")[2] in title
    assert "2 notifications before this one were dropped" in text
    places = [
        text.index(part) for part in ("CRITICAL: A firewall", "INFO: something mild", "RESOLVED: A firewall")
    ]
    assert places == sorted(places)
    assert text.count("Targets (3):") == 3
    assert text.count("Ask for: Allow TLS") == text.count("To blame: ") == 2


def test_a_large_digest_is_a_line_per_notice() -> None:
    """In a large digest each notice is a line with summary, time, contact and target names."""
    notices = tuple(
        notice(
            kind, about=replace(base, condition=replace(CAUSE, summary=f"thing {n}", targets=(f"t{n}", "u")))
        )
        for n in range(50)
        for kind, base in ((NoticeKind.OPENED, alert()), (NoticeKind.CLOSED, over()))
    )
    text = section_text(*notices, dropped=3)
    title = "CRITICAL: 100 notifications on bridge-1:10980: 50 opened, 50 resolved; t0, u and 49 more\n"
    assert text.startswith(title)
    assert "3 notifications before this one were dropped" in text
    since = "since 2026-11-21 02:13:05 UTC"
    for n in range(50):
        targets = f"2 targets: t{n}, u\n"
        assert f"CRITICAL: thing {n}; {since}; call the firewall team; {targets}" in text
        assert f"RESOLVED: thing {n}; {since}; lasted 1 h 4 min; {targets}" in text
    assert text.index("Open (50):") < text.index("Resolved (50):")


def test_dropped_notices_are_reported() -> None:
    """The number of dropped notices is reported, in the singular where it is one."""
    assert "1 notification before this one was dropped: the queue" in section_text(notice(), dropped=1)


def test_evidence_beyond_the_bound_is_counted() -> None:
    """Omitted evidence is counted."""
    many = alert(condition=replace(CAUSE, evidence=tuple(f"line {n}" for n in range(25))))
    text = section_text(notice(about=many))
    assert "line 19\n  and 5 lines more, on the status page\n" in text
    assert "line 20" not in text


@pytest.mark.parametrize("fault", [one for one in AlertName if one is not AlertName.TEST])
def test_every_alert_name_has_its_runbook(fault: AlertName) -> None:
    """Every alert's runbook link leads to an existing file and heading."""
    link = runbook(replace(CAUSE, alertname=fault), RULES)
    file, _, anchor = link.removeprefix(f"{RULES.runbooks}/").partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs/runbooks" / file).read_text("utf-8"), re.MULTILINE)
    assert anchor in {one.lower() for one in headings}
    assert runbook(replace(CAUSE, alertname=fault), Alerting()) == ""


def test_links_are_those_of_the_rules() -> None:
    """An alert has the same runbook in messages and in the Prometheus rules."""
    rules = yaml.safe_load((ROOT / "config/prometheus/egressd-alerts.yml").read_text("utf-8"))
    shipped = {
        rule["alert"]: rule["annotations"]["runbook_url"]
        for group in rules["groups"]
        for rule in group["rules"]
    }
    linked = {
        fault.value: runbook(replace(CAUSE, alertname=fault), RULES)
        for fault in AlertName
        if fault.value in shipped
    }
    assert len(linked) >= 10
    assert linked == {name: shipped[name] for name in linked}


def test_runbooks_and_notices_have_the_same_contacts() -> None:
    """The contacts in the runbooks' table are those of the notices."""
    page = (ROOT / "docs/runbooks/targets.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*`) \| (.*) \|$", page, re.MULTILINE)
    documented = {Blame(code): team for codes, team in rows for code in re.findall(r"`(\w+)`", codes)}
    assert documented == dict(CALL)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("2026-11-21T02:13:05.123Z", "0 s"),
        ("2026-11-21T02:13:47.000Z", "42 s"),
        ("2026-11-21T02:14:05.123Z", "1 min"),
        ("2026-11-21T03:17:06.123Z", "1 h 4 min"),
        ("2026-11-24T02:13:35.123Z", "3 d"),
        ("2026-11-20T02:13:05.123Z", "0 s"),
    ],
)
def test_elapsed_time(end: str, words: str) -> None:
    """Elapsed time has at most two units, and is never negative."""
    assert format_elapsed("2026-11-21T02:13:05.123Z", end) == words


@given(single=notices())
def test_text_is_printable_lines(single: Notice) -> None:
    """Hostile text adds no control character and no line."""
    content = compose(message_of(single))
    for line in (content.title, *(line for one in content.sections for line in one.lines)):
        assert line.isprintable(), repr(line)
    assert all(
        scrubbed in plain_text(content) for scrubbed in (f"Targets ({len(single.alert.condition.targets)})",)
    ) or (not single.alert.condition.targets)

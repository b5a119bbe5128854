"""The status page as HTML: what it shows of a snapshot and its history, and what it leaves to the API."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from multidict import CIMultiDict, MultiDict

from egressd import clock
from egressd.firewall.ask import Asks
from egressd.firewall.languages import LANGUAGES
from egressd.model.settings import Source
from egressd.model.snapshot import Snapshot, StateStatus
from egressd.model.standing import Lifecycle
from egressd.model.verdict import Outcome
from egressd.state.timeline import Segment, Span
from egressd.web.api.document import alerts_document, targets_document
from egressd.web.status.filters import PageQuery, page_query
from egressd.web.status.moment import moment_of
from egressd.web.status.page import StatusPage
from egressd.web.status.strip import COLUMNS, Strip, StripScale, strip_of
from egressd.wording import stamp
from tests.metrics.snapshots import Row, make_snapshot, make_sweep
from tests.web.conftest import Start
from tests.web.sites import EVIL, FINDING, SOURCES, site
from tests.web.test_manual import Links

NOW = datetime.fromisoformat("2026-11-20T12:00:00.000Z")
DAY = StripScale(begin=NOW - timedelta(hours=24), period=timedelta(hours=24))


def rendered(snapshot: Snapshot, **query: str) -> str:
    made = StatusPage().render(snapshot, now=clock.now(), stalled=False, query=page_query(MultiDict(query)))
    return made.decode()


def rows(page: str) -> list[str]:
    return re.findall(r'<tbody class="target" id="t-([^"]+)"', page)


def segment(begin: float, end: float, outcome: Outcome) -> Segment:
    """A segment from so many hours ago to so many hours ago."""
    return Segment(
        begin=stamp(NOW - timedelta(hours=begin)), end=stamp(NOW - timedelta(hours=end)), outcome=outcome
    )


def drawn(strip: Strip) -> list[tuple[str, int, int]]:
    return [(one.word, one.x, one.width) for one in strip.bars]


def test_a_strip_shows_what_was_when() -> None:
    """Neighbours that are alike are one bar; what was before the first segment is empty."""
    made = strip_of((segment(12, 6, Outcome.OK), segment(6, 0, Outcome.BLOCKED)), DAY)
    assert drawn(made) == [("ok", 48, 24), ("blocked", 72, 24)]
    assert made.text == "blocked for 6 h, ok for 6 h; 1 change"
    assert made.bars[1].height > made.bars[0].height
    assert drawn(strip_of((), DAY)) == []


def test_a_moment_is_seen_in_a_day() -> None:
    """An outage of a second has a column, which is as bad as the worst in it."""
    some = (
        segment(24, 6.01, Outcome.OK),
        segment(6.01, 6.0097, Outcome.DOWN),
        segment(6.0097, 0, Outcome.OK),
    )
    assert [one.word for one in strip_of(some, DAY).bars] == ["ok", "down", "ok"]
    assert strip_of(some, DAY).text.startswith("down for 1 s, ok for 23 h")


def test_a_strip_has_no_more_bars_than_columns() -> None:
    """However often a target changes."""
    often = tuple(
        segment(24 - number * 0.01, 24 - (number + 1) * 0.01, list(Outcome)[number % 5])
        for number in range(2400)
    )
    made = strip_of(often, DAY)
    assert 1 <= len(made.bars) <= COLUMNS
    assert sum(one.width for one in made.bars) == COLUMNS


def test_while_no_daemon_ran_nothing_is_called_ok() -> None:
    """What was believed before it is no knowledge; a failure that was seen in the same column stays."""
    pause = Span(begin=stamp(NOW - timedelta(hours=6)), end=stamp(NOW - timedelta(hours=3)))
    made = strip_of((segment(24, 0, Outcome.OK),), replace(DAY, pauses=(pause,)))
    assert drawn(made) == [("ok", 0, 72), ("pause", 72, 12), ("ok", 84, 12)]
    failed = strip_of((segment(24, 0, Outcome.DOWN),), replace(DAY, pauses=(pause,)))
    assert [one.word for one in failed.bars] == ["down"]


@pytest.mark.parametrize(
    ("seconds", "ago"),
    [
        (3, "3 s ago"),
        (65, "1 min ago"),
        (7265, "2 h 1 min ago"),
        (90_000, "1 d 1 h ago"),
        (12 * 86400 + 5000, "12 d ago"),
        (-90, "in 1 min"),
    ],
)
def test_times_are_as_fine_as_one_reads_them(seconds: float, ago: str) -> None:
    """Two units at most, and none that is small beside the other."""
    found = moment_of(stamp(NOW - timedelta(seconds=seconds)), NOW)
    assert found is not None
    assert found.ago == ago
    assert moment_of(None, NOW) is None


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", PageQuery()),
        ("q=MCR+Tls&state=failing&period=7d", PageQuery(search="mcr tls", state="failing", period="7d")),
        ("state=gossip&period=forever", PageQuery()),
        ("product=resource-bridge&state=ok", PageQuery(product="resource-bridge", state="ok")),
    ],
)
def test_an_address_that_cannot_be_read_asks_for_nothing(given: str, wanted: PageQuery) -> None:
    """A page is always shown."""
    pairs = [one.partition("=")[::2] for one in given.split("&") if one]
    assert page_query(MultiDict((name, value.replace("+", " ")) for name, value in pairs)) == wanted
    assert len(page_query(CIMultiDict(q="x" * 5000)).search) == 200


def test_the_server_filters_as_the_script_does(tmp_path: Path) -> None:
    """By words, state and product; every word must be there, in whatever order."""
    snapshot = site(tmp_path, 5)
    every = rows(rendered(snapshot))
    assert len(every) == len(set(every)) == len(snapshot.plan.targets if snapshot.plan else ())
    assert len(rows(rendered(snapshot, state="failing"))) == 5
    assert len(rows(rendered(snapshot, state="ok"))) == len(every) - 5
    two = rows(rendered(snapshot, q="microsoft mcr"))
    assert two
    assert two == rows(rendered(snapshot, q="MCR  Microsoft"))
    assert len(two) < len(every)
    assert rows(rendered(snapshot, q="appliance-2 tls_sni_dropped", state="blocked"))
    assert rows(rendered(snapshot, q="no such words")) == []
    assert rows(rendered(snapshot, product="connected-machine", state="failing"))


def test_a_large_site_is_cut_after_what_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out is ok, and counted."""
    monkeypatch.setattr("egressd.web.status.targets.MOST_TARGETS", 7)
    snapshot = site(tmp_path, 5)
    page = rendered(snapshot)
    assert len(rows(page)) == 7
    assert page.count('data-state="blocked"') == 5 + 1  # the link of the count
    assert f"{len(snapshot.plan.targets) - 7 if snapshot.plan else 0} targets more" in page


def test_the_rules_of_a_card_are_complete(tmp_path: Path) -> None:
    """From every source, to patterns, none left out; those of a finding are those that the report has."""
    snapshot = site(tmp_path, 85)
    assert snapshot.sweep is not None
    page = rendered(snapshot)
    (finding,) = snapshot.sweep.findings
    wanted = Asks(snapshot.sweep).of_finding(finding)
    cards = re.findall(r'<article class="card.*?</article>', page, re.DOTALL)
    (card,) = [one for one in cards if f"reasons/{FINDING}" in one]
    copied = re.findall(r'data-copy="([^"]*)"', card)[0].splitlines()
    assert len(copied) == len(wanted) > 5
    for rule in wanted:
        assert card.count(f"<code>{rule.destination}</code>") >= 1
        assert any(f" to {rule.destination} " in line for line in copied)
    assert all(one.address and one.address in line for line in copied for one in SOURCES)
    whole = "".join(cards)
    alerted = {name for one in snapshot.alerts if one.is_open for name in one.condition.targets}
    asked = [one for one in Asks(snapshot.sweep).rules() if not alerted.isdisjoint(one.targets)]
    assert len(asked) > len(wanted)
    assert [one.destination for one in asked if f"<code>{one.destination}</code>" not in whole] == []
    assert "egressd-probe-0" not in whole


def test_what_peers_sent_is_text(tmp_path: Path) -> None:
    """Nothing that a network or an operator wrote becomes markup, a link or an attribute of it."""
    sources = (Source(name='"><b onclick=x>', address="10.0.0.1"),)
    page = rendered(site(tmp_path, 85, sources=sources), q=EVIL, product=EVIL)
    assert EVIL not in page
    assert Links(page).inline == []
    assert all(not link.startswith(("javascript", "data")) for link in Links(page).links)
    assert "<b onclick" not in page


def test_what_is_not_settled_is_said(tmp_path: Path) -> None:
    """A failure that is being checked, one that flaps, and one in maintenance."""
    snapshot = site(tmp_path, 1, sources=SOURCES[:1])
    states = (Lifecycle.FLAPPING, Lifecycle.SILENCED, Lifecycle.SUSPECT)
    standings = list(snapshot.standings.targets)
    for number, state in enumerate(states):
        pending = replace(standings[number].belief, outcome=Outcome.DOWN) if number == 2 else None
        standings[number] = replace(standings[number], state=state, pending=pending)
    page = rendered(replace(snapshot, standings=replace(snapshot.standings, targets=tuple(standings))))
    for words in ("flapping", "in maintenance", "being checked"):
        assert words in page


def test_the_site_is_in_title_heading_and_api() -> None:
    """The page says where the host is, escaped, and a site that is the host's name once."""
    snapshot = make_snapshot(make_sweep(Row()))
    page = rendered(replace(snapshot, settings=replace(snapshot.settings, site="Oslo <1>")))
    assert "<title>Oslo &lt;1&gt;: " in page
    assert "from <strong>arc-01</strong> at <strong>Oslo &lt;1&gt;</strong>" in page
    own = replace(snapshot, settings=replace(snapshot.settings, site="arc-01"))
    assert " at <strong>" not in rendered(own)
    assert (targets_document(own)["site"], alerts_document(own)["site"]) == ("arc-01", "arc-01")


def test_without_state_the_page_says_so() -> None:
    """What holds now is drawn, and that no history is kept is said."""
    snapshot = make_snapshot(make_sweep(Row(), Row(host="a.example", outcome=Outcome.BLOCKED)))
    page = rendered(snapshot)
    assert "no history is kept: set state.directory" in page
    assert page.count('<rect class="blocked"') == 1
    lost = rendered(replace(snapshot, state=StateStatus(directory="/nonexistent/egressd")))
    assert "no history in /nonexistent/egressd" in lost


async def test_rules_are_served_in_every_language(start: Start, tmp_path: Path) -> None:
    """As text that can be pasted, the same as of the report; before the first sweep there are none."""
    snapshot = site(tmp_path, 5)
    assert snapshot.sweep is not None
    running = await start(snapshot)
    for name, language in LANGUAGES.items():
        async with running.session.get(running.url(f"/rules/{name}")) as answer:
            assert answer.status == 200
            assert answer.content_type == "text/plain"
            assert f"egressd-{name}{language.suffix}" in answer.headers["Content-Disposition"]
            assert await answer.text() == language.render(Asks(snapshot.sweep).document())
    assert (await running.get("/rules/cobol"))[0] == 404
    assert (await (await start()).get("/rules/csv"))[0] == 503

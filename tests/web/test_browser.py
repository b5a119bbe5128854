"""The status page in a real browser: it is looked at, typed into and clicked on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.fields.parse import LONGEST_SITE
from egressd.model.snapshot import Snapshot
from tests.metrics.snapshots import make_snapshot
from tests.web.browser import CHROMIUM, Browser, open_page, running_browser
from tests.web.conftest import Start
from tests.web.sites import EVIL, SOURCES, site

pytestmark = [
    pytest.mark.machine,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]

VISIBLE = "[...document.querySelectorAll('tbody.target')].filter((one) => one.offsetParent !== null)"
TOO_WIDE = (
    "[...document.querySelectorAll('body *')].filter((one) => !one.closest('.sr, .skip')"
    " && one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)"
    ".map((one) => one.outerHTML.slice(0, 90))"
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a browser that all tests here share, each with a page of its own."""
    with running_browser() as found:
        yield found


@pytest.fixture
async def browser(port: int) -> AsyncIterator[Browser]:
    async with open_page(port) as opened:
        yield opened
        assert opened.troubles == []


def counts(snapshot: Snapshot) -> tuple[int, int]:
    """How many targets there are, and how many are not ok."""
    assert snapshot.sweep is not None
    bad = sum(not one.verdict.outcome.reachable for one in snapshot.sweep.verdicts)
    return len(snapshot.sweep.verdicts), bad


WINDOWS = [(width, dark) for width in (390, 1920) for dark in (False, True)]
OPENED = {0: WINDOWS[::3], 5: WINDOWS, 85: WINDOWS[1:3], 300: WINDOWS[::3]}
"""The windows a page is looked at in, by how many targets fail on it."""


@pytest.mark.parametrize("failing", OPENED)
async def test_it_fits_a_wall_and_a_telephone_in_both_schemes(
    start: Start, browser: Browser, tmp_path: Path, failing: int
) -> None:
    """Every target is there, nothing is wider than the window, and neither policy nor script complains,
    however many targets fail; nothing is asked of another server."""
    snapshot = site(tmp_path, failing, large=failing > 100)
    running = await start(replace(snapshot, settings=replace(snapshot.settings, site="W" * LONGEST_SITE)))
    every, bad = counts(snapshot)
    assert bad == failing
    grounds = set()
    for width, dark in OPENED[failing]:
        await browser.show(width=width, dark=dark)
        await browser.open(running.url("/"))
        assert await browser.run(f"{VISIBLE}.length") == every
        assert await browser.run(TOO_WIDE) == []
        shown = await browser.run("document.querySelector('.counts .blocked strong').textContent")
        assert int(shown) == failing
        grounds.add(await browser.run("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2
    cards = await browser.run("document.querySelectorAll('.card').length")
    assert (cards > 0) == (failing > 0)
    assert browser.requests
    assert {one.split("/")[2] for one in browser.requests} == {running.server.addresses[0]}
    assert await browser.run("document.scripts.length") == 1
    assert (EVIL in await browser.run("document.getElementById('main').textContent")) == (failing > 0)


async def test_targets_are_searched_and_filtered(start: Start, browser: Browser, tmp_path: Path) -> None:
    """What is typed and chosen narrows the list at once; the address keeps it, also over a reload."""
    snapshot = site(tmp_path, 5)
    running = await start(snapshot)
    every, bad = counts(snapshot)
    await browser.show(width=1920)
    await browser.open(running.url("/"))
    await browser.type("/")  # the key that leads to the search
    await browser.type("mcr.microsoft")
    await browser.until(f"{VISIBLE}.length < {every}")
    found = await browser.run(f"{VISIBLE}.every((one) => one.textContent.includes('mcr.microsoft'))")
    assert found
    assert await browser.run("document.getElementById('shown').textContent") == (
        f"{await browser.run(f'{VISIBLE}.length')} of {every} targets"
    )
    assert await browser.run("location.search") == "?q=mcr.microsoft"
    await browser.open(running.url("/?state=failing"))
    await browser.until(f"{VISIBLE}.length === {bad}")
    await browser.until(f"document.querySelectorAll('tbody.target').length === {every}")
    assert await browser.run(f"{VISIBLE}.length") == bad
    await browser.click(".counts .ok a")
    await browser.until(f"{VISIBLE}.length === {every - bad}")
    await browser.click(".counts .all a")
    await browser.until(f"{VISIBLE}.length === {every}")
    await browser.click("a[data-product='connected-machine']")
    await browser.until(f"{VISIBLE}.length < {every}")
    assert await browser.run("document.querySelectorAll('tbody.group:not([hidden])').length") == 1


async def test_rules_are_copied(start: Start, browser: Browser, tmp_path: Path) -> None:
    """The button takes all rules of its card, from every source, also those that are folded in."""
    running = await start(site(tmp_path, 85))
    await browser.show(width=1920)
    await browser.open(running.url("/"))
    for way in ("navigator.clipboard.writeText = async (text) => { window.taken = text }", None):
        if way is None:  # as over plain HTTP, where there is no clipboard
            await browser.run("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
            await browser.run(
                "document.execCommand = () => { window.taken = document.activeElement.value; return true }"
            )
        else:
            await browser.run(way)
        await browser.run("window.taken = null")
        await browser.click(".card button.copy")
        await browser.until("window.taken")
        taken = await browser.run("window.taken")
        rows = await browser.run(
            "document.querySelectorAll('.card')[0].querySelectorAll('.rules tbody tr').length"
        )
        assert len(taken.splitlines()) == rows > 5
        assert all(f"{one.address}" in line for line in taken.splitlines() for one in SOURCES)
        assert "egressd-probe" not in taken
        await browser.until("document.querySelector('.card button.copy').textContent === 'Copied'")
    assert await browser.run("document.querySelectorAll('textarea').length") == 0


async def test_it_takes_in_what_is_new_without_losing_the_place(
    start: Start, browser: Browser, tmp_path: Path
) -> None:
    """After a refresh the page shows the new state; what was opened, typed, focused and scrolled to stays."""
    snapshot = site(tmp_path / "now", 5)
    running = await start(snapshot)
    every, _ = counts(snapshot)
    await browser.show(width=1920)
    await browser.open(running.url("/"))
    await browser.click("#unsampled summary, #more-certificates summary")
    await browser.run("document.querySelector('#q').focus()")
    await browser.type("windows")
    await browser.run("scrollTo(0, 700)")
    await browser.run("window.kept = document.querySelector('tbody.target')")
    place = await browser.run("scrollY")
    shown = await browser.run(f"{VISIBLE}.length")
    running.holder.current = replace(site(tmp_path / "later", 0), settings=running.holder.current.settings)
    await browser.run("document.dispatchEvent(new Event('visibilitychange'))")
    await browser.until("document.title.startsWith('Everything required')")
    assert await browser.run("document.querySelector('.counts .blocked strong').textContent") == "0"
    assert await browser.run("document.querySelector('link[rel=icon]').href.endsWith('good.svg')")
    assert await browser.run(f"{VISIBLE}.length") == shown < every
    assert await browser.run("document.activeElement.id") == "q"
    assert await browser.run("document.activeElement.value") == "windows"
    assert await browser.run("document.querySelector('#unsampled, #more-certificates').open")
    assert await browser.run("window.kept.isConnected")
    assert await browser.run("document.querySelectorAll('.card').length") == 0
    assert await browser.run("scrollY") <= place
    ids = await browser.run("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))


async def test_it_says_when_the_daemon_is_gone(start: Start, browser: Browser, tmp_path: Path) -> None:
    """A page on a wall must not look well when nobody updates it."""
    running = await start(site(tmp_path, 0))
    await browser.show(width=1920)
    await browser.open(running.url("/"))
    await browser.until("document.getElementById('live').textContent === 'Live'")
    await running.server.close()
    await browser.run("(() => { const now = Date.now; Date.now = () => now() + 60_000 })()")
    await browser.run("document.dispatchEvent(new Event('visibilitychange'))")
    await browser.until("document.getElementById('live').classList.contains('late')")
    assert "does not answer" in await browser.run("document.getElementById('live').textContent")
    browser.troubles.clear()


async def test_without_a_script_the_server_filters(start: Start, browser: Browser, tmp_path: Path) -> None:
    """With scripts off the form asks the server, buttons that need one are not there, and links lead on."""
    snapshot = site(tmp_path, 5)
    running = await start(snapshot)
    every, _ = counts(snapshot)
    await browser.show(width=1920, scripts=False)
    await browser.open(running.url("/"))
    assert await browser.run("getComputedStyle(document.querySelector('button.copy')).display") == "none"
    await browser.click("#q")
    await browser.type("login")
    browser.requests.clear()
    await browser.click("#apply")
    await browser.until("location.search.includes('q=login')")
    await browser.until("document.readyState === 'complete' && document.getElementById('shown')")
    shown = await browser.run("document.querySelectorAll('tbody.target').length")
    assert 0 < shown < every
    await browser.click(".card a[href^='reasons/']")
    await browser.until("location.pathname.startsWith('/reasons/')")
    await browser.until("document.querySelector('h1')")
    await browser.click(".prose .button")
    await browser.until("location.search.startsWith('?q=')")


async def test_before_the_first_sweep(start: Start, browser: Browser) -> None:
    """The page waits, and shows the first sweep by itself."""
    running = await start(make_snapshot())
    await browser.show(width=390)
    await browser.open(running.url("/"))
    assert "Waiting for the first sweep" in await browser.run("document.body.innerText")
    assert await browser.run(TOO_WIDE) == []


async def test_the_tree_of_a_screen_reader(start: Start, browser: Browser, tmp_path: Path) -> None:
    """Headings go down one level at a time, every control has a name, and every strip says what it shows."""
    running = await start(site(tmp_path, 5))
    await browser.show(width=1920)
    await browser.open(running.url("/"))
    tree = (await browser.call("Accessibility.getFullAXTree"))["nodes"]
    shown = [one for one in tree if not one.get("ignored")]

    def named(role: str) -> list[str]:
        return [one.get("name", {}).get("value", "") for one in shown if one["role"]["value"] == role]

    for role in ("button", "link", "searchbox", "combobox", "heading", "region", "article", "image"):
        names = named(role)
        assert names or role in ("combobox", "image"), role
        assert [one for one in names if not one.strip()] == [], role
    levels = await browser.run("[...document.querySelectorAll('h1, h2, h3')].map((one) => one.tagName)")
    assert levels[0] == "H1"
    assert all(int(after[1]) - int(before[1]) <= 1 for before, after in pairwise(levels))
    texts = await browser.run("[...document.querySelectorAll('svg.strip')].map((one) => one.ariaLabel)")
    assert all(" for " in one for one in texts)
    assert any("blocked for" in one for one in texts)

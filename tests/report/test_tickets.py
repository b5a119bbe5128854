"""A team's ticket has what that team can mend, complete, and nothing else."""

from __future__ import annotations

import csv
import io

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.model.observation import Failure
from egressd.model.recording import VantageSource
from egressd.model.settings import Source
from egressd.model.verdict import Sweep, Team
from egressd.report.table import render_table
from egressd.report.ticket.csv import render_csv
from egressd.report.ticket.html import render_html
from egressd.report.ticket.markdown import render_markdown
from egressd.report.ticket.page import page_of
from egressd.report.ticket.scope import TicketScope
from tests.attribution.recordings import Site, dns, good, tcp, tls, trail

FIRST, SECOND = "10.20.0.11", "10.20.0.12"
BLOCKED = ("mcr.microsoft.com", "packages.microsoft.com")
DENIED = "login.windows.net"


def from_both(site: Site, host: str, *, number: int, failing: bool) -> None:
    """Add a host that is probed from two sources."""
    address = f"203.0.113.{number}"
    for source in ("first", "second"):
        end = tls(Failure.RESET, sni=host) if failing else tls(sni=host)
        seen = (dns(address, name=host), tcp(address=address), end)
        one = trail(*seen) if failing else good(host, address)
        site.add(replace(one, source=source), host=host, row=f"row-{host}", source=source)


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    """Two hosts are reset and one is denied in DNS, from both sources; others work."""
    site = Site()
    for number, host in enumerate(BLOCKED, 20):
        from_both(site, host, number=number, failing=True)
    for source in ("first", "second"):
        one = trail(dns(failure=Failure.NXDOMAIN, name=DENIED, rcode="NXDOMAIN", soa=False))
        site.add(replace(one, source=source), host=DENIED, row="row-dns", source=source)
    for number, host in enumerate(("graph.microsoft.com", "aka.ms", "azure.com"), 60):
        from_both(site, host, number=number, failing=False)
    recording = site.recording()
    sources = (Source(name="first", address=FIRST), Source(name="second", address=SECOND))
    seen = tuple(
        VantageSource(name=one.name, address=one.address, interface=None, roles=()) for one in sources
    )
    return judge(
        replace(
            recording,
            plan=replace(recording.plan, sources=sources),
            vantage=replace(recording.vantage, sources=seen),
        )
    )


@pytest.mark.parametrize("render", [render_markdown, render_html])
def test_every_rule_names_both_sources(sweep: Sweep, render: object) -> None:
    """With one address of two, half of the rule would be opened."""
    for team, hosts in ((Team.FIREWALL, BLOCKED), (Team.DNS, (DENIED,))):
        page = page_of(sweep, TicketScope(team=team))
        assert {one.destination for one in page.rules} == set(hosts)
        assert {one.sources for one in page.rules} == {f"{FIRST}, {SECOND}"}
        text = render(sweep, TicketScope(team=team))  # type: ignore[operator]
        rules = text[text.index("Rules to add") : text.index("Failing")]
        assert rules.count(f"{FIRST}, {SECOND}") == len(hosts)


@pytest.mark.parametrize("render", [render_markdown, render_html])
def test_a_ticket_is_in_the_order_of_its_use(sweep: Sweep, render: object) -> None:
    """Rules first, then what to look for, then the check by hand, then what decides."""
    text = render(sweep, TicketScope(team=Team.DNS))  # type: ignore[operator]
    parts = ("Rows to look for in the log", "Check by hand", "What decides", "What is known")
    places = [text.index("Rules to add"), *(text.rindex(part) for part in parts)]

    assert places == sorted(places)
    assert f"$ dig @10.0.0.53 {DENIED} A" in text


@pytest.mark.parametrize("render", [render_markdown, render_html])
def test_a_ticket_has_nothing_of_other_teams(sweep: Sweep, render: object) -> None:
    """Neither their findings nor their targets."""
    firewall = render(sweep, TicketScope(team=Team.FIREWALL))  # type: ignore[operator]
    names = render(sweep, TicketScope(team=Team.DNS))  # type: ignore[operator]

    assert all(host in firewall and host not in names for host in BLOCKED)
    assert DENIED in names
    assert DENIED not in firewall


def test_a_team_without_findings_is_asked_nothing(sweep: Sweep) -> None:
    """And the ticket says so first."""
    text = render_markdown(sweep, TicketScope(team=Team.PROXY))

    assert text.startswith("# egressd: nothing to ask of the proxy or web gateway team\n")
    assert "###" not in text


@pytest.mark.parametrize("render", [render_markdown, render_html])
def test_only_what_is_not_ok_is_listed(sweep: Sweep, render: object) -> None:
    """Unless every target is asked for; how many were left out is said."""
    usual, every = render(sweep), render(sweep, TicketScope(every_target=True))  # type: ignore[operator]
    targets = usual[usual.index("Targets that are not ok") :]

    assert "graph.microsoft.com" not in targets
    assert "6 more are ok" in targets
    assert "graph.microsoft.com" in every[every.index("All targets") :]
    assert "more are ok" not in every


def test_csv_and_table_of_a_team(sweep: Sweep) -> None:
    """The failing rows of its targets, and its findings."""
    rows = list(csv.DictReader(io.StringIO(render_csv(sweep, Team.DNS))))
    text = render_table(sweep, team=Team.DNS)

    assert {(one["host"], one["source"]) for one in rows} == {(DENIED, "first"), (DENIED, "second")}
    assert text.startswith("1 finding for the DNS team")
    assert all(host not in text for host in BLOCKED)


def test_latency_is_in_every_table(sweep: Sweep) -> None:
    """By phase: in CSV a column each, in Markdown and HTML a cell, in the table with `-v`."""
    rows = {(one["host"], one["source"]): one for one in csv.DictReader(io.StringIO(render_csv(sweep)))}
    blocked = rows[BLOCKED[0], "first"]

    assert (blocked["dns_ms"], blocked["http_ms"], blocked["ntp_ms"]) == ("3.0", "", "")
    assert float(blocked["tcp_ms"]) > 0
    assert float(blocked["tls_ms"]) > 0
    assert float(rows["aka.ms", "second"]["http_ms"]) > 0
    took = f"dns 3 ms, tcp {float(blocked['tcp_ms']):.0f} ms, tls {float(blocked['tls_ms']):.0f} ms"
    assert took in render_markdown(sweep)
    assert took in render_html(sweep)
    verbose = render_table(sweep, width=200, verbose=True)
    assert f"took   {BLOCKED[0]}:443: {took}" in verbose
    assert "aka.ms:443 https: Service; dns 3 ms, tcp " in verbose
    assert "took" not in render_table(sweep)

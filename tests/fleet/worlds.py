"""Fleets of sites as their judged sweeps show them: a test states who fails what, how and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from egressd.attribution import judge
from egressd.fleet import (
    Fleet,
    FleetReport,
    FleetVerdict,
    FleetVerdictKind,
    SiteState,
    SiteTarget,
    site_state,
)
from egressd.fleet import judge_fleet as judge_all
from egressd.model.endpoint import Expect
from egressd.model.observation import Failure, Timestamp
from egressd.model.recording import Trail
from egressd.model.verdict import Sweep
from egressd.wording import stamp
from tests.attribution.recordings import (
    NOW,
    Site,
    certificate,
    connect,
    dns,
    facts,
    good,
    http,
    icmp,
    tcp,
    tls,
    trail,
)
from tests.laws.worlds import mapped

SERVICE, ADDRESS = "management.azure.com", "192.88.99.10"
OTHER = "login.microsoftonline.com"
PLACE = f"{SERVICE}:443"
WORKS = "works"
CENTRAL_PROXY = "http://192.88.99.200:3128"
Way = Mapping[str, str]
"""By host: how it ends; hosts that are left out work."""


def minute(number: float) -> Timestamp:
    """Return the time so many minutes after the first sweep."""
    return stamp(datetime.fromisoformat(NOW) + timedelta(minutes=number))


def trails_of(host: str, address: str, way: str, proxy: str = CENTRAL_PROXY) -> tuple[Trail, ...]:
    """Return what is seen of a host that ends in a way."""
    found = dns(address, name=host)
    start = (found, tcp(address=address))
    forged = (certificate(issuer="CN=Corp Inspection", subject=f"CN={host}", aia=()),)
    private = facts(public=False, stored=False, key="99" * 20)
    hop = icmp(3, 13, offender="10.0.0.1")
    ways = {
        WORKS: good(host, address),
        "silent": trail(found, tcp(Failure.TIMEOUT, address=address)),
        "refused": trail(found, tcp(Failure.REFUSED, address=address)),
        "reset": trail(*start, tls(Failure.RESET, sni=host)),
        "denied inside": trail(*start, tls(sni=host), http(500)),
        "inspected": trail(*start, tls(Failure.VERIFY, sni=host, code=20, about=private, chain=forged)),
        "absent": trail(dns(name=host, failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=True)),
        "prohibited": trail(found, tcp(Failure.UNREACHABLE, address=address, errno=113, error=hop)),
        "proxy denies": trail(connect(502), path=proxy),
        "by proxy": trail(connect(), tls(sni=host), http(), path=proxy),
    }
    return (ways[way],)


def sweep(
    site: str,
    at: float,
    ways: Way | None = None,
    *,
    host: str = "",
    clock: float = 0.0,
    address: str = ADDRESS,
    proxy: str = CENTRAL_PROXY,
    owned: bool | None = None,
    hosts: Sequence[str] = (SERVICE, OTHER),
) -> Sweep:
    """Return a judged sweep of a site, `at` minutes; `clock`: the seconds that its clock lacks."""
    made = Site(clock_offset=clock)
    for number, name in enumerate(hosts):
        where = address if number == 0 else f"192.88.99.{19 + number}"
        way = (ways or {}).get(name, WORKS)
        made.add(
            *trails_of(name, where, way, proxy),
            host=name,
            owned=owned,
            expect=Expect(status=(200,)),
            via_proxy=way.startswith(("proxy", "by")),
        )
    when = stamp(datetime.fromisoformat(minute(at)) - timedelta(seconds=clock))
    recording = mapped(made.recording(), lambda value: when if value == NOW else value)
    vantage = replace(recording.vantage, host=host or f"{site}-a", site=site)
    return judge(replace(recording, id=f"{site} {host} {at}", vantage=vantage))


def reports(
    site: str, way: str, *, since: float, until: float = 60, every: float = 5, **more: object
) -> SiteState:
    """Return a site whose service works until a minute and ends in a way from then on."""
    times = [minutes * every for minutes in range(int(until / every) + 1)]
    sweeps = [sweep(site, at, {SERVICE: way if at >= since else WORKS}, **more) for at in times[-14:]]  # type: ignore[arg-type]  # as given
    return site_state(sweeps, f"{site}.json")


def healthy(*names: str, at: float = 60, **more: object) -> list[SiteState]:
    """Return sites at which all works."""
    return [site_state([sweep(one, at, **more)], f"{one}.json") for one in names]  # type: ignore[arg-type]  # as given


def once(site: str, way: str, at: float = 60, **more: object) -> SiteState:
    """Return a site with one report."""
    return site_state([sweep(site, at, {SERVICE: way}, **more)], f"{site}.json")  # type: ignore[arg-type]  # as given


def judged(sites: Iterable[SiteState], at: float = 60) -> FleetReport:
    """Return the report of sites at a minute."""
    return judge_all(Fleet(at=minute(at), sites=tuple(sites)))


def kinds(report: FleetReport) -> list[FleetVerdictKind]:
    """Return the kinds of the verdicts, in their order."""
    return [one.kind for one in report.verdicts]


def only(report: FleetReport) -> FleetVerdict:
    """Return the one verdict of a report."""
    (verdict,) = report.verdicts
    return verdict


def cell(report: FleetReport, site: str, host: str = SERVICE) -> SiteTarget:
    """Return the result of a site."""
    return next(one.cells[site] for one in report.rows if one.host == host)


def said(verdict: FleetVerdict) -> str:
    """Return all that a verdict rests on, as one text."""
    return "\n".join(verdict.evidence)

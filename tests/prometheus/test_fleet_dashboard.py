"""What each panel of the fleet's dashboard shows of a fleet that has a site in each state.

promtool feeds Prometheus' engine with the series of that fleet, runs the rules that are shipped over two
hours, and asks every expression of the dashboard as Grafana does.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from tests.prometheus.conftest import CONFIG, needs_promtool
from tests.prometheus.expressions import FLEET, OVERVIEW, asked, data_links, panels, shown_annotations
from tests.prometheus.synthetic_fleet import EVERYWHERE, FLEET_HOSTS, MINUTES, SERVICES

pytestmark = needs_promtool
RULE_FILES = sorted((CONFIG / "prometheus").glob("egressd-fleet-*.yml"))
PANELS = {one["title"]: one for one in panels(FLEET)}
(EVERY_TARGET,) = (one for one in panels(OVERVIEW) if one["title"] == "Every target")
OF_ONE_HOST = EVERY_TARGET["targets"][0]["expr"]
EARLIER = 50
"""A minute at which only some of it has begun."""
STATES = {
    "oslo-1": "ok",
    "hitra-1": "maintenance",
    "gjovik-1": "unknown",
    "stavanger-1": "outage",
    "tromso-1": "outage",
    "trondheim-1": "outage",
    "bodo-1": "rollout",
    "narvik-1": "rollout",
    "skien-1": "fails",
    "bergen-1": "differs",
    "molde-1": "silent",
    "hamar-1": "cut off",
}
"""What each site of the fleet is at the end."""
REFUSED, RESET, TIMEOUT = "tcp_refused", "tls_reset_after_hello", "tcp_timeout"
FAILING = {
    ("bergen-1", "mcr"): (RESET, "firewall_l7", 40),
    ("bodo-1", "arm"): (REFUSED, "firewall_l3l4", 30),
    ("narvik-1", "arm"): (REFUSED, "firewall_l3l4", 75),
    ("stavanger-1", "his"): (TIMEOUT, "azure_service", 90),
    ("tromso-1", "his"): (TIMEOUT, "azure_service", 91),
    ("trondheim-1", "his"): (TIMEOUT, "azure_service", 92),
    ("skien-1", "vmm"): (REFUSED, "endpoint_owner", 110),
    ("oslo-1", "logs"): (TIMEOUT, "firewall_l3l4", 20),
}
"""What fails by itself: not what hamar-1 lacks as a whole, nor what hitra-1 has maintenance for."""
HOSTS = {one.instance or one.site: one.site for one in FLEET_HOSTS if one.site != "molde-1"}
Answer = list[tuple[dict[str, str], float]]
Ask = Callable[..., Answer]


def code_of(site: str) -> int:
    """The number that the panels map to the state of a site."""
    (mapping,) = PANELS["Every site by state"]["fieldConfig"]["defaults"]["mappings"]
    numbers = {one["text"]: int(number) for number, one in mapping["options"].items()}
    return numbers[STATES[site]]


def filled(expression: str, *, site: str = ".+", need: str = ".+") -> str:
    """Put in what Grafana puts where everything is chosen but what is given."""
    text = expression.replace("$__range", "2h").replace("$site", site).replace("$need", need)
    return re.sub(r"\$(job|host|instance|source)", ".+", text).replace("$profile", ".*")


def read(text: str) -> Answer:
    """Read an answer as promtool prints it."""
    found = re.findall(r"(?:^|, )(\w[\w:]*)?\{([^}]*)\} ([^,\s]+)", text)
    return [(dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)) for _, labels, value in found]


def run_promtool(document: Mapping[str, Any], file: Any) -> str:
    """Run a unit test in which no expectation holds, and return what promtool says it got instead."""
    file.write_text(yaml.safe_dump(document, width=10**6))
    done = subprocess.run(
        ["promtool", "test", "rules", file], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Answer what a dashboard asks: all at once, at the end and earlier, for all sites and for one."""
    questions = [
        (filled(one, **chosen), minute)
        for one in [*asked(FLEET), "site:egressd_state:code", OF_ONE_HOST]
        for minute, chosen in (
            (MINUTES, {}),
            (EARLIER, {}),
            (MINUTES, {"site": "bergen-1"}),
            (MINUTES, {"need": "required"}),
        )
    ]
    tests = {
        "interval": "1m",
        "input_series": [series for one in FLEET_HOSTS for series in one.series()],
        "promql_expr_test": [
            {"expr": text, "eval_time": f"{minute}m", "exp_samples": [{"labels": "nothing", "value": -1}]}
            for text, minute in questions
        ],
    }
    document = {"rule_files": [str(one) for one in RULE_FILES], "evaluation_interval": "1m", "tests": [tests]}
    output = run_promtool(document, tmp_path_factory.mktemp("fleet") / "test.yml")
    got = re.findall(r"^ +got: ?(.*)$", output, re.MULTILINE)
    assert len(got) == len(questions), output
    answers = {question: read(text) for question, text in zip(questions, got, strict=True)}
    return lambda text, minute=MINUTES, **chosen: answers[filled(text, **chosen), minute]


def expression(title: str, ref: str = "A") -> str:
    """The expression of a panel."""
    (found,) = (one["expr"] for one in PANELS[title]["targets"] if one["refId"] == ref)
    return str(found)


def by(answer: Answer, *labels: str) -> dict[Any, float]:
    """Name each value by the labels given, alone or as a tuple; nothing is left out."""
    named = {tuple(one.get(label, "") for label in labels): value for one, value in answer}
    assert len(named) == len(answer)
    return {key[0] if len(labels) == 1 else key: value for key, value in named.items()}


def test_every_state_has_a_site_and_a_colour() -> None:
    """The fleet has a site in each state that the panels map, and no two states share a colour."""
    (mapping,) = PANELS["Every site by state"]["fieldConfig"]["defaults"]["mappings"]
    assert {one["text"] for one in mapping["options"].values()} == set(STATES.values())
    assert len({one["color"] for one in mapping["options"].values()}) == len(mapping["options"])
    counted = PANELS["Sites by state"]["fieldConfig"]["overrides"]
    colours = {one["matcher"]["options"]: one["properties"][0]["value"]["fixedColor"] for one in counted}
    assert colours == {one["text"]: one["color"] for one in mapping["options"].values()}


def test_each_site_has_its_state(ask: Ask) -> None:
    """A tile for each site, a timeline for those that were not ok, a number for each state."""
    states = {site: code_of(site) for site in STATES}
    assert by(ask("site:egressd_state:code"), "site", "state") == {
        (site, state): states[site] for site, state in STATES.items()
    }
    assert by(ask(expression("Every site by state")), "site") == states
    timeline = by(ask(expression("Sites over time")), "site")
    assert timeline == {site: code for site, code in states.items() if site != "oslo-1"}
    counts = {state: list(STATES.values()).count(state) for state in STATES.values()}
    assert by(ask(expression("Sites by state")), "state") == counts


def test_a_state_follows_what_happens(ask: Ask) -> None:
    """The first site of a rollout differs, before another follows; what has not begun is not shown."""
    timeline = by(ask(expression("Sites over time"), EARLIER), "site")
    differs = code_of("bergen-1")
    assert timeline == {"bodo-1": differs, "bergen-1": differs, "gjovik-1": code_of("gjovik-1")}


def test_a_silent_site_shows_as_silent(ask: Ask) -> None:
    """It is listed with when it was last heard of, and only it."""
    last = 80 * 60
    seen = by(ask(expression("Silent sites")), "site")
    silent = by(ask(expression("Silent sites", "B")), "site")
    assert set(seen) == set(silent) == {"molde-1"}
    assert last - 60 <= seen["molde-1"] / 1000 <= last + 300
    assert silent["molde-1"] == MINUTES * 60 - seen["molde-1"] / 1000


def test_hosts_are_listed_with_their_site(ask: Ask) -> None:
    """Each host that reports has state, failures, age and version of its own; a silent site has a row."""
    shown = {ref: by(ask(expression("Hosts", ref)), "instance", "site") for ref in "ABCD"}
    states = {(host, site): code_of(site) for host, site in HOSTS.items()}
    assert shown["A"] == {**states, ("", "molde-1"): code_of("molde-1")}
    failing = {"hamar-1": 4, **{site: 1 for site, target in FAILING if target != "logs"}}
    known = {key: failing.get(key[1], 0) for key in states if key[1] != "gjovik-1"}
    assert shown["B"] == known
    assert shown["C"] == dict.fromkeys(states, 20)
    assert shown["D"] == dict.fromkeys(states, 1)
    assert {one["version"] for one, _ in ask(expression("Hosts", "D"))} == {"0.1.0"}


def test_the_matrix_has_what_fails_anywhere(ask: Ask) -> None:
    """A cell for each site and endpoint that fails, and `ok` where another site's failure works."""
    rows = {site for site, _ in FAILING}
    cells = {(site, target): "ok" for site in rows for target in ("arm", "mcr")}
    cells |= {cell: reason for cell, (reason, _, _) in FAILING.items()}
    shown = by(ask(expression("Endpoint by site")), "site", "place", "result")
    assert set(shown) == {(site, f"{SERVICES[one]}:443", result) for (site, one), result in cells.items()}


def test_the_matrix_can_be_narrowed(ask: Ask) -> None:
    """One site is one row, with what others fail beside it; optional endpoints can be left out."""
    one = by(ask(expression("Endpoint by site"), site="bergen-1"), "site", "place", "result")
    places = {SERVICES["mcr"]: RESET, SERVICES["arm"]: "ok"}
    assert set(one) == {("bergen-1", f"{host}:443", result) for host, result in places.items()}
    required = ask(expression("Endpoint by site"), need="required")
    assert {one["site"] for one, _ in required} == {site for site, target in FAILING if target != "logs"}
    assert SERVICES["logs"] + ":443" not in {one["place"] for one, _ in required}


def test_it_is_said_at_how_many_of_how_many_sites(ask: Ask) -> None:
    """With the first and the last moment; sites that have no evidence, or are cut off, count nowhere."""
    shown = {
        ref: by(ask(expression("Fails at how many of how many sites", ref)), "host", "reason")
        for ref in "ABCD"
    }
    began: dict[tuple[str, str], list[int]] = {}
    for (_, target), (reason, _, minute) in FAILING.items():
        began.setdefault((SERVICES[target], reason), []).append(minute)
    sites = {"arm": 9, "mcr": 8, "his": 3, "vmm": 1, "logs": 1}
    assert shown["A"] == {key: len(minutes) for key, minutes in began.items()}
    assert {host: value for (host, _), value in shown["B"].items()} == {
        SERVICES[one]: n for one, n in sites.items()
    }
    assert shown["C"] == {key: min(minutes) * 60_000 for key, minutes in began.items()}
    assert shown["D"] == {key: max(minutes) * 60_000 for key, minutes in began.items()}
    assert by(ask(expression("Sites at which an endpoint fails")), "host", "reason") == shown["A"]


def test_it_is_said_when_each_began(ask: Ask) -> None:
    """A row for each site and endpoint, with the host that fails it: of oslo-1 the one that does."""
    shown = by(ask(expression("When each began")), "site", "instance", "host", "reason", "blame")
    assert shown == {
        (site, "oslo-a" if site == "oslo-1" else site, SERVICES[target], reason, blame): minute * 60_000
        for (site, target), (reason, blame, minute) in FAILING.items()
    }


def test_the_fleets_alerts_are_listed_once_each(ask: Ask) -> None:
    """One row for each cause with since when, and the same as annotations."""
    shown = by(ask(expression("What the fleet's alerts say")), "alertname", "host", "site", "reason")
    assert set(shown) == {
        ("EgressServiceDown", SERVICES["his"], "", TIMEOUT),
        ("EgressRuleRollout", SERVICES["arm"], "", REFUSED),
        ("EgressSiteDiffers", "", "bergen-1", RESET),
        ("EgressSiteDiffers", "", "hamar-1", "site_outage"),
        ("EgressSiteSilent", "", "molde-1", ""),
    }
    assert 92 * 60_000 <= shown["EgressServiceDown", SERVICES["his"], "", TIMEOUT] <= 94 * 60_000
    (annotation,) = shown_annotations(FLEET)
    assert set(by(ask(annotation["expr"]), "alertname", "host", "site", "reason")) == set(shown)


def test_sites_with_coordinates_are_on_the_map(ask: Ask) -> None:
    """With their state, the silent one too."""
    assert by(ask(expression("Map of sites")), "site", "latitude", "longitude") == {
        ("oslo-1", "59.9", "10.7"): code_of("oslo-1"),
        ("molde-1", "62.7", "7.2"): code_of("molde-1"),
    }


def test_a_host_looks_the_same_from_the_centre(ask: Ask) -> None:
    """Where outcomes are left out, as at the centre, what fails is not drawn as ok by the other dashboard."""
    shown = by(ask(OF_ONE_HOST), "instance", "target")
    (mapping,) = EVERY_TARGET["fieldConfig"]["defaults"]["mappings"]
    words = {key: mapping["options"][f"{code:.0f}"]["text"] for key, code in shown.items()}
    assert words["bergen-1", "mcr"] == "blocked"
    assert words["bodo-1", "arm"] == "fails"
    assert {words["gjovik-1", target] for target in EVERYWHERE} == {"unknown"}
    assert {words["oslo-b", target] for target in EVERYWHERE} == {"ok"}
    assert {words["bergen-1", target] for target in EVERYWHERE if target != "mcr"} == {"ok"}


def test_the_list_of_endpoints_is_what_fails(ask: Ask) -> None:
    """The variable that limits the matrix has what fails somewhere, and nothing that works everywhere."""
    (query,) = (one["query"]["query"] for one in FLEET["templating"]["list"] if one["name"] == "host")
    selector = re.fullmatch(r"label_values\((.*), host\)", query)
    assert selector is not None
    listed = {one["host"] for one, _ in ask(selector[1])}
    assert listed == {SERVICES[target] for _, target in FAILING}
    assert not listed & {SERVICES[one] for one in set(EVERYWHERE) - {"arm", "mcr"}}


@pytest.mark.parametrize("title", PANELS)
def test_every_expression_is_answered(ask: Ask, title: str) -> None:
    """No expression of a panel is empty where there is something to show."""
    for target in PANELS[title]["targets"]:
        assert ask(target["expr"]), target["refId"]


@pytest.mark.parametrize("title", PANELS)
def test_links_use_what_is_in_the_row(ask: Ask, title: str) -> None:
    """What a link puts into an address is a label of the answer, and no transformation takes it away."""
    labels = {label for target in PANELS[title]["targets"] for one, _ in ask(target["expr"]) for label in one}
    excluded = {
        name
        for one in PANELS[title].get("transformations", ())
        for name in one["options"].get("excludeByName", ())
    }
    for url in data_links(PANELS[title]):
        used = set(re.findall(r"__(?:data\.fields|field\.labels)\.(\w+)", url))
        assert used <= labels - excluded

"""What looks like an outage, a rollout, a lone or a silent site to the rules is not told as one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.fleet.rule_worlds import RuleHost, RuleTarget, RuleWorld
from tests.prometheus.conftest import CONFIG, needs_promtool, promtool

NAMES = ("oslo", "bergen", "lodz", "narvik", "turku", "pori", "kotka", "umea", "riga", "york")
FIVE = NAMES[:5]
LABELS = ("alertname", "site", "host", "reason", "severity")
DOWN = "EgressServiceDown h tcp_timeout critical"
SEVERAL = "EgressServiceDown h several critical"
SILENT = "EgressSiteSilent oslo critical"
OUTAGE = "u20 f20 u"
FLAPS = "u{} f2 u{} f1 u{} f2 u{} f3 u8 f1 u2 f1 u"


def differs(site: str = "oslo", reason: str = "tcp_timeout", severity: str = "critical") -> str:
    """Return what is told of a site that differs."""
    return f"EgressSiteDiffers {site} {reason} {severity}"


def host(site: str, steps: str = "u", **more: object) -> RuleHost:
    """Return a site with one host and one target; the target's attributes are those that it has."""
    own = {name: more.pop(name) for name in (*more,) if name in RuleTarget.__dataclass_fields__}
    return RuleHost(site=site, targets=(RuleTarget(steps=steps, **own),), **more)  # type: ignore[arg-type]  # by name


def fleet(steps: str, others: str = "u", **more: object) -> tuple[RuleHost, ...]:
    """Return five sites: the first does this, the others that."""
    return tuple(host(name, others if number else steps, **more) for number, name in enumerate(FIVE))


def of(*alerts: str) -> frozenset[str]:
    """Return what is told together."""
    return frozenset(alerts)


def flapping(number: int) -> str:
    """Return the steps of a link that comes and goes, another way at each site."""
    return FLAPS.format(10 + number, 7 + number, 9 - number, 6 + number)


WORLDS = (
    RuleWorld(
        name="of two hosts of a site one fails: the site differs",
        hosts=(*fleet("u")[1:], host("oslo", OUTAGE, instance="oslo-1"), host("oslo", instance="oslo-2")),
        told={24: of(differs()), 35: of(differs())},
        quiet=(20, 21, 22, 46),
    ),
    RuleWorld(
        name="a host that has failed for long does not hide that its site is in the outage",
        hosts=(
            *(host(name, OUTAGE) for name in NAMES[1:3]),
            host("oslo", OUTAGE, instance="oslo-1"),
            host("oslo", "f", since=-90_000.0, instance="oslo-2"),
        ),
        told={30: of(DOWN)},
    ),
    RuleWorld(
        name="a region has a host of its own: three sites of three are all that need it",
        hosts=(*(host(name, OUTAGE) for name in NAMES[:3]), *(host(name, host="g") for name in NAMES[3:])),
        told={22: of(DOWN)},
        quiet=(19, 46, 60),
    ),
    RuleWorld(
        name="two sites of two prove nothing",
        hosts=(*(host(name, OUTAGE) for name in NAMES[:2]), *(host(name, host="g") for name in NAMES[3:])),
        quiet=(21, 22, 24, 30, 46),
    ),
    RuleWorld(
        name="behind a proxy the same outage has another reason",
        hosts=tuple(
            host(name, OUTAGE, reason="tcp_timeout" if number % 2 else "proxy_connect_refused")
            for number, name in enumerate(NAMES)
        ),
        told={22: of(SEVERAL), 35: of(SEVERAL)},
        quiet=(19, 46, 60),
    ),
    RuleWorld(
        name="with two thirds of one reason it is told by that alone",
        hosts=tuple(
            host(name, OUTAGE, reason="tcp_timeout" if number % 4 else "proxy_connect_refused")
            for number, name in enumerate(NAMES)
        ),
        told={22: of(DOWN), 35: of(DOWN)},
        quiet=(19, 46, 60),
    ),
    RuleWorld(
        name="links flap at several sites: nobody rolls out anything",
        hosts=tuple(host(name, flapping(number)) for number, name in enumerate(FIVE)),
        quiet=range(10, 75),
    ),
    RuleWorld(
        name="a lone site and links that flap elsewhere are no rollout",
        hosts=(*(host(name, flapping(number)) for number, name in enumerate(FIVE)), host("riga", "u5 f60 u")),
        told=dict.fromkeys(range(10, 60), of(differs("riga"))),
    ),
    RuleWorld(
        name="who is in maintenance says nothing of what it fails",
        hosts=(*fleet("u")[1:], host("oslo", OUTAGE, maintenance="0x17 1x30 0x32")),
        quiet=(21, 22, 24, 30, 46, 60),
    ),
    RuleWorld(
        name="new sites without rules, one after another, are no rollout: each differs",
        hosts=(
            *(host(name, f"-{10 * number + 1} f") for number, name in enumerate(FIVE)),
            *(host(name) for name in NAMES[5:]),
        ),
        told={65: of(*map(differs, FIVE))},
    ),
    RuleWorld(
        name="a new endpoint that no firewall knows is no outage",
        hosts=fleet("-20 f", "-20 f"),
        quiet=(21, 22, 24, 30, 60),
    ),
    RuleWorld(
        name="a host with two jobs is one site in each",
        hosts=(*fleet(OUTAGE), host("oslo", OUTAGE, job="node", interval=None, knows_since=False)),
        told={24: of(differs())},
        quiet=(20, 46),
    ),
    RuleWorld(
        name="every egressd restarts in an outage: it goes on",
        hosts=fleet("u10 f10 -3 f20 u", "u10 f10 -3 f20 u", since=600.0),
        told=dict.fromkeys((15, 22, 26, 35), of(DOWN)),
        quiet=(55,),
    ),
    RuleWorld(
        name="without since-when an outage is dated when it is seen",
        hosts=fleet(OUTAGE, "u21 f20 u", knows_since=False),
        told={23: of(DOWN), 38: of(DOWN)},
        quiet=(20, 55),
    ),
    RuleWorld(
        name="without since-when a lone site still differs",
        hosts=fleet(OUTAGE, knows_since=False),
        told={24: of(differs())},
        quiet=(21, 22, 46),
    ),
    RuleWorld(
        name="files are written at different times: an outage is no rollout",
        hosts=tuple(
            host(name, f"u{20 + 4 * number} f", interval=None, knows_since=False)
            for number, name in enumerate(FIVE)
        ),
        told={34: of(DOWN), 50: of(DOWN)},
        quiet=(20, 24, 26),
    ),
    RuleWorld(
        name="sweeps are rare: an outage that is seen over a quarter of an hour is no rollout",
        hosts=tuple(host(name, f"u{20 + 3 * number} f", interval=900) for number, name in enumerate(FIVE)),
        told={31: of(DOWN), 50: of(DOWN)},
        quiet=(20, 23, 26),
    ),
    RuleWorld(
        name="clocks are hours off, and known to be",
        hosts=tuple(host(name, OUTAGE, behind=3600 * (number - 2) + 1) for number, name in enumerate(FIVE)),
        told={22: of(DOWN), 35: of(DOWN)},
        quiet=(10, 19, 46),
    ),
    RuleWorld(
        name="a clock is an hour off, and nobody knows: its site is not silent",
        hosts=(*fleet("u")[1:], host("oslo", swept="-3600+60x80")),
        quiet=range(8, 75, 3),
    ),
    RuleWorld(
        name="a file that is no longer written is a silent site",
        hosts=(*fleet("u")[1:], host("oslo", interval=None, swept="-3000+60x20 -1800x60")),
        told={35: of(SILENT), 60: of(SILENT)},
        quiet=(10, 25),
    ),
    RuleWorld(
        name="of two hosts one is silent: the site is not",
        hosts=(*fleet("u"), host("oslo", instance="oslo-2", until=20)),
        quiet=range(15, 75, 5),
    ),
    RuleWorld(
        name="every series has a site by the scrape configuration, and egressd's own is exported_site",
        hosts=tuple(
            host(name, OUTAGE if name == "oslo" else "u", labels=f', site="{name}"', own_site="exported_site")
            for name in FIVE
        ),
        told={24: of(differs())},
        quiet=(20, 46),
    ),
    RuleWorld(
        name="a random name of a wildcard proves nothing",
        hosts=fleet(OUTAGE, OUTAGE, host="*.blob.example"),
        quiet=(22, 24, 30),
    ),
    RuleWorld(
        name="an optional endpoint is worth an info",
        hosts=fleet(OUTAGE, OUTAGE, need="optional"),
        told={24: of(DOWN.replace("critical", "info"))},
    ),
    RuleWorld(
        name="a conditional endpoint is worth a warning",
        hosts=fleet(OUTAGE, need="conditional"),
        told={24: of(differs(severity="warning"))},
    ),
    RuleWorld(
        name="without evidence nothing is down", hosts=fleet("u20 n20 u", "u20 n20 u"), quiet=(22, 24, 30)
    ),
    RuleWorld(name="without evidence no site differs", hosts=fleet("u20 n20 u"), quiet=(22, 24, 30)),
    RuleWorld(
        name="what need not work is not told",
        hosts=fleet(OUTAGE, OUTAGE, not_needed=True),
        quiet=(22, 24, 30),
    ),
    RuleWorld(
        name="of two sites nobody knows which is right", hosts=fleet(OUTAGE)[:2], quiet=(22, 24, 30, 46)
    ),
    RuleWorld(
        name="a service that breaks for one site after another is not somebody's rollout",
        hosts=tuple(
            host(
                name,
                f"u{20 + 10 * number} f" if number < 3 else "u",
                reason="http_5xx",
                blame="azure_service",
            )
            for number, name in enumerate(FIVE)
        ),
        told={60: of(*(differs(name, "http_5xx") for name in FIVE[:3]))},
    ),
    RuleWorld(
        name="a part of the sites, together: each differs, and neither a service nor a rollout is accused",
        hosts=tuple(host(name, OUTAGE if number < 4 else "u") for number, name in enumerate(NAMES)),
        told={24: of(*map(differs, NAMES[:4]))},
        quiet=(20, 46),
    ),
    RuleWorld(
        name="an outage ends at one site after another: the last one does not differ",
        hosts=tuple(host(name, f"u20 f{20 + 3 * number} u") for number, name in enumerate(FIVE)),
        told={30: of(DOWN)},
        quiet=(52, 56, 60),
    ),
)


@needs_promtool
@pytest.mark.parametrize("world", WORLDS, ids=lambda one: one.name)
def test_what_is_told(world: RuleWorld, tmp_path: Path) -> None:
    """In each minute exactly these alerts fire."""
    firing = 'ALERTS{alertstate="firing", alertname=~"EgressServiceDown|EgressRuleRollout|EgressSite.+"}'
    checks = [
        {
            "expr": f'count by (told) (label_join({firing}, "told", " ", {joined(LABELS)}))',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": f'{{told="{padded(one)}"}}', "value": 1} for one in sorted(told)],
        }
        for minute, told in world.expected().items()
    ]
    series = [one for each in world.hosts for one in each.series()]
    test = {"name": world.name, "interval": "1m", "input_series": series, "promql_expr_test": checks}
    files = [str(CONFIG / "prometheus" / f"egressd-fleet-{name}.yml") for name in ("recording", "alerts")]
    order = ["egressd-fleet-recording", "egressd-fleet"]
    document = {"rule_files": files, "evaluation_interval": "1m", "group_eval_order": order, "tests": [test]}
    (tmp_path / "world.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    promtool("test", "rules", tmp_path / "world.yml")


def joined(names: tuple[str, ...]) -> str:
    """Return names as arguments of PromQL."""
    return ", ".join(f'"{one}"' for one in names)


def padded(told: str) -> str:
    """Return what `label_join` makes of it: labels that an alert does not have are empty words."""
    name, *words = told.split()
    places = {"EgressServiceDown": (2, 3, 4), "EgressRuleRollout": (2, 3, 4), "EgressSiteDiffers": (1, 3, 4)}
    found = [name, "", "", "", ""]
    for place, word in zip(places.get(name, (1, 4)), words, strict=True):
        found[place] = word
    return " ".join(found)

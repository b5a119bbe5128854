"""`alerts:` and `notify:`: what is read, what is refused and in which words, and that no secret shows."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from egressd.catalog import load_catalog
from egressd.config import Flags, load_settings
from egressd.config.alerts import parse
from egressd.config.alerts.schema import AlertsPart, MatchPart, NotifyPart, RoutePart, TimeIntervalPart
from egressd.errors import ConfigError
from egressd.fields import parse as fields_parse
from egressd.model.notification import (
    Alerting,
    Feed,
    Flapping,
    Matcher,
    Notify,
    Receiver,
    Route,
    Scope,
    Severity,
    TimeInterval,
)
from egressd.model.settings import Settings
from egressd.notify.receivers import BY_TYPE, email, syslog
from egressd.notify.receivers.journald import JournalTransport
from egressd.notify.receivers.syslog import SyslogTransport
from egressd.notify.transport.http import HttpTransport
from egressd.notify.transport.smtp import SmtpTransport

CATALOG = load_catalog()
URL = "https://hooks.example/services/T00/B00/hunter2hunter2?sig=hunter%2F2two"
Load = Callable[[str], Settings]

FULL = """
alerts:
  job: blackbox
  instance: appliance-1.corp.example:10980
  labels: {site: frankfurt, env: prod}
  runbooks: https://docs.corp.example/egressd/runbooks/
  patience: {explicit: 1, silent: 4, better: 3}
  reminder: 8h
  flapping: {high: 40, low: 5.5, times: 4, within: 2h, hold: 20m}
  maintenance:
    - name: patch-night
      schedule: "0 2  * * SAT"
      timezone: Europe/Berlin
      for: 4h
      reason: monthly patches
      match: {source: default, target: ["*.corp.example"], profile: [resource-*]}
notify:
  receivers:
    - name: am
      type: alertmanager
      urls: ["http://127.0.0.1:9093/am/", "https://am-2:9093"]
      username: u
      password_file: password
    - name: tickets
      type: webhook
      url: https://tickets.corp.example/hook?a=b
      bearer_token_file: token
      proxy: {url: "http://proxy:3128", username: p, password_file: password}
      ca_file: ca.pem
      timeout: 3s
      queue: 10
      send_resolved: false
    - {name: events, type: cloudevents, url_file: url}
    - {name: chat, type: slack, url_file: url, digest: 2, wait: 1s}
    - {name: teams, type: teams, url_file: url}
    - name: noc
      type: email
      server: smtp.corp.example
      from: egressd@corp.example
      to: [noc@corp.example, second@corp.example]
      username: u
      password_file: password
    - {name: mail, type: email, server: "[::1]:2525", security: none, from: a@b.example, to: c@d.example}
    - {name: journal, type: journald}
    - {name: socket, type: syslog}
    - {name: far, type: syslog, address: "udp://10.0.0.5", facility: local3}
    - {name: deadman, type: heartbeat, url: "https://dead.example/x"}
  routes:
    - match:
        severity: [critical]
        profile: resource-bridge
        source: default
        reason: "tls_*"
        alert: EgressCause
      receivers: [noc, am]
      continue: true
    - {receivers: [am, tickets, events, chat, teams, mail, journal, socket, far]}
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Read a text as a file, beside files that it can name."""
    (tmp_path / "password").write_text("hunter2\n", encoding="utf-8")
    (tmp_path / "token").write_text("tok-hunter2", encoding="utf-8")
    (tmp_path / "url").write_text(f"{URL}\n", encoding="utf-8")
    (tmp_path / "plain").write_text(URL.replace("https:", "http:"), encoding="utf-8")
    (tmp_path / "userinfo").write_text("https://u:hunter2@hooks.example/", encoding="utf-8")
    (tmp_path / "spaced").write_text("to ken", encoding="utf-8")
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def read(text: str) -> Settings:
        path = tmp_path / "egressd.yml"
        path.write_text(text, encoding="utf-8")
        return load_settings(path, Flags(), catalog=CATALOG)

    return read


@pytest.fixture
def problems(tmp_path: Path, load: Load) -> Callable[[str], list[str]]:
    """Return the problems of a text, without the folder in front of a file's name."""

    def read(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text)
        return [one.replace(f"{tmp_path}/", "") for one in caught.value.problems]

    return read


def test_alerts_are_read(load: Load) -> None:
    """Every key of `alerts:` arrives."""
    made = load(FULL)
    assert made.warnings == ()
    assert made.alerting == Alerting(
        job="blackbox",
        instance="appliance-1.corp.example:10980",
        labels=(("env", "prod"), ("site", "frankfurt")),
        runbooks="https://docs.corp.example/egressd/runbooks",
        explicit=1,
        silent=4,
        better=3,
        reminder=8 * 3600.0,
        flapping=Flapping(high=40.0, low=5.5, times=4, within=7200.0, hold=1200.0),
        maintenance=(
            TimeInterval(
                name="patch-night",
                schedule="0 2 * * SAT",
                seconds=4 * 3600.0,
                timezone="Europe/Berlin",
                reason="monthly patches",
                scope=Scope(targets=("*.corp.example",), profiles=("resource-*",), sources=("default",)),
            ),
        ),
    )


def test_receivers_are_read(load: Load, tmp_path: Path) -> None:
    """Every type becomes its receiver, with its secrets read and the rest as without a file."""
    made = {one.name: one for one in load(FULL).notify.receivers}
    basic = {user: f"Basic {base64.b64encode(f'{user}:hunter2'.encode()).decode()}" for user in "up"}
    assert made["am"] == Receiver(
        name="am",
        type="alertmanager",
        feed=Feed.ALERTS,
        transport=HttpTransport(
            urls=("http://127.0.0.1:9093/am", "https://am-2:9093"), authorization=basic["u"]
        ),
        wait=0.0,
    )
    assert made["tickets"] == Receiver(
        name="tickets",
        type="webhook",
        transport=HttpTransport(
            urls=("https://tickets.corp.example/hook?a=b",),
            authorization="Bearer tok-hunter2",
            proxy="http://proxy:3128",
            proxy_authorization=basic["p"],
            ca_file=str(tmp_path / "ca.pem"),
        ),
        timeout=3.0,
        queue=10,
        send_resolved=False,
        wait=0.0,
    )
    hidden = HttpTransport(urls=(URL,), secret=True)
    assert made["events"] == Receiver(name="events", type="cloudevents", transport=hidden, wait=0.0)
    assert made["chat"] == Receiver(name="chat", type="slack", transport=hidden, digest=2, wait=1.0)
    assert made["teams"] == Receiver(name="teams", type="teams", transport=hidden, digest=5, wait=5.0)
    assert made["deadman"].transport == HttpTransport(urls=("https://dead.example/x",))


def test_receivers_without_http_are_read(load: Load) -> None:
    """Mail has the port of its security; syslog a transport, a place and the facility's number."""
    made = {one.name: one.transport for one in load(FULL).notify.receivers}
    assert made["noc"] == SmtpTransport(
        server="smtp.corp.example",
        port=587,
        security="starttls",
        sender="egressd@corp.example",
        recipients=("noc@corp.example", "second@corp.example"),
        username="u",
        password="hunter2",
    )
    assert isinstance(made["mail"], SmtpTransport)
    assert (made["mail"].server, made["mail"].port, made["mail"].recipients) == (
        "::1",
        2525,
        ("c@d.example",),
    )
    assert made["journal"] == JournalTransport()
    assert made["socket"] == SyslogTransport(protocol="unix", address="/dev/log", port=0)
    assert made["far"] == SyslogTransport(protocol="udp", address="10.0.0.5", port=514, facility=19)


def test_routes_are_read(load: Load) -> None:
    """One word stands for a list of one."""
    first, last = load(FULL).notify.routes
    assert first == Route(
        receivers=("noc", "am"),
        match=Matcher(
            severity=(Severity.CRITICAL,),
            profiles=("resource-bridge",),
            sources=("default",),
            reasons=("tls_*",),
            alerts=("EgressCause",),
        ),
        go_on=True,
    )
    assert last.match == Matcher()
    assert not last.go_on


def test_without_keys_the_defaults_of_the_model_hold(load: Load) -> None:
    """The shape and the model agree on every default; a receiver's too."""
    made = load("alerts: {}\nnotify: {receivers: [{name: a, type: teams, url_file: url}]}\n")
    assert made.alerting == Alerting()
    (one,) = made.notify.receivers
    assert one == Receiver(
        name="a", type="teams", transport=HttpTransport(urls=(URL,), secret=True), digest=5, wait=5.0
    )
    assert load("notify: {receivers: [], routes: []}").notify == Notify()


MISTAKES = [
    (row["text"], row["said"].replace("{types}", ", ".join(map(repr, BY_TYPE))))
    for row in yaml.safe_load(Path(__file__).with_name("alert_mistakes.yml").read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_is_named(problems: Callable[[str], list[str]], text: str, said: str) -> None:
    """One mistake, one line: where, which key, what is wrong, and what was probably meant."""
    assert problems(text) == [f"egressd.yml:{said}"]


def test_all_mistakes_at_once(problems: Callable[[str], list[str]]) -> None:
    """Shapes, contradictions, names and files: no mistake hides another."""
    text = """\
alerts: {job: 5, flapping: {low: 50}, maintenance: [{name: a}]}
notify:
  receivers:
    - {name: a, type: slack, url: "https://x"}
    - {name: a, type: slak}
    - {name: b, type: heartbeat, url: "https://b.example", url_file: url, quue: 1}
  routes:
    - {receivers: [c, b], match: {reason: tls_mitm}}
    - {}
"""
    assert [one.split(": ")[:2] for one in problems(text)] == [
        ["egressd.yml:1", "alerts.flapping.low"],
        ["egressd.yml:1", "alerts.job"],
        ["egressd.yml:1", "alerts.maintenance[0].schedule"],
        ["egressd.yml:1", "alerts.maintenance[0].for"],
        ["egressd.yml:4", "notify.receivers[0].url_file"],
        ["egressd.yml:4", "notify.receivers[0].url"],
        ["egressd.yml:5", "notify.receivers[1].name"],
        ["egressd.yml:5", "notify.receivers[1].type"],
        ["egressd.yml:6", "notify.receivers[2].url_file"],
        ["egressd.yml:6", "notify.receivers[2].quue"],
        ["egressd.yml:8", "notify.routes[0].receivers[0]"],
        ["egressd.yml:8", "notify.routes[0].receivers[1]"],
        ["egressd.yml:8", "notify.routes[0].match.reason"],
        ["egressd.yml:9", "notify.routes[1].receivers"],
    ]


RECEIVER = "notify: {receivers: [{name: a, %s}]}"


@pytest.mark.parametrize(
    "text",
    [
        RECEIVER % "type: webhook, url: 'https://u:hunter2@x.example'",
        RECEIVER % "type: webhook, url: 'https://x.example:hunter2/'",
        RECEIVER % "type: webhook, url: 'ftp://x.example/hunter2'",
        RECEIVER % "type: webhook, url: ['https://x.example/hunter2']",
        RECEIVER % "type: webhook, url_file: userinfo",
        RECEIVER % "type: webhook, url_file: 'https://x.example/hunter2'",
        RECEIVER % "type: webhook, url: 'https://x', password: hunter2",
        RECEIVER % "type: slack, url: 'https://x.example/hunter2', url_file: url",
        RECEIVER % "type: slack, url_file: plain",
        RECEIVER % "type: alertmanager, urls: 'http://u:hunter2@x'",
        RECEIVER % "type: heartbeat, url: 'https://x', proxy: 'http://u:hunter2@p:1'",
        RECEIVER % "type: heartbeat, url: 'https://x', proxy: {url: 'http://u:hunter2@p:1'}",
        "notify: {receivers: ['https://x.example/hunter2']}",
        "notify: {receivers: 'https://x.example/hunter2/with/a/path/that/is/long'}",
        "alerts: {runbooks: 'https://u:hunter2@x.example'}",
    ],
)
def test_a_secret_is_never_repeated(problems: Callable[[str], list[str]], text: str) -> None:
    """A password or a webhook in the wrong place is refused without being shown."""
    found = problems(text)
    assert found
    assert "hunter2" not in "\n".join(found)


def test_secrets_are_in_no_repr_and_no_digest(load: Load, tmp_path: Path) -> None:
    """Settings show no secret, and other secrets are the same settings; another receiver is not."""
    first = load(FULL)
    assert "hunter2" not in repr(first)
    assert "tok-" not in repr(first)
    for name, other in (("password", "two"), ("token", "three"), ("url", "https://other.example/x")):
        (tmp_path / name).write_text(other, encoding="utf-8")
    second = load(FULL)
    assert second.notify != first.notify
    assert second.digest == first.digest
    assert load(FULL.replace("tickets.corp", "tickets2.corp")).digest != first.digest
    assert load(FULL.replace("queue: 10", "queue: 11")).digest != first.digest
    assert load(FULL.replace("reminder: 8h", "reminder: 9h")).digest != first.digest


def test_every_spelling_of_a_secret_is_known(load: Load) -> None:
    """What a library could show of a secret is listed; what is no secret is not."""
    found = load(FULL).notify.secrets()
    for spelling in (
        URL,
        "/services/T00/B00/hunter2hunter2?sig=hunter%2F2two",
        "/services/T00/B00/hunter2hunter2",
        "hunter/2two",
        "hunter2",
        "tok-hunter2",
        "Bearer tok-hunter2",
        base64.b64encode(b"u:hunter2").decode(),
        base64.b64encode(b"\0u\0hunter2").decode(),
        base64.b64encode(b"hunter2").decode(),
    ):
        assert spelling in found
    assert not [one for one in found if "tickets" in one or "am-2" in one or one in {"/", "x", ""}]
    assert Notify().secrets() == ()
    lengths = [len(one) for one in found]
    assert lengths == sorted(lengths, reverse=True)


AM = "{name: am, type: alertmanager, urls: 'https://am:9093'}"
ALL = "{receivers: am}"
NEVER = (
    "notify.routes[1]: is never reached, because routes[0] takes everything; "
    "move it up, or let that one continue"
)


def routed(*routes: str, also: str = "") -> str:
    """Write routes, with an Alertmanager and perhaps another receiver."""
    return f"notify: {{receivers: [{AM}{', ' + also if also else ''}], routes: [{', '.join(routes)}]}}"


def open_token(url: str) -> str:
    """Write an Alertmanager that takes a token."""
    return (
        f"notify: {{receivers: [{{name: a, type: alertmanager, urls: '{url}', bearer_token_file: token}}]}}"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            open_token("http://am:9093"),
            "receiver a: its credentials go over plain http, where they can be read on the way; use https",
        ),
        (
            "notify: {receivers: [{name: a, type: webhook, url_file: plain}]}",
            "receiver a: its URL is a secret and plain http, so it can be read on the way; use https",
        ),
        (
            routed(ALL, "{match: {severity: info}, receivers: am}"),
            NEVER,
        ),
        (
            routed("{match: {severity: info}, receivers: am}"),
            "notify.routes: an alert that no route matches is sent nowhere; end with a route without match",
        ),
        (
            routed(
                "{match: {severity: critical}, receivers: am}",
                "{receivers: j}",
                also="{name: j, type: journald}",
            ),
            (
                "notify.routes: some alerts are not sent to am, and the Prometheus rules leave them to "
                "egressd; begin with a route without match to am that continues"
            ),
        ),
        (
            routed(ALL, also="{name: j, type: journald}"),
            "receiver j: no route leads to it, so it gets no notifications",
        ),
        (
            routed("{match: {source: b}, receivers: am}", ALL),
            "notify.routes[0]: no source matches b; there are default",
        ),
        (
            "alerts: {maintenance: [{name: m, schedule: '0 * * * *', for: 1h}]}",
            "maintenance m: lasts 1h and begins again before that, so what it covers is silenced for ever",
        ),
        (
            "alerts: {maintenance: [{name: m, schedule: '0 2 * * *', for: 1h, match: {source: 'x*'}}]}",
            "maintenance m: no source matches x*; there are default",
        ),
    ],
)
def test_warnings(load: Load, text: str, said: str) -> None:
    """It is allowed, and said."""
    assert load(text).warnings == (said,)


@pytest.mark.parametrize(
    "text",
    [
        open_token("http://localhost:9093"),
        "notify: {receivers: [{name: a, type: webhook, url: 'http://hooks.corp.example/'}]}",
        routed("{receivers: am, continue: true}", ALL),
        routed(ALL, also="{name: d, type: heartbeat, url: 'https://d'}"),
        "alerts: {maintenance: [{name: m, schedule: '0 2 * * *', for: 23h}]}",
    ],
)
def test_usual_settings_give_no_warning(load: Load, text: str) -> None:
    """A warning that always comes is none."""
    assert load(text).warnings == ()


def test_plain_http_to_this_host_may_carry_a_secret(load: Load, tmp_path: Path) -> None:
    """Slack's URL must be https, except towards loopback, where no other host can read it."""
    (tmp_path / "near").write_text("http://127.0.0.1:8080/services/x", encoding="utf-8")
    made = load("notify: {receivers: [{name: a, type: slack, url_file: near}]}")
    assert made.warnings == ()


PAGE = Path(__file__).parents[2] / "docs" / "alerts.md"
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_docs_alerts_has_examples() -> None:
    """So that the check below checks something."""
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_docs_alerts_load(load: Load, tmp_path: Path, text: str) -> None:
    """What an operator copies loads without a warning, with nothing to add but the secrets' files."""
    for name in re.findall(r"_file: ([a-z.-]+)", text):
        (tmp_path / name).write_text("https://hooks.example/x", encoding="utf-8")
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "corp-ca.pem"))
    made = load(f"sources: [{{name: appliance-1}}]\n{text}")
    assert made.warnings == ()
    assert made.notify != Notify() or made.alerting != Alerting()


READERS = (
    fields_parse.parse_url,
    fields_parse.parse_base_url,
    parse.parse_label_name,
    email.parse_mail_address,
    email.parse_mail_server,
    syslog.parse_syslog_address,
    parse.parse_schedule,
    parse.parse_timezone,
    parse.parse_glob,
    parse.parse_line,
)
NEARLY = st.sampled_from(
    [
        *("https://a.example/x", "http://[::1]:99999", "tcp://a:b", "udp://[::1]", "a@b", "0 2 * * SAT", "L"),
        *(
            "Europe/Berlin",
            "Europe",
            "../x",
            "[::1]:25",
            "0 0 31 4 *",
            "* * * * 5#5",
            "*/0 * * * *",
            "a\r\nb",
        ),
    ]
)


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=120)
@given(text=st.text(max_size=30) | NEARLY | st.tuples(NEARLY, st.text(max_size=3)).map("".join))
def test_any_text_is_parsed_or_refused(read: Callable[[str], object], text: str) -> None:
    """No text leads to anything but a value or a ValueError, and no line break gets through."""
    try:
        read(text)
    except ValueError:
        return
    assert read is parse.parse_schedule or not set("\r\n") & set(text)


MODELS: tuple[type[BaseModel], ...] = (
    *(one.settings for one in BY_TYPE.values()),
    *(AlertsPart, NotifyPart, RoutePart, MatchPart, TimeIntervalPart),
)
KEYS = st.sampled_from(
    sorted({info.alias or name for one in MODELS for name, info in one.model_fields.items()})
)
LEAVES = st.sampled_from([*BY_TYPE, "a", "password", "url", "https://a.example", "0 2 * * *", "1h", "none"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | LEAVES | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)
PARTS = st.dictionaries(st.sampled_from(["receivers", "routes", "maintenance", "flapping", "labels"]), JUNK)


@settings(max_examples=150)
@given(alerts=PARTS, notify=PARTS)
def test_any_data_is_settings_or_mistakes(load: Load, alerts: object, notify: object) -> None:
    """No value in any place leads to another exception, and no mistake is without its place."""
    found: tuple[str, ...] = ("egressd.yml: fine",)
    try:
        load(yaml.safe_dump({"alerts": alerts, "notify": notify}))
    except ConfigError as error:
        found = error.problems
    assert found
    assert all("egressd.yml:" in one for one in found)

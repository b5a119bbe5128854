"""Reading reports, valid and invalid ones."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.errors import ReportFileError
from egressd.model.endpoint import Need, Protocol, SampleKind
from egressd.model.observation import (
    Certificate,
    DnsObservation,
    DnsQuery,
    HttpObservation,
    NtpObservation,
    Observation,
    ProxyObservation,
    TcpInfo,
    TcpObservation,
    TlsObservation,
)
from egressd.model.plan import Target, Unsampled
from egressd.model.recording import Control, ProbeRecord, Recording, Trail
from egressd.model.settings import ProbeRoute, Proxy
from egressd.model.verdict import Outcome, Sweep
from egressd.report.bounds import MAX_VALUES
from egressd.report.saved import from_json, to_document, to_json

SweepOf = Callable[..., Sweep]
RowOf = Callable[..., object]

SCHEMA = Path(__file__).parents[2] / "egressd" / "report" / "sweep-1.schema.json"
NOW = st.just("2026-11-20T03:10:04.120Z")
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INFO = st.none() | st.builds(TcpInfo, rtt_ms=FLOATS)
CHAIN = st.lists(
    st.builds(Certificate, key=st.just("rsa2048"), not_before=st.none() | NOW, not_after=st.none() | NOW),
    max_size=2,
).map(tuple)
OBSERVATIONS: st.SearchStrategy[Observation] = st.one_of(
    st.builds(
        DnsObservation,
        started=NOW,
        elapsed_ms=FLOATS,
        queries=st.lists(st.builds(DnsQuery, elapsed_ms=FLOATS), max_size=2).map(tuple),
    ),
    st.builds(TcpObservation, started=NOW, elapsed_ms=FLOATS, info=INFO),
    st.builds(ProxyObservation, started=NOW, elapsed_ms=FLOATS, info=INFO),
    st.builds(TlsObservation, started=NOW, elapsed_ms=FLOATS, info=INFO, chain=CHAIN),
    st.builds(HttpObservation, started=NOW, elapsed_ms=FLOATS, throughput=st.none() | FLOATS, info=INFO),
    st.builds(NtpObservation, started=NOW, elapsed_ms=FLOATS, offset_seconds=st.none() | FLOATS),
)
TRAILS = st.builds(Trail, observations=st.lists(OBSERVATIONS, max_size=4).map(tuple))
MANY_TRAILS = st.lists(TRAILS, max_size=3).map(tuple)


@settings(max_examples=40)
@given(first=MANY_TRAILS, second=MANY_TRAILS, control=st.builds(Control, trails=MANY_TRAILS))
def test_a_report_is_read_back(
    sweep_of: SweepOf,
    row: RowOf,
    first: tuple[Trail, ...],
    second: tuple[Trail, ...],
    control: Control,
) -> None:
    """Every observation of every kind survives, so that judging again starts from the same facts."""
    sweep = sweep_of(row(), row(host="a.example", outcome=Outcome.DOWN))
    records = (
        ProbeRecord(probe="p0", trails=first, skipped="interrupted"),
        ProbeRecord(probe="p1", trails=second, bug="ValueError: x"),
    )
    recording = replace(sweep.recording, records=records, controls=(control,))
    text = to_json(replace(sweep, recording=recording))
    assert from_json(text) == recording
    jsonschema.validate(json.loads(text), json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_judging_a_saved_sweep_gives_the_same_sweep(sweep_of: SweepOf, row: RowOf) -> None:
    """Verdicts are not read from the file but judged again from its facts."""
    judged = judge(sweep_of(row(), row(host="a.example", outcome=Outcome.DOWN)).recording)
    assert any(not one.verdict.outcome.reachable for one in judged.verdicts)
    assert judge(from_json(to_json(judged))) == judged


def test_targets_that_share_a_probe_repeat_its_trails(sweep_of: SweepOf, row: RowOf) -> None:
    """A trail names its probe, by which sharing is restored."""
    sweep = sweep_of(row(), row())
    plan = sweep.recording.plan
    shared = replace(plan.probes[0], targets=tuple(one.id for one in plan.targets))
    recording = replace(
        sweep.recording, plan=replace(plan, probes=(shared,)), records=sweep.recording.records[:1]
    )
    document = to_document(replace(sweep, recording=recording))
    trails = [one["trails"] for one in document["targets"]]
    assert trails[0] == trails[1]
    assert trails[0][0]["probe"] == "p0"
    assert from_json(json.dumps(document)) == recording


def test_the_contract_of_the_document(sweep_of: SweepOf, row: RowOf) -> None:
    """The documented keys exist, an ok target has no reason, and the order is the plan's."""
    sweep = sweep_of(
        row(), row(host="a.example", outcome=Outcome.BLOCKED, profiles=("resource-bridge", "cm"))
    )
    document = to_document(sweep)
    assert document["schema"] == "egressd.sweep/1"
    assert {"id", "started", "finished", "interrupted", "egressd", "catalog", "config_digest"} <= set(
        document["run"]
    )
    assert document["vantage"]["trust"] == {"store": "system", "openssl": "OpenSSL 3.0"}
    assert document["summary"]["by_profile"]["cm"]["blocked"] == document["summary"]["blocked"] == 1
    ok, blocked = document["targets"]
    assert [ok["phase"], ok["reason"], ok["blame"], ok["sample"]] == [None, None, None, {"kind": "exact"}]
    assert blocked["by_source"][0]["reason"] == blocked["reason"] == "tcp_ip_blocked_silent"
    assert (
        blocked["trails"][0]["observations"][0] | {"phase": "tcp", "local_port": 40000}
        == (blocked["trails"][0]["observations"][0])
    )


def _with_certificate(sweep: Sweep, sent: dict[str, Any]) -> tuple[Recording, Certificate]:
    """Read a report in which the server of the first target sent this certificate."""
    document = to_document(sweep)
    handshake = {
        "phase": "tls",
        "started": "2026-11-20T03:10:04.120Z",
        "elapsed_ms": 20.0,
        "sni": "mcr.microsoft.com",
        "alpn_offered": [],
        "chain": [{"san": [], "sha256": "ab", "self_signed": False} | sent],
    }
    sizes = ("hello_bytes", "bytes_sent", "bytes_received", "records_sent", "records_received")
    document["targets"][0]["trails"][0]["observations"].append(handshake | dict.fromkeys(sizes, 1))
    recording = from_json(json.dumps(document))
    last = recording.records[0].trails[0].last
    assert isinstance(last, TlsObservation)
    return recording, last.chain[0]


@pytest.mark.parametrize("unknown", ["", None])
def test_unknown_values_of_a_certificate(sweep_of: SweepOf, row: RowOf, unknown: str | None) -> None:
    """What can't be read of a certificate is null in a report; 0.1.0 wrote it as an empty text."""
    names = ("subject", "issuer", "serial", "not_before", "not_after", "key", "signature")
    read, held = _with_certificate(sweep_of(row()), dict.fromkeys(names, unknown))
    assert {getattr(held, name) for name in names} == {None}
    assert from_json(to_json(judge(read))) == read


def test_an_empty_subject_is_not_an_unknown_one(sweep_of: SweepOf, row: RowOf) -> None:
    """A certificate that was parsed keeps its empty subject, whatever its dates."""
    sent = {
        "subject": "",
        "issuer": "CN=Public CA",
        "serial": "1",
        "not_before": "2026-01-01T00:00:00.000Z",
        "not_after": "",
        "key": "rsa2048",
        "signature": "sha256",
    }
    _, held = _with_certificate(sweep_of(row()), sent)
    assert (held.subject, held.issuer, held.not_after) == ("", "CN=Public CA", None)


def test_credentials_are_left_out(sweep_of: SweepOf, row: RowOf) -> None:
    """Neither the password nor the user name of the proxy is in a report."""
    proxy = Proxy(url="http://proxy:3128", bypass=(".corp",), username="svc-arc", password="hunter2")
    sweep = sweep_of(row(), proxy=proxy)
    text = to_json(sweep)
    assert "hunter2" not in text
    assert "svc-arc" not in text
    assert from_json(text).plan.proxy == Proxy(url="http://proxy:3128", bypass=(".corp",))


def test_routes_are_saved_without_credentials(sweep_of: SweepOf, row: RowOf) -> None:
    """A replay knows which way a target went; a report of before has none."""
    sweep = sweep_of(row())
    plan = sweep.recording.plan
    routes = (
        ProbeRoute(
            name="apt", proxy=Proxy(url="http://apt:8080", username="u-canary", password="hunter2"), why="apt"
        ),
        ProbeRoute(name="straight", proxy=None, why="no proxy"),
    )
    taken = replace(
        plan,
        routes=routes,
        probes=tuple(replace(one, route="apt", via_proxy=True) for one in plan.probes),
        targets=tuple(replace(one, route="apt") for one in plan.targets),
    )
    text = to_json(replace(sweep, recording=replace(sweep.recording, plan=taken)))
    assert "hunter2" not in text
    assert "u-canary" not in text
    read = from_json(text).plan
    assert [read.path_of(one) for one in read.probes] == ["http://apt:8080"]
    assert read.targets == taken.targets
    assert read.routes[1] == routes[1]
    old = json.loads(to_json(sweep))
    del old["plan"]["routes"], old["targets"][0]["route"], old["plan"]["probes"][0]["route"]
    assert from_json(json.dumps(old)).plan == plan


def _broken(sweep: Sweep, change: Callable[[dict[str, Any]], object]) -> str:
    document = to_document(sweep)
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda one: one.update(schema="egressd.sweep/2"),
            "it is egressd.sweep/2, and this egressd reads egressd.sweep/1; use the version that wrote it",
        ),
        (lambda one: one.update(schema="other.sweep/2"), 'its schema is not "egressd.sweep/1"'),
        (lambda one: one.pop("schema"), "its schema is not"),
        (lambda one: one["run"].pop("started"), "run: object missing required field `started`"),
        (lambda one: one["run"].update(started="yesterday"), "not a UTC time: 'yesterday'"),
        (lambda one: one["run"].update(started="2026-11-20T03:10:04"), "not a UTC time"),
        (
            lambda one: one["targets"][0].update(port="443"),
            "targets[0].port: expected `int`, got `str`",
        ),
        (
            lambda one: one["targets"][0].update(sample={"kind": "guess"}),
            "targets[0].sample.kind: invalid enum value",
        ),
        (lambda one: one["targets"].append(one["targets"][0]), "duplicate name: target"),
        (lambda one: one["plan"]["probes"].append(one["plan"]["probes"][0]), "duplicate name: probe"),
        (lambda one: one["plan"]["probes"][0].update(source="x"), "probe 'p0' names a target or source"),
        (lambda one: one["plan"]["probes"][0].update(targets=["x"]), "probe 'p0' names a target or source"),
        (lambda one: one["plan"]["probes"][0].update(route="x"), "names a route that is not there"),
        (lambda one: one["targets"][0].update(route="x"), "names a route that is not there"),
        (
            lambda one: one["plan"].update(routes=[{"name": "x", "proxy": None, "why": ""}] * 2),
            "duplicate name: route",
        ),
        (lambda one: one["targets"][0]["trails"][0].update(probe="p1"), "a probe that is not its own"),
        (
            lambda one: one["targets"][0]["trails"][0]["observations"][0].update(phase="sorcery"),
            "targets[0].trails[0].observations[0].phase: invalid value",
        ),
        (
            lambda one: one["targets"][0]["trails"][0]["observations"][0].update(elapsed_ms=float("nan")),
            "not JSON, which --format json writes (invalid character",
        ),
    ],
)
def test_a_broken_report_is_refused(
    sweep_of: SweepOf, row: RowOf, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    """The message names the place of the first error."""
    with pytest.raises(ReportFileError) as caught:
        from_json(_broken(sweep_of(row(), row(host="a.example")), change))
    assert said in str(caught.value)


def test_targets_of_a_probe_must_have_the_same_trails(sweep_of: SweepOf, row: RowOf) -> None:
    """A report with different trails of one probe is refused."""

    def differ(one: dict[str, Any]) -> None:
        one["plan"]["probes"][0]["targets"] = [target["id"] for target in one["targets"]]
        one["targets"][1]["trails"][0].update(probe="p0", attempt=7)

    with pytest.raises(ReportFileError, match="has other trails of a probe it shares"):
        from_json(_broken(sweep_of(row(), row(host="a.example")), differ))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '"x"',
        "[" * 100_000,
        '{"schema": ' * 5_000,
        '{"schema": "egressd.sweep/1"',
        "\x00",
        "[" + "{}," * MAX_VALUES + "{}]",
        '{"schema":"egressd.sweep/1","targets":[' + ",".join(["{}"] * 100_000) + "]}",
        '{"schema":"egressd.sweep/1","findings":[{"targets":[' + ",".join(["1"] * 200_000) + "]}]}",
        '{"schema":"egressd.sweep/1","run":{"id":' + "9" * 5_000 + "}}",
    ],
    ids=range(13),
)
def test_garbage_gives_one_error(text: str) -> None:
    """What is not a report, too deep or too big is refused with one short message."""
    with pytest.raises(ReportFileError) as caught:
        from_json(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@given(st.text(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_any_text_is_a_report_or_refused(text: str) -> None:
    """No text raises another exception than ReportFileError."""
    with pytest.raises(ReportFileError):
        from_json(text)


@settings(max_examples=150)
@given(
    seed=st.integers(), junk=st.none() | st.booleans() | st.integers() | st.text() | st.just([]) | st.just({})
)
def test_a_damaged_report_is_read_or_refused(sweep_of: SweepOf, row: RowOf, seed: int, junk: object) -> None:
    """With one value replaced anywhere, the report is consistent or refused."""
    document = to_document(sweep_of(row(), row(host="a.example", outcome=Outcome.DOWN)))
    _damage(document, random.Random(seed), junk)
    try:
        recording = from_json(json.dumps(document))
    except ReportFileError:
        return
    assert recording.plan.targets


def _damage(node: Any, chance: random.Random, junk: object) -> None:
    """Walk down at random and replace what is there."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    key = chance.choice(keys)
    below = node[key]
    if isinstance(below, dict | list) and below and chance.random() < 0.8:
        _damage(below, chance, junk)
    else:
        node[key] = junk


def test_plan_survives_with_what_was_not_probed(sweep_of: SweepOf, row: RowOf) -> None:
    """Coverage and the reasons why an endpoint has no sample are part of the file."""
    unsampled = (Unsampled(endpoint="e", pattern="*.x", need=Need.REQUIRED, why="needs `region`"),)
    sweep = sweep_of(row(), unsampled=unsampled)
    assert from_json(to_json(sweep)).plan == sweep.recording.plan
    assert isinstance(sweep.recording.plan.targets[0], Target)
    assert (sweep.recording.plan.targets[0].sample, sweep.recording.plan.targets[0].protocol) == (
        SampleKind.EXACT,
        Protocol.HTTPS,
    )


def test_what_a_replay_needs_besides_facts_is_saved(sweep_of: SweepOf, row: RowOf) -> None:
    """A strict sweep stays strict, and evidence of another episode stays none."""
    sweep = sweep_of(row())
    recording = replace(
        sweep.recording,
        plan=replace(sweep.recording.plan, strict=True),
        evidence_since="2026-11-20T03:08:04.120Z",
    )
    read = from_json(to_json(replace(sweep, recording=recording)))
    assert read.plan.strict
    assert read.evidence_since == recording.evidence_since
    old = json.loads(to_json(sweep))
    del old["plan"]["strict"], old["run"]["evidence_since"]
    before = from_json(json.dumps(old))
    assert (before.plan.strict, before.evidence_since) == (False, None)


def test_a_time_that_is_none_is_refused(sweep_of: SweepOf, row: RowOf) -> None:
    """The age of evidence is read from it when the report is judged."""
    document = json.loads(to_json(sweep_of(row())))
    document["run"]["evidence_since"] = "yesterday"
    with pytest.raises(ReportFileError):
        from_json(json.dumps(document))

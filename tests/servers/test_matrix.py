"""One case per kind of failure: real servers, swept by the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.servers.certificates import ZONE
from tests.servers.conftest import Run

pytestmark = pytest.mark.servers

HEALTHY = f"healthy.{ZONE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault of one endpoint, and the expected verdict."""

    name: str
    host: str = ""
    """A label of the zone; empty: the behaviour's own name."""
    dial: str
    """The port of the server that stands for the endpoint."""
    outcome: str
    reasons: tuple[str, ...] = ()
    """The expected reason codes, any of these; (): no reason."""
    also: str = ""
    """An informational code that must be among `also`."""
    endpoint: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def full_host(self) -> str:
        """The name that is probed."""
        return f"{(self.host or self.dial).replace('_', '-')}.{ZONE}"


def _http(**more: Any) -> dict[str, Any]:
    return {"port": 80, "protocol": "http", **more}


DNS = (
    Case(name="nxdomain", host="absent", dial="closed", outcome="down", reasons=("dns_name_absent",)),
    Case(
        name="nxdomain-filter",
        host="filtered",
        dial="closed",
        outcome="blocked",
        reasons=("dns_nxdomain_filtered",),
    ),
    Case(
        name="nodata-filter",
        host="nodata",
        dial="closed",
        outcome="blocked",
        reasons=("dns_nodata_filtered",),
    ),
    Case(name="servfail", host="x.broken", dial="closed", outcome="down", reasons=("dns_servfail",)),
    Case(name="refused", host="refused", dial="closed", outcome="blocked", reasons=("dns_refused_name",)),
    Case(name="timeout", host="dropped", dial="closed", outcome="blocked", reasons=("dns_dropped_name",)),
    Case(name="sinkhole", host="sinkhole", dial="closed", outcome="blocked", reasons=("dns_sinkhole_known",)),
    Case(name="private-address", host="bogon", dial="closed", outcome="blocked", reasons=("tcp_refused",)),
    Case(name="null", host="null", dial="closed", outcome="blocked", reasons=("dns_null_answer",)),
)

TCP = (
    Case(name="refused", dial="closed", outcome="blocked", reasons=("tcp_refused",)),
    Case(
        name="silent-drop",
        dial="full_backlog",
        outcome="blocked",
        reasons=("tcp_ip_blocked_silent", "tcp_port_blocked"),
    ),
)

CLIENT_HELLO = (
    Case(name="reset", dial="reset_after_hello", outcome="blocked", reasons=("tls_reset_after_hello",)),
    Case(
        name="reset-at-accept",
        dial="haproxy-refuse",
        outcome="blocked",
        reasons=("tcp_reset_after_accept", "tls_reset_after_hello", "tls_sni_reset"),
    ),
    Case(name="fin", dial="haproxy-reject", outcome="blocked", reasons=("tls_fin_after_hello",)),
    Case(name="silence", dial="haproxy-silent", outcome="blocked", reasons=("tls_stall_after_hello",)),
    Case(
        name="silence-acked", dial="silent_after_hello", outcome="blocked", reasons=("tls_stall_after_hello",)
    ),
    Case(name="half", dial="half_record", outcome="blocked", reasons=("tls_partial_then_stall",)),
    Case(name="half-fin", dial="half_record_fin", outcome="blocked", reasons=("tls_partial_then_fin",)),
    Case(name="alert-40", dial="other-ciphers", outcome="blocked", reasons=("tls_alert_handshake_failure",)),
    Case(name="alert-70", dial="old-tls", outcome="blocked", reasons=("tls_alert_protocol_version",)),
    Case(name="alert-80", dial="alert_80", outcome="blocked", reasons=("tls_alert_internal_error",)),
    Case(name="alert-112", dial="rejects-names", outcome="blocked", reasons=("tls_alert_unrecognized_name",)),
    Case(name="plain-http", dial="http-healthy", outcome="blocked", reasons=("tls_not_tls",)),
    Case(name="ssh", dial="ssh", outcome="blocked", reasons=("tls_not_tls",)),
)

CERTIFICATE = (
    Case(name="expired", dial="expired", outcome="down", reasons=("tls_cert_expired",)),
    Case(name="not-yet", dial="early", outcome="blocked", reasons=("tls_cert_not_yet_valid",)),
    Case(name="self-signed", dial="self-signed", outcome="blocked", reasons=("tls_self_signed",)),
    Case(name="wrong-name", dial="other-name", outcome="blocked", reasons=("tls_hostname_mismatch",)),
    Case(name="leaf-only", dial="leaf-only", outcome="down", reasons=("tls_incomplete_chain",)),
    Case(name="inspected", dial="inspected", outcome="blocked", reasons=("tls_mitm_untrusted",)),
    Case(name="no-san", dial="no-san", outcome="down", reasons=("tls_cert_without_san",)),
    Case(
        name="inspected-trusted",
        dial="inspected",
        outcome="degraded",
        reasons=("tls_mitm_trusted",),
        config={"trust": "corporate"},
    ),
    Case(name="client-13", dial="wants-client-13", outcome="ok", also="tls_client_cert_required"),
    Case(name="client-12", dial="wants-client-12", outcome="ok", also="tls_client_cert_required"),
)

HTTP = (
    Case(name="http1-only", dial="healthy-h1", outcome="ok"),
    *(
        Case(name=f"status-{code}", dial=server, outcome="ok", endpoint={"path": f"/{code}"})
        for code in (401, 403, 404, 500)
        for server in ("healthy-h1",)
    ),
    Case(name="status-403-h2", host="good", dial="healthy", outcome="ok", endpoint={"path": "/403"}),
    Case(name="plain", dial="http-healthy", outcome="ok", endpoint=_http()),
    Case(
        name="block-page",
        dial="http-block-page",
        outcome="blocked",
        reasons=("http_block_page",),
        endpoint=_http(),
    ),
    Case(
        name="azure-firewall",
        dial="http-azure-firewall",
        outcome="blocked",
        reasons=("http_azure_firewall_denied",),
        endpoint=_http(),
    ),
    Case(
        name="portal",
        dial="http-portal",
        outcome="blocked",
        reasons=("http_captive_portal",),
        endpoint=_http(),
    ),
    Case(
        name="truncated",
        dial="truncated",
        outcome="degraded",
        reasons=("http_truncated",),
        endpoint=_http(expect={"status": [200, 206], "min_bytes": 100_000}),
    ),
    Case(
        name="replaced",
        dial="http-replaced",
        outcome="blocked",
        reasons=("http_content_replaced",),
        endpoint=_http(expect={"status": [200], "content_type": "application/octet-stream"}),
    ),
)

CASES = (
    *(pytest.param(one, id=f"dns-{one.name}") for one in DNS),
    *(pytest.param(one, id=f"tcp-{one.name}") for one in TCP),
    *(pytest.param(one, id=f"client-hello-{one.name}") for one in CLIENT_HELLO),
    *(pytest.param(one, id=f"certificate-{one.name}") for one in CERTIFICATE),
    *(pytest.param(one, id=f"http-{one.name}") for one in HTTP),
)


def _endpoint(host: str, **more: Any) -> dict[str, Any]:
    return {
        "id": host.split(".", maxsplit=1)[0],
        "service": "Case",
        "host": host,
        "port": 443,
        "protocol": "https",
        "roles": ["machine"],
        **more,
    }


def _settings(case: Case, build: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    subject = _endpoint(case.full_host, **{"id": "subject", **case.endpoint})
    dial = {f"{HEALTHY}:443": "healthy", f"{case.full_host}:{subject['port']}": case.dial}
    settings = build(_endpoint(HEALTHY), subject, dial=dial)
    if "trust" in case.config:
        settings["trust"]["store"] = settings["trust"]["store"].replace("public", case.config["trust"])
    return settings


@pytest.mark.parametrize("case", CASES)
def test_verdict(
    case: Case, settings: Callable[..., dict[str, Any]], sweep: Callable[[dict[str, Any]], Run]
) -> None:
    """The endpoint gets its outcome and reason, the healthy one stays ok, and the exit code matches."""
    run = sweep(_settings(case, settings))
    target = run.target(case.full_host)
    said = f"{target['reason']} {target['also']} {target['flags']} {target['trails']}"
    assert target["outcome"] == case.outcome, said
    assert target["reason"] in (case.reasons or (None,)), said
    assert not case.also or case.also in target["also"], said
    assert run.target(HEALTHY)["outcome"] == "ok", run.target(HEALTHY)
    assert run.completed.code == (1 if case.outcome in ("blocked", "down") else 0), run.completed.stderr


def test_all_healthy(settings: Callable[..., dict[str, Any]], sweep: Callable[[dict[str, Any]], Run]) -> None:
    """Healthy endpoints over HTTP/2, HTTP/1.1 and plain HTTP are ok, and the exit code is 0."""
    plain, old = f"http-healthy.{ZONE}", f"healthy-h1.{ZONE}"
    run = sweep(
        settings(
            _endpoint(HEALTHY),
            _endpoint(old, id="old"),
            _endpoint(plain, id="plain", port=80, protocol="http"),
            dial={f"{HEALTHY}:443": "healthy", f"{old}:443": "healthy-h1", f"{plain}:80": "http-healthy"},
        )
    )
    assert run.completed.code == 0, run.completed.stderr
    assert run.report["summary"]["ok"] == run.report["summary"]["targets"] == 3
    observed = {one["phase"]: one for one in run.target(HEALTHY)["trails"][0]["observations"]}
    assert observed["tls"]["alpn"] == "h2"
    assert observed["http"]["status"] == 200
    assert run.report["findings"] == []


def test_all_at_once(settings: Callable[..., dict[str, Any]], sweep: Callable[[dict[str, Any]], Run]) -> None:
    """In one sweep with every case, each still gets its verdict."""
    cases = [case for case in (*TCP, *CLIENT_HELLO, *CERTIFICATE, *HTTP) if not case.config and not case.host]
    unique = {case.full_host: case for case in cases if not case.name.startswith("status")}
    dial = {f"{HEALTHY}:443": "healthy"}
    endpoints = [_endpoint(HEALTHY)]
    for host, case in unique.items():
        endpoint = _endpoint(host, **{"id": host.split(".", maxsplit=1)[0] + "-case", **case.endpoint})
        endpoints.append(endpoint)
        dial[f"{host}:{endpoint['port']}"] = case.dial
    run = sweep(settings(*endpoints, dial=dial))
    wrong = {
        host: (run.target(host)["outcome"], run.target(host)["reason"])
        for host, case in unique.items()
        if run.target(host)["outcome"] != case.outcome
        or run.target(host)["reason"] not in (case.reasons or (None,))
    }
    assert wrong == {}
    assert run.target(HEALTHY)["outcome"] == "ok"

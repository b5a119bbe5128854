"""Explicit proxies, end to end: paths, logins, findings, and credentials that no output shows."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from pathlib import Path

import pytest
import yaml

from egressd.attribution import judge
from egressd.cli.log import Form, Level
from egressd.cli.options import Format
from egressd.report.saved import from_json, to_document
from tests.net.programs import haproxy, http_server, https_server, nginx, pki_folder, squid, unbound
from tests.net.run_egressd import sweep
from tests.net.scenario import HEALTHY, host, start_services
from tests.net.topology import PUBLIC_NETWORKS, Network
from tests.net.worlds.proxy import (
    INSPECTED,
    PASSWORD,
    PROXY,
    SPLICED,
    USER,
    login,
    only_proxy_allowed,
    ssl_bump,
    via_proxy,
)
from tests.servers.certificates import LeafSpec, authority, leaf

SECRETS = (
    PASSWORD,
    *(b64encode(f"{USER}:{one}".encode()).decode() for one in (PASSWORD, f"wrong-{PASSWORD}")),
)
ECHO = (
    'http-request return status {status} content-type "text/html" '
    'lf-string "you sent %[req.hdr(proxy-authorization)] {padding} %[req.hdr(proxy-authorization)]" '
    'hdr X-Proxy-Error "%[req.hdr(proxy-authorization)]"'
)
"""A proxy that repeats the request, credentials included, in its response."""
GNS = "guestnotificationservice.azure.com"


def start_echoing_proxy(network: Network, status: int) -> Path:
    """Start a proxy that repeats requests; return a configuration with a login."""
    haproxy(
        network.firewall,
        "frontend proxy\n  mode http\n  bind :3128\n  timeout http-request 60s\n"
        f"  {ECHO.format(status=status, padding='x' * 430)}\n",
        tcp=(3128,),
    )
    built = start_services(network, {"seen:80": "203.0.113.20"})
    secret = network.client.folder / "login"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    path = network.client.folder / "egressd.yml"
    config = via_proxy(built, username=USER, password_file=str(secret))
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def shows_no_secret(*texts: str) -> bool:
    """Return whether the texts contain no encoding of the credentials, nor half of one."""
    words = [word for one in SECRETS for word in (one, one.encode().hex(), one[: len(one) // 2 + 1])]
    return not any(word in text for word in words for text in texts)


@pytest.mark.parametrize("status", [407, 200])
def test_no_output_shows_the_credentials(network: Network, status: int) -> None:
    """No report or log format shows the credentials, though the proxy's response repeats them."""
    path = start_echoing_proxy(network, status)
    formats, levels, forms = list(Format), list(Level), list(Form)
    for number in range(max(len(formats), len(levels), len(forms)) if status == 407 else 2):
        flags = (
            *("--format", formats[number % len(formats)].value),
            *("--log.level", levels[number % len(levels)].value),
            *("--log.format", forms[number % len(forms)].value),
        )
        done = network.client.egressd("--once", f"--config.file={path}", *flags)
        assert done.returncode in (1, 3), done.stderr
        assert shows_no_secret(done.stdout, done.stderr), flags
    for command in (("plan",), ("config", "check")):
        done = network.client.egressd(*command, f"--config.file={path}")
        assert done.returncode == 0, done.stderr
        assert shows_no_secret(done.stdout, done.stderr)


def test_the_echoing_proxy_repeats_the_credentials(network: Network) -> None:
    """The proxy's response does contain the credentials, so the test above proves something."""
    start_echoing_proxy(network, 407)
    said = network.client.attempt(
        "curl", "-s", "-x", PROXY, "-U", f"{USER}:{PASSWORD}", f"http://{host('seen')}/"
    )
    if said.returncode == 127:
        pytest.skip("curl is not installed")
    assert not shows_no_secret(said.stdout)


@pytest.mark.parametrize(
    ("password", "code", "reason", "sent"),
    [
        (None, 1, "proxy_auth_required", False),
        (f"wrong-{PASSWORD}", 1, "proxy_auth_rejected", True),
        (PASSWORD, 0, None, True),
    ],
    ids=["missing", "wrong", "right"],
)
def test_a_login_is_reported_and_never_shown(
    network: Network, password: str | None, code: int, reason: str | None, sent: bool
) -> None:
    """With squid: the report says whether credentials were sent and accepted, and never shows them."""
    built = login(password)(network)

    run = sweep(network, built, "--log.level", "debug")

    assert run.code == code
    assert {one["reason"] for one in run.report["targets"]} == {reason}
    assert run.reasons() == [reason] * (reason is not None)
    sent_flags = [
        one["credentials_sent"]
        for target in run.report["targets"]
        for trail in target["trails"]
        for one in trail["observations"]
        if "credentials_sent" in one and (one["phase"] == "proxy" or target["port"] == 80)
    ]
    assert sent_flags == [sent, sent]
    text = json.dumps(run.report)
    assert shows_no_secret(text, run.stderr)
    assert USER not in text + run.stderr


def test_inspection_of_half_of_the_names_is_one_finding(network: Network) -> None:
    """The finding has the CA's name and exactly the inspected targets; spliced targets stay ok."""
    run = sweep(network, ssl_bump(network))
    findings = [one for one in run.report["findings"] if one["reason"].startswith(("tls_mitm", "site_insp"))]
    assert len(findings) == 1
    assert "Corp Web Gateway Inspection CA" in findings[0]["title"] + findings[0]["advice"]
    assert {one.partition("/")[2] for one in findings[0]["targets"]} == {
        f"{host(label)}:443" for label in INSPECTED
    }
    for label in SPLICED:
        assert run.target(host(label))["outcome"] == "ok"


def test_replaying_a_report_gives_the_same_verdicts(network: Network) -> None:
    """A saved report of both paths (proxy and direct) is judged again with the same verdicts and findings."""
    run = sweep(network, only_proxy_allowed(network), "--compare-paths")
    again = to_document(judge(from_json(json.dumps(run.report))))
    assert again["findings"] == run.report["findings"]
    for before, after in zip(run.report["targets"], again["targets"], strict=True):
        assert before["outcome"] == after["outcome"] == "ok"
        assert [one["path"] for one in after["by_source"]] == [PROXY]
        assert [one["path"] for one in after["other_path"]] == ["direct"]
        assert after["other_path"][0]["outcome"] == "blocked"
        assert {trail["path"] for trail in after["trails"]} == {PROXY, "direct"}


def test_plan_and_report_show_each_targets_path(network: Network) -> None:
    """`plan` shows the bypass entry that sends a target direct; the report has the path of each trail."""
    squid(network.firewall, "http_port 3128\nhttp_access allow all")
    built = start_services(network, {"beside": "203.0.113.20", "seen:80": "203.0.113.20"})
    config = {**built, "proxy": {"from_environment": True}}
    path = network.client.folder / "egressd.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    environ = ("env", f"HTTPS_PROXY={PROXY}", f"NO_PROXY=.corp.example,{host('beside')}:443")
    plan = " ".join(_egressd(network, environ, "plan", path).split())
    assert f"TLS through {PROXY} (HTTPS_PROXY) unless bypassed, the rest direct" in plan
    assert f"https://{HEALTHY}:443" in plan
    rest = plan.partition(f"https://{host('beside')}")[2]
    assert f"default direct ({host('beside')}:443)" in rest.partition("://")[0]
    report = json.loads(_egressd(network, environ, "--once", path, "--format", "json"))
    paths = {one["host"]: {trail["path"] for trail in one["trails"]} for one in report["targets"]}
    assert paths == {HEALTHY: {PROXY}, host("beside"): {"direct"}, host("seen"): {"direct"}}


def _egressd(network: Network, environ: tuple[str, ...], command: str, path: Path, *flags: str) -> str:
    words = (sys.executable, "-m", "egressd", command, f"--config.file={path}", *flags)
    done = network.client.attempt(*environ, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_discovery_goes_through_the_proxy(network: Network) -> None:
    """The request that expands a wildcard takes the same path as the probe of its host."""
    folder = pki_folder(network)
    root = authority("Example Public Root 2", organization="Example Trust Services")
    leaf(folder, "gns", LeafSpec(issuer=root, names=(GNS, "*.servicebus.windows.net")))
    (folder / "root.pem").write_bytes(root.pem())
    listed = """return 200 '["azgnrelay-weu-l1.servicebus.windows.net"]';"""
    nginx(network.server, https_server(folder=folder, certificate="gns", answer=listed), http_server())
    unbound(network.server, records=(f"{HEALTHY}. 300 IN A 203.0.113.10",))
    hosts = network.firewall.folder / "names"
    hosts.write_text(f"203.0.113.20 {GNS} azgnrelay-weu-l1.servicebus.windows.net\n", encoding="utf-8")
    squid(network.firewall, f"http_port 3128\nhosts_file {hosts}\nhttp_access allow all")
    config = {
        "region": "westeurope",
        "profiles": ["resource-bridge"],
        "resolvers": ["127.0.0.1"],
        "trust": {
            "store": str(folder / "root.pem"),
            "public_roots": str(folder / "root.pem"),
            "public_networks": list(PUBLIC_NETWORKS),
        },
        "proxy": {"url": PROXY},
        "probe": {"families": ["ipv4"], "dns_timeout": "1s", "connect_timeout": "2s", "deadline": "6s"},
    }
    run = sweep(network, config, "--only", GNS, "--only", "*.servicebus.windows.net")
    found = [one for one in run.report["targets"] if one["sample"]["kind"] == "discovered"]
    assert "azgnrelay-weu-l1.servicebus.windows.net" in {one["host"] for one in found}, run.report["plan"]
    assert {trail["path"] for one in found for trail in one["trails"]} == {PROXY}

"""The files of config/fleet, and the list of series that they keep."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import trustme
import yaml

from tests.prometheus.conftest import CONFIG, RULES

FLEET = CONFIG / "fleet"
AGENT, CENTRAL = "prometheus-site-agent", "prometheus-central"
PASSWORD = "a password of the test"
PASSWORDS = ("fleet-password", "egressd-password")
Relabel = dict[str, Any]


def document(name: str) -> Any:
    """Return a file of the folder as YAML."""
    return yaml.safe_load((FLEET / name).read_text(encoding="utf-8"))


def collector_job() -> dict[str, Any]:
    """Return the scrape job of the OpenTelemetry collector."""
    (job,) = document("otel-collector.yml")["receivers"]["prometheus"]["config"]["scrape_configs"]
    return dict(job)


def keep_lists() -> dict[str, list[Relabel]]:
    """Return the rules by which each file keeps series."""
    (remote,) = document(f"{AGENT}.yml")["remote_write"]
    (central,) = document(f"{CENTRAL}.yml")["scrape_configs"]
    return {
        AGENT: remote["write_relabel_configs"],
        CENTRAL: central["metric_relabel_configs"],
        "otel-collector": collector_job()["metric_relabel_configs"],
    }


def kept_names() -> set[str]:
    """Return the names of the list."""
    (rule,) = keep_lists()[AGENT]
    listed = re.fullmatch(r"\(up\|egressd_\((.+)\)\);\|egressd_target_outcome;unknown", rule["regex"])
    assert listed is not None
    return {"up", "egressd_target_outcome", *(f"egressd_{name}" for name in listed[1].split("|"))}


def is_kept(name: str, outcome: str = "") -> bool:
    """Whether the fleet keeps a series, as Prometheus decides: the pattern matches the whole text."""
    (rule,) = keep_lists()[AGENT]
    return re.fullmatch(rule["regex"], f"{name};{outcome}") is not None


def flags(name: str) -> list[str]:
    """Return the flags with which the systemd drop-in starts Prometheus."""
    text = (FLEET / f"{name}.conf").read_text(encoding="utf-8").replace("\\\n", " ")
    *_, command = re.findall(r"^ExecStart=(/.+)$", text, re.MULTILINE)
    return shlex.split(command)[1:]


def install(folder: Path) -> trustme.CA:
    """Put the files into a folder as README.md has them in /etc/prometheus, with a certificate for loopback.

    Paths in them lead to that folder. Return the authority of the certificate.
    """
    for path in (*FLEET.glob("*.yml"), *RULES):
        text = path.read_text(encoding="utf-8").replace("/etc/prometheus/", f"{folder}/")
        (folder / path.name).write_text(text, encoding="utf-8")
    for name in PASSWORDS:
        (folder / name).write_text(PASSWORD, encoding="utf-8")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "fleet-ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "fleet.key")
    issued.cert_chain_pems[0].write_to_path(folder / "fleet.pem")
    return authority

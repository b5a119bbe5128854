"""Runs of the egressd command line in the client's namespace, and their reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.net.programs import pki_folder
from tests.net.topology import PUBLIC_NETWORKS, RESOLVER, Host, Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The exit code, stderr and report of a run."""

    code: int
    stderr: str
    report: dict[str, Any]

    def target(self, host: str, port: int | None = None) -> dict[str, Any]:
        """Return the report of one host's target."""
        return next(
            one for one in self.report["targets"] if one["host"] == host and port in (None, one["port"])
        )

    def reasons(self) -> list[str]:
        """Return the reasons of the findings, in the report's order."""
        return [one["reason"] for one in self.report["findings"]]


def endpoint(host: str, **more: Any) -> dict[str, Any]:
    """Return an endpoint of the configuration: https on 443 by default."""
    port = more.get("port", 443)
    return {
        "id": f"{host.replace('.', '-')}-{port}",
        "service": "Lab",
        "host": host,
        "port": port,
        "protocol": "http" if port == 80 else "https",
        "roles": ["machine"],
        **more,
    }


def settings(network: Network, *endpoints: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a configuration that probes these endpoints only, with timeouts fit for a lab."""
    folder = pki_folder(network)
    return {
        "profiles": [],
        "resolvers": [RESOLVER],
        "trust": {
            "store": str(folder / "public.pem"),
            "public_roots": str(folder / "public.pem"),
            "public_networks": list(PUBLIC_NETWORKS),
        },
        "endpoints": list(endpoints),
        **more,
        "probe": {
            "families": ["ipv4"],
            "dns_timeout": "1s",
            "connect_timeout": "2s",
            "tls_timeout": "3s",
            "deadline": "8s",
            **more.get("probe", {}),
        },
    }


def sweep(
    network: Network,
    config: dict[str, Any],
    *arguments: str,
    on: Host | None = None,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Run `egressd --once` with a configuration, from the client by default."""
    host = on or network.client
    path = host.folder / "egressd.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    words = ("--once", f"--config.file={path}", "--format", "json", *arguments)
    done = host.egressd(*words, environment=environment)
    assert done.stdout, done.stderr
    return Run(code=done.returncode, stderr=done.stderr, report=json.loads(done.stdout))

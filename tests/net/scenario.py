"""Scenarios: a network with deliberate faults, and the verdicts and findings that egressd must report.

A *world* is built once and swept once; each of its *rows* is one named scenario: a target and its outcome,
reason, blame and least confidence. Beside every broken target a healthy one must stay `ok`, unless the world
has `healthy=False`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from egressd.model.verdict import Confidence
from tests.net.programs import http_server, https_server, issuer_location, nginx, pki_folder, unbound
from tests.net.run_egressd import Run, endpoint, settings, sweep
from tests.net.topology import Network, temporary_network
from tests.servers.certificates import ZONE

HEALTHY = f"healthy.{ZONE}"
HEALTHY_ADDRESS = "203.0.113.10"
LEVELS = tuple(Confidence)
FAILED = ("blocked", "down")


def host(label: str) -> str:
    """Return a name of the zone."""
    return f"{label}.{ZONE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One scenario: the expected verdict of one target, or an expected finding."""

    name: str
    host: str = ""
    """A label of the zone, or a name with dots. Empty: the row is about a finding only."""
    port: int = 443
    outcome: str = "blocked"
    reason: str = ""
    blame: str = ""
    least: Confidence = Confidence.LOW
    """The lowest confidence in the reason that is allowed."""
    most: Confidence = Confidence.CONFIRMED
    """The highest confidence in the blame that is allowed, where the evidence does not support more."""
    also: str = ""
    """A code that must be among `also` or the flags."""
    finding: str = ""
    """The reason of a finding that the report must have."""
    says: str = ""
    """Text that the finding must contain."""
    why: str = ""
    """Why the expectation is what it is, where that is not plain."""

    def mismatches(self, run: Run) -> list[str]:
        """Return how the report differs from the expectation."""
        found = []
        if self.finding and self.finding not in run.reasons():
            found.append(f"findings are {run.reasons()}, without {self.finding}")
        matching = [one for one in run.report["findings"] if one["reason"] == self.finding]
        if self.says and self.says not in json.dumps(matching):
            found.append(f"the finding does not say {self.says!r}: {matching}")
        if self.host:
            found += self._target_mismatches(run.target(self.full_name, self.port))
        return found

    @property
    def full_name(self) -> str:
        """The host name with its zone."""
        return self.host if self.host.endswith((".example", ".com", ".net")) else host(self.host)

    def _target_mismatches(self, target: dict[str, Any]) -> list[str]:
        target = target | {"blame": far_end(target["blame"])}
        shown = ("outcome", "reason", "blame", "confidence", "blame_confidence", "also", "flags")
        actual = {key: target[key] for key in shown}
        expected = {"outcome": self.outcome, "reason": self.reason or None}
        if self.blame:
            expected["blame"] = self.blame
        wrong = [f"{key} is {target[key]}" for key, value in expected.items() if target[key] != value]
        if self.also and self.also not in (*target["also"], *target["flags"]):
            wrong.append(f"no {self.also} beside it")
        if self.reason and not wrong:
            level = LEVELS.index(Confidence(target["confidence"]))
            if level > LEVELS.index(self.least):
                wrong.append(f"confidence is below {self.least}")
            if LEVELS.index(Confidence(target["blame_confidence"])) < LEVELS.index(self.most):
                wrong.append(f"confidence in the blame is above {self.most}")
        return [f"{'; '.join(wrong)} - {actual}"] if wrong else []


def far_end(blame: str | None) -> str | None:
    """Name the far end as a catalog row does: the endpoints of the worlds stand for Azure's."""
    return "azure_service" if blame == "endpoint_owner" else blame


def row(name: str, expected: str = "- - - - -", **more: str) -> Row:
    """Build a row; `expected` is `label[:port] outcome reason blame least[..most]`, a lone `-` is nothing.

    `more` are the row's further fields: `also`, `finding`, `says`, `why`.
    """
    label, outcome, reason, blame, sure = (one if one != "-" else "" for one in expected.split())
    label, _, port = label.partition(":")
    least, _, most = sure.partition("..")
    return Row(
        name=name,
        host=label,
        port=int(port or 443),
        outcome=outcome,
        reason=reason,
        blame=blame,
        least=Confidence(least or "inconclusive"),
        most=Confidence(most or "confirmed"),
        **more,
    )


def _describe(target: dict[str, Any]) -> str:
    name = f"{target['host']}:{target['port']}"
    return f"{name} is {target['outcome']}: {target['reason']}, {target['confidence']}"


Config = dict[str, Any]
"""The configuration to sweep with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A network with faults, swept once."""

    name: str
    build: Callable[[Network], Config]
    rows: tuple[Row, ...]
    healthy: bool = True
    """Whether the healthy target must be ok."""
    arguments: tuple[str, ...] = ()
    """Flags of the command line besides the configuration."""
    environment: Mapping[str, str] | None = None
    """Further variables for egressd."""
    harmless: bool = False
    """Whether no target may be blocked or down: faults here are random."""

    def mismatches(self, run: Run) -> list[str]:
        """Return how the report as a whole differs from the expectation."""
        bad = [_describe(one) for one in run.report["targets"] if one["outcome"] in FAILED]
        found = (
            list(bad) if self.harmless else self._unexpected_failures(run)
        )  # random faults can't be listed
        if self.healthy:
            one = run.target(HEALTHY, 443)
            found += [f"the healthy target: {one['reason']}"] if one["outcome"] != "ok" else []
        if bad and run.code != 1:
            found.append(f"exit code {run.code}")
        return found + (["a traceback on stderr"] if "Traceback" in run.stderr else [])

    def _unexpected_failures(self, run: Run) -> list[str]:
        """Return failing targets, confirmed reasons and findings that no row expects.

        A target that failed, or has a confirmed reason, must have a row or be in an expected finding. The
        reason of every finding must be one that a row names.
        """
        explained = {code for one in self.rows for code in (one.reason, one.also, one.finding)}
        named = {(one.full_name, one.port) for one in self.rows if one.host}
        expected = {one.finding for one in self.rows if one.finding}
        findings = run.report["findings"]
        covered = {target for one in findings if one["reason"] in expected for target in one["targets"]}
        return [
            f"{_describe(one)}, which no row expects"
            for one in run.report["targets"]
            if one["outcome"] in FAILED or (one["reason"] and one["confidence"] == "confirmed")
            if (one["host"], one["port"]) not in named and one["id"] not in covered
        ] + [f"an unexpected finding: {one['id']}" for one in findings if one["reason"] not in explained]

    def sweep(self) -> Run:
        """Build the network, sweep it once, and remove it."""
        with temporary_network() as network:
            return sweep(network, self.build(network), *self.arguments, environment=self.environment)


PORTAL = "login.portal.example"
"""A login page that redirects may lead to; `PORTAL_RECORD` lets the resolver know it."""
PORTAL_RECORD = (f"local-data: '{PORTAL}. 300 IN A {HEALTHY_ADDRESS}'",)


def start_services(
    network: Network,
    addresses: dict[str, str],
    *,
    server: tuple[str, ...] = (),
    more: str = "",
    sites: tuple[str, ...] = (),
    **options: Any,
) -> Config:
    """Start a resolver and a web server; return a configuration for a healthy name and these labels.

    A label stands for a name of the zone, or for name and port (`pki:80`); its addresses are separated by
    blanks; with none, the resolver's options decide the answer.
    """
    records = []
    endpoints = [endpoint(HEALTHY)]
    known = {"healthy": HEALTHY_ADDRESS}
    if "pki:80" not in addresses:
        known["pki"] = HEALTHY_ADDRESS
    for label, some in {**known, **addresses}.items():
        name, _, port = label.partition(":")
        if label in addresses:
            endpoints.append(endpoint(host(name), port=int(port or 443)))
        kinds = ((one, "AAAA" if ":" in one else "A") for one in some.split())
        records += [f"{host(name)}. 300 IN {kind} {one}" for one, kind in kinds]
    unbound(network.server, records=dict.fromkeys(records), server=server, more=more)
    nginx(
        network.server,
        https_server(folder=pki_folder(network)),
        http_server(options=issuer_location(network)),
        *sites,
    )
    return settings(network, *endpoints, **options)

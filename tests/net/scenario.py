"""What a scenario is: a network somebody broke on purpose, and what must be said of it.

A *world* is built once and swept once; each of its *rows* is one named scenario: a target and its outcome,
reason, blame and least confidence. Beside every broken target a healthy one must stay `ok`, unless the world
says that nothing can be healthy in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from egressd.model.verdict import Confidence
from tests.net.programs import issuer, nginx, pki_folder, plain, unbound, web
from tests.net.sweeping import Run, endpoint, settings, sweep
from tests.net.topology import Network, made
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
    """One scenario: what must be said of one target, or of the whole path."""

    name: str
    host: str = ""
    """A label of the zone, or a name with dots. Empty: the row is about a finding only."""
    port: int = 443
    outcome: str = "blocked"
    reason: str = ""
    blame: str = ""
    least: Confidence = Confidence.LOW
    """What confidence must reach."""
    most: Confidence = Confidence.CONFIRMED
    """What it must not exceed, where the facts do not allow more."""
    also: str = ""
    """A code that must stand beside the reason, or be a flag."""
    finding: str = ""
    """The reason of a finding that must be there."""
    says: str = ""
    """Words that the finding must hold."""
    why: str = ""
    """What a reader may wonder about."""

    def complaints(self, run: Run) -> list[str]:
        """Return what differs from the expectation."""
        found = []
        if self.finding and self.finding not in run.reasons():
            found.append(f"findings are {run.reasons()}, without {self.finding}")
        told = [one for one in run.report["findings"] if one["reason"] == self.finding]
        if self.says and self.says not in json.dumps(told):
            found.append(f"the finding does not say {self.says!r}: {told}")
        if self.host:
            found += self._about(run.target(self.name_of_host, self.port))
        return found

    @property
    def name_of_host(self) -> str:
        """The name the row is about, in full."""
        return self.host if self.host.endswith(".example") else host(self.host)

    def _about(self, target: dict[str, Any]) -> list[str]:
        said = {key: target[key] for key in ("outcome", "reason", "blame", "confidence", "also", "flags")}
        wanted = {"outcome": self.outcome, "reason": self.reason or None}
        if self.blame:
            wanted["blame"] = self.blame
        wrong = [f"{key} is {target[key]}" for key, value in wanted.items() if target[key] != value]
        if self.also and self.also not in (*target["also"], *target["flags"]):
            wrong.append(f"no {self.also} beside it")
        if self.reason and not wrong:
            level = LEVELS.index(Confidence(target["confidence"]))
            if level > LEVELS.index(self.least):
                wrong.append(f"less sure than {self.least}")
            if level < LEVELS.index(self.most):
                wrong.append(f"surer than {self.most}")
        return [f"{'; '.join(wrong)} - {said}"] if wrong else []


def row(name: str, said: str = "- - - - -", **more: str) -> Row:
    """Build a row; `said` is `label[:port] outcome reason blame least[..most]`, a lone `-` is nothing.

    `more` are the row's further fields: `also`, `finding`, `says`, `why`.
    """
    label, outcome, reason, blame, sure = (one if one != "-" else "" for one in said.split())
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


def _said(target: dict[str, Any]) -> str:
    name = f"{target['host']}:{target['port']}"
    return f"{name} is {target['outcome']}: {target['reason']}, {target['confidence']}"


Built = dict[str, Any]
"""The configuration to sweep with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A network and what is done to it."""

    name: str
    build: Callable[[Network], Built]
    rows: tuple[Row, ...]
    healthy: bool = True
    """Whether the healthy target must be ok."""
    arguments: tuple[str, ...] = ()
    """Flags of the command line besides the configuration."""
    environment: Mapping[str, str] | None = None
    """Further variables for egressd."""
    harmless: bool = False
    """Whether no target may be called blocked or down: what fails here, fails by chance."""

    def complaints(self, run: Run) -> list[str]:
        """Return what is wrong with the report as a whole."""
        bad = [_said(one) for one in run.report["targets"] if one["outcome"] in FAILED]
        found = list(bad) if self.harmless else self._unbuilt(run)  # what chance breaks, nobody can list
        if self.healthy:
            one = run.target(HEALTHY, 443)
            found += [f"the healthy target: {one['reason']}"] if one["outcome"] != "ok" else []
        if bad and run.code != 1:
            found.append(f"exit code {run.code}")
        return found + (["a traceback on stderr"] if "Traceback" in run.stderr else [])

    def _unbuilt(self, run: Run) -> list[str]:
        """Return what is said and was never built: of all mistakes the worst.

        A target that failed, or that something is confirmed of, has a row that says what it must be, or is
        one of those that an expected finding is about. Every finding is expected by a row, or is about what
        rows say of single targets.
        """
        told = {code for one in self.rows for code in (one.reason, one.also, one.finding)}
        named = {(one.name_of_host, one.port) for one in self.rows if one.host}
        expected = {one.finding for one in self.rows if one.finding}
        findings = run.report["findings"]
        covered = {target for one in findings if one["reason"] in expected for target in one["targets"]}
        return [
            f"{_said(one)}, which nobody built"
            for one in run.report["targets"]
            if one["outcome"] in FAILED or (one["reason"] and one["confidence"] == "confirmed")
            if (one["host"], one["port"]) not in named and one["id"] not in covered
        ] + [f"a finding nobody built: {one['id']}" for one in findings if one["reason"] not in told]

    def sweep(self) -> Run:
        """Build the network, sweep it once, and give it back."""
        with made() as network:
            return sweep(network, self.build(network), *self.arguments, environment=self.environment)


def town(
    network: Network,
    addresses: dict[str, str],
    *,
    server: tuple[str, ...] = (),
    more: str = "",
    sites: tuple[str, ...] = (),
    **options: Any,
) -> Built:
    """Start a resolver and a web server; return a configuration for a healthy name and these labels.

    A label stands for a name of the zone, or for name and port (`pki:80`); its addresses are separated by
    blanks, none means that the resolver's own options say what becomes of it.
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
    nginx(network.server, web(folder=pki_folder(network)), plain(options=issuer(network)), *sites)
    return settings(network, *endpoints, **options)

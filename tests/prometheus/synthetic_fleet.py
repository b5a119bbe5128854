"""A small fleet as series for promtool, one site in each state, to ask a dashboard what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from egressd.model.verdict import Outcome

MINUTES = 120
"""How long the fleet is seen, with a sample each minute; the last is at `MINUTES`."""
SERVICES = {
    "login": "login.microsoftonline.com",
    "arm": "management.azure.com",
    "mcr": "mcr.microsoft.com",
    "his": "gbl.his.arc.azure.com",
    "dp": "westeurope.dp.kubernetesconfiguration.azure.com",
    "gas": "gas.his.arc.azure.com",
    "pas": "pas.windows.net",
    "vmm": "vmm01.corp.example",
    "logs": "logs.corp.example",
}
EVERYWHERE = ("login", "arm", "mcr", "dp", "gas", "pas")
OPTIONAL = frozenset({"logs"})


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A target that fails from a minute on."""

    reason: str
    blame: str
    since: int

    @property
    def phase(self) -> str:
        """The prefix of the reason."""
        return self.reason.partition("_")[0]


@dataclass(frozen=True, kw_only=True)
class Host:
    """One egressd of the fleet: what it probes besides `EVERYWHERE`, and what befalls it in which minute."""

    site: str
    targets: tuple[str, ...] = ()
    instance: str = ""
    failing: Mapping[str, Failure] = field(default_factory=dict)
    unknown: bool = False
    maintenance_from: int = MINUTES + 1
    silent_from: int = MINUTES + 1
    coordinates: str = ""
    outcomes: tuple[Outcome, ...] = (Outcome.UNKNOWN,)
    """The outcomes that have series: the centre of a fleet keeps one, a Prometheus beside egressd all."""

    def series(self) -> Iterator[dict[str, str]]:
        """Yield what its egressd exposes and Prometheus adds."""
        own = f'job="egressd", instance="{self.instance or self.site}"'
        yield self._one("up", own, lambda _: 1)
        yield self._one("egressd_site_info", f'{own}, site="{self.site}"{self.coordinates}', lambda _: 1)
        yield self._one("egressd_build_info", f'{own}, version="0.1.0"', lambda _: 1)
        yield self._one("egressd_sweep_interval_seconds", own, lambda _: 60)
        yield self._one("egressd_sweep_last_completed_timestamp_seconds", own, lambda at: at * 60 - 20)
        yield self._one("egressd_maintenance_active", own, lambda at: int(at >= self.maintenance_from))
        for name in (*EVERYWHERE, *self.targets):
            yield from self._target(name, f'{own}, target="{name}"')

    def _target(self, name: str, own: str) -> Iterator[dict[str, str]]:
        need = "optional" if name in OPTIONAL else "required"
        attributes = (
            f'endpoint="{name}", service="{name}", host="{SERVICES[name]}", port="443", protocol="https"'
        )
        yield self._one(
            "egressd_target_info", f'{own}, {attributes}, need="{need}", profiles=""', lambda _: 1
        )
        seen = f'{own}, source="default"'
        failure = self.failing.get(name)
        for outcome in self.outcomes:
            labels = f'{seen}, egressd_target_outcome="{outcome}"'
            yield self._one("egressd_target_outcome", labels, partial(self._is, failure, outcome))
        yield self._one(
            "egressd_target_up",
            seen,
            lambda at: int(failure is None or at < failure.since) * (not self.unknown),
        )
        if failure is not None:
            since = failure.since
            why = f'{seen}, phase="{failure.phase}", reason="{failure.reason}", blame="{failure.blame}"'
            yield self._one("egressd_target_failure", why, lambda at: 1 if at >= since else None)
            yield self._one(
                "egressd_target_failing_since_timestamp_seconds",
                seen,
                lambda at: since * 60 if at >= since else None,
            )

    def _is(self, failure: Failure | None, outcome: Outcome, at: int) -> int:
        fails = failure is not None and at >= failure.since
        found = Outcome.UNKNOWN if self.unknown else Outcome.BLOCKED if fails else Outcome.OK
        return int(outcome is found)

    def _one(self, name: str, labels: str, value: Callable[[int], float | None]) -> dict[str, str]:
        values = (value(at) if at < self.silent_from else None for at in range(MINUTES + 1))
        return {
            "series": f"{name}{{{labels}}}",
            "values": " ".join("_" if one is None else str(one) for one in values),
        }


def failure(reason: str, blame: str, *, since: int) -> Failure:
    """A failure from a minute on."""
    return Failure(reason=reason, blame=blame, since=since)


FLEET_HOSTS = (
    Host(
        site="oslo-1",
        instance="oslo-a",
        targets=("logs",),
        failing={"logs": failure("tcp_timeout", "firewall_l3l4", since=20)},
        coordinates=', latitude="59.9", longitude="10.7"',
    ),
    Host(site="oslo-1", instance="oslo-b"),
    Host(
        site="bergen-1",
        failing={"mcr": failure("tls_reset_after_hello", "firewall_l7", since=40)},
        outcomes=tuple(Outcome),
    ),
    Host(
        site="stavanger-1",
        targets=("his",),
        failing={"his": failure("tcp_timeout", "azure_service", since=90)},
    ),
    Host(
        site="tromso-1", targets=("his",), failing={"his": failure("tcp_timeout", "azure_service", since=91)}
    ),
    Host(
        site="trondheim-1",
        targets=("his",),
        failing={"his": failure("tcp_timeout", "azure_service", since=92)},
    ),
    Host(site="bodo-1", failing={"arm": failure("tcp_refused", "firewall_l3l4", since=30)}),
    Host(site="narvik-1", failing={"arm": failure("tcp_refused", "firewall_l3l4", since=75)}),
    Host(
        site="hamar-1",
        failing={
            name: failure("tcp_timeout", "local_gateway", since=60) for name in ("login", "arm", "mcr", "dp")
        },
    ),
    Host(
        site="skien-1", targets=("vmm",), failing={"vmm": failure("tcp_refused", "endpoint_owner", since=110)}
    ),
    Host(
        site="hitra-1",
        maintenance_from=100,
        failing={"mcr": failure("tcp_timeout", "firewall_l3l4", since=105)},
    ),
    Host(site="molde-1", silent_from=80, coordinates=', latitude="62.7", longitude="7.2"'),
    Host(site="gjovik-1", unknown=True),
)
"""A site in each state; oslo-1 has two hosts."""

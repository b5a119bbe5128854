"""blackbox_exporter's prober tests: what is probed in each, and what is right.

A status is an answer, unless the endpoint expects another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.foreign.expectation import FAILED, FIREWALLS, IN_DNS, ON_THE_PATH, SERVER, Row, at_most, ok, row


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A row with what is special about its endpoint."""

    row: Row
    scenario: str
    """The test of theirs that it is from; several rows may be."""
    port: int = 80
    more: dict[str, Any] = field(default_factory=dict)
    """Further keys of the endpoint."""


def _http(one: Row, *, scenario: str = "", status: tuple[int, ...] = ()) -> Probed:
    expect = {"expect": {"status": list(status)}} if status else {}
    return Probed(row=one, scenario=scenario or one.name, more=expect)


def _tcp(one: Row, port: int) -> Probed:
    return Probed(row=one, scenario=one.name, port=port, more={"protocol": "tcp"})


def _tls(one: Row, *, protocol: str = "https") -> Probed:
    return Probed(row=one, scenario=one.name, port=443, more={"protocol": protocol})


def _dns(one: Row) -> Probed:
    return Probed(row=one, scenario=one.name, port=53, more={"protocol": "dns"})


def _not_in_list(name: str) -> Row:
    return row(name, "down", "http_unexpected_status", SERVER)


def _closed(name: str) -> Row:
    return row(name, FAILED, "tcp_refused", SERVER, bounds=at_most("medium", *FIREWALLS, "local_host"))


def _not_tls(name: str) -> Row:
    return row(name, FAILED, "tls_not_tls", SERVER, bounds=at_most("medium", *ON_THE_PATH))


def _expiring(name: str) -> Row:
    return row(name, "degraded", "tls_cert_expiring", SERVER)


STATUSES = (
    _http(ok("status-200-any"), scenario="statuses"),
    _http(ok("status-201-any"), scenario="statuses"),
    _http(ok("status-299-any"), scenario="statuses"),
    _http(ok("status-300-any"), scenario="statuses"),
    _http(ok("status-404-any"), scenario="statuses"),
    _http(ok("status-404-200-404"), scenario="statuses-listed", status=(200, 404)),
    _http(ok("status-200-200-404"), scenario="statuses-listed", status=(200, 404)),
    _http(_not_in_list("status-201-200-404"), scenario="statuses-listed", status=(200, 404)),
    _http(ok("status-404-404"), scenario="statuses-listed", status=(404,)),
    _http(_not_in_list("status-200-404"), scenario="statuses-listed", status=(404,)),
)
BODIES = tuple(
    _http(ok(name))
    for name in ("cl-identity", "cl-none", "cl-unknown", "cl-gzip", "cl-deflate", "cl-404", "nocl-close")
)
REDIRECTS = (
    _http(ok("redirect")),
    _http(ok("redirect-loop")),
    _http(
        row(
            "redirect-https-other",
            "ok degraded blocked",
            "- http_captive_portal",
            ("",),
            bounds=at_most("medium", *SERVER, *ON_THE_PATH),
            most="medium",
        )
    ),
    _http(ok("redirect-https-same")),
    _http(ok("basic-auth")),
)
TCP = (
    _tcp(ok("tcp-close"), 7),
    _tcp(ok("tcp-irc"), 6667),
    _tcp(ok("tcp-ssh"), 22),
    _tcp(ok("tcp-smtp"), 25),
    _tcp(ok("tcp-silent"), 9),
    _tcp(ok("tcp-bytes"), 19),
    _tcp(_closed("tcp-noport"), 2525),
    Probed(row=_closed("grpc-absent"), scenario="grpc-absent", port=443, more={"protocol": "tls"}),
)
NOT_TLS = (
    _tls(_not_tls("tls-smtp"), protocol="tls"),
    _tls(_not_tls("tls-grpcplain"), protocol="tls"),
    _tls(
        row("tls-close", FAILED, "tls_fin_after_hello tls_reset_after_hello", most_blame="medium"),
        protocol="tls",
    ),
)
IN_TLS = (
    _tls(ok("wss-ok"), protocol="wss"),
    _tls(
        row(
            "wss-not",
            FAILED,
            "http_websocket_blocked http_unexpected_status",
            SERVER,
        ),
        protocol="wss",
    ),
    _tls(row("https-selfsigned", FAILED, "tls_self_signed", most_blame="high")),
    _tls(
        row(
            "https-trustedself",
            "ok degraded",
            blames=("", *SERVER),
            bounds=at_most("high", "tls_inspection"),
        )
    ),
    _tls(row("https-wrongname", FAILED, "tls_hostname_mismatch", SERVER, bounds=at_most("low", *IN_DNS))),
    _tls(_expiring("https-2days")),
    _tls(row("https-nohttp", FAILED, "http_not_http", SERVER)),
    _tls(row("https-eof", FAILED, "http_reset_after_request", most_blame="low")),
    _tls(_expiring("tls-2days"), protocol="tls"),
)
DNS = (
    _dns(ok("dns-1")),
    _dns(row("dns-2", "down", "dns_servfail", ("dns_resolver",))),
    _dns(row("dns-3", FAILED, "dns_refused_client", ("dns_resolver",))),
    _dns(
        row(
            "dns-4",
            "degraded blocked",
            never="dns_no_listener",
            blames=("dns_resolver", "firewall_l3l4"),
        )
    ),
    _dns(
        row(
            "dns-7",
            FAILED,
            "dns_name_absent dns_nxdomain_filtered",
            most="medium",
            most_blame="medium",
        )
    ),
)
PROBED = (*STATUSES, *BODIES, *REDIRECTS, *TCP, *NOT_TLS, *IN_TLS, *DNS)
ROWS: tuple[Row, ...] = tuple(one.row for one in PROBED)
SCENARIO = {one.row.name: one.scenario for one in PROBED}

"""The table of reason codes: complete, consistent, and with field names that exist."""

from __future__ import annotations

import re
import string
import types
import typing
from collections import Counter
from collections.abc import Iterator

import pytest
from msgspec import Struct

from egressd.attribution.advice import advise, values_of
from egressd.attribution.blame.suspects import DECIDED_BY
from egressd.attribution.certainty import SILENCE
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.reasons import (
    ALERTS,
    CHAPTERS,
    PLACEHOLDERS,
    REASONS,
    Reason,
    alert_code,
    fill_template,
    find_reason,
)
from egressd.attribution.rules.certainties import certainty_text
from egressd.model.observation import (
    DnsObservation,
    Failure,
    HttpObservation,
    NtpObservation,
    Phase,
    ProxyObservation,
    TcpObservation,
    TlsObservation,
)
from egressd.model.plan import ControlKind, Target
from egressd.model.recording import ProbeRecord, Recording, Trail, Vantage
from egressd.model.verdict import Blame, Outcome
from tests.attribution.recordings import Site, dns, tcp, tls, trail

EVERY = pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS.keys())

CODE = re.compile(r"[a-z][a-z0-9_]+")

PREFIXES = ("local", "dns", "tcp", "proxy", "tls", "pki", "http", "service", "path", "nat", "ntp", "site")
OWN = {"internal_error", "not_probed"}

TAXONOMY = """
local_no_route local_unreachable_route local_prohibit_route local_blackhole_route local_gateway_dead
local_firewall_reject local_firewall_drop_udp local_firewall_drop_tcp local_source_invalid
local_resource_exhausted local_clock_skew local_trust_store_incomplete local_proxy_config_mismatch
dns_resolver_unreachable dns_no_listener dns_admin_prohibited dns_refused_client dns_refused_name
dns_nxdomain_filtered dns_name_absent dns_nodata_filtered dns_servfail dns_dropped_name
dns_sinkhole_known dns_null_answer dns_bogon_answer dns_private_link dns_private_link_unreachable
dns_private_link_split dns_private_zone_missing_record dns_unexpected_address
dns_address_outside_service_tag dns_transparent_proxy dns_nxdomain_rewritten dns_tcp_blocked
dns_edns_or_fragment_dropped dns_edns_unsupported dns_dns64_synthesized dns_aaaa_broken
dns_local_override dns_intermittent dns_not_required dns_malformed dns_name_invalid dns_no_resolver
tcp_egress_all_blocked tcp_ip_blocked_silent tcp_port_blocked tcp_refused tcp_refused_by_middlebox
tcp_refused_icmp_port tcp_admin_prohibited tcp_unreachable tcp_routing_loop tcp_reset_after_accept
tcp_accept_all tcp_synproxy_stall tcp_ipv6_broken tcp_ipv4_broken tcp_some_ips_blocked
tcp_fqdn_rule_stale_ip tcp_rate_limited tcp_idle_session_dropped path_loss nat_ports_exhausted
proxy_name_unresolvable proxy_unreachable proxy_not_connect_capable proxy_auth_required
proxy_auth_rejected proxy_auth_unsupported proxy_certificate_untrusted
proxy_denied proxy_port_denied proxy_upstream_refused proxy_upstream_timeout
proxy_upstream_unreachable proxy_upstream_dns_failed proxy_upstream_error proxy_tunnel_closed_on_sni
proxy_block_page_in_tunnel proxy_origin_untrusted proxy_tunnel_stall proxy_breaks_path proxy_required
tls_sni_reset tls_reset_after_hello tls_sni_dropped tls_all_hellos_dropped tls_stall_after_hello
tls_pmtu_blackhole_inbound tls_pmtu_blackhole_outbound tls_large_hello_intolerant
tls_sni_position_intolerant tls_no_sni_denied tls_fin_after_hello tls_plaintext_block_page tls_not_tls
tls_partial_then_stall tls_partial_then_fin tls_partial_then_reset tls_protocol_error
tls_mitm_untrusted tls_mitm_trusted tls_mitm_block_page tls_mitm_origin_untrusted tls_mitm_partial
tls_hostname_mismatch tls_cert_expired tls_mitm_cert_expired tls_cert_not_yet_valid
tls_incomplete_chain tls_self_signed tls_weak_certificate tls_strict_profile_only tls_cert_without_san
tls_cert_expiring tls_version_downgraded tls_alpn_stripped tls_client_cert_required
tls_alert_unrecognized_name tls_alert_handshake_failure tls_alert_protocol_version
tls_alert_access_denied tls_alert_internal_error tls_alert_inappropriate_fallback
tls_alert_insufficient_security tls_alert_close_notify
pki_revocation_unreachable pki_revocation_tampered http_h2_broken
service_reachable_http service_public_access_denied http_block_page http_azure_firewall_denied
http_captive_portal http_transparent_proxy_auth http_transparent_proxy_present http_content_replaced
http_truncated http_range_blocked http_stale_cache http_websocket_blocked http_reset_after_request
http_unexpected_status http_content_unexpected http_not_http http_no_answer http_headers_too_large
http_slow_download ntp_no_answer ntp_refused ntp_kiss_of_death ntp_unsynchronized
site_requires_proxy site_suffix_rule_missing site_wildcard_rule_incomplete site_service_tag_incomplete
site_port80_blocked site_inspection_exemption_incomplete site_outage site_change_correlated
internal_error not_probed
"""

INFORMATIONAL = {
    "dns_private_link",
    "dns_address_outside_service_tag",
    "dns_dns64_synthesized",
    "dns_not_required",
    "tcp_accept_all",
    "proxy_required",
    "tls_no_sni_denied",
    "tls_strict_profile_only",
    "tls_client_cert_required",
    "service_reachable_http",
    "http_transparent_proxy_present",
    "http_redirect_dead_end",
}

PLACES: dict[str, type] = {
    "dns": DnsObservation,
    "tcp": TcpObservation,
    "proxy": ProxyObservation,
    "tls": TlsObservation,
    "http": HttpObservation,
    "ntp": NtpObservation,
    "target": Target,
    "trails": Trail,
    "record": ProbeRecord,
    "run": Recording,
    "vantage": Vantage,
}


V6, V6_RESOLVER = "2001:db8::10", "2001:db8::53"


def v6_trail() -> TrailContext:
    """Return a trail whose ClientHello to an IPv6 address was reset."""
    site = Site()
    site.add(trail(dns(V6, v6=True, resolver=f"[{V6_RESOLVER}]:53"), tcp(address=V6), tls(Failure.RESET)))
    recording = site.recording()
    return TrailContext(
        trail=recording.records[0].trails[0],
        probe=recording.plan.probes[0],
        target=recording.plan.targets[0],
        index=SweepIndex.build(recording),
    )


V6_TRAIL = v6_trail()


def placeholders(template: str) -> set[str]:
    """Return the placeholders of a template."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def exists(path: str) -> bool:
    """Return whether a dotted name is a field of the recorded values, or a kind of control."""
    place, *rest = path.split(".")
    if place == "controls":
        return rest[0] in {kind.value for kind in ControlKind}
    return place in PLACES and has_path(PLACES[place], rest)


def has_path(owner: type, names: list[str]) -> bool:
    """Follow field names through dataclasses, into tuples and optional fields."""
    if not names:
        return True
    fields = typing.get_type_hints(owner)
    return names[0] in fields and (
        len(names) == 1 or any(has_path(one, names[1:]) for one in values_in(fields[names[0]]))
    )


def values_in(hint: object) -> Iterator[type]:
    """Yield the structures in a type hint."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
    elif isinstance(hint, types.GenericAlias | types.UnionType) or typing.get_args(hint):
        for part in typing.get_args(hint):
            yield from values_in(part)


def test_the_registry_has_every_code_of_the_taxonomy() -> None:
    """No documented code is missing."""
    assert [code for code in TAXONOMY.split() if code not in REASONS] == []


def test_codes_are_unique() -> None:
    """No code is in two tables."""
    counted = Counter(one.code for table in CHAPTERS.values() for one in table)
    assert [code for code, times in counted.items() if times > 1] == []
    assert list(counted) == list(REASONS)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_fallback(phase: Phase) -> None:
    """A failure that no rule explains has a code, with outcome unknown and never blocked."""
    fallback = REASONS[f"{phase}_unknown"]
    assert fallback.phase is phase
    assert fallback.severity is Outcome.UNKNOWN
    assert certainty_text(fallback.code).startswith("Low")


@EVERY
def test_a_code_is_well_formed_and_has_a_known_prefix(reason: Reason) -> None:
    """Codes are valid in metric labels and file names, and have a known prefix."""
    assert CODE.fullmatch(reason.code)
    assert reason.code in OWN or reason.code.split("_")[0] in PREFIXES


@EVERY
def test_the_phase_agrees_with_the_prefix(reason: Reason) -> None:
    """A code with the name of a phase has that phase, except for what the proxy does inside its tunnel."""
    prefix = reason.code.split("_")[0]
    if prefix == "proxy":
        assert reason.phase in (Phase.PROXY, Phase.TLS, Phase.HTTP)
    elif prefix in set(Phase):
        assert reason.phase == prefix
    elif prefix == "site" or reason.code in OWN:
        assert reason.phase is None


@EVERY
def test_the_title_is_a_short_heading(reason: Reason) -> None:
    """Titles fit table columns and alert subjects."""
    assert 0 < len(reason.title) <= 60
    assert not reason.title.endswith(".")


@EVERY
def test_texts_are_complete_sentences(reason: Reason) -> None:
    """Every text ends with a full stop; the meaning has three sentences at most."""
    for text in (reason.meaning, reason.signal, reason.advice):
        assert text == text.strip()
        assert text.endswith(".")
        assert "  " not in text
    assert len(re.findall(r"[.!?](?:\s|$)", reason.meaning)) <= 3


@EVERY
def test_templates_use_known_placeholders_only(reason: Reason) -> None:
    """A misspelt placeholder would be shown as a word in capitals."""
    assert placeholders(reason.advice) | placeholders(reason.confirm) <= PLACEHOLDERS
    for text in (reason.title, reason.meaning, reason.signal, *reason.evidence):
        assert "{" not in text


@EVERY
def test_advice_names_each_host_with_its_port(reason: Reason) -> None:
    """Advice may list hosts: a port after the list would belong to the last one only."""
    assert "{host}:{port}" not in reason.advice


@EVERY
def test_an_ipv6_endpoint_is_written_in_brackets(reason: Reason) -> None:
    """No advice and no command has an IPv6 address and a port without brackets around the address."""
    values = values_of(V6_TRAIL)
    assert values["remote"] == f"[{V6}]:443"
    assert f"[{V6_RESOLVER}]:53" in values["resolver"]
    for text in (advise(reason, (V6_TRAIL,), values), reason.confirmation(values)):
        assert re.findall(r"(?<!\[)2001:db8::\d+:\d+", text) == []


@EVERY
def test_no_command_line_has_text_from_the_network(reason: Reason) -> None:
    """An issuer or a server's text pasted into a shell could run commands."""
    assert placeholders(reason.confirm) <= PLACEHOLDERS - {"issuer", "offender", "status", "location"}


@EVERY
def test_the_evidence_names_fields_that_exist(reason: Reason) -> None:
    """The names are searched for in the report."""
    assert reason.evidence
    for fact in reason.evidence:
        names, colon, words = fact.partition(": ")
        assert colon
        assert words.strip()
        assert [name for name in names.split(", ") if not exists(name)] == []


def test_the_field_check_can_fail() -> None:
    """The check of field names finds misspelt ones at every depth."""
    assert exists("tls.chain.issuer")
    assert exists("dns.queries.icmp.offender")
    assert not exists("tls.chain.issuers")
    assert not exists("dns.queries.icmp.offenders")
    assert not exists("tls.sni.name")
    assert not exists("controls.guess")
    assert not exists("quic.sni")


def test_informational_codes_are_those_agreed_on() -> None:
    """The list of codes that never raise an alert is fixed."""
    assert {one.code for one in REASONS.values() if one.informational} == INFORMATIONAL


@EVERY
def test_ok_and_informational_go_together(reason: Reason) -> None:
    """A code leaves a target ok exactly if it never raises an alert."""
    assert reason.informational == (reason.severity is Outcome.OK)


@EVERY
def test_blame_on_egressd_means_unknown(reason: Reason) -> None:
    """Blame on egressd means that nothing is known about the endpoint, unless a setting is plainly wrong."""
    if reason.suspects.usual is Blame.EGRESSD_ENV and reason.code != "proxy_not_connect_capable":
        assert reason.severity in (Outcome.UNKNOWN, Outcome.OK)


def test_the_service_is_down_and_not_blocked() -> None:
    """Where only the service can be to blame there is nothing to unblock."""
    alone = [one for one in REASONS.values() if one.suspects.parties == (Blame.AZURE_SERVICE,)]
    assert [one.code for one in alone if one.severity is Outcome.BLOCKED] == []


def test_timeouts_alone_are_never_confirmed() -> None:
    """Nothing came is said with medium confidence, and with high where repeats agree."""
    for code in ("tcp_ip_blocked_silent", "tls_stall_after_hello", "http_no_answer"):
        assert certainty_text(code) == SILENCE.text


@EVERY
def test_suspects_are_named_once_each(reason: Reason) -> None:
    """Somebody can have caused each failure, and what decides is known for every party."""
    for parties in (reason.suspects.parties, reason.suspects.own or reason.suspects.parties):
        assert parties
        assert len(set(parties)) == len(parties)
        assert set(parties) <= set(DECIDED_BY)
    assert Blame.ENDPOINT_OWNER not in reason.suspects.parties
    assert Blame.AZURE_SERVICE not in reason.suspects.own


def test_every_alert_of_the_rfc_has_its_code() -> None:
    """An alert number leads to a registered code under its name in RFC 8446."""
    assert {alert_code(number) for number in ALERTS} == {
        code for code in REASONS if code.startswith("tls_alert_")
    }
    assert alert_code(49) == "tls_alert_access_denied"
    assert alert_code(120) == "tls_alert_no_application_protocol"


@pytest.mark.parametrize("number", [1, 21, 41, 255, 256, -1])
def test_an_alert_without_a_name_is_unknown(number: int) -> None:
    """A number that no RFC names has the code tls_unknown."""
    assert alert_code(number) == "tls_unknown"


def test_a_family_is_found_by_its_members() -> None:
    """A code with a status at its end finds its explanation."""
    assert find_reason("service_reachable_http_404") is REASONS["service_reachable_http"]
    assert find_reason("service_reachable_http") is REASONS["service_reachable_http"]
    assert find_reason("tls_sni_reset") is REASONS["tls_sni_reset"]


@pytest.mark.parametrize("code", ["", "tls_sni_reset_404", "service_reachable_http_4", "nonsense"])
def test_an_unknown_code_finds_nothing(code: str) -> None:
    """Only one family has members, and only with three digits."""
    assert find_reason(code) is None


def test_the_table_is_immutable() -> None:
    """No code can be added at run time."""
    with pytest.raises(TypeError):
        REASONS["new_code"] = REASONS["tls_unknown"]  # type: ignore[index]  # the point of the test


def test_advice_is_filled_in() -> None:
    """Known values are filled in; unknown ones are words in capitals."""
    advice = REASONS["tls_sni_dropped"].advise(
        {"destination": "*.his.arc.azure.com", "service": "https/443", "sni": "gbl.his.arc.azure.com"}
    )
    assert advice.startswith("Allow https/443 from SOURCE to *.his.arc.azure.com:")
    assert "{" not in advice


@pytest.mark.parametrize("hostile", ["{host}", "{0.__class__}", "{", "}}", "%s"])
def test_values_are_never_templates_themselves(hostile: str) -> None:
    """Braces in text from a certificate are shown as they are."""
    assert (
        fill_template("issued by {issuer} for {host}", {"issuer": hostile, "host": "a"})
        == f"issued by {hostile} for a"
    )


def test_an_empty_value_is_unknown() -> None:
    """An empty address is shown as a word in capitals."""
    assert fill_template("to {address}", {"address": ""}) == "to ADDRESS"

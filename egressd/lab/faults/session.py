"""Faults of TLS, certificates and HTTP."""

from __future__ import annotations

from egressd.lab.faults.fault import fault

IMAGES = "*.dl.delivery.mp.microsoft.com:80"
RELAYS = "*.servicebus.windows.net"

TLS = (
    fault("tls_reset tls tls=reset", "RST after the ClientHello", "tls_reset_after_hello"),
    fault("tls_fin tls tls=fin", "FIN after the ClientHello", "tls_fin_after_hello"),
    fault("tls_silence tls tls=silence", "No answer after the ClientHello", "tls_stall_after_hello"),
    fault(
        "tls_partial_silence tls tls=partial_silence",
        "Half of the server's flight, then no more data",
        "tls_partial_then_stall",
    ),
    fault(
        "tls_partial_fin tls tls=partial_fin", "Half of the server's flight, then FIN", "tls_partial_then_fin"
    ),
    fault(
        "tls_partial_reset tls tls=partial_reset",
        "Half of the server's flight, then RST",
        "tls_partial_then_reset",
    ),
    fault("tls_alert_handshake_failure tls tls=alert_40", "Fatal alert 40", "tls_alert_handshake_failure"),
    fault("tls_alert_access_denied tls tls=alert_49", "Fatal alert 49", "tls_alert_access_denied"),
    fault(
        "tls_alert_protocol_version tls tls=alert_70",
        "Fatal alert 70, as from a device that supports TLS 1.1 at most",
        "tls_alert_protocol_version",
    ),
    fault(
        "tls_alert_insufficient_security tls tls=alert_71",
        "Fatal alert 71",
        "tls_alert_insufficient_security",
    ),
    fault("tls_alert_internal_error tls tls=alert_80", "Fatal alert 80", "tls_alert_internal_error"),
    fault("tls_alert_unrecognized_name tls tls=alert_112", "Fatal alert 112", "tls_alert_unrecognized_name"),
    fault("tls_alert_close_notify tls tls=alert_0", "Fatal alert 0", "tls_alert_close_notify"),
    fault("tls_alert_unknown tls tls=alert_200", "A fatal alert no RFC names", "tls_unknown"),
    fault(
        "tls_block_page tls tls=plaintext",
        "A block page in cleartext on port 443",
        "tls_plaintext_block_page",
    ),
    fault("tls_ssh tls tls=ssh", "An SSH server answers on port 443", "tls_not_tls"),
    fault("tls_flood tls tls=flood", "HelloRequests without end in the place of a ServerHello", "tls_flood"),
    fault("tls_garbage tls tls=garbage", "Bytes that are no protocol", "tls_not_tls"),
    fault("tls_http1_only tls tls=http1_only", "The server offers HTTP/1.1 only, as some services do"),
    fault("tls_12_only tls tls=tls12", "The server supports TLS 1.2 at most"),
    fault(
        "tls_client_certificate tls tls=client_certificate",
        "The server requests a client certificate",
        notes=("tls_client_cert_required",),
    ),
)

CERTIFICATE = (
    fault(
        "inspection tls certificate=inspection",
        "TLS inspection with a CA that is not trusted",
        "tls_mitm_untrusted",
    ),
    fault(
        "inspection_with_root tls certificate=inspection_with_root",
        "The same, and the device sends its root certificate",
        "tls_mitm_untrusted",
    ),
    fault(
        "inspection_trusted tls certificate=inspection_trusted",
        "TLS inspection with a CA of the trust store",
        "tls_mitm_trusted",
    ),
    fault(
        "inspection_http1 tls certificate=inspection_trusted tls=http1_only",
        "The same, and the device speaks HTTP/1.1 only",
        "tls_mitm_trusted",
        notes=("tls_alpn_stripped",),
    ),
    fault(
        "inspection_block_page tls certificate=inspection http=block_fortinet",
        "TLS inspection with a block page inside",
        "tls_mitm_block_page",
    ),
    fault(
        "inspection_origin_untrusted tls certificate=origin_untrusted",
        "The inspection device marks the origin's certificate as untrusted",
        "tls_mitm_origin_untrusted",
    ),
    fault(
        "inspection_expired tls certificate=inspection_expired",
        "The inspection device's certificates have expired",
        "tls_mitm_cert_expired",
    ),
    fault("cert_expired tls certificate=expired", "The certificate has expired", "tls_cert_expired"),
    fault(
        "cert_expiring tls certificate=expiring", "The certificate ends in three days", "tls_cert_expiring"
    ),
    fault(
        "cert_not_yet_valid tls certificate=not_yet_valid",
        "The certificate is not yet valid",
        "tls_cert_not_yet_valid",
    ),
    fault(
        "cert_self_signed tls certificate=self_signed",
        "Self-signed, as the certificate of a device",
        "tls_self_signed",
    ),
    fault(
        "cert_wrong_name tls certificate=wrong_name",
        "A valid certificate for another name",
        "tls_hostname_mismatch",
    ),
    fault(
        "cert_missing_intermediate tls certificate=leaf_only",
        "The intermediate is not sent",
        "tls_incomplete_chain",
    ),
    fault(
        "cert_cn_only tls certificate=cn_only",
        "No subjectAltName, only a common name",
        "tls_cert_without_san",
    ),
    fault("cert_weak_key tls certificate=weak", "An RSA key of 1024 bits", "tls_weak_certificate"),
    fault(
        "cert_for_clients tls certificate=for_clients",
        "A certificate for TLS clients only",
        "tls_cert_wrong_purpose",
    ),
    fault(
        "cert_under_leaf tls certificate=under_leaf",
        "Signed by a certificate that is no authority",
        "tls_issuer_no_authority",
    ),
    fault(
        "cert_too_deep tls certificate=too_deep",
        "One authority more than the one above allows",
        "tls_path_too_long",
    ),
    fault(
        "cert_constrained tls certificate=constrained",
        "Signed by an authority that may sign for other names only",
        "tls_name_constraint",
    ),
    fault(
        "cert_damaged tls certificate=damaged",
        "A signature that does not fit",
        "tls_signature_invalid",
    ),
    fault(
        "cert_bad_date tls certificate=bad_date",
        "A certificate that ends in month 13",
        "tls_cert_invalid_field",
    ),
    fault(
        "cert_unknown_extension tls certificate=unknown_extension",
        "A critical extension that nobody knows",
        "tls_cert_unknown_extension",
    ),
    fault(
        "cert_many_names tls certificate=many_names",
        "A certificate larger than OpenSSL takes",
        "tls_beyond_our_limit",
    ),
    fault(
        "cert_authority_first tls certificate=authority_first",
        "The authority's certificate before the server's own",
        "tls_chain_misordered",
    ),
    fault(
        "tls_dhe_only tls tls=dhe_only",
        "Diffie-Hellman with 2048 bits, and no other key exchange",
        "tls_alert_handshake_failure",
    ),
    fault(
        "cert_without_aki tls certificate=without_aki",
        "No authority key identifier, which strict verification needs",
    ),
    fault(
        "cert_root_not_in_store tls certificate=root_not_in_store",
        "A public root that the trust store lacks",
        "local_trust_store_incomplete",
    ),
)

HTTP = (
    fault(
        "http_block_fortinet http http=block_fortinet",
        "FortiGuard's block page",
        "http_block_page",
        example=IMAGES,
    ),
    fault(
        "http_block_paloalto http http=block_paloalto",
        "Palo Alto's block page",
        "http_block_page",
        example=IMAGES,
    ),
    fault(
        "http_block_zscaler http http=block_zscaler",
        "Zscaler's block page",
        "http_block_page",
        example=IMAGES,
    ),
    fault("http_block_squid http http=block_squid", "Squid's error page", "http_block_page", example=IMAGES),
    fault(
        "http_azure_firewall http http=azure_firewall",
        "Azure Firewall's status 470",
        "http_azure_firewall_denied",
        example=IMAGES,
    ),
    fault(
        "http_captive_redirect http http=captive_redirect",
        "A redirect to a captive portal",
        "http_captive_portal",
        example=IMAGES,
    ),
    fault(
        "http_captive_511 http http=captive_511",
        "Status 511, Network Authentication Required",
        "http_captive_portal",
        example=IMAGES,
    ),
    fault(
        "http_proxy_auth http http=proxy_auth",
        "407 from a transparent proxy",
        "http_transparent_proxy_auth",
        example=IMAGES,
    ),
    fault(
        "http_proxy_401 http http=proxy_401",
        "401 from a transparent proxy",
        "http_transparent_proxy_auth",
        example=IMAGES,
    ),
    fault(
        "http_proxy_headers http http=proxy_headers",
        "The correct response with headers of a transparent proxy",
        notes=("http_transparent_proxy_present",),
        example=IMAGES,
    ),
    fault(
        "http_replaced http http=replaced",
        "A web page with status 200 in place of the download",
        "http_content_replaced",
        example=IMAGES,
    ),
    fault(
        "pki_replaced http http=replaced",
        "A web page with status 200 in place of certificates and revocation lists",
        "http_content_replaced",
        example="www.microsoft.com:80",
    ),
    fault(
        "http_range_ignored http http=range_ignored",
        "Range requests are answered with 200 and the whole file",
        example=IMAGES,
    ),
    fault(
        "http_range_refused http http=range_refused",
        "Range requests are answered with 416",
        "http_range_blocked",
        example=IMAGES,
    ),
    fault(
        "http_missing http http=service_404",
        "The download is answered with 404",
        "http_unexpected_status",
        example=IMAGES,
    ),
    fault(
        "http_truncated http http=truncated", "Half of the bytes announced", "http_truncated", example=IMAGES
    ),
    fault(
        "http_stale http http=stale",
        "A response cached for a month",
        "http_stale_cache",
        notes=("http_transparent_proxy_present",),
        example=IMAGES,
    ),
    fault("http_slow http http=slow", "A slow download", "http_slow_download", example=IMAGES),
    fault(
        "http_endless_headers http http=endless_headers",
        "Headers without end",
        "http_headers_too_large",
    ),
    fault("http_endless_body http http=endless_body", "A body without end"),
    fault(
        "http_flood http http=flood",
        "The request is answered by PING frames or empty lines, without end",
        "http_flood",
    ),
    fault("http_garbage http http=garbage", "The response is not HTTP", "http_h2_broken"),
    fault("http_silence http http=silence", "No answer after the request", "http_no_answer"),
    fault("http_fin http http=fin", "FIN after the request", "http_reset_after_request"),
    fault("http_reset http http=reset", "RST after the request", "http_reset_after_request"),
    fault("http_h2_goaway http http=goaway", "HTTP/2 is negotiated, then ended by GOAWAY", "http_h2_broken"),
    fault(
        "http_websocket_blocked http http=websocket_blocked",
        "A WebSocket upgrade is answered with 200",
        "http_websocket_blocked",
        example=RELAYS,
    ),
    fault(
        "service_private_only http http=private_only",
        "The service accepts requests by its private endpoint only",
        "service_public_access_denied",
    ),
    fault(
        "service_401 http http=service_401",
        "The service answers with 401",
        notes=("service_reachable_http",),
    ),
    fault(
        "service_403 http http=service_403",
        "The service answers with 403",
        notes=("service_reachable_http",),
    ),
    fault(
        "service_404 http http=service_404",
        "The service answers with 404",
        notes=("service_reachable_http",),
    ),
    fault(
        "service_500 http http=service_500",
        "The service answers with 500",
        notes=("service_reachable_http",),
    ),
)

"""Faults once the connection stands: TLS, certificates, HTTP."""

from __future__ import annotations

from egressd.lab.faults.fault import fault

IMAGES = "*.dl.delivery.mp.microsoft.com:80"
RELAYS = "*.servicebus.windows.net"

TLS = (
    fault("tls_reset tls tls=reset", "RST after the ClientHello", "tls_reset_after_hello"),
    fault("tls_fin tls tls=fin", "FIN after the ClientHello", "tls_fin_after_hello"),
    fault("tls_silence tls tls=silence", "Silence after the ClientHello", "tls_stall_after_hello"),
    fault(
        "tls_partial_silence tls tls=partial_silence",
        "Half of the server's flight, then silence",
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
        "Fatal alert 70, as from a device that knows TLS 1.1 at most",
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
    fault("tls_block_page tls tls=plaintext", "A block page in clear on 443", "tls_plaintext_block_page"),
    fault("tls_ssh tls tls=ssh", "An SSH server answers on 443", "tls_not_tls"),
    fault("tls_garbage tls tls=garbage", "Bytes that are no protocol", "tls_not_tls"),
    fault("tls_http1_only tls tls=http1_only", "h2 is not on offer, as with some services"),
    fault("tls_12_only tls tls=tls12", "TLS 1.2 is the best on offer"),
    fault(
        "tls_client_certificate tls tls=client_certificate",
        "The server wants a client certificate",
        notes=("tls_client_cert_required",),
    ),
)

CERTIFICATE = (
    fault(
        "inspection tls certificate=inspection",
        "TLS inspection under a root that is not trusted",
        "tls_mitm_untrusted",
    ),
    fault(
        "inspection_with_root tls certificate=inspection_with_root",
        "The same, and the device sends its root along",
        "tls_mitm_untrusted",
    ),
    fault(
        "inspection_trusted tls certificate=inspection_trusted",
        "TLS inspection under a root that the trust store holds",
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
        "The inspection device says that it could not verify the origin",
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
        "cert_self_signed tls certificate=self_signed", "Self-signed, as a device's own", "tls_self_signed"
    ),
    fault(
        "cert_wrong_name tls certificate=wrong_name",
        "A good certificate for another name",
        "tls_hostname_mismatch",
    ),
    fault(
        "cert_missing_intermediate tls certificate=leaf_only",
        "The intermediate is not sent",
        "tls_incomplete_chain",
    ),
    fault("cert_cn_only tls certificate=cn_only", "No subjectAltName, only a CN", "tls_cert_without_san"),
    fault("cert_weak_key tls certificate=weak", "An RSA key of 1024 bits", "tls_weak_certificate"),
    fault(
        "cert_without_aki tls certificate=without_aki",
        "No authority key identifier, which strict profiles ask for",
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
        "A redirect to a portal",
        "http_captive_portal",
        example=IMAGES,
    ),
    fault(
        "http_captive_511 http http=captive_511",
        "Status 511: sign in first",
        "http_captive_portal",
        example=IMAGES,
    ),
    fault(
        "http_proxy_auth http http=proxy_auth",
        "407 from a proxy nobody configured",
        "http_transparent_proxy_auth",
        example=IMAGES,
    ),
    fault(
        "http_proxy_401 http http=proxy_401",
        "401 from a proxy nobody configured",
        "http_transparent_proxy_auth",
        example=IMAGES,
    ),
    fault(
        "http_proxy_headers http http=proxy_headers",
        "The right answer, with the headers of a cache on the way",
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
        "A web page with status 200 in place of revocation lists",
        example="www.microsoft.com:80",
    ),
    fault(
        "http_range_ignored http http=range_ignored",
        "Ranges are ignored: 200 and the whole file, which will do",
        example=IMAGES,
    ),
    fault(
        "http_range_refused http http=range_refused",
        "Ranges are refused with 416",
        "http_range_blocked",
        example=IMAGES,
    ),
    fault(
        "http_missing http http=service_404",
        "The download is gone",
        "http_unexpected_status",
        example=IMAGES,
    ),
    fault(
        "http_truncated http http=truncated", "Half of the promised bytes", "http_truncated", example=IMAGES
    ),
    fault(
        "http_stale http http=stale",
        "An answer that a cache has kept for a month",
        "http_stale_cache",
        notes=("http_transparent_proxy_present",),
        example=IMAGES,
    ),
    fault("http_slow http http=slow", "The download trickles", "http_slow_download", example=IMAGES),
    fault(
        "http_endless_headers http http=endless_headers",
        "Headers without end",
        "http_headers_too_large",
    ),
    fault("http_endless_body http http=endless_body", "A body without end"),
    fault("http_garbage http http=garbage", "The answer is not HTTP", "http_h2_broken"),
    fault("http_silence http http=silence", "Silence after the request", "http_no_answer"),
    fault("http_fin http http=fin", "FIN after the request", "http_reset_after_request"),
    fault("http_reset http http=reset", "RST after the request", "http_reset_after_request"),
    fault("http_h2_goaway http http=goaway", "h2 is agreed upon, then ended by GOAWAY", "http_h2_broken"),
    fault(
        "http_websocket_blocked http http=websocket_blocked",
        "A WebSocket upgrade is answered 200",
        "http_websocket_blocked",
        example=RELAYS,
    ),
    fault(
        "service_private_only http http=private_only",
        "The service takes requests from its private endpoint only",
        "service_public_access_denied",
    ),
    fault(
        "service_401 http http=service_401",
        "The service itself answers 401",
        notes=("service_reachable_http",),
    ),
    fault(
        "service_403 http http=service_403",
        "The service itself answers 403",
        notes=("service_reachable_http",),
    ),
    fault(
        "service_404 http http=service_404",
        "The service itself answers 404",
        notes=("service_reachable_http",),
    ),
    fault(
        "service_500 http http=service_500",
        "The service itself answers 500",
        notes=("service_reachable_http",),
    ),
)

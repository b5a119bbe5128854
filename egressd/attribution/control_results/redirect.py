"""Where redirects led, as far as they were followed."""

from __future__ import annotations

from urllib.parse import urlsplit

from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.sweep_index import redirect_place
from egressd.attribution.facts.trail_context import TrailContext
from egressd.destination import DEFAULT_PORTS
from egressd.model.observation import HttpObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail


def host_led_to(context: TrailContext) -> str:
    """Return the other host that the answer leads to, in lower case; empty: none."""
    http = context.http
    host = redirect_place(http) if http is not None else ""
    return "" if host == context.probe.host.lower() else host


def portal_shared(context: TrailContext) -> bool:
    """Whether answers in clear to names of unrelated domains lead to the same other host."""
    place = host_led_to(context)
    domains = context.index.redirects_in_clear.get(place, frozenset()) - {domain_of(place), ""}
    return len(domains) > 1


def followed(context: TrailContext) -> tuple[Trail, ...]:
    """Return the hops that were followed, in order; () where none was."""
    if not host_led_to(context):
        return ()
    return tuple(trail for control in context.controls(ControlKind.REDIRECT) for trail in control.trails)


def dead_end(context: TrailContext) -> bool:
    """Whether following a redirect ended in a failure, or in a circle, or it leads to what can't be a name.

    What was not followed to its end proves nothing: egressd does not go everywhere that a peer sends it.
    """
    hops = followed(context)
    if not hops:
        return _is_no_name(host_led_to(context))
    last = hops[-1].last
    if not isinstance(last, HttpObservation) or last.redirect is None:
        return last is None or last.failure is not None
    return _place(last.redirect) in {_place(_url(one)) for one in hops}


def _is_no_name(host: str) -> bool:
    """Return whether a host that is not empty has a label that no name can have (RFC 1035 section 2.3.4)."""
    return host != "" and not all(0 < len(one) <= 63 for one in host.removesuffix(".").split("."))


def _url(hop: Trail) -> str:
    """Return the URL that a hop fetched; empty where it did not get that far."""
    http = hop.last
    if not isinstance(http, HttpObservation):
        return ""
    if "://" in http.url_path:  # as a proxy is asked for it
        return http.url_path
    return f"{'https' if hop.handshakes else 'http'}://{http.host}{http.url_path}"


def _place(url: str) -> tuple[str, str, int | None, str]:
    """Return what two URLs of one place have in common, however they are written."""
    parts = urlsplit(url)
    return (
        parts.scheme,
        (parts.hostname or "").lower(),
        parts.port or DEFAULT_PORTS.get(parts.scheme),
        parts.path,
    )

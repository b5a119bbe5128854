"""The Azure Arc gateway of the configuration: a mode, the value of its placeholder, and what it excludes."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from egressd.errors import UsageError
from egressd.fields.parse import parse_arc_gateway
from egressd.model.endpoint import Cloud
from egressd.model.settings import ArcGateway, Settings
from egressd.planning.path.gateway import VALUE_NAME

NONE = "none"


def gateway_from_flag(text: str | None, settings: Settings) -> Settings:
    """Apply `--arc-gateway`: a URL, a prefix, or `none`; the Arc proxy of the file stays.

    Raises UsageError, also where the flags name a cloud that has no gateway.
    """
    if text == NONE:
        settings = with_gateway(settings, None)
    elif text is not None:
        try:
            prefix = parse_arc_gateway(text)
        except ValueError as error:
            raise UsageError(f"--arc-gateway {error}, or be none") from None
        known = settings.arc_gateway
        settings = with_gateway(settings, ArcGateway(prefix=prefix, proxy=known.proxy if known else None))
    if settings.arc_gateway is not None and (problem := cloud_problem(settings.cloud)):
        raise UsageError(f"an Arc gateway and the cloud {settings.cloud.value} exclude each other: {problem}")
    return settings


def with_gateway(settings: Settings, gateway: ArcGateway | None) -> Settings:
    """Return settings with another gateway, or none, and its prefix as the value of its placeholder."""
    values = tuple(one for one in settings.values if one[0] != VALUE_NAME)
    own = ((VALUE_NAME, gateway.prefix),) if gateway is not None else ()
    kept = settings.values if gateway is None and settings.arc_gateway is None else (*values, *own)
    return replace(settings, arc_gateway=gateway, values=kept)


def cloud_problem(cloud: Cloud) -> str:
    """Say why a cloud can have no gateway; empty: it can."""
    match cloud:
        case Cloud.PUBLIC:
            return ""
        case Cloud.USGOV:
            return (
                "the gateway exists in the public cloud only; for the row that Azure Local's list of this "
                f"cloud has nevertheless, give the prefix under values as {VALUE_NAME}"
            )
        case Cloud.CHINA:
            return "the gateway exists in the public cloud only"


def gateway_warnings(settings: Settings) -> Iterator[str]:
    """Yield warnings of settings that do not fit a gateway."""
    if settings.arc_gateway is None:
        return
    if any(one is not None and one.bypass for one in (settings.proxy, settings.plain_proxy)):
        yield (
            "proxy.bypass: with arc_gateway it counts only for what the gateway does not forward, and the "
            "agent itself supports no proxy.bypass with a gateway"
        )

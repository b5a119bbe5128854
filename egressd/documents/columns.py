"""What a column or a key says, by the names that documents give it."""

from __future__ import annotations

import re

from egressd.documents.hosts import text_of_cell
from egressd.model.endpoint import Cloud

FIELDS = {
    "port": (
        "port", "ports", "port number", "port numbers", "tcp port", "tcp ports", "udp port", "udp ports",
        "destination port", "destination ports", "outbound port", "outbound ports", "remote port", "port s",
    ),
    "protocol": ("protocol", "protocols", "application protocol"),
    "transport": ("transport", "transport protocol", "l4 protocol"),
    "port and protocol": (
        "port protocol", "protocol port", "ports protocols", "protocols ports", "port and protocol",
        "protocol and port", "ports and protocols", "service port",
    ),
    "id": ("id",),
    "service": (
        "service", "services", "name", "component", "azure local component", "hci component", "title",
        "category", "feature", "product", "connection", "endpoint description",
    ),
    "purpose": (
        "purpose", "purposes", "description", "notes", "note", "used for", "usage", "reason", "use", "for",
        "details", "comment", "comments", "why",
    ),
    "roles": ("roles", "role", "needed by", "required by", "required from", "source", "from"),
    "direction": ("direction",),
    "need": ("need", "severity", "mandatory"),
    "leg": ("leg",),
    "when": ("when required", "required for", "required", "requirement", "when", "condition", "conditions"),
    "gateway": ("arc gateway support", "arc gateway", "arcgateway", "arc gateway supported"),
    "region": ("region", "regions", "azure region"),
    "cloud": ("cloud", "clouds", "environment"),
    "path": ("path",),
    "paths": ("paths",),
    "inspection": ("inspection", "tls inspection"),
    "internal": ("internal",),
    "private_link": ("private link",),
    "samples": ("samples",),
}  # fmt: skip
"""The fields of a row, and the column names for each, without case, punctuation and markup."""
IGNORED = frozenset(
    re.split(
        r",\s+",
        "private link capable, endpoint used with private link, websocket, web socket, subdomains, sources, "
        "documents, proxy, features, one of, service tags, tags, wildcard, source file, probe host, group, "
        "remediation, endpoints, operation type, target resource id, target resource name, last port, "
        "target resource type, additional data",
    )
)
"""Columns that are known to say nothing of a rule."""

_BY_NAME = {name: key for key, names in FIELDS.items() for name in names}
_HOST = re.compile(
    r"(?:.* )?(?:urls?|uris?|fqdns?|hosts?|hostnames?|domains?|domain names?|dns names?|host names?"
    r"|endpoints?|endpoint urls?|url s|agent resources?|destinations?|destination address(?:es)?|addresses"
    r"|pattern)"
)
_NO_HOST = re.compile(
    r"\b(?:private|e?mail|ip|documentation|source|management|session|virtual|arc-enabled|example)\b"
)
_CLOUDS = (
    (Cloud.CHINA, re.compile(r"21vianet|\bchina\b|mooncake|azure-china", re.IGNORECASE)),
    (
        Cloud.USGOV,
        re.compile(r"government|us-?\s?gov|\bgov(?:cloud)?\b|fairfax|gcc high|\bdod\b", re.IGNORECASE),
    ),
    (
        Cloud.PUBLIC,
        re.compile(
            r"azure[- ]?(?:public|global|commercial|cloud)|public[- ](?:azure )?cloud|\bcommercial\b",
            re.IGNORECASE,
        ),
    ),
)
_ONLY_CLOUD = re.compile(
    r"(?:microsoft )?(?:azure )?"
    r"(?:public|global|commercial|government|gov|usgov|us gov(?:ernment)?|china|cloud|21vianet)(?: cloud)?"
    r"|(?:microsoft )?azure operated by 21vianet|(?:microsoft )?azure",
)


def name_of(heading: str) -> str:
    """Return the name of a column or key as it is compared: `**Endpoint URL**` and `endpointUrl` are one."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text_of_cell(heading))
    text = re.sub(r"\([^()]{0,60}\)", " ", text) if not re.fullmatch(r"\(.*\)", text) else text
    return " ".join(re.sub(r"[^a-z0-9]+", " ", text.lower()).split())


def field_of(heading: str) -> str | None:
    """Return the field that a column holds (`host` for one that names a cloud); None if it is unknown."""
    name = name_of(heading)
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name in ("address", "server", "target", "dns", "ip fqdn"):
        return "host"
    if _HOST.fullmatch(name) and not _NO_HOST.search(name):
        return "host"
    return "host" if _ONLY_CLOUD.fullmatch(name) and cloud_of(name) is not None else None


def cloud_of(text: str) -> Cloud | None:
    """Return the cloud that a heading, a tab or a file's name speaks of."""
    return next((cloud for cloud, pattern in _CLOUDS if pattern.search(text)), None)

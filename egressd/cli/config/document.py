"""The answer of `egressd config check` as JSON (`egressd.config-check/1`), for editors and CI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from egressd.model.settings import Settings

SCHEMA = "egressd.config-check/1"
PLACE = re.compile(r"(?P<file>[^\n]*?):(?P<line>[0-9]+): (?P<rest>.*)", re.DOTALL)
KEY = re.compile(r"(?P<key>[A-Za-z_][\w-]*(\[[0-9]+\]|\.[A-Za-z_][\w-]*)*): (?P<rest>.*)", re.DOTALL)


def render_check_json(
    path: Path | None, *, settings: Settings | None, mistakes: Iterable[str], warnings: Iterable[str]
) -> str:
    """Render what a check found; no settings where there are mistakes."""
    found = [_mistake(text) for text in mistakes]
    document = {
        "schema": SCHEMA,
        "file": None if path is None else str(path),
        "ok": not found,
        "mistakes": found,
        "warnings": list(warnings),
        "settings": None if settings is None else _settings(settings),
    }
    return json.dumps(document, indent=2) + "\n"


def _mistake(text: str) -> Mapping[str, object]:
    """Take a mistake apart; a part that it does not name is null."""
    place = PLACE.fullmatch(text)
    rest = place["rest"] if place else text
    key = KEY.fullmatch(rest)
    return {
        "file": place["file"] if place else None,
        "line": int(place["line"]) if place else None,
        "key": key["key"] if key and place else None,
        "message": key["rest"] if key and place else rest,
        "text": text,
    }


def _settings(settings: Settings) -> Mapping[str, object]:
    return {
        "profiles": settings.profiles,
        "site": settings.chosen_site,
        "cloud": settings.cloud,
        "region": settings.region,
        "sources": [one.name for one in settings.sources],
        "resolvers": [one.name for one in settings.resolvers],
        "proxies": [one.url for one in (settings.proxy, settings.plain_proxy) if one is not None],
        "arc_gateway": settings.arc_gateway.host if settings.arc_gateway else None,
        "own_endpoints": [one.id for one in settings.endpoints],
        "receivers": [one.name for one in settings.notify.receivers],
        "digest": settings.digest,
    }

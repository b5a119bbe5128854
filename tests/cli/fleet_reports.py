"""Reports of many sites, as hosts save them by `--format json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.model.observation import Failure
from egressd.report.saved import to_json
from tests.attribution.recordings import NOW, Site, dns, good, tcp, tls, trail

PLACES = ("login.example", "data.example", "mcr.example", "guest.example")


def at(minutes: float) -> str:
    """Return a time so many minutes after the first reports."""
    moment = datetime.fromisoformat(NOW) + timedelta(minutes=minutes)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def report_text(
    site: str,
    failing: Iterable[str] = (),
    *,
    minutes: float = 0,
    host: str | None = None,
    places: Iterable[str] = PLACES,
) -> str:
    """Return a report of a site whose handshakes with some places are reset."""
    made, failing = Site(), tuple(failing)
    made.started = at(minutes)
    for number, name in enumerate(places):
        address = f"203.0.113.{20 + number}"
        reset = (dns(address, name=name), tcp(address=address), tls(Failure.RESET, sni=name))
        made.add(trail(*reset) if name in failing else good(name, address), host=name, row=name.split(".")[0])
    recording = made.recording()
    named = replace(
        recording,
        id=f"{site}-{host or ''}-{minutes}",
        vantage=replace(recording.vantage, host=host or f"{site}-1", site=site),
    )
    text = to_json(judge(named))
    return text.replace(NOW, made.started)


def save(folder: Path, reports: Mapping[str, str]) -> Path:
    """Save reports under their names."""
    folder.mkdir(exist_ok=True)
    for name, text in reports.items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


def rewritten(text: str, **vantage: object) -> str:
    """Return a report with other values in its vantage."""
    document = msgspec.json.decode(text)
    document["vantage"] |= vantage
    return msgspec.json.encode(document).decode()

"""The HTTP API of a running Prometheus, as the tests ask it."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

TIMEOUT = 60.0


class Prometheus:
    """One Prometheus; questions that it doesn't answer raise OSError."""

    def __init__(self, url: str, login: tuple[str, str] | None = None, *, ca: Path | None = None) -> None:
        self.url = url
        self._trust = None if ca is None else ssl.create_default_context(cafile=str(ca))
        words = base64.b64encode(":".join(login or ("", "")).encode()).decode()
        self._headers = {"Authorization": f"Basic {words}"} if login else {}

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of the API."""
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(address, headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=self._trust) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 400:  # the question is wrong: waiting does not help
                raise AssertionError(error.read()) from error
            raise

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an instant query."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def value(self, expression: str) -> float:
        """Return the value of the one series of an instant query."""
        (found,) = self.query(expression)
        return float(found["value"][1])

    def firing(self, *names: str) -> list[dict[str, Any]]:
        """Return the firing alerts of these names."""
        found = self.get("alerts")["alerts"]
        return [one for one in found if one["state"] == "firing" and one["labels"]["alertname"] in names]

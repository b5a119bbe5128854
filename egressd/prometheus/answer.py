"""Answers of Prometheus' HTTP API: the series of an instant query, or in plain words why there are none."""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus

import msgspec
from msgspec import Struct

from egressd.errors import EgressdError
from egressd.notify.transport.redact import quote_answer


class PrometheusError(EgressdError):
    """A Prometheus that could not be asked. The message says of which place, why, and what to do."""


class Series(Struct, frozen=True, kw_only=True, gc=False):
    """The labels of a series that are read here; empty where it has no such label."""

    job: str = ""
    instance: str = ""
    site: str = ""
    target: str = ""
    source: str = ""
    endpoint: str = ""
    host: str = ""
    port: str = ""
    protocol: str = ""
    need: str = ""
    phase: str = ""
    reason: str = ""
    blame: str = ""
    claim: str = ""
    confidence: str = ""
    profiles: str = ""


class QuerySample(Struct, frozen=True, kw_only=True, gc=False):
    """A series with its value at the time that was asked for."""

    metric: Series
    value: tuple[float, str]
    """Unix seconds of the evaluation, and the value as text."""

    @property
    def number(self) -> float:
        """The value; not a number where its text is none."""
        try:
            return float(self.value[1])
        except ValueError:
            return math.nan


class _Data(Struct, frozen=True, rename={"kind": "resultType"}):
    kind: str
    result: tuple[QuerySample, ...]


class _Success(Struct, frozen=True):
    data: _Data


class _Failure(Struct, frozen=True, rename={"kind": "errorType"}):
    kind: str
    error: str


def samples_in(body: bytes, *, place: str, media_type: str) -> tuple[QuerySample, ...]:
    """Return the series of an answer with status 200. Raises PrometheusError."""
    try:
        answer = msgspec.json.decode(body, type=_Success)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise PrometheusError(f"{place} answers {_what_instead(body, media_type)}") from None
    if answer.data.kind != "vector":
        raise PrometheusError(f"{place} answers with another kind of result than an instant query has")
    return answer.data.result


def refusal(
    status: int,
    body: bytes,
    *,
    place: str,
    path: str,
    media_type: str,
    has_login: bool,
    secrets: Iterable[str],
) -> PrometheusError:
    """Return what an answer with another status means, and what to do about it."""
    said = _said(body, secrets)
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            what = (
                "refuses the credentials of --http.config.file"
                if has_login
                else "wants credentials: give them by --http.config.file"
            )
            return PrometheusError(f"{place} {what} (status {status})")
        case HTTPStatus.NOT_FOUND:
            return PrometheusError(
                f"{place} has no {path} (status 404): it is no Prometheus, or its API is under another path; "
                "--prometheus takes the URL up to /api/v1"
            )
        case HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return PrometheusError(f"the proxy before {place} wants credentials (status {status})")
    if (failure := _failure(body)) is not None and "too many samples" in failure.error:
        return PrometheusError(
            f"{place} refuses the query (too many samples): raise --query.max-samples there"
        )
    if failure is not None and failure.kind in ("timeout", "canceled"):
        return PrometheusError(f"{place} did not finish the query in time: {said}")
    if failure is None and _is_page(body, media_type):
        return PrometheusError(f"{place} answers {status} with an HTML page: no Prometheus answers there")
    return PrometheusError(f"{place} answers {status}" + (f": {said}" if said else ""))


def _said(body: bytes, secrets: Iterable[str]) -> str:
    failure = _failure(body)
    return quote_answer(body if failure is None else failure.error, secrets)


def _failure(body: bytes) -> _Failure | None:
    try:
        return msgspec.json.decode(body, type=_Failure)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _what_instead(body: bytes, media_type: str) -> str:
    if _is_page(body, media_type):
        return "with an HTML page, not as Prometheus' API: a login page, or another service"
    return "something else than Prometheus' API does"


def _is_page(body: bytes, media_type: str) -> bool:
    return "html" in media_type or body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))

"""What came back for the URL of a certificate: how the fetch ended, and who can have written the answer.

A CRL and a certificate are DER, and an OCSP responder has no pages: an answer is read by what it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from urllib.parse import urljoin

from msgspec import Struct

from egressd.attribution.blame.authorship import DEVICE_STATUSES
from egressd.attribution.facts.address import AddressKind, kind_of_address
from egressd.attribution.facts.certificate import OCSP, CertificateUrl
from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.proxy import headers_of
from egressd.attribution.facts.stats import DIRECT
from egressd.attribution.facts.sweep_index import host_of
from egressd.attribution.facts.vendors import product_of
from egressd.model.observation import DnsObservation, HttpObservation, Observation
from egressd.model.recording import Control

DECLINED = frozenset({400, 404, 405, 411, 415, 501})
"""Statuses by which an OCSP responder declines a GET without a question, whatever page comes with them."""
_ABSENT = frozenset({404, 410})


class FetchEnd(StrEnum):
    """How fetching a URL ended, where something is wrong with it."""

    NAME = "name"
    """The name was not resolved."""
    SILENT = "path"
    """No connection."""
    CUT = "cut"
    """A connection, and no answer to the request: what ended it can read requests."""
    REPLACED = "answer"
    """An answer that is not what the URL promises."""
    ABSENT = "gone"
    """An answer in HTTP that says there is nothing."""


class FailedFetch(Struct, frozen=True, kw_only=True):
    """A URL, and how fetching it ended."""

    url: CertificateUrl
    control: Control
    last: Observation
    end: FetchEnd

    @property
    def via_proxy(self) -> bool:
        """Whether the configured proxy carried it."""
        return any(trail.path != DIRECT for trail in self.control.trails)

    @property
    def answer(self) -> HttpObservation | None:
        """The answer, if one came."""
        return self.last if isinstance(self.last, HttpObservation) and self.last.status is not None else None

    @property
    def is_signed_by_device(self) -> bool:
        """Whether the answer shows that a device wrote it: its status, or the mark of a product."""
        answer = self.answer
        return answer is not None and (answer.status in DEVICE_STATUSES or bool(product_of(answer)))

    @property
    def page(self) -> PageMark | None:
        """What tells the page that came instead from others."""
        answer = self.answer
        if answer is None or self.end is not FetchEnd.REPLACED:
            return None
        return PageMark(
            status=answer.status,
            title=answer.title,
            leads_to=_leads_to(self.url, answer) if _redirects(answer) else "",
            start=answer.body[:200],
        )


class PageMark(Struct, frozen=True, kw_only=True):
    """What two answers share that the same device wrote."""

    status: int | None
    title: str
    leads_to: str
    """The host that a redirect leads to."""
    start: str


def end_of(url: CertificateUrl, last: Observation) -> FetchEnd | None:
    """Return how a fetch ended; None: nothing is wrong with it."""
    if isinstance(last, DnsObservation):
        return FetchEnd.NAME if last.failure is not None or _is_sunk(last) else None
    if not isinstance(last, HttpObservation):
        return FetchEnd.SILENT if last.failure is not None else None
    if last.status is None:
        return FetchEnd.CUT if last.failure is not None else None
    return _end_of_answer(url, last)


def _is_sunk(name: DnsObservation) -> bool:
    """Return whether a name leads to no host at all, which is how filters deny a name."""
    return bool(name.answers) and all(
        kind_of_address(one) in (AddressKind.NULL, AddressKind.LOOPBACK) for one in name.answers
    )


def _end_of_answer(url: CertificateUrl, answer: HttpObservation) -> FetchEnd | None:
    if answer.status in DEVICE_STATUSES or product_of(answer):
        return FetchEnd.REPLACED
    if _redirects(answer):
        return None if domain_of(_leads_to(url, answer)) == domain_of(url.at.host) else FetchEnd.REPLACED
    if url.kind == OCSP:
        return FetchEnd.REPLACED if is_page(answer) and answer.status not in DECLINED else None
    if answer.status == 200:
        return None if answer.der is not False and answer.failure is None else FetchEnd.REPLACED
    return FetchEnd.REPLACED if is_page(answer) and answer.status not in _ABSENT else FetchEnd.ABSENT


def _redirects(answer: HttpObservation) -> bool:
    return answer.status is not None and 300 <= answer.status < 400 and "location" in headers_of(answer)


def _leads_to(url: CertificateUrl, answer: HttpObservation) -> str:
    """Return the host that a redirect leads to; empty where it names none."""
    try:
        return host_of(urljoin(url.at.url, headers_of(answer)["location"]))
    except ValueError:
        return ""


def is_page(answer: HttpObservation) -> bool:
    """Whether an answer is for people: HTML by its type, its title, or how it begins."""
    start = answer.body.lstrip("\ufeff \t\r\n")[:14].lower()
    typed = "html" in headers_of(answer).get("content-type", "").lower()
    return typed or bool(answer.title) or start.startswith(("<html", "<!doctype html"))


def same_pages(some: list[FailedFetch]) -> Iterator[PageMark]:
    """Yield the pages that came for hosts of several domains: their servers have different owners."""
    domains: dict[PageMark, set[str]] = {}
    for one in some:
        if one.page is not None:
            domains.setdefault(one.page, set()).add(domain_of(one.url.at.host))
    yield from (page for page, known in domains.items() if len(known) > 1)

"""A delivery is believed only when the receiver's own answer says so: each type, with several answers."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.model.notification import Receiver
from egressd.notify.alertmanager import push
from egressd.notify.alertmanager.push import push_alerts
from egressd.notify.content.times import parse_timestamp
from egressd.notify.dispatch import deliver
from egressd.notify.heartbeat import call_heartbeat
from egressd.notify.receivers import slack, teams
from egressd.notify.result import DeliveryResult
from egressd.notify.transport.answer import ANY_ANSWER, HttpAnswer, decompressed, rejection_of
from tests.notify.content.sample import RULES, alert, notice
from tests.notify.transport.servers import answering, http, receiver

TAKEN, RETRIED, REFUSED = "taken", "retried", "refused"
PAGE = b"<html><head><title>Web Page Blocked</title></head><body>by policy</body></html>"
EVERY_TYPE = ("webhook", "cloudevents", "slack", "teams", "alertmanager", "heartbeat")
CONNECTOR = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error %d"
BLOCK_PAGES = (
    PAGE,
    b"\xef\xbb\xbf\r\n  <!DOCTYPE HTML PUBLIC>\n<p>no",
    b"<!-- portal --><script>location='/login'</script>",
    b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"/>',
    b"<h1>Access denied</h1>",
    "<html><body>Zugriff verweigert".encode("utf-16"),
)
JSON_THAT_SAYS_NO: tuple[object, ...] = (
    {"ok": False, "error": "invalid_payload"},
    {"success": False},
    {"Success": "false", "message": "text is required"},
    {"status": "error", "errorType": "bad_data", "error": "no alerts"},
    {"status": "fail", "data": {}},
    {"result": "error", "msg": "Unexpected token < in JSON"},
    {"errors": [{"message": "too long"}]},
    {"error": {"code": "BadRequest"}},
    {"errcode": 310000, "errmsg": "keywords not in content"},
    {"status": 422, "title": "Unprocessable"},
    {"response": 1, "status": {"status": "Failure", "code": 422}},
    [{"status": 200}, {"status": 413, "message": "too large"}],
    False,
)
JSON_THAT_SAYS_WAIT: tuple[object, ...] = (
    {"ok": False, "error": "ratelimited"},
    {"status": 429, "message": "slow down"},
    {"ok": False, "error_code": 429, "parameters": {"retry_after": 5}},
    {"statusCode": "503"},
    {"success": False, "error": "try again later"},
    {"error": "upstream timed out"},
    {"Success": "false", "message": "unknown channel"},
    {"result": "error", "msg": "Invalid token"},
    {"errors": [{"message": "no such hook"}]},
    {"error": {"code": "Forbidden"}},
    {"status": 403, "title": "Forbidden"},
    [{"status": 200}, {"status": 404, "message": "no such connector"}],
)
JSON_THAT_SAYS_YES: tuple[object, ...] = (
    {"ok": True},
    {"success": True, "error": None, "errors": []},
    {"status": "success"},
    {"result": "success", "msg": ""},
    {"status": "accepted", "error": ""},
)
JSON_OF_ANY_PROGRAM: tuple[object, ...] = (
    {},
    {"id": 7, "alerts": [{"labels": {"error": "x"}, "status": "firing"}], "status": "firing"},
    {"errcode": 0, "errmsg": "ok"},
    {"text": "Success", "code": 0},
    {"result": "Request will be processed", "took": 0.3},
    {"took": 3, "errors": False},
    {"message": "created without errors", "status": "finished with no errors"},
    {"status": 202},
    [],
    12,
    None,
)
KEYS = st.sampled_from(("ok", "error", "errors", "status", "Code", "result", "errcode", "x"))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


async def attempt(kind: str, answer: bytes) -> DeliveryResult:
    """Deliver one notice to a receiver that answers so."""
    async with answering(answer) as server:
        url = server.url()
        return await send(receiver(kind, url), url)


async def send(to: Receiver, url: str) -> DeliveryResult:
    """Send what this type of receiver is sent."""
    if to.type == "heartbeat":
        return await call_heartbeat(to)
    if to.type == "alertmanager":
        one = notice()
        return await push_alerts(to, url, (alert(),), now=parse_timestamp(one.at), rules=RULES)
    return await deliver(to, (notice(),), dropped=0, rules=RULES)


def ended(delivery: DeliveryResult) -> str:
    """Return how a delivery ended, in a word."""
    assert delivery.why.isprintable()
    assert delivery.ok or delivery.why
    return TAKEN if delivery.ok else RETRIED if delivery.retry else REFUSED


@pytest.mark.parametrize("kind", EVERY_TYPE)
@pytest.mark.parametrize("body", BLOCK_PAGES, ids=range(len(BLOCK_PAGES)))
async def test_a_page_is_nobodys_success(kind: str, body: bytes) -> None:
    """A block page with status 200 is no delivery, whatever its media type; it is tried again, aloud."""
    for media_type in ("text/html; charset=utf-8", "text/plain", "application/octet-stream"):
        delivery = await attempt(kind, http("200 OK", body, f"Content-Type: {media_type}"))
        assert ended(delivery) == RETRIED
        assert "answered 200 with a web page" in delivery.why


@pytest.mark.parametrize("kind", EVERY_TYPE)
async def test_a_compressed_page_is_a_page(kind: str) -> None:
    """A gateway that compresses unasked is understood all the same."""
    deflate = zlib.compressobj(wbits=-15)
    bodies = {
        "gzip": gzip.compress(PAGE),
        "deflate": zlib.compress(PAGE),
        "Deflate": deflate.compress(PAGE) + deflate.flush(),
        "gzip, gzip": gzip.compress(gzip.compress(PAGE)),
    }
    for coding, body in bodies.items():
        header = f"Content-Encoding: {coding}"
        delivery = await attempt(kind, http("200 OK", body, "Content-Type: text/html", header))
        assert ended(delivery) == RETRIED, coding
        assert "Web Page Blocked" in delivery.why


@pytest.mark.parametrize("kind", EVERY_TYPE)
@pytest.mark.parametrize("said", JSON_THAT_SAYS_NO, ids=str)
async def test_json_that_says_no(kind: str, said: object) -> None:
    """An error of the message in JSON is a refusal, as a status of 400 is."""
    delivery = await attempt(kind, as_json(said))
    assert ended(delivery) == REFUSED
    assert "answered 200 but reports an error: " in delivery.why


@pytest.mark.parametrize("kind", EVERY_TYPE)
@pytest.mark.parametrize("said", JSON_THAT_SAYS_WAIT, ids=str)
async def test_json_that_says_wait(kind: str, said: object) -> None:
    """An error of the moment, the place or the login is tried again, after as long as the answer asks for."""
    delivery = await attempt(kind, as_json(said, "Retry-After: 9"))
    assert ended(delivery) == RETRIED
    assert delivery.retry_after == 9


@pytest.mark.parametrize("kind", EVERY_TYPE)
@pytest.mark.parametrize("said", JSON_THAT_SAYS_YES, ids=str)
async def test_json_that_says_yes(kind: str, said: object) -> None:
    """A yes in JSON is believed of every type."""
    assert ended(await attempt(kind, as_json(said))) == TAKEN


@pytest.mark.parametrize("kind", ["webhook", "cloudevents", "heartbeat"])
@pytest.mark.parametrize("said", JSON_OF_ANY_PROGRAM, ids=str)
async def test_other_json(kind: str, said: object) -> None:
    """Programs answer a webhook with what they like: only an error is one."""
    assert ended(await attempt(kind, as_json(said))) == TAKEN


@pytest.mark.parametrize("kind", EVERY_TYPE)
@pytest.mark.parametrize(
    ("status", "expected"),
    [(413, REFUSED), (400, REFUSED), (404, RETRIED), (429, RETRIED), (502, RETRIED), (503, RETRIED)],
)
async def test_the_status_of_a_service_behind(kind: str, status: int, expected: str) -> None:
    """A 200 that tells of another status means that one: 429 waits, 413 is given up aloud."""
    delivery = await attempt(kind, http("200 OK", CONNECTOR % status, "Retry-After: 4"))
    assert ended(delivery) == expected
    assert str(status) in delivery.why
    assert delivery.retry_after == (4 if expected == RETRIED else None)


@pytest.mark.parametrize(
    ("kind", "status", "body", "expected"),
    [
        ("slack", "200 OK", b"ok", TAKEN),
        ("slack", "200 OK", b"OK\n", TAKEN),
        ("slack", "200 OK", b'"ok"', TAKEN),
        ("slack", "200 OK", b"", RETRIED),
        ("slack", "202 Accepted", b"", RETRIED),
        ("slack", "200 OK", b"okay, queued", RETRIED),
        ("slack", "200 OK", b"invalid_token", RETRIED),
        ("slack", "200 OK", b"channel_is_archived", RETRIED),
        ("slack", "200 OK", b"invalid_blocks", REFUSED),
        ("slack", "200 OK", b"rollup_error", RETRIED),
        ("slack", "200 OK", b'{"echo": 1}', RETRIED),
        ("teams", "202 Accepted", b"", TAKEN),
        ("teams", "202 Accepted", b"run 0858", TAKEN),
        ("teams", "200 OK", b"1", TAKEN),
        ("teams", "200 OK", b"", TAKEN),
        ("teams", "200 OK", b"Summary or Text is required.", RETRIED),
        ("teams", "202 Accepted", b'{"error": {"code": "WorkflowTriggerIsNotEnabled"}}', RETRIED),
        ("alertmanager", "200 OK", b"", TAKEN),
        ("alertmanager", "200 OK", b"pong", RETRIED),
        ("alertmanager", "200 OK", b'{"status": "success"}', TAKEN),
        ("webhook", "204 No Content", b"", TAKEN),
        ("webhook", "201 Created", b"ticket 4711", TAKEN),
        ("webhook", "200 OK", b"Error: no such queue", RETRIED),
        ("webhook", "200 OK", b"Error: title is missing", REFUSED),
        ("webhook", "200 OK", b"<Response><Error>bad signature</Error></Response>", RETRIED),
        ("webhook", "200 OK", b"<Response><Message>thanks</Message></Response>", TAKEN),
        ("cloudevents", "200 OK", b"done", TAKEN),
        ("heartbeat", "200 OK", b"OK", TAKEN),
        ("heartbeat", "202 Accepted", b"Got it, thanks!", TAKEN),
        ("heartbeat", "200 OK", b"OK (not found)", REFUSED),
        ("heartbeat", "200 OK", b"OK (rate limited)", RETRIED),
        ("heartbeat", "200 OK", b'{"ok":false,"msg":"Monitor not found or not active."}', RETRIED),
    ],
)
async def test_what_success_looks_like(kind: str, status: str, body: bytes, expected: str) -> None:
    """Each type has its own words for success and for errors."""
    assert ended(await attempt(kind, http(status, body))) == expected


async def test_text_that_is_called_html() -> None:
    """Many servers call every answer HTML: without a tag in it, it is none."""
    for kind, body in (("webhook", b""), ("webhook", b"thanks"), ("slack", b"ok"), ("heartbeat", b"OK")):
        delivery = await attempt(kind, http("200 OK", body, "Content-Type: text/html; charset=UTF-8"))
        assert ended(delivery) == TAKEN, (kind, body)


async def test_no_coding_is_asked_for() -> None:
    """The answer can be read as it comes."""
    async with answering(http("200 OK")) as server:
        await send(receiver("webhook", server.url()), server.url())
    assert server.requests[0].headers["accept-encoding"] == "identity"


@given(
    body=st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | ANY_JSON.map(json.dumps).map(str.encode),
    media_type=st.sampled_from(("", "text/html", "application/json", "application/problem+json", "x")),
    status=st.integers(200, 299),
    coding=st.sampled_from(("", "gzip", "deflate, br", "gzip,gzip,gzip")),
)
def test_any_body_is_understood(body: bytes, media_type: str, status: int, coding: str) -> None:
    """Any bytes are a success or a rejection with a status that deliveries have rules for."""
    answer = HttpAnswer(status=status, media_type=media_type, body=decompressed(body, coding))
    for success in (ANY_ANSWER, slack.SUCCESS, teams.SUCCESS, push.SUCCESS):
        rejection = rejection_of(answer, success)
        assert rejection is None or 400 <= rejection.status <= 599


def as_json(said: object, *headers: str) -> bytes:
    """Return an answer in JSON with status 200."""
    return http("200 OK", json.dumps(said).encode(), "Content-Type: application/json", *headers)

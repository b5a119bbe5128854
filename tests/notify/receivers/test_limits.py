"""With any text and number of targets: sizes are within limits, every target is named, markup is escaped."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import json
import re
from datetime import UTC, datetime
from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.model.alert import Condition, Notice
from egressd.notify.alertmanager.payload import alert_entries, push_bodies
from egressd.notify.content.compose import compose
from egressd.notify.content.facts import target_names
from egressd.notify.receivers.cloudevents import cloud_events
from egressd.notify.receivers.email import mail_message
from egressd.notify.receivers.journald import journal_entry
from egressd.notify.receivers.slack import slack_messages
from egressd.notify.receivers.syslog import syslog_messages
from egressd.notify.receivers.teams import adaptive_cards
from egressd.notify.receivers.webhook import webhook_body
from tests.notify.content.sample import CAUSE, MAIL, RULES, UDP, alert, message_of, notice, notices
from tests.notify.receivers.schemas import CLOUDEVENT, POSTABLE_ALERTS, SLACK, TEAMS, WEBHOOK, check

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
anything = settings(max_examples=40)
batches = st.lists(notices(), min_size=1, max_size=3).map(tuple)
SYSLOG = re.compile(
    rb"<(\d{1,3})>1 (\S+) ([!-~]{1,255}) egressd - ([a-z]+) "
    rb'\[egressd@32473(( [a-z]+="(?:[^"\\\]]|\\["\\\]])*")*)\] \xef\xbb\xbf([^\x00-\x1f\x7f]*)',
    re.DOTALL,
)


def named(batch: tuple[Notice, ...]) -> set[str]:
    """The names of targets that must be found."""
    return {name for one in batch for name in target_names(one.alert.condition)}


def unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@anything
@given(batch=batches, dropped=st.integers(0, 10**6))
def test_slack_messages_keep_slacks_limits(batch: tuple[Notice, ...], dropped: int) -> None:
    """At most 50 blocks and 12,000 characters, each section below 3000; only the runbook link is markup."""
    seen: set[str] = set()
    for body in slack_messages(compose(message_of(*batch, dropped=dropped))):
        document = json.loads(body)
        check(SLACK, document)
        texts = [one["text"]["text"] for one in document["blocks"] if one["type"] != "context"]
        assert sum(map(len, texts)) <= 12_000
        for text in (document["text"], *texts):
            assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", text)
        links = [one["elements"][0]["text"] for one in document["blocks"] if one["type"] == "context"]
        assert all(re.fullmatch(r"<https://[^<>|]+\|Runbook>", link) for link in links)
        seen |= {line for text in texts for line in unescaped(text).split("\n")}
    assert named(batch) <= seen


@anything
@given(batch=batches, dropped=st.integers(0, 10**6))
def test_cards_keep_the_limits_of_teams(batch: tuple[Notice, ...], dropped: int) -> None:
    """A Teams message is 28 KB at most and has only elements without Markdown."""
    seen: set[str] = set()
    for body in adaptive_cards(compose(message_of(*batch, dropped=dropped))):
        assert len(body) <= 28_000
        document = json.loads(body)
        check(TEAMS, document)
        elements = document["attachments"][0]["content"]["body"]
        seen |= {line for one in elements for run in one["inlines"] for line in run["text"].split("\n")}
    assert named(batch) <= seen


@anything
@given(single=notices(), dropped=st.integers(0, 10**6))
def test_cloudevents_keep_the_size_limit(single: Notice, dropped: int) -> None:
    """An event has at most 64 KiB; together they name all targets, with unique ids."""
    single = replace(single, id=single.id or "n", alert=replace(single.alert, condition=_with_id(single)))
    bodies = cloud_events(message_of(single, dropped=dropped))
    assert bodies == cloud_events(message_of(single, dropped=dropped))
    documents = [json.loads(body) for body in bodies]
    for body, document in zip(bodies, documents, strict=True):
        assert len(body) <= 64 * 1024
        check(CLOUDEVENT, document)
    assert len({one["id"] for one in documents}) == len(documents)
    assert [one["data"]["part"] for one in documents] == list(range(1, len(documents) + 1))
    found = tuple(name for one in documents for name in one["data"]["targets"])
    assert found == target_names(single.alert.condition)


def _with_id(single: Notice) -> Condition:
    return replace(single.alert.condition, id=single.alert.id or "a")


@anything
@given(single=notices(), dropped=st.integers(0, 10**6))
def test_webhooks_match_alertmanagers_schema(single: Notice, dropped: int) -> None:
    """A webhook body is valid version 4, with all targets in an annotation."""
    document = json.loads(webhook_body(message_of(single, dropped=dropped), receiver="hook"))
    check(WEBHOOK, document)
    targets = document["alerts"][0]["annotations"].get("targets", "").split("\n")
    assert targets == list(target_names(single.alert.condition) or ("",))


@anything
@given(batch=batches)
def test_pushes_match_alertmanagers_schema(batch: tuple[Notice, ...]) -> None:
    """Every request matches the API's schema, and no alert ends before its start."""
    bodies = push_bodies(alert_entries((one.alert for one in batch), now=NOW, rules=RULES))
    for body in bodies:
        document = json.loads(body)
        check(POSTABLE_ALERTS, document)
        assert all(one["startsAt"] <= one["endsAt"] for one in document)


@anything
@given(batch=batches, dropped=st.integers(0, 10**6))
def test_a_mail_parses_and_names_all_targets(batch: tuple[Notice, ...], dropped: int) -> None:
    """No text adds a header, the parsed mail equals the written one, and lines are within SMTP's limit."""
    message = mail_message(message_of(*batch, dropped=dropped), MAIL)
    sent = message.as_bytes()
    assert max(map(len, sent.split(b"\r\n"))) <= 998
    assert sent.isascii()
    read = email.message_from_bytes(sent, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert [name for name, _ in read.items()] == [name for name, _ in message.items()]
    assert read.defects == []
    assert re.fullmatch(r"[^\x00-\x1f\x7f]+", read["Subject"])
    assert named(batch) <= {line.strip() for line in read.get_content().splitlines()} | {""}


@anything
@given(single=notices(), dropped=st.integers(0, 10**6), transport=st.sampled_from(("udp", "unix", "tcp")))
def test_syslog_messages_are_rfc_5424(single: Notice, dropped: int, transport: str) -> None:
    """Each message parses, fits its transport, and together they name all targets."""
    syslog = dataclasses.replace(UDP, protocol=transport)
    bodies = []
    for line in syslog_messages(message_of(single, dropped=dropped), syslog):
        assert len(line) <= {"udp": 2048, "unix": 8000, "tcp": 8000}[transport]
        found = SYSLOG.fullmatch(line)
        assert found is not None, line
        assert int(found[1]) // 8 == syslog.facility
        bodies.append(found[7].decode())
    text = "\n".join(bodies)
    assert all(name in text for name in named((single,)))


def parse_entry(data: bytes) -> list[tuple[str, str]]:
    """Parse the journal's native protocol."""
    fields: list[tuple[str, str]] = []
    while data:
        head, _, rest = data.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            length = int.from_bytes(rest[:8], "little")
            value, data = rest[8 : 8 + length], rest[8 + length :]
            assert data[:1] == b"\n"
            data = data[1:]
        else:
            data = rest
        assert re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name)
        fields.append((name.decode(), value.decode()))
    return fields


@anything
@given(single=notices(), dropped=st.integers(0, 10**6))
def test_an_entry_of_the_journal_has_our_fields_only(single: Notice, dropped: int) -> None:
    """No value adds a field, and every target is in EGRESSD_TARGETS."""
    fields = parse_entry(journal_entry(message_of(single, dropped=dropped)))
    names = [name for name, _ in fields]
    assert len(names) == len(set(names))
    assert {"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER"} <= set(names)
    rest = set(names) - {"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "DOCUMENTATION"}
    assert all(name.startswith("EGRESSD_") for name in rest)
    targets = dict(fields).get("EGRESSD_TARGETS", "").split("\n")
    assert targets == list(target_names(single.alert.condition) or ("",))


@anything
@given(single=notices(), count=st.sampled_from((21, 200)))
def test_large_digests_keep_the_limits(single: Notice, count: int) -> None:
    """In a large digest no limit is exceeded, and every target is named."""
    targets = single.alert.condition.targets[:40]
    condition = replace(single.alert.condition, targets=targets)
    storm = tuple(
        replace(single, id=f"n{n}", alert=replace(single.alert, condition=condition)) for n in range(count)
    )
    content = compose(message_of(*storm, dropped=1))
    slack = [json.loads(body) for body in slack_messages(content)]
    teams = adaptive_cards(content)
    for document in slack:
        check(SLACK, document)
    for body in teams:
        assert len(body) <= 28_000
        check(TEAMS, json.loads(body))
    text = unescaped(
        "\n".join(one["text"]["text"] for document in slack for one in document["blocks"] if "text" in one)
    )
    assert all(name in text for name in named(storm))


def test_three_hundred_targets_are_few_messages() -> None:
    """300 targets are a few messages, numbered in their titles."""
    targets = tuple(f"bridge-endpoint-{n}.westeurope.azure.example:443" for n in range(300))
    single = notice(about=alert(condition=replace(CAUSE, targets=targets)))
    content = compose(message_of(single))
    posts = [json.loads(body) for body in slack_messages(content)]
    assert [one["text"].rpartition(" (")[2] for one in posts] == [f"{n} of 2)" for n in (1, 2)]
    assert len(adaptive_cards(content)) == 1
    assert len(cloud_events(message_of(single))) == 1
    assert len(syslog_messages(message_of(single), dataclasses.replace(UDP, protocol="tcp"))) <= 4

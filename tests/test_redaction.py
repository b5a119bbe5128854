"""Secrets in every spelling are hidden, and what is no secret is not."""

from __future__ import annotations

import base64
import html
import json
import quopri
import time
from collections.abc import Callable
from email.header import Header
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.redaction import REDACTED, Redactor

SECRETS = (
    "hunter2",
    "Tr0ub4dor&3",
    "p@ss wörd/+=?",
    "qu\"o'te\\slash",
    "xoxb-1234567890-abcdefGHIJ",
    "0123456789abcdef0123456789abcdef",
    "日本語のひみつ",
    "<script>&amp;</script>",
)


def header_of(text: str, charset: str) -> str:
    return Header(text, charset, maxlinelen=500).encode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda one: one,
    "percent": lambda one: quote(one, safe=""),
    "percent, small": lambda one: quote(one, safe="").lower() if one.islower() else quote(one, safe=""),
    "percent, every character": lambda one: "".join(f"%{byte:02x}" for byte in one.encode()),
    "percent twice": lambda one: quote(quote(one, safe=""), safe=""),
    "form": quote_plus,
    "json": json.dumps,
    "json, as it is": lambda one: json.dumps(one, ensure_ascii=False),
    "json in json": lambda one: json.dumps(json.dumps({"password": one})),
    "json, slashes": lambda one: json.dumps(one).replace("/", "\\/"),
    "every character": lambda one: "".join(f"\\u{ord(c):04x}" for c in one),
    "repr": repr,
    "repr of bytes": lambda one: repr(one.encode()),
    "repr of latin": ascii,
    "repr of a list": lambda one: repr([{"headers": one}]),
    "html": html.escape,
    "html, numbers": lambda one: "".join(f"&#{ord(c)};" for c in one),
    "html, hex": lambda one: "".join(f"&#x{ord(c):X};" for c in one),
    "base64": lambda one: base64.b64encode(one.encode()).decode(),
    "base64, url": lambda one: base64.urlsafe_b64encode(one.encode()).decode().rstrip("="),
    "basic": lambda one: "Basic " + base64.b64encode(f"joe:{one}".encode()).decode(),
    "basic, other": lambda one: "Basic " + base64.b64encode(f"admin:{one}".encode()).decode(),
    "auth plain": lambda one: base64.b64encode(f"\0jo\0{one}".encode()).decode(),
    "base64 in a URL": lambda one: quote(base64.b64encode(f"jo:{one}!".encode()).decode(), safe=""),
    "base64 in JSON": lambda one: json.dumps({"a": base64.b64encode(one.encode()).decode()}),
    "hex": lambda one: one.encode().hex(),
    "hex, large": lambda one: one.encode().hex().upper(),
    "hex, colons": lambda one: one.encode().hex(":"),
    "hex dump": lambda one: one.encode().hex(" "),
    "quoted-printable": lambda one: quopri.encodestring(one.encode()).decode(),
    "quoted-printable, folded": lambda one: "=\n".join(quopri.encodestring(one.encode()).decode().strip()),
    "every byte quoted": lambda one: "".join(f"={byte:02X}" for byte in one.encode()),
    "word of a header": lambda one: header_of(one, "utf-8"),
    "userinfo": lambda one: f"https://joe:{quote(one, safe='')}@hooks.example/x",
    "query": lambda one: f"https://hooks.example/x?token={quote_plus(one)}&n=1",
}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_shows(secret: str, spelling: str) -> None:
    """Whatever a program makes of a secret is hidden, and the rest of the text is not."""
    written = SPELLINGS[spelling](secret)
    shown = Redactor([secret]).clean(f"proxy.example said: {written} (end of the answer)")
    assert REDACTED in shown
    assert written not in shown
    assert secret not in shown
    assert shown.startswith("proxy.example said: ")
    assert shown.endswith("(end of the answer)")


@given(
    st.text(
        st.characters(codec="utf-8", max_codepoint=0xFFFF).filter(str.isprintable), min_size=6, max_size=40
    ),
    st.sampled_from(sorted(SPELLINGS)),
)
def test_no_spelling_of_any_secret_shows(secret: str, spelling: str) -> None:
    """The same for secrets of any printable characters; no other is read from a file."""
    if spelling in ("word of a header", "repr of latin", "quoted-printable, folded"):
        return
    written = SPELLINGS[spelling](secret)
    assert REDACTED in Redactor([secret]).clean(f"said {written} here")


@pytest.mark.parametrize("end", ["", "...", "\u2026", "'", '"'])
@pytest.mark.parametrize("kept", [8, 12, 20])
def test_a_secret_that_was_cut_off_does_not_show(end: str, kept: int) -> None:
    """The start of a secret at the end of a text, or before an ellipsis or a quote, is hidden."""
    secret = "xoxb-1234567890-abcdefGHIJ"
    assert Redactor([secret]).clean(f"token '{secret[:kept]}{end}") == f"token '{REDACTED}{end}"


@pytest.mark.parametrize("kept", range(12, 30))
def test_an_encoded_secret_that_was_cut_off_does_not_show(kept: int) -> None:
    """The same for what was encoded before it was cut off, within an escape too."""
    secret = "sesame open/sesame"
    for written in (quote(secret, safe=""), base64.b64encode(f"joe:{secret}".encode()).decode()):
        text = f"said {written[:kept]}"
        shown = Redactor([secret]).clean(text)
        assert REDACTED in shown, text


@pytest.mark.parametrize(
    "text",
    [
        "target changed: mcr.microsoft.com:443 is blocked by tls_sni_reset, 517 bytes acknowledged",
        "https://hooks.example/... answers 200",
        "a=b&c=d%20e \\n &amp; =3D c2VjcmV0 68656c6c6f",
        "",
        "hun",
        "10.0.0.1:443 \u00e9\u0130 \ud800",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    """Nothing is hidden that is no secret."""
    assert Redactor([*SECRETS, "https://hooks.example/services/T0/B0/abcdefgh"]).clean(text) == text


def test_short_secrets_hide_nothing() -> None:
    """A secret of three characters occurs in ordinary text."""
    assert Redactor(["abc", ""]).clean("abc abc") == "abc abc"


def test_long_texts_are_searched_in_time() -> None:
    """A text made to be slow takes a time in proportion to its length."""
    redactor = Redactor(SECRETS)
    begun = time.process_time()
    for text in ("hunt" * 5000, "%41" * 5000, "&" * 20_000, "=\n" * 10_000, "\\u0041" * 3000, "\\" * 20_000):
        redactor.clean(text)
    assert time.process_time() - begun < 20

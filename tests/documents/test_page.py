"""HTML as a browser saves it: tabs are sections, and much around the tables is no content."""

from __future__ import annotations

from egressd.model.endpoint import Cloud
from tests.documents.reading import read, rules, shown

PAGE = """\
<!DOCTYPE html>
<html lang="en-us"><head><title>Network requirements</title>
<script>document.write("<table><tr><th>URL</th></tr><tr><td>script.example</td></tr></table>")</script>
<style>td { background: url(https://style.example) }</style></head>
<body><header><nav><ul><li><code>https://nav.example.com</code></li></ul></nav></header>
<!-- <table><tr><th>URL</th></tr><tr><td>comment.example</td></tr></table> -->
<h1>Requirements</h1>
<div class="tabGroup" id="tabgroup_1">
<ul role="tablist"><li role="presentation"><a href="#tabpanel_1_azure-cloud" data-tab="azure-cloud">Azure</a></li></ul>
<section id="tabpanel_1_azure-cloud" role="tabpanel" data-tab="azure-cloud">
<div class="has-inner-focus"><table aria-label="Table 1" class="table">
<thead>
<tr>
<th><strong>Service</strong></th>
<th><strong>Port</strong></th>
<th><strong>URL</strong></th>
</tr>
</thead>
<tbody>
<tr>
<td>Registry &amp; more</td>
<td>443</td>
<td><code>mcr.example.com</code><br><code>*.data.mcr.example.com</code></td>
</tr>
<tr><td>Sign-in<sup>1</sup></td><td>443</td><td><code>https://&lt;region&gt;.login.example.com</code> <sup>1</sup></td></tr>
<tr><td>DNS</td><td>53</td><td>Your DNS server IPs</td></tr>
<tr><td>Link</td><td>80, 443</td><td><a href="https://elsewhere.example" data-linktype="external">aka.example.com</a></td>
</tbody></table></div>
</section>
<section id="tabpanel_1_azure-government" role="tabpanel" data-tab="azure-government" aria-hidden="true" hidden="hidden">
<table><thead><tr><th>Service<th>Port<th>Azure US Government URL</tr></thead>
<tr><td>Registry<td>443<td><code>mcr.example.us</code>
<tr><td>Other<td>443<td>*.other.example.us or other.example.us
</table></section></div>
<h2>After</h2>
<ul><li><code>http://windowsupdate.example.com</code></li><li><p><code>https://*.update.example.com</code></p></li></ul>
<pre><code>*.arc.example.net
obo.example.com:8084
</code></pre>
<pre><code class="lang-azurecli">az.example.com
bz.example.com</code></pre>
<footer><p>&copy;</p></footer></body></html>
"""  # noqa: E501 - as pages are written


def test_a_saved_page() -> None:
    """Tables with code, entities and several hosts; each tab is a cloud; scripts are not read."""
    listing = read(PAGE, "page.html")
    assert [(shown(one), one.cloud) for one in listing.rows] == [
        ("mcr.example.com 443 -", Cloud.PUBLIC),
        ("*.data.mcr.example.com 443 -", Cloud.PUBLIC),
        ("{region}.login.example.com 443 https", Cloud.PUBLIC),
        ("{resolver} 53 -", Cloud.PUBLIC),
        ("aka.example.com 80 -", Cloud.PUBLIC),
        ("aka.example.com 443 -", Cloud.PUBLIC),
        ("mcr.example.us 443 -", Cloud.USGOV),
        ("*.other.example.us 443 -", Cloud.USGOV),
        ("other.example.us 443 -", Cloud.USGOV),
        ("*.arc.example.net - -", None),
        ("obo.example.com 8084 -", None),
        ("windowsupdate.example.com 80 http", None),
        ("*.update.example.com 443 https", None),
    ]
    assert listing.count == 10
    assert listing.rows[0].service == "Registry & more"
    assert listing.rows[2].service == "Sign-in"
    assert (listing.rows[0].line, listing.rows[6].section) == (20, "azure-government")


def test_tags_that_are_not_closed() -> None:
    """Rows and cells end where the next begins, as browsers read them."""
    text = "<table><tr><th>URL<th>Port<tr><td>a.example<td>443<tr><td>b.example<td>80</table>"
    assert rules(text, "x.html") == ["a.example 443 -", "b.example 80 -"]


def test_a_table_in_a_table() -> None:
    """The inner table is one of its own; the outer one goes on after it."""
    text = (
        "<table><tr><th>URL</th><th>Port</th></tr>\n<tr><td>a.example<table><tr><th>Host</th></tr>"
        "<tr><td>in.example</td></tr></table></td><td>443</td></tr><tr><td>b.example</td><td>80</td></tr></table>"
    )
    assert sorted(rules(text, "x.html")) == ["a.example 443 -", "b.example 80 -", "in.example - -"]


def test_deep_nesting() -> None:
    """Ten thousand open elements are read; so are ten thousand open tables."""
    inner = "<table><tr><th>URL</th></tr><tr><td>a.example</td></tr></table>"
    assert rules("<div>" * 10_000 + inner, "x.html") == ["a.example - -"]
    assert rules("<table><tr><td>" * 10_000, "x.html") == []


def test_a_page_cannot_make_configuration() -> None:
    """Characters that direct writing, break lines or end a text stay out of every field."""
    text = (
        "<table><tr><th>Service</th><th>URL</th></tr>"
        "<tr><td>x\u202e&#10;endpoints: []&#27;[31m</td><td>a.example</td></tr>"
        "<tr><td>y</td><td>b.example\u202e</td></tr></table>"
    )
    listing = read(text, "x.html")
    assert listing.rows[0].service == "x endpoints: [][31m"
    assert all((one.service or "").isprintable() and one.text.isprintable() for one in listing.rows)

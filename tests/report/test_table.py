"""The text report."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressd.model.endpoint import Need
from egressd.model.plan import Unsampled
from egressd.model.verdict import Blame, Confidence, Finding, Outcome, Sweep
from egressd.report.summary import conclude
from egressd.report.table import render_table

SweepOf = Callable[..., Sweep]
RowOf = Callable[..., object]


def _finding(*targets: str, title: str = "One rule is missing") -> Finding:
    return Finding(
        id="f",
        reason="site_suffix_rule_missing",
        blame=Blame.FIREWALL_L7,
        confidence=Confidence.CONFIRMED,
        title=title,
        targets=targets,
        evidence=("RST after 12 ms", "2 targets from source default"),
        advice="Add the rule.",
    )


def test_a_failure_shows_reason_hosts_evidence_and_advice(sweep_of: SweepOf, row: RowOf) -> None:
    """A reader gets both claims, what would decide, who is ruled out, hosts, evidence and advice."""
    text = render_table(sweep_of(row(), row(host="a.example", outcome=Outcome.BLOCKED)))
    block = text[text.index("FAILING") : text.index("PROFILE")]
    assert (
        "what tcp_ip_blocked_silent; blocked in tcp; confidence: high; 1 required target "
        "who most likely an L3/L4 firewall (address, port), else the service itself; confidence: high; "
        "decides: the log for 10.0.0.5:40000 "
        "not the upstream network: other sites are reached hosts"
    ) in " ".join(block.split())
    assert "    hosts  a.example:443\n" in block
    assert "    seen   10.0.0.5:40000 -> 203.0.113.9:443: nothing after 8 s\n" in block
    assert "    ask    Allow tcp/443.\n" in block
    assert text.startswith("2 targets, 1 ok, 1 blocked\n")
    assert text.endswith("\nFAIL: 1 required target blocked or down (exit code 1)\n")


def test_who_is_not_decided_is_said(sweep_of: SweepOf, row: RowOf) -> None:
    """Low confidence names all suspects and accuses none; what 0.1.0 wrote has no confidence of blame."""
    unsure = row(host="a.example", outcome=Outcome.BLOCKED, sure_of_blame=Confidence.LOW)
    text = " ".join(render_table(sweep_of(unsure)).split())
    assert "who an L3/L4 firewall (address, port) or the service itself: not decided; decides:" in text
    old = row(host="a.example", outcome=Outcome.BLOCKED, sure_of_blame=None)
    assert "who an L3/L4 firewall (address, port) not" in " ".join(render_table(sweep_of(old)).split())


def test_what_is_known_of_blame_differently_is_two_blocks(sweep_of: SweepOf, row: RowOf) -> None:
    """The claim of one target is not made of another."""
    sure = row(host="a.example", outcome=Outcome.BLOCKED, sure_of_blame=Confidence.CONFIRMED)
    unsure = row(host="b.example", outcome=Outcome.BLOCKED, sure_of_blame=Confidence.LOW)
    text = render_table(sweep_of(sure, unsure))
    assert text.count("tcp_ip_blocked_silent") == 2


def test_one_reason_is_one_block(sweep_of: SweepOf, row: RowOf) -> None:
    """Targets with the same reason and no finding are one entry, with the surest evidence."""
    sweep = sweep_of(
        row(host="a.example", outcome=Outcome.BLOCKED, confidence=Confidence.LOW, evidence=("unsure",)),
        row(host="b.example", outcome=Outcome.BLOCKED, evidence=("sure",)),
    )
    text = render_table(sweep)
    assert "hosts  a.example:443, b.example:443" in text
    assert text.count("tcp_ip_blocked_silent") == 1
    assert "seen   sure" in text
    assert "unsure" not in text


def test_a_finding_covers_its_targets(sweep_of: SweepOf, row: RowOf) -> None:
    """Targets that a finding explains have no entry of their own."""
    failing = [row(host=f"{one}.example", outcome=Outcome.BLOCKED) for one in "abc"]
    sweep = sweep_of(*failing, findings=(_finding("row-0/a.example:443", "row-1/b.example:443"),))
    text = render_table(sweep)
    assert " 1. One rule is missing\n" in text
    assert "hosts  a.example:443, b.example:443\n" in text
    assert "seen   RST after 12 ms\n" in text
    assert " 2. " in text
    assert "hosts  c.example:443\n" in text


def test_findings_are_sorted_by_importance(sweep_of: SweepOf, row: RowOf) -> None:
    """Failures of required targets precede those of optional ones; then degraded, then unknown."""
    sweep = sweep_of(
        row(host="u.example", outcome=Outcome.UNKNOWN, reason="not_probed"),
        row(host="d.example", outcome=Outcome.DEGRADED, reason="path_loss"),
        row(host="o.example", outcome=Outcome.BLOCKED, reason="tcp_refused", need=Need.OPTIONAL),
        row(host="r.example", outcome=Outcome.DOWN, reason="tls_cert_expired"),
    )
    text = render_table(sweep)
    places = [text.index(f"{one}.example:443") for one in "rodu"]
    assert places == sorted(places)
    assert text.index("DEGRADED") < text.index("UNKNOWN")


def test_many_hosts_are_cut_short(sweep_of: SweepOf, row: RowOf) -> None:
    """Eight hosts are named, the rest is counted, with a pointer to the full list; a rule names all."""
    text = render_table(
        sweep_of(*(row(host=f"h{one:02}.example", outcome=Outcome.BLOCKED) for one in range(20)))
    )
    shown, _, rule = text.partition("    rule ")
    assert len(re.findall(r"h\d\d\.example", shown)) == 8
    assert len(set(re.findall(r"h\d\d\.example", rule))) == 20
    assert "and 12 more (--format json or csv lists all)" in " ".join(text.split())


@pytest.mark.parametrize(("required", "said"), [(8, "all required"), (3, "3 required"), (0, "none required")])
def test_endpoints_without_a_sample_are_listed(
    sweep_of: SweepOf, row: RowOf, required: int, said: str
) -> None:
    """Endpoints without a sample host are grouped by the reason, with how many are required."""
    needs = (Need.REQUIRED,) * required + (Need.OPTIONAL,) * (8 - required)
    unsampled = tuple(
        Unsampled(endpoint=f"e{one}", pattern="*.x", need=need, why="needs `region`")
        for one, need in enumerate(needs)
    )
    text = " ".join(render_table(sweep_of(row(), unsampled=unsampled)).split())
    assert f"- needs `region`: e0, e1, e2, e3, e4, e5 and 2 more (see `egressd plan`); {said}" in text


@pytest.mark.parametrize(
    ("rows", "interrupted", "said"),
    [
        ([Outcome.OK], False, "PASS: 1 required target, all reachable (exit code 0)"),
        (
            [Outcome.DOWN, Outcome.UNKNOWN],
            False,
            "FAIL: 1 required target blocked or down, 1 required target unknown",
        ),
        ([Outcome.UNKNOWN], False, "UNSURE: no failure proved, 1 required target unknown (exit code 3)"),
        ([Outcome.OK], True, "INTERRUPTED: 0 required targets blocked or down, 0 required targets unknown"),
        ([], False, "UNSURE: no required target was probed (exit code 3)"),
    ],
)
def test_the_last_line_is_the_exit_code(
    sweep_of: SweepOf, row: RowOf, rows: list[Outcome], interrupted: bool, said: str
) -> None:
    """The conclusion states the exit code in words."""
    sweep = sweep_of(*(row(outcome=one) for one in rows), interrupted=interrupted)
    assert said in conclude(sweep)
    assert said in " ".join(render_table(sweep).split())


def test_a_pass_without_anything_required_says_so(sweep_of: SweepOf, row: RowOf) -> None:
    """If no target is required, the conclusion does not claim that required ones are reachable."""
    sweep = sweep_of(row(outcome=Outcome.BLOCKED, need=Need.OPTIONAL))
    assert conclude(sweep) == "PASS: none of 1 target is required (exit code 0)"


def test_colour_only_on_request(sweep_of: SweepOf, row: RowOf) -> None:
    """Without colour there is no escape in the text; with it, the text under the escapes is the same."""
    sweep = sweep_of(row(), row(host="a.example", outcome=Outcome.BLOCKED))
    plain, coloured = render_table(sweep), render_table(sweep, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@settings(max_examples=60)
@given(hostile=st.text(max_size=300), width=st.integers(min_value=50, max_value=130))
def test_hostile_text_is_printable(sweep_of: SweepOf, row: RowOf, hostile: str, width: int) -> None:
    """With any text of a file or server no line is too wide, and all of it is printable."""
    sweep = sweep_of(
        row(outcome=Outcome.BLOCKED, evidence=(hostile,), advice=hostile),
        row(host="b.example", outcome=Outcome.DEGRADED, reason=hostile or "x", profiles=(hostile, "p")),
        findings=(_finding("row-0/mcr.microsoft.com:443", title=hostile),),
    )
    text = render_table(sweep, width=width)
    assert max(len(line) for line in text.split("\n")) <= width
    assert all(one.isprintable() for one in text.replace("\n", ""))


def test_markup_is_text(sweep_of: SweepOf, row: RowOf) -> None:
    """Markup of a terminal library is shown as text."""
    assert "seen   [red]x[/red]" in render_table(
        sweep_of(row(outcome=Outcome.DOWN, evidence=("[red]x[/red]",)))
    )


def test_the_same_sweep_gives_the_same_report(sweep_of: SweepOf, row: RowOf) -> None:
    """The report depends on the sweep alone: not on a clock or the order of a set."""
    made = [sweep_of(row(), row(host="a.example", outcome=Outcome.DOWN)) for _ in range(2)]
    assert render_table(made[0]) == render_table(made[1])

"""What changed between two sweeps: new failures first, and nothing that did not change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from egressd.cli.app import app
from egressd.model.verdict import Outcome, Sweep, TargetVerdict
from egressd.report.diff.diff_page import render_diff_html, render_diff_markdown
from egressd.report.diff.render_diff import render_diff_json, render_diff_text
from egressd.report.diff.sweep_diff import ChangeKind, compare_sweeps
from egressd.report.saved import to_json

SweepOf = Callable[..., Sweep]
RowOf = Callable[..., Any]
OK, DEGRADED, BLOCKED, DOWN, UNKNOWN = (
    Outcome.OK,
    Outcome.DEGRADED,
    Outcome.BLOCKED,
    Outcome.DOWN,
    Outcome.UNKNOWN,
)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (OK, BLOCKED, ChangeKind.NEW_FAILURE),
        (DEGRADED, DOWN, ChangeKind.NEW_FAILURE),
        (UNKNOWN, BLOCKED, ChangeKind.NEW_FAILURE),
        (BLOCKED, DOWN, ChangeKind.OTHER_REASON),
        (BLOCKED, OK, ChangeKind.RECOVERED),
        (DOWN, DEGRADED, ChangeKind.RECOVERED),
        (UNKNOWN, OK, ChangeKind.RECOVERED),
        (OK, UNKNOWN, ChangeKind.NOW_UNKNOWN),
        (BLOCKED, UNKNOWN, ChangeKind.NOW_UNKNOWN),
        (OK, DEGRADED, ChangeKind.WORSE),
        (DEGRADED, OK, ChangeKind.BETTER),
    ],
)
def test_every_change_of_outcome_has_a_kind(
    sweep_of: SweepOf, row: RowOf, before: Outcome, after: Outcome, kind: ChangeKind
) -> None:
    """A change from any outcome to any other has its kind."""
    (change,) = compare_sweeps(sweep_of(row(outcome=before)), sweep_of(row(outcome=after))).changes
    assert (change.kind, change.before, change.after) == (kind, before.value, after.value)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (("arc-01", "oslo-1"), ("arc-02", "bergen-2"), (" at oslo-1 to ", " at bergen-2: ")),
        (("arc-01", "oslo-1"), ("arc-02", "oslo-1"), ()),
        (("arc-01", None), ("arc-01", "oslo-1"), ()),
    ],
    ids=["two_sites", "one_site", "older_report"],
)
def test_two_sites_are_named(
    sweep_of: SweepOf,
    row: RowOf,
    before: tuple[str, str | None],
    after: tuple[str, str | None],
    said: tuple[str, ...],
) -> None:
    """Reports of two places say which; what an older report does not say is no other place."""

    def made(place: tuple[str, str | None]) -> Sweep:
        sweep = sweep_of(row())
        vantage = replace(sweep.recording.vantage, host=place[0], site=place[1])
        return replace(sweep, recording=replace(sweep.recording, vantage=vantage))

    found = compare_sweeps(made(before), made(after))
    document = json.loads(render_diff_json(found))
    assert (document["before_site"], document["after_site"]) == (before[1], after[1])
    text = render_diff_text(found, width=200)
    assert all(one in text for one in said)
    assert said or " at " not in text


@pytest.mark.parametrize("outcome", Outcome)
def test_unchanged_targets_are_only_counted(sweep_of: SweepOf, row: RowOf, outcome: Outcome) -> None:
    """A sweep compared with itself has no changes."""
    sweep = sweep_of(row(outcome=outcome), row(host="b.example", outcome=outcome))
    found = compare_sweeps(sweep, sweep)
    assert (found.changes, found.unchanged) == ((), 2)
    assert found.still_failing == (2 if outcome in (BLOCKED, DOWN) else 0)
    assert found.new_failures == ()


def test_another_reason_is_a_change(sweep_of: SweepOf, row: RowOf) -> None:
    """Still blocked for another reason is a change, but no new failure."""
    found = compare_sweeps(
        sweep_of(row(outcome=BLOCKED, reason="tcp_refused")),
        sweep_of(row(outcome=BLOCKED, reason="tls_sni_reset")),
    )
    assert [one.kind for one in found.changes] == [ChangeKind.OTHER_REASON]
    assert found.new_failures == ()


def test_new_and_removed_targets(sweep_of: SweepOf, row: RowOf) -> None:
    """A target that is new and fails is a new failure; one that is removed has not recovered."""
    before = sweep_of(row(outcome=BLOCKED))
    after = sweep_of(row(outcome=BLOCKED), row(host="b.example", outcome=BLOCKED), row(host="c.example"))
    grown, shrunk = compare_sweeps(before, after), compare_sweeps(after, before)
    assert [one.kind for one in grown.changes] == [ChangeKind.NEW_FAILURE, ChangeKind.ADDED]
    assert [one.kind for one in shrunk.changes] == [ChangeKind.REMOVED, ChangeKind.REMOVED]


def _seen_from(sweep: Sweep, *names: str) -> Sweep:
    """Return a sweep whose verdicts are those of several sources, one after the other."""
    sources = [one.by_source[0] for one in sweep.verdicts]
    merged = TargetVerdict(
        target=sweep.verdicts[0].target,
        verdict=sweep.verdicts[0].verdict,
        by_source=tuple(replace(one, source=name) for name, one in zip(names, sources, strict=True)),
    )
    return replace(sweep, verdicts=(merged,))


def test_each_source_is_compared_with_itself(sweep_of: SweepOf, row: RowOf) -> None:
    """A target that stays blocked from one source is newly blocked from another."""
    before = _seen_from(sweep_of(row(outcome=BLOCKED), row()), "a", "b")
    after = _seen_from(sweep_of(row(outcome=BLOCKED), row(outcome=BLOCKED)), "a", "b")
    assert [(one.kind, one.source) for one in compare_sweeps(before, after).changes] == [
        (ChangeKind.NEW_FAILURE, "b")
    ]


def test_the_text_fits_and_has_the_worst_first(sweep_of: SweepOf, row: RowOf) -> None:
    """No line is too wide; new failures come before recovered targets."""
    before = sweep_of(row(outcome=BLOCKED), row(host="b.example"), row(host="c.example"))
    after = sweep_of(row(), row(host="b.example", outcome=BLOCKED), row(host="c.example"))
    text = render_diff_text(compare_sweeps(before, after))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.index("NEW FAILURES") < text.index("RECOVERED")
    assert "  - b.example:443: blocked (tcp_ip_blocked_silent), was ok\n" in text
    assert "1 new failure, 1 recovered, 1 unchanged" in " ".join(text.split())


def test_hostile_names_do_not_move_the_cursor(sweep_of: SweepOf, row: RowOf) -> None:
    """Control characters of a report file are not written to the terminal."""
    name = "a\x1b[2J.example"
    text = render_diff_text(
        compare_sweeps(sweep_of(row(host=name)), sweep_of(row(host=name, outcome=BLOCKED)))
    )
    assert "\x1b" not in text


def test_json_has_every_change(sweep_of: SweepOf, row: RowOf) -> None:
    """Every change, and the number of new failures, which decides."""
    found = json.loads(render_diff_json(compare_sweeps(sweep_of(row()), sweep_of(row(outcome=BLOCKED)))))
    assert (found["schema"], found["new_failures"]) == ("egressd.diff/1", 1)
    (change,) = found["changes"]
    assert (change["kind"], change["target"]) == ("new_failure", "row-0/mcr.microsoft.com:443")


@pytest.mark.parametrize("why", ["not_probed", "internal_error", "local_paused"])
@pytest.mark.parametrize(
    ("now", "kind"), [(BLOCKED, ChangeKind.FIRST_FAILURE), (DEGRADED, ChangeKind.FIRST_RESULT)]
)
def test_what_was_not_looked_at_is_neither_new_nor_mended(
    sweep_of: SweepOf, row: RowOf, why: str, now: Outcome, kind: ChangeKind
) -> None:
    """A baseline that was interrupted says nothing of the rest: no new failure, and nothing recovered."""
    found = compare_sweeps(sweep_of(row(outcome=UNKNOWN, reason=why)), sweep_of(row(outcome=now)))
    assert [one.kind for one in found.changes] == [kind]
    assert found.new_failures == ()
    assert "not looked at before" in render_diff_text(found).lower()


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (BLOCKED, BLOCKED, []),
        (OK, OK, []),
        (OK, BLOCKED, [ChangeKind.NEW_FAILURE, ChangeKind.REMOVED]),
        (BLOCKED, OK, [ChangeKind.ADDED, ChangeKind.REMOVED]),
    ],
)
def test_another_sample_of_a_row_is_the_same_row(
    sweep_of: SweepOf, row: RowOf, before: Outcome, after: Outcome, kinds: list[ChangeKind]
) -> None:
    """A service names other hosts each time: the rule that is missing is the one that was missing."""
    one, other = row(host="n1.example", outcome=before), row(host="n2.example", outcome=after)
    found = compare_sweeps(sweep_of(one), sweep_of(other))
    assert [change.kind for change in found.changes] == kinds
    assert found.unchanged == (0 if kinds else 1)


def test_another_hosts_sources_are_compared_by_target(sweep_of: SweepOf, row: RowOf) -> None:
    """A baseline from another host has other source names: its targets are not gone, and ours not new."""
    before = sweep_of(row(outcome=BLOCKED), row(host="b.example"))
    for host, now, kinds in (
        (BLOCKED, OK, []),
        (BLOCKED, BLOCKED, [ChangeKind.NEW_FAILURE] * 2),
        (OK, OK, [ChangeKind.RECOVERED] * 2),
    ):
        after = sweep_of(row(outcome=host), row(host="b.example", outcome=now))
        verdicts = tuple(
            replace(
                one,
                by_source=tuple(
                    replace(one.by_source[0], source=name) for name in ("appliance-1", "appliance-2")
                ),
            )
            for one in after.verdicts
        )
        found = compare_sweeps(before, replace(after, verdicts=verdicts))
        assert [one.kind for one in found.changes] == kinds
        assert found.unchanged == 4 - len(kinds)


def test_changes_for_a_ticket(sweep_of: SweepOf, row: RowOf) -> None:
    """Text, Markdown and HTML say the same; names of others are text in each."""
    hostile = "<img src=x>`@all.example"
    changes = compare_sweeps(sweep_of(row(host=hostile)), sweep_of(row(host=hostile, outcome=BLOCKED)))
    timeline = [("2026-11-30T10:31:40.000Z", changes.changes[0])]
    text, markdown, html = (
        render_diff_text(changes, timeline=timeline),
        render_diff_markdown(changes, timeline=timeline),
        render_diff_html(changes, timeline=timeline),
    )
    assert "AS IT HAPPENED\n  - 2026-11-30T10:31:40.000Z <img" in text
    assert "## New failures\n\n- `<img` " in markdown
    assert "## As it happened\n\n- 2026-11-30T10:31:40.000Z " in markdown
    assert "@all.example" not in re.sub(r"(`+).*?\1", "", markdown)
    assert "<h2>New failures</h2>" in html
    assert "<img" not in html
    assert "&lt;img src=x&gt;`@all.example:443: blocked" in html
    assert json.loads(render_diff_json(changes, timeline=timeline))["timeline"][0]["kind"] == "new_failure"
    assert json.loads(render_diff_json(changes))["timeline"] == []


def test_the_command_writes_changes_by_suffix(tmp_path: Path, sweep_of: SweepOf, row: RowOf) -> None:
    """`diff --output x.md` is Markdown, as `--format markdown` is on stdout."""
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(to_json(sweep_of(row())), encoding="utf-8")
    after.write_text(to_json(sweep_of(row())), encoding="utf-8")
    words = ["diff", str(before), str(after)]
    printed = CliRunner().invoke(app, [*words, "--format", "markdown"])
    CliRunner().invoke(app, [*words, "--output", str(tmp_path / "x.md")])
    assert printed.stdout.startswith("# egressd: what changed\n\nFrom ")
    assert (tmp_path / "x.md").read_text(encoding="utf-8") == printed.stdout
    assert CliRunner().invoke(app, [*words, "-f", "html"]).stdout.startswith("<!doctype html>")

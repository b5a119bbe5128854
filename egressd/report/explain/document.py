"""Explanations as JSON (`egressd.explain/1`), for chat bots and ticket systems."""

from __future__ import annotations

import json

from egressd.attribution.blame_text import CALL, blame_text
from egressd.attribution.reasons import CHAPTERS, REASONS, Reason
from egressd.attribution.reasons.by_path import confirmation_by_proxy
from egressd.attribution.reasons.reason import fill_template
from egressd.attribution.rules.certainties import certainty_text
from egressd.model.verdict import Blame, team_of
from egressd.report.explain.choose import Explained

SCHEMA = "egressd.explain/1"


def render_explained_json(explained: Explained) -> str:
    """Render explanations as JSON."""
    document = {
        "schema": SCHEMA,
        "reasons": [_reason(one) for one in explained.reasons],
        "blames": [_blame(one) for one in explained.blames],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _reason(one: Reason) -> dict[str, object]:
    through = confirmation_by_proxy(one)
    return {
        "code": one.code,
        "chapter": next(name for name, table in CHAPTERS.items() if one in table),
        "phase": one.phase,
        "title": one.title,
        "meaning": one.meaning,
        "signal": one.signal,
        "evidence": list(one.evidence),
        "outcome": one.severity,
        "certainty": certainty_text(one.code),
        "suspects": [
            {"blame": party, "text": blame_text(party), "team": team_of(party)}
            for party in one.suspects.parties
        ],
        "needs": list(one.needs),
        "advice": one.advise({}),
        "confirmation": one.confirmation({}),
        "confirmation_by_proxy": fill_template(through, {}) if through else None,
    }


def _blame(one: Blame) -> dict[str, object]:
    return {
        "blame": one,
        "text": blame_text(one),
        "team": team_of(one),
        "call": CALL[one],
        "reasons": [reason.code for reason in REASONS.values() if one in reason.suspects.parties],
    }

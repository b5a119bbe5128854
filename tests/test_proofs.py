"""Every reason code is shown by a test on real sockets, or listed as unproven, with why."""

from __future__ import annotations

import ast

import pytest

from egressd.attribution.reasons import REASONS
from tests.proofs import ROOT, SINGLE, proofs, unproven

LEAST = 90


def test_every_code_is_proven_or_said_not_to_be() -> None:
    """No code is in neither list, none in both, and none of either is unknown."""
    shown, missing = set(proofs()), set(unproven())
    assert set(REASONS) - shown - missing == set()
    assert shown & missing == set()
    assert (shown | missing) - set(REASONS) == set()


def test_most_codes_are_proven_by_real_software() -> None:
    """At least so many are shown by firewalls, resolvers, proxies and servers that are not ours."""
    real = [code for code, places in proofs().items() if any(not one.startswith("lab") for one in places)]
    assert len(real) >= LEAST


@pytest.mark.parametrize("name", SINGLE.values())
def test_a_single_proof_exists(name: str) -> None:
    """A test that is in no table exists under its name."""
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = (one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    assert function in {one.name for one in found}


def test_reasons_are_given() -> None:
    """A code is left unproven for a reason one can read."""
    assert [code for code, why in unproven().items() if len(why) < 20] == []

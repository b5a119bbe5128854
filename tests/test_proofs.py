"""Every reason code is proven by a test on real sockets, or listed as unproven, with why."""

from __future__ import annotations

import ast

import pytest

from egressd.attribution.reasons import REASONS
from tests.proofs import ROOT, SINGLE, proofs, unproven

LEAST = 90


def test_every_code_is_proven_or_listed_as_unproven() -> None:
    """Every code is in exactly one of both lists, and every listed code exists."""
    shown, missing = set(proofs()), set(unproven())
    assert set(REASONS) - shown - missing == set()
    assert shown & missing == set()
    assert (shown | missing) - set(REASONS) == set()


def test_most_codes_are_proven_by_real_software() -> None:
    """At least LEAST codes are proven with firewalls, resolvers, proxies and servers other than the lab."""
    real = [code for code, places in proofs().items() if any(not one.startswith("lab") for one in places)]
    assert len(real) >= LEAST


@pytest.mark.parametrize("name", SINGLE.values())
def test_a_proof_outside_the_tables_exists(name: str) -> None:
    """A test that is in no table exists under its name."""
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = (one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    assert function in {one.name for one in found}


def test_unproven_codes_have_a_reason() -> None:
    """Every unproven code has a reason of at least 20 characters."""
    assert [code for code, why in unproven().items() if len(why) < 20] == []

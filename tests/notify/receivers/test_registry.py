"""The receiver types: each has a name of its own, and importing them loads no client library."""

from __future__ import annotations

import subprocess
import sys

from egressd.notify.receivers import BY_TYPE, RECEIVERS


def test_every_type_has_a_name_of_its_own() -> None:
    """Every receiver type has a unique name."""
    assert len(BY_TYPE) == len(RECEIVERS)


def test_clients_are_imported_when_something_is_sent() -> None:
    """Loading a configuration imports neither aiohttp nor aiosmtplib."""
    code = (
        "import sys, egressd.notify.receivers, egressd.notify.dispatch; "
        "heavy = {'aiohttp', 'aiosmtplib'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""The network namespace that a bench measures in, with the servers, and what to say where it can't be had."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.servers import egressd_config, start_servers
from tests.servers.namespace import ServerNamespace

SERVERS = ("nginx", "dnsmasq", "unshare", "nsenter", "ip")
EXPORTER = "prometheus-blackbox-exporter"
PROMETHEUS = "prometheus"


def missing(*programs: str) -> list[str]:
    """Return which programs this host does not have."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return [name for name in programs if shutil.which(name, path=path) is None]


@contextmanager
def bench_network(*programs: str) -> Iterator[ServerNamespace]:
    """Yield the namespace with its servers; end aloud where it, or a program, can't be had."""
    if absent := missing(*SERVERS, *programs):
        print(f"SKIPPED: the bench needs {', '.join(absent)}")
        sys.exit(0)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        namespace = ServerNamespace.make(Path(folder))
        if namespace.holder is None:
            print("SKIPPED: the bench needs root, or user namespaces, for a network of its own")
            sys.exit(0)
        cache_bytecode(Path(folder))
        try:
            start_servers(namespace)
            namespace.egressd("--once", f"--config.file={egressd_config(namespace, first=1)}")  # compiles
            yield namespace
        finally:
            namespace.close()


def cache_bytecode(folder: Path) -> None:
    """Let programs cache their bytecode as installed ones do, whatever the caller's environment."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")

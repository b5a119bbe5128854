"""A minimal Debian to boot, or to build an image on, cached in the user's cache folder.

The name of a cached file contains a digest of its inputs, so it is never out of date.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE, PYTHON = "bookworm", "3.11"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3", "python3-venv", "ca-certificates")
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
SBIN_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def skip_without(*programs: str) -> None:
    """Skip with the reason without root or these programs."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    missing = [name for name in programs if shutil.which(name, path=SBIN_PATH) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def debian() -> Path:
    """Return the archive of a minimal Debian with systemd and Python."""
    command = ["mmdebstrap", "--quiet", "--variant=essential", f"--include={','.join(PACKAGES)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    return _cached(
        f"debian-{_digest(*command, SUITE)}.tar",
        lambda path: _run(*command, "--format=tar", SUITE, str(path)),
    )


def package() -> Path:
    """Build the offline installation package from this tree, and return its path."""
    folder = Path(tempfile.mkdtemp(prefix="egressd-package-"))
    _run(str(ROOT / "scripts" / "wheelhouse"), sys.executable, str(folder), PYTHON)
    (made,) = folder.iterdir()
    return made


def build_wheels(folder: Path) -> None:
    """Download the build and runtime wheels into a folder."""
    _download(folder, "build.txt")
    _download(folder, "runtime.txt")


def _download(folder: Path, requirements: str) -> None:
    asked = ROOT / "requirements" / requirements
    cached = _cached(
        f"wheels-{_digest(asked.read_text(encoding='utf-8'), PYTHON)}", lambda path: _fetch(asked, path)
    )
    shutil.copytree(cached, folder, dirs_exist_ok=True)


def _fetch(requirements: Path, into: Path) -> None:
    machine = os.uname().machine
    platforms = [f"--platform=manylinux{tag}_{machine}" for tag in ("_2_28", "_2_17", "2014", "_2_5")]
    command = [sys.executable, "-m", "pip", "-qq", "download", "--require-hashes", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}", *platforms]
    command += [f"--abi={abi}" for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none")]
    _run(*command, f"--dest={into}", f"--requirement={requirements}")


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    """Return a cached file or folder; make it first where there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "egressd-tests"
    cached = cache / name
    if not cached.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            make(Path(folder) / name)
            (Path(folder) / name).rename(cached)
    return cached


def _run(*command: str) -> None:
    """Run a command that may need a package mirror; skip where it fails."""
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": SBIN_PATH}
    )
    if ended.returncode != 0:
        last = (ended.stderr or ended.stdout).strip().splitlines()[-3:]
        pytest.skip(f"{Path(command[0]).name} failed: {' / '.join(last)}")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

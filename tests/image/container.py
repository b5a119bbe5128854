"""An image built by buildah from the Dockerfile, and a container of it run by runc.

The base is a Debian made on this machine, and wheels come from a folder: no registry is used.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.systemd.debian import ROOT, build_wheels, debian

CONTEXT = (
    "Dockerfile",
    ".dockerignore",
    "requirements",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "egressd",
    "docs",
    "share",
    "config",
)
START_TIMEOUT = 60.0


@dataclass(frozen=True)
class Store:
    """The folder for images and containers of a test session."""

    folder: Path

    def buildah(self, *words: str) -> str:
        """Run buildah without a network; it must succeed."""
        ended = self._run(self._driver, *words)
        assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
        return ended.stdout.strip()

    @cached_property
    def _driver(self) -> str:
        """The storage driver: overlay where the file system supports it, else vfs."""
        return "overlay" if self._run("overlay", "info").returncode == 0 else "vfs"

    def _run(self, driver: str, *words: str) -> subprocess.CompletedProcess[str]:
        place = [
            f"--root={self.folder}/{driver}",
            f"--runroot={self.folder}/run",
            f"--storage-driver={driver}",
        ]
        command = ["unshare", "--net", "buildah", *place, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def build(self) -> dict[str, Any]:
        """Build the image and return its configuration."""
        base, context = self.folder / "base", self.folder / "context"
        base.mkdir()
        shutil.copy(debian(), base / "base.tar")
        (base / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n", encoding="ascii")
        self.buildah("bud", "--isolation=chroot", "--tag=localhost/base", str(base))
        _copy_context(context)
        build_wheels(context / "requirements" / "wheels")
        words = ("--isolation=chroot", "--format=docker", "--build-arg=BASE=localhost/base")
        self.buildah("bud", *words, "--tag=localhost/egressd", str(context))
        image = json.loads(self.buildah("inspect", "--type=image", "localhost/egressd"))
        config: dict[str, Any] = image["Docker"]["config"]
        return config

    def unpacked(self) -> Path:
        """Return the files of a container made from the image."""
        return Path(self.buildah("mount", self.buildah("from", "localhost/egressd")))

    def close(self) -> None:
        """Unmount and remove everything."""
        self.buildah("umount", "--all")
        self.buildah("rm", "--all")


def _copy_context(into: Path) -> None:
    into.mkdir()
    for name in CONTEXT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, into / name, ignore=shutil.ignore_patterns("__pycache__", "wheels"))
        else:
            shutil.copy(ROOT / name, into / name)


@dataclass(slots=True, kw_only=True)
class Container:
    """A container run as its image is configured: read-only, no capabilities, its own network namespace."""

    folder: Path
    name: str
    process: subprocess.Popen[bytes] = field(init=False)

    def start(
        self,
        files: Path,
        image: dict[str, Any],
        *,
        arguments: tuple[str, ...] = (),
        environment: tuple[str, ...] = (),
        given: Path | None = None,
    ) -> None:
        """Start it, with further arguments and environment variables, and a folder at `/run/given`."""
        bundle = self.folder / "bundle"
        bundle.mkdir()
        subprocess.run(["runc", "spec"], cwd=bundle, check=True)
        path = bundle / "config.json"
        spec = json.loads(path.read_text(encoding="utf-8"))
        spec = _confined(spec, files, image)
        spec["process"]["args"] += arguments
        spec["process"]["env"] = [*spec["process"]["env"], *environment]
        if given is not None:
            mount = {"type": "bind", "source": str(given), "options": ["bind", "ro"]}
            spec["mounts"].append({"destination": "/run/given", **mount})
        path.write_text(json.dumps(spec), encoding="utf-8")
        with (self.folder / "log").open("wb") as log:
            command = ["runc", f"--root={self.folder}/runc", "run", f"--bundle={bundle}", self.name]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def log(self) -> str:
        """Its output so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as its user."""
        words = ["runc", f"--root={self.folder}/runc", "exec", self.name, *command]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    def wait(self, *command: str) -> None:
        """Wait until a command inside succeeds."""
        end = time.monotonic() + START_TIMEOUT
        while (ended := self.run(*command)).returncode != 0:
            assert self.process.poll() is None, self.log[-4000:]
            assert time.monotonic() < end, ended.stdout + ended.stderr + self.log[-4000:]
            time.sleep(0.2)

    def signal(self, name: str) -> None:
        """Send a signal to its process 1."""
        subprocess.run(["runc", f"--root={self.folder}/runc", "kill", self.name, name], check=True)

    def close(self) -> None:
        """Delete it, running or not."""
        subprocess.run(["runc", f"--root={self.folder}/runc", "delete", "--force", self.name], check=False)
        self.process.wait(20)


def _confined(spec: dict[str, Any], files: Path, image: dict[str, Any]) -> dict[str, Any]:
    """Return a spec with the image's settings only; its volumes are empty and owned by its user."""
    uid, gid = map(int, image["User"].split(":"))
    process = spec["process"] | {
        "terminal": False,
        "user": {"uid": uid, "gid": gid},
        "args": [*image["Entrypoint"], *image["Cmd"]],
        "env": image["Env"],
        "capabilities": {},
    }
    process.pop("rlimits")
    options = [f"uid={uid}", f"gid={gid}", "mode=0700"]
    volumes = [
        {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": options}
        for path in image["Volumes"]
    ]
    root = {"path": str(files), "readonly": True}
    return spec | {"process": process, "root": root, "mounts": [*spec["mounts"], *volumes]}

"""Watches a daemon from outside: how much memory it takes, and how fast it says that it is well."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

EVERY = 0.1
LIMIT = 30.0
"""Seconds after which a question is given up: on a busy machine it waits for a processor first."""


@dataclass
class Watcher:
    """A thread that asks; `watch` says whom, `pause` that the daemon is stopped on purpose."""

    most_kib: int = 0
    """The largest resident memory of any daemon."""
    slowest: float = 0.0
    """Seconds of the slowest answer, without the time in which the daemon or this thread had no processor."""
    answers: int = 0
    bad: list[str] = field(default_factory=list)
    _place: tuple[int, int] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def watch(self, pid: int, port: int) -> None:
        """Ask this daemon from now on."""
        with self._lock:
            self._place = (pid, port)

    def pause(self) -> None:
        """Ask nobody; returns when no question is open."""
        with self._lock:
            self._place = None

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            with self._lock:
                if self._place is not None:
                    self._ask(*self._place)

    def _ask(self, pid: int, port: int) -> None:
        begun, waited = time.monotonic(), _waited(pid) + _waited(threading.get_native_id())
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/healthy", timeout=LIMIT) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            self.bad.append(f"{error.code} {error.read()!r}")
        except OSError as error:
            self.bad.append(f"{type(error).__name__}: {error}")
        starved = _waited(pid) + _waited(threading.get_native_id()) - waited
        self.answers += 1
        self.slowest = max(self.slowest, time.monotonic() - begun - starved)
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            kib = next(int(one.split()[1]) for one in status if one.startswith("VmHWM"))
            self.most_kib = max(self.most_kib, kib)


def _waited(pid: int) -> float:
    """Return the seconds for which a thread could have run and had no processor."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0

"""Keys of the terminal on stdin, read one by one while a watch runs; the terminal is left as it was.

Only the foreground job may read a terminal or change its mode: another one would be stopped by the kernel.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from msgspec import Struct, field

KEYS = frozenset(b"\r\n rR")
"""Keys that ask for a pass."""
ENDING = (signal.SIGHUP, signal.SIGQUIT)
"""Signals that end the process by themselves, and would leave the terminal without echo."""
_LOCAL, _CHARACTERS = 3, 6
"""Places in what tcgetattr returns."""


class Keyboard(Struct, kw_only=True):
    """The terminal on stdin, as long as this process has it in the foreground."""

    descriptor: int
    on_key: Callable[[], None]
    loop: asyncio.AbstractEventLoop
    _before: list[Any] | None = None
    """The terminal's mode while it is not ours; None: it has that mode."""
    _handled: list[int] = field(default_factory=list)

    def follow(self) -> None:
        """Take the terminal where this process is in the foreground, and leave it alone where it is not."""
        if not _is_foreground(self.descriptor):
            self._forget()
        elif self._before is None:
            with suppress(termios.error, OSError):
                self._before = termios.tcgetattr(self.descriptor)
                termios.tcsetattr(self.descriptor, termios.TCSANOW, _by_key(self._before))
                self.loop.add_reader(self.descriptor, self._read)

    def release(self) -> None:
        """Give the terminal its mode back."""
        before = self._before
        self._forget()
        if before is not None and _is_foreground(self.descriptor):
            with suppress(termios.error, OSError):
                termios.tcsetattr(self.descriptor, termios.TCSANOW, before)

    def handle_signals(self) -> None:
        """Release the terminal also where the process is suspended or ended by a signal."""
        handlers: dict[signal.Signals, Callable[[], None]] = {
            signal.SIGTSTP: self._suspend,
            signal.SIGCONT: self.follow,
        }
        handlers |= {number: partial(self._end, number) for number in ENDING}
        for number, handler in handlers.items():
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
                self.loop.add_signal_handler(number, handler)
                self._handled.append(number)

    def close(self) -> None:
        """Release the terminal for good."""
        for number in self._handled:
            self.loop.remove_signal_handler(number)
        self.release()

    def _read(self) -> None:
        try:
            data = os.read(self.descriptor, 1024)
        except OSError:
            data = b""
        if not data:
            self._forget()
        elif not KEYS.isdisjoint(data):
            self.on_key()

    def _forget(self) -> None:
        self.loop.remove_reader(self.descriptor)
        self._before = None

    def _suspend(self) -> None:
        """Stop as Ctrl-Z does; what comes after is done when the process goes on."""
        self.release()
        self.loop.remove_signal_handler(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)
        self.loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self.follow()

    def _end(self, number: int) -> None:
        self.close()
        os.kill(os.getpid(), number)


@contextmanager
def open_keyboard(on_key: Callable[[], None]) -> Iterator[Keyboard | None]:
    """Read keys of the terminal on stdin; None where stdin is none."""
    descriptor = _terminal()
    if descriptor is None:
        yield None
        return
    keyboard = Keyboard(descriptor=descriptor, on_key=on_key, loop=asyncio.get_running_loop())
    keyboard.handle_signals()
    try:
        keyboard.follow()
        yield keyboard
    finally:
        keyboard.close()


@contextmanager
def signalled(on_signal: Callable[[], None]) -> Iterator[None]:
    """Call a function at each SIGUSR1."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, on_signal)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)
        ignore_requests()


def ignore_requests() -> None:
    """Ignore SIGUSR1, which would end the process while nobody waits for it."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def _terminal() -> int | None:
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):
        return None
    return descriptor if os.isatty(descriptor) else None


def _is_foreground(descriptor: int) -> bool:
    """Return whether reading may not stop this process: a terminal that is not its own never does."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return os.isatty(descriptor)


def _by_key(mode: list[Any]) -> list[Any]:
    """Return a mode in which keys come one by one, unseen; Ctrl-C and Ctrl-Z stay what they are."""
    changed = [*mode[:_CHARACTERS], [*mode[_CHARACTERS]]]
    changed[_LOCAL] &= ~(termios.ICANON | termios.ECHO)
    changed[_CHARACTERS][termios.VMIN], changed[_CHARACTERS][termios.VTIME] = 1, 0
    return changed

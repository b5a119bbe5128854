"""The web configuration in force: who may log in, response headers, TLS; reloaded when files change."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct, field

from egressd.errors import ConfigError
from egressd.log import get_logger
from egressd.web.login import Login
from egressd.web.tls import ServerContext, server_context
from egressd.web.webconfig import WebConfig, read_web_config

log = get_logger("egressd")

Signature = tuple[tuple[str, int, int, int], ...]


class AccessRules(Struct, frozen=True, kw_only=True):
    """What one reading of the file gave."""

    config: WebConfig = field(default_factory=WebConfig)
    login: Login = field(default_factory=lambda: Login(()))
    context: ServerContext | None = None


class Access(Struct, kw_only=True):
    """The rules in force. A file that became invalid leaves them as they are."""

    rules: AccessRules = field(default_factory=AccessRules)
    problems: tuple[str, ...] = ()
    """Why the changed file is not in force; empty: it is."""
    _path: Path | None = None
    _signature: Signature = ()

    def load(self, path: str | None) -> None:
        """Read the file at start.

        Raises:
            ConfigError: it is wrong, or a file it names can't be used.
        """
        self._path = Path(path) if path else None
        rules = _read(self._path)
        self._signature = _signature_of(self._path, rules)
        self.rules = rules

    def has_file(self, path: str | None) -> bool:
        """Whether there is a file to look at: one that is configured now, or the one in force."""
        return bool(path) or self._path is not None

    def refresh(self, path: str | None) -> bool:
        """Read the file again if it or a file it names has changed; return whether the rules changed."""
        wanted = Path(path) if path else None
        signature = _signature_of(wanted, self.rules)
        if wanted == self._path and signature == self._signature:
            return False
        self._path, self._signature = wanted, signature
        found = _try(wanted)
        if isinstance(found, ConfigError):
            log.error("the web configuration is invalid; the one before stays", problems=found.problems)
            self.problems = found.problems
            return False
        self.problems = ()
        self.rules = rules = found
        self._signature = _signature_of(wanted, rules)
        log.info("read the web configuration again", file=str(wanted))
        return True


def check_file(path: str | None) -> None:
    """Validate a web configuration, its certificates and keys included.

    Raises:
        ConfigError: all of its errors, or a file it names can't be used.
    """
    _read(Path(path) if path else None)


def _try(path: Path | None) -> AccessRules | ConfigError:
    try:
        return _read(path)
    except ConfigError as error:
        return error


def _read(path: Path | None) -> AccessRules:
    if path is None:
        return AccessRules()
    config = read_web_config(path)
    context = server_context(config.tls) if config.tls else None
    return AccessRules(config=config, login=Login(config.users), context=context)


def _signature_of(path: Path | None, rules: AccessRules) -> Signature:
    """Return what changes when a file is written or removed."""
    files = (path, *(rules.config.tls.files if rules.config.tls else ())) if path else ()
    return tuple((str(one), *_stamp(one)) for one in files)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - the same for a file that is gone
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)

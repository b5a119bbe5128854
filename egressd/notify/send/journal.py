"""The journal of this host: one datagram for each entry, or a sealed file where it is too large for one."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket

from egressd.notify.delivery import Delivery, arrived, failed
from egressd.notify.send.trouble import describe

SOCKET = "/run/systemd/journal/socket"


async def send_entry(entry: bytes, path: str = SOCKET) -> Delivery:
    """Send an entry. Nothing waits: a journal that can't take it now may do so later."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
            way.setblocking(False)
            way.connect(path)
            _put(way, entry)
    except OSError as error:
        return failed(f"the journal: {describe(error, path)}")
    return arrived()


def _put(way: socket.socket, entry: bytes) -> None:
    try:
        way.send(entry)
    except OSError as error:
        if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
            raise
        _put_sealed(way, entry)


def _put_sealed(way: socket.socket, entry: bytes) -> None:
    """Send a file in memory that nobody can change any more, as sd_journal_send does."""
    file = os.memfd_create("egressd-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(os.dup(file), "wb") as stream:
            stream.write(entry)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        way.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))])
    finally:
        os.close(file)

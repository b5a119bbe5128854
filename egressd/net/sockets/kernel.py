"""What the Linux kernel knows about a socket: TCP_INFO, and ICMP errors of the error queue (ip(7)).

Both are feature-detected: an older kernel returns fewer bytes, another system none; missing values are None.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from typing import Literal

from egressd.model.observation import Icmp, TcpInfo

IP_RECVERR = 11
IPV6_RECVERR = 25
MSG_ERRQUEUE = 0x2000
_TCP_INFO = getattr(socket, "TCP_INFO", 11)
_TCP_INFO_SIZE = 256

# Offsets into struct tcp_info of linux/tcp.h; fields were only ever added at its end.
_SINCE_4_1 = struct.Struct("=B15x3I32xI4xI28xI16x2Q")
"""State; at 16 the MSS to send and to receive, and unacked segments; at 60 the path MTU; at 68 the RTT; at
100 the retransmits; at 120 the bytes acked and received."""
_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")
_BYTES_SENT, _OUT_OF_ORDER, _PEER_WINDOW = 200, 224, 228

# struct sock_extended_err of linux/errqueue.h: errno, origin, type, code, pad, info, data.
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_ORIGIN_LOCAL, _ORIGIN_ICMP, _ORIGIN_ICMP6 = 1, 2, 3
_MAX_ERRORS = 16


def tcp_info(sock: socket.socket) -> TcpInfo | None:
    """Return TCP_INFO; None where the kernel has none or the socket is closed."""
    try:
        raw = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TCP_INFO_SIZE)
    except OSError:
        return None
    return parse_tcp_info(raw)


def parse_tcp_info(raw: bytes) -> TcpInfo | None:
    """Parse struct tcp_info; None where it has no `tcpi_bytes_acked` (before Linux 4.1)."""
    if len(raw) < _SINCE_4_1.size:
        return None
    state, send_mss, receive_mss, unacked, path_mtu, rtt, retransmits, acked, received = (
        _SINCE_4_1.unpack_from(raw)
    )
    return TcpInfo(
        state=state,
        bytes_acked=acked,
        bytes_received=received,
        bytes_sent=_u64(raw, _BYTES_SENT),
        retransmits=retransmits,
        out_of_order=_u32(raw, _OUT_OF_ORDER),
        unacked=unacked,
        rtt_ms=rtt / 1000,
        path_mtu=path_mtu,
        send_mss=send_mss,
        receive_mss=receive_mss,
        peer_window=_u32(raw, _PEER_WINDOW),
    )


def _u32(raw: bytes, offset: int) -> int | None:
    return int(_U32.unpack_from(raw, offset)[0]) if len(raw) >= offset + 4 else None


def _u64(raw: bytes, offset: int) -> int | None:
    return int(_U64.unpack_from(raw, offset)[0]) if len(raw) >= offset + 8 else None


def queue_icmp(sock: socket.socket) -> None:
    """Turn on the error queue (IP_RECVERR); where that fails, errno is all there is."""
    with contextlib.suppress(OSError):
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def read_icmp(sock: socket.socket) -> Icmp | None:
    """Drain the error queue and return its last ICMP error; None if there is none."""
    found: Icmp | None = None
    for _ in range(_MAX_ERRORS):
        try:
            _, ancillary, _, _ = sock.recvmsg(512, 512, MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            break
        for _, _, payload in ancillary:
            found = parse_extended_error(payload) or found
    return found


def parse_extended_error(payload: bytes) -> Icmp | None:
    """Parse a sock_extended_err and the offender that follows it; None where it is no ICMP error.

    An error of the local kernel (SO_EE_ORIGIN_LOCAL) has no offender: it is this host.
    """
    if len(payload) < _EXTENDED_ERROR.size:
        return None
    _, origin, kind, code, _, _, _ = _EXTENDED_ERROR.unpack_from(payload)
    if origin not in (_ORIGIN_LOCAL, _ORIGIN_ICMP, _ORIGIN_ICMP6):
        return None
    offender = _offender(payload[_EXTENDED_ERROR.size :])
    version: Literal[4, 6] = 6 if origin == _ORIGIN_ICMP6 or ":" in offender else 4
    local = origin == _ORIGIN_LOCAL or is_own_address(offender)
    return Icmp(type=kind, code=code, offender=offender, version=version, local=local)


def _offender(address: bytes) -> str:
    """Return the address of a sockaddr; empty where it is unspecified."""
    family = int.from_bytes(address[:2], "little" if struct.pack("=H", 1)[0] else "big")
    if family == socket.AF_INET and len(address) >= 8:
        return socket.inet_ntop(socket.AF_INET, address[4:8])
    if family == socket.AF_INET6 and len(address) >= 24:
        return socket.inet_ntop(socket.AF_INET6, address[8:24])
    return ""


def is_own_address(address: str) -> bool:
    """Return whether an address belongs to this host, by binding to it."""
    if not address:
        return False
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))
    except OSError as error:
        # Binding to a link-local address needs the index of its interface.
        return (
            error.errno == errno.EINVAL
            and address.lower().startswith("fe80:")
            and _is_own_link_local(address)
        )
    return True


def leads_to_this_host(address: str) -> bool:
    """Return whether packets to an address stay here, by the route the kernel chooses; nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9))
            return bool(sock.getsockname()[0] == address)
    except OSError:
        return False


def _is_own_link_local(address: str) -> bool:
    """Return whether an interface has this link-local address."""
    for _, name in socket.if_nameindex():
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0, 0, socket.if_nametoindex(name)))
            return True
    return False

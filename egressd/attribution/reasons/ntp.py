"""Reasons in NTP: one request to a time server."""

from __future__ import annotations

from egressd.attribution.blame.suspects import FAR_END, NOTHING_KNOWN, REFUSED, SYN_UNANSWERED
from egressd.attribution.reasons.commands import AGAIN, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Outcome

_ASK = "$ chronyd -Q -t 5 'server {host} iburst'"
_CAPTURE = "$ tcpdump -n -i any udp port 123 and host {address}"

NTP: tuple[Reason, ...] = (
    Reason(
        code="ntp_no_answer",
        phase=Phase.NTP,
        title="The time server does not answer",
        meaning="The request to the time server stays unanswered. Outbound udp/123 is closed on most "
        "firewalls unless it was opened; a clock that drifts breaks TLS later.",
        signal="No answer on udp/123 within the time allowed, and no ICMP error.",
        evidence=(
            "ntp.failure: timeout",
            "ntp.remote_address, ntp.local_port: to find the log entry",
            "controls.repeat: no answer again",
        ),
        suspects=SYN_UNANSWERED,
        severity=Outcome.BLOCKED,
        advice="Allow udp/123 from {source} to {host} ({address}), or tell us the internal time server to "
        "use.",
        confirm=steps(_ASK, _CAPTURE, "Requests go out and no reply comes in."),
    ),
    Reason(
        code="ntp_refused",
        phase=Phase.NTP,
        title="The time server or a firewall refuses udp/123",
        meaning="An ICMP error came back for the request: a device prohibits it, or nothing listens on the "
        "port. The sender of the error is known.",
        signal="An ICMP port unreachable or `administratively prohibited` for udp/123.",
        evidence=(
            "ntp.icmp.type, ntp.icmp.code: which error",
            "ntp.icmp.offender: the sender of the error",
            "ntp.errno: as the socket saw it",
        ),
        suspects=REFUSED,
        severity=Outcome.BLOCKED,
        advice="On the device reporting itself as {offender}: allow udp/123 from {source} to {host}; if "
        "that is the time server itself, use one that serves time.",
        confirm=steps(_ASK, "$ tcpdump -n -i any 'icmp or icmp6'"),
    ),
    Reason(
        code="ntp_kiss_of_death",
        phase=Phase.NTP,
        title="The time server rejects the client (kiss of death)",
        meaning="The path is open; the server declines: too many requests (RATE) or no access (DENY). "
        "Behind one NAT address, others may have used up the allowance.",
        signal="An answer of stratum 0 with a kiss code.",
        evidence=(
            "ntp.kiss: RATE, DENY, RSTR, ...",
            "ntp.stratum: 0",
        ),
        suspects=FAR_END,
        severity=Outcome.DEGRADED,
        advice="Ask {host} less often, or point {source} to an internal time server; the firewall lets the "
        "traffic pass.",
        confirm=steps(_ASK, "$ chronyc ntpdata"),
    ),
    Reason(
        code="ntp_unsynchronized",
        phase=Phase.NTP,
        title="The time server is not synchronised",
        meaning="The server answers but is not synchronised, so its time must not be used.",
        signal="An answer with the alarm leap indicator, or of stratum 16 or 0 without a kiss code.",
        evidence=(
            "ntp.stratum: 16 or 0",
            "ntp.offset_seconds: not to be trusted",
        ),
        suspects=FAR_END,
        severity=Outcome.DOWN,
        advice="Have the time server {host} synchronised, or point {source} to another one; the path to it "
        "is open.",
        confirm=steps(_ASK, "$ chronyc -h {host} tracking"),
    ),
    Reason(
        code="ntp_unknown",
        phase=Phase.NTP,
        title="NTP failed for an unknown reason",
        meaning="The request to the time server failed and no rule explains it.",
        signal="A failure in the NTP phase that fits none of the known signatures.",
        evidence=(
            "ntp.failure, ntp.errno, ntp.detail: the raw failure",
            "ntp.icmp: the sender of an ICMP error, if any",
        ),
        suspects=NOTHING_KNOWN,
        severity=Outcome.UNKNOWN,
        advice="Look up udp/123 from {source} to {address} at {time} in the firewall log, with the facts of "
        "this report at hand.",
        confirm=steps(_ASK, AGAIN),
    ),
)

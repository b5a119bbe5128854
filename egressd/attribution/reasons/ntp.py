"""What goes wrong with the one datagram sent to a time server."""

from __future__ import annotations

from egressd.attribution.reasons.commands import AGAIN, lines
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Confidence, Outcome

_ASK = "$ chronyd -Q -t 5 'server {host} iburst'"
_CAPTURE = "$ tcpdump -n -i any udp port 123 and host {address}"

NTP: tuple[Reason, ...] = (
    Reason(
        code="ntp_no_answer",
        phase=Phase.NTP,
        title="The time server does not answer",
        meaning="The datagram to the time server stays unanswered. Outbound udp/123 is closed on most "
        "firewalls unless somebody opens it; a clock that drifts breaks TLS later.",
        signal="No answer on udp/123 within the time allowed, and no ICMP error.",
        evidence=(
            "ntp.failure: timeout",
            "ntp.remote_address, ntp.local_port: for the row in the log",
            "controls.repeat: silent again",
        ),
        blame=Blame.FIREWALL_L3L4,
        severity=Outcome.BLOCKED,
        advice="Allow udp/123 from {source} to {host} ({address}), or tell us the internal time server to "
        "use.",
        confirm=lines(_ASK, _CAPTURE, "Requests go out and no reply comes in."),
        base=Confidence.MEDIUM,
        capped="High when repeats stay silent and another time server answers.",
    ),
    Reason(
        code="ntp_refused",
        phase=Phase.NTP,
        title="The time server or a firewall refuses udp/123",
        meaning="An ICMP error came back for the datagram: prohibited by a device, or nothing listens "
        "there. The sender of the error is known.",
        signal="An ICMP port unreachable or `administratively prohibited` for udp/123.",
        evidence=(
            "ntp.icmp.type, ntp.icmp.code: which error",
            "ntp.icmp.offender: who sent it",
            "ntp.errno: as the socket saw it",
        ),
        blame=Blame.FIREWALL_L3L4,
        severity=Outcome.BLOCKED,
        advice="On the device reporting itself as {offender}: allow udp/123 from {source} to {host}; if "
        "that is the time server itself, use one that serves time.",
        confirm=lines(_ASK, "$ tcpdump -n -i any 'icmp or icmp6'"),
        base=Confidence.HIGH,
        capped="Confirmed when the sender is not the time server.",
    ),
    Reason(
        code="ntp_kiss_of_death",
        phase=Phase.NTP,
        title="The time server tells us to go away",
        meaning="The path is open; the server declines: too many questions (RATE) or no access (DENY). "
        "Behind one NAT address, others may have used up the allowance.",
        signal="An answer of stratum 0 with a kiss code.",
        evidence=(
            "ntp.kiss: RATE, DENY, RSTR, ...",
            "ntp.stratum: 0",
        ),
        blame=Blame.AZURE_SERVICE,
        severity=Outcome.DEGRADED,
        advice="Ask {host} less often, or point {source} to an internal time server; the firewall lets the "
        "traffic pass.",
        confirm=lines(_ASK, "$ chronyc ntpdata"),
        base=Confidence.CONFIRMED,
    ),
    Reason(
        code="ntp_unsynchronized",
        phase=Phase.NTP,
        title="The time server has no time of its own",
        meaning="The server answers but is not synchronised, so its time must not be used.",
        signal="An answer with the alarm leap indicator, or of stratum 16 or 0 without a kiss code.",
        evidence=(
            "ntp.stratum: 16 or 0",
            "ntp.offset_seconds: not to be trusted",
        ),
        blame=Blame.AZURE_SERVICE,
        severity=Outcome.DOWN,
        advice="Have the time server {host} synchronised, or point {source} to another one; the path to it "
        "is open.",
        confirm=lines(_ASK, "$ chronyc -h {host} tracking"),
        base=Confidence.CONFIRMED,
    ),
    Reason(
        code="ntp_unknown",
        phase=Phase.NTP,
        title="NTP failed in a way we have no name for",
        meaning="The question to the time server failed and no rule explains it.",
        signal="A failure in the NTP phase that fits none of the known signatures.",
        evidence=(
            "ntp.failure, ntp.errno, ntp.detail: the raw failure",
            "ntp.icmp: who complained, if anyone",
        ),
        blame=Blame.UNKNOWN_MIDDLEBOX,
        severity=Outcome.UNKNOWN,
        advice="Look up udp/123 from {source} to {address} at {time} in the firewall log, with the raw "
        "facts of this report beside it.",
        confirm=lines(_ASK, AGAIN),
        base=Confidence.LOW,
    ),
)

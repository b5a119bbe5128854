"""Command lines people check with; the names in braces are filled in when a reason is shown.

A line that starts with `$ ` is a command, one that starts with two blanks goes on with it; anything
else is prose. With names in capitals each fits a terminal of 80 columns.
"""

from __future__ import annotations

DIG = "$ dig @{resolver} {host} A +tries=1 +time=3"
DIG_AAAA = "$ dig @{resolver} {host} AAAA +tries=1 +time=3"
DIG_TCP = "$ dig @{resolver} {host} A +tcp +tries=1 +time=3"
DIG_OTHER = "$ dig @OTHER-RESOLVER {host} A +tries=1 +time=3"
DIG_SIBLING = "$ dig @{resolver} check-1a2b3c.{host} A +tries=1 +time=3"
ROUTE = "$ ip route get {address}"
CONNECT = "$ nc -vz -w 8 {address} {port}"
TRACE = "$ traceroute -n -T -p {port} {address}"
CAPTURE = "$ tcpdump -n -i any host {address} and port {port}"
HELLO = "$ openssl s_client -connect {address}:{port} -servername {sni} </dev/null"
HELLO_OTHER = "$ openssl s_client -connect {address}:{port} -servername OTHER-NAME </dev/null"
CHAIN = "$ openssl s_client -connect {address}:{port} -servername {sni} \\\n  -showcerts </dev/null"
CURL = "$ curl -sv -o /dev/null https://{host}:{port}/ \\\n  --resolve {host}:{port}:{address}"
CURL_PLAIN = "$ curl -sv http://{host}:{port}/ --resolve {host}:{port}:{address}"
CURL_PROXY = "$ curl -sv -o /dev/null -x {proxy} https://{host}:{port}/"
CURL_DIRECT = "$ curl -sv -o /dev/null --noproxy '*' https://{host}:{port}/"
AGAIN = "$ egressd --once --only '{host}'"


def lines(*parts: str) -> str:
    """Join command lines and prose, one below the other."""
    return "\n".join(parts)

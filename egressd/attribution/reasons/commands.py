"""Commands for checking a reason by hand; names in braces are filled in when it is shown.

A line that starts with `$ ` is a command, one that starts with two blanks continues it; anything else
is prose. With names in capitals each fits a terminal of 80 columns.
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
CLIENT_HELLO = "$ openssl s_client -connect {remote} -servername {sni} </dev/null"
CLIENT_HELLO_OTHER = "$ openssl s_client -connect {remote} -servername OTHER-NAME </dev/null"
CHAIN = "$ openssl s_client -connect {remote} -servername {sni} \\\n  -showcerts </dev/null"
CURL = "$ curl -sv -o /dev/null https://{place}/ \\\n  --connect-to ::{remote}"
CURL_PLAIN = "$ curl -sv http://{place}/ --connect-to ::{remote}"
CURL_PROXY = "$ curl -sv -o /dev/null -x {proxy} https://{place}/"
PROXY_CLIENT_HELLO = (
    "$ openssl s_client -proxy PROXY-HOST:PORT -connect {place} \\\n  -servername {sni} </dev/null"
)
CURL_DIRECT = "$ curl -sv -o /dev/null --noproxy '*' https://{place}/"
AGAIN = "$ egressd --once --only '{host}'"


def steps(*parts: str) -> str:
    """Join command lines and prose, one below the other."""
    return "\n".join(parts)

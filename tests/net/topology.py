"""A small Internet in network namespaces: client - firewall - router - server, made new for each test.

    client    192.0.2.130, .131, .132 /26   2001:db8:1::130, ::131, ::132 /64
       |
    firewall  192.0.2.129 (inside)          2001:db8:1::129
       |      192.0.2.193 (outside)         2001:db8:2::193
    router    192.0.2.194                   2001:db8:2::194
       |      198.51.100.1                  2001:db8:3::1
    server    198.51.100.2, .53, .54        2001:db8:3::2, ::53, ::54
              203.0.113.0/24 and 2001:db8:113::/64: every address of these is the server's own

The firewall and the router forward everything until a test changes that. The router drops silently what is
sent to unassigned addresses (192.0.2.1 and 192.0.2.53 above all). An unused address of 198.51.100.0/24 gets
the router's "host unreachable". Nothing is connected to this machine's own network.

In each namespace the interfaces are called `inside` (towards the client) and `outside` (towards the server).
Namespaces are named `egressd-<pid>-<number>-<part>`, so that tests can run side by side; those of a test run
that was killed are removed by the next one.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

CLIENT, CLIENT6 = "192.0.2.130", "2001:db8:1::130"
APPLIANCE_1, APPLIANCE_2 = "192.0.2.131", "192.0.2.132"
FIREWALL, FIREWALL6 = "192.0.2.129", "2001:db8:1::129"
FIREWALL_OUTSIDE = "192.0.2.193"
ROUTER, ROUTER6 = "192.0.2.194", "2001:db8:2::194"
SERVER, SERVER6 = "198.51.100.2", "2001:db8:3::2"
RESOLVER, RESOLVER6 = "198.51.100.53", "2001:db8:3::53"
SECOND_RESOLVER = "198.51.100.54"
ABSENT_HOST = "198.51.100.99"
"""Unassigned, on the last link: the router answers host-unreachable after three seconds."""
BLACKHOLED = "198.18.0.99"
"""Dropped silently by the router."""
PUBLIC_NETWORKS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32")
"""The Internet of this laboratory: reserved networks, which count as public in its configurations."""

PREFIX = "egressd"
PARTS = ("client", "firewall", "router", "server")
NETNS_ETC = Path("/etc/netns")
"""Files here shadow those of /etc for what `ip netns exec` starts."""
START_TIMEOUT = 90.0
"""Seconds that a server may take to listen."""
SBIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Servers are in sbin, which is not on every user's PATH."""

_numbers = itertools.count(1)

LINKS = (
    "link add outside netns {client} type veth peer name inside netns {firewall}",
    "link add outside netns {firewall} type veth peer name inside netns {router}",
    "link add outside netns {router} type veth peer name inside netns {server}",
)
INSIDE_EACH = ("link set lo up", "link set dev inside up", "link set dev outside up")
ADDRESSES = {
    "client": (
        "address add 192.0.2.130/26 dev outside",
        "address add 192.0.2.131/26 dev outside",
        "address add 192.0.2.132/26 dev outside",
        "-6 address add 2001:db8:1::130/64 dev outside nodad",
        "-6 address add 2001:db8:1::131/64 dev outside nodad preferred_lft 0",
        "-6 address add 2001:db8:1::132/64 dev outside nodad preferred_lft 0",
        "route add default via 192.0.2.129",
        "-6 route add default via 2001:db8:1::129",
    ),
    "firewall": (
        "address add 192.0.2.129/26 dev inside",
        "address add 192.0.2.193/26 dev outside",
        "-6 address add 2001:db8:1::129/64 dev inside nodad",
        "-6 address add 2001:db8:2::193/64 dev outside nodad",
        "route add default via 192.0.2.194",
        "-6 route add default via 2001:db8:2::194",
    ),
    "router": (
        "address add 192.0.2.194/26 dev inside",
        "address add 198.51.100.1/24 dev outside",
        "-6 address add 2001:db8:2::194/64 dev inside nodad",
        "-6 address add 2001:db8:3::1/64 dev outside nodad",
        "route add 192.0.2.128/26 via 192.0.2.193",
        "-6 route add 2001:db8:1::/64 via 2001:db8:2::193",
        "route add 203.0.113.0/24 via 198.51.100.2",
        "-6 route add 2001:db8:113::/64 via 2001:db8:3::2",
        "route add blackhole default",
        "-6 route add blackhole default",
    ),
    "server": (
        "address add 198.51.100.2/24 dev inside",
        "address add 198.51.100.53/24 dev inside",
        "address add 198.51.100.54/24 dev inside",
        "-6 address add 2001:db8:3::2/64 dev inside nodad",
        "-6 address add 2001:db8:3::53/64 dev inside nodad",
        "-6 address add 2001:db8:3::54/64 dev inside nodad",
        "route add local 203.0.113.0/24 dev lo",
        "-6 route add local 2001:db8:113::/64 dev lo",
        "route add default via 198.51.100.1",
        "-6 route add default via 2001:db8:3::1",
    ),
}
SETTINGS = {
    "net.ipv4.icmp_ratelimit": "0",
    "net.ipv6.icmp.ratelimit": "0",
    "net.ipv6.conf.all.accept_dad": "0",
    "net.ipv6.conf.default.accept_dad": "0",
}
FORWARDING = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}


def run(*command: str, stdin: str = "", timeout: float = 300) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False, env=_environment()
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr or done.stdout}\n{stdin}")
    return done.stdout


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    return {**kept, "PATH": f"{os.environ.get('PATH', '')}:{SBIN_PATH}"}


@cache
def missing_requirement(*programs: str) -> str:
    """Return why namespaces or the programs are not available; empty where they are."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [
        one for one in ("ip", "ss", *programs) if shutil.which(one, path=_environment()["PATH"]) is None
    ]
    if missing:
        return f"not installed: {', '.join(missing)}"
    name = f"{PREFIX}-{os.getpid()}-0-try"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"ip netns add: {tried.stderr.strip()}"
    run("ip", "netns", "del", name)
    return ""


@dataclass(slots=True)
class Host:
    """One namespace, with files of its own in /etc and the programs started in it."""

    name: str
    folder: Path
    """Where its programs write."""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ip(self, *words: str) -> str:
        """Run `ip` inside."""
        return run("ip", "-n", self.name, *words)

    def run(self, *command: str, stdin: str = "", timeout: float = 300) -> str:
        """Run a command inside that must succeed; return what it printed."""
        return run("ip", "netns", "exec", self.name, *command, stdin=stdin, timeout=timeout)

    def attempt(
        self, *command: str, timeout: float = 300, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, with further environment variables; its exit code is not checked."""
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**_environment(), **(environment or {})},
            cwd=self.folder,
        )

    def egressd(
        self, *arguments: str, timeout: float = 300, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run egressd inside; its exit code is not checked."""
        command = (sys.executable, "-m", "egressd", *arguments)
        return self.attempt(*command, timeout=timeout, environment=environment)

    def nft(self, rules: str) -> None:
        """Load nftables rules, in the syntax of a rules file."""
        self.run("nft", "-f", "-", stdin=rules)

    def rules(self, hook: str, *rules: str, family: str = "inet", kind: str = "filter") -> None:
        """Put nftables rules into a chain at a hook: `forward`, `output`, `prerouting -300`, ..."""
        where, _, priority = hook.partition(" ")
        name = f"{kind}_{where}_{len(self.run('nft', 'list', 'tables').splitlines())}"
        head = f"type {kind} hook {where} priority {priority or '0'}"
        lines = "".join(f"    {rule}\n" for rule in rules)
        self.nft(f"table {family} {name} {{\n  chain {where} {{\n    {head}\n{lines}  }}\n}}\n")

    def iptables(self, rule: str) -> None:
        """Append one iptables rule: chain and matches, in one line."""
        self.run("iptables", "-w", "-A", *rule.split())

    def sysctl(self, settings: dict[str, str]) -> None:
        """Change kernel settings by their names."""
        self.run("sysctl", "-qw", *(f"{key}={value}" for key, value in settings.items()))

    def etc(self, name: str, text: str) -> None:
        """Give the namespace a file of its own in /etc: `resolv.conf`, `hosts`."""
        folder = NETNS_ETC / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")

    def start(
        self, *command: str, tcp: tuple[int, ...] = (), udp: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """Start a program inside and wait until something listens on these ports."""
        log = self.folder / f"{Path(command[0]).name}-{len(self.started)}.log"
        with log.open("wb") as file:
            program = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.folder,
                env=_environment(),
            )
        self.started.append(program)
        end = time.monotonic() + START_TIMEOUT
        while not self._listening() >= {("tcp", port) for port in tcp} | {("udp", port) for port in udp}:
            if program.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{command} does not listen: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.03)
        return program

    def _listening(self) -> set[tuple[str, int]]:
        """Read the namespace's own socket table: no test connection disturbs the server."""
        rows = (line.split() for line in self.run("ss", "-Hnltu").splitlines())
        return {(row[0], int(row[4].rpartition(":")[2])) for row in rows}

    def close(self) -> None:
        """Stop what was started; daemonized programs are found by their namespace."""
        for program in reversed(self.started):
            program.kill()
        for program in self.started:
            program.wait()
        end_namespace(self.name)


def end_namespace(name: str) -> None:
    """Kill what still runs in a namespace and remove it with its files."""
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
    for pid in listed.stdout.split():
        try:
            os.kill(int(pid), 9)
        except ProcessLookupError:
            continue
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    shutil.rmtree(NETNS_ETC / name, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Network:
    """The four hosts."""

    client: Host
    firewall: Host
    router: Host
    server: Host
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Network:
        """Make the namespaces, their links, addresses and routes; a failed attempt is removed."""
        number = next(_numbers)
        hosts = {}
        for part in PARTS:
            (folder / part).mkdir(parents=True, exist_ok=True)
            hosts[part] = Host(f"{PREFIX}-{os.getpid()}-{number}-{part}", folder / part)
        network = cls(**hosts, folder=folder)
        try:
            network._build()
        except BaseException:
            network.close()
            raise
        return network

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All four, the client first."""
        return self.client, self.firewall, self.router, self.server

    def _build(self) -> None:
        names = {part: getattr(self, part).name for part in PARTS}
        run("ip", "-batch", "-", stdin="\n".join(f"netns add {name}" for name in names.values()))
        for part, host in zip(PARTS, self.hosts, strict=True):
            host.sysctl({**SETTINGS, **(FORWARDING if part in ("firewall", "router") else {})})
        run("ip", "-batch", "-", stdin="\n".join(one.format_map(names) for one in LINKS))
        for part in PARTS:
            self._wire(part, getattr(self, part))
        self.client.etc("resolv.conf", f"nameserver {RESOLVER}\noptions timeout:1 attempts:1\n")
        self.client.etc("hosts", "127.0.0.1 localhost\n::1 localhost\n")

    def _wire(self, part: str, host: Host) -> None:
        up = [
            one
            for one in INSIDE_EACH
            if not (part == "client" and "inside" in one) and not (part == "server" and "outside" in one)
        ]
        for family in ("-4", "-6"):
            own = [one for one in ADDRESSES[part] if one.startswith("-6") == (family == "-6")]
            lines = [*up, *(one.removeprefix("-6 ") for one in own)]
            run("ip", "-n", host.name, family, "-batch", "-", stdin="\n".join(lines))

    def close(self) -> None:
        """Stop every program and remove the namespaces."""
        for host in self.hosts:
            host.close()


def remove_leftovers() -> None:
    """Remove the namespaces of test runs that were killed."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        head, _, rest = name.partition("-")
        pid = rest.partition("-")[0]
        if head == PREFIX and pid.isdecimal() and not Path("/proc", pid).exists():
            end_namespace(name)


@contextmanager
def temporary_network() -> Iterator[Network]:
    """Make a network in a folder that every user may read, and remove both at the end."""
    with TemporaryDirectory(prefix=f"{PREFIX}-net-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        network = Network.make(folder)
        try:
            yield network
        finally:
            network.close()

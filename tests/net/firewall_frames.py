"""The frames of `docs/firewall-linux.md`, which squid, nftables and dnsmasq run with in the labs."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.net.programs import dnsmasq, squid, squid_folder
from tests.net.topology import FIREWALL, RESOLVER, START_TIMEOUT, Host

PAGE = Path(__file__).parents[2] / "docs" / "firewall-linux.md"


def frame(language: str) -> str:
    """Return the page's frame in a language."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found is not None, language
    return found[1]


def framed_squid(host: Host, text: str, *, before: str = "", behind: str = "") -> None:
    """Start squid with the frame, a text in its folder, and lines of the lab's own around the frame."""
    folder = host.folder / "squid.d"
    folder.mkdir()
    (folder / "egressd.conf").write_text(text, encoding="utf-8")
    framed = frame("squid").replace("/etc/squid/conf.d", str(folder))
    squid(host, f"{before}\n{framed}\n{behind}")


def paste_into_squid(host: Host, text: str) -> None:
    """Replace the text of a squid that runs, with the page's commands, and wait until it has taken it."""
    (host.folder / "squid.d" / "egressd.conf").write_text(text, encoding="utf-8")
    folder = squid_folder(host)
    words = ("squid", "-n", host.name.replace("-", ""), "-f", str(folder / "squid.conf"), "-k")
    listening = _times_listening(folder)
    host.run(*words, "parse")
    host.run(*words, "reconfigure")
    end = time.monotonic() + START_TIMEOUT
    while _times_listening(folder) == listening:
        assert time.monotonic() < end
        time.sleep(0.03)


def _times_listening(folder: Path) -> int:
    return (folder / "cache.log").read_text(encoding="utf-8").count("Accepting HTTP Socket connections")


def framed_dnsmasq(host: Host, text: str, *, at: str = FIREWALL) -> None:
    """Start dnsmasq with the frame and what the page's sed takes from a text."""
    folder = host.folder / "dnsmasq.d"
    folder.mkdir(exist_ok=True)
    taken = host.run("sed", "-n", "s/^#dnsmasq //p", stdin=text)
    (folder / "egressd.conf").write_text(taken, encoding="utf-8")
    lines = frame("dnsmasq").replace("/etc/dnsmasq.d/", str(folder)).replace("198.51.100.53", RESOLVER)
    dnsmasq(host, *lines.splitlines(), at=at)


def stop_last(host: Host) -> None:
    """End the program that was started last, as its service would be."""
    program = host.started.pop()
    program.terminate()
    program.wait(START_TIMEOUT)

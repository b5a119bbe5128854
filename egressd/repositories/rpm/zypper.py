"""The repositories and services of zypper: what it fetches first, and through which proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from urllib.parse import parse_qs

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.model.endpoint import Need
from egressd.repositories.mirror import read_mirrors
from egressd.repositories.proxy import Credentials, bypassed, environment_way, in_domain, proxy_way
from egressd.repositories.repository import PackageHost, PackageTool, Repository, RepositoryPath, Verification
from egressd.repositories.rpm.curlrc import CURLRC, proxy_login
from egressd.repositories.rpm.ini import MOST_SECTIONS, IniSection, IniValue, ini_switch, read_sections
from egressd.repositories.rpm.variable import read_variables, substitute_variables
from egressd.repositories.url import RepositoryUrl, parse_repository_url, scheme_of
from egressd.repositories.wording import short_text

REPOSITORIES = "/etc/zypp/repos.d"
SERVICES = "/etc/zypp/services.d"
VARIABLES = "/etc/zypp/vars.d"
MAIN_FILE = "/etc/zypp/zypp.conf"
PROXY_FILE = "/etc/sysconfig/proxy"
INDEX = "repodata/repomd.xml"
SERVICE_INDEX = "repo/repoindex.xml"
OWN_PARAMETERS = frozenset(
    {
        *("auth", "username", "password", "credentials", "timeout", "cookies", "mediahandler"),
        *("proxy", "proxyport", "proxyuser", "proxypass", "head_requests"),
        *("ssl_verify", "ssl_capath", "ssl_clientcert", "ssl_clientkey"),
    }
)
"""Parameters of a URL that zypper takes for itself and never sends."""
MOST_ENTRIES = 1000
"""Entries of NO_PROXY that count."""
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(\w+)=(.*)", re.ASCII)


class _Zypper(Struct, frozen=True, kw_only=True):
    host: PackageHost
    values: Mapping[str, str]
    system: Mapping[str, IniValue]
    """The variables of /etc/sysconfig/proxy."""
    logins: list[Credentials | None] = field(default_factory=list)
    """That of .curlrc, once it was needed: ordinary users may not enter root's home."""

    def repositories(self, sections: Iterator[IniSection]) -> Iterator[Repository]:
        for section in sections:
            if not ini_switch(self.host.files, section.get("enabled"), default=True):
                continue
            lists = [one for key in ("mirrorlist", "metalink") if (one := section.get(key)) is not None]
            bases = [(text, one.place) for one in section.values.get("baseurl", ()) for text in one.words()]
            if not lists and not bases:
                self.host.files.note(section.place, "it has no baseurl, mirrorlist or metalink")
            for one in lists[:1]:
                yield from self._list(section, one)
            need = Need.OPTIONAL if lists else Need.REQUIRED
            group = section.name if not lists and len(bases) > 1 else None
            for text, place in bases:
                yield from self._index(section, text, place, need=need, mirrors_of=group)

    def services(self, sections: Iterator[IniSection]) -> Iterator[Repository]:
        """Yield the index of each service, which names further repositories."""
        for section in sections:
            address = section.get("url")
            if not ini_switch(self.host.files, section.get("enabled"), default=True):
                continue
            if address is None:
                self.host.files.note(section.place, "it has no url")
                continue
            purpose = "Index of a service that names repositories to zypper."
            yield from self._fetched(
                section, address.text, address.place, below=SERVICE_INDEX, purpose=purpose
            )

    def _list(self, section: IniSection, named: IniValue) -> Iterator[Repository]:
        text = self._filled(named.words()[0])
        if scheme_of(text) != "file":
            purpose = "List of mirrors of a repository that zypper is configured to use."
            yield from self._fetched(section, text, named.place, purpose=purpose)
            return
        path = text.partition(":")[2].removeprefix("//")
        for mirror in read_mirrors(self.host.files, path, named_at=named.place):
            yield from self._index(section, mirror.text, mirror.place, mirrors_of=section.name)

    def _index(
        self,
        section: IniSection,
        text: str,
        place: str,
        *,
        need: Need = Need.REQUIRED,
        mirrors_of: str | None = None,
    ) -> Iterator[Repository]:
        location = section.get("path")
        folder = self._filled(location.text).strip("/") if location else ""
        below = f"{folder}/{INDEX}" if folder and ".." not in folder.split("/") else INDEX
        purpose = "Index of a repository that zypper is configured to use."
        yield from self._fetched(
            section, text, place, purpose=purpose, below=below, need=need, mirrors_of=mirrors_of
        )

    def _fetched(
        self,
        section: IniSection,
        text: str,
        place: str,
        *,
        purpose: str,
        below: str | None = None,
        need: Need = Need.REQUIRED,
        mirrors_of: str | None = None,
    ) -> Iterator[Repository]:
        text = self._filled(text)
        try:
            url = parse_repository_url(text)
        except ValueError as error:
            plugin = scheme_of(text) == "plugin"
            why = "a plugin of zypper decides where it is" if plugin else str(error)
            self.host.files.note(place, f"not probed: {why}")
            return
        parameters = {name: values[-1] for name, values in parse_qs(url.query).items()}
        url = replace(url, query=_sent(url.query))
        name = section.get("name")
        title = f"{self._filled(name.text)} ({section.name})" if name else section.name
        yield Repository(
            manager=PackageTool.ZYPPER,
            key=self._filled(section.name),
            name=short_text(self._filled(title)),
            url=url if below is None else url.below(below),
            place=place,
            way=self._way(section, url, parameters, place),
            purpose=purpose,
            need=need,
            mirrors_of=mirrors_of,
            verification=_verification(url, parameters, place),
            client_certificate="ssl_clientcert" in parameters,
        )

    def _way(
        self, section: IniSection, url: RepositoryUrl, parameters: Mapping[str, str], place: str
    ) -> RepositoryPath:
        """Return the way of a repository: that of its URL, its own proxy, the system's, else libcurl's."""
        own = section.get("proxy")
        text, origin = (own.text, own.place) if own else ("", place)
        if parameters.get("proxy"):
            port = parameters.get("proxyport")
            text, origin = f"{parameters['proxy']}:{port}" if port else parameters["proxy"], place
        if text == "_none_":
            return RepositoryPath(origin=origin)
        if text:
            user = parameters.get("proxyuser")
            login = (user, parameters.get("proxypass", "")) if user else self._login()
            return bypassed(proxy_way(text, origin=origin, login=login), url, self.host.environ)
        return self._system_way(url) or environment_way(url, self.host.environ)

    def _system_way(self, url: RepositoryUrl) -> RepositoryPath | None:
        """Return the way of /etc/sysconfig/proxy; None if it says nothing for the URL."""
        if PROXY_FILE in self.host.files.closed:
            return RepositoryPath(unknown=f"its proxy may be in {PROXY_FILE}, which this user can't read")
        proxy = self.system.get(f"{url.scheme.upper()}_PROXY")
        enabled = self.system.get("PROXY_ENABLED")
        if enabled is None or enabled.text == "no" or proxy is None or not proxy.text:
            return None
        bypass = self.system.get("NO_PROXY")
        entries = bypass.words()[:MOST_ENTRIES] if bypass else []
        if bypass and (entries == ["*"] or any(in_domain(url.host, one) for one in entries)):
            return RepositoryPath(origin=bypass.place)
        way = proxy_way(proxy.text, origin=proxy.place, login=self._login())
        return bypassed(way, url, self.host.environ)

    def _login(self) -> Credentials | None:
        if not self.logins:
            self.logins.append(proxy_login(self.host.files.lines(CURLRC) or ()))
        return self.logins[0]

    def _filled(self, text: str) -> str:
        return substitute_variables(text, self.values)


def read_zypper(host: PackageHost) -> Iterator[Repository]:
    """Yield the repositories that zypper is configured to use; what is wrong is noted."""
    files = host.files
    main = next((one for one in read_sections(files, MAIN_FILE) if one.name == "main"), None)
    folders = [main.get(key) if main else None for key in ("reposdir", "servicesdir")]
    repositories, services = (
        found.text if found else usual for found, usual in zip(folders, (REPOSITORIES, SERVICES), strict=True)
    )
    reader = _Zypper(
        host=host,
        values=read_variables(host, VARIABLES),
        system=_assignments(host, PROXY_FILE),
    )
    yield from reader.services(_sections(host, services, ".service"))
    yield from reader.repositories(_sections(host, repositories, ".repo"))


def _sections(host: PackageHost, folder: str, extension: str) -> Iterator[IniSection]:
    paths = host.files.names(folder, lambda name: name.endswith(extension) and name[0] != ".")
    every = (section for path in paths for section in read_sections(host.files, path))
    yield from islice(every, MOST_SECTIONS)


def _assignments(host: PackageHost, path: str) -> dict[str, IniValue]:
    """Return the variables of a file that a shell reads."""
    found: dict[str, IniValue] = {}
    for number, line in enumerate(host.files.lines(path) or (), 1):
        if (one := _ASSIGNMENT.fullmatch(line)) is not None:
            found[one[1]] = IniValue(first=one[2].strip().strip("\"'").strip(), place=f"{path}:{number}")
    return found


def _sent(query: str) -> str:
    return "&".join(one for one in query.split("&") if one.partition("=")[0] not in OWN_PARAMETERS)


def _verification(url: RepositoryUrl, parameters: Mapping[str, str], place: str) -> Verification | None:
    """Return how a certificate is verified, where not by the system's rules."""
    own = parameters.get("ssl_verify", "yes") != "yes" or "ssl_capath" in parameters
    return Verification(place=place) if own and url.scheme == "https" else None

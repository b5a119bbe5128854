"""The repositories of dnf and yum: what they fetch first, and through which proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import islice

from msgspec import Struct

from egressd.model.endpoint import Need
from egressd.repositories.mirror import read_mirrors
from egressd.repositories.proxy import Credentials, bypassed, environment_way, proxy_way
from egressd.repositories.repository import (
    DIRECT_BY_DEFAULT,
    PackageHost,
    PackageTool,
    Repository,
    RepositoryPath,
    Verification,
)
from egressd.repositories.rpm.ini import MOST_SECTIONS, IniSection, IniValue, ini_switch, read_sections
from egressd.repositories.rpm.variable import read_variables, substitute_variables
from egressd.repositories.url import RepositoryUrl, parse_repository_url, scheme_of
from egressd.repositories.wording import short_text

MAIN_FILES = ("/etc/dnf/dnf.conf", "/etc/yum.conf")
"""The first that is there counts."""
DROP_INS = ("/usr/share/dnf5/libdnf.conf.d", "/etc/dnf/libdnf5.conf.d")
FOLDERS = ("/etc/yum.repos.d", "/etc/yum/repos.d", "/etc/distro.repos.d", "/usr/share/dnf5/repos.d")
OVERRIDES = ("/usr/share/dnf5/repos.override.d", "/etc/dnf/repos.override.d")
VARIABLES = ("/etc/yum/vars", "/etc/dnf/vars")
INDEX = "repodata/repomd.xml"
NO_PROXY_WORDS = ("", "_none_")
MOST_OVERRIDES = 200
"""Sections of override files; each is compared with every repository."""
LISTS = ("metalink", "mirrorlist")
"""Keys that name a list of mirrors; the first that is there is fetched."""


class _Dnf(Struct, frozen=True, kw_only=True):
    host: PackageHost
    main: IniSection
    main_path: str
    values: Mapping[str, str]

    def repositories(self, sections: list[IniSection]) -> Iterator[Repository]:
        seen: dict[str, str] = {}
        for section in sections:
            if section.name in seen:
                self.host.files.note(
                    section.place, f"not used: the same name stands in {seen[section.name]} already"
                )
                continue
            seen[section.name] = section.place
            if ini_switch(self.host.files, self._setting(section, "enabled"), default=True):
                yield from self._repository(section)

    def _repository(self, section: IniSection) -> Iterator[Repository]:
        found = next(((key, one) for key in LISTS if (one := section.get(key)) is not None), None)
        base = section.get("baseurl")
        if found is None and base is None:
            self.host.files.note(section.place, "it has no baseurl, mirrorlist or metalink")
        if found is not None:
            yield from self._list(section, *found)
        if base is not None:
            # Beside a list, these are mirrors like those it names.
            need = Need.REQUIRED if found is None else Need.OPTIONAL
            group = section.name if found is None and len(base.words()) > 1 else None
            for text in base.words():
                yield from self._index(section, text, base.place, need=need, mirrors_of=group)

    def _list(self, section: IniSection, key: str, named: IniValue) -> Iterator[Repository]:
        text = self._filled(named.words()[0])
        if not text.startswith("/") and scheme_of(text) != "file":
            purpose = "List of mirrors of a repository that dnf is configured to use."
            yield from self._fetched(section, text, named.place, purpose=purpose)
        elif key == "metalink":
            self.host.files.note(named.place, "a metalink in a file of this host is not read")
        else:
            path = text if text.startswith("/") else text.partition(":")[2].removeprefix("//")
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
        purpose = "Index of a repository that dnf is configured to use."
        yield from self._fetched(
            section, text, place, purpose=purpose, below=INDEX, need=need, mirrors_of=mirrors_of
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
        try:
            url = parse_repository_url(self._filled(text))
        except ValueError as error:
            why = str(error) if scheme_of(text) in ("http", "https") else "it is no http or https URL"
            self.host.files.note(place, f"not probed: {why}")
            return
        yield Repository(
            manager=PackageTool.DNF,
            key=self._filled(section.name),
            name=self._name(section),
            url=url if below is None else url.below(below),
            place=place,
            way=self._way(section, url),
            purpose=purpose,
            need=need,
            mirrors_of=mirrors_of,
            verification=self._verification(section, url),
            client_certificate=self._setting(section, "sslclientcert") is not None,
        )

    def _name(self, section: IniSection) -> str:
        name = section.get("name")
        title = f"{self._filled(name.text)} ({section.name})" if name else section.name
        return short_text(self._filled(title))

    def _way(self, section: IniSection, url: RepositoryUrl) -> RepositoryPath:
        """Return the way of a repository: its own proxy, else that of the main section, else libcurl's."""
        setting = section if section.has("proxy") else self.main
        proxy = setting.get("proxy")
        if proxy is not None and proxy.text.lower() not in NO_PROXY_WORDS:
            way = proxy_way(proxy.text, origin=proxy.place, login=self._login(section))
            return bypassed(way, url, self.host.environ)
        if not setting.has("proxy") and self.main_path in self.host.files.closed:
            return RepositoryPath(unknown=f"its proxy may be in {self.main_path}, which this user can't read")
        way = environment_way(url, self.host.environ)
        refused = setting.values.get("proxy")
        return RepositoryPath(origin=refused[-1].place) if refused and way == DIRECT_BY_DEFAULT else way

    def _login(self, section: IniSection) -> Credentials | None:
        user, password = (self._setting(section, f"proxy_{one}") for one in ("username", "password"))
        return None if user is None else (user.text, password.text if password else "")

    def _verification(self, section: IniSection, url: RepositoryUrl) -> Verification | None:
        """Return how a certificate is verified, where not by the system's rules."""
        if url.scheme != "https":
            return None
        verify = self._setting(section, "sslverify")
        if verify is not None and not ini_switch(self.host.files, verify, default=True):
            return Verification(place=verify.place)
        file = self._setting(section, "sslcacert")
        return Verification(place=file.place, authorities=self._filled(file.text)) if file else None

    def _setting(self, section: IniSection, key: str) -> IniValue | None:
        return section.get(key) or self.main.get(key)

    def _filled(self, text: str) -> str:
        return substitute_variables(text, self.values)


def read_dnf(host: PackageHost) -> Iterator[Repository]:
    """Yield the repositories that dnf or yum is configured to use; what is wrong is noted."""
    files = host.files
    path = next((one for one in MAIN_FILES if files.exists(one)), MAIN_FILES[0])
    drop_ins = (
        one for folder in DROP_INS for one in files.names(folder, lambda name: name.endswith(".conf"))
    )
    every = [section for one in (*drop_ins, path) for section in read_sections(files, one)]
    main = IniSection(name="main", place=path)
    for section in (one for one in every if one.name == "main"):
        main.values |= section.values
    folders = main.get("reposdir")
    variables = main.get("varsdir")
    sections = [one for one in every if one.name != "main"][:MOST_SECTIONS]
    for folder in folders.words() if folders else FOLDERS:
        for one in files.names(folder, _is_repository_file):
            found = (section for section in read_sections(files, one) if section.name != "main")
            sections += islice(found, MOST_SECTIONS - len(sections))
    reader = _Dnf(
        host=host,
        main=main,
        main_path=path,
        values=read_variables(host, *(variables.words() if variables else VARIABLES)),
    )
    _override(host, sections)
    yield from reader.repositories(sections)


def _override(host: PackageHost, sections: list[IniSection]) -> None:
    """Put the values of override files over those of the repositories that their sections name."""
    paths = [one for folder in OVERRIDES for one in host.files.names(folder, _is_repository_file)]
    overrides = (one for path in paths for one in read_sections(host.files, path))
    for override in islice(overrides, MOST_OVERRIDES):
        for section in sections:
            if fnmatchcase(section.name, override.name):
                section.values |= override.values


def _is_repository_file(name: str) -> bool:
    return name.endswith(".repo") and not name.startswith(".")

"""The repositories of apt: what `apt-get update` fetches first, and through which proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from egressd.repositories.apt.configuration import AptConfiguration, read_apt_configuration
from egressd.repositories.apt.proxy import apt_way, shows_certificate, verification
from egressd.repositories.apt.source import AptSource, read_sources
from egressd.repositories.files import Mirror
from egressd.repositories.mirror import read_mirrors
from egressd.repositories.repository import PackageHost, PackageTool, Repository
from egressd.repositories.url import RepositoryUrl, parse_repository_url, scheme_of
from egressd.repositories.wording import short_text

ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "armv6l": "armel",
    "ppc64le": "ppc64el",
    **dict.fromkeys(("i386", "i486", "i586", "i686"), "i386"),
}
"""Debian's names of architectures where they differ from the kernel's."""
MOST_SOURCES = 2000
"""Addresses and suites; a stanza names each with each."""
_ARCHITECTURE = re.compile(r"[a-z0-9-]{1,32}")
LOCAL_LISTS = ("mirror+file", "mirror+copy")
REMOTE_LISTS = {"mirror": "http", "mirror+http": "http", "mirror+https": "https"}
UNREACHED = {
    "cdrom": "a disc is no network",
    "file": "a folder is no network",
    "copy": "a folder is no network",
    "ftp": "FTP is not spoken",
    "ssh": "SSH is not spoken",
    "rsh": "rsh is not spoken",
}
PURPOSE = "Package index of a repository that apt is configured to use."


class _Reader(Struct, frozen=True, kw_only=True):
    host: PackageHost
    configuration: AptConfiguration

    def repositories(self) -> Iterator[Repository]:
        sources = read_sources(
            self.host.files,
            self.configuration.path("Dir::Etc::sourcelist"),
            self.configuration.path("Dir::Etc::sourceparts"),
            architecture=self._architecture(),
        )
        for source in islice(sources, MOST_SOURCES):
            scheme = scheme_of(source.uri)
            if scheme in LOCAL_LISTS:
                yield from self._mirrors(source)
            elif scheme in REMOTE_LISTS:
                yield from self._remote_list(source, REMOTE_LISTS[scheme])
            else:
                yield from self._repository(source)

    def _architecture(self) -> str:
        found = self.configuration.find("APT::Architecture")
        usual = ARCHITECTURES.get(self.host.machine, self.host.machine)
        return found.text if found is not None and _ARCHITECTURE.fullmatch(found.text) else usual

    def _repository(
        self, source: AptSource, *, mirrors_of: str | None = None, place: str | None = None
    ) -> Iterator[Repository]:
        place = place or source.place
        if (url := self._url(source.uri, place)) is None:
            return
        index = url.below(_index(source.suite))
        suite = short_text(source.suite)
        yield self._found(
            index, f"{url.host} {suite}", place, name=f"{suite} at {url.shown}", mirrors_of=mirrors_of
        )

    def _mirrors(self, source: AptSource) -> Iterator[Repository]:
        path = source.uri.partition(":")[2].rstrip("/")
        path = "/" + path.removeprefix("//").partition("/")[2] if path.startswith("//") else path
        for mirror in read_mirrors(self.host.files, path, named_at=source.place):
            one = AptSource(uri=f"{mirror.text.rstrip('/')}/", suite=source.suite, place=mirror.place)
            yield from self._repository(one, mirrors_of=_group(path, source, mirror), place=mirror.place)

    def _remote_list(self, source: AptSource, scheme: str) -> Iterator[Repository]:
        """Yield the list itself: which mirrors it names is not known before it is fetched."""
        text = f"{scheme}:{source.uri.partition(':')[2].rstrip('/')}"
        url = self._url(text, source.place)
        if url is not None:
            self.host.files.note(
                source.place, f"the mirrors that {url.shown} names are not known before apt fetches it"
            )
            yield self._found(
                url,
                f"{url.host} list",
                source.place,
                name=f"mirror list {url.shown}",
                purpose="List of mirrors for apt.",
            )

    def _url(self, text: str, place: str) -> RepositoryUrl | None:
        try:
            return parse_repository_url(text)
        except ValueError as error:
            scheme = scheme_of(text)
            own = "apt has a method of its own for it"
            why = str(error) if scheme in ("", "http", "https") else UNREACHED.get(scheme, own)
            self.host.files.note(place, f"not probed: {f'{short_text(scheme)}: ' if scheme else ''}{why}")
            return None

    def _found(
        self,
        url: RepositoryUrl,
        key: str,
        place: str,
        *,
        name: str,
        mirrors_of: str | None = None,
        purpose: str = PURPOSE,
    ) -> Repository:
        return Repository(
            manager=PackageTool.APT,
            key=key,
            name=name,
            url=url,
            place=place,
            way=apt_way(url, self.configuration, self.host),
            purpose=purpose,
            mirrors_of=mirrors_of,
            verification=verification(url, self.configuration),
            client_certificate=shows_certificate(url, self.configuration),
        )


def read_apt(host: PackageHost) -> Iterator[Repository]:
    """Yield the repositories that apt is configured to use; what is wrong is noted."""
    configuration = read_apt_configuration(host.files, host.environ.get("APT_CONFIG"))
    yield from _Reader(host=host, configuration=configuration).repositories()


def _index(suite: str) -> str:
    """Return the file that apt fetches first."""
    if suite.endswith("/"):
        return "InRelease" if suite == "/" else f"{suite}InRelease"
    return f"dists/{suite}/InRelease"


def _group(path: str, source: AptSource, mirror: Mirror) -> str:
    """Name the mirrors of which one is enough; those for some kinds of files are apart."""
    kinds = ",".join(sorted(tag for tag in mirror.tags if not tag.startswith("priority:")))
    return f"{path} {source.suite} {kinds}".strip()

"""What to know where an Azure Arc private link scope is in use: who can't use it, and what can't be seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from egressd.model.plan import Probe, Target
from egressd.model.settings import Settings

_UNSUPPORTED = {
    "resource-bridge": "the resource bridge does not support a private link scope, and needs public names",
    "azure-local": "Azure Local does not support a private link scope, and its nodes need public names",
}
"""By profile. https://learn.microsoft.com/azure/azure-arc/resource-bridge/network-requirements,
https://learn.microsoft.com/azure/azure-local/deploy/about-private-endpoints,
https://learn.microsoft.com/azure/azure-arc/servers/private-link-security."""
_REMOTE_ACCESS = {"ssh": "SSH", "windows-admin-center": "Windows Admin Center"}
"""Ways from Azure to a machine, by feature."""
_REACHED_FROM_AZURE = frozenset({"connected-machine", "windows-admin-center"})


def private_link_notes(
    settings: Settings, profiles: Collection[str], targets: Iterable[Target], probes: Iterable[Probe]
) -> Iterator[str]:
    """Yield notes for a plan with a private link scope in use; `profiles` are those selected or included."""
    if settings.private_link is not True:
        return
    yield from (f"private_link: {why}" for name, why in _UNSUPPORTED.items() if name in profiles)
    yield from _remote_access(settings, profiles)
    capable = {one.id for one in targets if one.private_link}
    if not capable:
        yield "private_link: no name of the selected products can be private, so that there is nothing to see"
    through = {one.host for one in probes if one.via_proxy and capable & set(one.targets)}
    if through:
        yield (
            f"private_link: {', '.join(sorted(through))} go through the proxy, which looks names up itself: "
            "whether they are private there can't be seen"
        )
    if not any(one.is_system for one in settings.resolvers):
        yield "private_link: `resolvers` lacks `system`, so that entries of the hosts file are not seen"


def _remote_access(settings: Settings, profiles: Collection[str]) -> Iterator[str]:
    """Yield which ways from Azure to a machine do not work, of those in use."""
    used = [
        title
        for feature, title in _REMOTE_ACCESS.items()
        if settings.features is None or feature in settings.features
    ]
    if used and not _REACHED_FROM_AZURE.isdisjoint(profiles):
        verb = "does" if len(used) == 1 else "do"
        yield f"private_link: {' and '.join(used)} from Azure {verb} not work through a private link scope"

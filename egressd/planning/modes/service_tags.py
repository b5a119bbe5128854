"""The address ranges of the service tags that the rows of a plan name, and what is missing of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from egressd.model.plan import Target
from egressd.model.settings import ServiceTags, Settings


def ranges_for(settings: Settings, targets: Iterable[Target]) -> ServiceTags | None:
    """Return the tags that targets name; None where no file is given."""
    tags = settings.service_tags
    return None if tags is None else tags.only(name for one in targets for name in one.service_tags)


def service_tag_notes(settings: Settings, targets: Iterable[Target]) -> Iterator[str]:
    """Yield what is wrong with the file, and which tags it lacks."""
    tags = settings.service_tags
    if tags is None:
        return
    yield from tags.notes
    wanted = tuple(dict.fromkeys(name for one in targets for name in one.service_tags))
    if lacking := [name for name, tag in zip(wanted, tags.named(wanted), strict=True) if tag is None]:
        yield f"service_tags: the file has no tag {', '.join(lacking)}: is it the file of this cloud?"

"""Write the golden files of languages that were not tried on a device.

`python -m tests.firewall.devices.golden` writes them. People read them, beside the vendor's document that
each names, before they are committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from egressd.firewall.languages import LANGUAGES, Language
from tests.firewall.devices.asked import asked, hostile_rules, rules_of_every_kind

GOLDEN = Path(__file__).parents[1] / "golden"
UNTRIED = ("azure-firewall", "bicep", "terraform", "paloalto", "fortigate", "cilium", "calico")


def golden_files(language: Language) -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of each file of a language."""
    for kind, rules in (("every-kind", rules_of_every_kind()), ("hostile", hostile_rules()), ("none", ())):
        yield GOLDEN / f"{language.name}-{kind}{language.suffix}", language.render(asked(rules))


def main() -> None:
    """Write the files that differ."""
    for name in UNTRIED:
        for path, text in golden_files(LANGUAGES[name]):
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

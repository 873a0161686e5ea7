"""The works that a study cites: read from ``references.bib``, chosen by what the study uses."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BIB = Path(__file__).with_name("references.bib")
_FIELD = re.compile(r"^  (\w+) = \{(.*)\},?$", re.MULTILINE)
_OWN = ("uses", "licence")  # fields that no bibliography knows


@dataclass(frozen=True)
class Reference:
    """An entry of the bibliography, with its ``kind`` (article, ...), ``key`` and ``fields`` in BibTeX's form."""

    kind: str
    key: str
    fields: dict[str, str]

    @property
    def title(self) -> str:
        """Its title, without BibTeX's braces."""
        return _plain(self.fields["title"])

    @property
    def url(self) -> str:
        """Where it can be read; empty if that is not known."""
        doi = self.fields.get("doi")
        return f"https://doi.org/{doi}" if doi else self.fields.get("url", "")

    @property
    def label(self) -> str:
        """``Chen et al. 2020``."""
        authors = self.fields["author"].split(" and ")
        names = [_plain(author if author.startswith("{") else author.split(",")[0]) for author in authors]
        who = names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."
        return f"{who} {self.fields['year']}"

    @property
    def bibtex(self) -> str:
        """The entry for a bibliography."""
        lines = [f"  {name} = {{{value}}}" for name, value in self.fields.items() if name not in _OWN]
        return f"@{self.kind}{{{self.key},\n" + ",\n".join(lines) + "\n}\n"


def _plain(text: str) -> str:
    return text.replace("{", "").replace("}", "").replace("--", "–")


@cache
def references() -> dict[str, Reference]:
    """Key -> reference, in the order of the file."""
    found = {}
    for entry in BIB.read_text(encoding="utf-8").split("\n@")[1:]:
        head, _, body = entry.partition(",\n")
        kind, _, key = head.partition("{")
        found[key] = Reference(kind, key, dict(_FIELD.findall(body)))
    return found


def cited_for(*uses: str) -> list[str]:
    """Keys of the references that are cited for any of ``uses``, in the order of the file.

    Args:
        uses: such as ``method:simclr``, ``set:food101`` or ``model:openai/clip-vit-base-patch32``.
    """
    return [key for key, reference in references().items() if {*uses} & {*reference.fields["uses"].split()}]


def bibliography(keys: Iterable[str]) -> str:
    """``references.bib`` with the entries of ``keys``, each once, in the order of the file."""
    wanted = set(keys)
    return "\n".join(reference.bibtex for key, reference in references().items() if key in wanted)

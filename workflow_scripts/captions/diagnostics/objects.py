"""Objects that a caption names although they are not in the image, where the objects of images are known.

Source: Rohrbach et al. 2018 (EMNLP, "Object Hallucination in Image Captioning"), CHAIR. The objects of an image are
those of its labels alone; the paper adds those that people name in their captions.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from workflow_scripts.captions.diagnostics.words import words_of

Synonyms = Mapping[str, Sequence[str]]
"""Object -> other names of it."""


class ObjectNames:
    """Finds names of objects in captions.

    Args:
        names: all objects, of one or more words.
        synonyms: other names. A name of several objects stands for any of them.
    """

    def __init__(self, names: Iterable[str], synonyms: Synonyms | None = None) -> None:
        self._objects: dict[tuple[str, ...], set[str]] = {}
        for name in {*names, *(synonyms or {})}:
            for one in (name, *(synonyms or {}).get(name, ())):
                for form in _forms(words_of(one)):
                    self._objects.setdefault(form, set()).add(name)
        self._longest = max(map(len, self._objects), default=0)

    def mentions(self, words: Sequence[str]) -> Iterator[set[str]]:
        """What each name among a caption's words (:func:`~.words.words_of`) stands for, in their order.

        The longest name counts, so a hot dog is no dog.
        """
        at = 0
        while at < len(words):
            sizes = range(min(self._longest, len(words) - at), 0, -1)
            size = next((size for size in sizes if tuple(words[at : at + size]) in self._objects), 0)
            if size:
                yield self._objects[tuple(words[at : at + size])]
            at += size or 1

    def count(self, words: Sequence[str], present: Collection[str]) -> tuple[int, int]:
        """Number of mentions of objects in a caption, and how many of these are of objects that are not ``present``."""
        absent = [stands_for.isdisjoint(present) for stands_for in self.mentions(words)]
        return len(absent), sum(absent)


def _forms(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Singular and regular plurals of a name; nothing without words."""
    if words:
        *first, last = words
        for form in (last, f"{last}s", f"{last}es", f"{last[:-1]}ies" if last.endswith("y") else last):
            yield (*first, form)

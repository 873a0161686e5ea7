"""Objects that a caption names although they are not in the image, where all objects of the images are known."""

from collections.abc import Collection, Iterable


class ObjectNames:
    """Finds names of objects in captions.

    Source: Rohrbach et al. 2018 (EMNLP, "Object Hallucination in Image Captioning"), CHAIR; without its synonyms.

    Args:
        names: all names of objects, of one or more words.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        for name in names:
            *first, last = name.lower().split()
            for form in (last, last + "s", last + "es"):
                self._names[(*first, form)] = name
        self._longest = max(map(len, self._names), default=0)

    def named(self, words: list[str]) -> set[str]:
        """The names among the words of a caption (:func:`~.words.words_of`), in singular or with the ending s or es."""
        places = range(len(words))
        spans = (tuple(words[at : at + size]) for size in range(1, self._longest + 1) for at in places)
        return {self._names[span] for span in spans if span in self._names}

    def absent(self, words: list[str], present: Collection[str]) -> float | None:
        """Share of the objects named in a caption that are not ``present``; None if it names none."""
        named = self.named(words)
        return len(named.difference(present)) / len(named) if named else None

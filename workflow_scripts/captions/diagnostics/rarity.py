"""How common each word is in a fixed set of captions, and what that says about a caption."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import log

from workflow_scripts.captions.diagnostics.words import is_content, words_of

RARE = 10_000
"""A word is rare if at most one in so many captions of the reference has it, or a single caption."""


class Reference:
    """In how many captions of a study's reference, its original captions, each word occurs.

    The reference is the same for all arms, so their figures can be compared. Captions without a word do not count.

    Args:
        captions: the reference, in batches.
    """

    def __init__(self, captions: Iterable[Sequence[str]]) -> None:
        self.captions = 0
        self.found: Counter[str] = Counter()
        for batch in captions:
            for caption in batch:
                words = set(words_of(caption))
                self.captions += bool(words)
                self.found.update(words)

    def rarity(self, word: str) -> float:
        """Inverse document frequency: ln((1 + n) / (1 + captions with the word)), n captions; 0 if all have it.

        Source: Spärck Jones 1972, Journal of Documentation 28:11; one caption that has every word is added, so that
        words which are not in the reference have a value too.
        """
        return log((1 + self.captions) / (1 + self.found[word]))

    def specificity(self, words: Sequence[str]) -> float | None:
        """Mean :meth:`rarity` of a caption's content words; None if it has none."""
        values = [self.rarity(word) for word in words if is_content(word)]
        return sum(values) / len(values) if values else None

    def details(self, words: Sequence[str]) -> set[str]:
        """The caption's rare content words and its words with a digit: mostly names, kinds, places and numbers.

        Capitals would not find names, since RedCaps' captions are in lower case.
        """
        most = max(1, self.captions // RARE)
        return {word for word in words if _has_digit(word) or (is_content(word) and self.found[word] <= most)}

    def kept(self, original: str, caption: str) -> float | None:
        """Share of the :meth:`details` of the original caption that the other one has too; None if it has none.

        Generated captions tend to replace them by general words. Sharma et al. 2018 (ACL, "Conceptual Captions",
        section 3) did so on purpose, with proper names and numbers.
        """
        details = self.details(words_of(original))
        return len(details & set(words_of(caption))) / len(details) if details else None


def _has_digit(word: str) -> bool:
    return any(letter.isdigit() for letter in word)

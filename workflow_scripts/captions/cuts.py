"""Parts of captions: their sentences and their first words, as they are written."""

import re
from itertools import pairwise

WORD = re.compile(r"\S+")
_STOPS = (".", "!", "?", "…", "。", "！", "？")
_CLOSING = "\"'”’»)]"
_ABBREVIATIONS = frozenset(["mr.", "mrs.", "ms.", "dr.", "st.", "vs.", "e.g.", "i.e."])


def sentences(text: str) -> list[str]:
    """The sentences of a text in order; none of a blank one.

    A sentence ends with a word that ends with a full stop, an exclamation or a question mark, and with the text. An
    initial or a common abbreviation ends none.
    """
    ends = [word.end() for word in WORD.finditer(text) if _ends(word[0])]
    return [part for start, end in pairwise([0, *ends, len(text)]) if (part := text[start:end].strip())]


def _ends(word: str) -> bool:
    word = word.rstrip(_CLOSING)
    initial = len(word) == 2 and word[0].isalpha() and word[1] == "."
    return word.endswith(_STOPS) and not initial and word.lower() not in _ABBREVIATIONS


def first_words(text: str, count: int) -> str:
    """The text up to the end of its word number ``count``; all of it if it has fewer."""
    ends = [0, *(word.end() for word in WORD.finditer(text))]
    return text if count >= len(ends) - 1 else text[: ends[count]].strip()

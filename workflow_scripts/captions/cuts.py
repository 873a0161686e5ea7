"""Parts of captions: their sentences and their first words, as they are written."""

import re
from itertools import pairwise

WORD = re.compile(r"\S+")
# A word, of languages that write without spaces up to a full stop, with what closes a quotation or bracket.
_PIECE = re.compile(r"[^\s。！？]*[。！？]+[\"'”’»)\]]*|\S+")
_STOPS = (".", "!", "?", "…", "。", "！", "？", "؟", "।")
_OPENING, _CLOSING = "\"'“‘«([", "\"'”’»)]"
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+")
_ABBREVIATIONS = frozenset(["mr.", "mrs.", "ms.", "dr.", "st.", "mt.", "vs."])


def sentences(text: str) -> list[str]:
    """The sentences of a text in order; none of a blank one.

    A sentence ends with a word that ends with a full stop, an exclamation or a question mark, and with the text.
    Initials or a common abbreviation end none, and each has a letter: the number of a list is part of the next one.
    """
    ends, has_letter = [0], False
    for piece in _PIECE.finditer(text):
        has_letter = has_letter or any(map(str.isalpha, piece[0]))
        if has_letter and _ends(piece[0]):
            ends.append(piece.end())
            has_letter = False
    if not has_letter and len(ends) > 1:
        ends.pop()
    return [part for start, end in pairwise([*ends, len(text)]) if (part := text[start:end].strip())]


def _ends(word: str) -> bool:
    word = word.lstrip(_OPENING).rstrip(_CLOSING)
    return word.endswith(_STOPS) and not _INITIALS.fullmatch(word) and word.lower() not in _ABBREVIATIONS


def first_words(text: str, count: int) -> str:
    """The text up to the end of its word number ``count``; all of it if it has fewer."""
    ends = [0, *(word.end() for word in WORD.finditer(text))]
    return text if count >= len(ends) - 1 else text[: ends[count]].strip()

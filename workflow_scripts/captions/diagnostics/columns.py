"""The columns that follow from the captions alone, computed without holding the captions of an arm in memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import log
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from workflow_scripts.captions.diagnostics import words as wording
from workflow_scripts.captions.diagnostics.near_duplicates import survey
from workflow_scripts.captions.diagnostics.objects import UNLABELLED, Labelled, ObjectNames, Synonyms
from workflow_scripts.captions.diagnostics.reading import batches
from workflow_scripts.captions.diagnostics.words import words_of

TokenCounts = Callable[[Sequence[str]], Sequence[int]]
RARE = 10_000
"""A word is rare if at most one in so many captions of the reference has it, or a single caption."""


@dataclass(frozen=True)
class Measures:
    """How captions are measured.

    Attributes:
        token_counts: numbers of tokens of texts as the matcher reads them; None without a matcher.
        max_tokens: how many of these it reads.
        near_rows: rows of the captions among which near duplicates are looked for.
        objects: the objects of images, where they are known.
        synonyms: other names of objects.
    """

    token_counts: TokenCounts | None
    max_tokens: int
    near_rows: np.ndarray
    objects: Labelled = UNLABELLED
    synonyms: Synonyms | None = None


def caption_columns(captions: Path, originals: Path, measures: Measures) -> pa.Table:
    """Columns of the n captions of an arm.

    Args:
        captions: parquet file with the columns key and caption.
        originals: parquet file with the column original, in the same order: the reference of specificity.

    Returns:
        The columns of :func:`describe`, and repeats int32, how many captions of the arm are equal to it;
        near_duplicate bool (null outside the sample); details_kept float32 (:meth:`Reference.kept`); named_objects and
        absent_objects int32 (:meth:`ObjectNames.count`; null where objects are unknown).
    """
    reference = Reference(batch.to_pylist() for (batch,) in batches(originals, "original"))
    sampled = np.zeros(pq.read_metadata(captions).num_rows, dtype=bool)
    sampled[measures.near_rows] = True
    known, names = measures.objects.objects, ObjectNames(measures.objects.names, measures.synonyms)
    parts = []
    pairs = zip(batches(captions, "key", "caption"), batches(originals, "original"), strict=True)
    for (keys, texts), (before,) in pairs:
        columns = describe(texts, reference, measures)
        after = texts.to_pylist()
        kept = [reference.kept(old, new) if new else None for old, new in zip(before.to_pylist(), after, strict=True)]
        counts = [
            names.count(words_of(text), known[key]) if text and key in known else (None, None)
            for key, text in zip(keys.to_pylist(), after, strict=True)
        ]
        columns = columns.append_column("details_kept", pa.array(kept, pa.float32()))
        for place, name in enumerate(("named_objects", "absent_objects")):
            columns = columns.append_column(name, pa.array([both[place] for both in counts], pa.int32()))
        parts.append(columns)
    repeats, near = survey((texts for (texts,) in batches(captions, "caption")), sampled)
    table = pa.concat_tables(parts).append_column("repeats", pa.array(repeats))
    return table.append_column("near_duplicate", pa.array(near, mask=~sampled | table["empty"].to_numpy()))


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
        values = [self.rarity(word) for word in words if wording.is_content(word)]
        return sum(values) / len(values) if values else None

    def details(self, words: Sequence[str]) -> set[str]:
        """The caption's rare content words and its words with a digit: mostly names, kinds, places and numbers.

        Capitals would not find names, since RedCaps' captions are in lower case.
        """
        most = max(1, self.captions // RARE)
        return {word for word in words if _has_digit(word) or (wording.is_content(word) and self.found[word] <= most)}

    def kept(self, original: str, caption: str) -> float | None:
        """Share of the :meth:`details` of the original caption that the other one has too; None if it has none.

        Generated captions tend to replace them by general words. Sharma et al. 2018 (ACL, "Conceptual Captions",
        section 3) did so on purpose, with proper names and numbers.
        """
        details = self.details(words_of(original))
        return len(details & set(words_of(caption))) / len(details) if details else None


def _has_digit(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


def describe(captions: pa.Array, reference: Reference, measures: Measures) -> pa.Table:
    """Columns of n captions.

    Returns:
        characters, words int32; language string; short, empty, vague, first_person, hashtag, url bool; specificity
        float32 (null without content words); tokens int32, truncated bool (null without a matcher). Of an empty
        caption, which stands for none, all but ``empty`` are null.
    """
    coded = pc.dictionary_encode(captions)
    texts, classify = coded.dictionary.to_pylist(), _identifier().classify
    split = [words_of(text) for text in texts]
    empty = np.array([not text for text in texts], dtype=bool)
    counts = [None] * len(texts) if measures.token_counts is None else measures.token_counts(texts) if texts else []
    tokens = pa.array(counts, pa.int32())

    def flags(found: Iterable[bool]) -> pa.Array:
        return pa.array(np.fromiter(found, bool, len(texts)), mask=empty)

    unique = {
        "characters": pa.array(np.array([len(text) for text in texts], dtype=np.int32), mask=empty),
        "words": pa.array(np.array([len(words) for words in split], dtype=np.int32), mask=empty),
        # ISO 639 codes
        "language": pa.array([classify(text)[0] if text else None for text in texts], pa.string()),
        "short": flags(len(words) < wording.SHORT_WORDS for words in split),
        "empty": empty,
        "vague": flags(wording.is_vague(words) for words in split),
        "first_person": flags(wording.is_first_person(text) for text in texts),
        "hashtag": flags(bool(wording.HASHTAG.search(text)) for text in texts),
        "url": flags(bool(wording.URL.search(text)) for text in texts),
        "specificity": pa.array([reference.specificity(words) for words in split], pa.float32()),
        "tokens": pc.if_else(empty, None, tokens),
        "truncated": pc.if_else(empty, None, pc.greater(tokens, measures.max_tokens)),
    }
    return pa.table(unique).take(coded.indices).combine_chunks()


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE)

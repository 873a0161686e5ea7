"""Per-caption columns: length, language and features of the wording."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from workflow_scripts.captions.diagnostics.concreteness import UNRATED, Concreteness
from workflow_scripts.captions.diagnostics.rarity import Reference
from workflow_scripts.captions.diagnostics.words import HASHTAG, URL, is_first_person, is_vague, words_of

TokenCounts = Callable[[Sequence[str]], Sequence[int]]


class Wording:
    """Describes captions, batch by batch.

    Args:
        short_words: captions with fewer words are short.
        reference: what specificity is measured against.
        token_counts: numbers of tokens of texts as the matcher reads them.
        max_tokens: how many of these it reads.
        concreteness: ratings of words.
    """

    def __init__(
        self,
        short_words: int,
        reference: Reference,
        token_counts: TokenCounts,
        max_tokens: int,
        concreteness: Concreteness = UNRATED,
    ) -> None:
        self._short, self._reference, self._concreteness = short_words, reference, concreteness
        self._token_counts, self._most = token_counts, max_tokens
        self._vocabulary: dict[str, int] = {}

    def describe(self, captions: pa.Array) -> tuple[pa.Table, np.ndarray]:
        """Columns of n captions, and the codes of all their words in order.

        Returns:
            characters, words int32; language string, language_probability float32 (null for an empty caption); short,
            empty, vague, first_person, hashtag, url bool; specificity, concreteness, rated_words float32 (null without
            content words, or where they are not rated); tokens int32; truncated bool. Beside it (w,) int64, one code
            per word, equal for equal words of all batches.
        """
        coded = pc.dictionary_encode(captions)
        rows = coded.indices.to_numpy()
        texts = coded.dictionary.to_pylist()
        split = [words_of(text) for text in texts]
        lengths = np.array([len(words) for words in split], dtype=np.int32)
        tokens = np.array(self._token_counts(texts) if texts else [], dtype=np.int32)
        languages = identify(texts)
        concrete = [self._concreteness.describe(words) for words in split]
        unique = {
            "characters": np.array([len(text) for text in texts], dtype=np.int32),
            "words": lengths,
            "language": pa.array([language for language, _ in languages], pa.string()),
            "language_probability": pa.array([probability for _, probability in languages], pa.float32()),
            "short": lengths < self._short,
            "empty": np.array([not text for text in texts], dtype=bool),
            "vague": np.array([is_vague(words) for words in split], dtype=bool),
            "first_person": np.array([is_first_person(text) for text in texts], dtype=bool),
            "hashtag": np.array([bool(HASHTAG.search(text)) for text in texts], dtype=bool),
            "url": np.array([bool(URL.search(text)) for text in texts], dtype=bool),
            "specificity": pa.array([self._reference.specificity(words) for words in split], pa.float32()),
            "concreteness": pa.array([mean for mean, _ in concrete], pa.float32()),
            "rated_words": pa.array([rated for _, rated in concrete], pa.float32()),
            "tokens": tokens,
            "truncated": tokens > self._most,
        }
        return pa.table(unique).take(pa.array(rows)).combine_chunks(), word_codes(split, rows, self._vocabulary)


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def identify(texts: Sequence[str]) -> list[tuple[str | None, float | None]]:
    """ISO 639 code and probability of the language of each text by py3langid; (None, None) for an empty one."""
    identifier = _identifier()
    return [identifier.classify(text) if text else (None, None) for text in texts]


def word_codes(split: list[list[str]], rows: np.ndarray, vocabulary: dict[str, int]) -> np.ndarray:
    """(w,) int64 codes of the words of texts ``rows``, one text after the other; new words get the next codes."""
    coded = [np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words], np.int64) for words in split]
    return np.concatenate([np.zeros(0, np.int64), *(coded[row] for row in rows)])

"""Per-caption columns: length, language, repetition and features of the wording."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from workflow_scripts.captions.diagnostics.words import HASHTAG, URL, is_first_person, is_vague, words_of


def describe(captions: pa.ChunkedArray, short_words: int) -> tuple[pa.Table, np.ndarray]:
    """Columns of n captions, and the codes of all their words in order.

    Returns:
        characters, words int32; language string, language_probability float32 (null for an empty caption); short,
        empty, vague, first_person, hashtag, url bool; repeats int32, how many captions of the set are equal to it.
        Beside it (w,) int64, one code per word, equal for equal words.
    """
    coded = pc.dictionary_encode(captions.combine_chunks())
    rows = coded.indices.to_numpy()
    texts = coded.dictionary.to_pylist()
    split = [words_of(text) for text in texts]
    lengths = np.array([len(words) for words in split], dtype=np.int32)
    languages = identify(texts)
    unique = {
        "characters": np.array([len(text) for text in texts], dtype=np.int32),
        "words": lengths,
        "language": pa.array([language for language, _ in languages], pa.string()),
        "language_probability": pa.array([probability for _, probability in languages], pa.float32()),
        "short": lengths < short_words,
        "empty": np.array([not text for text in texts], dtype=bool),
        "vague": np.array([is_vague(words) for words in split], dtype=bool),
        "first_person": np.array([is_first_person(text) for text in texts], dtype=bool),
        "hashtag": np.array([bool(HASHTAG.search(text)) for text in texts], dtype=bool),
        "url": np.array([bool(URL.search(text)) for text in texts], dtype=bool),
        "repeats": np.bincount(rows, minlength=len(texts)).astype(np.int32),
    }
    return pa.table(unique).take(pa.array(rows)).combine_chunks(), word_codes(split, rows)


def identify(texts: Sequence[str]) -> list[tuple[str | None, float | None]]:
    """ISO 639 code and probability of the language of each text by py3langid; (None, None) for an empty one."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return [identifier.classify(text) if text else (None, None) for text in texts]


def word_codes(split: list[list[str]], rows: np.ndarray) -> np.ndarray:
    """(w,) int64 codes of the words of texts ``rows``, one text after the other."""
    vocabulary: dict[str, int] = {}
    coded = [np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words], np.int64) for words in split]
    return np.concatenate([np.zeros(0, np.int64), *(coded[row] for row in rows)])

"""The columns that follow from the captions alone, computed without holding the captions of an arm in memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.captions.diagnostics.caption_statistics import TokenCounts, Wording
from workflow_scripts.captions.diagnostics.concreteness import UNRATED, Concreteness
from workflow_scripts.captions.diagnostics.diversity import WordVariety
from workflow_scripts.captions.diagnostics.objects import ObjectNames, Synonyms
from workflow_scripts.captions.diagnostics.rarity import Reference
from workflow_scripts.captions.diagnostics.reading import batches
from workflow_scripts.captions.diagnostics.survey import survey
from workflow_scripts.captions.diagnostics.words import words_of
from workflow_scripts.captions.object_labels import UNLABELLED, Labelled


@dataclass(frozen=True)
class Measures:
    """How captions are measured.

    Attributes:
        short_words: captions with fewer words are short.
        mattr_window: words per window of the moving-average type-token ratio.
        token_counts: numbers of tokens of texts as the matcher reads them.
        max_tokens: how many of these it reads.
        near_rows: rows of the captions among which near duplicates are looked for.
        concreteness: ratings of words.
        objects: the objects of images, where they are known.
        synonyms: other names of objects.
    """

    short_words: int
    mattr_window: int
    token_counts: TokenCounts
    max_tokens: int
    near_rows: np.ndarray
    concreteness: Concreteness = UNRATED
    objects: Labelled = UNLABELLED
    synonyms: Synonyms | None = None


def caption_columns(captions: Path, originals: Path, measures: Measures) -> tuple[pa.Table, WordVariety]:
    """Columns of the n captions of an arm, and the variety of their words.

    Args:
        captions: parquet file with the columns key and caption.
        originals: parquet file with the column original, in the same order: the reference of specificity.

    Returns:
        The columns of :meth:`Wording.describe`, and repeats int32, how many captions of the arm are equal to it;
        near_duplicate bool (null outside the sample); details_kept float32 (:meth:`Reference.kept`); named_objects and
        absent_objects int32 (:meth:`ObjectNames.count`; null where objects are unknown).
    """
    reference = Reference(batch.to_pylist() for (batch,) in batches(originals, "original"))
    wording = Wording(
        measures.short_words, reference, measures.token_counts, measures.max_tokens, measures.concreteness
    )
    variety = WordVariety(measures.mattr_window)
    sampled = np.zeros(pq.read_metadata(captions).num_rows, dtype=bool)
    sampled[measures.near_rows] = True
    known, names = measures.objects.objects, ObjectNames(measures.objects.names, measures.synonyms)
    parts = []
    pairs = zip(batches(captions, "key", "caption"), batches(originals, "original"), strict=True)
    for (keys, texts), (before,) in pairs:
        columns, codes = wording.describe(texts)
        variety.add(codes)
        after = texts.to_pylist()
        kept = [reference.kept(*both) for both in zip(before.to_pylist(), after, strict=True)]
        counts = [
            names.count(words_of(text), known[key]) if key in known else (None, None)
            for key, text in zip(keys.to_pylist(), after, strict=True)
        ]
        columns = columns.append_column("details_kept", pa.array(kept, pa.float32()))
        for place, name in enumerate(("named_objects", "absent_objects")):
            columns = columns.append_column(name, pa.array([both[place] for both in counts], pa.int32()))
        parts.append(columns)
    repeats, near = survey((texts for (texts,) in batches(captions, "caption")), sampled)
    table = pa.concat_tables(parts).append_column("repeats", pa.array(repeats))
    return table.append_column("near_duplicate", pa.array(near, mask=~sampled)), variety

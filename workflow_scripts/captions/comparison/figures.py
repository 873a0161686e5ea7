"""What is measured of captions: one row per figure, with its unit, its direction and a sentence for readers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.captions.comparison.variety import GRAMS, SIMILAR, VECTOR_BLOCKS, VECTOR_IMAGES, WORD_IMAGES
from workflow_scripts.captions.diagnostics import near_duplicates
from workflow_scripts.core.registry import by_name

FIT = "Fit to the image"  # a group


def _column(table: pa.Table) -> np.ndarray:
    (column,) = table.columns
    if pa.types.is_boolean(column.type) and not column.null_count:
        return np.asarray(column.to_numpy())
    return np.asarray(pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy())


@dataclass(frozen=True)
class Figure:
    """A figure of an arm's captions.

    Attributes:
        group: heading in the report.
        name: in the JSON file; with ``.<encoder>`` for figures of vectors, ``.<judge>.<score>`` for those of judges.
        title: in words.
        unit: of the values; ``share`` is shown as a percentage.
        better: which direction is better, other things being equal.
        summary: what it says, and what is good or bad.
        columns: of ``caption_quality`` from which ``values`` are computed; none for figures of blocks, vectors and
            judges.
        values: from a table of these columns, (n,) bool or float64, NaN where unknown.
    """

    group: str
    name: str
    title: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    summary: str
    columns: tuple[str, ...] = ()
    values: Callable[[pa.Table], np.ndarray] = _column


def _repeated(table: pa.Table) -> np.ndarray:
    return np.where(table["empty"].to_numpy(), np.nan, table["repeats"].to_numpy() > 1)


def _english(table: pa.Table) -> np.ndarray:
    english = pc.fill_null(pc.equal(table["language"], "en"), False).to_numpy().astype(np.float64)
    english[pc.fill_null(table["short"], True).to_numpy()] = np.nan  # null for empty ones
    return np.asarray(english)


def _with_absent_object(table: pa.Table) -> np.ndarray:
    return np.asarray(pc.fill_null(pc.greater(table["absent_objects"], 0).cast(pa.float64()), np.nan).to_numpy())


FIGURES = by_name(
    [
        Figure("Length", "words", "words per caption", "words", "neither",
               "A longer caption can say more, including more that is wrong: neither direction is better.", ("words",)),
        Figure("Length", "short", "short captions", "share", "lower",
               "Captions of fewer than four words seldom say what is in the image.", ("short",)),
        Figure("Length", "truncated", "longer than the matcher reads", "share", "lower",
               "The matcher does not read the end of these captions, so their scores are for a part of the text.",
               ("truncated",)),
        Figure("Length", "encoder_truncated", "longer than the text encoder reads", "share", "lower",
               "The encoder does not read the end of these captions, so their partners are chosen by a part of the "
               "text."),
        Figure("Wording", "empty", "images without a caption", "share", "lower",
               "Of stored images, which all had a caption in the source. Other figures leave them out.", ("empty",)),
        Figure("Wording", "vague", "vague captions", "share", "lower",
               "All words are in a list of those that titles have whatever the image shows, such as “cute”, “girl” "
               "or “photo”.", ("vague",)),
        Figure("Wording", "first_person", "in the first person", "share", "lower",
               "These captions have a word such as I, my or our: about the author, or as in “we see a cat”.",
               ("first_person",)),
        Figure("Wording", "hashtag", "with a hashtag", "share", "lower",
               "Hashtags are written to be found.", ("hashtag",)),
        Figure("Wording", "url", "with a web address", "share", "lower",
               "An address says nothing about what is visible.", ("url",)),
        Figure("Wording", "english", "in English", "share", "higher",
               "Of captions that are not short. The models are trained mostly on English.",
               ("language", "short"), _english),
        Figure("Content", "specificity", "specificity", "nats", "neither",
               "Mean rarity of the content words among the original captions; captions look less specific among "
               "captions of their own kind. Rare words tell images apart, true or not.", ("specificity",)),
        Figure("Content", "details_kept", "details of the original kept", "share of details", "neither",
               "Of the original caption's rare words and numbers (names, kinds, places), the share that this arm has "
               "too. Losing them is a loss where the original is right.", ("details_kept",)),
        Figure("Content", "absent_objects", "objects that are not there", "share of mentions", "lower",
               "Of the mentions of objects in captions of labelled images, those that are not among the image's "
               "labels."),
        Figure("Content", "with_absent_object", "captions with such an object", "share", "lower",
               "Captions of labelled images that mention an object that is not among the image's labels. Those "
               "without any mention count as right.", ("absent_objects",), _with_absent_object),
        Figure("Variety", "repeated", "repeated captions", "share", "lower",
               "Another image has the same caption, so the captions do not tell the two apart.",
               ("repeats", "empty"), _repeated),
        Figure("Variety", "near_duplicate", "near duplicates", "share", "lower",
               f"Another caption has a Jaccard index of at least {near_duplicates.SIMILAR} with this one (words in "
               "both, divided by words in either). Measured on a sample in large studies.", ("near_duplicate",)),
        Figure("Variety", "distinct_2", "distinct bigrams", "share of bigrams", "higher",
               f"Of {GRAMS:,} consecutive pairs of words in blocks of {WORD_IMAGES} random images. Low values mean "
               "set phrases."),
        Figure("Variety", "distinct_3", "distinct trigrams", "share of trigrams", "higher",
               "The same for three consecutive words."),
        Figure("Variety", "word_entropy", "entropy of words", "bits", "higher",
               f"Of {GRAMS:,} words in blocks of {WORD_IMAGES} random images. Low values mean few words, used often."),
        Figure("Variety", "vendi", "effective number of captions (Vendi score)", "captions", "higher",
               f"Of the vectors of {VECTOR_IMAGES} random captions: how many entirely different ones they are worth."),
        Figure("Variety", "near_vectors", "near duplicates by meaning", "share", "lower",
               f"Among up to {VECTOR_BLOCKS * VECTOR_IMAGES:,} random captions, another one has a vector with a cosine "
               f"of at least {SIMILAR}."),
        Figure(FIT, "itm", "matching score (ITM)", "logit", "higher",
               "By BLIP-2's matcher, which favours BLIP-2's own wording: a higher score may be due to style.",
               ("itm",)),
        Figure(FIT, "judge_score", "score by a judge", "on its own scale", "higher",
               "Each judge has a scale of its own, and a higher score may be due to style."),
        Figure(FIT, "judge_score_centred", "centred score by a judge", "on its own scale", "higher",
               "How far the score with the own image is above those of the same caption with other images. That "
               "takes out what the judge thinks of the wording."),
        Figure(FIT, "judge_above_random", "own image above a random one, by a judge", "share of images", "higher",
               "How often the judge scores a caption higher with its own image than with a random one; 50 % by "
               "chance."),
        Figure(FIT, "above_random", "own image above a random one", "share of images", "higher",
               "How often a caption has a higher ITC, by the matcher that gives ITM, with its own image than with "
               "another one; 50 % by chance.", ("above_random",)),
        Figure(FIT, "above_subreddit", "own image above one of its subreddit", "share of images", "higher",
               "The same with another image of the same subreddit; 50 % by chance. A caption that only says the "
               "topic fails here.", ("above_subreddit",)),
    ]
)  # fmt: skip

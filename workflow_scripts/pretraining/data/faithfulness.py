"""How faithful captions are, image by image and pair by pair: the scores that weights of pairs are made from."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.data.caption_vectors import read_vectors
from workflow_scripts.pretraining.data.pairing import Pairing


def matching(captions: Sequence[Artifact], keys: pa.ChunkedArray) -> np.ndarray:
    """Probability (n,) float32 that each image of ``keys`` and its caption in an arm belong together; NaN if unknown.

    The matcher's score ITM is the difference of its two logits, so the probability is its sigmoid. Weights are made
    from this, not from ITM itself: they suppose that scores differ by less than 1, as cosines do in ALIP.
    """
    (arm,) = captions
    table = pq.read_table(arm.path(".parquet"), columns=["key", "itm"])
    found = table["itm"].combine_chunks().take(pc.index_in(keys, value_set=table["key"].combine_chunks()))
    logits = found.combine_chunks().fill_null(np.nan).to_numpy().astype(np.float64)
    return ((1 + np.tanh(logits / 2)) / 2).astype(np.float32)


def agreement(vectors: Sequence[Artifact], keys: pa.ChunkedArray) -> np.ndarray:
    """Cosine (n,) float32 of the captions that two arms give to each image of ``keys``; NaN where one is empty.

    Args:
        vectors: the arms' artifacts of ``embed_captions``.
        keys: keys of all images.

    Raises:
        PipelineError: an arm lacks an image.
    """
    one, other = (read_vectors(arm, keys) for arm in vectors)
    found = np.empty(len(keys), np.float32)
    for (part, left), (_, right) in zip(one.blocks(), other.blocks(), strict=True):
        captioned = left.any(axis=1) & right.any(axis=1)
        found[part] = np.where(captioned, np.einsum("ij,ij->i", left, right), np.nan)
    return found


SCORES = {"itm": matching, "agreement": agreement}
"""Setting ``pair_weight`` -> (artifacts of the input ``faithfulness``, keys of all images) -> scores."""


def unscored(scores: np.ndarray, pairing: Pairing) -> dict[str, int]:
    """How many of the images of ``pairing`` have no score, so that their pairs have the weight 1.

    Raises:
        PipelineError: none has one.
    """
    missing = int(np.isnan(scores[pairing.sources]).sum())
    if missing == len(pairing):
        value = f"no caption of {missing:,} images has a score"
        advice = "choose an arm whose captions the matcher has scored, or set pair_weight to none"
        raise PipelineError("no weights of pairs", "pair_weight", value, advice)
    return {"without_score": missing}


def of_pairs(scores: np.ndarray, sources: np.ndarray, partners: np.ndarray) -> np.ndarray:
    """Scores (b,) of pairs: the lowest one of all captions; NaN if one is unknown, or if no caption made the pair.

    Args:
        scores: (n,) float32, of images.
        sources: (b,) int64, rows of the images that the pairs are of.
        partners: (p, b) int64, those of the images that their captions found; an image that is its own partner is one
            without a partner. None of them (p = 0): the pairs are images and their captions.
    """
    lowest = np.minimum.reduce([scores[sources], *scores[partners]])
    alone = (partners == sources).all(axis=0) if len(partners) else np.zeros(len(sources), bool)
    return np.where(alone, np.float32(np.nan), lowest)

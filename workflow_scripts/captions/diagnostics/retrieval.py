"""Whether a caption finds its own image among others by BLIP-2's contrastive score."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image

from workflow_scripts.models.matcher import Matcher, itc_table
from workflow_scripts.stats.seeds import derive


def sample_rows(count: int, size: int, seed: int) -> np.ndarray:
    """min(size, count) different rows of ``count``, ascending; the same for every arm of a study."""
    rng = np.random.default_rng(derive(seed, "retrieval"))
    return np.sort(rng.choice(count, size=min(size, count), replace=False))


def image_scores(
    matcher: Matcher, image: Callable[[int], Image.Image], captions: Sequence[str], rows: np.ndarray, batch_size: int
) -> np.ndarray:
    """(m, m) float32 score (ITC) of every caption with the image of every row.

    Args:
        matcher: model that scores captions.
        image: returns the RGB image of a row.
        captions: the captions of ``rows``.
        rows: (m,) rows of the images.
        batch_size: images, and captions, per forward pass.
    """
    cuts = [slice(start, start + batch_size) for start in range(0, len(rows), batch_size)]
    pictures = [matcher.image_vectors(matcher.image_states([image(row) for row in rows[cut]])) for cut in cuts]
    texts = [matcher.text_vectors(captions[cut]) for cut in cuts]
    return itc_table(torch.cat(pictures), torch.cat(texts)).cpu().numpy()


def ranks(scores: np.ndarray) -> np.ndarray:
    """(m, m) scores of caption i with image j -> (m,) rank of image i for caption i.

    Equal scores share their mean rank, so a matcher that gives all the same score ranks at chance level, not first.
    """
    own = np.diagonal(scores)[:, None]
    return 1 + (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2


def above_others(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """How often the own image scores above another one of its group; 0.5 by chance, whatever the size of the group.

    Args:
        scores: (m, m) of caption i with image j.
        groups: (m,) the group of each image, such as its subreddit.

    Returns:
        (m,) float64: the share of the other images of the group with a lower score, ties half; NaN without another.
    """
    same = groups[:, None] == groups[None, :]
    own = np.diagonal(scores)[:, None]
    others = same.sum(axis=1) - 1
    wins = (same & (scores < own)).sum(axis=1) + ((same & (scores == own)).sum(axis=1) - 1) / 2
    return np.where(others > 0, wins / np.maximum(others, 1), np.nan)

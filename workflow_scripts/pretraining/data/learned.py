"""What a run learns from besides images, row by row."""

import numpy as np
import torch

from workflow_scripts.pretraining.data.loader import Rows
from workflow_scripts.pretraining.method import Signal, Sizes
from workflow_scripts.pretraining.plan import Plan
from workflow_scripts.pretraining.settings import METHODS


def learned_rows(plan: Plan) -> tuple[dict[Signal, Rows], Sizes]:
    """Each signal that the method of ``plan`` learns from, and the sizes that heads depend on."""
    learns = METHODS[plan.settings.method].learns
    rows: dict[Signal, Rows] = {}
    sizes = Sizes()
    if "tokens" in learns:
        assert plan.tokens is not None
        rows["tokens"], text = plan.tokens, plan.tokens.sizes
        sizes = sizes._replace(vocabulary=text.vocabulary, end=text.end, context=text.context)
    if "caption_ids" in learns:
        assert plan.captions is not None
        rows["caption_ids"] = _of_rows(plan.captions)
    if "vectors" in learns:
        vectors = plan.vectors
        assert vectors is not None
        rows["vectors"] = lambda positions: torch.from_numpy(vectors[positions])
        sizes = sizes._replace(vectors=vectors.width)
    if "labels" in learns:
        assert plan.labels is not None
        rows["labels"] = _of_rows(plan.labels)
        sizes = sizes._replace(labels=int(plan.labels.max()) + 1)
    return rows, sizes


def _of_rows(values: np.ndarray) -> Rows:
    return lambda positions: torch.from_numpy(values[positions])

"""Sentence encoders: a vector for each text."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.unreadable import UNREADABLE

Encoder = Callable[[Sequence[str], int], np.ndarray]
"""n texts and a batch size -> (n, d) float32."""


def sentence_encoder(folder: Path, device: str) -> Encoder:
    """The sentence-transformers model of ``folder`` in float32, from safetensors, without remote code or prompt.

    Raises:
        PipelineError: the folder has no sentence-transformers model.
    """
    try:
        model = SentenceTransformer(
            str(folder), device=device, model_kwargs={"use_safetensors": True}, local_files_only=True
        )
    except UNREADABLE as error:
        advice = "give the folder or the revision of a sentence-transformers model with safetensors weights"
        raise PipelineError("no sentence encoder", folder, error, advice) from error
    model = model.float().eval()
    return lambda texts, batch: model.encode(list(texts), batch_size=batch, prompt="", show_progress_bar=False)

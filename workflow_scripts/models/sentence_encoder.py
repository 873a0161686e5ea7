"""Sentence encoders: a vector for each text."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
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


def unit_vectors(folder: Path, device: str) -> Callable[[Sequence[str]], torch.Tensor]:
    """The same model as n texts, in one batch -> (n, d) float32 rows of length 1 on ``device``.

    Raises:
        PipelineError: the folder has no sentence-transformers model.
    """
    encode = sentence_encoder(folder, device)

    def vectors(texts: Sequence[str]) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.from_numpy(encode(texts, len(texts))).to(device), dim=-1)

    return vectors

"""Sentence encoders: a vector for each text."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.checkpoints import UNREADABLE

Encoder = Callable[[Sequence[str], int], np.ndarray]
"""n texts and a batch size -> (n, d) float32."""


@dataclass(frozen=True)
class SentenceEncoder:
    """A sentence-transformers model as an :data:`Encoder`."""

    model: SentenceTransformer

    def __call__(self, texts: Sequence[str], batch: int) -> np.ndarray:
        """n texts and a batch size -> (n, d) float32."""
        vectors: np.ndarray = self.model.encode(list(texts), batch_size=batch, prompt="", show_progress_bar=False)
        return vectors

    @property
    def max_tokens(self) -> int | None:
        """How many tokens of a text are read, including start and end token; None if all are."""
        most = self.model.max_seq_length
        return None if most is None or most == math.inf else int(most)

    def truncated(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) bool, whether only the beginning of a text is read."""
        most = self.max_tokens
        if most is None or not texts:
            return np.zeros(len(texts), dtype=bool)
        read = [text.strip() for text in texts]  # as encode does
        ids = self.model.tokenizer(read, padding=False, truncation=False, verbose=False)["input_ids"]
        return np.array([len(one) > most for one in ids])


def sentence_encoder(folder: Path, device: str) -> SentenceEncoder:
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
    return SentenceEncoder(model.float().eval())


def unit_vectors(folder: Path, device: str) -> Callable[[Sequence[str]], torch.Tensor]:
    """The same model as n texts, in one batch -> (n, d) float32 rows of length 1 on ``device``.

    Raises:
        PipelineError: the folder has no sentence-transformers model.
    """
    encode = sentence_encoder(folder, device)

    def vectors(texts: Sequence[str]) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.from_numpy(encode(texts, len(texts))).to(device), dim=-1)

    return vectors

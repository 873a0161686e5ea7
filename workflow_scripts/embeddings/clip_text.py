"""Vectors of captions by the text tower of a CLIP model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoTokenizer, CLIPModel, CLIPTextModelWithProjection

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.checkpoints import UNREADABLE, pretrained


@dataclass(frozen=True)
class ClipText:
    """The projected text vectors of CLIP (Radford et al. 2021, section 2.4), of captions cut to ``max_tokens``."""

    model: Any
    tokenizer: Any
    max_tokens: int
    device: str

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str], batch: int) -> np.ndarray:
        """n texts, a batch of them -> (n, d) float32."""
        given = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.device)
        vectors: np.ndarray = self._vectors(given).float().cpu().numpy()
        return vectors

    def _vectors(self, given: Any) -> torch.Tensor:
        if isinstance(self.model, CLIPTextModelWithProjection):
            found: torch.Tensor = self.model(**given).text_embeds
        else:
            states = self.model.text_model(**given).pooler_output
            found = self.model.text_projection(states)
        return found

    def truncated(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) bool, whether only the beginning of a text is read."""
        if not texts:
            return np.zeros(0, bool)
        ids = self.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        return np.array([len(one) > self.max_tokens for one in ids])


def clip_text(folder: Path, device: str) -> ClipText:
    """The text tower of a whole CLIP model, or one saved by itself, in float32.

    Raises:
        PipelineError: ``folder`` has no such model, or not all of its weights.
    """
    advice = "give the folder or the revision of a CLIP model with safetensors weights"
    what = "CLIP text tower"
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except UNREADABLE as error:
        raise PipelineError(f"no {what}", folder, str(error)[:200], advice) from error
    # A whole model's own configuration states the width of the projection; that of its text tower may have another.
    whole = config.model_type == "clip"
    model_class = CLIPModel if whole else CLIPTextModelWithProjection
    model, tokenizer = pretrained(model_class, AutoTokenizer, folder, torch.float32, what, advice)
    text = config.text_config if whole else config
    return ClipText(model.to(device), tokenizer, text.max_position_embeddings, device)

"""How surprising a text is to a causal language model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from workflow_scripts.models.checkpoints import dtype_of, pretrained

MOST_TOKENS = 256  # of a text, so that no caption exceeds the positions of a model


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model in evaluation mode with its tokenizer, on ``device``."""

    model: Any
    tokenizer: Any
    device: torch.device

    @torch.inference_mode()
    def surprise(self, texts: Sequence[str]) -> list[float | None]:
        """Mean negative log-likelihood per token of each text, in nats; its exponential is the perplexity.

        The first token is predicted from the start token. A model without one predicts from the second token on. Texts
        are read up to :data:`MOST_TOKENS`. None if no token is predicted.
        """
        return [self._of(text) for text in texts]

    def _of(self, text: str) -> float | None:
        ids = self.tokenizer(text, add_special_tokens=False, truncation=True, max_length=MOST_TOKENS)["input_ids"]
        start = self.tokenizer.bos_token_id
        ids = ids if start is None else [start, *ids]
        if len(ids) < 2:
            return None
        row = torch.tensor([ids], device=self.device)
        logits = self.model(input_ids=row).logits[0, :-1].float()
        return float(torch.nn.functional.cross_entropy(logits, row[0, 1:]))


def load_language_model(folder: Path, device: str) -> LanguageModel:
    """The language model of ``folder``.

    Raises:
        PipelineError: no such model, or not all of its weights.
    """
    advice = "give the folder or the revision of a causal language model, with its tokenizer, saved by save_pretrained"
    what = "causal language model"
    model, tokenizer = pretrained(AutoModelForCausalLM, AutoTokenizer, folder, dtype_of(device), what, advice)
    place = torch.device(device)
    return LanguageModel(model.to(place), tokenizer, place)

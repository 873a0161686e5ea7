"""The captioner and the matcher of a job, and what of their work on an image is the same."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Blip2ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.captions.recaptioning.generate import load_captioner
from workflow_scripts.models.checkpoints import Checkpoint
from workflow_scripts.models.matcher import Matcher, as_matcher, load_matching_checkpoint
from workflow_scripts.models.text_norms import MatchedText

NO_EFFECT = ("dtype", "initializer_range", "transformers_version")  # keys of a configuration


class GivenStates(nn.Module):
    """Stands in for the layers of a captioner's tower: returns what those of another computed of the same images."""

    states: torch.Tensor

    def __init__(self, layers: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        layers.register_forward_hook(self._take)

    def _take(self, _: nn.Module, __: Any, output: BaseModelOutput) -> None:
        assert output.last_hidden_state is not None
        self.states = output.last_hidden_state.to(self.dtype)

    def forward(self, *_: Any, **__: Any) -> BaseModelOutput:
        """The states, whatever the arguments."""
        return BaseModelOutput(last_hidden_state=self.states)


@dataclass(frozen=True)
class Models:
    """Models and settings for a batch.

    Attributes:
        decoding: how captions are decoded.
        same_pixels: the matcher's pixels are the captioner's.
    """

    captioner: Checkpoint
    matcher: Matcher
    decoding: Decoding
    same_pixels: bool


def load_models(captioner: Path, matcher: Path, device: str, decoding: Decoding, text: MatchedText) -> Models:
    """The models in two folders. If the layers of their vision towers are equal, an image passes the matcher's alone.

    The norm after the layers is each model's own: BLIP-2 trains it in both of its stages. Towers are compared in the
    captioner's type of numbers. On a GPU that is bfloat16, and the captioner is then given states that are more exact
    than its own would be. On a CPU they are the same.

    Raises:
        PipelineError: a checkpoint is unusable.
    """
    writes, matches = load_captioner(captioner, device), load_matching_checkpoint(matcher, device)
    same = _preprocessing(writes) == _preprocessing(matches)
    if same and isinstance(writes.model, Blip2ForConditionalGeneration):
        dtype = writes.model.dtype
        if tower_hash(writes.model, dtype) == tower_hash(matches.model, dtype):
            writes.model.vision_model.encoder = GivenStates(matches.model.vision_model.encoder, dtype)
    return Models(writes, as_matcher(matches, text.max_text_tokens, text.text_norm), decoding, same)


def tower_hash(model: Any, dtype: torch.dtype) -> str:
    """sha256, in hex, of a BLIP-2's vision tower up to its last norm: configuration and weights, these as ``dtype``."""
    config = model.config.vision_config.to_dict()
    shown = {name: value for name, value in config.items() if name not in NO_EFFECT and not name.startswith("_")}
    found = hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode())
    for name, values in sorted(model.vision_model.state_dict().items()):
        if name.startswith("post_layernorm."):
            continue
        found.update(f"{name} {tuple(values.shape)}".encode())
        found.update(values.to(dtype).cpu().contiguous().view(torch.uint8).numpy().data)
    return found.hexdigest()


def _preprocessing(checkpoint: Checkpoint) -> tuple[type, dict[str, Any]]:
    processor = checkpoint.processor.image_processor
    return type(processor), processor.to_dict()

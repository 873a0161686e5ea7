"""Loads checkpoints of transformers so that a wrong or incomplete one is an error, never a random network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError
from transformers import AutoProcessor

from workflow_scripts.core.errors import PipelineError, one_line
from workflow_scripts.models.preprocessing import pinned

UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, SafetensorError)
"""What loading a broken or foreign checkpoint raises, in transformers and beneath it."""


@dataclass(frozen=True)
class Checkpoint:
    """A model in evaluation mode with its processor of images and texts, on ``device``."""

    model: Any
    processor: Any
    device: torch.device

    @property
    def tokenizer(self) -> Any:
        """The processor's tokenizer."""
        return self.processor.tokenizer

    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """RGB images -> (n, 3, height, width) float32 in the format of the model, on the CPU."""
        found = self.processor.image_processor(list(images), return_tensors="pt")
        return pinned(found["pixel_values"], self.device.type)


def host_inputs(inputs: Mapping[str, torch.Tensor], device: str) -> dict[str, torch.Tensor]:
    """Inputs of a model, each :func:`pinned`."""
    return {name: pinned(values, device) for name, values in inputs.items()}


def device_inputs(inputs: Mapping[str, torch.Tensor], device: str) -> dict[str, torch.Tensor]:
    """:func:`host_inputs` on ``device``."""
    return {name: values.to(device, non_blocking=True) for name, values in inputs.items()}


def dtype_of(device: str) -> torch.dtype:
    """bfloat16 on a GPU, float32 elsewhere: CPU scores are the reference."""
    return torch.bfloat16 if device.startswith("cuda") else torch.float32


def pretrained(
    model_class: Any, processor_class: Any, folder: Path, dtype: torch.dtype, what: str, advice: str
) -> tuple[Any, Any]:
    """A model in evaluation mode and its processor, as transformers' classes; safetensors only, no remote code.

    Raises:
        PipelineError: ``folder`` holds no such ``what``, or not all of its weights. transformers would fill missing
            weights with random numbers and continue.
    """
    try:
        model, info = model_class.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
        processor = processor_class.from_pretrained(folder, trust_remote_code=False)
    except UNREADABLE as error:
        value = one_line(str(error))[:200]  # some list all classes that they know
        raise PipelineError(f"no {what}", folder, value, advice) from error
    if absent := sorted(info["missing_keys"]):
        value = f"{len(absent)} weights missing, the first is {absent[0]}"
        raise PipelineError(f"incomplete {what}", folder, value, advice)
    return model.eval(), processor


def load_checkpoint(model_class: Any, folder: Path, device: str, dtype: torch.dtype | None = None) -> Checkpoint:
    """A checkpoint folder as ``model_class`` (a transformers class), with a processor of images and texts.

    Raises:
        PipelineError: the folder holds no such checkpoint, or not all of its weights.
    """
    advice = "give the folder or the revision of such a model, with its processor, both saved by save_pretrained"
    what = f"{model_class.__name__} checkpoint"
    model, processor = pretrained(model_class, AutoProcessor, folder, dtype or dtype_of(device), what, advice)
    for part in ("tokenizer", "image_processor"):
        if not hasattr(processor, part):
            raise PipelineError(f"incomplete {what}", folder, f"no {part}", advice)
    place = torch.device(device)
    return Checkpoint(model.to(place), processor, place)

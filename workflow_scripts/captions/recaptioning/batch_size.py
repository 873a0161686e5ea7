"""How many images make a batch: as the config says, or as many as the GPU's memory holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from PIL import Image

from workflow_scripts.captions.recaptioning.models import Models
from workflow_scripts.captions.recaptioning.shard import any_finished, prepare, recaption_batch
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import write_durable
from workflow_scripts.core.runtime.gpu import is_out_of_memory

ON_CPU = 32  # larger batches are no faster there
TRIED = (4, 8)  # images
MOST = 512  # images; more are hardly faster
SHARE = 0.8  # of the free memory, as that of larger batches can only be extrapolated
NOTE = "batch_size"  # in a work folder


def batch_size_of(wanted: int | Literal["auto"], work: Path, measure: Callable[[], int]) -> int:
    """Images per batch of a job with this work folder: the same for all batches that are ever kept there.

    ``measure`` is called for ``auto``, by each attempt until a batch is kept: a later one may have a smaller GPU.
    """
    if wanted != "auto":
        return wanted
    note = work / NOTE
    if not note.exists() or not any_finished(work):
        write_durable(note, str(measure()).encode())
    return int(note.read_text())


@contextmanager
def fitting(wanted: int | Literal["auto"], size: int, work: Path) -> Iterator[None]:
    """Batches of ``size`` images, as :func:`batch_size_of` gave it for these arguments.

    Raises:
        PipelineError: one of them does not fit the GPU's memory.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        where, advice = "recaption.batch_size", "set it to fewer images, or to auto"
        if wanted == "auto":
            where = str(work / NOTE)
            advice = "free the GPU's memory; or remove the folder of this file, with its finished batches, and run the "
            advice += "same command, which measures again"
        raise PipelineError("out of GPU memory", where, f"{size} images per batch", advice) from error


def fitting_batch_size(models: Models) -> int:
    """Images that the free memory of the models' GPU holds with the longest captions, a power of two."""
    if not on_gpu(models):
        return ON_CPU
    decoding = models.decoding.model_copy(update={"min_new_tokens": models.decoding.max_new_tokens})
    longest = replace(models, decoding=decoding)
    taken = [_taken(longest, count) for count in TRIED]
    free = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    return largest(SHARE * free, taken)


def on_gpu(models: Models) -> bool:
    """Whether the models are on a GPU."""
    return models.captioner.device.type == "cuda"


def largest(free: float, taken: list[int]) -> int:
    """The largest power of two, up to ``MOST``, of images that fit ``free`` bytes; at least 1.

    ``taken`` are the bytes that batches of the ``TRIED`` sizes took. Those of other sizes are on the line through them.
    """
    (few, more), (low, high) = TRIED, taken
    each = (high - low) / (more - few)
    size = MOST
    while size > 1 and low + each * (size - few) > free:
        size //= 2
    return size


def _taken(models: Models, count: int) -> int:
    """Bytes of the GPU's memory that a batch takes at most, besides the models."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    image, text = Image.new("RGB", (512, 512)), "a " * models.matcher.max_text_tokens
    recaption_batch(models, prepare(models, [image] * count), ["image"] * count, [text] * count)
    return torch.cuda.max_memory_allocated() - before

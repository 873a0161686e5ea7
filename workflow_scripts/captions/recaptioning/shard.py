"""One shard captioned and scored, batch by batch, so that a killed job resumes where it stopped."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from transformers import BatchFeature

from workflow_scripts.captions.recaptioning.generate import generate_captions, model_inputs
from workflow_scripts.captions.recaptioning.models import Models
from workflow_scripts.core.files.durable import move_durable
from workflow_scripts.core.files.tables import write_table
from workflow_scripts.core.images.reading import prepared
from workflow_scripts.core.inputs import check_unchanged
from workflow_scripts.core.runtime.meter import fed
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.shards import TarImages
from workflow_scripts.core.threads import in_threads
from workflow_scripts.models.matcher import Matcher

PART = "batch-{}.parquet"  # of a work folder
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("candidate", pa.int8()),
        ("generated", pa.string()),
        ("itm_generated", pa.float32()),
        ("itc_generated", pa.float32()),
        ("itm_original", pa.float32()),
        ("itc_original", pa.float32()),
        ("original_tokens", pa.int16()),
        ("generated_tokens", pa.int16()),
    ]
)


@dataclass(frozen=True)
class Batch:
    """What the models read of n images, on the CPU.

    Attributes:
        inputs: the captioner's.
        pixels: (n, 3, height, width) float32, the matcher's.
    """

    inputs: BatchFeature
    pixels: torch.Tensor

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pixels)


def recaption_shard(
    rows: pa.Table, images: TarImages, batch_size: int, work: Path, load: Callable[[], Models], workers: int
) -> pa.Table:
    """Captions and scores of a shard.

    Args:
        rows: key and caption of n images.
        images: the same n images.
        batch_size: images per batch; batch i starts at row i * batch_size, however often the job was stopped.
        work: folder for finished batches.
        load: returns the models; not called if all batches are finished.
        workers: threads that decode and preprocess images.

    Returns:
        ``SCHEMA``, rows in order, each with ``num_captions`` candidates.

    Raises:
        PipelineError: an image can't be decoded, or a checkpoint is unusable.
    """
    count = -(-len(rows) // batch_size)
    parts = [work / PART.format(f"{i:06d}") for i in range(count)]
    left = [i for i in range(count) if not parts[i].exists()]
    if left:
        models = load()
        cuts = [range(i * batch_size, min((i + 1) * batch_size, len(rows))) for i in left]
        read = fed(prepared(images, cuts, partial(prepare, models), workers))

        def captioned() -> Iterator[tuple[Path, pa.Table]]:
            for i, batch in progress(zip(left, read, strict=True), len(left), "batches captioned"):
                chunk = rows.slice(i * batch_size, batch_size)
                yield (
                    parts[i],
                    recaption_batch(models, batch, chunk["key"].to_pylist(), chunk["caption"].to_pylist()),
                )

        # One thread: a batch is written while the models work on the next.
        in_threads(_keep, captioned(), 1, ahead=1)
    return pa.concat_tables([SCHEMA.empty_table(), *(pq.read_table(part, schema=SCHEMA) for part in parts)])


def _keep(finished: tuple[Path, pa.Table]) -> None:
    part, table = finished
    temporary = part.with_name("batch.part")
    temporary.unlink(missing_ok=True)  # after a crash it can be a hard link to a finished part
    write_table(temporary, table)
    check_unchanged()
    move_durable(temporary, part)


def any_finished(work: Path) -> bool:
    """Whether a work folder has a finished batch."""
    return any(work.glob(PART.format("*")))


def prepare(models: Models, images: Sequence[Image.Image]) -> Batch:
    """What the models read of RGB images.

    Raises:
        PipelineError: the prompt doesn't suit the captioner.
    """
    inputs = model_inputs(models.captioner, images, models.decoding.prompt)
    return Batch(inputs, inputs["pixel_values"] if models.same_pixels else models.matcher.checkpoint.pixels(images))


def recaption_batch(models: Models, batch: Batch, keys: Sequence[str], originals: Sequence[str]) -> pa.Table:
    """``SCHEMA`` rows of one batch of n images with n keys and n original captions."""
    matcher, each, count = models.matcher, models.decoding.num_captions, len(keys)
    states = matcher.states_of(batch.pixels)
    generated = generate_captions(models.captioner, batch.inputs, keys, models.decoding)
    # The originals, then the first candidate of each image, and so on.
    texts = [*originals, *(captions[j] for j in range(each) for captions in generated)]
    tokens = matcher.token_counts(texts)
    itm, cosine = scores_by_length(matcher, (states, matcher.image_vectors(states)), texts, tokens)
    order = [(i, j * count + i) for i in range(count) for j in range(1, each + 1)]
    return pa.table(
        {
            "key": [keys[i] for i, _ in order],
            "candidate": [text // count - 1 for _, text in order],
            "generated": [texts[text] for _, text in order],
            "itm_generated": [itm[text] for _, text in order],
            "itc_generated": [cosine[text] for _, text in order],
            "itm_original": [itm[i] for i, _ in order],
            "itc_original": [cosine[i] for i, _ in order],
            "original_tokens": [tokens[i] for i, _ in order],
            "generated_tokens": [tokens[text] for _, text in order],
        },
        schema=SCHEMA,
    )


def scores_by_length(
    matcher: Matcher, prepared: tuple[torch.Tensor, torch.Tensor], texts: Sequence[str], tokens: Sequence[int]
) -> tuple[list[float], list[float]]:
    """ITM and ITC of texts, scored n at a time in the order of their lengths, so that little is padded.

    Args:
        prepared: states and vectors of n images.
        texts: text i is of image i modulo n.
        tokens: their lengths.
    """
    states, vectors = prepared
    count = len(states)
    order = np.argsort(np.minimum(tokens, matcher.max_text_tokens), kind="stable")
    itm, cosine = np.empty(len(texts), np.float32), np.empty(len(texts), np.float32)
    for start in range(0, len(texts), count):
        part = order[start : start + count]
        images = torch.from_numpy(part % count).to(states.device, non_blocking=True)
        scores = matcher.scores((states[images], vectors[images]), matcher.read([texts[place] for place in part]))
        itm[part], cosine[part] = (one.cpu().numpy() for one in scores)
    return itm.tolist(), cosine.tolist()

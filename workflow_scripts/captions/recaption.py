"""One shard captioned and scored, batch by batch, so that a killed job resumes where it stopped."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from workflow_scripts.captions.decoding import Decoding
from workflow_scripts.captions.generate import generate_captions
from workflow_scripts.core.files.durable import move_durable
from workflow_scripts.core.files.tables import write_table
from workflow_scripts.core.inputs import check_unchanged
from workflow_scripts.core.runtime.meter import fed
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.shards import TarImages
from workflow_scripts.models.checkpoints import Checkpoint
from workflow_scripts.models.matcher import Matcher

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
class Models:
    """Models and settings for a batch: a captioner, a matcher and how captions are decoded."""

    captioner: Checkpoint
    matcher: Matcher
    decoding: Decoding


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
        workers: threads that decode images.

    Returns:
        ``SCHEMA``, rows in order, each with ``num_captions`` candidates.

    Raises:
        PipelineError: an image can't be decoded, or a checkpoint is unusable.
    """
    count = -(-len(rows) // batch_size)
    parts = [work / f"batch-{i:06d}.parquet" for i in range(count)]
    left = [i for i in range(count) if not parts[i].exists()]
    if left:
        models = load()
        cuts = [range(i * batch_size, min((i + 1) * batch_size, len(rows))) for i in left]
        batches = fed(decoded(images, cuts, workers))
        for i, pictures in progress(zip(left, batches, strict=True), len(left), "batches captioned"):
            chunk = rows.slice(i * batch_size, batch_size)
            table = recaption_batch(models, pictures, chunk["key"].to_pylist(), chunk["caption"].to_pylist())
            (work / "batch.part").unlink(missing_ok=True)  # after a crash it can be a hard link to a finished part
            write_table(work / "batch.part", table)
            check_unchanged()
            move_durable(work / "batch.part", parts[i])
    return pa.concat_tables([SCHEMA.empty_table(), *(pq.read_table(part, schema=SCHEMA) for part in parts)])


def decoded(images: TarImages, cuts: Sequence[Sequence[int]], workers: int) -> Iterator[list[Image.Image]]:
    """The RGB images of each cut; the next cut is decoded while the caller works on this one."""
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        ahead = [pool.submit(images.image, row) for row in cuts[0]]
        for number in range(len(cuts)):
            current = ahead
            ahead = [pool.submit(images.image, row) for row in cuts[number + 1]] if number + 1 < len(cuts) else []
            yield [future.result() for future in current]


def recaption_batch(
    models: Models, images: Sequence[Image.Image], keys: Sequence[str], originals: Sequence[str]
) -> pa.Table:
    """``SCHEMA`` rows of one batch of n images with n keys and n original captions."""
    generated = generate_captions(models.captioner, images, keys, models.decoding)
    prepared = models.matcher.prepare(images)
    each = models.decoding.num_captions
    # Column 0 holds the originals, then one column per candidate; a column is scored as one batch.
    columns = [list(originals), *([captions[j] for captions in generated] for j in range(each))]
    scored = [models.matcher.scores(prepared, texts) for texts in columns]
    itm, cosine = ([scores[part].tolist() for scores in scored] for part in (0, 1))
    tokens = [models.matcher.token_counts(texts) for texts in columns]
    order = [(i, j) for i in range(len(keys)) for j in range(1, each + 1)]
    return pa.table(
        {
            "key": [keys[i] for i, _ in order],
            "candidate": [j - 1 for _, j in order],
            "generated": [columns[j][i] for i, j in order],
            "itm_generated": [itm[j][i] for i, j in order],
            "itc_generated": [cosine[j][i] for i, j in order],
            "itm_original": [itm[0][i] for i, _ in order],
            "itc_original": [cosine[0][i] for i, _ in order],
            "original_tokens": [tokens[0][i] for i, _ in order],
            "generated_tokens": [tokens[j][i] for i, j in order],
        },
        schema=SCHEMA,
    )

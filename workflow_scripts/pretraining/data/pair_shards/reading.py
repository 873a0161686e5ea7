"""The pairs of a run in the order of pair shards, with images from these."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import index_images
from workflow_scripts.pretraining.data.pair_shards.shards import partners_of, within
from workflow_scripts.pretraining.data.pairing import Pairing, rows_of
from workflow_scripts.pretraining.plan import Plan


def in_shards(plan: Plan, keys: pa.ChunkedArray, shards: Artifact) -> Plan:
    """The same training from pair shards: their images, and pairs with what is learned of them in their order.

    Args:
        plan: of a run, with rows of the image index.
        keys: keys of all images in index order.
        shards: artifact of ``pair_shard_index``.

    Raises:
        PipelineError: the shards hold other pairs, or other images than were indexed.
    """
    path, pairing = shards.path(".parquet"), plan.pairing
    table = pq.read_table(path, columns=["key", "rank", "block"])
    rows = rows_of(keys, table["key"], path)
    first = np.flatnonzero(table["rank"].to_numpy() == 0)
    held = np.diff(np.append(first, len(rows))) - 1
    at = np.searchsorted(pairing.sources, rows[first]).clip(max=max(0, len(pairing) - 1))
    wanted = pairing.sources[at] == rows[first] if len(pairing) else np.zeros(len(first), bool)
    at, first, held = at[wanted], first[wanted], held[wanted]
    counts = np.diff(pairing.starts)[at]
    alone = partners_of(pairing)[at] == 0
    starts = np.append(0, np.cumsum(counts))
    targets = np.repeat(np.where(alone, first, first + 1), counts) + within(starts)
    same = len(at) == len(pairing) and np.array_equal(held, np.where(alone, 0, counts))
    if not same or not np.array_equal(
        rows[targets], pairing.targets[np.repeat(pairing.starts[at], counts) + within(starts)]
    ):
        advice = "the shards were made from other pairs; recompute them from this study's"
        raise PipelineError("pairs that the shards do not hold", path, f"{len(at)} of {len(pairing)} sources", advice)
    return replace(
        plan,
        images=index_images(shards),
        keep_decoded=False,  # each image is read once per epoch, whatever fits in memory
        pairing=Pairing(first, starts, targets),
        captions=None if plan.captions is None else plan.captions[at],
        tokens=None if plan.tokens is None else plan.tokens.of(at),
        labels=None if plan.labels is None else plan.labels[at],
        vectors=None if plan.vectors is None else plan.vectors.of(at),
        faithfulness=None if plan.faithfulness is None else plan.faithfulness[rows],
        blocks=table["block"].to_numpy().astype(np.int64),
    )

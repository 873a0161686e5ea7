"""Columns of captions for tests, without a model."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.captions.diagnostics.columns import Measures, caption_columns
from workflow_scripts.captions.diagnostics.objects import UNLABELLED, Labelled


def columns(
    folder: Path, captions: list[str], originals: list[str] | None = None, objects: Labelled = UNLABELLED
) -> pa.Table:
    """The columns of captions with the keys "0", "1" ...; a token is a letter, and 30 of them are read."""
    keys = [str(row) for row in range(len(captions))]
    pq.write_table(
        pa.table({"key": pa.array(keys, pa.string()), "caption": pa.array(captions, pa.string())}), folder / "a.parquet"
    )
    before = pa.array(captions if originals is None else originals, pa.string())
    pq.write_table(pa.table({"original": before}), folder / "o.parquet")
    rows = np.arange(len(captions))
    measures = Measures(lambda texts: [len(text) for text in texts], 30, rows, objects)
    return caption_columns(folder / "a.parquet", folder / "o.parquet", measures)


def summarised(folder: Path, captions: list[str], **more: list[float | None]) -> pa.Table:
    """The same, with the columns that come from models; those not given are null."""
    table = columns(folder, captions).append_column("origin", pa.array(["original"] * len(captions), pa.string()))
    for name in ("itm", "retrieval_rank", "above_random", "above_subreddit"):
        table = table.append_column(name, pa.array(more.get(name, [None] * len(captions)), pa.float32()))
    return table

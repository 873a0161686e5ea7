"""The image index: the location of every stored image, in one table over all shards."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.acquisition.states import State
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.tables import TableWriter

INDEX = pa.schema(
    [
        ("key", pa.string()),
        ("shard", pa.int32()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("sha256", pa.string()),
        ("subreddit", pa.string()),
        ("year", pa.int16()),
    ]
)
COLUMNS = ["key", "offset", "bytes", "width", "height", "sha256", "subreddit", "year"]


def index(shards: Sequence[tuple[int, Path]], out: Path) -> tuple[int, dict[str, int]]:
    """Write the rows with an image of all shards (number, row table), in the order given, to ``out``.

    Returns:
        Number of rows, and the rows without an image by state.

    Raises:
        PipelineError: no shard contains an image.
    """
    lost = Counter[str]()
    with TableWriter(out, INDEX) as writer:
        for shard, path in shards:
            table = pq.read_table(path, columns=[*COLUMNS, "state"])
            lost.update(state for state in table["state"].to_pylist() if state != State.OK)
            stored = table.filter(pc.equal(table["state"], str(State.OK))).select(COLUMNS)
            numbers = pa.repeat(pa.scalar(shard, pa.int32()), len(stored))
            stored = stored.rename_columns(["size" if name == "bytes" else name for name in COLUMNS])
            writer.write(stored.append_column("shard", numbers).select(INDEX.names))
        if writer.rows == 0:
            value = f"0 of {sum(lost.values())} rows ({dict(lost)})"
            advice = "see the download shards' tables for the reasons; check network, hosts and connect_to"
            raise PipelineError("no images", "download", value, advice)
        return writer.rows, lost

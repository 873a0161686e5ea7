"""The stage ``caption_table``."""

import pyarrow.parquet as pq

from tests.helpers import Fails, run
from tests.stages.captioned import CAPTIONS, Captioned
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.stages import caption_table


def test_the_table_has_a_row_per_image_in_index_order(given: Captioned) -> None:
    table = pq.read_table(Artifact(given.table).path(".parquet"))
    assert table["key"].to_pylist() == [f"k{i}" for i in range(9)]
    assert table["original"].to_pylist() == CAPTIONS
    assert [len(captions) for captions in table["generated"].to_pylist()] == [2] * 9
    parts = [pq.read_table(Artifact(path).path(".parquet")) for path in given.recaption]
    flat = [caption for part in parts for caption in part["generated"].to_pylist()]
    assert [caption for captions in table["generated"].to_pylist() for caption in captions] == flat


def test_a_missing_shard_is_an_error(given: Captioned, fails: Fails) -> None:
    inputs = {"images": given.index, "download": given.shards, "recaption": given.recaption[:1]}
    with fails("error: scored images differ from the index in"):
        run(caption_table.STAGE, given.results, "caption_table/broken", {}, inputs)

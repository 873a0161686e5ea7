"""The image_index stage, run as the workflow runs it."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

from tests.acquisition.fault_server import serving
from tests.acquisition.pictures import jpeg
from tests.helpers import run
from tests.stages.acquired import downloaded, planned
from workflow_scripts.core.shards import images_of_keys, index_images
from workflow_scripts.stages import image_index

NAMES = [f"p{n}.jpg" for n in range(9)]


def test_images_are_found_by_the_index(results: Path, tmp_path: Path) -> None:
    made = planned(results, tmp_path, NAMES, shards=3)
    pictures = {f"/{name}": jpeg(40 + n, 40, seed=n) for n, name in enumerate(NAMES) if n != 4}
    with serving(pictures) as site:
        shards = [downloaded(results, made, shard, site.address) for shard in range(3)]
    inputs = {"download": [shard.manifest_path for shard in shards]}
    index = run(image_index.STAGE, results, "image_index/images", {}, inputs)
    table = pq.read_table(index.path(".parquet"))
    images = index_images(index)
    keys = table["key"].to_pylist()
    assert sorted(keys) == [f"p{n}" for n in range(9) if n != 4]
    expected = [pictures[f"/{key}.jpg"] for key in keys]
    assert [images.bytes(row) for row in range(8)] == expected
    assert [images.image(row).size for row in range(8)] == [Image.open(io.BytesIO(data)).size for data in expected]
    some, rows = images_of_keys(index, ["p7", "p4", "p3", "p3"])
    assert {key: some.bytes(row) for key, row in rows.items()} == {key: pictures[f"/{key}.jpg"] for key in ("p3", "p7")}
    recorded = json.loads(index.path(".json").read_bytes())["tars"]
    assert recorded["00001"] == shards[1].manifest["files"][".tar"]
    assert index.rows == {"in": 9, "out": 8, "dropped": {"http_4xx": 1}}

"""Packs: the images of a shard in one file for training, and the index over them."""

import errno
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.acquisition.pictures import encoded, jpeg, photo
from tests.failing_reads import failing_reads
from tests.file_bytes import parquet
from tests.helpers import Fails, hex_hashes, make_artifact, run
from tests.pretraining.shapes import SMALL
from tests.pretraining.shapes import encoded as discs
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.files import patience
from workflow_scripts.core.files.storage_errors import storage_error
from workflow_scripts.core.shards import index_images
from workflow_scripts.core.stage_in.stage_in import places
from workflow_scripts.stages import image_index, pack, pack_index, pretrain

BROKEN = b"\xff\xd8\xff\xe0 no image"
FILES = [
    jpeg(80, 60, seed=1),
    jpeg(40, 30, seed=2),
    BROKEN,
    encoded(photo(33, 90, seed=3), "PNG"),
    encoded(photo(70, 64, seed=4).convert("L"), "JPEG", quality=88),
]
SIZES = [(80, 60), (40, 30), (50, 50), (33, 90), (70, 64)]


def shard(results: Path, number: int, files: Sequence[bytes], sizes: Sequence[tuple[int, int]]) -> Path:
    """A download artifact of these images, after one row without an image."""
    lengths = np.array([0, *(len(file) for file in files)])
    ok = [None, *sizes]
    table = {
        "key": [f"{number}-{i}" for i in range(len(ok))],
        "state": ["http_4xx", *["ok"] * len(files)],
        "offset": pa.array([None, *(512 + np.cumsum(lengths)[:-1]).tolist()], pa.int64()),
        "bytes": pa.array([None, *lengths[1:].tolist()], pa.int64()),
        "width": pa.array([size and size[0] for size in ok], pa.int32()),
        "height": pa.array([size and size[1] for size in ok], pa.int32()),
        "sha256": [None, *hex_hashes(files)],
        "subreddit": [("red", "blue")[i % 2] for i in range(len(ok))],
        "year": pa.array([2020] * len(ok), pa.int16()),
    }
    tar = bytes(512) + b"".join(files)
    return make_artifact(results, "download", f"{number:05d}", {".tar": tar, ".parquet": parquet(table)})


def packed(results: Path, made: Path, side: int | None, workers: int = 2) -> Artifact:
    name = made.name.partition(".")[0]
    options = ["--workers", str(workers)]
    return run(
        pack.STAGE, results, f"pack/{name}", {"shorter_side": side}, {"shard": made}, {"shard": name}, options=options
    )


def test_images_are_scaled_unless_they_are_small_or_undecodable(results: Path) -> None:
    made = packed(results, shard(results, 3, FILES, SIZES), 32)
    index = run(pack_index.STAGE, results, "pack_index/images", {}, {"packs": [made.manifest_path]})
    images = index_images(index)
    stored = [images.bytes(row) for row in range(len(images))]
    assert (stored[1], stored[2]) == (FILES[1], BROKEN)
    for row, size in {0: (43, 32), 3: (32, 87), 4: (35, 32)}.items():
        with Image.open(io.BytesIO(FILES[row])) as original:
            expected = encoded(original.resize(size, Image.Resampling.LANCZOS), "JPEG", quality=90)
        assert stored[row] == expected
    table = pq.read_table(index.path(".parquet"))
    assert table["offset"].to_pylist() == np.cumsum([0, *map(len, stored[:-1])]).tolist()
    assert list(zip(table["width"].to_pylist(), table["height"].to_pylist(), strict=True)) == [
        (43, 32),
        (40, 30),
        (50, 50),
        (32, 87),
        (35, 32),
    ]
    assert table["key"].to_pylist() == [f"3-{i}" for i in range(1, 6)] and set(table["shard"].to_pylist()) == {3}
    counts = json.loads(made.path(".json").read_bytes())["images"]
    assert counts == {"scaled": 3, "small": 1, "undecodable": 1}
    assert made.rows == {"in": 6, "out": 5, "dropped": {"no_image": 1}}
    assert index.rows == {"in": 5, "out": 5, "dropped": {}}


def test_pack_bytes_depend_on_neither_workers_nor_the_shard_number(results: Path, tmp_path: Path) -> None:
    one = packed(results, shard(results, 0, FILES, SIZES), 32, workers=1)
    other = packed(tmp_path / "other", shard(tmp_path / "other", 0, FILES, SIZES), 32, workers=4)
    assert one.hash == other.hash and one.unit == {}


@pytest.mark.parametrize("place", ["shard", "pack"])
def test_a_damaged_image_is_refused(results: Path, fails: Fails, place: str) -> None:
    made = shard(results, 0, FILES, SIZES)
    if place == "shard":
        (made.parent / "00000.tar").write_bytes(bytes(512) + b"".join(FILES)[::-1])
        with fails("error: damaged image in"):
            packed(results, made, 32)
        return
    file = packed(results, made, None).path(".images")
    index = run(pack_index.STAGE, results, "pack_index/images", {}, {"packs": [made.parents[1] / "pack" / made.name]})
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[::-1])
    with pytest.raises(Exception, match=f"damaged image in {file}: .*snakemake --force .*pack/00000.manifest.json"):
        index_images(index).bytes(0)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_transient_read_errors_of_shards_and_packs_change_no_byte(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    left = failing_reads(monkeypatch, number)
    monkeypatch.setattr(patience.time, "sleep", lambda _: None)
    expected = packed(results, shard(results, 0, FILES[:2], SIZES[:2]), None)
    left[0] = 2
    made = packed(tmp_path / "other", shard(tmp_path / "other", 0, FILES[:2], SIZES[:2]), None)
    assert made.hash == expected.hash and left[0] < 0
    index = run(pack_index.STAGE, results, "pack_index/images", {}, {"packs": [expected.manifest_path]})
    images = index_images(index)
    left[0] = 2
    assert [images.bytes(row) for row in (0, 1)] == FILES[:2]
    left[0] = 99
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        images.bytes(1)
    said = str(storage_error(caught.value, "pretrain", ()))
    assert said.startswith(f"storage error of pretrain in {expected.path('.images')}: {os.strerror(number)};")


def test_unchanged_packs_and_copies_on_the_node_change_no_byte_of_a_training(results: Path, tmp_path: Path) -> None:
    files = discs(20)
    sizes = [(28 + i % 3, 28) for i in range(20)]
    shards = [shard(results, number, files[10 * number :][:10], sizes[10 * number :][:10]) for number in (0, 1)]
    packs = [packed(results, made, None) for made in shards]
    size = sum(map(len, files))
    assert sum(one.path(".images").stat().st_size for one in packs) == size
    plain = run(image_index.STAGE, results, "image_index/images", {}, {"download": shards})
    index = run(pack_index.STAGE, results, "pack_index/images", {}, {"packs": [one.manifest_path for one in packs]})
    probe = {"every": 2, "images": 20, "neighbours": 3}
    settings = {**SMALL, "augmentation": "crop", "steps": 2, "warmup_steps": 1, "probe": probe}
    near = settings | {"stage_in": {"folder": str(tmp_path / "node")}}
    one = run(pretrain.STAGE, results, "pretrain/plain", settings, {"images": plain.manifest_path})
    other = run(pretrain.STAGE, results, "pretrain/packed", near, {"images": index.manifest_path})
    assert one.manifest["files"] == other.manifest["files"]
    records = [json.loads(made.manifest_path.with_name(f"{made.name}.run.json").read_bytes()) for made in (one, other)]
    assert "stage_in" not in records[0]["facts"]
    found = records[1]["facts"]["stage_in"]
    assert found.pop("seconds") >= 0
    assert found == {"files": 2, "bytes": size, "copied_bytes": size, "on_shared": {}}
    (place,), damaged = places(results)
    assert not damaged
    assert place.here and len(list(place.folder.glob("*.images"))) == 2
    again = run(pretrain.STAGE, results, "pretrain/packed", settings, {"images": index.manifest_path})
    record = json.loads(again.manifest_path.with_name("packed.run.json").read_bytes())
    assert record["cached"], "where copies are kept is outside the key"

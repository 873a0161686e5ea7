"""A shard captioned in batches, stopped and resumed."""

import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tests.file_bytes import encoded
from tests.helpers import hashes, tar_images
from workflow_scripts.captions.recaptioning import shard as module
from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.captions.recaptioning.models import Models, load_models
from workflow_scripts.captions.recaptioning.shard import SCHEMA, recaption_batch, recaption_shard
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import TarImages
from workflow_scripts.models.text_norms import MatchedText

DECODING = Decoding(max_new_tokens=6, num_captions=2, seed=5)


@pytest.fixture(scope="module")
def models(checkpoints: dict[str, Path]) -> Models:
    return load_models(checkpoints["captioner"], checkpoints["matcher"], "cpu", DECODING, MatchedText())


@pytest.fixture
def shard(tmp_path: Path, pictures: list[Image.Image]) -> Callable[[], tuple[pa.Table, TarImages]]:
    files = [encoded(picture) for picture in pictures]
    rows = pa.table({"key": [f"k{i}" for i in range(len(files))], "caption": ["a red cat", *["my dog"] * 8]})
    return lambda: (rows, tar_images(tmp_path / "shard.tar", files))


def test_stopped_after_a_batch_gives_the_same_rows(shard, models: Models, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rows, images = shard()
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    expected = recaption_shard(rows, images, 4, whole, lambda: models, 2)
    assert expected.schema == SCHEMA
    assert expected["key"].to_pylist() == [f"k{i}" for i in range(9) for _ in range(2)]
    assert expected["candidate"].to_pylist() == [0, 1] * 9
    (broken / "batch-000001.parquet").write_bytes((whole / "batch-000001.parquet").read_bytes())
    (broken / "batch.part").write_bytes(b"half")
    assert recaption_shard(rows, images, 4, broken, lambda: models, 1).equals(expected)
    assert sorted(p.read_bytes() for p in broken.glob("*.parquet")) == sorted(
        p.read_bytes() for p in whole.glob("*.parquet")
    )

    def unwanted() -> Models:
        raise AssertionError("all batches are there, no model is needed")

    assert recaption_shard(rows, images, 4, broken, unwanted, 1).equals(expected)


def test_a_batch_is_written_while_the_next_is_captioned(
    shard: Callable[[], tuple[pa.Table, TarImages]], models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, images = shard()
    captioned, written = threading.Event(), module.write_table
    seen: list[list[str]] = []

    def batch(*given: Any) -> pa.Table:
        seen.append(sorted(path.name for path in tmp_path.glob("*.parquet")))
        if len(seen) == 2:
            captioned.set()
        return recaption_batch(*given)

    def write(path: Path, table: pa.Table) -> None:
        assert captioned.wait(10), "the next batch waits for this one"
        assert threading.current_thread() is not threading.main_thread()
        written(path, table)

    monkeypatch.setattr(module, "recaption_batch", batch)
    monkeypatch.setattr(module, "write_table", write)
    table = recaption_shard(rows, images, 4, tmp_path, lambda: models, 1)
    assert seen[:2] == [[], []] and seen[2][0] == "batch-000000.parquet" and len(table) == 18


def test_a_batch_that_cant_be_written_ends_the_job(
    shard: Callable[[], tuple[pa.Table, TarImages]], models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, table: pa.Table) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(module, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        recaption_shard(*shard(), 4, tmp_path, lambda: models, 1)
    assert not list(tmp_path.glob("*.parquet"))


def test_batch_size_does_not_change_results(shard, models: Models, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rows, images = shard()
    tables = []
    for size in (1, 9):
        work = tmp_path / str(size)
        work.mkdir()
        tables.append(recaption_shard(rows, images, size, work, lambda: models, 1))
    one, all_together = tables
    assert one["generated"].equals(all_together["generated"])
    for name in ("itm_generated", "itc_generated", "itm_original", "itc_original"):
        assert np.abs(one[name].to_numpy() - all_together[name].to_numpy()).max() < 1e-4


def test_corrupt_image_is_an_error(shard, models: Models, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rows, images = shard()
    data = bytearray(images.tars[0].read_bytes())
    first, end = int(images.offset[3]), int(images.offset[3] + images.size[3])
    data[first : first + 40] = b"x" * 40
    images.tars[0].write_bytes(data)
    with pytest.raises(PipelineError, match=r"damaged image in .*: row 3"):
        recaption_shard(rows, images, 4, tmp_path, lambda: models, 1)
    images.sha256 = np.concatenate([images.sha256[:3], hashes([data[first:end]]), images.sha256[4:]])
    with pytest.raises(PipelineError, match=r"corrupt image in .*: row 3"):
        recaption_shard(rows, images, 4, tmp_path, lambda: models, 1)


def test_a_shard_without_rows_loads_no_model(tmp_path: Path) -> None:
    none = np.zeros(0, np.int64)
    rows = pa.table({"key": pa.array([], pa.string()), "caption": pa.array([], pa.string())})

    def unwanted() -> Models:
        raise AssertionError("an empty shard needs no model")

    assert recaption_shard(rows, TarImages([], none, none, none, hashes([])), 4, tmp_path, unwanted, 1).equals(
        SCHEMA.empty_table()
    )

"""Pair shards: each image beside its partners in files, the index over them, and trainings that read them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.helpers import hex_hashes, make_artifact, run
from tests.pretraining.shapes import SMALL, encoded
from tests.stages.test_pretrain import KEYS, make_index, parquet
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.shards import TarImages, index_images
from workflow_scripts.pretraining.data.pair_shards.shards import hashed_order
from workflow_scripts.stages import pair_shard, pair_shard_index, pretrain

FILES = encoded(20)
SOURCES, K, PARTS = 17, 2, 3
BLOCK_MB = 0.004  # one or two pairs


def partners_of(source: int) -> list[int]:
    """Their places among the keys, best first."""
    return [(7 * source + 3 + rank) % 20 for rank in range(K if source % 3 else 1)]


def pair_table(results: Path) -> Path:
    found = [(i, target, rank + 1) for i in range(SOURCES) for rank, target in enumerate(partners_of(i))][::-1]
    columns = {
        "source": [KEYS[source] for source, _, _ in found],
        "target": [KEYS[target] for _, target, _ in found],
        "rank": np.array([rank for _, _, rank in found], np.int16),
    }
    return make_artifact(results, "pair_table", "revised", {".parquet": parquet(columns)})


def part(results: Path, number: int, pairs: str = "revised", workers: int = 2, **settings: Any) -> Artifact:
    """A shard of the pairs, from the images and pair table in ``results``."""
    name, folder = f"{number}-of-{PARTS}", results / "study"
    inputs = {"images": folder / "image_index/images.manifest.json"}
    if pairs != "self":
        inputs["pairs"] = folder / f"pair_table/{pairs}.manifest.json"
    unit, options = {"pairs": pairs, "part": name}, ["--workers", str(workers)]
    return run(pair_shard.STAGE, results, f"pair_shard/{pairs}.{name}", settings, inputs, unit, options=options)


def shards(results: Path, pairs: str = "revised", **settings: Any) -> tuple[list[Artifact], Artifact]:
    """All shards, and their index."""
    made = [part(results, number, pairs, **settings) for number in range(1, PARTS + 1)]
    paths = [one.manifest_path for one in made]
    own = {"block_mb": BLOCK_MB}
    index = run(
        pair_shard_index.STAGE, results, f"pair_shard_index/{pairs}", own, {"shards": paths[::-1]}, {"pairs": pairs}
    )
    return made, index


@pytest.fixture
def study(results: Path) -> Path:
    make_index(results)
    pair_table(results)
    return results


def held(index: Artifact) -> list[list[int]]:
    """The images of each pair in order, the source first."""
    table = pq.read_table(index.path(".parquet"))
    found: list[list[int]] = []
    for key, pair, rank in zip(*(table[name].to_pylist() for name in ("key", "pair", "rank")), strict=True):
        if rank == 0:
            assert pair == len(found)
            found.append([])
        assert rank == len(found[-1])
        found[-1].append(KEYS.index(key))
    return found


def test_each_pair_is_there_once_in_the_order_of_a_hash(study: Path) -> None:
    made, index = shards(study)
    found = held(index)
    assert sorted(found) == [[source, *partners_of(source)] for source in range(SOURCES)]
    keys = pq.read_table(study / "study/image_index/images.parquet", columns=["key"])["key"].slice(0, SOURCES)
    assert [pair[0] for pair in found] == hashed_order(keys, 0).tolist() != list(range(SOURCES))
    files = [FILES[image] for pair in found for image in pair]
    assert b"".join(one.path(".images").read_bytes() for one in made) == b"".join(files)
    table = pq.read_table(index.path(".parquet"))
    assert str(table.schema.field("offset").type) == "int64"
    assert table["sha256"].to_pylist() == hex_hashes(files)
    images = index_images(index)
    assert [images.bytes(row) for row in range(len(files))] == files
    assert [one.rows["in"] for one in made] == [5, 6, 6] and index.rows == {"in": 17, "out": 17, "dropped": {}}
    assert json.loads(index.path(".json").read_bytes())["pair_shards"].keys() == {one.name for one in made}


def test_blocks_hold_whole_pairs_of_one_file(study: Path) -> None:
    _, index = shards(study)
    table = pq.read_table(index.path(".parquet"))
    block, shard, size, rank, pair = (table[name].to_numpy() for name in ("block", "shard", "size", "rank", "pair"))
    assert block[0] == 0 and set(np.diff(block)) == {0, 1} and block[-1] > PARTS
    for number in range(block[-1] + 1):
        assert len(set(shard[block == number])) == 1
        begun = np.flatnonzero((block == number) & (rank == 0))
        assert rank[block == number][0] == 0 and size[begun[0] : begun[-1]].sum() <= BLOCK_MB * 1e6
    assert len({(one, other) for one, other in zip(pair, block, strict=True)}) == SOURCES


def test_order_and_contents_depend_on_seed_and_settings_alone(study: Path, tmp_path: Path) -> None:
    expected, index = shards(study)
    make_index(tmp_path / "other")
    pair_table(tmp_path / "other")
    other, _ = shards(tmp_path / "other", workers=5)
    assert [one.hash for one in other] == [one.hash for one in expected]
    before = held(index)
    seeded = held(shards(study, seed=1)[1])
    assert sorted(seeded) == sorted(before) and seeded != before


def test_images_without_a_partner_and_own_pairs_are_there_once(study: Path) -> None:
    _, index = shards(study, unpaired="self")
    assert sorted(held(index)) == [[image, *(partners_of(image) if image < SOURCES else [])] for image in range(20)]
    _, own = shards(study, "self")
    assert sorted(held(own)) == [[image] for image in range(20)]


def test_a_shard_that_was_killed_while_it_was_written_is_written_again(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = TarImages.bytes, [9]

    def killed(images: TarImages, row: int) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(images, row)

    with monkeypatch.context() as patched:
        patched.setattr(TarImages, "bytes", killed)
        with pytest.raises(SystemExit):
            part(study, 2)
    assert not list((study / "study").glob("pair_shard/*.images")) and not list(study.glob("study/pair_shard/*.json"))
    again = part(study, 2)
    shutil.copytree(study / "study/image_index", tmp_path / "other/study/image_index")
    shutil.copytree(study / "study/download", tmp_path / "other/study/download")
    shutil.copytree(study / "study/pair_table", tmp_path / "other/study/pair_table")
    assert again.hash == part(tmp_path / "other", 2).hash


def test_no_pairs(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    none = {"source": np.array([], str), "target": np.array([], str), "rank": np.array([], np.int16)}
    make_artifact(study, "pair_table", "none", {".parquet": parquet(none)})
    with pytest.raises(SystemExit):
        shards(study, "none")
    assert "no pairs in pair_shard_index: 0 pairs in 3 shards; loosen" in capsys.readouterr().err


def trained(results: Path, name: str, shard_index: Artifact | None, **changed: Any) -> Artifact:
    """A run of language pairs, or of own pairs."""
    settings = {**SMALL, "pairs": "language", "augmentation": "crop", "steps": 5, "warmup_steps": 1, **changed}
    folder = results / "study"
    inputs: dict[str, Path] = {"images": folder / "image_index/images.manifest.json"}
    if settings["pairs"] == "language":
        inputs["pairs"] = folder / "pair_table/revised.manifest.json"
    if shard_index is not None:
        inputs["shards"] = shard_index.manifest_path
    options = ["--workers", str(1 + settings.get("loading", {}).get("processes", 0))]
    return run(pretrain.STAGE, results, f"pretrain/{name}", settings, inputs, options=options)


def test_a_training_reads_shards_with_the_same_pairs_in_another_order(study: Path, tmp_path: Path) -> None:
    _, index = shards(study, unpaired="self")
    plain = trained(study, "plain", None)
    made = trained(study, "sharded", index)
    assert made.rows == plain.rows == {"in": 20, "out": 17, "dropped": {"no_pair": 3}}
    assert made.manifest["files"] != plain.manifest["files"], "their order differs"
    shutil.copytree(study / "study", tmp_path / "other/study")
    loading = {"processes": 2, "readers": 3}
    again = trained(tmp_path / "other", "sharded", index, loading=loading)
    assert again.manifest["files"] == made.manifest["files"]
    own = trained(study, "own", shards(study, "self")[1], pairs="self")
    assert own.rows == {"in": 20, "out": 20, "dropped": {}}
    filled = trained(study, "filled", index, unpaired="self")
    assert json.loads(filled.path("/run.json").read_bytes())["self_pairs"] == 3


def test_shards_of_other_pairs_are_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, index = shards(study)
    table = pq.read_table(study / "study/pair_table/revised.parquet").to_pydict()
    table["target"] = table["target"][::-1]
    make_artifact(study, "pair_table", "revised", {".parquet": parquet(table)})
    with pytest.raises(SystemExit):
        trained(study, "other", index)
    said = f"pairs that the shards do not hold in {index.path('.parquet')}: 17 of 17 sources; the shards were made from"
    assert said in capsys.readouterr().err


def test_a_damaged_shard_is_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, index = shards(study)
    file = made[1].path(".images")
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[::-1])
    with pytest.raises(SystemExit):
        trained(study, "damaged", index)
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"damaged image in {file}" in last and "snakemake --force" in last

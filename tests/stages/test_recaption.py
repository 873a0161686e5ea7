"""The stage ``recaption``."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.helpers import make_artifact, run
from tests.stages.captioned import RECAPTION, Captioned, captioned, shard
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.stages import recaption


def test_rows_of_a_shard(given: Captioned) -> None:
    artifact = Artifact(given.recaption[1])
    table = pq.read_table(artifact.path(".parquet"))
    assert table["key"].to_pylist() == [f"k{i}" for i in range(5, 9) for _ in range(2)]
    assert artifact.rows == {"in": 6, "out": 4, "dropped": {"no_image": 2}}
    assert table["itm_original"].null_count == 0
    assert table["original_tokens"].to_pylist()[0] == 8  # six words, start and end


def test_made_again_elsewhere_has_the_same_bytes(given: Captioned, tmp_path: Path) -> None:
    again = captioned(tmp_path)
    for one, other in zip(given.recaption, again.recaption, strict=True):
        assert Artifact(one).path(".parquet").read_bytes() == Artifact(other).path(".parquet").read_bytes()
    assert Artifact(given.table).hash == Artifact(again.table).hash


def test_workers_do_not_change_bytes(given: Captioned, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(given.results / "study" / "download", folder / "study" / "download")
    inputs = {"shard": folder / "study" / "download" / given.shards[0].name}
    made = run(recaption.STAGE, folder, "recaption/00000", RECAPTION, inputs, {"shard": "00000"}, given.checkpoints,
               ["--workers", "4"])  # fmt: skip
    assert made.hash == Artifact(given.recaption[0]).hash


def test_a_shard_s_number_says_nothing(given: Captioned, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(given.results / "study" / "download", folder / "study" / "download")
    shutil.copytree(given.results / ".cache", folder / ".cache")
    inputs = {"shard": folder / "study" / "download" / given.shards[0].name}
    made = run(recaption.STAGE, folder, "recaption/00009", RECAPTION, inputs, {"shard": "00009"}, given.checkpoints)
    assert made.hash == Artifact(given.recaption[0]).hash
    assert json.loads(made.manifest_path.with_name("00009.run.json").read_bytes())["cached"]


def test_empty_shard(given: Captioned, results: Path) -> None:
    path, _ = shard(results, "00007", [], 0, 2)
    made = run(recaption.STAGE, results, "recaption/00007", RECAPTION, {"shard": path}, {}, given.checkpoints)
    assert made.rows == {"in": 2, "out": 0, "dropped": {"no_image": 2}}
    assert len(pq.read_table(made.path(".parquet"))) == 0


def test_no_checkpoint(given: Captioned, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "config.json").write_text("{}")
    tar = given.shards[0].with_name("00000.tar")
    parquet = given.shards[0].with_name("00000.parquet")
    path = make_artifact(results, "download", "00000", {".tar": tar, ".parquet": parquet})
    sources = {"captioner": tmp_path / "nothing", "matcher": given.checkpoints["matcher"]}
    with pytest.raises(SystemExit):
        run(recaption.STAGE, results, "recaption/00000", RECAPTION, {"shard": path}, {}, sources)
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: no AutoModelForImageTextToText checkpoint in")

"""The stage ``recaption``."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq

from tests.helpers import Fails, make_artifact, run
from tests.stages.captioned import RECAPTION, Captioned, captioned, shard
from workflow_scripts.captions.recaptioning import shard as batches
from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.models import checkpoints
from workflow_scripts.stages import recaption

SHARDS = ("00000", "00001")


@contextmanager
def counted(module: object, name: str) -> Iterator[list[None]]:
    """One entry per call of a function of a module."""
    calls: list[None] = []
    real = getattr(module, name)

    def call(*given: object, **named: object) -> object:
        calls.append(None)
        return real(*given, **named)

    with mock.patch.object(module, name, call):
        yield calls


def both(given: Captioned, folder: Path, own: str) -> None:
    """The job of the shard ``own``, in a folder with both."""
    inputs = {"shard": folder / f"study/download/{own}{MANIFEST}"}
    run(recaption.STAGE, folder, f"recaption/{own}", RECAPTION, inputs, {"shard": own}, given.checkpoints,
        ["--in-turn", "shard=00000..00001"])  # fmt: skip


def hashes(folder: Path) -> list[str]:
    """The hashes of both shards' captions."""
    return [Artifact(folder / f"study/recaption/{shard}{MANIFEST}").hash for shard in SHARDS]


def test_rows_of_a_shard(given: Captioned) -> None:
    artifact = Artifact(given.recaption[1])
    table = pq.read_table(artifact.path(".parquet"))
    assert table["key"].to_pylist() == [f"k{i}" for i in range(5, 9) for _ in range(2)]
    assert artifact.rows == {"in": 6, "out": 4, "dropped": {"no_image": 2}}
    assert table["itm_original"].null_count == 0
    assert table["original_tokens"].to_pylist()[0] == 8  # six words, start and end


def test_recaptioning_in_another_folder_gives_the_same_bytes(given: Captioned, tmp_path: Path) -> None:
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


def test_a_process_for_all_shards_gives_the_same_bytes_and_loads_models_once(given: Captioned, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(given.results / "study" / "download", folder / "study" / "download")
    with counted(checkpoints, "pretrained") as loads:
        both(given, folder, "00001")
    assert len(loads) == 2 and hashes(folder) == hashes(given.results)


def test_recaptioning_killed_in_the_second_shard_computes_only_the_rest(given: Captioned, tmp_path: Path) -> None:
    folder, keep = tmp_path / "results", batches.move_durable
    shutil.copytree(given.results / "study" / "download", folder / "study" / "download")
    kept = 0

    def keep_two(*paths: Path) -> None:
        nonlocal kept
        kept += 1
        if kept == 3:  # the only batch of its own shard, and one of the other's two, are kept
            os.kill(os.getpid(), signal.SIGKILL)
        keep(*paths)

    def killed() -> None:
        with mock.patch.object(batches, "move_durable", keep_two):
            both(given, folder, "00001")

    process = get_context("fork").Process(target=killed)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert [(folder / f"study/recaption/{shard}{MANIFEST}").exists() for shard in SHARDS] == [False, True]
    with counted(batches, "recaption_batch") as made:
        both(given, folder, "00001")
        assert not made
        both(given, folder, "00000")
    assert len(made) == 1 and hashes(folder) == hashes(given.results)


def test_the_shard_number_does_not_affect_the_captions(given: Captioned, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(given.results / "study" / "download", folder / "study" / "download")
    shutil.copytree(given.results / ".cache", folder / ".cache")
    inputs = {"shard": folder / "study" / "download" / given.shards[0].name}
    made = run(recaption.STAGE, folder, "recaption/00009", RECAPTION, inputs, {"shard": "00009"}, given.checkpoints)
    assert made.hash == Artifact(given.recaption[0]).hash
    assert json.loads(made.manifest_path.with_name("00009.run.json").read_bytes())["cached"]


def test_a_shard_without_images_gives_an_empty_table(given: Captioned, results: Path) -> None:
    path, _ = shard(results, "00007", [], 0, 2)
    made = run(recaption.STAGE, results, "recaption/00007", RECAPTION, {"shard": path}, {}, given.checkpoints)
    assert made.rows == {"in": 2, "out": 0, "dropped": {"no_image": 2}}
    assert len(pq.read_table(made.path(".parquet"))) == 0


def test_a_missing_captioner_checkpoint_is_an_error(
    given: Captioned, results: Path, tmp_path: Path, fails: Fails
) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "config.json").write_text("{}")
    tar = given.shards[0].with_name("00000.tar")
    parquet = given.shards[0].with_name("00000.parquet")
    path = make_artifact(results, "download", "00000", {".tar": tar, ".parquet": parquet})
    sources = {"captioner": tmp_path / "nothing", "matcher": given.checkpoints["matcher"]}
    with fails("error: no AutoModelForImageTextToText checkpoint in"):
        run(recaption.STAGE, results, "recaption/00000", RECAPTION, {"shard": path}, {}, sources)

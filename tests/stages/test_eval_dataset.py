import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.evaluation.pictures import picture
from tests.file_bytes import write_tar
from tests.helpers import Fails, run
from tests.stages.evaluation_chain import CLASSES, make_world
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import dataset_images
from workflow_scripts.reporting.study import same_training
from workflow_scripts.stages.eval_dataset import STAGE


def test_a_world_task_becomes_a_dataset(results: Path) -> None:
    world = make_world(results)
    made = run(STAGE, results, "eval_dataset/concept", {"kind": "world", "task": "concept"}, {"world": world})
    rows = pq.read_table(made.path(".parquet")).to_pylist()
    assert json.loads(made.path(".json").read_text()) == {
        "classes": sorted(CLASSES), "metric": "accuracy", "has_masks": False
    }  # fmt: skip
    assert {row["split"] for row in rows} == {"train", "val", "test"}
    assert made.rows == {"in": 66, "out": 66, "dropped": {}}
    images, (first, last) = dataset_images(made), (rows[0], rows[-1])
    with tarfile.open(world.parent / "world.probe_concept.tar") as tar:
        for i, row in ((0, first), (len(rows) - 1, last)):
            member = tar.extractfile(row["member"])
            assert member is not None
            pixels = np.asarray(Image.open(io.BytesIO(member.read())).convert("RGB"))
            assert (np.asarray(images.image(i)) == pixels).all()
            assert sorted(CLASSES)[row["label"]] == row["class_name"] == row["member"].split("/")[1]


def test_world_masks_use_only_masked_images_for_testing(results: Path) -> None:
    settings = {"kind": "world", "task": "concept", "masks": True}
    made = run(STAGE, results, "eval_dataset/masks", settings, {"world": make_world(results)})
    rows = pq.read_table(made.path(".parquet")).to_pylist()
    assert all((row["split"] == "test") == (row["mask_size"] is not None) for row in rows)
    assert sum(row["split"] == "test" for row in rows) == 9
    assert made.rows["dropped"] == {"test_image_of_training_task": 24}
    row = next(i for i, row in enumerate(rows) if row["split"] == "test")
    assert set(np.unique(np.asarray(Image.open(io.BytesIO(dataset_images(made, "mask_").bytes(row)))))) == {0, 1, 255}
    tar = made.location(".tar")
    tar.chmod(0o644)
    data = bytearray(tar.read_bytes())
    data[rows[row]["mask_offset"] + 50] ^= 1
    tar.write_bytes(data)
    assert dataset_images(made).bytes(row)
    with pytest.raises(PipelineError, match=rf"damaged image in .*masks.tar: row {row}, "):
        dataset_images(made, "mask_").bytes(row)


def test_sets_with_the_same_training_images_are_told_apart_from_others(results: Path, tmp_path: Path) -> None:
    world, task, unit = {"world": make_world(results)}, {"kind": "world", "task": "concept"}, "eval_dataset"
    made = [
        run(STAGE, results, f"{unit}/{name}", task | more, world, {"dataset": name})
        for name, more in (("masks", {"masks": True}), ("concept", {}))
    ]
    given = {"dataset": folders(tmp_path / "dataset")}
    made.append(run(STAGE, results, f"{unit}/own", {"kind": "folders"}, unit={"dataset": "own"}, sources=given))
    names = ["masks", "concept", "own"]
    assert same_training(made, names) == [["masks", "concept"]]
    assert same_training(made[1:], names) == same_training(made, names[1:]) == []


def folders(root: Path) -> Path:
    root.mkdir()
    for split, n in (("train", 30), ("test", 10)):
        write_tar(
            root / f"{split}.tar.gz",
            {f"{name}/{i}.png": picture(i) for name in ("a", "b") for i in range(n)} | {"../../x.png": b"evil"},
            "w:gz",
        )
    return root


def test_folders_with_limit_are_stable_and_accounted_for(results: Path, tmp_path: Path) -> None:
    sources = {"dataset": folders(tmp_path / "set")}
    settings = {"kind": "folders", "limit": {"train": 5, "test": 3}, "metric": "mean_per_class"}
    made = run(STAGE, results, "eval_dataset/x", settings, sources=sources)
    table = pq.read_table(made.path(".parquet"))
    assert made.rows["dropped"]["unsafe_name"] == 2
    assert made.rows["in"] == 82 and made.rows["out"] == len(table)
    whole = run(STAGE, results, "eval_dataset/y", {"kind": "folders"}, sources=sources)
    everything = {row["member"]: row["split"] for row in pq.read_table(whole.path(".parquet")).to_pylist()}
    assert all(everything[row["member"]] == row["split"] for row in table.to_pylist())
    assert not list(tmp_path.rglob("x.png"))


def test_classes_without_test_images_are_named(results: Path, tmp_path: Path) -> None:
    root = folders(tmp_path / "set")
    write_tar(root / "test.tar.gz", {"b/1.png": picture(1)}, "w:gz")
    made = run(STAGE, results, "eval_dataset/x", {"kind": "folders"}, sources={"dataset": root})
    assert json.loads(made.path(".json").read_text())["without_test_images"] == ["a"]


def test_a_corrupt_member_is_a_single_line_error(results: Path, tmp_path: Path, fails: Fails) -> None:
    root = folders(tmp_path / "set")
    write_tar(root / "test.tar.gz", {"a/good.png": picture(1), "b/bad.png": picture(2)[:60]}, "w:gz")
    with fails("error: corrupt image in ", "test/b/bad.png"):
        run(STAGE, results, "eval_dataset/x", {"kind": "folders"}, sources={"dataset": root})
    assert not (results / "study/eval_dataset/x.manifest.json").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "world"},
        {"kind": "folders", "task": "concept"},
        {"kind": "torchvision"},
        {"kind": "folders", "torchvision_name": "dtd"},
        {"kind": "folders", "min_dominance": 0.5},
        {"kind": "masks", "label_by": "class_area"},
        {"kind": "folders", "limit": {"train": 0}},
        {"kind": "folders", "limit": {"trian": 4}},
        {"kind": "foldres"},
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, object], results: Path) -> None:
    with pytest.raises(SystemExit):
        run(STAGE, results, "eval_dataset/x", settings)


def test_real_photos_with_masks(results: Path, shared_data: Path) -> None:
    settings = {"kind": "masks", "min_dominance": 0.5, "min_per_class": 8, "limit": {"train": 6, "val": 2, "test": 6}}
    made = run(STAGE, results, "eval_dataset/masks", settings, sources={"dataset": shared_data / "masks"})
    table = pq.read_table(made.path(".parquet"))
    assert made.rows["in"] == 747 and table["mask_offset"].null_count == 0
    assert set(table["split"].to_pylist()) == {"train", "val", "test"}


def test_real_flowers_are_limited_per_split_and_class(results: Path, shared_data: Path) -> None:
    settings = {"kind": "folders", "limit": {"train": 3, "val": 2, "test": 2}}
    made = run(STAGE, results, "eval_dataset/f", settings, sources={"dataset": shared_data / "probe_sets/flowers5"})
    assert made.rows["in"] == 4311 and made.rows["out"] == 35

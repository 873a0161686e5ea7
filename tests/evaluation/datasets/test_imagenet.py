"""ImageNet-1k and ImageNet-S as named sets: two classes in the official folders, and what is refused."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.evaluation.datasets.official_layouts import put
from tests.evaluation.datasets.test_imagenet_s import imagenet_s
from tests.helpers import Fails, run
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.datasets.registry import SETS, TORCHVISION
from workflow_scripts.stages import eval_dataset

S = ["imagenet_s50", "imagenet_s300", "imagenet_s919"]


def convert(name: str, root: Path, results: Path) -> Artifact:
    own = {"kind": "torchvision", "torchvision_name": name} if name in TORCHVISION else {"kind": SETS[name].kind}
    unit, sources = {"dataset": name}, {"dataset": root}
    return run(eval_dataset.STAGE, results, f"eval_dataset/{name}", own, unit=unit, sources=sources)


@pytest.fixture
def imagenet1k(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small = replace(SETS["imagenet1k"], sizes={"train": 8, "test": 2}, classes=2)
    for registry in (SETS, TORCHVISION):
        monkeypatch.setitem(registry, "imagenet1k", small)
    for split, count in (("train", 4), ("val", 1)):
        for label, wnid in enumerate(("n01440764", "n01443537")):
            for number in range(count):
                put(tmp_path / f"set/{split}/{wnid}/{wnid}_{number}.JPEG", seed=10 * label + number)
    return tmp_path / "set"


def test_validation_images_are_the_test_split(imagenet1k: Path, results: Path) -> None:
    rows = pq.read_table(convert("imagenet1k", imagenet1k, results).path(".parquet")).to_pylist()
    assert [row["member"] for row in rows if row["split"] == "test"] == [
        f"val/{wnid}/{wnid}_0.JPEG" for wnid in ("n01440764", "n01443537")
    ]
    assert Counter(row["split"] != "test" for row in rows) == {True: 8, False: 2}


def test_validation_images_without_class_folders(imagenet1k: Path, results: Path, fails: Fails) -> None:
    for path in list(imagenet1k.glob("val/*/*.JPEG")):
        path.rename(imagenet1k / "val" / path.name)
    for folder in imagenet1k.glob("val/n*/"):
        if folder.is_dir():
            folder.rmdir()
    with fails("dataset not found", "train/ and val/ with a folder per class"):
        convert("imagenet1k", imagenet1k, results)


@pytest.fixture
def small_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bool], Path]:
    def make(name: str, train: bool) -> Path:
        monkeypatch.setitem(SETS, name, replace(SETS[name], sizes={"train": 2, "test": 2}, classes=2))
        root = imagenet_s(tmp_path / "set", train)
        for path in root.glob("validation/*/unsegmented.png"):
            path.unlink()
        return root

    return make


@pytest.mark.parametrize("name", S)
def test_imagenet_s(name: str, small_s: Callable[[str, bool], Path], results: Path) -> None:
    rows = pq.read_table(convert(name, small_s(name, True), results).path(".parquet")).to_pylist()
    assert {(row["split"] == "test", row["mask_size"] is not None) for row in rows} == {(True, True), (False, False)}
    assert len(rows) == 4


def test_missing_masks_or_training_images_are_an_error(
    small_s: Callable[[str, bool], Path], results: Path, fails: Fails
) -> None:
    root = small_s("imagenet_s50", True)
    (root / "validation-segmentation/n01/a.png").rename(root / "a.png")
    with fails("train 2 of 2 images, test 1 of 2 images"):
        convert("imagenet_s50", root, results)
    (root / "a.png").rename(root / "validation-segmentation/n01/a.png")
    (root / "train/n02/b.png").unlink()
    with fails("train 1 of 2 images, test 2 of 2 images"):
        convert("imagenet_s50", root, results)


def test_a_set_of_another_name_is_not_compared_with_published_sizes(
    small_s: Callable[[str, bool], Path], results: Path
) -> None:
    root = small_s("imagenet_s50", True)
    made = run(
        eval_dataset.STAGE,
        results,
        "eval_dataset/mine",
        {"kind": "imagenet_s", "seed": 3},
        unit={"dataset": "mine"},
        sources={"dataset": root},
    )
    assert made.rows["out"] == 4

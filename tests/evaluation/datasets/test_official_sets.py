"""The sets in their official layouts: what is read of them, and what faults of a download end in."""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.evaluation.datasets.official_layouts import EACH, LAYOUTS, UNSPLIT, put, trust
from tests.evaluation.pictures import picture
from tests.helpers import run
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.shards import dataset_images
from workflow_scripts.evaluation.datasets.registry import SETS, TORCHVISION, DownstreamSet, Torchvision
from workflow_scripts.evaluation.datasets.torchvision_sets import scaled_down
from workflow_scripts.stages import eval_dataset

COUNTS = {  # of sets without official splits, for which the small ones have fewer images
    "caltech101": {"train": 3, "test": -1},
    "caltech101_background": {"train": 3, "test": -1},
    "eurosat": {"train": 9, "val": 6, "test": 6},
    "resisc45": {"train": 2, "val": 2, "test": 8},
}
NOT_IN_PATH = ("cars196", "aircraft", "flowers", "pets", "sun397", "sun397_120k")  # the class
ARRAYS = {"cifar10", "cifar100", "stl10", "pcam"}
Make = Callable[..., Path]


def small(row: DownstreamSet) -> DownstreamSet:
    """The row of the small set."""
    assert isinstance(row.layout, Torchvision)
    sizes, unused = {split: 2 * EACH[split] for split in row.sizes}, 0
    counts = COUNTS.get(row.name, {})
    if counts:
        factor = 2 if row.layout.per_class else 1
        sizes = {split: factor * (count if count >= 0 else UNSPLIT - 3) for split, count in counts.items()}
        unused = 2 * UNSPLIT - sum(sizes.values())
    return replace(row, sizes=sizes, classes=2, unused=unused, layout=replace(row.layout, counts=counts))


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Writes a small set in its official layout."""

    def write(name: str, tested: int = 2) -> Path:
        root = tmp_path / "set"
        LAYOUTS[name](root, tested)
        trust(name, root, monkeypatch)
        for registry in (SETS, TORCHVISION):
            monkeypatch.setitem(registry, name, small(TORCHVISION[name]))
        return root

    return write


def convert(name: str, root: Path, results: Path) -> Artifact:
    settings = {"kind": "torchvision", "torchvision_name": name}
    return run(eval_dataset.STAGE, results, f"eval_dataset/{name}", settings, sources={"dataset": root})


@pytest.fixture
def refused(results: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str, Path], str]:
    """Converts a faulty set and gives the error; nothing is published."""

    def attempt(name: str, root: Path) -> str:
        shutil.rmtree(results / "study", ignore_errors=True)
        with pytest.raises(SystemExit):
            convert(name, root, results)
        assert not (results / f"study/eval_dataset/{name}.manifest.json").exists()
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert last.startswith("error: ") and str(root) in last
        return last

    return attempt


def files(root: Path) -> list[Path]:
    """Images of a set, or its arrays."""
    kinds = (".jpg", ".bin", ".h5")
    return sorted(path for path in root.rglob("*") if path.suffix in kinds or path.parent.name.startswith("cifar"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_splits_classes_and_images(name: str, make: Make, results: Path) -> None:
    root = make(name)
    made = convert(name, root, results)
    rows, row = pq.read_table(made.path(".parquet")).to_pylist(), SETS[name]
    per_split = Counter(one["split"] for one in rows)
    assert per_split["test"] == row.sizes["test"] and len(rows) == row.images
    if "val" in row.sizes:
        assert per_split == row.sizes
    assert len({one["class_name"] for one in rows}) == 2
    images = dataset_images(made)
    for number, one in enumerate(rows):
        if name not in ARRAYS:
            stored = (root / one["member"]).read_bytes()
            assert images.bytes(number) == (scaled_down(stored, 120_000) if name == "sun397_120k" else stored)
            assert name in NOT_IN_PATH or one["class_name"] in one["member"]
    assert made.rows["dropped"] == {
        **({"in_no_split": 1} if name == "caltech101" else {}),  # its background
        **({"outside_split_counts": row.unused} if row.unused else {}),
    }


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_incomplete_dataset_is_refused(name: str, make: Make, refused: Callable[[str, Path], str]) -> None:
    root = make(name)
    found = files(root)
    for path in found[len(found) // 2 :]:
        path.unlink()
    refused(name, root)


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_a_truncated_dataset_file_is_refused(name: str, make: Make, refused: Callable[[str, Path], str]) -> None:
    root = make(name)
    path = max(root.rglob("*"), key=lambda one: one.stat().st_size if one.is_file() else 0)
    path.write_bytes(path.read_bytes()[:-400])
    refused(name, root)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if SETS[name].archives])
def test_an_archive_with_a_wrong_checksum_is_refused(
    name: str, make: Make, refused: Callable[[str, Path], str]
) -> None:
    root = make(name)
    for archive, published in SETS[name].archives.items():
        path = root / archive
        path.write_bytes(b"half of it")
        message = refused(name, root)
        assert "damaged archive" in message and archive in message and f"not {published}" in message
        path.unlink()


@pytest.mark.parametrize("name", LAYOUTS)
def test_extraneous_files_do_not_change_a_dataset(
    name: str, make: Make, results: Path, refused: Callable[[str, Path], str]
) -> None:
    root = make(name)
    before = convert(name, root, results)
    folder = files(root)[-1].parent
    put(folder / ".DS_Store", "x")
    put(folder / "notes.txt", "x")
    if name != "caltech101":  # whose reader counts the files of a folder
        after = convert(name, root, results)
        assert after.path(".parquet").read_bytes() == before.path(".parquet").read_bytes()
        assert after.rows == before.rows
    put(folder / "extra.jpg")
    if name in COUNTS:
        refused(name, root)
    elif name not in ARRAYS:
        made = convert(name, root, results)
        assert made.path(".parquet").read_bytes() == before.path(".parquet").read_bytes()
        assert made.rows["dropped"] == {"in_no_split": 1}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_dataset_that_is_elsewhere_or_in_a_renamed_folder_is_refused(
    name: str, make: Make, tmp_path: Path, refused: Callable[[str, Path], str]
) -> None:
    root = make(name)
    (top,) = root.iterdir()
    top.rename(root / "my_copy")
    put(tmp_path / "other/README", "read me")
    for folder in (root, tmp_path / "other"):
        message = refused(name, folder)
        assert "dataset not found" in message and SETS[name].homepage in message


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name not in ARRAYS])
def test_a_corrupt_image_is_named(name: str, make: Make, refused: Callable[[str, Path], str]) -> None:
    root = make(name)
    wrong = next(path for path in files(root) if "BACKGROUND" not in str(path))
    if name == "eurosat":  # some of whose images are in no split
        for path in files(root):
            path.write_bytes(picture(0)[:60])
    wrong.write_bytes(picture(0)[:60])
    message = refused(name, root)
    assert "corrupt image" in message and (name == "eurosat" or wrong.name in message)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_dataset_class_without_test_images_is_refused(
    name: str, make: Make, refused: Callable[[str, Path], str]
) -> None:
    message = refused(name, make(name, tested=1))
    assert "incomplete or changed dataset" in message and "; get all of" in message


def test_a_dataset_with_a_missing_class_is_refused(make: Make, refused: Callable[[str, Path], str]) -> None:
    root = make("cub2011")
    labels = root / "CUB_200_2011/image_class_labels.txt"
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join([*lines[:-2], *(line.split()[0] + " 1" for line in lines[-2:])]) + "\n")
    assert "class missing" in refused("cub2011", root)


def test_a_split_list_cannot_name_files_outside_the_dataset(
    make: Make, tmp_path: Path, refused: Callable[[str, Path], str]
) -> None:
    root = make("food101")
    put(tmp_path / "secret.jpg")
    lists = root / "food-101/meta/test.json"
    lists.write_text(lists.read_text().replace('"waffles/9"', '"../../../secret"'))
    shutil.copy(tmp_path / "secret.jpg", root / "food-101/images/waffles/9.jpg")
    assert "incomplete or changed dataset" in refused("food101", root)

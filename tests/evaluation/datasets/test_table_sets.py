import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.evaluation.pictures import found, picture
from tests.helpers import Fails, run
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.table_sets import TableSet
from workflow_scripts.stages import eval_dataset

NAMES = ["tench", "cock"]
CLASS_LABEL = json.dumps({"info": {"features": {"image": {"_type": "Image"}, "label": {"names": NAMES}}}}).encode()


def table(labels: list[Any], first: int = 0, struct: bool = True, class_label: bool = True) -> pa.Table:
    """A table as Hugging Face's ``datasets`` writes it, or a plain one."""
    images: list[Any] = [picture(first + number) for number in range(len(labels))]
    if struct:
        images = [{"bytes": one, "path": f"{number}.png"} for number, one in enumerate(images)]
    made = pa.table({"image": images, "label": labels})
    return made.replace_schema_metadata({"huggingface": CLASS_LABEL}) if class_label else made


def parquet(path: Path, *args: Any, **kwargs: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(*args, **kwargs), path, row_group_size=2)


def saved(folder: Path, labels: list[int], first: int = 0) -> None:
    """A split as ``Dataset.save_to_disk`` writes it, with a file that the cache of ``map`` left."""
    folder.mkdir(parents=True)
    made = table(labels, first)
    for name in ("data-00000-of-00001.arrow", "cache-0f3a.arrow"):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, made.schema) as stream:
            stream.write_table(made, max_chunksize=2)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": folder.name}
    (folder / "state.json").write_text(json.dumps(state))


EXPECTED = [
    ("train", "tench", picture(0)),
    ("train", "cock", picture(1)),
    ("train", "cock", picture(2)),
    ("test", "cock", picture(10)),
    ("test", "tench", picture(11)),
]


def test_parquet_of_the_hub(tmp_path: Path) -> None:
    parquet(tmp_path / "data/train-00000-of-00002-5e1f.parquet", [0, 1])
    parquet(tmp_path / "data/train-00001-of-00002-5e1f.parquet", [1, -1, None], 2)
    parquet(tmp_path / "data/test-00000-of-00001-77ab.parquet", [1, 0], 10)
    source = TableSet(tmp_path, "", "")
    assert sorted(found(source)) == sorted(EXPECTED)
    listing = source.listing()
    assert listing.left_out == {"no_label": 2} and listing.classes == NAMES


def test_a_folder_of_save_to_disk(tmp_path: Path) -> None:
    saved(tmp_path / "train", [0, 1, 1])
    saved(tmp_path / "test", [1, 0], 10)
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert sorted(found(TableSet(tmp_path, "", ""))) == sorted(EXPECTED)
    (tmp_path / "train/data-00000-of-00001.arrow").unlink()
    with pytest.raises(PipelineError, match=r"incomplete dataset in .*train: no data-00000-of-00001\.arrow"):
        TableSet(tmp_path, "", "")


def test_image_and_label_columns_can_be_renamed(tmp_path: Path, results: Path) -> None:
    for split, labels in (("train", ["a", "b"] * 20), ("val", ["a", "b"]), ("test", ["b", "a"])):
        made = table(labels, struct=False, class_label=False).rename_columns(["jpg", "kind"])
        pq.write_table(made, tmp_path / f"{split}.parquet")
    settings = {"kind": "table", "image_column": "jpg", "label_column": "kind"}
    made = run(eval_dataset.STAGE, results, "eval_dataset/t", settings, sources={"dataset": tmp_path})
    rows = pq.read_table(made.path(".parquet")).to_pylist()
    assert [(row["split"], row["class_name"]) for row in rows if row["split"] != "train"] == [
        ("test", "b"),
        ("test", "a"),
        ("val", "a"),
        ("val", "b"),
    ]
    assert len(rows) == 44 and made.rows["dropped"] == {}


def test_an_image_without_bytes_is_corrupt(tmp_path: Path, results: Path, fails: Fails) -> None:
    images = [{"bytes": picture(0), "path": "a"}, {"bytes": None, "path": "/etc/passwd"}]
    for split in ("train", "test"):
        pq.write_table(pa.table({"image": images, "label": [0, 1]}), tmp_path / f"{split}.parquet")
    with fails("corrupt image"):
        run(eval_dataset.STAGE, results, "eval_dataset/t", {"kind": "table"}, sources={"dataset": tmp_path})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: (root / "train-00000-of-00002.parquet").unlink(), "1 of 2 parts of train; fetch the others"),
        (lambda root: (root / "train-00000-of-00002.parquet").write_bytes(b"PAR1 cut"), "unreadable table"),
        (lambda root: (root / "other.parquet").write_bytes(b""), "unclear split in .*: other.parquet names no split"),
        (lambda root: parquet(root / "train/test.parquet", [0]), "names test and train"),
        (lambda root: pq.write_table(pa.table({"x": [1]}), root / "test.parquet"), "no column image; the columns"),
        (
            lambda root: pq.write_table(pa.table({"image": ["a.jpg"], "label": [1]}), root / "test.parquet"),
            "column image is of type string, but must hold encoded images",
        ),
        (
            lambda root: pq.write_table(pa.table({"image": [b"x"], "label": [0.5]}), root / "test.parquet"),
            "column label is of type double, but must be text or whole numbers",
        ),
    ],
)  # fmt: skip
def test_faulty_table_datasets_are_an_error(change: Any, said: str, tmp_path: Path) -> None:
    parquet(tmp_path / "train-00000-of-00002.parquet", [0, 1])
    parquet(tmp_path / "train-00001-of-00002.parquet", [0, 1])
    change(tmp_path)
    with pytest.raises(PipelineError, match=said):
        TableSet(tmp_path, "", "").listing()


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"no files of the dataset in .*: none ends in \.parquet or \.arrow"):
        TableSet(tmp_path, "", "")

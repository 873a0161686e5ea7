from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.evaluation.pictures import picture
from tests.file_bytes import encoded
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.mask_sets import MaskFolder


def mask_folder(root: Path, dominance: list[float | None]) -> Path:
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rows = []
    for i, share in enumerate(dominance):
        (root / f"images/{i}.png").write_bytes(picture(i))
        (root / f"masks/{i}.png").write_bytes(encoded(np.full((12, 10), i % 2, np.uint8)))
        rows.append({"image_id": str(i), "file": f"images/{i}.png", "mask": f"masks/{i}.png", "label": "cat"})
        rows[-1]["dominance"] = share
    pq.write_table(pa.Table.from_pylist(rows), root / "labels.parquet")
    return root


def test_a_mask_folder_is_filtered_by_dominance_and_counted(tmp_path: Path) -> None:
    root = mask_folder(tmp_path / "set", [0.9, 0.2, None, 0.5])
    listing = MaskFolder(root, 0.5).listing()
    assert [one.name for one in listing.entries] == ["images/0.png", "images/3.png"]
    assert listing.left_out == {"below_min_dominance": 2}
    assert len(MaskFolder(root).listing().entries) == 4
    (found,) = MaskFolder(root).read(frozenset({"images/3.png"}))
    assert found.image == picture(3) and found.mask == (root / "masks/3.png").read_bytes()


def test_a_file_is_listed_and_read_once(tmp_path: Path) -> None:
    root = mask_folder(tmp_path / "set", [0.9, 0.9])
    first, second = pq.read_table(root / "labels.parquet").to_pylist()
    other = {**first, "mask": second["mask"]}
    rows = [{**other, "label": None}, {**other, "dominance": 0.1}, first, {**other, "label": "dog"}, second]
    pq.write_table(pa.Table.from_pylist(rows), root / "labels.parquet")
    source = MaskFolder(root, 0.5)
    listing = source.listing()
    assert [(one.name, one.class_name) for one in listing.entries] == [("images/0.png", "cat"), ("images/1.png", "cat")]
    assert listing.left_out == {"no_file_mask_or_label": 1, "below_min_dominance": 1, "repeated_name": 1}
    (found,) = source.read(frozenset({"images/0.png"}))
    assert found.mask == (root / "masks/0.png").read_bytes() != (root / "masks/1.png").read_bytes()


def test_names_of_the_label_table_cannot_leave_the_folder(tmp_path: Path) -> None:
    root = mask_folder(tmp_path / "set", [1.0])
    table = pq.read_table(root / "labels.parquet").to_pylist()
    pq.write_table(pa.Table.from_pylist([{**table[0], "file": "../../secret.png"}]), root / "labels.parquet")
    listing = MaskFolder(root).listing()
    assert not listing.entries and listing.left_out == {"unsafe_name": 1}


def test_broken_label_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"labels\.parquet"):
        MaskFolder(tmp_path)
    (tmp_path / "labels.parquet").write_bytes(b"no parquet")
    with pytest.raises(PipelineError, match="unreadable label table"):
        MaskFolder(tmp_path)

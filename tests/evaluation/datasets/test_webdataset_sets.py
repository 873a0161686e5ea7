import json
from pathlib import Path

import pyarrow.parquet as pq
import webdataset

from tests.evaluation.pictures import found, picture
from tests.file_bytes import write_tar
from tests.helpers import run
from workflow_scripts.evaluation.datasets.webdataset_sets import WebDatasetSet
from workflow_scripts.stages import eval_dataset


def test_shards_from_the_webdataset_writer_are_read(tmp_path: Path) -> None:
    """One folder per split, with ``classnames.txt``, as the benchmarks of CLIP have them."""
    (tmp_path / "classnames.txt").write_text("tench\ncock\n")
    for split, labels in (("train", [0, 1, 1]), ("test", [1, 0])):
        (tmp_path / split).mkdir()
        with webdataset.TarWriter(str(tmp_path / split / "0.tar")) as writer:
            for number, label in enumerate(labels):
                writer.write({"__key__": f"s{number:07d}", "png": picture(number), "cls": label})
    source = WebDatasetSet(tmp_path)
    assert sorted(found(source)) == sorted(
        [
            ("train", "tench", picture(0)),
            ("train", "cock", picture(1)),
            ("train", "cock", picture(2)),
            ("test", "cock", picture(0)),
            ("test", "tench", picture(1)),
        ]
    )
    assert source.listing().classes == ["tench", "cock"]


def test_unusable_samples_are_counted(tmp_path: Path, results: Path) -> None:
    def label(value: object) -> bytes:
        return json.dumps({"label": value}).encode()

    good = {
        f"x/{i}{end}": data for i in range(20) for end, data in ((".json", label("ab"[i % 2])), (".jpg", picture(i)))
    }
    odd = {
        "no_label.jpg": picture(0),
        "null.jpg": picture(0),
        "null.json": label(None),
        "broken.json": b"{",
        "broken.jpg": picture(0),
        "list.jpg": picture(0),
        "list.json": label([1]),
        "no_image.cls": b"1",
        "../../evil.cls": b"1",
        "../../evil.jpg": picture(0),
        "notes.txt": b"x",
    }
    write_tar(tmp_path / "set-train-0000.tar", good | odd)
    write_tar(tmp_path / "set-validation-0000.tar", good)
    write_tar(tmp_path / "set-test-0000.tar.gz", good, "w:gz")
    made = run(eval_dataset.STAGE, results, "eval_dataset/w", {"kind": "webdataset"}, sources={"dataset": tmp_path})
    rows = pq.read_table(made.path(".parquet")).to_pylist()
    assert len(rows) == 60 and {row["split"] for row in rows} == {"train", "val", "test"}
    assert made.rows["dropped"] == {"no_label": 4, "no_image": 2, "unsafe_name": 1}


def test_a_repeated_name_is_read_once(tmp_path: Path) -> None:
    members = [("a.cls", b"x"), ("a.png", picture(0)), ("b.cls", b"y"), ("a.cls", b"z"), ("a.png", picture(1))]
    write_tar(tmp_path / "train.tar", members)
    source = WebDatasetSet(tmp_path)
    assert found(source) == [("train", "x", picture(0))]
    assert source.listing().left_out == {"no_image": 1, "repeated_name": 1}


def test_labels_outside_the_class_names(tmp_path: Path) -> None:
    (tmp_path / "classnames.txt").write_text("tench\n")
    labels = (b"0", b"1", b"-1", b"x", b"9" * 5000)
    members = {f"{i}{end}": data for i, one in enumerate(labels) for end, data in ((".cls", one), (".png", picture(i)))}
    write_tar(tmp_path / "train.tar", members)
    listing = WebDatasetSet(tmp_path).listing()
    assert len(listing.entries) == 1 and listing.left_out == {"no_label": 4}

"""Twelve images of somebody's own, from the folder to the image index, without any request."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.acquisition.own_images import pictures
from tests.acquisition.pictures import encoded, jpeg, photo
from tests.file_bytes import write_tar
from tests.helpers import Fails, run
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.stages import annotations, download, image_index, shard_plan

GOOD = [f"{number:02d}.jpg" for number in range(7)]
STATES = {"ok": 7, "truncated": 1, "not_an_image": 1, "empty": 1, "too_large": 1, "decompression_bomb": 1}
DOWNLOAD = {"max_side": 64, "max_bytes": 60_000, "max_pixels": 90_000}


def folder_of_twelve(folder: Path) -> Path:
    """Seven good images, and one for each way in which a file is none."""
    pictures(folder, GOOD)
    (folder / "07.jpg").write_bytes(jpeg(200, 150)[:-400])
    (folder / "08.jpg").write_bytes(b"<html>no image</html>")
    (folder / "09.jpg").write_bytes(b"")
    (folder / "10.jpg").write_bytes(jpeg() + bytes(60_000))
    (folder / "11.png").write_bytes(encoded(photo(400, 300).convert("L").point(lambda _: 0), "PNG"))
    for path in sorted(folder.glob("*.*g")):
        path.with_suffix(".txt").write_text(f"picture {path.stem}")
    return folder


def as_table(folder: Path) -> Path:
    """The same with one table in place of the text files."""
    with open(folder / "captions.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "caption"])
        writer.writerows([path.name, path.with_suffix(".txt").read_text()] for path in sorted(folder.glob("*.*g")))
    for path in folder.glob("*.txt"):
        path.unlink()
    return folder


def as_coco(folder: Path) -> Path:
    """The same as COCO JSON, with a second caption for each image."""
    names = sorted(path.name for path in folder.glob("*.*g"))
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    notes = [
        {"id": number + 100 * turn, "image_id": number, "caption": f"picture {name[:2]}" if turn == 0 else "more"}
        for turn in (0, 1)
        for number, name in enumerate(names)
    ]
    (folder / "captions.json").write_text(json.dumps({"images": images, "annotations": notes}))
    for path in folder.glob("*.txt"):
        path.unlink()
    return folder


def as_tars(folder: Path) -> Path:
    """The same as two WebDataset shards."""
    shards = folder.with_name("shards")
    files = sorted(path for path in folder.iterdir())
    for number in range(2):
        chosen = [path for path in files if (int(path.stem) < 6) == (number == 0)]
        write_tar(shards / f"{number:05d}.tar", {path.name: path.read_bytes() for path in chosen})
    return shards


def made(results: Path, source: Path, workers: int) -> dict[str, Artifact]:
    """All artifacts from annotations to index."""
    rows = run(annotations.STAGE, results, "annotations/rows", {}, sources={"annotations": source})
    settings = {"shards": 2, "rows_per_shard": 6, "group": "all"}
    plan = run(shard_plan.STAGE, results, "shard_plan/plan", settings, {"annotations": rows.manifest_path})
    shards = [
        run(
            download.STAGE,
            results,
            f"download/{shard}",
            DOWNLOAD,
            {"plan": plan.manifest_path},
            {"shard": shard},
            {"annotations": source},
            ["--workers", str(workers)],
        )
        for shard in ("00000", "00001")
    ]
    inputs = {"download": [shard.manifest_path for shard in shards]}
    index = run(image_index.STAGE, results, "image_index/images", {}, inputs)
    return {"rows": rows, "plan": plan, "0": shards[0], "1": shards[1], "index": index}


def states(found: dict[str, Artifact]) -> dict[str, int]:
    """Rows by state, of both shards."""
    tables = [pq.read_table(found[name].path(".parquet"))["state"].to_pylist() for name in ("0", "1")]
    return {state: (tables[0] + tables[1]).count(state) for state in tables[0] + tables[1]}


@pytest.mark.parametrize("form", [None, as_table, as_coco, as_tars])
def test_each_format_gives_the_same_images(results: Path, tmp_path: Path, form: Any) -> None:
    source = folder_of_twelve(tmp_path / "own")
    source = form(source) if form else source
    found = made(results, source, 2)
    further = {"further_caption": 12} if form is as_coco else {}
    assert found["rows"].rows == {"in": 12 + sum(further.values()), "out": 12, "dropped": further}
    assert states(found) == STATES
    index = pq.read_table(found["index"].path(".parquet")).to_pylist()
    captions = {}
    for name in ("0", "1"):
        table = pq.read_table(found[name].path(".parquet")).to_pylist()
        captions |= {row["sha256"]: row["caption"] for row in table if row["state"] == "ok"}
    assert sorted(captions[row["sha256"]] for row in index) == [f"picture {name[:2]}" for name in GOOD]


def test_the_number_of_workers_changes_no_byte(results: Path, tmp_path: Path) -> None:
    source = folder_of_twelve(tmp_path / "own")
    first = {name: one.manifest["files"] for name, one in made(results, source, 1).items()}
    shutil.rmtree(results)
    results.mkdir()
    assert {name: one.manifest["files"] for name, one in made(results, source, 3).items()} == first


def test_an_edited_image_is_read_again_and_nothing_else(results: Path, tmp_path: Path) -> None:
    source = folder_of_twelve(tmp_path / "own")
    before = made(results, source, 1)
    hashes = {name: one.hash for name, one in before.items()}
    (source / "03.jpg").write_bytes(jpeg(60, 50, seed=77))
    after = made(results, source, 1)
    assert states(after) == STATES
    assert sum(after[name].hash != hashes[name] for name in ("0", "1")) == 1


def test_an_image_that_changes_behind_the_annotations_ends_the_job(results: Path, tmp_path: Path, fails: Fails) -> None:
    source = folder_of_twelve(tmp_path / "own")
    rows = run(annotations.STAGE, results, "annotations/rows", {}, sources={"annotations": source})
    settings = {"shards": 1, "rows_per_shard": 12, "group": "all"}
    plan = run(shard_plan.STAGE, results, "shard_plan/plan", settings, {"annotations": rows.manifest_path})
    (source / "03.jpg").write_bytes(b"other bytes")
    inputs, unit = {"plan": plan.manifest_path}, {"shard": "00000"}
    with fails("error: image changed since the annotations were read in ", "03.jpg"):
        run(download.STAGE, results, "download/00000", DOWNLOAD, inputs, unit, {"annotations": source})

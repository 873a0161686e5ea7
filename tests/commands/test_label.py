"""``faithful-pairs label`` on a small study made by hand."""

import csv
import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from tests.file_bytes import parquet
from tests.helpers import make_artifact
from tests.stages.captioned import CAPTIONS, image_index, shard
from workflow_scripts.captions.arm_rows import arm_table
from workflow_scripts.commands.main import main

COUNT = len(CAPTIONS)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Nine images with captions of two arms; the first has no score of its original."""
    results = tmp_path / "results"
    pictures = [Image.new("RGB", (20, 10), (25 * number, 0, 0)) for number in range(COUNT)]
    made, rows = shard(results, "00000", pictures, 0, 0)
    image_index(results, [made], [rows])
    columns = {name: [row[name] for row in rows] for name in ("key", "subreddit", "year")}
    scores = pa.array([None, *map(float, range(1, COUNT))], pa.float32())
    lists = {
        "generated": [["a picture", "a thing"]] * COUNT,
        "itm_generated": pa.array([[0.5, 0.25]] * COUNT, pa.list_(pa.float32())),
        "itc_generated": pa.array([[0.5, 0.25]] * COUNT, pa.list_(pa.float32())),
    }
    table = pa.table({**columns, "original": CAPTIONS, **lists, "itm_original": scores})
    make_artifact(results, "caption_table", "captions", {".parquet": parquet(table)})
    for arm, texts in (("original", CAPTIONS), ("generated", ["a picture"] * COUNT)):
        chosen = arm_table(table, texts, [arm] * COUNT, scores, scores)
        make_artifact(results, "select_captions", arm, {".parquet": parquet(chosen)})
    return results / "study"


def test_label_writes_a_sheet_and_its_key(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", str(study), "--images", "5"]) == 0
    sheet, key = study / "labels" / "sheet.html", study / "labels" / "sheet.html.key.csv"
    out = capsys.readouterr().out
    assert out.startswith(f"{sheet}: 5 images, arms generated, original\n")
    assert out.endswith("1 of 9 images lack a score and were left out\n")
    rows = list(csv.DictReader(key.open()))
    assert len({row["key"] for row in rows}) == 5 and len(rows) == 10
    assert "k0" not in {row["key"] for row in rows}  # without a score
    assert sheet.read_text().count("<article") == 5


def test_a_sheet_outside_the_study_is_recorded_in_it(study: Path, tmp_path: Path) -> None:
    assert main(["label", str(study), "--images", "2"]) == 0
    assert not (study / "copies").exists()  # its key lies in the study
    out = tmp_path / "for raters" / "sheet.html"
    assert main(["label", str(study), "--images", "2", "--out", str(out)]) == 0
    (record,) = (study / "copies").iterdir()
    rows = list(csv.DictReader(record.open()))
    keys = {row["key"] for row in csv.DictReader((study / "labels" / "sheet.html.key.csv").open())}
    assert {row["copy"] for row in rows} == {str(out)} and {row["key"] for row in rows} == keys


def test_equal_calls_write_equal_bytes(study: Path) -> None:
    files = [study / "one.html", study / "two.html"]
    for path in files:
        assert main(["label", str(study), "--out", str(path)]) == 0
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in files}) == 1


def test_a_rated_sheet_is_not_overwritten(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", str(study)]) == 0
    before = (study / "labels" / "sheet.html").read_bytes()
    assert main(["label", str(study), "--seed", "1"]) == 1
    assert "file exists" in capsys.readouterr().err
    assert (study / "labels" / "sheet.html").read_bytes() == before


def test_a_call_that_was_killed_before_the_sheet_can_be_repeated(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["label", str(study)]) == 0
    sheet, key = study / "labels" / "sheet.html", study / "labels" / "sheet.html.key.csv"
    before = sheet.read_bytes(), key.read_bytes()
    sheet.unlink()
    assert main(["label", str(study), "--seed", "1"]) == 1
    assert "it is the key of another sheet" in capsys.readouterr().err
    assert not sheet.exists() and key.read_bytes() == before[1]
    assert main(["label", str(study)]) == 0
    assert (sheet.read_bytes(), key.read_bytes()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--arm", "revised"], "revised; its arms are generated, original"), (["--arm", "../x"], "../x; its arms are")],
)
def test_an_unknown_arm(study: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", str(study), *words]) == 1
    assert message in capsys.readouterr().err


def test_a_study_without_captions_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", str(tmp_path)]) == 1
    assert "it has no captions; run snakemake first" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["", ".", "/"])
def test_writing_a_label_sheet_to_a_folder_is_an_error(
    study: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["label", str(study), "--out", out]) == 1
    assert capsys.readouterr().err.endswith(": it may have been rated; give another file with --out\n")

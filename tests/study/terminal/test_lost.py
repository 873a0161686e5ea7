"""What is said of rows that were lost, and of test images that are among the study's."""

import json
from pathlib import Path

import pytest

from tests.helpers import make_artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.terminal.handler import lost_rows, same_images


def line(folder: Path, **states: int) -> str:
    (folder / "data_card.json").write_text(json.dumps({"rows": sum(states.values()), "states": states}))
    return lost_rows(f"{folder}/data_card").replace(f"{folder}/", "results/")


def test_lost_rows_are_counted_by_reason_with_the_file_that_lists_them(tmp_path: Path) -> None:
    assert line(tmp_path, ok=65, no_image=15) == (
        "80 rows, 65 images; 15 files missing: results/data_card.lost_rows.csv"
    )
    assert line(tmp_path, ok=1000, corrupt=2, bad_path=3, dns=1, not_utf8=7, tls=1) == (
        "1,014 rows, 1,000 images; 7 not in UTF-8, 3 bad path, 2 corrupt, 2 for other reasons: "
        "results/data_card.lost_rows.csv"
    )


def test_a_study_that_lost_nothing_has_no_list(tmp_path: Path) -> None:
    assert line(tmp_path, ok=80) == "80 rows, 80 images"


def test_test_images_among_the_study_s_are_told(tmp_path: Path) -> None:
    told = "13 of 100 test images of a are nearly or exactly the study's: scores may be high."
    for near, said in ((1, ""), (13, told)):
        counts = {"dataset": "a", "identical": 0, "near": near, "test_images": 100}
        made = make_artifact(tmp_path / str(near), "leakage", "a", {".json": json.dumps(counts).encode()})
        assert same_images(str(made).removesuffix(".manifest.json")) == said
    made.unlink()
    with pytest.raises(PipelineError, match="missing file"):
        same_images(str(made).removesuffix(".manifest.json"))

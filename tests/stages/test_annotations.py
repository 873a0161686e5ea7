"""The annotations stage, run as the workflow runs it."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.acquisition.zips import row, write_zip
from tests.helpers import make_artifact, run
from workflow_scripts.stages.annotations import main


def test_from_a_path_and_from_the_demo_world(results: Path, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"pics_2020": [row("b"), row("a"), row("a"), row("c", caption="")]})
    made = run(main, results, "annotations/rows", {"years": [2020]}, sources={"annotations": path})
    assert pq.read_table(made.path(".parquet"))["image_id"].to_pylist() == ["a", "b"]
    assert made.rows == {"in": 4, "out": 2, "dropped": {"empty_caption": 1, "repeated_id": 1}}
    assert json.loads(made.path(".json").read_bytes())["apart"] == made.rows["dropped"]
    assert pq.read_table(made.path(".apart.parquet"))["reason"].to_pylist() == ["repeated_id", "empty_caption"]
    world = make_artifact(results, "demo_world", "world", {".annotations.zip": path})
    again = run(main, results, "annotations/other", {"years": [2020]}, inputs={"world": world})
    assert again.path(".parquet").read_bytes() == made.path(".parquet").read_bytes()


def test_a_file_that_is_no_zip_ends_in_one_line(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.zip"
    path.write_text("<html>not found</html>")
    with pytest.raises(SystemExit) as ended:
        run(main, results, "annotations/rows", {}, sources={"annotations": path})
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert ended.value.code == 1
    assert last.startswith("error: not a zip in ") and "; give the RedCaps annotation zip" in last

"""The annotations stage, run as the workflow runs it."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.acquisition.zips import row, write_zip
from tests.helpers import make_artifact, run
from workflow_scripts.acquisition.annotations.removal_tokens import token
from workflow_scripts.stages.annotations import STAGE


def test_annotations_are_read_from_a_path_or_the_demo_world(results: Path, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"pics_2020": [row("b"), row("a"), row("a"), row("c", caption="")]})
    made = run(STAGE, results, "annotations/rows", {"years": [2020]}, sources={"annotations": path})
    assert pq.read_table(made.path(".parquet"))["image_id"].to_pylist() == ["a", "b"]
    assert made.rows == {"in": 4, "out": 2, "dropped": {"empty_caption": 1, "repeated_id": 1}}
    assert json.loads(made.path(".json").read_bytes())["apart"] == made.rows["dropped"]
    assert pq.read_table(made.path(".apart.parquet"))["reason"].to_pylist() == ["repeated_id", "empty_caption"]
    world = make_artifact(results, "demo_world", "world", {".annotations.zip": path})
    again = run(STAGE, results, "annotations/other", {"years": [2020]}, inputs={"world": world})
    assert again.path(".parquet").read_bytes() == made.path(".parquet").read_bytes()


def test_removal_lists_inline_and_from_files(results: Path, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"pics_2020": [row(name) for name in "abcdefg"]})
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "one.txt").write_text("# by mail\nb\n")
    (lists / "two.txt").write_text("https://i.redd.it/c.jpg\nnever\n")
    sources = {"annotations": path, "exclude": lists}
    made = run(STAGE, results, "annotations/rows", {"exclude": [token("a")]}, sources=sources)
    assert pq.read_table(made.path(".parquet"))["image_id"].to_pylist() == ["d", "e", "f", "g"]
    assert made.rows == {"in": 7, "out": 4, "dropped": {"excluded": 3}}
    listed = json.loads(made.path(".exclude.json").read_bytes())
    assert listed == sorted(token(one) for one in ("a", "b", "http://i.redd.it/c.jpg", "never"))
    (lists / "two.txt").write_text("d\n")
    changed = run(STAGE, results, "annotations/rows", {"exclude": [token("a")]}, sources=sources)
    assert pq.read_table(changed.path(".parquet"))["image_id"].to_pylist() == ["c", "e", "f", "g"]


def test_an_invalid_line_in_a_removal_list_is_a_single_line_error(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_zip(tmp_path / "a.zip", {"pics_2020": [row("a"), row("b")]})
    (tmp_path / "list.txt").write_text("a\nplease remove b\n")
    with pytest.raises(SystemExit):
        run(STAGE, results, "annotations/rows", {}, sources={"annotations": path, "exclude": tmp_path / "list.txt"})
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: invalid removal list in ") and "line 2: 'please remove b'" in last

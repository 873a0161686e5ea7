"""A data file that is missing beside its manifest, and records that do not say where its cached copy is."""

import json
import shutil
from pathlib import Path

import pytest

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError


@pytest.mark.parametrize("field", ["stage", "key"])
@pytest.mark.parametrize("value", ["x" * 5000, "a\0b", "../..", "", ["a"], {"a": 1}, None, 3])
def test_no_text_of_a_damaged_record_becomes_a_path(tmp_path: Path, field: str, value: object) -> None:
    texts = {"stage": "few_shot", "key": "a" * 64} | {field: value}
    manifest = tmp_path / "results/study/few_shot/one.manifest.json"
    manifest.parent.mkdir(parents=True)
    files = {".parquet": {"sha256": "0" * 64, "bytes": 1}}
    manifest.write_text(json.dumps({"schema": 1, "stage": texts["stage"], "unit": {}, "files": files, "rows": {}}))
    manifest.with_name("one.run.json").write_text(json.dumps({"key": texts["key"]}))
    with pytest.raises(PipelineError, match=r"nor intact in the cache|damaged manifest in .*: its stage: "):
        Artifact(manifest).location(".parquet")


@pytest.mark.parametrize("linked", ["", "files", "files/_.txt"])
def test_no_file_is_restored_through_a_link(tmp_path: Path, linked: str) -> None:
    """The bytes are the recorded ones, but whoever made the link may exchange them later."""
    entry, key = tmp_path / "results/.cache/few_shot", "a" * 64
    kept = entry / key / "files/_.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("text")
    manifest = tmp_path / "results/study/few_shot/one.manifest.json"
    manifest.parent.mkdir(parents=True)
    files = {".txt": {"sha256": file_hash(kept), "bytes": 4}}
    manifest.write_text(json.dumps({"schema": 1, "stage": "few_shot", "unit": {}, "files": files, "rows": {}}))
    manifest.with_name("one.run.json").write_text(json.dumps({"key": key}))
    assert Artifact(manifest).location(".txt").read_text() == "text"
    manifest.with_name("one.txt").unlink()
    shutil.move(entry / key / linked, tmp_path / "moved")
    (entry / key / linked).symlink_to(tmp_path / "moved")
    with pytest.raises(PipelineError, match=r"missing data file in .*one\.txt: not in the results, nor intact"):
        Artifact(manifest).location(".txt")
    assert not manifest.with_name("one.txt").exists()

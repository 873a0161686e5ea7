"""What everything below a results folder was made from, where somebody edited the manifests."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.provenance.lineage import load


@pytest.mark.parametrize(
    ("files", "record"),
    [
        ({"/../../../own": {}}, {}),
        ({}, {"beside": {"/../../../own": {}}}),
        ({}, {"original": {"beside": ["/../../../own"]}}),
        ([3], {}),
    ],
)
@pytest.mark.parametrize("path", ["study/stage/a.manifest.json", ".cache/stage/key/manifest.json"])
def test_a_manifest_or_record_that_names_outside_files_is_refused(
    tmp_path: Path, path: str, files: Any, record: Any
) -> None:
    """``remove`` deletes the files of artifacts by these names."""
    manifest = tmp_path / path
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"stage": "stage", "files": files}))
    manifest.with_name(manifest.name.replace("manifest", "run")).write_text(json.dumps(record))
    with pytest.raises(PipelineError, match=f"damaged manifest or run record in {manifest}: "):
        load(tmp_path)


def test_an_unreadable_manifest_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results/study/training/x.manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    monkeypatch.setattr("workflow_scripts.core.record.read_bytes", Mock(side_effect=OSError(5, "Input/output error")))
    with pytest.raises(PipelineError, match=r"unreadable .* in .*/x\.manifest\.json: Input/output error"):
        load(tmp_path / "results")

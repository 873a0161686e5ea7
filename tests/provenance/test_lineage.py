"""What everything below a results folder was made from, where somebody edited the manifests."""

import json
from pathlib import Path
from typing import Any

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

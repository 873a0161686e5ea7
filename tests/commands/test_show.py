"""The table of arms of a study whose summary another version wrote."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.commands.show import text
from workflow_scripts.core.errors import PipelineError


def write(folder: Path, stage: str, name: str, tables: dict[str, pa.Table]) -> None:
    (folder / stage).mkdir(parents=True)
    files = {}
    for suffix, table in tables.items():
        path = folder / stage / f"{name}{suffix}"
        pq.write_table(table, path)
        files[suffix] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    manifest = {"schema": 1, "stage": stage, "unit": {}, "files": files, "rows": {}}
    (folder / stage / f"{name}.manifest.json").write_text(json.dumps(manifest))


def test_a_summary_without_a_column_is_named(tmp_path: Path) -> None:
    table = pa.table({"run": ["a"], "step": ["last"]})
    write(tmp_path, "summary", "summary", {".parquet": table, ".contrasts.parquet": table})
    write(tmp_path, "report", "index", {".html": table})
    with pytest.raises(PipelineError, match=r"summary of another version in .*: no column '\w+'; recompute it"):
        text(tmp_path)

"""What is shown of a study: errors that say what to do, and contrasts that changed since they were last shown."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.file_bytes import parquet
from tests.helpers import make_artifact
from tests.reporting.sections.test_contrasts import contrast
from tests.reporting.sections.test_headline import row as score
from workflow_scripts.commands import show
from workflow_scripts.commands.show import text
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.reporting.settings import Report
from workflow_scripts.study.active_config import remember, units_of


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


@pytest.mark.parametrize(("made", "missing"), [((), "summary/summary"), (("summary",), "report/index")])
def test_an_unfinished_study_is_told_with_a_command_that_works(
    tmp_path: Path, made: tuple[str, ...], missing: str
) -> None:
    for stage in made:
        write(tmp_path, stage, stage, {".parquet": pa.table({"run": ["a"]})})
    with pytest.raises(PipelineError, match=rf"no {missing}; .* see faithful-pairs status {tmp_path}"):
        text(tmp_path)


def shown(results: Path, row: dict[str, Any]) -> list[str]:
    """What is shown of a study with this contrast."""
    scores = parquet([score(f"r{seed}", "a", 0.6, seed=seed) for seed in range(3)])
    made = make_artifact(results, "summary", "summary", {".parquet": scores, ".contrasts.parquet": parquet([row])})
    make_artifact(results, "report", "index", {".html": b""})
    return text(made.parents[1]).splitlines()


def test_contrasts_that_moved_are_shown_with_their_values_before(tmp_path: Path) -> None:
    results = tmp_path / "results"
    first = contrast(plus="r0.last", minus="r1.last")
    before = "+5.0 [+1.0, +9.0] supported"
    same = shown(results, first)
    assert same[-1].endswith("supported.") and not any("→" in line or "shown" in line for line in same)
    assert shown(results, first) == same
    moved = shown(results, first | {"difference": 0.04, "verdict": "inconclusive"})
    name = "revised − original, Linear probe, sklearn"
    assert f"  {name}: {before} → +4.0 [+1.0, +9.0] inconclusive" in moved
    assert any("faithful-pairs diff" in line for line in moved)
    gone = shown(results, first | {"contrast": "other"})
    assert f"  {name}: +4.0 [+1.0, +9.0] inconclusive → not there" in gone
    assert f"  {name.replace('revised − original', 'other')}: not there → {before}" in gone


def test_test_images_among_the_study_s_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report.model_validate({"study": "s", "methods": {"datasets": {"a": "a"}}})
    monkeypatch.setattr(show, "_settings", lambda *_: report)
    for name in ("a", "of another config"):
        counts = {"dataset": name, "identical": 35, "near": 13, "test_images": 48}
        make_artifact(tmp_path, "leakage", name, {".json": json.dumps(counts).encode()}, {"dataset": name})
    told = " ".join(shown(tmp_path, contrast(plus="r0.last", minus="r1.last")))
    assert told.count("test images") == 1
    assert "48 of 48 test images of a are nearly or exactly the study's: scores may be high. “revised" in told


def test_a_summary_of_another_config_is_told(tmp_path: Path) -> None:
    results, row = tmp_path / "results", contrast(plus="r0.last", minus="r1.last")
    shown(results, row)
    (study,) = (path for path in results.iterdir() if (path / "summary").is_dir())
    files = ["config.yaml", "profiles/demo/study.yaml", "tests/config/tiny.yaml"]
    remember(results, study.name, files, {"study": study.name})
    units = units_of(results, study.name)
    assert units is not None
    today = units.settings("summary", {})
    told = "Of an earlier config: the summary was made with other settings (runs: 1 added)."
    for runs, first in ((today["runs"], False), (today["runs"][1:], True)):
        (study / "summary/summary.run.json").write_text(json.dumps({"settings": {**today, "runs": runs}}))
        assert (text(study).splitlines()[0] == told) == first


@pytest.mark.parametrize("content", ["{", '{"contrasts": {}, "self": "x"}', "[]"])
def test_a_damaged_note_is_told_and_replaced(tmp_path: Path, content: str) -> None:
    results, row = tmp_path / "results", contrast(plus="r0.last", minus="r1.last")
    shown(results, row)
    (note,) = (results / ".shown").iterdir()
    note.write_text(content)
    assert any(line.startswith("What was shown before is unknown: damaged note") for line in shown(results, row))
    assert not any("unknown" in line for line in shown(results, row))


def test_results_that_are_read_only_are_shown_without_a_note(tmp_path: Path) -> None:
    results, row = tmp_path / "results", contrast(plus="r0.last", minus="r1.last")
    results.mkdir()
    (results / ".shown").write_text("a file where the folder would be")
    assert shown(results, row)[-1].endswith("supported.")

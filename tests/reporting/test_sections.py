"""Flow, quality, tables, provenance and colours: pure parts of the sections."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import make_artifact
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.page import environment
from workflow_scripts.reporting.sections.data import flatten, flow, losses, side_by_side
from workflow_scripts.reporting.sections.runs import Measured, by_dataset, probe_tables
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Number, Source, Study
from workflow_scripts.reporting.text import arm_class

SOURCE = Source("linear_probe/run.last.parquet", "abcdef0123", "a-1")


def made(folder: Path, label: str, rows: dict[str, Any] | None = None) -> Artifact:
    return Artifact(make_artifact(folder, *label.split("/"), {".parquet": b"x"}, rows=rows))


def test_a_number_names_its_source_file_and_hash(tmp_path: Path) -> None:
    artifact = made(tmp_path, "a/x")
    study = Study({"a": [artifact]}, Report(study="s"))
    source, digest = study.source(artifact, ".parquet"), sha256(b"x").hexdigest()
    assert Number("61.2", source=source, rows="dataset d").title == f"a/x.parquet · sha256 {digest[:10]}… · dataset d"
    assert [row["anchor"] for row in study.cited()] == [source.anchor]


def test_the_flow_lists_reasons_by_size_and_skips_stages_without_counts(tmp_path: Path) -> None:
    rows = {"in": 10, "out": 6, "dropped": {"gone": 1, "empty_caption": 3}}
    counted, uncounted = made(tmp_path, "annotations/rows", rows), made(tmp_path, "image_index/images")
    (step,) = flow(Study({"annotations": [counted], "images": [uncounted]}, Report(study="s")))
    assert (step["rows_in"].text, step["rows_out"].text) == ("10", "6")
    assert [(reason, number.text) for reason, number in step["dropped"]] == [("no caption", "3"), ("gone", "1")]
    assert 'width="600.0"' in step["bar"] and 'width="300.0"' in step["bar"]


def test_a_study_without_lost_rows_has_a_sentence_instead_of_bars(tmp_path: Path) -> None:
    rows = {"in": 10, "out": 10, "dropped": {}}
    kept = [made(tmp_path, label, rows) for label in ("annotations/rows", "pair_table/a")]
    study = Study({"annotations": kept[:1], "pairs": kept[1:]}, Report(study="s"))
    page = environment().from_string('{% from "macros.html" import num %}{% include "losses.html" %}')
    text = re.sub("<[^>]*>", "", page.render(losses=losses(study)))
    assert "No rows were lost: 10 at every stage." in text and "All bars" not in text


def test_summaries_are_flattened_with_their_intervals() -> None:
    summary = {"a": 1, "b": {"c": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "chance": 0.1}}, "t": "x", "f": True}
    interval = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    assert flatten(summary) == {"a": {"value": 1.0}, "b.c": interval, "b.c.chance": {"value": 0.1}}
    assert flatten({"none": {"value": None, "low": None, "high": None, "n": 0}}) == {"none.n": {"value": 0.0}}


def test_arms_side_by_side_show_a_dash_for_missing_values() -> None:
    lines = side_by_side([("x", {"a": 1}, SOURCE), ("y", {"a": 2, "b": 0.5}, SOURCE)])
    assert [(name, [cell.text for cell in cells]) for name, cells in lines] == [
        ("a", ["1", "2"]),
        ("b", ["—", "0.500"]),
    ]


def measured(run: str, rows: list[dict[str, Any]]) -> Measured:
    return Measured(run, "arm-revised", "last", [row | {"source": SOURCE} for row in rows])


def test_accuracy_tables_per_objective_and_dataset() -> None:
    row = {"metric": "mean_per_class", "value": 0.5, "low": 0.4, "high": 0.6, "n": 100}
    row |= {"common_c": 30.0, "value_at_common_c": 0.45}
    rows = [{**row, "dataset": d, "objective": o} for d in ("pets", "dtd") for o in ("sklearn", "original")]
    original, sklearn = probe_tables([measured("r", rows)])
    assert "original" in original.title and "sklearn" in sklearn.title
    names = [f"{name} (mean per class)" for name in ("pets", "pets at C = 30", "dtd", "dtd at C = 30")]
    assert sklearn.columns == names
    cell, common = sklearn.lines[0].cells[:2]
    assert (common.text, common.interval) == ("45.0", "") and SOURCE.file in common.title
    assert (
        (cell.text, cell.interval) == ("50.0", "[40.0, 60.0]") and "n = 100" in cell.title and SOURCE.file in cell.title
    )


def test_a_dataset_that_a_run_lacks_is_a_dash() -> None:
    row = {"metric": "accuracy", "value": 0.5, "low": None, "high": None, "n": 100}
    table = by_dataset([measured("r", [{**row, "dataset": "a"}]), measured("s", [{**row, "dataset": "b"}])], "t")
    assert [[cell.text for cell in line.cells] for line in table.lines] == [["50.0", "—"], ["—", "50.0"]]
    assert table.lines[0].cells[0].interval == "" and table.note.endswith("over test items.")
    assert by_dataset([], "Few-shot", "episodes").note == "In %, with 95 % intervals over episodes."


@pytest.mark.parametrize(
    ("name", "css"),
    [("revised", "arm-revised"), ("revised-subreddit", "arm-revised"), ("mixed_25", "arm-mixed"), ("x", "arm-other")],
)
def test_an_arm_has_the_same_colour_everywhere(name: str, css: str) -> None:
    assert arm_class(name) == css

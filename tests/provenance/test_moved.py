"""Numbers and verdicts that differ between two states of a study, and why."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.provenance.hand_made import SIMCLR, whole_study
from tests.provenance.test_diff import edit_record
from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import MANIFEST, RUN, manifest_hash
from workflow_scripts.core.files.jsonio import pretty


def change_table(study: Path, suffix: str, column: str, value: object, row: int) -> None:
    path = study / "summary" / f"summary{suffix}"
    rows = pq.read_table(path).to_pylist()
    rows[row][column] = value
    pq.write_table(pa.Table.from_pylist(rows), path)


def replaced(study: Path, label: str) -> None:
    """Give an artifact other bytes, and tell its readers up to the summary and the report."""
    waiting = [label]
    while waiting:
        path = study / f"{waiting.pop()}{MANIFEST}"
        before = manifest_hash(path)
        manifest = json.loads(path.read_bytes())
        if manifest["stage"] == label.split("/")[0]:
            manifest["rows"] = {"in": 7, "out": 7, "dropped": {}}
        else:
            manifest["unit"] = {**manifest["unit"], "again": "yes"}
        path.write_bytes(pretty(manifest))
        after = manifest_hash(path)
        for record in sorted(study.glob(f"*/*{RUN}")):
            content = json.loads(record.read_bytes())
            if any(before in hashes for hashes in content["inputs"].values()):
                edit_record(record, inputs=json.loads(json.dumps(content["inputs"]).replace(before, after)))
                waiting.append(f"{record.parent.name}/{record.name.removesuffix(RUN)}")
        listed = study / "summary" / "summary.sources.json"
        listed.write_text(listed.read_text().replace(before, after))


def ask(capsys: pytest.CaptureFixture[str], *argv: object) -> list[dict[str, Any]]:
    assert main(["diff", *map(str, argv), "--json"]) == 1
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)[-1]["moved"]
    return found


REASONS: dict[str, tuple[dict[str, Any], dict[str, list[str]]]] = {
    "setting": ({"settings": {**SIMCLR, "seed": 7}}, {"setting": ["seed"]}),
    "code": ({"code": "c" * 64, "closure": {}}, {"code": ["its digest"]}),
    "package": ({"packages": {"numpy": "9.9"}}, {"package": ["numpy"]}),
    "machine": ({"cpu_model": "Other CPU"}, {"machine": ["cpu_model"]}),
    "nothing recorded": ({}, {}),
}


@pytest.mark.parametrize("kind", REASONS)
def test_a_moved_number_has_the_first_ancestor_that_differs_and_the_reason(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = (whole_study(tmp_path / name) for name in "ab")
    fields, reason = REASONS[kind]
    edit_record(b / f"pretrain/simclr-original-crop-s1{RUN}", **fields)
    replaced(b, "pretrain/simclr-original-crop-s1")
    change_table(b, ".parquet", "value", 0.9, row=2)
    change_table(b, ".contrasts.parquet", "high", 0.5, row=0)
    one, other = ask(capsys, a, b)
    assert one["row"] == {"run": "simclr-original-crop-s1", "dataset": "pets", "metric": "linear_probe.accuracy"}
    assert one["figures"] == {"value": [0.51, 0.9]}
    label = "pretrain/simclr-original-crop-s1"
    assert one["because"] == [{"a": label, "b": label, "why": reason}]
    assert other["figures"] == {"high": [0.03, 0.5]} and other["because"] == one["because"]
    assert not other["joint"]


def test_another_source_is_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (whole_study(tmp_path / name) for name in "ab")
    replaced(b, "source/encoder-minilm")
    change_table(b, ".parquet", "value", 0.1, row=0)
    (one,) = ask(capsys, a / "report" / "index.html", b / "report" / "index.html")
    assert [root["a"] for root in one["because"]] == ["source/encoder-minilm"]
    assert one["because"][0]["why"] == {"data": ["what was read"]}
    assert main(["diff", str(a), str(b)]) == 1
    text = capsys.readouterr().out
    assert "moved: 0 verdicts, 0 other differences, 1 numbers" in text
    assert "because of source/encoder-minilm (data: what was read)" in text


def test_rows_of_one_side_alone_and_verdicts_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (whole_study(tmp_path / name) for name in "ab")
    for study, verdict in ((a, "supported"), (b, "inconclusive")):
        change_table(study, ".contrasts.parquet", "verdict", verdict, row=0)
        change_table(study, ".contrasts.parquet", "primary", "declared", row=0)
    change_table(b, ".parquet", "metric", "new", row=7)
    edit_record(b / f"summary/summary{RUN}", settings={"bootstrap": 9})
    replaced(b, "summary/summary")
    found = ask(capsys, a, b)
    assert [one["figures"] for one in found] == [
        {"value": [0.75, "not set"]},
        {"value": ["not set", 0.75]},
        {"verdict": ["supported", "inconclusive"]},
    ]
    assert found[2]["verdict"] and found[2]["joint"]
    assert found[2]["because"] == [{"a": "summary/summary", "b": "summary/summary", "why": {"setting": ["bootstrap"]}}]


def test_other_artifacts_and_equal_reports_have_no_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (whole_study(tmp_path / name) for name in "ab")
    assert main(["diff", str(a), str(b)]) == 0
    assert "moved" not in capsys.readouterr().out

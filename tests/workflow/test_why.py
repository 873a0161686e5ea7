"""`why` on a real study: every file has an answer, and every number leads to the world's zip."""

import json

import pyarrow.parquet as pq
import pytest

from tests.workflow.checkout import Checkout
from workflow_scripts.commands.why import answer

pytestmark = pytest.mark.slow


def test_why_answers_for_every_file_of_the_small_study(finished: Checkout) -> None:
    study = finished.folder / "results" / "tiny"
    zip_line = "annotations (demo_world/world, world.annotations.zip): sha256 "
    zip_line += json.loads((study / "demo_world" / "world.manifest.json").read_bytes())["files"][".annotations.zip"][
        "sha256"
    ]
    files = [path for path in sorted(study.rglob("*")) if path.is_file()]
    assert len(files) > 200
    for path in files:
        stage = path.relative_to(study).parts[1 if path.suffix == ".log" else 0]
        from_outside = stage == "source" or (stage == "pretrain" and "untrained-" in str(path))
        last = answer(path, {}, "text").splitlines()[-1]
        assert last == ("annotations: not among its inputs" if from_outside else zip_line), path


def test_every_row_of_the_summary_leads_to_its_captions(finished: Checkout) -> None:
    path = finished.folder / "results" / "tiny" / "summary" / "summary.parquet"
    rows = pq.read_table(path).to_pylist()
    for row in rows[:: max(1, len(rows) // 10)]:
        columns = {name: row[name] for name in ("run", "dataset", "metric")}
        found = json.loads(answer(path, columns, "json"))
        assert [cell["row"]["value"] for cell in found["cells"]] == [row["value"]]
        stages = {label.split("/")[0] for label in found["artifacts"]}
        assert {"pretrain", "features", "eval_dataset", "demo_world"} <= stages
        if row["run"].startswith("simclr-revised"):
            assert {"pair_table", "embed_captions", "select_captions", "recaption", "download"} <= stages

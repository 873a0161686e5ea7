import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from tests.evaluation.study import few_shot, probe, run, saliency
from tests.helpers import run as run_stage
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.stages.summary import STAGE

NAMED = {"tag": "short", "backbone": "resnet_small"}
RUNS = [run("simclr", pairs, "crop", seed) | NAMED for pairs in ("original", "revised") for seed in range(3)]


def summarise(results: Path, name: str = "summary", **settings: object) -> Artifact:
    inputs = {
        "probe": [path for one in RUNS for path in probe(results, one)],
        "few_shot": [few_shot(results, one) for one in RUNS],
        "saliency": [saliency(results, one) for one in RUNS],
    }
    return run_stage(STAGE, results, f"summary/{name}", {"runs": RUNS, "bootstrap": 200, **settings}, inputs)


def test_tables_csv_and_sources(results: Path) -> None:
    made = summarise(results)
    table = pq.read_table(made.path(".parquet"))
    assert table.column_names[:11] == [
        "run",
        "method",
        "pairs",
        "augmentation",
        "seed",
        "step",
        "dataset",
        "metric",
        "value",
        "low",
        "high",
    ]
    assert len(table) == 6 * (4 + 7)  # probe and few-shot, and saliency
    texts = csv.read_csv(made.path(".csv"), convert_options=csv.ConvertOptions(column_types=table.schema))
    for text, row in zip(texts.to_pylist(), table.to_pylist(), strict=True):
        assert text == pytest.approx(row)
    sources = json.loads(made.path(".sources.json").read_text())
    contrasts = pq.read_table(made.path(".contrasts.parquet")).to_pylist()
    assert len(sources["rows"]) == len(table) and len(sources["contrasts"]) == len(contrasts)
    for row, files in zip(table.to_pylist(), sources["rows"], strict=True):
        stage = {"linear_probe": "linear_probe", "few_shot": "few_shot", "saliency": "saliency"}[
            row["metric"].split(".")[0]
        ]
        for i in files:
            assert sources["files"][i]["file"].startswith(f"{stage}/{row['run']}.{row['step']}.")
            assert (results / "study" / sources["files"][i]["file"]).exists()
    assert {row["contrast"] for row in contrasts} == {"revised - original"}
    means = [row["dataset"] == "mean" for row in contrasts]
    assert [len(files) for files in sources["contrasts"]] == [12 if mean else 6 for mean in means]


def test_missing_results_have_no_summary_rows(results: Path) -> None:
    made = run_stage(STAGE, results, "summary/empty", {"runs": RUNS}, {"probe": probe(results, RUNS[0])})
    assert len(pq.read_table(made.path(".parquet"))) == 3
    assert len(pq.read_table(made.path(".contrasts.parquet"))) == 0


def test_the_same_results_give_the_same_summary_bytes(results: Path, tmp_path: Path) -> None:
    other = tmp_path / "again"
    other.mkdir()
    assert summarise(results).manifest_path.read_bytes() == summarise(other).manifest_path.read_bytes()

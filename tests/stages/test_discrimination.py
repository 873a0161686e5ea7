from pathlib import Path

import pyarrow.parquet as pq

from tests.evaluation.study import probe, run, saliency
from tests.helpers import run as run_stage
from workflow_scripts.stages import discrimination, summary

STEPS = ("step-000010", "last")
RUNS = [run(method, "self", "crop", seed, STEPS) for method in ("simclr", "clip") for seed in range(3)]
RUNS.append(run("untrained", "none", "none", 0))


def test_each_saliency_metric_of_the_masked_set_gets_a_verdict(results: Path) -> None:
    given = {
        "probe": [path for one in RUNS for step in one["steps"] for path in probe(results, one, step)],
        "saliency": [saliency(results, one, step) for one in RUNS for step in one["steps"]],
    }
    made = run_stage(summary.STAGE, results, "summary/summary", {"runs": RUNS, "bootstrap": 100}, given)
    inputs = {"summary": made.manifest_path, **given}
    found = run_stage(discrimination.STAGE, results, "discrimination/discrimination", {}, inputs)
    rows = pq.read_table(found.path(".parquet")).to_pylist()
    assert [row["metric"] for row in rows] == ["saliency.probe.pixel_ap", "saliency.probe.pixel_ap.corrected"]
    for row in rows:
        # The untrained network is left out.
        assert (row["dataset"], row["models"], row["runs"], row["images"], row["orderings"]) == ("masks", 4, 12, 8, 6)
        assert row["reason"] == "known levels: 2; 3 are required"
        assert row["verdict"] and 0 <= row["recovered"] <= 1 and row["low"] <= row["high"]

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from tests.evaluation.study import few_shot, probe, run, saliency
from tests.file_bytes import parquet
from tests.helpers import make_artifact
from tests.helpers import run as run_stage
from workflow_scripts.captions.score_table import schema
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.contrasts.settings import TERMS_OF
from workflow_scripts.stages.summary import STAGE

Inputs = dict[str, list[Path]]
NAMED = {"tag": "short", "backbone": "resnet_small"}
RUNS = [run("simclr", pairs, "crop", seed) | NAMED for pairs in ("original", "revised") for seed in range(3)]


def summarise(results: Path, name: str = "summary", more: Inputs | None = None, **settings: object) -> Artifact:
    inputs = {
        "probe": [path for one in RUNS for path in probe(results, one)],
        "few_shot": [few_shot(results, one) for one in RUNS],
        "saliency": [saliency(results, one) for one in RUNS],
        **(more or {}),
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


def compared(results: Path) -> Inputs:
    """Pair tables, scores of captions by a judge, and its choices; the second image has no label and no score."""
    keys, found = [f"k{n}" for n in range(40)], {"pairs": [], "scores": [], "choices": []}  # type: dict[str, list[Path]]
    for at, arm in enumerate(("original", "revised")):
        same = [None if n == 1 else n % 4 <= 2 * at for n in range(40)]
        table = parquet(pa.table({"source": keys, "target": keys[::-1], "same_label": pa.array(same, pa.bool_())}))
        found["pairs"].append(make_artifact(results, "pair_quality", arm, {".parquet": table}, {"pairs": arm}))
        centred = pa.array([n % 5 + at * (1 + n % 2) for n in range(40)], pa.float32(), mask=np.arange(40) == 1)
        columns = dict.fromkeys(("fit", "fit_centred", "fit_random", "fit_random_centred"), centred)
        columns |= {"key": keys, "text": [at] * 40, "random_image": [0] * 40, "fit_halves": [0.0] * 40}
        scores = pa.table(columns, schema(["fit"]))
        for block, part in (("0-0", scores[:30]), ("1-1", scores[30:])):
            unit = {"arm": arm, "judge": "clip", "block": block}
            name = ".".join(unit.values())
            found["scores"].append(make_artifact(results, "score_captions", name, {".parquet": parquet(part)}, unit))
    style = {"clip": {"fit": {"replaced_by_style": {"value": 0.01, "low": 0.0, "high": 0.02, "n": 90}}}}
    files = {".json": json.dumps({"judges": style}).encode()}
    found["choices"].append(make_artifact(results, "judge_comparison", "revised", files, {"arm": "revised"}))
    return found


def test_contrasts_of_pairs_captions_and_a_metric(results: Path) -> None:
    sides = {"minuend": "revised", "subtrahend": "original"}
    by_clip = {**sides, "judge": "clip"}
    at = [{"at": at, "encoder": name} for at, name in ((6.0, "small"), (8.0, "large"))]
    listed = [
        {"name": "purity", "endpoint": "pair_purity", "terms": at, "test": "slope", "primary": True},
        {"name": "captions", "endpoint": "caption_score", **by_clip, "primary": True},
        {"name": "style", "endpoint": "flips", **by_clip, "test": "equivalence", "margin": 5, "primary": True},
        {"name": "orders", "endpoint": "orderings"},
    ]
    tables = [{"pairs": "original", "encoder": "small"}, {"pairs": "revised", "encoder": "large"}]
    rule = {"doses": {"original": 0.0, "revised": 1.0}}
    made = summarise(results, more=compared(results), contrasts=listed, tables=tables, discrimination=rule)
    table = pq.read_table(made.path(".contrasts.parquet")).to_pylist()
    found = {row["contrast"]: row for row in table if row["verdict"] and row["metric"].split(".")[0] in TERMS_OF}
    purity, captions, style, orders = (found[one["name"]] for one in listed)
    labelled = [n for n in range(40) if n != 1]
    shares = [np.mean([n % 4 <= 2 * at for n in labelled]) for at in (0, 1)]
    assert purity["difference"] == pytest.approx((shares[1] - shares[0]) / 2) and purity["n"] == 39
    assert captions["difference"] == pytest.approx(np.mean([1 + n % 2 for n in labelled])) and captions["n"] == 39
    assert captions["metric"] == "caption_score.clip.fit"
    assert {one["verdict"] for one in (purity, captions, style)} == {"supported"}
    assert (style["difference"], style["metric"], style["n"]) == (0.01, "flips.clip.fit", 90)
    assert (orders["verdict"], orders["reason"]) == ("exploratory", "known levels: 2; 3 are required")
    sources = json.loads(made.path(".sources.json").read_text())
    files = {row["contrast"]: {sources["files"][n]["file"].split("/")[0] for n in numbers}
             for row, numbers in zip(table, sources["contrasts"], strict=True) if row["contrast"] in found}  # fmt: skip
    stages = ("pair_quality", "score_captions", "judge_comparison", "saliency")
    assert files == {one["name"]: {stage} for one, stage in zip(listed, stages, strict=True)}


def test_missing_results_have_no_summary_rows(results: Path) -> None:
    made = run_stage(STAGE, results, "summary/empty", {"runs": RUNS}, {"probe": probe(results, RUNS[0])})
    assert len(pq.read_table(made.path(".parquet"))) == 3
    assert len(pq.read_table(made.path(".contrasts.parquet"))) == 0


def test_the_same_results_give_the_same_summary_bytes(results: Path, tmp_path: Path) -> None:
    other = tmp_path / "again"
    other.mkdir()
    assert summarise(results).manifest_path.read_bytes() == summarise(other).manifest_path.read_bytes()

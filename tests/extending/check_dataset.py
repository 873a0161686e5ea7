"""The dataset of docs/extending.md; run in a copy that has it."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.evaluation.pictures import picture
from tests.extending.configs import refusal, study_with
from tests.helpers import run
from workflow_scripts.evaluation.datasets.registry import SETS
from workflow_scripts.stages import eval_dataset
from workflow_scripts.study.estimates.cost import dataset_contents
from workflow_scripts.study.reference.tables import datasets_table

CHOICE = {"name": "geo", "kind": "torchvision", "torchvision_name": "country211", "source": "data/geo"}


def test_the_example_dataset_is_read(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = replace(SETS["country211"], sizes={"train": 2, "val": 2, "test": 2}, classes=2)
    monkeypatch.setitem(SETS, "country211", few)
    for number, name in enumerate(("train/FR/1", "train/JP/2", "valid/JP/3", "test/FR/4", "test/JP/5")):
        path = tmp_path / f"set/country211/{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    for split in ("valid", "train"):
        (tmp_path / f"set/country211/{split}/FR").mkdir(exist_ok=True)
    (tmp_path / "set/country211/valid/FR/6.jpg").write_bytes(picture(6))
    settings = {"kind": "torchvision", "torchvision_name": "country211"}
    made = run(eval_dataset.STAGE, results, "eval_dataset/geo", settings, sources={"dataset": tmp_path / "set"})
    found = [(row["split"], row["class_name"]) for row in pq.read_table(made.path(".parquet")).to_pylist()]
    assert sorted(found) == sorted(
        [("train", "FR"), ("train", "JP"), ("val", "JP"), ("val", "FR"), ("test", "FR"), ("test", "JP")]
    )
    about = json.loads(made.path(".json").read_bytes())
    assert (about["classes"], about["metric"]) == (["FR", "JP"], "accuracy")


def test_configs_estimates_and_docs_include_the_new_entry() -> None:
    units = study_with({"datasets": [CHOICE], "probe_dataset": "geo"})
    assert dataset_contents(units, "geo") == (63_300, 0, 21_100)
    wrong = refusal({"datasets": [{**CHOICE, "torchvision_name": "contry211"}], "probe_dataset": "geo"})
    assert "did you mean country211?" in wrong
    assert "| `country211` |" in datasets_table()

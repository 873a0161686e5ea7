"""The stage of docs/extending.md; run in a copy that has it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from tests.conftest import ROOT
from tests.extending.configs import refusal, study_with
from tests.helpers import run
from tests.stages.evaluation_chain import CHECKPOINT, UNIT, made_features, make_run, make_world
from tests.study import test_stages
from workflow_scripts.evaluation.downstream import load_downstream
from workflow_scripts.stages import eval_dataset, knn
from workflow_scripts.study.cost import costs
from workflow_scripts.study.reference.schema import config_schema
from workflow_scripts.study.reference.tables import files_table


def test_it_runs(results: Path) -> None:
    settings, world = {"kind": "world", "task": "concept"}, {"world": make_world(results)}
    dataset = run(eval_dataset.STAGE, results, "eval_dataset/concept", settings, world)
    features = made_features(results, make_run(results), dataset.manifest_path)
    inputs = {"features": features.manifest_path, "dataset": dataset.manifest_path}
    unit = UNIT | {"dataset": "concept"}
    made = run(knn.STAGE, results, f"knn/{CHECKPOINT}.concept", {"neighbours": 1}, inputs, unit)
    data = load_downstream(dataset, features)
    vectors = data.features / np.linalg.norm(data.features, axis=1, keepdims=True)
    train, test = data.rows("train"), data.rows("test")
    reference = KNeighborsClassifier(1).fit(vectors[train], data.labels[train])
    found = json.loads(made.path(".json").read_bytes())
    assert found == {"accuracy": reference.score(vectors[test], data.labels[test])}
    assert made.rows == {"in": 24, "out": 24, "dropped": {}}


def test_it_is_planned() -> None:
    command = [str(Path(sys.executable).with_name("snakemake")), "-n", "--quiet", "rules", "--profile", "profiles/demo"]
    words = ["--configfile", "tests/config/nano.yaml"]
    ran = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    counted = dict(re.findall(r"^(\w+) +(\d+)$", ran.stdout + ran.stderr, re.MULTILINE))
    assert counted["knn"] == counted["few_shot"]


def test_configs_estimates_and_docs_know_it() -> None:
    test_stages.test_a_declaration_is_complete("knn")
    test_stages.test_every_stage_has_a_rule_that_passes_what_it_declares()
    units = study_with({"evaluation": {"knn": {"neighbours": 7}}})
    assert units.settings("knn", knn.STAGE.unit_of(units.evaluations[0])) == {"neighbours": 7, "temperature": 0.07}
    assert {one.stage: one.jobs for one in costs(units, 1_000)}["knn"] == len(units.evaluations)
    wrong = refusal({"evaluation": {"kn": {}}}) + refusal({"evaluation": {"knn": {"neighbour": 7}}})
    assert "knn" in wrong and "did you mean neighbours?" in wrong
    assert config_schema()["$defs"]["Knn"]["properties"].keys() == {"neighbours", "temperature"}
    assert "| `knn/<run>.<step>.<dataset>` | `.json`: accuracy |" in files_table()

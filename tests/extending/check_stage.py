"""The stage of docs/extending.md; run in a copy that has it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import entropy

from tests.conftest import ROOT
from tests.extending.configs import refusal, study_with
from tests.helpers import run
from tests.stages.evaluation_chain import CHECKPOINT, UNIT, made_features, made_images, make_run, make_world
from tests.study import test_stages
from workflow_scripts.evaluation.downstream import load_downstream
from workflow_scripts.stages import effective_rank, eval_dataset
from workflow_scripts.study.cost import costs
from workflow_scripts.study.reference.schema import config_schema
from workflow_scripts.study.reference.tables import files_table


def test_it_runs(results: Path) -> None:
    settings, world = {"kind": "world", "task": "concept"}, {"world": make_world(results)}
    dataset = run(eval_dataset.STAGE, results, "eval_dataset/concept", settings, world)
    images = made_images(results, dataset.manifest_path)
    features = made_features(results, make_run(results), images.manifest_path)
    inputs = {"features": features.manifest_path, "dataset": dataset.manifest_path}
    unit = UNIT | {"dataset": "concept"}
    name = f"effective_rank/{CHECKPOINT}.concept"
    made = run(effective_rank.STAGE, results, name, {"images": 20}, inputs, unit)
    data = load_downstream(dataset, features)
    train = data.features[data.rows("train")]
    squares = np.linalg.eigvalsh(train[:20].astype(float) @ train[:20].T.astype(float))
    shares = np.sqrt(np.maximum(squares, 0)) / np.sqrt(np.maximum(squares, 0)).sum()
    found = json.loads(made.path(".json").read_bytes())
    assert found["effective_rank"] == pytest.approx(np.exp(entropy(shares)), rel=1e-3)
    assert made.rows == {"in": len(train), "out": 20, "dropped": {"over_limit": len(train) - 20}}


def test_it_is_planned() -> None:
    command = [str(Path(sys.executable).with_name("snakemake")), "-n", "--quiet", "rules", "--profile", "profiles/demo"]
    words = ["--configfile", "tests/config/nano.yaml"]
    ran = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    counted = dict(re.findall(r"^(\w+) +(\d+)$", ran.stdout + ran.stderr, re.MULTILINE))
    assert counted["effective_rank"] == counted["few_shot"]


def test_configs_estimates_and_docs_know_it() -> None:
    test_stages.test_a_declaration_is_complete("effective_rank")
    test_stages.test_every_stage_has_a_rule_that_passes_what_it_declares()
    units = study_with({"evaluation": {"effective_rank": {"images": 7}}})
    assert units.settings("effective_rank", effective_rank.STAGE.unit_of(units.evaluations[0])) == {"images": 7}
    assert {one.stage: one.jobs for one in costs(units, 1_000)}["effective_rank"] == len(units.evaluations)
    wrong = refusal({"evaluation": {"effective_ran": {}}}) + refusal({"evaluation": {"effective_rank": {"image": 7}}})
    assert "effective_rank" in wrong and "did you mean images?" in wrong
    assert config_schema()["$defs"]["EffectiveRank"]["properties"].keys() == {"images"}
    assert "| `effective_rank/<run>.<step>.<dataset>` | `.json`: effective rank |" in files_table()

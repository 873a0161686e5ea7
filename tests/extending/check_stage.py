"""The stage of docs/extending.md; run in a copy that has it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.extending.configs import refusal, study_with
from tests.helpers import run
from tests.stages.evaluation_chain import CHECKPOINT, UNIT, made_features, made_images, make_run, make_world
from tests.study import test_stages
from workflow_scripts.evaluation.downstream import load_downstream
from workflow_scripts.stages import eval_dataset, participation_ratio
from workflow_scripts.stats.seeds import derive
from workflow_scripts.study.estimates.cost import costs
from workflow_scripts.study.reference.schema import config_schema
from workflow_scripts.study.reference.tables import files_table


def test_the_example_stage_runs(results: Path) -> None:
    settings, world = {"kind": "world", "task": "concept"}, {"world": make_world(results)}
    dataset = run(eval_dataset.STAGE, results, "eval_dataset/concept", settings, world)
    images = made_images(results, dataset.manifest_path)
    features = made_features(results, make_run(results), images.manifest_path)
    inputs = {"features": features.manifest_path, "dataset": dataset.manifest_path}
    unit = UNIT | {"dataset": "concept"}
    name = f"participation_ratio/{CHECKPOINT}.concept"
    data = load_downstream(dataset, features)
    rows, ratios = data.rows("train"), []
    for seed in (3, 4):
        made = run(participation_ratio.STAGE, results, name, {"images": 20, "seed": seed}, inputs, unit)
        generator = np.random.Generator(np.random.PCG64(derive(seed, "participation_ratio", "concept")))
        drawn = data.features[generator.choice(rows, 20, replace=False)].astype(float)
        values = np.linalg.eigvalsh(np.cov(drawn.T))
        ratios.append(json.loads(made.path(".json").read_bytes())["participation_ratio"])
        assert ratios[-1] == pytest.approx(values.sum() ** 2 / np.square(values).sum(), rel=1e-6)
        assert made.rows == {"in": len(rows), "out": 20, "dropped": {"over_limit": len(rows) - 20}}
    assert ratios[0] != ratios[1] and min(ratios) >= 1


def test_the_example_stage_is_planned() -> None:
    command = [str(Path(sys.executable).with_name("snakemake")), "-n", "--quiet", "rules", "--profile", "profiles/demo"]
    words = ["--configfile", "tests/config/nano.yaml"]
    ran = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    counted = dict(re.findall(r"^(\w+) +(\d+)$", ran.stdout + ran.stderr, re.MULTILINE))
    assert counted["participation_ratio"] == counted["few_shot"]


def test_configs_estimates_and_docs_include_the_new_entry() -> None:
    test_stages.test_a_declaration_is_complete("participation_ratio")
    test_stages.test_every_stage_has_a_rule_that_passes_its_declared_inputs()
    units = study_with({"evaluation": {"participation_ratio": {"images": 7, "seed": 3}}})
    assert units.settings("participation_ratio", participation_ratio.STAGE.unit_of(units.evaluations[0])) == {
        "images": 7,
        "seed": 3,
    }
    assert {one.stage: one.jobs for one in costs(units, 1_000)}["participation_ratio"] == len(units.evaluations)
    wrong = refusal({"evaluation": {"participation_rati": {}}}) + refusal(
        {"evaluation": {"participation_ratio": {"image": 7}}}
    )
    assert "participation_ratio" in wrong and "did you mean images?" in wrong
    assert config_schema()["$defs"]["ParticipationRatio"]["properties"].keys() == {"images", "seed"}
    assert "| `participation_ratio/<run>.<step>.<dataset>` | `.json`: participation ratio |" in files_table()

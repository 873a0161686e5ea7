"""The method of docs/extending.md; run in a copy that has it."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from workflow_scripts.pretraining.methods.barlow_twins import redundancy_loss

from tests.extending.configs import refusal, study_with
from tests.helpers import run
from tests.pretraining.methods.test_every_loss import test_gradients_are_those_of_finite_differences as gradients
from tests.pretraining.methods.test_every_loss import test_rows_of_other_than_all_pairs_are_errors as refuses
from tests.pretraining.shapes import HEADS, SMALL
from tests.pretraining.test_methods import test_an_entry_is_complete as is_complete
from tests.pretraining.test_methods import (
    test_the_loss_reaches_every_weight_and_the_seed_decides_them as reaches_every_weight,
)
from tests.pretraining.training.test_trainer import test_a_run_killed_after_every_step_gives_the_same_bytes as resumes
from tests.stages.test_pretrain import make_index
from workflow_scripts.stages.pretrain import STAGE
from workflow_scripts.study.reference.schema import config_schema

RUN = {"method": "barlow_twins", "pairs": "self", "augmentation": "simclr"}


def test_the_example_loss_equals_its_formula() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 9, 4))
    correlations = np.corrcoef(first.T, second.T)[:4, 4:]
    expected = sum(
        (1 - correlations[i, j]) ** 2 if i == j else 0.1 * correlations[i, j] ** 2 for i in range(4) for j in range(4)
    )
    found = redundancy_loss(torch.from_numpy(first), torch.from_numpy(second), 0.1)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_the_example_method_trains(results: Path) -> None:
    settings = {name: value for name, value in SMALL.items() if name != "simclr"}
    settings |= {**RUN, "steps": 2, "warmup_steps": 1, "log_every": 1, "barlow_twins": {"projector": [16, 8]}}
    made = run(STAGE, results, "pretrain/run", settings, {"images": make_index(results)})
    losses = pq.read_table(made.path("/curve.parquet"))["loss"].to_pylist()
    assert losses[0] is None and len(losses) == 3 and all(0 < loss < 16 for loss in losses[1:])


def test_the_example_method_passes_the_tests_of_all_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the small settings that the page asks for."""
    monkeypatch.setitem(HEADS, "barlow_twins", {"projector": [16, 8]})
    is_complete("barlow_twins")
    reaches_every_weight("barlow_twins")
    gradients("barlow_twins", monkeypatch)
    refuses("barlow_twins")
    resumes("barlow_twins", 1, tmp_path, monkeypatch)


def test_configs_reference_and_schema_include_the_new_entry() -> None:
    change = {"runs": [RUN], "contrasts": [], "pretraining": {"barlow_twins": {"redundancy": 0.01}}}
    (name,) = study_with(change).runs
    assert name.startswith("barlow_twins-self-simclr-")
    assert "did you mean barlow_twins?" in refusal({"runs": [{**RUN, "method": "barlow_twin"}], "contrasts": []})
    change["pretraining"] = {"barlow_twins": {"redundncy": 0.01}}
    assert "did you mean redundancy?" in refusal(change)
    assert "BarlowTwinsHead" in config_schema()["$defs"]

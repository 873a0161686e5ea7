"""What jobs request: memory and time follow the rows and images of the study, and grow with attempts."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_executor_plugin_slurm.validation import validate_slurm_extra

from tests.study.config.configs import merged, planned
from workflow_scripts.embeddings.facts import SEARCH_MS
from workflow_scripts.study.config.stages import facts
from workflow_scripts.study.estimates.requests import Requests

RUN = {"run": "simclr-revised-crop-resnet34-s0"}
FULL = 540 * 10_000  # rows, if all shards are full


def requests_of(folder: Path, change: dict[str, Any] | None = None) -> Requests:
    return Requests(planned(change=change or {}), folder)


def counted(folder: Path, stage: str, name: str, rows: int) -> None:
    (folder / stage).mkdir()
    (folder / stage / f"{name}.manifest.json").write_text(json.dumps({"rows": {"in": rows, "out": rows}}))


def test_memory_follows_the_counted_images(tmp_path: Path) -> None:
    requests, table = requests_of(tmp_path), ("pair_table", {"pairs": "revised"})
    assert requests.memory_mb(*table) == 4_000 + FULL * 5_600 / 1e6
    counted(tmp_path, "annotations", "rows", 3_000_000)
    assert requests.memory_mb(*table) == 4_000 + 3_000_000 * 5_600 / 1e6
    counted(tmp_path, "image_index", "images", 2_000_000)
    assert requests.memory_mb(*table) == 4_000 + 2_000_000 * 5_600 / 1e6
    assert requests.memory_mb("data_card", {}) == 4_000 + 3_000_000 * 500 / 1e6
    # A training's batches: two views of 512 images of 224 pixels, in three channels, sixteen times.
    batches = 2 * 512 * 224 * 224 * 3 * 16
    one = requests.memory_mb("pretrain", RUN)
    assert one == pytest.approx(12_000 + (2_000_000 * 600 + batches) / 1e6, abs=1)
    assert one < 16_000
    assert requests.memory_mb("pretrain", RUN, processes=8, attempt=2) == one * 16


def test_small_studies_request_the_least(tmp_path: Path) -> None:
    counted(tmp_path, "annotations", "rows", 1_000)
    counted(tmp_path, "image_index", "images", 900)
    requests = requests_of(tmp_path, {"compute": {"device": "cpu"}})
    for stage, unit in [("select_captions", {"arm": "original"}), ("pair_table", {"pairs": "revised"})]:
        assert 4_000 < requests.memory_mb(stage, unit) <= 4_006, stage


def test_time_is_three_times_the_estimate_and_grows_unless_the_stage_resumes(tmp_path: Path) -> None:
    requests, images = requests_of(tmp_path), ("embed_images", {"encoder": "clip"})
    estimate = FULL * 162 / 40_000 / 60  # GFLOP of CLIP, on a GPU of 40 TFLOP/s
    assert requests.minutes(*images) == pytest.approx(3 * estimate, abs=1)
    assert requests.minutes(*images, attempt=2) == 2 * requests.minutes(*images)
    counted(tmp_path, "image_index", "images", 100_000)
    assert requests.minutes(*images) == facts("embed_images").resources.minutes
    assert requests.minutes("pretrain", RUN, attempt=2) == facts("pretrain").resources.minutes


def test_requests_assume_the_largest_possible_shard(tmp_path: Path) -> None:
    counted(tmp_path, "annotations", "rows", 5_400)
    requests = requests_of(tmp_path, {"compute": {"device": "cpu", "workers": 4}})
    estimate = 10_000 * 2_300 / (20 * 4) / 60  # GFLOP of BLIP-2, on cores of 20 GFLOP/s
    assert requests.minutes("recaption", {"shard": "00000"}) == pytest.approx(3 * estimate, abs=1)


def test_a_job_requests_time_for_its_work(tmp_path: Path) -> None:
    tables = [{**table, "k": 20} for table in merged()["pairs"]]
    requests = requests_of(tmp_path, {"pairs": tables, "compute": {"workers": 1}})
    for stage, unit, seconds in [
        ("embed_images", {"encoder": "clip"}, FULL * 162 / 40_000),  # GFLOP, on a GPU of 40 TFLOP/s
        ("pair_table", {"pairs": "revised"}, FULL * FULL * SEARCH_MS / 1e3),  # on one core
    ]:
        assert requests.minutes(stage, unit) == max(facts(stage).resources.minutes, math.ceil(3 * seconds / 60))


def test_nodes_of_a_training_get_equal_shares_of_its_gpus(tmp_path: Path) -> None:
    several = {"pretraining": {"processes": 16, "nodes": 2}}
    options = requests_of(tmp_path, several).slurm_options(RUN["run"])
    assert options == "--signal=USR1@300 --open-mode=append --gpus-per-node=8"
    validate_slurm_extra(SimpleNamespace(resources=SimpleNamespace(slurm_extra=options)))  # as the plugin does
    name = next(name for name in planned().trainings if name.startswith("untrained"))
    untrained = requests_of(tmp_path, several).slurm_options(name)
    on_cpu = requests_of(tmp_path, several | {"compute": {"device": "cpu"}}).slurm_options(RUN["run"])
    one = requests_of(tmp_path, {"pretraining": {"processes": 8}}).slurm_options(RUN["run"])
    assert untrained == on_cpu == one == "--signal=USR1@300 --open-mode=append"


def test_a_damaged_manifest_is_ignored_in_estimates(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/rows.manifest.json").write_text('{"rows": [1]}')
    assert requests_of(tmp_path).memory_mb("data_card", {}) == 4_000 + FULL * 500 / 1e6

"""Jobs that share the work of a stage have shares that add up."""

from pathlib import Path

import pytest

from tests.study.config.configs import changed, merged, planned
from workflow_scripts.study.config.stages import declaration, facts, stage_names
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.estimates import cost
from workflow_scripts.study.estimates.cost import counted_contents, dataset_contents, loads
from workflow_scripts.study.units import Units


def costs_of(change: dict, rows: int = 3_275_000, tflops: float = 40) -> dict[str, cost.StageCost]:
    study = load_study(changed(merged(), change))
    return {one.stage: one for one in cost.costs(Units(study), rows, tflops)}


def test_hours_follow_from_the_rates() -> None:
    made = costs_of({})
    assert made.keys() == stage_names() - {"crate"}
    # 33 runs of 250,000 steps of 512 pairs, two views each, three forward passes of 7.3 GFLOP, on 40 TFLOP/s.
    hours = (33 * 250_000 * 512 * 2 * 3 * 7.3 / 40_000 + 36 * 15) / 3600
    assert made["pretrain"].gpu_hours == pytest.approx(hours)
    assert hours < 1_300
    assert made["pretrain"].core_hours == pytest.approx(8 * hours)
    # What saves memory takes a fourth forward pass.
    more = costs_of({"pretraining": {"micro_batch_size": 64}})["pretrain"].gpu_hours
    assert more == pytest.approx(hours + 33 * 250_000 * 512 * 2 * 7.3 / 40_000 / 3600)
    # A fast card waits for decoding on 8 cores.
    decoding = (33 * 2 * 250_000 * 512 * 2.1e-3 / 8 + 36 * 15) / 3600
    assert costs_of({}, tflops=1e6)["pretrain"].gpu_hours == pytest.approx(decoding)
    # Downloads hold their core while they wait: 20 rows a second.
    assert made["download"].core_hours == pytest.approx(3_275_000 / 20 / 3600)
    assert made["annotations"].gpu_hours == 0


def test_packs_cost_what_images_take_to_scale() -> None:
    assert costs_of({})["pack"].jobs == 0
    made = costs_of({"pack": {"shorter_side": 256}})
    assert (made["pack"].jobs, made["pack"].slurm_jobs, made["pack_index"].jobs) == (540, 22, 1)
    starts = (540 * 5 + 22 * 10) * 8 / 3600  # each job holds 8 cores
    work = made["pack"].core_hours - starts
    assert work == pytest.approx(3_275_000 * cost.KEPT * facts("pack").cost.core_ms / 3.6e6)
    assert costs_of({"pack": {"shorter_side": None}})["pack"].core_hours == pytest.approx(starts)


def test_the_study_size_changes_only_costs_that_depend_on_rows() -> None:
    small, large = costs_of({}, 1_000_000), costs_of({}, 2_000_000)
    assert small["download"].jobs == large["download"].jobs == 540  # the config's shards hold either
    assert costs_of({}, 12_000_000)["download"].jobs > 1_200
    assert large["download"].core_hours == pytest.approx(2 * small["download"].core_hours)
    starts = (540 * 5 + 54 * 10) / 3600
    assert large["recaption"].gpu_hours - starts == pytest.approx(2 * (small["recaption"].gpu_hours - starts))
    assert large["pretrain"] == small["pretrain"]
    assert large["linear_probe"] == small["linear_probe"]


def test_all_of_redcaps_takes_more_jobs_of_the_stages_with_shards_alone() -> None:
    units = [planned(change={"shards": {"shards": shards}}) for shards in (540, 1202)]
    first, all_years = ({stage: len(one.names(stage) or ()) for stage in stage_names()} for one in units)
    more = {"download": 1202, "recaption": 1202, "image_hashes": 25, "score_captions": 4 * 121}
    assert {stage: count for stage, count in all_years.items() if count != first[stage]} == more


def test_epochs_cost_what_their_expected_steps_do() -> None:
    images = 0.6 * 3_275_000  # those that still exist; each counts as having a partner
    epochs = costs_of({"pretraining": {"steps": None, "epochs": 10, "checkpoints": []}})
    assert epochs["pretrain"] == costs_of({"pretraining": {"steps": 10 * int(images // 512)}})["pretrain"]
    assert costs_of({"pretraining": {"steps": None, "epochs": 10}}, 1_000_000)["pretrain"] != epochs["pretrain"]


def test_smaller_photos_take_less_time_to_decode_and_as_long_to_learn_from() -> None:
    large, small = (costs_of({"compute": {"device": "cpu"}, "download": {"max_side": side}}) for side in (512, 256))
    saved = large["pretrain"].core_hours - small["pretrain"].core_hours
    assert saved == pytest.approx(33 * 2 * 250_000 * 512 * 2.1e-3 * 0.93 * (1 - 1 / 4) / 3600)


def test_without_gpus_there_are_no_gpu_hours() -> None:
    made = costs_of({"compute": {"device": "cpu"}})
    assert {one.gpu_hours for one in made.values()} == {0.0}
    # The trainings' operations take core hours instead, on top of decoding.
    operations = 33 * 250_000 * 512 * 2 * 3 * 7.3 / (1e3 * cost.CPU_TFLOPS) / 3600
    decoding = (33 * 2 * 250_000 * 512 * 2.1e-3 + 8 * 36 * 15) / 3600
    assert made["pretrain"].core_hours == pytest.approx(operations + decoding)


def test_a_group_counts_as_a_single_slurm_job() -> None:
    names = {
        "download": list(map(str, range(51))),
        "annotations": ["rows"],
        "shard_plan": ["plan"],
        "image_index": ["i"],
    }
    made = {"download": 3, "annotations": 1, "shard_plan": 0, "image_index": 1}
    assert cost.slurm_jobs(names, {"download": 25}) == made


def test_a_group_with_wildcards_is_a_job_for_each_of_their_values() -> None:
    names = [f"{run}.last.{dataset}" for run in "xy" for dataset in "pqr"]
    group = facts("features").group
    assert cost.slurm_jobs({"features": names, "few_shot": names}, {group: 2}) == {"features": 4, "few_shot": 0}


def test_all_evaluations_of_a_checkpoint_count_as_a_single_slurm_job() -> None:
    made = costs_of({})
    assert (made["features"].jobs, made["features"].slurm_jobs) == (69 * 11, 69)
    assert [made[stage].slurm_jobs for stage in ("linear_probe", "few_shot", "knn", "saliency")] == [0] * 4


@pytest.mark.parametrize("splits", [("train", "test"), ("",)])
def test_class_folders_of_ones_own_are_counted(tmp_path: Path, splits: tuple[str, ...]) -> None:
    """20 images of each of two classes, half of them in test, 2 in val; names that are not of images don't count."""
    for number in range(40):
        folder = tmp_path / splits[number // 2 % len(splits)] / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in (f"{number}.jpg", "notes.txt"):
            (folder / name).touch()
    for limit, counts in (({}, (40, 0, 20)), ({"test": 3, "train": 4}, (18, 0, 6))):
        own = {"name": "own", "kind": "folders", "source": str(tmp_path), "limit": limit, "val_fraction": 0.2}
        units = planned(change={"datasets": [own], "probe_dataset": "own"})
        assert (counted_contents(units, "own"), dataset_contents(units, "own")) == (counts, (20_000, 0, 5_000))


def test_local_rules_do_not_count_as_slurm_jobs() -> None:
    assert costs_of({})["source"].slurm_jobs == 0


def test_hours_are_of_the_cores_that_a_rule_requests() -> None:
    made = costs_of({})
    wanted = {stage: facts(stage).resources.cores(2, 3) for stage in ("pair_table", "few_shot", "data_card")}
    assert wanted == {"pair_table": 2, "few_shot": 3, "data_card": 1}
    assert made["embed_images"].core_hours == pytest.approx(8 * made["embed_images"].gpu_hours)
    assert made["few_shot"].core_hours > 8 * 69 * 11 * 5 / 3600


def test_the_demo_has_a_fixed_number_of_rows() -> None:
    overlay = "profiles/demo/study.yaml"
    assert cost.fixed_rows(load_study(merged(overlay))) == 3_000 + 60 + 30 + 5 + 12 + 8
    assert cost.fixed_rows(load_study(merged())) is None


ROWS, IMAGES = 5_400_000, 3_240_000
CHANGE = {"judges": [{"name": "clip", "kind": "clip", "source": "models/clip"}]}


@pytest.mark.parametrize("stage", ["image_hashes", "score_captions", "download"])
def test_shares_add_up(stage: str) -> None:
    units, declared = planned(change=CHANGE), declaration(stage)
    assert declared is not None
    names = units.names(stage)
    assert names
    first = names[0].rpartition(".")[0]
    names = [name for name in names if name.rpartition(".")[0] == first]
    found = list(loads(units, declared, names, ROWS, IMAGES))
    assert sum(count for _, count in found) == len(names) > 1
    assert sum(load.rows * count for load, count in found) == pytest.approx(ROWS)
    assert sum(load.images * count for load, count in found) == pytest.approx(IMAGES)


def test_some_of_the_blocks_have_the_share_of_their_shards() -> None:
    units, declared = planned(change=CHANGE), declaration("image_hashes")
    assert declared is not None and len(units.shards) == 540
    names = units.names("image_hashes")
    assert names
    found = loads(units, declared, [names[0], names[-1]], ROWS, IMAGES)
    assert [load.images for load, _ in found] == pytest.approx([IMAGES * 50 / 540, IMAGES * 40 / 540])

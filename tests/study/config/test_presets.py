"""The two presets: config.yaml (the reproduction) and profiles/lgssl/study.yaml (the original)."""

import re
from typing import Any

import pytest
import yaml

from tests.study.config.configs import ROOT, planned
from workflow_scripts.embeddings.text_encoders import TEXT_ENCODERS
from workflow_scripts.evaluation.contrasts.comparisons import Comparison
from workflow_scripts.evaluation.contrasts.comparisons import planned as comparisons_of
from workflow_scripts.evaluation.contrasts.settings import SummaryRun
from workflow_scripts.evaluation.contrasts.standard import standard
from workflow_scripts.evaluation.datasets.registry import SETS
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.settings import METHODS, Pretrain
from workflow_scripts.study.units import Units

ORIGINAL = "profiles/lgssl/study.yaml"
# The values of the original's code: configs/train.yaml, configs/model/*.yaml, lgssl/optim.py,
# lgssl/datasets/base_dataset.py.
SHARED = {
    "backbone": "resnet50",
    "image_size": 224,
    "batch_size": 512,
    "steps": 250_000,
    "precision": "fp16",
    "lr": 1e-3,
    "initial_lr": 1e-5,
    "final_lr": 1e-6,
    "warmup_steps": 5000,
    "weight_decay": 0.01,
    "norm_weight_decay": 0.01,
    "probe": None,
    "patience": None,
    "processes": 2,
}
TEXT = {
    "embedding": 512,
    "text_width": 512,
    "text_layers": 12,
    "text_heads": 8,
    "temperature": 0.07,
    "original_text": True,
}
NT_XENT = {"nt_xent_temperature": 0.1, "nt_xent_weight": 1.0}
HEADS: dict[str, dict[str, Any]] = {
    "simclr": {"projector": [2048, 2048, 128], "temperature": 0.1, "joint_bn": False},
    "simsiam": {"projector": [2048, 2048, 2048], "predictor": 512, "final_affine": True, "zero_init_last": True},
    "clip": TEXT,
    "slip": TEXT | {**NT_XENT, "projector": [2048, 2048, 128]},
    "lgslip": TEXT | {**NT_XENT, "projector": [2048, 2048]},
    "declip_nn": TEXT | {"queue": 16_384, "neighbour_weight": 0.2},
    "nnclr": {"projector": [2048, 2048, 256], "predictor": 4096, "queue": 16_384, "temperature": 0.1},
    "swav": {
        "projector": [2048, 128],
        "prototypes": 3000,
        "frozen_steps": 2503,
        "epsilon": 0.05,
        "iterations": 3,
        "queue": 7680,
        "queue_from": 37_500,
        "temperature": 0.1,
    },
    "clip_sbert": {"embedding": 512, "temperature": 0.07},
}
SELF = ("simclr", "simsiam", "nnclr", "swav")
GUIDED = [name for name in HEADS if name not in ("nnclr", "swav")]
# evaluate.py
DATASETS = (
    "food101 cifar10 cifar100 cub2011 sun397_120k cars196 aircraft dtd pets caltech101_background flowers stl10 "
    "eurosat resisc45 pcam"
)
PER_CLASS = {"aircraft", "pets", "caltech101_background", "flowers"}
OVERLAYS = {  # trainings of profiles/overlays, and those that config.yaml has too
    "clip": (12, 6),
    "hubs": (12, 6),
}


@pytest.fixture(scope="module")
def units() -> Units:
    return planned(ORIGINAL)


@pytest.mark.parametrize("method", GUIDED)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_lgssl_preset_trains_as_the_original(units: Units, method: str, seed: int) -> None:
    run = f"{method}-original-crop-resnet50-s{seed}"
    assert run in units.runs
    settings = units.settings("pretrain", {"run": run})
    assert {name: settings.get(name) for name in SHARED} == SHARED
    assert settings[method] == HEADS[method]
    assert settings["pairs"] == ("caption" if METHODS[method].by_arm else "language")


def test_the_page_lists_defaults_that_differ_from_the_original() -> None:
    shared = SHARED | {"blur_kernel": 15, "blur": "old_kornia"}
    differ = {name for name, value in shared.items() if Pretrain.model_fields[name].default != value} - {"processes"}
    for method, values in HEADS.items():
        objective = METHODS[method].objective
        assert objective is not None
        default = objective.settings()
        differ |= {
            name
            for name, value in values.items()
            if getattr(default, name) != (tuple(value) if isinstance(value, list) else value)
        }
    page = (ROOT / "docs/methods.md").read_text()
    named = page.partition("theirs, except those of ")[2].partition("profiles/lgssl")[0]
    assert set(re.findall(r"`(\w+)`", named)) == differ


def test_self_pairs_have_simclrs_augmentation_and_blur(units: Units) -> None:
    for method in SELF:
        settings = units.settings("pretrain", {"run": f"{method}-self-simclr-resnet50-s0"})
        assert (settings["blur_kernel"], settings["blur"]) == (15, "old_kornia")
        assert (settings["pairs"], settings[method]) == ("self", HEADS[method])


def test_augmentations_equal_those_of_the_original() -> None:
    found = {name: (one.area, one.colour) for name, one in AUGMENTATIONS.items()}
    assert found == {"simclr": ((0.2, 1.0), True), "crop": ((0.5, 1.0), False), "none": (None, False)}


def test_evaluation_scales_images_as_the_original_does(units: Units) -> None:
    unit = {"dataset": "cifar10", "view": "224-bicubic"}
    assert units.settings("eval_images", unit) == {"size": 224, "side": 224, "resize": "bicubic"}
    assert units.images_seen({"run": units.runs[0], "dataset": "cifar10"}) == ["eval_images/cifar10.224-bicubic"]
    full = planned()
    assert {view for _, _, view in (name.partition(".") for name in (full.names("eval_images") or []))} == {
        "224-bilinear"
    }


def test_visual_pairs_come_from_the_images(units: Units) -> None:
    visual = units.settings("pretrain", {"run": "simclr-visual_clip-crop-resnet50-s0"})
    assert (visual["pairs"], visual["simclr"]) == ("visual", HEADS["simclr"])
    (network,) = units.encoder_run("imagenet")
    settings = units.settings("pretrain", {"run": network.removeprefix("pretrain/")})["network"]
    assert settings["architecture"] == "vit_b_32.IMAGENET1K_V1"
    view = {"size": 224, "side": 256, "resize": "bilinear"}  # as the network was trained
    assert units.settings("embed_images", {"encoder": "imagenet"})["view"] == view


def test_the_lgssl_preset_pairs_by_every_text_encoder(units: Units) -> None:
    trained = [run for run in units.runs if units.read("pretrain", "pairs", {"run": run})]
    assert {run.split("-")[1] for run in trained} == {*(units.names("pair_table") or ())}
    assert TEXT_ENCODERS.keys() == {encoder.kind for encoder in units.study.text_encoders}
    (tower,) = units.encoder_run("redcaps_clip")
    assert tower == "pretrain/clip-original-crop-resnet50-s0"
    (network,) = units.encoder_run("redcaps_simclr")
    assert network == "pretrain/simclr-self-simclr-resnet50-s0"


def test_the_lgssl_preset_has_all_datasets_and_methods_of_the_original(units: Units) -> None:
    assert set(units.names("eval_dataset") or []) == set(DATASETS.split()) <= SETS.keys()
    metrics = {
        name: units.settings("eval_dataset", {"dataset": name})["metric"]
        for name in (units.names("eval_dataset") or [])
    }
    assert {name for name, metric in metrics.items() if metric == "mean_per_class"} == PER_CLASS
    assert {run.split("-")[0] for run in units.runs} == {*HEADS, "untrained", "external"}


def test_config_yaml_declares_the_mean_over_both_methods_as_primary() -> None:
    units = planned()
    rows = planned_contrasts(units)
    primary = [row for row in rows if row.primary]
    assert [(row.contrast.name, row.method, row.primary) for row in primary] == [
        ("revised - original (both methods)", "simclr and simsiam", "declared")
    ]
    names = {(row.contrast.name, row.method) for row in rows if not row.primary}
    for control in ("visual", "visual-blip2", "shuffled", "random-in-subreddit", "untrained"):
        assert (f"revised - {control}", "simclr" if control != "untrained" else "simclr vs untrained") in names
    assert {("revised - original", method) for method in ("simclr", "simsiam")} <= names


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlays_share_trainings_with_config_yaml(name: str) -> None:
    first, overlay = planned(), planned(f"profiles/overlays/{name}.yaml")
    assert overlay.study.study == f"redcaps2020-{name}"
    trained = [run for run, own in overlay.trainings.items() if own.settings.trains]
    shared = [run for run in trained if run in first.runs]
    assert (len(trained), len(shared)) == OVERLAYS[name]
    for run in shared:
        assert overlay.settings("pretrain", {"run": run}) == first.settings("pretrain", {"run": run})
    declared = [row for row in planned_contrasts(overlay) if row.primary]
    assert [row.primary for row in declared] == ["declared"]
    assert not any(row.unequal for row in declared)


def planned_contrasts(units: Units) -> list[Comparison]:
    runs = [SummaryRun.model_validate(one) for one in units.settings("summary", {})["runs"]]
    return comparisons_of(units.study.contrasts, standard(runs), runs)


def test_no_training_setting_is_left_to_config_yaml() -> None:
    given = yaml.safe_load((ROOT / ORIGINAL).read_text())
    trained = (
        Pretrain.model_fields.keys()
        - {"method", "pairs", "augmentation", "seed", "network"}
        - (METHODS.keys() - HEADS.keys())
    )
    # Of this workflow alone.
    ours = {"epochs", "warmup_epochs", "nodes", "log_every", "checkpoint_every", "cache_mb"}
    ours |= {"pair_weight", "stage_in", "tracker", "micro_batch_size"}
    assert given["pretraining"].keys() == trained - ours


@pytest.mark.parametrize("path", ["config.yaml", ORIGINAL])
def test_unpublished_settings_are_marked_with_a_reason(path: str) -> None:
    text = re.sub(r"\n *# ", " ", (ROOT / path).read_text())  # one line per comment
    marks = re.findall(r"Not published: ([^.]+)(\. \S+ \S+)?", text)
    assert len(marks) >= 2
    assert all(reason for _, reason in marks), marks

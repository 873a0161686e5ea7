"""The config is checked as a whole before the DAG is built, and each mistake is named in one line."""

import pytest

from tests.study.config.configs import ROOT, changed, merged, planned
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.stages.crate import Crate
from workflow_scripts.study.config.sections import Dataset, Study
from workflow_scripts.study.config.stages import declaration
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

DEMO = "profiles/demo/study.yaml"
ON_THE_DEMO = ("profiles/demo/resnet18.yaml", "tests/config/methods.yaml")
WHOLE = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "config").glob("*.yaml"))
OVERLAYS = [
    [DEMO],
    *([DEMO, overlay] for overlay in ON_THE_DEMO),
    *([overlay] for overlay in WHOLE if overlay not in ON_THE_DEMO),
]


def test_the_full_study_has_the_runs_of_the_paper() -> None:
    study = load_study(merged())
    units = Units(study)
    assert study.annotations.years == [2020]
    assert len(units.shards) == 540
    cells = {(own.settings.method, own.settings.augmentation, own.run.pairs) for own in units.trainings.values()}
    table = {("simclr", "self"), ("crop", "original"), ("crop", "revised"), ("crop", "visual")}
    controls = {("crop", name) for name in ("shuffled", "random-in-subreddit", "visual-blip2")}
    expected = {(method, *cell) for method in ("simclr", "simsiam") for cell in table}
    assert cells == expected | {("simclr", *cell) for cell in controls} | {("untrained", "none", "none")}
    assert len(set(units.runs)) == len(units.runs) == 3 * len(cells) == 36
    assert {run.settings.backbone for run in units.trainings.values()} == {"resnet34"}
    assert len(units.names("eval_dataset") or []) == 11
    assert units.mask_datasets == ["imagenet_s50"]
    settings = units.settings("pretrain", {"run": "simclr-revised-crop-resnet34-s2"})
    assert (settings["seed"], settings["batch_size"], settings["steps"]) == (2, 512, 250_000)
    assert settings["simclr"] == {"projector": [2048, 2048, 128], "temperature": 0.1}


@pytest.mark.parametrize("overlays", OVERLAYS, ids=lambda overlays: overlays[-1])
def test_overlays_are_complete_studies_without_runs_of_the_full_study(overlays: list[str]) -> None:
    study = load_study(merged(*overlays))
    units = Units(study)
    assert study.study != "redcaps2020"
    assert not set(units.runs) & set(planned().runs)
    assert study.compute.device == "cpu"
    for run in units.runs:
        assert units.settings("pretrain", {"run": run})


def test_settings_of_a_unit_are_what_its_stage_takes() -> None:
    """Every stage's settings class accepts what the study gives it, and nothing is lost on the way."""
    change = {
        "judges": [{"name": "blip2", "kind": "blip2"}],
        "pack": {"shorter_side": 32},
        "caption_labels": {"source": "labels", "original": "original", "replacement": "revised"},
    }
    study = load_study(changed(merged("tests/config/tiny.yaml"), change))
    units = Units(study)
    sample = {
        "source": {"source": "matcher"},
        "download": {"shard": "00000"},
        "recaption": {"shard": "00000"},
        "select_captions": {"arm": "mixed"},
        "score_captions": {"judge": "blip2"},
        "caption_quality": {"arm": "mixed"},
        "embed_captions": {"arm": "revised", "encoder": "minilm"},
        "embed_images": {"encoder": "blip2"},
        "pair_table": {"pairs": "visual"},
        "pair_quality": {"pairs": "visual"},
        "pretrain": {"run": units.runs[0]},
        "eval_dataset": {"dataset": "masks"},
        "embed_tests": {"dataset": "masks", "encoder": "blip2"},
        "eval_images": {"dataset": "masks", "view": (units.names("eval_images") or [])[0].partition(".")[2]},
    }
    for path in sorted((ROOT / "workflow_scripts" / "stages").glob("[a-z]*.py")):
        stage = path.stem
        declared = declaration(stage)
        settings_class = declared.settings if declared else Crate
        given = units.settings(stage, sample.get(stage, {}))
        assert settings_class.model_validate(given).model_dump(mode="json").items() >= given.items(), stage


def test_a_tag_is_part_of_the_name_and_of_nothing_else() -> None:
    runs = [
        {"method": "simclr", "pairs": "self", "augmentation": "crop", "seeds": [1]},
        {"method": "simclr", "pairs": "self", "augmentation": "crop", "seeds": [1], "tag": "two", "set": {"steps": 4}},
        {"method": "untrained"},
    ]
    units = planned("tests/config/tiny.yaml", change={"runs": runs})
    plain, tagged, untrained = units.runs
    assert (plain, tagged) == ("simclr-self-crop-resnet_small-s1", "simclr-self-crop-resnet_small-two-s1")
    settings = [units.settings("pretrain", {"run": run}) for run in (plain, tagged)]
    assert settings[1] == settings[0] | {"steps": 4, "checkpoints": [2, 4]} and "tag" not in settings[1]
    named = {one["run"]: one for one in units.settings("summary", {})["runs"]}
    shown = ("tag", "batch_size", "trained_steps", "views_per_pair")
    assert [named[plain][name] for name in shown] == ["", settings[0]["batch_size"], settings[0]["steps"], 2]
    assert [named[tagged][name] for name in shown] == ["two", settings[0]["batch_size"], 4, 2]
    assert [named[untrained][name] for name in shown] == ["", 0, 0, 0]


def test_names_of_evaluations_fit_into_a_file_name() -> None:
    long = {"name": "p" * 64, "arm": "revised", "encoder": "minilm"}
    run = {"method": "simclr", "pairs": long["name"], "augmentation": "crop", "tag": "t" * 64}
    data = {"name": "d" * 64, "kind": "world", "task": "concept"}
    change = {"pairs": [long], "runs": [run], "datasets": [data], "probe_dataset": data["name"]}
    config = changed(merged("tests/config/tiny.yaml"), change)
    with pytest.raises(PipelineError) as mistake:
        load_study(config)
    message = f"run's name too long for file names in config.runs.0: simclr-{long['name']}-crop-resnet_small-t"
    assert message in str(mistake.value) and "by 36 characters" in str(mistake.value)
    Units(load_study(changed(config, {"runs": [run | {"tag": "t" * 28}]})))


def test_study_is_frozen() -> None:
    study = load_study(merged())
    assert isinstance(study, Study)
    with pytest.raises(ValueError, match="frozen"):
        study.study = "other"  # type: ignore[misc]


def test_public_sets_are_given_by_name() -> None:
    def datasets(*given: object) -> tuple[Dataset, ...]:
        change = {"datasets": list(given), "probe_dataset": None, "evaluation": {"steps": ["last"]}}
        return load_study(changed(merged(), change)).datasets

    food, cars, masks = datasets(
        {
            "name": "pets",
            "kind": "torchvision",
            "torchvision_name": "pets",
            "source": "torchvision:data/downstream/pets",
            "metric": "mean_per_class",
        },
        {
            "name": "cars196",
            "kind": "torchvision",
            "torchvision_name": "cars196",
            "source": "data/downstream/cars196",
            "seed": 3,
        },
        {"name": "imagenet_s50", "kind": "imagenet_s", "source": "elsewhere"},
    )
    assert datasets("pets", {"name": "cars196", "seed": 3}) == (food, cars)
    assert datasets({"name": "imagenet_s50", "source": "elsewhere"}) == (masks,)
    for given, said in (
        ("fod101", r"unknown choice in config\.datasets\.0: 'fod101'; did you mean food101\?"),
        ({"name": "mine"}, r"missing key in config\.datasets\.0: kind; add it: layout of the dataset"),
        (3, r"invalid value in config\.datasets\.0: 3"),
    ):
        with pytest.raises(PipelineError, match=said):
            datasets(given)

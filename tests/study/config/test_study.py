"""The config is checked as a whole before the DAG is built, and each mistake is named in one line."""

from pathlib import Path
from typing import Any

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.nodes import node_of
from workflow_scripts.study.config.study import Study, load_study
from workflow_scripts.study.units import Units

ROOT = Path(__file__).resolve().parents[3]
OVERLAYS = [
    ["profiles/demo/study.yaml"],
    ["profiles/demo/study.yaml", "profiles/demo/dose.yaml"],
    *([str(path.relative_to(ROOT))] for path in sorted((ROOT / "tests" / "config").glob("*.yaml"))),
]

SET = {"kind": "folders", "source": "somewhere"}


def merged(*overlays: str) -> dict[str, Any]:
    """config.yaml with overlays, merged as Snakemake does: mappings by key, everything else replaced."""
    return read_config([ROOT / "config.yaml", *(ROOT / overlay for overlay in overlays)]).data()


def changed(config: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A config with an overlay on it."""
    return dict(node_of(config).merged(node_of(change)).data())


@pytest.fixture
def config() -> dict[str, Any]:
    """The full study."""
    return merged()


def test_full_study_is_the_papers() -> None:
    study = load_study(merged())
    units = Units(study)
    assert study.annotations.years == [2020]
    assert len(units.shards) == 540
    assert len(set(units.runs)) == len(units.runs) == 37
    assert {settings.backbone for _, settings in units._runs.values()} == {"resnet34"}
    for method in ("simclr", "simsiam"):
        for pairs, augmentation in (("self", "simclr"), ("original", "crop"), ("revised", "crop")):
            assert {f"{method}-{pairs}-{augmentation}-resnet34-s{seed}" for seed in range(3)} <= set(units.runs)
    assert sum(run.startswith("clip-") for run in units.runs) == 6
    assert len(units.datasets) == 11
    assert units.mask_datasets == ["imagenet_s50"]
    settings = units.settings("pretrain", {"run": "simclr-revised-crop-resnet34-s2"})
    assert (settings["seed"], settings["batch_size"], settings["steps"]) == (2, 512, 250_000)
    assert settings["simclr"] == {"projector": [2048, 2048, 128], "temperature": 0.1}


@pytest.mark.parametrize("overlays", OVERLAYS, ids=lambda overlays: overlays[-1])
def test_overlays_are_whole_studies_without_a_run_of_the_full_one(overlays: list[str]) -> None:
    study = load_study(merged(*overlays))
    units = Units(study)
    assert study.study != "redcaps2020"
    assert not set(units.runs) & set(Units(load_study(merged())).runs)
    assert study.compute.device == "cpu"
    for run in units.runs:
        assert units.settings("pretrain", {"run": run})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shards": {"shard": 3}}, "unknown key in config.shards.shard: 'shard'; did you mean shards?"),
        ({"shrads": {}}, "unknown key in config.shrads: 'shrads'; did you mean shards?"),
        ({"pretraining": {"leraning_rate": 1}}, "unknown key in config.pretraining.leraning_rate"),
        ({"shards": {"shards": "many"}}, "invalid value in config.shards.shards: 'many'"),
        (
            {"compute": {"device": "cudo"}},
            "unknown choice in config.compute.device: 'cudo'; did you mean cuda? Choose from auto, cpu, cuda",
        ),
        (
            {"pretraining": {"backbone": "resnet43"}},
            "unknown choice in config.pretraining.backbone: 'resnet43'; did you mean resnet34? Choose from resnet18",
        ),
        ({"pretraining": {"batch_size": 1}}, "invalid value in config.pretraining.batch_size: 1"),
        ({"study": "../elsewhere"}, "config.study"),
        (
            {"caption_labels": {"source": "labels", "replacement": "revisd"}},
            "unknown arm in config.caption_labels.replacement: revisd; did you mean revised?",
        ),
        ({"probe_dataset": "cifar01"}, "unknown dataset in config.probe_dataset: cifar01; did you mean cifar10?"),
        (
            {"probe_dataset": None},
            "selection without a probe set in config.probe_dataset: null, but evaluation.steps has best; name one of",
        ),
        (
            {"probe_dataset": None, "evaluation": {"steps": ["last"]}, "pretraining": {"patience": 3}},
            "in config.probe_dataset: null, but run simclr-self-simclr-resnet34-s0 has patience; name one of datasets",
        ),
        (
            {"datasets": [SET | {"name": "cifar10"}, SET | {"name": "other", "evaluate": False}]},
            "unused dataset in config.datasets.1.evaluate: false for other; remove the dataset, or name it as",
        ),
        (
            {"pair_quality": {"image_encoder": "dino"}},
            "unknown image encoder in config.pair_quality.image_encoder: dino",
        ),
        (
            {"runs": [{"method": "simclr", "pairs": "revisde"}]},
            "unknown pair table in config.runs.0.pairs: revisde; did you mean revised?",
        ),
        ({"arms": [{"name": "a", "kind": "original"}] * 2}, "repeated name in config.arms.1.name: a"),
        ({"arms": [{"name": "a", "kind": "external"}]}, "missing table in config.arms.0.table: none for arm a"),
        ({"runs": [{"method": "untrained", "seeds": [1, 1]}]}, "repeated run in config.runs.0: untrained-none"),
        ({"runs": [{"method": "untrained", "tag": "a.b"}]}, "invalid value in config.runs.0.tag: 'a.b'"),
        ({"runs": [{"method": "untrained", "tag": "a" * 65}]}, "invalid value in config.runs.0.tag"),
        ({"runs": [{"method": "untrained", "tag": "a"}] * 2}, "repeated run in config.runs.1: untrained-none-none-res"),
        ({"pairs": [{"name": "self", "encoder": "clip"}]}, "reserved name in config.pairs.0.name: self"),
        (
            {"evaluation": {"features": {"resize": "bicubic"}}},
            "images scaled in two ways in config.evaluation.saliency.resize: bilinear; use bicubic, as evaluation",
        ),
        (
            {"pairs": [{"name": "best", "encoder": "clip", "kind": "oracle"}]},
            "pairs without labels in config.pairs.0.kind: oracle",
        ),
        ({"pairs": [{"name": "labels", "encoder": "clip"}]}, "reserved name in config.pairs.0.name: labels"),
        (
            {"runs": [{"method": "supervised", "pairs": "labels"}]},
            "run without labels in config.runs.0.method: supervised; remove this run; only a study with demo_world has",
        ),
        (
            {
                "demo_world": {},
                "runs": [{"method": "supervised", "pairs": "labels", "set": {"supervised": {"label": "colur"}}}],
            },
            "unknown label in config.runs.0.set.supervised.label: colur; did you mean colour?",
        ),
        (
            {"demo_world": {}, "runs": [{"method": "supervised", "pairs": "revised"}]},
            "pairs language go with simclr or simsiam, not with supervised",
        ),
        (
            {"probe_dataset": None, "datasets": [{"name": "d", "kind": "folders"}]},
            "missing source in config.datasets.0.source: none for dataset d; kind folders needs one",
        ),
        ({"annotations": {"source": "world"}}, "in config.annotations.source: demo_world is null"),
        (
            {"demo_world": {"scenes": ["grass", "nigth"]}},
            "unknown choice in config.demo_world.scenes.1: 'nigth'; did you mean night? Choose from grass, night",
        ),
        ({"demo_world": {"colours": ["red"]}}, "invalid value in config.demo_world.colours"),
        ({"demo_world": {"offset": 0.5}}, "invalid value in config.demo_world.offset: 0.5"),
        (
            {"demo_world": {"large_extent": [0.5, 0.6]}},
            "small_extent ends at 0.56, but must end below large_extent, 0.5",
        ),
        ({"annotations": {"source": "https://example.invalid/a.zip"}}, "give its sha256"),
        (
            {"image_encoders": [{"name": "x", "kind": "transformers"}], "pair_quality": {"image_encoder": None}},
            "missing source in config.image_encoders.0.source: none for x",
        ),
        (
            {"contrasts": [{"name": "c", "minuend": "revised", "subtrahend": "orignal"}]},
            "unknown run's pairs in config.contrasts.0.subtrahend: orignal; did you mean original?",
        ),
        (
            {"contrasts": [{"name": "c", "minuend": "revised", "subtrahend": "none"}]},
            "contrast without runs in config.contrasts.0: revised and none have no method, backbone and tag in common",
        ),
        (
            {
                "runs": [
                    {"method": "simclr", "pairs": "revised", "set": {"backbone": "resnet50"}},
                    {"method": "simclr", "pairs": "original", "set": {"backbone": "resnet34"}},
                ],
                "contrasts": [{"name": "c", "minuend": "revised", "subtrahend": "original"}],
            },
            "contrast without runs in config.contrasts.0: revised and original have no method, backbone and tag",
        ),
        (
            {
                "evaluation": {"steps": ["best"]},
                "contrasts": [
                    {
                        "name": "c",
                        "terms": [
                            {"weight": 1, "pairs": "revised", "step": "last"},
                            {"weight": -1, "pairs": "original", "step": "best"},
                        ],
                    }
                ],
            },
            "unknown evaluated step in config.contrasts.0.terms.0.step: last; choose from best",
        ),
        (
            {
                "evaluation": {"steps": [2, 10_000]},
                "runs": [
                    {"method": "simclr", "pairs": "revised", "set": {"epochs": 4, "checkpoints": [2]}},
                    {
                        "method": "simclr",
                        "pairs": "original",
                        "set": {"checkpoints": [10_000]},
                    },
                ],
                "contrasts": [{"name": "c", "minuend": "revised", "subtrahend": "original"}],
            },
            "contrast without an evaluated step in config.contrasts.0: no step that all of its runs have",
        ),
        ({"datasets": [{"name": "mean", "kind": "folders"}]}, "reserved name in config.datasets.0.name: mean"),
        (
            {"evaluation": {"linear_probe": {"objectives": ["sklearn", "sklearn"]}}},
            "objectives are repeated: sklearn, sklearn",
        ),
        (
            {
                "contrasts": [
                    {"name": "c", "terms": [{"weight": 1, "pairs": "self"}, {"weight": -2, "pairs": "revised"}]}
                ]
            },
            "the weights of terms add up to -1; they must add up to 0",
        ),
        (
            {
                "contrasts": [
                    {
                        "name": "c",
                        "terms": [{"weight": 1, "pairs": "self", "tag": "x"}, {"weight": -1, "pairs": "revised"}],
                    }
                ]
            },
            "term without runs in config.contrasts.0.terms.0: pairs self, tag x",
        ),
        (
            {"contrasts": [{"name": "c", "terms": [{"weight": 1, "step": "lats"}, {"weight": -1, "step": "best"}]}]},
            "unknown evaluated step in config.contrasts.0.terms.0.step: lats; did you mean last?",
        ),
        (
            {
                "contrasts": [
                    {
                        "name": "c",
                        "terms": [{"weight": 1, "method": "clip"}, {"weight": -1, "method": "untrained"}],
                        "per": ["augmentation"],
                    }
                ]
            },
            "contrast without runs in config.contrasts.0: no value of augmentation or tag for which all terms",
        ),
        (
            {"pretraining": {"method": "clip"}},
            "misplaced setting in config.pretraining.method: clip; remove it; each item of runs has its own method",
        ),
        (
            {"runs": [{"method": "untrained", "set": {"seed": 3}}]},
            "misplaced setting in config.runs.0.set.seed: 3; remove it; each item of runs has its own seeds",
        ),
        ({"pretraining": {"clip": {"widht": 3}}}, "unknown key in config.pretraining.clip.widht"),
        (
            {"runs": [{"method": "untrained"}], "pretraining": {"simsiam": {"predictr": 3}}},
            "unknown key in config.pretraining.simsiam.predictr: 'predictr'; did you mean predictor?",
        ),
        ({"pretraining": {"steps": True}}, "value is not a number in config.pretraining.steps: True"),
        ({"runs": [{"method": "untrained", "seeds": [True]}]}, "value is not a number in config.runs.0.seeds.0"),
        (
            {"datasets": [{"name": "w", "kind": "torchvision", "torchvision_name": "food11", "source": "x"}]},
            "unknown choice in config.datasets.0.torchvision_name: 'food11'; did you mean food101?",
        ),
        ({"evaluation": {"saliency": {"layer": "layer5"}}}, "unknown choice in config.evaluation.saliency.layer"),
    ],
)
def test_mistakes_are_named(config: dict[str, Any], change: dict[str, Any], message: str) -> None:
    config = changed(config, change)
    if "arms" in change:
        config |= {"runs": [{"method": "untrained"}], "pairs": []}
    with pytest.raises(PipelineError) as mistake:
        load_study(config)
    assert message in str(mistake.value)


def test_settings_of_a_unit_are_what_its_stage_takes() -> None:
    """Every stage's settings class accepts what the study gives it, and nothing is lost on the way."""
    from importlib import import_module

    change = {
        "judges": [{"name": "blip2", "kind": "blip2"}],
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
    }
    for path in sorted((ROOT / "workflow_scripts" / "stages").glob("[a-z]*.py")):
        stage = path.stem
        module = import_module(f"workflow_scripts.stages.{stage}")
        settings_class = getattr(module, "".join(part.capitalize() for part in stage.split("_")))
        given = units.settings(stage, sample.get(stage, {}))
        assert settings_class.model_validate(given).model_dump(mode="json").items() >= given.items(), stage


def test_a_tag_is_part_of_the_name_and_of_nothing_else() -> None:
    runs = [
        {"method": "simclr", "pairs": "self", "augmentation": "crop", "seeds": [1]},
        {"method": "simclr", "pairs": "self", "augmentation": "crop", "seeds": [1], "tag": "two", "set": {"steps": 4}},
        {"method": "untrained"},
    ]
    units = Units(load_study(changed(merged("tests/config/tiny.yaml"), {"runs": runs})))
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

"""Every stage file declares itself, and the rules, the SLURM profile and the study agree with it."""

import re
import subprocess
import sys

import pytest
import yaml

from tests.study.config.configs import planned
from workflow_scripts.core.declaration.facts import Load
from workflow_scripts.core.digest import ROOT, code_digest
from workflow_scripts.study.config.stages import declaration, facts, published, stage_names, stages_in_order, tolerance
from workflow_scripts.study.units import Units

ALL = sorted(stage_names())
WITH_ARTIFACTS = [name for name in ALL if name != "crate"]
PROFILE = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())
CALLS = "inputs_of|made|log_of|environment_of|cores|resources_of|recipe|command"
RULES = {
    name: body
    for path in sorted((ROOT / "rules").glob("*.smk"))
    for name, body in re.findall(r"^ *rule (\w+):\n(.*?)(?=^ *rule |\Z)", path.read_text(), re.MULTILINE | re.DOTALL)
}


@pytest.fixture(scope="module")
def demo() -> Units:
    return planned("profiles/demo/study.yaml")


@pytest.mark.parametrize("name", WITH_ARTIFACTS)
def test_a_declaration_is_complete(name: str) -> None:
    stage = declaration(name)
    assert stage is not None, f"stages/{name}.py lacks STAGE"
    assert stage.name == name
    assert stage.not_in_key <= stage.settings.model_fields.keys()
    assert stage.by_content == (stage.format is not None) == code_digest(name).startswith("format-")
    assert not stage.numbered or len(stage.unit) == 1
    assert facts(name).files, "its data files"


@pytest.mark.parametrize("name", ALL)
def test_facts_are_plausible(name: str) -> None:
    known = facts(name)
    assert known.cost.source and known.cost.per
    assert known.resources.minutes > 0 and known.resources.memory_mb >= 1_000
    for file in known.files.values():
        assert file.holds
        if file.tolerance is not None:
            assert file.tolerance.seen and 0 <= file.tolerance.number < 1 and 0 <= file.tolerance.unequal < 1
    assert (ROOT / "envs" / f"{known.environment.format(device='cpu')}.yaml").is_file()


@pytest.mark.parametrize("name", WITH_ARTIFACTS)
def test_a_study_provides_artifact_names_settings_and_sources_of_each_stage(demo: Units, name: str) -> None:
    stage, known = declaration(name), facts(name)
    assert stage is not None
    for artifact in (demo.names(name) or [])[:2]:
        settings = demo.settings(name, stage.unit_of(artifact))
        stage.settings.model_validate(settings)
        load = Load(rows=10, images=6, labelled=3, masked=1, tested=1, settings=settings)
        for figure in (
            known.cost.units,
            known.cost.gflop,
            known.cost.wait_s,
            known.disk,
            known.store,
            known.resources.data,
        ):
            assert figure(load) >= 0
    for artifact in (demo.names(name) or [])[:2]:
        for given in known.input_names:
            for label in demo.read(name, given, stage.unit_of(artifact)):
                assert demo.holds(*label.split("/", 1)), label


def test_names_that_are_not_stages_declare_nothing() -> None:
    assert declaration("nothing") is None and declaration("__init__") is None and declaration("crate") is None
    assert tolerance("nothing", ".npy") is None


def test_every_stage_has_a_rule_that_passes_its_declared_inputs() -> None:
    assert set(stages_in_order()) == set(RULES) == set(ALL)
    for name in WITH_ARTIFACTS:
        stage = declaration(name)
        assert stage is not None
        assert (f'**inputs_of("{name}")' in RULES[name]) == bool(facts(name).input_names), name
        of_others = re.findall(rf'\b(?:{CALLS})\("(?!{name}")\w+"', RULES[name])
        assert not of_others, f"rule {name} was copied from another one: {of_others}"


def test_groups_and_slots_of_the_slurm_profile_are_those_of_the_stages() -> None:
    assert dict(pair.split("=") for pair in PROFILE["groups"]) == {
        name: group for name in ALL if (group := facts(name).group) is not None
    }
    slots = {slot for name in ALL if (slot := facts(name).resources.slot) is not None}
    assert {pair.split("=")[0] for pair in PROFILE["set-resource-scopes"]} == slots
    assert {pair.split("=")[0] for pair in PROFILE["resources"]} == slots


def test_no_table_of_posts_pictures_or_test_items_may_be_published() -> None:
    tables = {(name, suffix) for name, files in published().items() for suffix in files if suffix.endswith(".parquet")}
    assert tables == {
        ("caption_labels", ".reliability.parquet"),
        ("discrimination", ".parquet"),
        ("few_shot", ".parquet"),
        ("knn", ".parquet"),
        ("knn", ".statistics.parquet"),
        ("linear_probe", ".parquet"),
        ("pretrain", "/curve.parquet"),
        ("saliency", ".results.parquet"),
        ("saliency_checks", ".parquet"),
        ("summary", ".contrasts.parquet"),
        ("summary", ".parquet"),
    }
    assert ".exclude.json" not in published()["annotations"]
    assert published()["report"] == {".html": True, "/figure-*": True, "/table-*": True}


def test_a_tolerance_pattern_covers_several_file_names() -> None:
    assert tolerance("pretrain", "/step-000200.safetensors") is tolerance("pretrain", "/last.safetensors") is not None
    assert tolerance("linear_probe", ".predictions.parquet") != tolerance("linear_probe", ".head.safetensors")
    assert tolerance("recaption", ".keys.parquet") is None


def test_saliency_checks_cover_the_first_seed_of_marked_runs(demo: Units) -> None:
    assert demo.names("saliency_checks") == ["simclr-revised-crop-resnet_small-s0.last.masks"]


def test_units_are_planned_without_importing_numerical_libraries() -> None:
    """Every start of Snakemake, also that of each job, imports them."""
    code = "import sys, workflow_scripts.study.units; print({'numpy', 'scipy', 'torch', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

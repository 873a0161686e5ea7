"""The schema accepts every config of the project and rejects mistakes, by the judgement of ``jsonschema``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from workflow_scripts.core.settings import Settings, descriptions
from workflow_scripts.study.config.files import node_of, read_config
from workflow_scripts.study.reference.schema import config_schema, definitions

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = [
    ROOT / "config.yaml",
    *(path for path in sorted(ROOT.glob("profiles/**/*.yaml")) if path.stem not in ("profile", "partitions")),
    *sorted(ROOT.glob("tests/config/*.yaml")),
    *sorted(ROOT.glob("tests/slurm/*.yaml")),
]
ZIP = "https://example.org/annotations.zip"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """The schema, itself checked."""
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """The full study."""
    return read_config([ROOT / "config.yaml"]).data()


def classes(kind: type[Settings] = Settings) -> Iterator[type[Settings]]:
    """All settings classes of the workflow that are loaded, those that the schema does not show included."""
    for one in kind.__subclasses__():
        if one.__module__.startswith("workflow_scripts."):
            yield from (one, *classes(one))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_config_of_the_project_is_accepted_and_names_the_schema(
    path: Path, validator: Draft202012Validator, config: dict[str, Any]
) -> None:
    text = path.read_text()
    written = yaml.safe_load(text)
    assert [error.message for error in validator.iter_errors(written)] == []
    merged = node_of(config).merged(node_of(written)).data()
    assert [error.message for error in validator.iter_errors(merged)] == []
    schema = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema).resolve() == ROOT / "docs/config.schema.json"


def test_the_checked_configs_include_those_of_the_project() -> None:
    assert {path.name for path in CONFIGS} >= {"config.yaml", "study.yaml", "c3.yaml", "nano.yaml", "tiny.yaml"}


@pytest.mark.parametrize(
    ("mistake", "path", "keyword"),
    [
        ({"shrads": {"shards": 3}}, [], "additionalProperties"),
        ({"shards": {"shard": 3}}, ["shards"], "additionalProperties"),
        ({"shards": {"shards": "many"}}, ["shards", "shards"], "type"),
        ({"shards": {"shards": 0}}, ["shards", "shards"], "exclusiveMinimum"),
        ({"compute": {"device": "gpu"}}, ["compute", "device"], "enum"),
        ({"study": "../elsewhere"}, ["study"], "pattern"),
        (
            {"download": {"hosts": {"i.redd.it": {"rps": 3}}}},
            ["download", "hosts", "i.redd.it"],
            "additionalProperties",
        ),
        ({"download": {"jpeg_quality": 100}}, ["download", "jpeg_quality"], "maximum"),
        ({"arms": [{"kind": "original"}]}, ["arms", 0], "required"),
        ({"arms": [{"name": "a", "kind": "orignal"}]}, ["arms", 0, "kind"], "enum"),
        ({"pretraining": {"leraning_rate": 0.1}}, ["pretraining"], "additionalProperties"),
        ({"pretraining": {"method": "clip"}}, ["pretraining"], "additionalProperties"),
        ({"pretraining": {"probe": {"evry": 3}}}, ["pretraining", "probe"], "anyOf"),
        ({"pretraining": {"checkpoints": {"first": 0}}}, ["pretraining", "checkpoints"], "anyOf"),
        ({"runs": []}, ["runs"], "minItems"),
        ({"runs": [{"method": "simclr", "set": {"stepz": 3}}]}, ["runs", 0, "set"], "additionalProperties"),
        ({"datasets": [{"name": "d", "kind": "folders", "limit": {"tran": 3}}]}, ["datasets", 0], "anyOf"),
        ({"annotations": {"source": {"at": ""}}}, ["annotations", "source"], "anyOf"),
        ({"evaluation": {"steps": ["first"]}}, ["evaluation", "steps", 0], "anyOf"),
        (
            {"evaluation": {"linear_probe": {"objectives": "sklearn"}}},
            ["evaluation", "linear_probe", "objectives"],
            "type",
        ),
    ],
)
def test_the_schema_rejects_config_mistakes(
    validator: Draft202012Validator, config: dict[str, Any], mistake: dict[str, Any], path: list[Any], keyword: str
) -> None:
    for wrong in (mistake, node_of(config).merged(node_of(mistake)).data()):
        (error,) = validator.iter_errors(wrong)
        assert (list(error.absolute_path), error.validator) == (path, keyword)


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"annotations": {"exclude": ["abc123"]}},
        {"annotations": {"source": "data/annotations.zip"}},
        {"annotations": {"source": {"at": ZIP, "sha256": "0" * 64}}},
        {"annotations": {"source": ZIP}},
        {"annotations": {"source": {"mirrors": [ZIP]}}},
        {"demo_world": None},
        {"download": {"hosts": {"i.redd.it": {"rate": 1}}}},
        {"pretraining": {"checkpoints": [1, 2]}},
        {"pretraining": {"checkpoints": {"log_spaced": 3}}},
        {"evaluation": {"steps": [100, "last"]}},
    ],
)
def test_parts_and_short_forms_are_accepted(validator: Draft202012Validator, part: dict[str, Any]) -> None:
    assert [error.message for error in validator.iter_errors(part)] == []


def test_every_setting_has_a_description_and_a_valid_example() -> None:
    assert len(list(classes())) > 30
    for one in classes():
        assert one.__doc__, one
        shown = one.model_json_schema().get("properties", {})
        for key in one.model_fields:
            meaning = shown[key].get("description") if key in shown else descriptions(one).get(key)
            assert meaning, f"{one.__name__}.{key}"
    found = definitions()
    for name, model in found.items():
        for key, setting in model["properties"].items():
            holds_settings = "$defs" in str({k: v for k, v in setting.items() if k != "examples"})
            only_choice = "const" in setting
            assert "examples" in setting or holds_settings or only_choice, f"{name}.{key}"
            checked = Draft202012Validator({**setting, "$defs": found})
            for example in setting.get("examples", []):
                assert example != setting.get("default"), f"{name}.{key}"
                assert [error.message for error in checked.iter_errors(example)] == [], f"{name}.{key}"

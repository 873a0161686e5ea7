"""The backbone of docs/extending.md; run in a copy that has it."""

from tests.extending.configs import refusal, study_with
from tests.models.test_backbones import test_a_backbone_entry_matches_its_network as compare
from workflow_scripts.core.declaration.facts import Load
from workflow_scripts.models.backbones import BACKBONES
from workflow_scripts.stages.features import STAGE
from workflow_scripts.study.estimates.cost import loads
from workflow_scripts.study.reference.schema import config_schema


def test_the_example_backbone_matches_its_entry() -> None:
    compare("resnext50")
    assert BACKBONES["resnext50"].build().layer4[-1].conv2.groups == 32


def test_configs_estimates_and_schema_include_the_new_entry() -> None:
    units = study_with({"pretraining": {"backbone": "resnext50"}})
    name = next(name for name in units.evaluations if "-resnext50-" in name)
    load: Load = next(iter(loads(units, STAGE, [name], 1, 1)))[0]
    assert (load.features, load.forward_gflop) == (2048, 8.5)
    assert "did you mean resnext50?" in refusal({"pretraining": {"backbone": "resnext51"}})
    assert "resnext50" in str(config_schema())

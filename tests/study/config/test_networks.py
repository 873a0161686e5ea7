from typing import Any

import pytest

from tests.study.config.configs import changed, merged, planned
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

LITE0 = {"name": "lite0", "layout": "efficientnet_lite0", "source": "package:x/models"}
TWIN = {"name": "twin", "layout": "efficientnet_lite0", "weights": "random"}
VIT = {"name": "vit", "layout": "timm", "source": "hub:timm/vit@main", "image_size": 384, "crop": 1.0}
EXTERNAL = {"method": "external", "network": "lite0"}


def units(networks: list[dict[str, Any]], runs: list[dict[str, Any]]) -> Units:
    change = {"networks": networks, "runs": runs, "contrasts": []}
    return planned("tests/config/tiny.yaml", change=change)


def test_external_runs_are_runs_whose_views_are_shared() -> None:
    runs = [EXTERNAL, {"method": "external", "network": "twin", "seeds": [0, 1]}, {**EXTERNAL, "network": "vit"}]
    found = units([LITE0, TWIN, VIT], [*runs, {"method": "untrained"}])
    names = [f"external-none-none-{name}" for name in ("lite0-s0", "twin-s0", "twin-s1", "vit-s0")]
    assert found.runs == [*names, "untrained-none-none-resnet_small-s0"]
    assert [found.trainings[run].steps for run in names] == [["last"]] * 4
    dataset = found.reported[0]
    views = [found.trainings[run].view.name for run in found.runs]
    assert views == ["224-bilinear"] * 3 + ["384-bicubic", "32-bilinear"]
    assert found.names("eval_images") == [
        f"{name}.{view}" for name in found.reported for view in ("224-bilinear", "384-bicubic", "32-bilinear")
    ]
    assert found.settings("eval_images", {"dataset": dataset, "view": "384-bicubic"})["side"] == 384
    read = [bool(found.read("pretrain", "network", {"run": run})) for run in found.runs]
    assert read == [True, False, False, True, False]
    assert found.sources("pretrain", {"run": names[0]}) == {"network": "package:x/models"}
    assert found.sources("pretrain", {"run": names[1]}) == {} == found.sources("pretrain", {"run": found.runs[-1]})
    settings = found.settings("pretrain", {"run": names[3]})
    assert settings["network"]["name"] == "vit" and "source" not in settings["network"]
    assert "network" not in found.settings("pretrain", {"run": found.runs[-1]}), "keys of other runs must not change"
    summarised = {one["run"]: one for one in found.settings("summary", {})["runs"]}
    assert [summarised[run]["backbone"] for run in names] == ["lite0", "twin", "twin", "vit"]
    assert summarised[names[0]]["role"] == "external" and summarised[names[0]]["trained_steps"] == 0


def test_runs_with_masks_need_the_same_crop() -> None:
    runs = [EXTERNAL, {**EXTERNAL, "network": "vit"}]
    change = {"networks": [LITE0, {**VIT, "crop": 0.9}], "runs": runs, "contrasts": []}
    with pytest.raises(PipelineError, match=r"crop images differently on a set with masks in .*runs.1: 0.901 of the"):
        load_study(changed(merged("tests/config/tiny.yaml"), change))
    assert len(units([{**LITE0, "crop": 0.9}, {**VIT, "crop": 0.9}], runs).runs) == 2  # 224 of 248, 384 of 426 pixels


def test_orderings_name_networks_of_runs() -> None:
    change: dict[str, Any] = {"networks": [LITE0], "runs": [EXTERNAL], "contrasts": []}
    change["evaluation"] = {"discrimination": {"orderings": [{"lower": "lite", "higher": "lite0"}]}}
    with pytest.raises(PipelineError, match=r"network of a run in .*orderings.0: lite; did you mean lite0\?"):
        load_study(changed(merged("tests/config/tiny.yaml"), change))


def test_the_name_of_a_run_contains_its_library_architecture() -> None:
    runs = [{"method": "untrained", "set": {"backbone": "timm:vit_tiny_patch16_224"}}]
    assert units([], runs).runs == ["untrained-none-none-timm-vit_tiny_patch16_224-s0"]


@pytest.mark.parametrize(
    ("networks", "run", "message"),
    [
        ([], EXTERNAL, "unknown network in config.runs.0.network: lite0"),
        ([LITE0], {"method": "external"}, "missing network in config.runs.0.network: null; method external needs one"),
        (
            [LITE0],
            {**EXTERNAL, "set": {"backbone": "resnet18"}},
            "setting without effect in config.runs.0.set.backbone",
        ),
        ([LITE0], {**EXTERNAL, "seeds": [0, 1]}, "setting without effect in config.runs.0.seeds: [0, 1]"),
        ([LITE0], {**EXTERNAL, "pairs": "self"}, "method external goes with pairs of kind none, not with self"),
        ([LITE0, LITE0], EXTERNAL, "repeated name in config.networks.1.name: lite0"),
        ([LITE0], {"method": "untrained", "network": "lite0"}, "unused network in config.runs.0.network: lite0"),
        ([{**LITE0, "source": None}], EXTERNAL, "missing source in config.networks.0.source: null"),
        ([{**TWIN, "name": "lite0", "source": "x"}], EXTERNAL, "unused source in config.networks.0.source: x"),
        (
            [{**LITE0, "layout": "tim"}],
            EXTERNAL,
            "unknown choice in config.networks.0.layout: 'tim'; did you mean timm",
        ),
        ([{**LITE0, "layout": "torchvision"}], EXTERNAL, "layout torchvision needs an architecture"),
        ([{**LITE0, "crop": 0}], EXTERNAL, "invalid value in config.networks.0.crop"),
        ([{**LITE0, "mean": [0.5]}], EXTERNAL, "invalid value in config.networks.0.mean"),
        (
            [],
            {"method": "untrained", "set": {"backbone": "timm:../x"}},
            "'timm:../x'; choose from resnet18, resnet34, resnet50, resnet_small; or String should match pattern",
        ),
    ],
)
def test_config_mistakes_are_reported(networks: list[dict[str, Any]], run: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError) as mistake:
        units(networks, [run])
    assert message in str(mistake.value)

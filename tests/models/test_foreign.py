import json
from pathlib import Path

import pytest

from tests.models.test_external import clip_folder, settings, timm_folder
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.external import load_external


@pytest.mark.parametrize(("module", "fault"), [("AuxLogits", "it is not run"), ("Conv2d_1a_3x3", "")])
def test_features_of_a_module_that_does_not_run(module: str, fault: str) -> None:
    wanted = settings("torchvision", architecture="inception_v3", weights="random", image_size=75, features=module)
    if not fault:
        assert load_external(wanted, None, 0)[1]["feature_dim"] == 32
        return
    with pytest.raises(PipelineError, match=rf"no features in a layer in networks, features: {module}: {fault}"):
        load_external(wanted, None, 0)


def test_features_of_a_module_without_a_tensor(tmp_path: Path) -> None:
    clip_folder(tmp_path)
    wanted = settings("clip", weights="random", image_size=64, features="vision.encoder")
    with pytest.raises(PipelineError, match=r"no features in a layer in .*: vision\.encoder: BaseModelOutput"):
        load_external(wanted, tmp_path, 0)


def test_features_that_are_not_vectors_are_refused(tmp_path: Path) -> None:
    timm_folder(tmp_path, "test_efficientnet")
    config = json.loads((tmp_path / "config.json").read_text()) | {"model_args": {"global_pool": ""}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(PipelineError, match=r"features that are no vector in networks, n: shape \(1, 256, 5, 5\)"):
        load_external(settings("timm", image_size=160, crop=0.95), tmp_path, 0)


def test_an_unknown_pooling_is_not_blamed_on_the_image_size(tmp_path: Path) -> None:
    timm_folder(tmp_path, "test_efficientnet")
    config = json.loads((tmp_path / "config.json").read_text()) | {"model_args": {"global_pool": "mean"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    message = r"timm:test_efficientnet: image_size: 160, global_pool: mean: .*; use .*, and correct global_pool in its"
    with pytest.raises(PipelineError, match=message):
        load_external(settings("timm", image_size=160, crop=0.95), tmp_path, 0)

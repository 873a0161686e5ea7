import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.backbones import (
    LIBRARIES,
    TRAINED_BY_NAME,
    Explained,
    build_backbone,
    explained_layers,
    grad_cam_layer,
    map_of,
)
from workflow_scripts.models.foreign import Foreign
from workflow_scripts.models.networks.library import as_map
from workflow_scripts.models.preprocessing import MEAN, STD

VIT = {"patch_size": 16, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
SWIN = {"patch_size": [4, 4], "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": [4, 4]}
CLIP = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 16,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}


def explained(network: nn.Module, metadata: dict[str, str], layer: str) -> Explained:
    (part,) = explained_layers(network, metadata, [layer]).values()
    return part


def tiny_vit() -> nn.Module:
    network = torchvision.models.VisionTransformer(64, **VIT)
    network.heads = nn.Identity()
    return network


# Library, network for 64-pixel images, and the shape of the map that Grad-CAM explains by default.
NETWORKS: dict[str, tuple[str, Callable[[], nn.Module], tuple[int, ...]]] = {
    "timm vit": ("timm", lambda: timm.create_model("test_vit", img_size=64, num_classes=0), (2, 64, 4, 4)),
    "timm resnet": ("timm", lambda: timm.create_model("test_resnet", num_classes=0), (2, 96, 2, 2)),
    "timm convnext": ("timm", lambda: timm.create_model("test_convnext", num_classes=0), (2, 64, 2, 2)),
    "torchvision resnet": ("torchvision", torchvision.models.resnet18, (2, 512, 2, 2)),
    "torchvision vit": ("torchvision", tiny_vit, (2, 16, 4, 4)),
    "torchvision swin": ("torchvision", lambda: torchvision.models.SwinTransformer(**SWIN), (2, 16, 8, 8)),
    "torchvision mobilenet": ("torchvision", torchvision.models.mobilenet_v3_small, (2, 576, 2, 2)),
    "clip": ("clip", lambda: LIBRARIES["clip"].build("vision", 64, CLIP), (2, 16, 4, 4)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_explained_layer_gives_a_spatial_map(name: str) -> None:
    library, build, shape = NETWORKS[name]
    network = build().eval()
    backbone = f"{library}:{name}"
    module, to_map = explained(network, {"backbone": backbone, "layer": grad_cam_layer(backbone, network)}, "layer4")
    seen: list[Any] = []
    module.register_forward_hook(lambda _, __, output: seen.append(output))
    output = network(torch.randn(2, 3, 64, 64))
    maps = to_map(seen[0])
    assert maps.shape == shape
    given = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
    (gradient,) = torch.autograd.grad(output.square().sum(), given)
    assert to_map(gradient).abs().max() > 0, "what the layer gives must count, unlike patches behind the last attention"


def test_tokens_are_put_where_their_patches_are() -> None:
    tokens = torch.arange(2 * 10 * 3.0).reshape(2, 10, 3)
    maps = as_map((tokens, None), prefix=1)
    assert maps.shape == (2, 3, 3, 3)
    for row in range(3):
        for column in range(3):
            assert torch.equal(maps[:, :, row, column], tokens[:, 1 + 3 * row + column])
    planes = torch.randn(2, 4, 5, 3)
    assert torch.equal(as_map(planes, 0, last=True), planes.permute(0, 3, 1, 2)) and as_map(planes, 0) is planes
    for wrong in (tokens[:, :9], torch.zeros(2, 1, 3), torch.zeros(2, 3)):
        with pytest.raises(PipelineError, match="no map in a layer"):
            as_map(wrong, prefix=1)


def test_a_patch_of_the_image_appears_at_its_position_in_the_map() -> None:
    network = timm.create_model("test_vit", img_size=64, num_classes=0).eval()
    image, seen = torch.zeros(1, 3, 64, 64), []
    network.blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        network(image)
        image[:, :, 16:32, 48:64] = 5.0
        network(image)
    changed = LIBRARIES["timm"].to_map(network, seen[1] - seen[0]).abs().sum(dim=1)[0]
    assert np.argwhere(changed.numpy() > 1e-6).tolist() == [[1, 3]]


def test_explained_layers_of_project_backbones_are_stages() -> None:
    network, _ = build_backbone("resnet_small")
    about = {"backbone": "resnet_small", "layer": "layer4"}
    module, to_map = explained(network, about, "layer3")
    assert module is network.layer3[-1] and to_map(maps := torch.zeros(1, 2, 3, 3)) is maps
    assert explained(Foreign(network, MEAN, STD, "", nn.Identity()), about, "layer3").module is module
    with pytest.raises(PipelineError, match="unknown layer in settings of saliency: layer5; choose from layer1"):
        explained(network, about, "layer5")


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_features_are_means_over_space_where_channels_come_last(library: str) -> None:
    if library == "timm":
        options = {"img_size": 64, "embed_dim": 8, "depths": (1, 1), "num_heads": (1, 2), "window_size": 4}
        network, layer = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0, **options), "layers.1"
    else:
        network, layer = torchvision.models.SwinTransformer(**SWIN), "features.3"
    seen: list[torch.Tensor] = []
    network.get_submodule(layer).register_forward_hook(lambda _, __, output: seen.append(output))
    found = Foreign(network, MEAN, STD, layer, map_of(f"{library}:swin", network)).eval()(torch.randn(2, 3, 64, 64))
    assert seen[0].shape == (2, 8, 8, 16)
    torch.testing.assert_close(found, seen[0].flatten(1, 2).mean(dim=1))


def test_a_library_network_without_a_known_layer_requires_the_setting() -> None:
    network = torchvision.models.googlenet(init_weights=False, aux_logits=False)
    name = "torchvision:googlenet"
    assert grad_cam_layer(name, network) == ""
    with pytest.raises(PipelineError, match=r"no layer for Grad-CAM in networks: torchvision:googlenet; set layer"):
        explained(network, {"backbone": name, "layer": ""}, "layer4")
    assert explained(network, {"backbone": name, "layer": "inception5b"}, "layer4").module is network.inception5b
    with pytest.raises(PipelineError, match="unknown layer of a network in networks, layer: inception9"):
        explained(network, {"backbone": name, "layer": "inception9"}, "layer4")


def test_widths_and_sizes_follow_from_the_architecture() -> None:
    torch.manual_seed(0)
    network, width = build_backbone("timm:test_vit", 32)
    assert (width, network.pos_embed.shape[1], network.training) == (64, 5, True)
    torch.manual_seed(0)
    again, _ = build_backbone("timm:test_vit", 32)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in network.state_dict().items())
    assert build_backbone("torchvision:mobilenet_v3_small", 64)[1] == 1024
    with pytest.raises(PipelineError, match="architecture that can't be built in timm:test_vit: image_size: 8: "):
        build_backbone("timm:test_vit", 8)
    with pytest.raises(PipelineError, match=r"unknown backbone .*: keras:x; choose from resnet18, .*timm:"):
        build_backbone("keras:x")


def test_names_for_training_reach_no_network_outside() -> None:
    assert re.fullmatch(TRAINED_BY_NAME, "timm:vit_tiny_patch16_224")
    for name in ("clip:vision", "timm:hf-hub:a/b", "timm:local-dir:/x", "timm:../x", "timm:", "other:x"):
        assert not re.fullmatch(TRAINED_BY_NAME, name), Path(name)

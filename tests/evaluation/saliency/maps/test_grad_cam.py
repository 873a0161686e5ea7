import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.saliency.maps.grad_cam import (
    Target,
    class_cosines,
    computed,
    explaining,
    grad_cam,
    probe_logits,
)
from workflow_scripts.models.backbones import Explained, build_backbone, explained_layers, grad_cam_layer

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_backbone("resnet_small")[0].eval()


def batch(n: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(n, 3, 48, 48), torch.tensor([0, 2, 1, 0][:n])


def head(d: int = 128) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    weight, bias, mean = (RNG.normal(size=s).astype(np.float32) for s in ((3, d), 3, d))
    return weight, bias, mean, np.abs(RNG.normal(size=d)).astype(np.float32) + 0.5


def parts(network: nn.Module, layers: list[str]) -> list[Explained]:
    return list(explained_layers(network, {"backbone": "resnet_small"}, layers).values())


def a_logit(labels: torch.Tensor) -> Target:
    return probe_logits(*head(), "cpu")(labels)


def from_the_paper(network: nn.Module, image: torch.Tensor, score) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Equations 1 and 2 on the output of layer4, by autograd without hooks of a library."""
    maps = image[None]
    for name in ("conv1", "bn1", "relu", "layer1", "layer2", "layer3", "layer4"):
        maps = getattr(network, name)(maps)
    maps = maps.detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(maps.mean(dim=(2, 3))[0]), maps)
    return (slope.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0].clamp(min=0).detach().numpy()


def test_grad_cam_maps_equal_the_formula_of_the_paper(network: nn.Module) -> None:
    images, labels = batch()
    weight, bias, mean, std = head()
    means = RNG.normal(size=(3, 128)).astype(np.float32)
    targets = [probe_logits(weight, bias, mean, std, "cpu")(labels), class_cosines(means, "cpu")(labels)]
    with explaining(network, parts(network, ["layer4"])) as cam:
        (found,), (channels,) = grad_cam(cam, images, targets)
    assert found.shape == (2, 4, 3, 3) and channels.shape == (4, 128, 3, 3)
    assert (found >= 0).all() and found.max() > 0
    for i, label in enumerate(labels.tolist()):
        w, m = torch.from_numpy(weight[label] / std), torch.from_numpy(means[label])
        logit = from_the_paper(network, images[i], lambda f, w=w: f @ w)
        cosine = from_the_paper(network, images[i], lambda f, m=m: f @ m / f.norm() / m.norm())
        assert found[0, i] == pytest.approx(logit, rel=1e-3, abs=1e-6)
        assert found[1, i] == pytest.approx(cosine, rel=1e-3, abs=1e-6)


class Unscaled(GradCAM):
    """The library on the whole network, before it rescales each map."""

    def aggregate_multi_layers(self, cam_per_target_layer: list[np.ndarray]) -> list[np.ndarray]:
        return cam_per_target_layer

    def compute_cam_per_layer(self, images, targets, eigen_smooth):  # type: ignore[no-untyped-def]
        hooks = self.activations_and_grads
        pairs = zip(self.target_layers, hooks.activations, hooks.gradients, strict=True)
        return [
            np.maximum(self.get_cam_image(images, layer, targets, a.numpy(), g.numpy()), 0) for layer, a, g in pairs
        ]


def test_grad_cam_maps_equal_those_of_the_library(network: nn.Module) -> None:
    images, labels = batch()
    logits = probe_logits(*head(), "cpu")
    with explaining(network, parts(network, ["layer4", "layer3"])) as cam:
        ours, _ = grad_cam(cam, images, [logits(labels), logits((labels + 1) % 3)])
    network.requires_grad_(True)
    blocks = [network.get_submodule(name)[-1] for name in ("layer3", "layer4")]  # type: ignore[index]
    for number, classes in enumerate((labels, (labels + 1) % 3)):
        with Unscaled(model=network, target_layers=blocks) as cam:
            theirs = cam(images, [lambda f, y=y: logits(y[None])(f[None])[0] for y in classes])
        for mine, other in zip(ours, theirs, strict=True):
            assert mine[number] == pytest.approx(other, abs=1e-4) and other.max() > 0.01


def test_probe_logits_and_class_cosines_equal_their_formulas() -> None:
    features, labels = torch.randn(5, 128), torch.tensor([0, 1, 2, 2, 0])
    weight, bias, mean, std = head()
    logits = (features.numpy() - mean) / std @ weight.T + bias
    assert probe_logits(weight, bias, mean, std, "cpu")(labels)(features).numpy() == pytest.approx(
        logits[np.arange(5), labels.numpy()], rel=1e-4, abs=1e-4
    )
    cosine = (features.numpy() @ weight.T) / np.outer(features.norm(dim=1), np.linalg.norm(weight, axis=1))
    found = class_cosines(weight, "cpu")(labels)(features).numpy()
    assert found == pytest.approx(cosine[np.arange(5), labels.numpy()], abs=1e-5)


def test_an_image_does_not_depend_on_its_batch(network: nn.Module) -> None:
    images, labels = batch()
    logits = probe_logits(*head(), "cpu")
    with explaining(network, parts(network, ["layer4"])) as cam:
        together = grad_cam(cam, images, [logits(labels)])[0][0][0]
        alone = np.stack([grad_cam(cam, images[i : i + 1], [logits(labels[i : i + 1])])[0][0][0, 0] for i in range(4)])
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-6)


def test_hooks_are_released_and_nothing_is_kept(network: nn.Module) -> None:
    images, labels = batch()
    block = network.layer4[-1]  # type: ignore[index]
    with pytest.raises(RuntimeError, match="stop"), explaining(network, parts(network, ["layer4"])) as cam:
        grad_cam(cam, images, [a_logit(labels)])
        assert not cam.activations_and_grads.activations and not cam.activations_and_grads.gradients
        raise RuntimeError("stop")
    assert not block._forward_hooks


def test_an_index_error_is_not_swallowed(network: nn.Module) -> None:
    images, labels = batch()
    with pytest.raises(IndexError), explaining(network, parts(network, ["layer4"])) as cam:
        grad_cam(cam, images, [a_logit(labels + 3)])
    assert not network.layer4[-1]._forward_hooks  # type: ignore[index]


def test_layers_are_ordered_by_use_and_non_tensor_outputs_refused(network: nn.Module) -> None:
    assert computed(network, parts(network, ["layer4", "layer2", "layer3"])) == [1, 2, 0]

    class Pair(nn.Linear):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, int]:  # type: ignore[override]
            return images, 1

    images, labels = batch()
    pair = Pair(1, 1)
    with (
        pytest.raises(PipelineError, match=r"no map in a layer in networks, layer: tuple"),
        explaining(pair, [Explained(pair, lambda output: output)]) as cam,
    ):
        grad_cam(cam, images, [a_logit(labels)])


def test_tokens_become_a_map() -> None:
    torch.manual_seed(0)
    network, width = build_backbone("timm:test_vit", 32)
    metadata = {"backbone": "timm:test_vit", "layer": grad_cam_layer("timm:test_vit", network)}
    found = explained_layers(network.eval(), metadata, ["layer4"])
    weight = torch.randn(width)
    with explaining(network, list(found.values())) as cam:
        (maps,), (channels,) = grad_cam(cam, torch.randn(2, 3, 32, 32), [lambda features: features @ weight])
    assert list(found) == [metadata["layer"]]
    assert maps.shape[2:] == channels.shape[2:] == (2, 2) and maps.shape[1] == 2 and maps.max() > 0


def test_no_graph_is_built_below_the_earliest_explained_layer(network: nn.Module) -> None:
    images, labels = batch()
    seen: list[bool] = []
    with (
        network.layer2.register_forward_hook(lambda block, given, maps: seen.append(maps.requires_grad)),  # type: ignore[operator,union-attr]
        network.layer4.register_forward_hook(lambda block, given, maps: seen.append(maps.requires_grad)),  # type: ignore[operator,union-attr]
        explaining(network, parts(network, ["layer3"])) as cam,
    ):
        grad_cam(cam, images, [a_logit(labels)])
    assert seen == [False, True]


def test_a_module_that_runs_twice_is_refused() -> None:
    """Its activations would be those of the first run, its gradients those of the last."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
            self.relu, self.unused = nn.ReLU(), nn.Conv2d(4, 4, 1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.relu(self.second(self.relu(self.first(images)))).mean(dim=(2, 3))

    network, (images, labels) = Twice(), batch()
    for module, times in ((network.relu, 2), (network.unused, 0)):
        refused = pytest.raises(PipelineError, match=rf"no map in a layer .*: {times} outputs of 1 modules")
        with explaining(network, [Explained(module, lambda output: output)]) as cam, refused:
            grad_cam(cam, images, [probe_logits(*head(4), "cpu")(labels)])

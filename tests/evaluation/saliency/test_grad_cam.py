import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from torch import nn
from torch.nn import functional

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.saliency.grad_cam import class_cosine, explaining, grad_cam, probe_logit
from workflow_scripts.models.backbones import build_backbone

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


def from_the_paper(network: nn.Module, image: torch.Tensor, score) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Equations 1 and 2 on the output of layer4, by autograd without hooks of a library."""
    maps = image[None]
    for name in ("conv1", "bn1", "relu", "layer1", "layer2", "layer3", "layer4"):
        maps = getattr(network, name)(maps)
    maps = maps.detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(maps.mean(dim=(2, 3))[0]), maps)
    heat = (slope.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1, keepdim=True).clamp(min=0)
    return functional.interpolate(heat, (48, 48), mode="bilinear")[0, 0].detach().numpy()


def test_maps_are_the_papers(network: nn.Module) -> None:
    images, labels = batch()
    weight, bias, mean, std = head()
    means = RNG.normal(size=(3, 128)).astype(np.float32)
    with explaining(network, "layer4") as cam:
        found = grad_cam(cam, images, labels, [probe_logit(weight, bias, mean, std, "cpu"), class_cosine(means, "cpu")])
    assert found.shape == (2, 4, 48, 48) and (found >= 0).all() and found.max() > 0
    for i, label in enumerate(labels.tolist()):
        w, m = torch.from_numpy(weight[label] / std), torch.from_numpy(means[label])
        logit = from_the_paper(network, images[i], lambda f, w=w: f @ w)
        cosine = from_the_paper(network, images[i], lambda f, m=m: f @ m / f.norm() / m.norm())
        assert found[0, i] == pytest.approx(logit, rel=1e-3, abs=1e-6)
        assert found[1, i] == pytest.approx(cosine, rel=1e-3, abs=1e-6)


def test_rescaled_they_are_the_librarys(network: nn.Module) -> None:
    images, labels = batch()
    target = probe_logit(*head(), "cpu")
    with explaining(network, "layer4") as cam:
        ours = grad_cam(cam, images, labels, [target])[0]
    network.requires_grad_(True)
    with GradCAM(model=network, target_layers=[network.layer4[-1]]) as cam:  # type: ignore[index]
        theirs = cam(images, [lambda f, y=y: target(f[None], y[None])[0] for y in labels])
    for mine, other in zip(ours, theirs, strict=True):
        if mine.max() > 0:
            low, high = mine.min(), mine.max()
            assert (mine - low) / (high - low) == pytest.approx(other, abs=0.02)


def test_targets_are_what_they_say() -> None:
    features, labels = torch.randn(5, 128), torch.tensor([0, 1, 2, 2, 0])
    weight, bias, mean, std = head()
    logits = (features.numpy() - mean) / std @ weight.T + bias
    assert probe_logit(weight, bias, mean, std, "cpu")(features, labels).numpy() == pytest.approx(
        logits[np.arange(5), labels.numpy()], rel=1e-4, abs=1e-4
    )
    cosine = (features.numpy() @ weight.T) / np.outer(features.norm(dim=1), np.linalg.norm(weight, axis=1))
    found = class_cosine(weight, "cpu")(features, labels).numpy()
    assert found == pytest.approx(cosine[np.arange(5), labels.numpy()], abs=1e-5)


def test_an_image_does_not_depend_on_its_batch(network: nn.Module) -> None:
    images, labels = batch()
    target = probe_logit(*head(), "cpu")
    with explaining(network, "layer4") as cam:
        together = grad_cam(cam, images, labels, [target])[0]
        alone = np.stack([grad_cam(cam, images[i : i + 1], labels[i : i + 1], [target])[0, 0] for i in range(4)])
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-6)


def test_hooks_are_released_and_nothing_is_kept(network: nn.Module) -> None:
    images, labels = batch()
    block = network.layer4[-1]  # type: ignore[index]
    with pytest.raises(RuntimeError, match="stop"), explaining(network, "layer4") as cam:
        grad_cam(cam, images, labels, [probe_logit(*head(), "cpu")])
        assert not cam.activations_and_grads.activations and not cam.activations_and_grads.gradients
        raise RuntimeError("stop")
    assert not block._forward_hooks


def test_an_index_error_is_not_swallowed(network: nn.Module) -> None:
    images, labels = batch()
    with pytest.raises(IndexError), explaining(network, "layer4") as cam:
        grad_cam(cam, images, labels + 3, [probe_logit(*head(), "cpu")])
    assert not network.layer4[-1]._forward_hooks  # type: ignore[index]


def test_earlier_layers_and_wrong_names(network: nn.Module) -> None:
    images, labels = batch()
    with explaining(network, "layer3") as cam:
        assert grad_cam(cam, images, labels, [probe_logit(*head(), "cpu")]).max() > 0
    with pytest.raises(PipelineError, match=r"layer9.*layer1"), explaining(network, "layer9"):
        pass

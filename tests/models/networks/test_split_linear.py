"""Linear layers in pairs of bfloat16 numbers: exactness, and what they move."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.models.small_towers import save_clip, save_siglip
from workflow_scripts.embeddings.transformers_images import transformers_encoder
from workflow_scripts.models.networks import split_linear
from workflow_scripts.models.networks.split_linear import SplitLinear, split, split_on_gpu
from workflow_scripts.models.vector_scorer import two_towers

MOVES_NOTHING = {"new_empty", "slice", "flatten", "unflatten", "unsqueeze", "numpy_T"}


def test_two_bfloat16_parts_hold_sixteen_bits() -> None:
    values = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    high, low = split(values)
    assert high.dtype == low.dtype == torch.bfloat16
    assert ((high.double() + low.double() - values).abs() <= 2**-17 * values.abs()).all()
    exact = torch.tensor([0.0, 1.0, -3.0, 1 + 2**-9])  # numbers of at most 16 bits
    assert torch.equal(sum(part.double() for part in split(exact)), exact.double())


@pytest.mark.parametrize("bias", [True, False])
def test_product_is_nearly_that_of_float64(bias: bool) -> None:
    torch.manual_seed(0)
    linear, inputs = nn.Linear(300, 40, bias=bias), torch.randn(2, 5, 300)
    exact = linear.double()(inputs.double())
    found = SplitLinear(linear.float())(inputs)
    rounded = linear.bfloat16()(inputs.bfloat16())
    assert found.shape == (2, 5, 40) and found.dtype == torch.float32
    assert (found - exact).abs().max() < 3e-5 < 1e-3 < (rounded - exact).abs().max()


def test_a_bias_loses_nothing() -> None:
    linear = nn.Linear(8, 100)
    found = SplitLinear(linear)(torch.zeros(3, 8))
    torch.testing.assert_close(found, linear.bias.expand(3, -1), rtol=2**-23, atol=0)


class Moves(TorchDispatchMode):
    """Kernels but the product, and the bytes that they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels, self.bytes = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result, given = func(*args, **(kwargs or {})), [*args, *(kwargs or {}).values()]
        if func.overloadpacket.__name__ not in MOVES_NOTHING:
            self.kernels += 1
            moved = {id(tensor): tensor for tensor in [*given, result] if isinstance(tensor, torch.Tensor)}
            self.bytes += sum(tensor.nbytes for tensor in moved.values())
        return result


def test_a_layer_moves_little_besides_its_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_linear, "_product", lambda rows, columns: rows.new_empty(len(rows), columns.shape[1]))
    layer, inputs = SplitLinear(nn.Linear(144, 640)), torch.zeros(4, 50, 144)
    with torch.inference_mode(), Moves() as moves:
        assert layer(inputs).shape == (4, 50, 640)
    assert moves.kernels == 3  # both high parts, the low part, the ones
    assert moves.bytes < 4.5 * inputs.nbytes  # adding a bias to the product would move 8.9 times as much


def test_all_linear_layers_are_replaced(on_gpu: None) -> None:
    model = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ModuleDict({"a": nn.Linear(6, 2)})["a"], nn.LayerNorm(2))
    inputs = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    expected = model(inputs)
    split_on_gpu(model, "cuda")
    assert [type(layer) for layer in model] == [SplitLinear, SplitLinear, nn.LayerNorm]
    assert torch.allclose(model(inputs), expected, atol=1e-3)


def test_layers_on_a_cpu_stay_as_they_are() -> None:
    model = nn.Sequential(nn.Linear(4, 6))
    split_on_gpu(model, "cpu")
    assert type(model[0]) is nn.Linear


@pytest.mark.parametrize("save", [save_clip, save_siglip])
def test_vectors_of_towers_on_a_gpu_are_those_of_float32(
    save: Callable[[Path], Any], tmp_path: Path, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path)

    def vectors() -> list[torch.Tensor]:
        judge = two_towers(tmp_path, "cpu", padding="max_length")
        (images,) = judge.prepare(judge.load(pictures))
        return [images, judge.read(["a red cat", "my dog"]), transformers_encoder(tmp_path, "cpu")(pictures)]

    full = vectors()
    monkeypatch.setattr("workflow_scripts.models.networks.split_linear.dtype_of", lambda device: torch.bfloat16)
    for exact, found in zip(full, vectors(), strict=True):
        assert 0 < (exact - found).norm(dim=-1).max() < 4e-5 * exact.norm(dim=-1).max()

"""Split layers are as exact as their two bfloat16 parts, thousands of times more so than bfloat16."""

import torch
from torch import nn

from workflow_scripts.models.layers.split_linear import SplitLinear, split, split_linear_layers


def test_two_parts_hold_sixteen_bits() -> None:
    values = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    high, low = split(values)
    assert high.dtype == low.dtype == torch.bfloat16
    assert ((high.double() + low.double() - values).abs() <= 2**-17 * values.abs()).all()
    exact = torch.tensor([0.0, 1.0, -3.0, 1 + 2**-9])  # numbers of at most 16 bits
    assert torch.equal(sum(part.double() for part in split(exact)), exact.double())


def test_product_is_nearly_that_of_float64() -> None:
    torch.manual_seed(0)
    linear, inputs = nn.Linear(300, 40), torch.randn(2, 5, 300)
    exact = linear.double()(inputs.double())
    found = SplitLinear(linear.float())(inputs)
    rounded = linear.bfloat16()(inputs.bfloat16())
    assert found.shape == (2, 5, 40) and found.dtype == torch.float32
    assert (found - exact).abs().max() < 3e-5 < 1e-3 < (rounded - exact).abs().max()


def test_all_linear_layers_are_replaced() -> None:
    model = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ModuleDict({"a": nn.Linear(6, 2)})["a"], nn.LayerNorm(2))
    inputs = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    expected = model(inputs)
    split_linear_layers(model)
    assert [type(one) for one in model] == [SplitLinear, SplitLinear, nn.LayerNorm]
    assert torch.allclose(model(inputs), expected, atol=1e-3)

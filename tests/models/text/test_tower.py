"""The text transformer of CLIP."""

import pytest
import torch

from workflow_scripts.models.text.tower import TextTower

START, END = 1, 2


def test_the_original_text_tower_has_the_clip_activation_and_initialisation() -> None:
    torch.manual_seed(0)
    tower = TextTower(50, END, 12, 64, 8, 4, 8, original=True)
    values = torch.linspace(-3, 3, 7)
    for layer in tower.layers:
        torch.testing.assert_close(layer.activation(values), values / (1 + torch.exp(-1.702 * values)))
        # Radford et al. 2021's code: width^-1/2, and (2 layers)^-1/2 times that for what joins the residual stream.
        expected = [
            (layer.self_attn.in_proj_weight, 1 / 8),
            (layer.self_attn.out_proj.weight, 1 / 32),
            (layer.linear1.weight, 128**-0.5),
            (layer.linear2.weight, 1 / 32),
        ]
        for weight, deviation in expected:
            assert weight.std().item() == pytest.approx(deviation, rel=0.05)
            assert abs(weight.mean().item()) < deviation / 10


@pytest.mark.parametrize("original", [False, True])
def test_embeddings_are_initialised_as_in_the_clip_code(original: bool) -> None:
    torch.manual_seed(0)
    tower = TextTower(200, END, 77, 64, 1, 4, 32, original)
    for weight, deviation in ((tower.token.weight, 0.02), (tower.position, 0.01), (tower.project.weight, 1 / 8)):
        assert weight.std().item() == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize("padding", [0, END])
@pytest.mark.parametrize("original", [False, True])
def test_cutting_rows_to_the_longest_text_does_not_change_the_output(padding: int, original: bool) -> None:
    torch.manual_seed(0)
    tower = TextTower(50, END, 40, 32, 3, 4, 16, original)
    lengths = [3, 9, 5, 12]
    cut, whole = (torch.full((4, longest), padding) for longest in (12, 40))
    for row, length in enumerate(lengths):
        cut[row, :length] = torch.tensor([START, *torch.randint(3, 50, (length - 2,)), END])
    whole[:, :12] = cut
    torch.testing.assert_close(tower(cut), tower(whole), rtol=1e-6, atol=1e-6)
    tower, gradients = tower.double(), []
    for tokens in (cut, whole):
        tower.zero_grad()
        tower(tokens).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in tower.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_the_texts_vector_sees_every_token() -> None:
    torch.manual_seed(0)
    tower = TextTower(50, END, 12, 16, 2, 4, 8).eval()
    rows = torch.tensor([[START, 7, 8, END, 0, 0], [START, 9, 8, END, 0, 0], [START, 7, 8, END, 5, 7]])
    vectors = tower(rows)
    assert not torch.allclose(vectors[0], vectors[1], atol=1e-3)
    torch.testing.assert_close(vectors[0], vectors[2], rtol=1e-6, atol=1e-6)

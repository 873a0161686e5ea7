"""What a query transformer computes of images once, against what it computes for each text."""

from copy import deepcopy

import pytest
import torch
from transformers import Blip2QFormerConfig
from transformers.models.blip_2.modeling_blip_2 import Blip2QFormerModel

from workflow_scripts.models.layers.projections import project, take_projections

IMAGES, STATES, QUERIES, TEXT = 3, 17, 4, 6


@pytest.fixture
def plain() -> Blip2QFormerModel:
    """Three of its six layers have cross-attention."""
    torch.manual_seed(0)
    config = Blip2QFormerConfig(
        hidden_size=16, num_hidden_layers=6, num_attention_heads=2, intermediate_size=32, encoder_hidden_size=96,
        initializer_range=0.3, use_qformer_text_input=True,
    )  # fmt: skip
    return Blip2QFormerModel(config).eval()


@pytest.fixture
def changed(plain: Blip2QFormerModel) -> Blip2QFormerModel:
    """The same, taking projections."""
    transformer = deepcopy(plain)
    take_projections(transformer)
    return transformer


@pytest.fixture
def states() -> torch.Tensor:
    """Vision states of the images, as wide as their projections."""
    return torch.randn(IMAGES, STATES, 96, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_keys_and_values_of_all_layers_are_side_by_side(
    plain: Blip2QFormerModel, changed: Blip2QFormerModel, states: torch.Tensor
) -> None:
    attentions = [plain.encoder.layer[number].crossattention.attention for number in (0, 2, 4)]
    expected = [layer(states) for attention in attentions for layer in (attention.key, attention.value)]
    assert torch.equal(project(changed, states), torch.cat(expected, dim=-1))


@torch.inference_mode()
@pytest.mark.parametrize("length", [QUERIES, QUERIES + TEXT])
def test_transformer_gives_what_it_gave_for_states(
    plain: Blip2QFormerModel, changed: Blip2QFormerModel, states: torch.Tensor, length: int
) -> None:
    given = {"query_embeds": torch.randn(IMAGES, length, 16), "query_length": QUERIES}
    expected = plain(**given, encoder_hidden_states=states).last_hidden_state
    found = changed(**given, encoder_hidden_states=project(changed, states)).last_hidden_state
    assert torch.allclose(found, expected, rtol=0, atol=1e-5)
    order = [2, 0, 1]
    given["query_embeds"] = given["query_embeds"][order]
    found = changed(**given, encoder_hidden_states=project(changed, states)[order]).last_hidden_state
    assert torch.allclose(found, expected[order], rtol=0, atol=1e-5)
    assert (found - expected).abs().max() > 0.1


@torch.inference_mode()
def test_text_needs_no_image(plain: Blip2QFormerModel, changed: Blip2QFormerModel) -> None:
    words = torch.randn(IMAGES, TEXT, 16)
    found, expected = (one(query_embeds=words, query_length=0).last_hidden_state for one in (changed, plain))
    assert torch.equal(found, expected)

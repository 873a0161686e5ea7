"""What the demo's BLIP-2 is trained on: named properties, captions, matching and contrast.

The three objectives are BLIP-2's (Li et al. 2023, arXiv 2301.12597, section 3): language modelling, image-text
matching and image-text contrast. The first, plain classification of the vision tower's output, shortens the training
of so small a tower. Each runs through the models' own modules, with the vision tower passed once per picture.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from transformers import Blip2ForConditionalGeneration, Blip2ForImageTextRetrieval

from workflow_scripts.demo.captioner_training.data import PROPERTIES


class PropertyHeads(nn.Module):
    """Linear heads over the class state and the mean patch state of the vision tower; not part of BLIP-2."""

    weights = (2.0, 1.5, 1.5, 0.5, 0.5)

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sizes = [len(values) for values in PROPERTIES.values()]
        self.linear = nn.Linear(2 * width, sum(self.sizes))

    def forward(self, states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(n, patches + 1, width) -> logits (n, values) per property."""
        joined = torch.cat([states[:, 0], states[:, 1:].mean(dim=1)], dim=1)
        return self.linear(joined).split(self.sizes, dim=1)

    def loss(self, states: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Weighted cross-entropy over the properties; `labels` (n, properties) int64."""
        terms = [
            weight * cross_entropy(logits, labels[:, i], label_smoothing=0.05)
            for i, (logits, weight) in enumerate(zip(self(states), self.weights, strict=True))
        ]
        return torch.stack(terms).sum()


def _ones(states: torch.Tensor) -> torch.Tensor:
    return torch.ones(states.shape[:-1], dtype=torch.long)


def _queries(model: Any, states: torch.Tensor) -> torch.Tensor:
    """(n, queries, hidden): what the query transformer reads from vision states."""
    return model.qformer(
        query_embeds=model.query_tokens.expand(len(states), -1, -1),
        encoder_hidden_states=states,
        encoder_attention_mask=_ones(states),
    ).last_hidden_state


def caption_loss(
    model: Blip2ForConditionalGeneration, states: torch.Tensor, tokenizer: Any, texts: Sequence[str]
) -> torch.Tensor:
    """Mean cross-entropy of the captions' tokens and end, given vision states."""
    encoded = tokenizer([text + tokenizer.eos_token for text in texts], padding=True, return_tensors="pt")
    tokens, mask = encoded["input_ids"], encoded["attention_mask"]
    image = model.language_projection(_queries(model, states))
    embedded = torch.cat([image, model.get_input_embeddings()(tokens)], dim=1)
    joined = torch.cat([_ones(image), mask], dim=1)
    logits = model.language_model(inputs_embeds=embedded, attention_mask=joined).logits[:, image.shape[1] : -1]
    wanted = tokens[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
    return cross_entropy(logits.transpose(1, 2), wanted)


def match_logits(
    model: Blip2ForImageTextRetrieval, states: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """(n, 2) logits of no match and match of n texts with n pictures, the mean over queries."""
    queries = model.query_tokens.expand(len(states), -1, -1)
    count = queries.shape[1]
    found = model.qformer(
        query_embeds=model.embeddings(input_ids=tokens, query_embeds=queries),
        query_length=count,
        attention_mask=torch.cat([_ones(queries), mask], dim=1),
        encoder_hidden_states=states,
        encoder_attention_mask=_ones(states),
    ).last_hidden_state
    return model.itm_head(found[:, :count]).mean(dim=1)


def match_loss(logits: torch.Tensor, fits: torch.Tensor) -> torch.Tensor:
    """Cross-entropy with graded targets: `fits` (n,) is the share of 'match'."""
    return cross_entropy(logits, torch.stack([1 - fits, fits], dim=1))


def contrast_loss(
    model: Blip2ForImageTextRetrieval,
    states: torch.Tensor,
    tokens: torch.Tensor,
    mask: torch.Tensor,
    texts: Sequence[str],
    temperature: torch.Tensor,
) -> torch.Tensor:
    """Symmetric contrast within the batch, the best query per text; equal texts share the target."""
    image = normalize(model.vision_projection(_queries(model, states)), dim=-1)
    words = model.qformer(query_embeds=model.embeddings(input_ids=tokens), query_length=0, attention_mask=mask)
    text = normalize(model.text_projection(words.last_hidden_state[:, 0]), dim=-1)
    scores = torch.einsum("nqd,md->nmq", image, text).amax(dim=2) / temperature
    numbers = {one: i for i, one in enumerate(texts)}
    same = torch.tensor([numbers[one] for one in texts])
    target = (same[:, None] == same[None, :]).float()
    target = target / target.sum(dim=1, keepdim=True)
    return (cross_entropy(scores, target) + cross_entropy(scores.T, target)) / 2

"""How well a caption fits an image by BLIP-2: matching (ITM) and contrastive (ITC) scores.

The steps are those of ``Blip2ForImageTextRetrieval.forward``, split so that an image passes the vision tower once, and
its states are projected once, for any number of captions. Source: Li et al. 2023, arXiv 2301.12597, section 3.2.

The query transformer's cross-attention reads an image by keys and values, linear functions of the vision states. With
BLIP-2's sizes, computing them once saves a fifth of the time of the query transformer for an image and two texts,
measured on a CPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.nn.functional import normalize
from transformers import BatchEncoding, Blip2ForImageTextRetrieval

from workflow_scripts.models.checkpoints import Checkpoint, load_checkpoint
from workflow_scripts.models.networks.split_linear import split_on_gpu
from workflow_scripts.models.text_norms import TEXT_NORMS

MOST_TOKENS = 2**15 - 1  # token counts are stored as int16


class Part(nn.Module):
    """Stands in for a key or value layer: its columns of what :func:`project` gives."""

    def __init__(self, layer: nn.Linear, number: int) -> None:
        super().__init__()
        self.layer = layer
        self.columns = slice(number * layer.out_features, (number + 1) * layer.out_features)

    def forward(self, projected: torch.Tensor) -> torch.Tensor:
        """(n, patches + 1, w) of all layers -> (n, patches + 1, d) of this one."""
        return projected[..., self.columns]


def take_projections(transformer: Any) -> None:
    """Have a ``Blip2QFormerModel`` take what :func:`project` gives instead of vision states; changes it in place."""
    number = 0
    for block in transformer.encoder.layer:
        if block.has_cross_attention:
            attention = block.crossattention.attention
            for name in ("key", "value"):
                setattr(attention, name, Part(getattr(attention, name), number))
                number += 1


def project(transformer: nn.Module, states: torch.Tensor) -> torch.Tensor:
    """(n, patches + 1, hidden) vision states -> (n, patches + 1, w): keys and values of all layers, side by side.

    ``transformer`` was changed by :func:`take_projections`.
    """
    parts = [module for module in transformer.modules() if isinstance(module, Part)]  # in the order of their columns
    made = states.new_empty(*states.shape[:-1], parts[-1].columns.stop)
    for part in parts:  # one at a time: all at once would need twice the memory
        made[..., part.columns] = part.layer(states)
    return made


@dataclass(frozen=True)
class Matcher:
    """A matching checkpoint.

    Attributes:
        checkpoint: float32; on a GPU, the linear layers of the vision tower are :class:`~.split_linear.SplitLinear`.
            The query transformer takes projections of vision states (:func:`take_projections`).
        max_text_tokens: captions are truncated to this length, including start and end token.
        text_norm: how a caption is written before it is scored, an entry of ``TEXT_NORMS``.
    """

    checkpoint: Checkpoint
    max_text_tokens: int
    text_norm: str

    @torch.inference_mode()
    def states_of(self, pixels: torch.Tensor) -> torch.Tensor:
        """The checkpoint's pixels of n images -> (n, patches + 1, hidden) float32 states of the vision tower."""
        pixels = pixels.to(self.checkpoint.device, non_blocking=True)
        return self.checkpoint.model.vision_model(pixel_values=pixels, return_dict=True)[0]

    def image_states(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """RGB images -> their :meth:`states_of`."""
        return self.states_of(self.checkpoint.pixels(images))

    @torch.inference_mode()
    def projected(self, states: torch.Tensor) -> torch.Tensor:
        """Vision states -> (n, patches + 1, w) float32: see :func:`project`. BLIP-2's are 6.5 times its states."""
        return project(self.checkpoint.model.qformer, states)

    def image_vectors(self, states: torch.Tensor) -> torch.Tensor:
        """Vision states -> (n, queries, d) float32, unit rows: the contrastive image features."""
        return self.vectors_of(self.projected(states))

    @torch.inference_mode()
    def vectors_of(self, projected: torch.Tensor) -> torch.Tensor:
        """:meth:`image_vectors` of images whose states are :meth:`projected`."""
        model = self.checkpoint.model
        queries = model.qformer(
            query_embeds=model.query_tokens.expand(len(projected), -1, -1),
            encoder_hidden_states=projected,
            encoder_attention_mask=torch.ones(projected.shape[:-1], dtype=torch.long, device=projected.device),
            return_dict=True,
        ).last_hidden_state
        return normalize(model.vision_projection(queries), dim=-1)

    @torch.inference_mode()
    def text_vectors(self, texts: Sequence[str]) -> torch.Tensor:
        """Captions -> (n, d) float32, unit rows: the contrastive text features."""
        model = self.checkpoint.model
        ids, mask = self._tokens(texts)
        states = model.qformer(
            query_embeds=model.embeddings(input_ids=ids), query_length=0, attention_mask=mask, return_dict=True
        ).last_hidden_state
        return normalize(model.text_projection(states[:, 0, :]), dim=-1)

    def itm(self, states: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        """Vision states and n captions -> (n,) float32, logit of match minus logit of no match, mean over queries."""
        return self.itm_of(self.projected(states), texts)

    @torch.inference_mode()
    def itm_of(self, projected: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        """:meth:`itm` of images whose states are :meth:`projected`."""
        model = self.checkpoint.model
        ids, mask = self._tokens(texts)
        queries = model.query_tokens.expand(len(projected), -1, -1)
        count = queries.shape[1]
        joined = torch.cat([torch.ones((len(projected), count), dtype=mask.dtype, device=mask.device), mask], dim=1)
        found = model.qformer(
            query_embeds=model.embeddings(input_ids=ids, query_embeds=queries),
            query_length=count,
            attention_mask=joined,
            encoder_hidden_states=projected,
            encoder_attention_mask=torch.ones(projected.shape[:-1], dtype=torch.long, device=projected.device),
            return_dict=True,
        ).last_hidden_state
        logits = model.itm_head(found[:, :count, :]).mean(dim=1)
        return logits[:, 1] - logits[:, 0]

    def prepare(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vision states -> their :meth:`projected` and :meth:`image_vectors`."""
        projected = self.projected(states)
        return projected, self.vectors_of(projected)

    def scores(
        self, prepared: tuple[torch.Tensor, torch.Tensor], texts: Sequence[str]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Prepared images and n captions -> (n,) float32 :meth:`itm` and (n,) float32 :func:`itc`."""
        projected, vectors = prepared
        return self.itm_of(projected, texts), itc(vectors, self.text_vectors(texts))

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text that is scored, before truncation, including start and end token."""
        return [min(len(ids), MOST_TOKENS) for ids in self._encode(texts)["input_ids"]]

    def _tokens(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        # Positions count from the left, so padding must be on the right, regardless of the checkpoint's setting.
        encoded = self._encode(
            texts,
            padding=True,
            padding_side="right",
            truncation=True,
            max_length=self.max_text_tokens,
            return_tensors="pt",
        )
        encoded = encoded.to(self.checkpoint.device, non_blocking=True)
        return encoded["input_ids"], encoded["attention_mask"]

    def _encode(self, texts: Sequence[str], **options: object) -> BatchEncoding:
        written = [TEXT_NORMS[self.text_norm].apply(text) for text in texts]
        found: BatchEncoding = self.checkpoint.tokenizer(written, return_token_type_ids=False, verbose=False, **options)
        return found


def itc(image_vectors: torch.Tensor, text_vectors: torch.Tensor) -> torch.Tensor:
    """(n, queries, d) and (n, d) -> (n,) cosine of caption i with image i, the largest over the queries."""
    return torch.einsum("nqd,nd->nq", image_vectors, text_vectors).amax(dim=1)


def itc_table(image_vectors: torch.Tensor, text_vectors: torch.Tensor, rows: int = 256) -> torch.Tensor:
    """(m, queries, d) and (n, d) -> (n, m) cosine of every caption with every image, the largest over the queries."""
    blocks = [
        torch.einsum("mqd,nd->nmq", image_vectors, text_vectors[start : start + rows]).amax(dim=2)
        for start in range(0, len(text_vectors), rows)
    ]
    return torch.cat(blocks)


def load_matcher(folder: Path, device: str, max_text_tokens: int, text_norm: str = "blip") -> Matcher:
    """The matcher of ``folder``, in float32; on a GPU, the vision tower multiplies pairs of bfloat16 numbers.

    Only the tower is large. Rounding anything in it to bfloat16 or TF32 shifts scores too much for captions that are
    compared at a margin of 0: docs/decisions.md has figures.

    Raises:
        PipelineError: no usable checkpoint.
    """
    return as_matcher(load_matching_checkpoint(folder, device), max_text_tokens, text_norm)


def load_matching_checkpoint(folder: Path, device: str) -> Checkpoint:
    """The checkpoint of a matcher, in float32.

    Raises:
        PipelineError: no usable checkpoint.
    """
    return load_checkpoint(Blip2ForImageTextRetrieval, folder, device, torch.float32)


def as_matcher(checkpoint: Checkpoint, max_text_tokens: int, text_norm: str) -> Matcher:
    """The matcher of a checkpoint, which is changed: see :class:`Matcher`."""
    take_projections(checkpoint.model.qformer)
    split_on_gpu(checkpoint.model.vision_model, checkpoint.device.type)
    return Matcher(checkpoint, max_text_tokens, text_norm)

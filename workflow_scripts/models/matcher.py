"""How well a caption fits an image by BLIP-2: matching (ITM) and contrastive (ITC) scores.

The steps are those of ``Blip2ForImageTextRetrieval.forward``, split so that an image passes the vision tower once for
any number of captions. Source: Li et al. 2023, arXiv 2301.12597, section 3.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.nn.functional import normalize
from transformers import BatchEncoding, Blip2ForImageTextRetrieval

from workflow_scripts.models.checkpoints import Checkpoint, load_checkpoint
from workflow_scripts.models.networks.split_linear import split_on_gpu
from workflow_scripts.models.text_norms import TEXT_NORMS

MOST_TOKENS = 2**15 - 1  # token counts are stored as int16


@dataclass(frozen=True)
class Matcher:
    """A matching checkpoint.

    Attributes:
        checkpoint: float32; on a GPU, the linear layers of the vision tower are :class:`~.split_linear.SplitLinear`.
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
    def image_vectors(self, states: torch.Tensor) -> torch.Tensor:
        """Vision states -> (n, queries, d) float32, unit rows: the contrastive image features."""
        model = self.checkpoint.model
        return normalize(model.vision_projection(query_states(model, states)), dim=-1)

    @torch.inference_mode()
    def text_vectors(self, texts: Sequence[str]) -> torch.Tensor:
        """Captions -> (n, d) float32, unit rows: the contrastive text features."""
        return text_features(self.checkpoint.model, *self._tokens(texts))

    @torch.inference_mode()
    def itm(self, states: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        """Vision states and n captions -> (n,) float32, logit of match minus logit of no match, mean over queries."""
        logits = match_logits(self.checkpoint.model, states, *self._tokens(texts))
        return logits[:, 1] - logits[:, 0]

    def load(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """The checkpoint's pixels of n RGB images, on the CPU."""
        return self.checkpoint.pixels(images)

    def prepare(self, loaded: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Pixels of n images -> their states and vectors."""
        states = self.states_of(loaded)
        return states, self.image_vectors(states)

    def read(self, texts: Sequence[str]) -> tuple[Sequence[str], torch.Tensor]:
        """Captions, and their vectors."""
        return texts, self.text_vectors(texts)

    def scores(
        self, prepared: tuple[torch.Tensor, ...], read: tuple[Sequence[str], torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        """Of n images and n captions: (n,) float32 :meth:`itm` and (n,) float32 :func:`itc`."""
        (states, vectors), (texts, text_vectors) = prepared, read
        return self.itm(states, texts), itc(vectors, text_vectors)

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
        written = [TEXT_NORMS[self.text_norm](text) for text in texts]
        found: BatchEncoding = self.checkpoint.tokenizer(written, return_token_type_ids=False, verbose=False, **options)
        return found


def _ones(like: torch.Tensor) -> torch.Tensor:
    return torch.ones(like.shape[:2], dtype=torch.long, device=like.device)


def query_states(model: Any, states: torch.Tensor) -> torch.Tensor:
    """Vision states of n images -> (n, queries, hidden): what the query transformer of ``model`` reads from them."""
    queries = model.query_tokens.expand(len(states), -1, -1)
    seen = {"encoder_hidden_states": states, "encoder_attention_mask": _ones(states)}
    return model.qformer(query_embeds=queries, **seen, return_dict=True).last_hidden_state


def text_features(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(n, d) unit rows of n tokenised captions."""
    embedded = model.embeddings(input_ids=ids)
    states = model.qformer(query_embeds=embedded, query_length=0, attention_mask=mask, return_dict=True)
    return normalize(model.text_projection(states.last_hidden_state[:, 0]), dim=-1)


def match_logits(model: Any, states: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(n, 2) logits of no match and match of n tokenised captions with the states of n images, mean over queries."""
    queries = model.query_tokens.expand(len(states), -1, -1)
    count = queries.shape[1]
    found = model.qformer(
        query_embeds=model.embeddings(input_ids=ids, query_embeds=queries),
        query_length=count,
        attention_mask=torch.cat([_ones(queries), mask], dim=1),
        encoder_hidden_states=states,
        encoder_attention_mask=_ones(states),
        return_dict=True,
    ).last_hidden_state
    return model.itm_head(found[:, :count]).mean(dim=1)


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
    split_on_gpu(checkpoint.model.vision_model, checkpoint.device.type)
    return Matcher(checkpoint, max_text_tokens, text_norm)

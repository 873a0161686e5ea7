"""Captions as tokens, and the text transformer of CLIP."""

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import nn
from torch.nn.functional import gelu

PAD, START, END = 0, 1, 2
SPECIAL = ["<pad>", "<start>", "<end>"]
CHUNK = 100_000


def train_tokenizer(captions: Sequence[str], vocabulary: int) -> Tokenizer:
    """Byte-level BPE of lower-cased text, trained on ``captions``; the same captions give the same tokenizer.

    Ids 0, 1 and 2 are padding, start and end; every other id is a byte or a merge of bytes, so no text is unknown.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(captions, trainer, length=len(captions))
    # A caption that spells "<end>" is text like any other, never the end of a caption.
    tokenizer.encode_special_tokens = True
    return tokenizer


class Tokens:
    """Tokens of many captions, cut to a context length.

    Args:
        captions: the texts; row i of the result is caption i.
        tokenizer: of :func:`train_tokenizer`.
        context: longest row, start and end token among it; longer captions lose their end.
    """

    def __init__(self, captions: Sequence[str], tokenizer: Tokenizer, context: int) -> None:
        self.context, self.cut_short = context, 0
        lengths, parts = [], []
        for begin in range(0, len(captions), CHUNK):
            for encoded in tokenizer.encode_batch(list(captions[begin : begin + CHUNK])):
                self.cut_short += len(encoded.ids) > context - 2
                row = [START, *encoded.ids[: context - 2], END]
                lengths.append(len(row))
                parts.append(np.array(row, dtype=np.int32))
        self._starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self._ids = np.concatenate(parts)

    def __call__(self, positions: np.ndarray) -> torch.Tensor:
        """(b,) caption numbers -> (b, context) int64, padded."""
        rows = torch.full((len(positions), self.context), PAD, dtype=torch.long)
        for i, position in enumerate(positions.tolist()):
            ids = self._ids[self._starts[position] : self._starts[position + 1]]
            rows[i, : len(ids)] = torch.from_numpy(ids.astype(np.int64))
        return rows


def quick_gelu(values: torch.Tensor) -> torch.Tensor:
    """x sigmoid(1.702 x), CLIP's approximation of GELU (Hendrycks and Gimpel 2016, section 2)."""
    return values * torch.sigmoid(1.702 * values)


class TextTower(nn.Module):
    """Causal pre-norm transformer; the text's vector is the last layer's at the end token (Radford et al. 2021, 2.4).

    (b, context) int64 -> (b, embedding) float32.

    Args:
        original: with the activation and the initial weights of CLIP's code, instead of PyTorch's.
    """

    def __init__(
        self, vocabulary: int, context: int, width: int, layers: int, heads: int, embedding: int, original: bool = False
    ) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.empty(context, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, 0.0, quick_gelu if original else gelu, batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, embedding, bias=False)
        nn.init.normal_(self.token.weight, std=0.02)
        nn.init.normal_(self.position, std=0.01)
        nn.init.normal_(self.project.weight, std=width**-0.5)
        if original:
            self._initialise(width, layers)

    def _initialise(self, width: int, layers: int) -> None:
        residual = (2 * layers * width) ** -0.5  # of the weights whose output is added to the residual stream
        for layer in self.layers:
            nn.init.normal_(layer.get_parameter("self_attn.in_proj_weight"), std=width**-0.5)
            nn.init.normal_(layer.get_parameter("self_attn.out_proj.weight"), std=residual)
            nn.init.normal_(layer.get_parameter("linear1.weight"), std=(2 * width) ** -0.5)
            nn.init.normal_(layer.get_parameter("linear2.weight"), std=residual)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        # No padding mask: under the causal mask the end token never sees the padding behind it.
        longest = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(longest, device=tokens.device)
        values = self.token(tokens) + self.position[:longest]
        for layer in self.layers:
            values = layer(values, src_mask=mask, is_causal=True)
        end = (tokens == END).int().argmax(1)
        return self.project(self.norm(values[torch.arange(len(tokens), device=tokens.device), end]))

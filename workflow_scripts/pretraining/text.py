"""Captions as tokens, and the text transformer of CLIP."""

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import nn

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


class TextTower(nn.Module):
    """Causal pre-norm transformer; the text's vector is the last layer's at the end token (Radford et al. 2021, 2.4).

    (b, context) int64 -> (b, embedding) float32.
    """

    def __init__(self, vocabulary: int, context: int, width: int, layers: int, heads: int, embedding: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.empty(context, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, embedding, bias=False)
        nn.init.normal_(self.token.weight, std=0.02)
        nn.init.normal_(self.position, std=0.01)
        nn.init.normal_(self.project.weight, std=width**-0.5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        # No padding mask: under the causal mask the end token never sees the padding behind it.
        longest = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(longest, device=tokens.device)
        values = self.token(tokens) + self.position[:longest]
        for layer in self.layers:
            values = layer(values, src_mask=mask, is_causal=True)
        end = (tokens == END).int().argmax(1)
        return self.project(self.norm(values[torch.arange(len(tokens), device=tokens.device), end]))

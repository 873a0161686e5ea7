"""The text transformer of CLIP."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn.functional import gelu

from workflow_scripts.core.errors import PipelineError

TOWER = "text.safetensors"  # in the folder of a run
SHAPE = ("vocabulary", "end", "context", "width", "layers", "heads", "embedding", "original")
"""Arguments of a tower, which its file holds beside the weights."""


def quick_gelu(values: torch.Tensor) -> torch.Tensor:
    """x sigmoid(1.702 x), CLIP's approximation of GELU (Hendrycks and Gimpel 2016, section 2)."""
    return values * torch.sigmoid(1.702 * values)


class TextTower(nn.Module):
    """Causal pre-norm transformer; the text's vector is the last layer's at the end token (Radford et al. 2021, 2.4).

    (b, n) int64, n at most ``context`` -> (b, embedding) float32. What follows the end token changes nothing, so rows
    may be padded with any id, to any length.

    Args:
        end: id of the end token, which occurs in each row.
        original: with the activation and the initial weights of CLIP's code, instead of PyTorch's.
    """

    def __init__(
        self,
        vocabulary: int,
        end: int,
        context: int,
        width: int,
        layers: int,
        heads: int,
        embedding: int,
        original: bool = False,
    ) -> None:
        super().__init__()
        self.end, shape = end, (vocabulary, end, context, width, layers, heads, embedding, original)
        self.shape = dict(zip(SHAPE, shape, strict=True))
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
        # No padding mask: under the causal mask the end token never sees what is behind it. The padding may be the end
        # token itself; argmax finds the first.
        longest = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(longest, device=tokens.device)
        values = self.token(tokens) + self.position[:longest]
        for layer in self.layers:
            values = layer(values, src_mask=mask, is_causal=True)
        end = (tokens == self.end).int().argmax(1)
        return self.project(self.norm(values[torch.arange(len(tokens), device=tokens.device), end]))


def load_tower(path: Path) -> TextTower:
    """The tower in a safetensors file whose header holds its :attr:`TextTower.shape` as JSON.

    Raises:
        PipelineError: the file is damaged, or holds something else.
    """
    try:
        with safe_open(path, "pt") as file:
            tower = TextTower(**json.loads(file.metadata()["shape"]))
            tower.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - no mapping
    except (SafetensorError, RuntimeError, KeyError, ValueError, TypeError) as error:
        value = str(error).splitlines()[0]
        raise PipelineError("unreadable text tower", path, value, "delete the run's artifact and run again") from None
    return tower

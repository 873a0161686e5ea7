"""Vectors of captions by the text tower of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from workflow_scripts.models.text.caption_tokenizer import CaptionTokenizer, read_tokenizer
from workflow_scripts.models.text.tower import TextTower, load_tower


@dataclass(frozen=True)
class RunText:
    """A text tower with the tokenizer that it was trained with."""

    tower: TextTower
    tokenizer: CaptionTokenizer
    device: str

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are read, including start and end token."""
        return len(self.tower.position)

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str], batch: int) -> np.ndarray:
        """n texts, a batch of them -> (n, d) float32."""
        rows, _ = self.tokenizer.rows(texts, self.max_tokens)
        longest = max(map(len, rows))
        padded = [[*row, *[self.tokenizer.special.padding] * (longest - len(row))] for row in rows]
        vectors: np.ndarray = self.tower(torch.tensor(padded, device=self.device)).float().cpu().numpy()
        return vectors

    def truncated(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) bool, whether only the beginning of a text is read."""
        return np.array([len(ids) > self.max_tokens - 2 for ids in self.tokenizer.ids(texts)], bool)


def run_text(weights: Path, tokenizer: tuple[Path, Path], device: str) -> RunText:
    """The text tower of ``weights`` (``text.safetensors`` of a run).

    Raises:
        PipelineError: a file is damaged.
    """
    return RunText(load_tower(weights).to(device).eval(), read_tokenizer(*tokenizer), device)

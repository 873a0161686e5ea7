"""A table of scores from elsewhere, such as PAC-S: a parquet or CSV file with columns image, caption and score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.core.settings import Settings
from workflow_scripts.models.judge import Judge, Scorer

if TYPE_CHECKING:
    from torch import Tensor


LARGEST = 3.4e38
"""No score may be larger: scores are stored as float32."""


@dataclass(frozen=True)
class _Scores:
    """Known scores.

    Attributes:
        images: key -> number of the image.
        known: (number of the image, caption) -> score.
    """

    images: Mapping[str, int]
    known: Mapping[tuple[int, str], float]

    def load(self, keys: Sequence[str]) -> list[int]:
        return [self.images.get(key, -1) for key in keys]

    def prepare(self, loaded: list[int]) -> "tuple[Tensor, ...]":
        import torch

        return (torch.tensor(loaded),)

    def read(self, texts: Sequence[str]) -> Sequence[str]:
        return texts

    def scores(self, prepared: "tuple[Tensor, ...]", read: Sequence[str]) -> "tuple[Tensor, ...]":
        import torch

        pairs = zip(prepared[0].tolist(), read, strict=True)
        return (torch.tensor([self.known.get(pair, float("nan")) for pair in pairs], dtype=torch.float32),)


def load(sources: Mapping[str, Path], device: str, settings: Settings) -> Scorer:
    """The whole table.

    Raises:
        PipelineError: it can't be read, a row is incomplete, or a pair has two scores.
    """
    import pyarrow as pa

    from workflow_scripts.core.files.foreign import readable, table_batches

    path, images, known, row = sources["table"], dict[str, int](), dict[tuple[int, str], float](), 0
    kinds = {"image": pa.string(), "caption": pa.string(), "score": pa.float64()}
    with readable("unreadable scores", path, "give a parquet or CSV file with columns image, caption and score"):
        for batch in table_batches(path, kinds):
            for image, caption, score in zip(*(batch[name].to_pylist() for name in kinds), strict=True):
                row += 1
                if image is None or caption is None or score is None or not abs(score) <= LARGEST:
                    raise ValueError(f"row {row} lacks an image, a caption or a finite score")
                if known.setdefault((images.setdefault(image, len(images)), caption), score) != score:
                    raise ValueError(f"row {row} has another score than an earlier row of the same image and caption")
    return _Scores(images, known)


JUDGE = Judge(
    name="table",
    summary="scores from elsewhere, read from a table; pairs of image and caption that it lacks have none",
    needs=("table",),
    by_key=True,
    scores=("score",),
    load=load,
)

"""CLIP (Radford et al. 2021, ICML): cosine of image and caption."""

from collections.abc import Mapping
from pathlib import Path

from workflow_scripts.core.settings import Settings
from workflow_scripts.models.judge import Judge, Scorer


def load(sources: Mapping[str, Path], device: str, settings: Settings, padding: bool | str = True) -> Scorer:
    """The two towers.

    Args:
        padding: as of a tokenizer of transformers; True: captions of a batch are padded to its longest one.

    Raises:
        PipelineError: no such model.
    """
    from workflow_scripts.models.vector_scorer import two_towers

    return two_towers(sources["model"], device, padding=padding)


JUDGE = Judge(
    name="clip",
    summary="cosine of image and caption by CLIP, or another contrastive model that transformers' AutoModel loads",
    needs=("model",),
    scores=("cosine",),
    load=load,
)

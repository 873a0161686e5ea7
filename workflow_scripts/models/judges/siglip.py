"""SigLIP (Zhai et al. 2023, ICCV): cosine of image and caption, trained with a sigmoid loss per pair."""

from collections.abc import Mapping
from pathlib import Path

from workflow_scripts.core.settings import Settings
from workflow_scripts.models.judge import Judge, Scorer


def load(sources: Mapping[str, Path], device: str, settings: Settings) -> Scorer:
    """All captions are padded to the full length, as in training; the text tower reads the last position.

    Raises:
        PipelineError: no such model.
    """
    from workflow_scripts.models.vector_scorer import two_towers

    return two_towers(sources["model"], device, padding="max_length")


JUDGE = Judge(
    name="siglip",
    summary="cosine of image and caption by SigLIP",
    needs=("model",),
    scores=("cosine",),
    load=load,
)

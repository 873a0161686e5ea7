"""Agreement of two captions of an image: cosine of their vectors in the space of a sentence encoder.

It sees no image: a caption of another arm stands for it. Two captions can agree and both be wrong.
"""

from collections.abc import Mapping
from pathlib import Path

from workflow_scripts.core.settings import Settings
from workflow_scripts.models.judge import Judge, Scorer


def load(sources: Mapping[str, Path], device: str, settings: Settings) -> Scorer:
    """The sentence encoder, which reads both captions.

    Raises:
        PipelineError: no such model.
    """
    from workflow_scripts.models.sentence_encoder import unit_vectors
    from workflow_scripts.models.vector_scorer import VectorScorer

    encode = unit_vectors(sources["text"], device)
    return VectorScorer(lambda captions: captions, encode, encode)


JUDGE = Judge(
    name="agreement",
    summary="cosine of a caption and the caption that a reference arm has for the image, by a sentence encoder",
    needs=("text",),
    own_model=False,
    by_reference=True,
    scores=("cosine",),
    load=load,
)

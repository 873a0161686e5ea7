"""Similarity of a caption and the labels of an image classifier, in the space of a sentence encoder.

An image is the mean of the vectors of all labels ("a photo of a beagle"), weighted by the softmax of the classifier's
logits at a high temperature. As raw scores prefer some wordings whatever the image shows, compare centred ones.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from workflow_scripts.models.classifiers import CLASSIFIERS, WithClassifier
from workflow_scripts.models.judge import Judge, Scorer

if TYPE_CHECKING:
    from torch import Tensor

    from workflow_scripts.models.classifiers import Loaded


class TextLabel(WithClassifier):
    """How labels are found and worded."""

    temperature: float = Field(3.0, gt=0, examples=[1.0])
    """Softmax temperature of the weights of labels."""
    prompt: str = Field("a photo of a {}", pattern=r"\{\}", examples=["a picture of {}"])
    """Sentence that a label is put into."""


def load(sources: Mapping[str, Path], device: str, settings: TextLabel) -> Scorer:
    """The classifier, and the vectors of its labels.

    Raises:
        PipelineError: no such models.
    """
    from workflow_scripts.models.sentence_encoder import unit_vectors
    from workflow_scripts.models.vector_scorer import VectorScorer

    classifier = CLASSIFIERS[settings.classifier](sources["model"], device)
    texts = unit_vectors(sources["text"], device)
    labels = texts([settings.prompt.replace("{}", label) for label in classifier.labels])

    def images(loaded: "Loaded") -> "Tensor":
        return (classifier.logits(loaded) / settings.temperature).softmax(dim=-1) @ labels

    return VectorScorer(classifier.load, images, texts)


JUDGE = Judge(
    name="text_label",
    summary="similarity of a caption and the labels that an image classifier gives",
    settings=TextLabel,
    needs=("model", "text"),
    scores=("similarity",),
    load=load,
)

"""Ridge regression from the features of an image classifier to the vectors of captions, fitted to captioned photos.

An image is the vector that is predicted for it. As raw scores prefer some wordings whatever the image shows, compare
centred ones.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from workflow_scripts.models.classifiers import CLASSIFIERS, WithClassifier
from workflow_scripts.models.judge import Judge, Scorer

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from workflow_scripts.models.classifiers import Loaded


class Ridge(WithClassifier):
    """How the regression is fitted."""

    folds: int = Field(5, ge=2, le=20, examples=[10])
    """Number of parts of the photos. For each part, a regression is fitted to the others and scores its photos; other
    images are scored by the mean of all predictions."""


def load(sources: Mapping[str, Path], device: str, settings: Ridge) -> Scorer:
    """The classifier, the sentence encoder and the regressions, fitted to all captioned photos.

    Raises:
        PipelineError: no such models; or the photos are too few, or can't be read.
    """
    import numpy as np
    import torch

    from workflow_scripts.models.cross_fit import captioned_photos, cross_fit, pixel_hash
    from workflow_scripts.models.sentence_encoder import unit_vectors
    from workflow_scripts.models.vector_scorer import VectorScorer

    classifier = CLASSIFIERS[settings.classifier](sources["model"], device)
    texts = unit_vectors(sources["text"], device)
    photos = captioned_photos(sources["photos"], lambda some: classifier.features(classifier.load(some)), texts)
    fitted = cross_fit(photos, settings.folds)
    features_of = dict(zip(photos.hashes, photos.features, strict=True))

    def load(pictures: "Sequence[Image.Image]") -> "tuple[Loaded | None, list[str]]":
        hashes = [pixel_hash(picture) for picture in pictures]
        others = [picture for picture, name in zip(pictures, hashes, strict=True) if name not in features_of]
        return classifier.load(others) if others else None, hashes

    def images(loaded: "tuple[Loaded | None, list[str]]") -> "Tensor":
        inputs, hashes = loaded
        computed = iter(() if inputs is None else classifier.features(inputs).cpu().numpy())
        features = np.stack([features_of[name] if name in features_of else next(computed) for name in hashes])
        return torch.from_numpy(fitted.predict(features, hashes)).to(device)

    return VectorScorer(load, images, texts)


JUDGE = Judge(
    name="ridge",
    summary="similarity of a caption and the vector that ridge regression on captioned photos predicts for the image",
    settings=Ridge,
    needs=("model", "text", "photos"),
    scores=("similarity",),
    load=load,
)

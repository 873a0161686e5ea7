"""Settings of a method that follow from its captions, determined once, before the training."""

from workflow_scripts.pretraining.data.caption_vectors import CaptionVectors
from workflow_scripts.pretraining.data.loader import Order
from workflow_scripts.pretraining.settings import METHODS, Pretrain

SAMPLED = 8  # batches: the run's first ones


def calibrated(settings: Pretrain, vectors: CaptionVectors | None) -> tuple[Pretrain, dict[str, float]]:
    """The settings to train with, and what ``run.json`` says of those that follow from captions.

    Args:
        settings: of the run.
        vectors: of the captions of the images that are trained on.

    Raises:
        PipelineError: the method finds none, or there are fewer images than a batch takes.
    """
    objective = METHODS[settings.method].objective
    if objective is None or objective.calibrate is None or vectors is None:
        return settings, {}
    order = Order(len(vectors.rows), settings.batch_size, settings.seed)
    sample = [vectors[order.positions(step)] for step in range(1, SAMPLED + 1)]
    head, facts = objective.calibrate(settings.head, sample)
    return settings.model_copy(update={settings.method: head}), facts

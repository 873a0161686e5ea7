"""Settings of a method that follow from its captions, determined once, before the training."""

from dataclasses import replace

from workflow_scripts.pretraining.plan import Plan
from workflow_scripts.pretraining.settings import METHODS

SAMPLED = 8  # batches: the run's first ones


def calibrated(plan: Plan) -> tuple[Plan, dict[str, float]]:
    """The run with the settings to train with, and what ``run.json`` says of those that follow from captions.

    Raises:
        PipelineError: the method finds none, or there are fewer images than a batch takes.
    """
    settings, vectors = plan.settings, plan.vectors
    objective = METHODS[settings.method].objective
    if objective is None or objective.calibrate is None or vectors is None:
        return plan, {}
    sample = [vectors[plan.order.positions(step)] for step in range(1, SAMPLED + 1)]
    head, facts = objective.calibrate(settings.head, sample)
    return replace(plan, settings=settings.model_copy(update={settings.method: head})), facts

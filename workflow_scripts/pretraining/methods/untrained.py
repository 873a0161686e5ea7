"""The untrained network: initial weights, the baseline of every evaluation."""

from workflow_scripts.pretraining.method import Method

METHOD = Method(
    name="untrained",
    summary="a network at its initial weights, the baseline",
    objective=None,
    pairs=("none",),
    views=(),
    passes=0,
)

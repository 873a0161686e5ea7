"""The first sentence of the captions of another arm."""

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, OfBase, Rows


def select(inputs: ArmInputs, settings: OfBase) -> Rows:
    """The base rows, each with the first sentence of its caption."""
    from workflow_scripts.captions.arm_rows import cut
    from workflow_scripts.captions.cuts import sentences

    base = inputs.arms[settings.base]
    return cut(base, [next(iter(sentences(text)), "") for text in base["caption"].to_pylist()])


ARM_KIND = ArmKind(
    name="first_sentence",
    summary="the first sentence of a caption",
    settings=OfBase,
    arms=("base",),
    select=select,
    columns=(),
    row_wise=True,
)

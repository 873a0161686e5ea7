"""The captions of another arm, cut to as many words as the original captions have."""

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, OfBase, Rows


def select(inputs: ArmInputs, settings: OfBase) -> Rows:
    """The base rows, each with at most as many words of its caption as the image's original caption has."""
    from workflow_scripts.captions.arm_rows import cut
    from workflow_scripts.captions.cuts import WORD, first_words

    base = inputs.arms[settings.base]
    counts = (len(WORD.findall(text)) for text in inputs.table["original"].to_pylist())
    return cut(base, list(map(first_words, base["caption"].to_pylist(), counts)))


ARM_KIND = ArmKind(
    name="length_matched",
    summary="a caption cut to the number of words of the original caption",
    settings=OfBase,
    arms=("base",),
    select=select,
    columns=("original",),
    row_wise=True,
)

"""A random sentence of the captions of another arm."""

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, OfBase, Rows, Seeded


class RandomSentence(Seeded, OfBase):
    """Which arm, and the seed."""


def select(inputs: ArmInputs, settings: RandomSentence) -> Rows:
    """The base rows, each with one sentence of its caption, drawn by the image's key."""
    from workflow_scripts.captions.arm_rows import cut
    from workflow_scripts.captions.cuts import sentences
    from workflow_scripts.stats.seeds import derive

    def drawn(key: str, text: str) -> str:
        found = sentences(text)
        return found[derive(settings.seed, "sentence", key) % len(found)] if found else ""

    base = inputs.arms[settings.base]
    return cut(base, list(map(drawn, base["key"].to_pylist(), base["caption"].to_pylist())))


ARM_KIND = ArmKind(
    name="random_sentence",
    summary="a random sentence of a caption",
    settings=RandomSentence,
    arms=("base",),
    select=select,
    columns=(),
    row_wise=True,
)

"""Random partners with the same ground-truth label: what perfect captions of that label could achieve."""

from workflow_scripts.pairs.pair_kind import PairInputs, PairKind, Pairs, PartnerSettings


def find(inputs: PairInputs, settings: PartnerSettings) -> Pairs:
    """Random other images of the scope with the same label, all equally likely."""
    from workflow_scripts.pairs.table import drawn

    assert inputs.label is not None
    return drawn(inputs, settings, inputs.label)


PAIR_KIND = PairKind(
    name="oracle",
    summary="random other images with the same ground-truth label (control)",
    needs_labels=True,
    find=find,
)

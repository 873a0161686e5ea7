"""Random partners posted on the same day: a control by metadata. With the scope ``subreddit``, it needs no caption."""

from dataclasses import replace

from workflow_scripts.pairs.pair_kind import PairInputs, PairKind, Pairs, PartnerSettings


def find(inputs: PairInputs, settings: PartnerSettings) -> Pairs:
    """Random other images of the scope posted on the same day, all equally likely."""
    from workflow_scripts.pairs.table import drawn

    assert inputs.day is not None
    pairs = drawn(inputs, settings, inputs.day)
    unknown = pairs.without["no_label"]
    return replace(pairs, without={**pairs.without, "no_label": 0, "no_date": unknown})


PAIR_KIND = PairKind(
    name="same_day",
    summary="random other images that were posted on the same day (control)",
    needs_days=True,
    find=find,
)

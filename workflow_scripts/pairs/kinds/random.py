"""Random partners: a negative control. With the scope ``subreddit``, it has the information of subreddits alone."""

from workflow_scripts.pairs.pair_kind import PairInputs, PairKind, Pairs, PartnerSettings


def find(inputs: PairInputs, settings: PartnerSettings) -> Pairs:
    """Random other images of the scope, all equally likely."""
    import numpy as np

    from workflow_scripts.pairs.table import drawn

    return drawn(inputs, settings, np.zeros(len(inputs.keys), dtype=np.int64))


PAIR_KIND = PairKind(name="random", summary="random other images (control)", find=find)

"""Random partners among images with the same code."""

import numpy as np

from workflow_scripts.pairs.pair_kind import PairInputs, PartnerSettings
from workflow_scripts.pairs.pools import pools_of
from workflow_scripts.pairs.search.exact import exact
from workflow_scripts.pairs.table import Pairs, by_scope, without_pair
from workflow_scripts.pairs.ties import chosen, identities


def drawn(inputs: PairInputs, settings: PartnerSettings, codes: np.ndarray) -> Pairs:
    """For each of n images, random others of its scope with its code, drawn by a seeded hash of both keys.

    Args:
        inputs: the images; their vectors give the cosines of the pairs.
        settings: partners per image, scope and seed.
        codes: (n,) int64; images with a negative one form no pairs.
    """
    ids = identities(inputs.keys["key"], settings.seed)

    def within(rows: np.ndarray) -> Pairs:
        target = chosen(pools_of(codes[rows]), ids[rows], settings.k)
        unlabelled = int((codes[rows] < 0).sum())
        without = {"no_label": unlabelled, "alone_in_scope": without_pair(target) - unlabelled}
        return Pairs(target, exact(inputs.vectors, rows, rows[target], inputs.workers), without)

    return by_scope(inputs.vectors, inputs.keys, settings.scope, settings.k, within)

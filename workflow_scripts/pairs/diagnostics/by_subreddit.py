"""Diagnostics of pairs by the subreddit of their source."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.pairs.key_join import PairRows


def by_subreddit(pairs: PairRows, names: pa.ChunkedArray, image: np.ndarray | None) -> pa.Table:
    """A row for each subreddit that has pairs, the largest first.

    Args:
        pairs: the pair table.
        names: (n,) subreddits of the images.
        image: (m,) image cosines of the pairs, if known.

    Returns:
        subreddit; sources, pairs (int64); same_subreddit, image_cosine (float64, means over pairs); effective_targets
        (float64): 2 to the power of the entropy of the targets of its pairs.
    """
    coded = pc.dictionary_encode(names.combine_chunks())
    code = coded.indices.to_numpy().astype(np.int64)
    own, total = code[pairs.source], len(coded.dictionary)
    count = np.bincount(own, minlength=total)
    shown = np.argsort(-count, kind="stable")[: int((count > 0).sum())]
    each, uses = np.unique(own * pairs.count + pairs.target, return_counts=True)
    share = uses / count[each // pairs.count]
    entropy = -np.bincount(each // pairs.count, share * np.log2(share), minlength=total)
    same = np.bincount(own, own == code[pairs.target], minlength=total)

    def mean(sums: np.ndarray) -> pa.Array:
        return pa.array(sums[shown] / count[shown])

    return pa.table(
        {
            "subreddit": coded.dictionary.take(pa.array(shown)),
            "sources": pa.array(np.bincount(code[pairs.sources], minlength=total)[shown]),
            "pairs": pa.array(count[shown]),
            "same_subreddit": mean(same),
            "image_cosine": pa.nulls(len(shown), pa.float64())
            if image is None
            else mean(np.bincount(own, image, minlength=total)),
            "effective_targets": pa.array(2.0 ** np.abs(entropy[shown])),
        }
    )

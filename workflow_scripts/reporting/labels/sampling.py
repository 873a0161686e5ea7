"""Which images a label sheet shows: evenly from quintiles of the score difference, and from subreddits within them."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from workflow_scripts.stats.seeds import derive

QUINTILES = 5


def stratified(gain: np.ndarray, groups: Sequence[str], images: int, seed: int) -> list[int]:
    """Rows in random order, drawn without replacement.

    Quintiles take turns, and within a quintile the groups take turns in random order, so that a group gives its second
    image only after every other group gave its first. Rare and common groups are therefore drawn alike: the sample does
    not have the data's proportions.

    Args:
        gain: (n,) float, the difference of scores; rows where it is not finite are never drawn.
        groups: (n,) the subreddit of each row.
        images: number of rows; all that have a finite gain if there are fewer.
    """
    finite = np.flatnonzero(np.isfinite(gain))
    rng = np.random.default_rng(derive(seed, "labels", "images"))
    order = rng.permutation(finite)
    ranked = order[np.argsort(gain[order], kind="stable")]  # ties in random order
    queues = [_by_turns(rng.permutation(part).tolist(), groups) for part in np.array_split(ranked, QUINTILES)]
    drawn = [row for turn in range(max(map(len, queues))) for queue in queues for row in queue[turn : turn + 1]]
    return [int(row) for row in rng.permutation(drawn[:images])]


def _by_turns(rows: Sequence[int], groups: Sequence[str]) -> list[int]:
    """``rows`` with the first of each group, then the second of each, and so on."""
    seen: defaultdict[str, int] = defaultdict(int)
    turns: list[tuple[int, int, int]] = []
    for row in rows:
        turns.append((seen[groups[row]], len(turns), row))
        seen[groups[row]] += 1
    return [row for _, _, row in sorted(turns)]

"""False negatives of a batch and effective targets: closed forms, and batches that are drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.pairs.diagnostics.collisions import effective_targets, false_negatives
from workflow_scripts.pairs.key_join import PairRows


def rows(source: list[int], target: list[int], count: int) -> PairRows:
    return PairRows(np.array(source, np.int64), np.array(target, np.int64), np.ones(len(source), np.float32), count)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_pair_of_sources_counted_by_hand(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 8))
    drawn_sets = [data.draw(st.sets(st.integers(0, count - 1), max_size=3)) for _ in range(count)]
    partners = [targets - {source} for source, targets in enumerate(drawn_sets)]
    caption = np.array(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)))
    pairs = rows([s for s, ts in enumerate(partners) for _ in ts], [t for ts in partners for t in sorted(ts)], count)
    batch, sources = data.draw(st.integers(2, 10)), [s for s, ts in enumerate(partners) if ts]
    got = false_negatives(pairs, caption, batch)
    if len(sources) < 2:
        assert got["shared_targets"] is None
        return
    couples = [(a, b) for i, a in enumerate(sources) for b in sources[:i]]
    shared = [len(partners[a] & partners[b]) / (len(partners[a]) * len(partners[b])) for a, b in couples]
    equal = [float(caption[a] == caption[b]) for a, b in couples]
    either = [max(e, s) for e, s in zip(equal, shared, strict=True)]
    size = min(batch, len(sources))
    drawn = size * (size - 1) / 2
    assert got["batch"] == size
    assert got["shared_targets"] == pytest.approx(drawn * np.mean(shared), abs=1e-9)
    assert got["equal_captions"] == pytest.approx(drawn * np.mean(equal), abs=1e-9)
    assert got["either"] == pytest.approx(drawn * np.mean(either), abs=1e-9)


def test_a_hub_fills_the_batch() -> None:
    hub = rows(list(range(1, 101)), [0] * 100, 101)
    got = false_negatives(hub, None, 20)
    assert got["shared_targets"] == pytest.approx(20 * 19 / 2)
    assert got["equal_captions"] is got["either"] is None
    assert effective_targets(hub) == {"entropy_bits": 0.0, "effective_targets": 1.0}


def test_drawn_batches_agree() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 30, 200)
    pairs = rows(list(range(30, 230)), target.tolist(), 230)
    hits = []
    for _ in range(2000):
        batch = rng.choice(200, 16, replace=False)
        hits.append(sum(target[a] == target[b] for i, a in enumerate(batch) for b in batch[:i]))
    expected = false_negatives(pairs, None, 16)["shared_targets"]
    assert np.mean(hits) == pytest.approx(expected, abs=5 * np.std(hits) / 2000**0.5)


def test_effective_targets_of_even_use() -> None:
    got = effective_targets(rows([0, 1, 2, 3], [1, 0, 3, 2], 4))
    assert got == {"entropy_bits": pytest.approx(2.0), "effective_targets": pytest.approx(4.0)}
    # With two partners, each is half of the source's choice: shares of 3/4 and 1/4.
    got = effective_targets(rows([0, 0, 3], [1, 2, 1], 4))
    assert got["entropy_bits"] == pytest.approx(0.75 * np.log2(4 / 3) + 0.25 * np.log2(4))
    assert effective_targets(rows([], [], 4)) == {"entropy_bits": None, "effective_targets": None}

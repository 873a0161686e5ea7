"""Pair figures against definitions written out."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.pairs.diagnostics import quality
from workflow_scripts.pairs.diagnostics.quality import by_subreddit, effective_targets, negatives
from workflow_scripts.pairs.key_join import ImageVectors, PairRows

PAIRS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] != p[1]), unique=True, min_size=1
)


def rows(pairs: list[tuple[int, int]], count: int = 10) -> PairRows:
    table = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return PairRows(table[:, 0], table[:, 1], np.ones(len(table), np.float32), count)


@given(PAIRS)
def test_hubness_and_reciprocity_by_definition(pairs: list[tuple[int, int]]) -> None:
    table = rows(pairs)
    unfit = set(range(10)) - {image for pair in pairs for image in pair}
    unfit = set(sorted(unfit)[:2])  # two that are in no pair may have no caption
    chosen = np.array([sum(t == i for _, t in pairs) for i in range(10) if i not in unfit], dtype=float)
    got = quality.hubness(table, 10 - len(unfit))
    assert got["max"] == chosen.max()
    assert got["never_share"] == (chosen == 0).mean()
    differences = np.abs(chosen[:, None] - chosen[None, :]).mean()
    assert got["gini"] == pytest.approx(differences / (2 * chosen.mean()))
    spread = chosen.std()
    expected = ((chosen - chosen.mean()) ** 3).mean() / spread**3 if spread else 0.0
    assert got["skewness"] == pytest.approx(expected, abs=1e-9)
    assert quality.reciprocal(table).tolist() == [(t, s) in pairs for s, t in sorted(pairs)]


def test_targets_chosen_equally_often_are_not_skewed() -> None:
    even = quality.hubness(rows([(image, (image + 1) % 10) for image in range(10)]), 10)
    assert even == {"skewness": 0.0, "max": 1, "gini": 0.0, "never_share": 0.0}


def test_chance_is_the_share_among_all_other_images() -> None:
    codes = np.array([0, 0, 0, 1, 1, 2])
    sources = np.array([0, 3, 5])
    expected = np.mean([np.mean([codes[i] == codes[j] for j in range(6) if j != i]) for i in sources])
    assert quality.chance(codes, sources) == pytest.approx(expected)
    assert quality.chance(np.array([0]), np.array([0])) is None


def test_shares_count_sources_rather_than_pairs() -> None:
    table = rows([(0, 1), (0, 2), (0, 3), (1, 0)])
    got = quality.share(np.array([True, True, False, True]), table)
    assert got["value"] == 0.75
    assert got["n"] == 2


def test_random_targets_are_never_the_source_and_reach_everyone() -> None:
    source = np.repeat(np.arange(5), 400)
    table = PairRows(source, source, np.ones(2000, np.float32), 5)
    target = quality.random_targets(table, 0)
    assert (target != source).all()
    counts = np.array([np.bincount(target[source == i], minlength=5) for i in range(5)])
    assert ((counts > 60) == ~np.eye(5, dtype=bool)).all()
    one = np.repeat([0, 1], 20)
    of_two = quality.random_targets(PairRows(one, 1 - one, np.ones(40, np.float32), 2), 0)
    assert np.array_equal(of_two, 1 - one)


def test_random_images_of_the_same_subreddit() -> None:
    subreddit = np.array([7, 2, 7, 2, 7, 9])
    source = np.repeat(np.arange(6), 300)
    target = quality.random_in_subreddit(PairRows(source, source, np.ones(1800, np.float32), 6), subreddit, 0)
    assert (target[source == 5] == -1).all()
    counts = np.array([np.bincount(target[source == i], minlength=6) for i in range(5)])
    allowed = (subreddit[:5, None] == subreddit[None, :]) & ~np.eye(6, dtype=bool)[:5]
    assert ((counts > 100) == allowed).all()
    assert (counts[~allowed] == 0).all()


def test_cosines_do_not_depend_on_the_block_size() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    one, other = np.arange(20), np.arange(20)[::-1]
    expected = (vectors[one] * vectors[other]).sum(axis=1)
    assert np.allclose(quality.cosines(vectors, one, other, block=7), expected, atol=1e-6)
    assert len(quality.cosines(vectors, one[:0], other[:0])) == 0
    assert len(quality.cosines(vectors[:0], one[:0], other[:0])) == 0


class Watched:
    """Vectors in a file, which notes what is read."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors, self.parts, self.rows = vectors, [], []  # type: ignore[var-annotated]

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        (self.parts if isinstance(rows, slice) else self.rows).append(rows)
        return self.vectors[rows]


@pytest.mark.parametrize("held", [1, 7 * 24, 20 * 24, 1 << 20])
def test_a_file_of_vectors_is_read_in_its_order(held: int) -> None:
    rng = np.random.default_rng(1)
    vectors, (one, other) = rng.normal(size=(20, 6)).astype(np.float32), rng.integers(0, 20, (2, 300))
    file = Watched(vectors)
    found = quality.cosines(file, one, other, block=50, held=held)  # type: ignore[arg-type]
    assert np.allclose(found, (vectors[one] * vectors[other]).sum(axis=1), atol=1e-6)
    starts, rows = [part.start for part in file.parts[1:]], np.concatenate(file.rows)
    assert starts == sorted(starts) and set(starts) <= set(range(0, 20, max(1, held // 24)))
    assert (np.diff(rows) < 0).sum() <= len(starts) - 1, "once through the file for each part"


def test_pairs_without_a_target_have_no_cosine() -> None:
    known = ImageVectors(np.eye(3, dtype=np.float32)[[0, 0, 1]], np.arange(3))
    first, second = quality._cosines(known, np.array([1, 2]), [np.array([0, 0]), np.array([1, -1])])
    assert first.tolist() == [1, 0] and second[0] == 1 and np.isnan(second[1])


def test_image_similarity_is_paired_by_source() -> None:
    table = rows([(0, 1), (0, 2), (1, 0)])
    got = quality.image_similarity(table, np.array([1.0, 0.5, 0.2]), np.array([0.0, 0.0, 0.1]))
    assert got["pairs"]["value"] == pytest.approx((0.75 + 0.2) / 2)
    assert got["difference"]["value"] == pytest.approx((0.75 + 0.1) / 2)
    assert got["difference"]["n"] == 2


def test_no_pairs_give_no_figures() -> None:
    none = rows([])
    assert quality.hubness(none, 10)["max"] is None
    assert quality.share(np.zeros(0, bool), none)["value"] is None
    assert quality.chance(np.array([0, 1]), np.zeros(0, np.int64)) is None
    assert len(by_subreddit(none, pa.chunked_array([["a"] * 10]), None)) == 0


def ones(source: list[int], target: list[int], count: int) -> PairRows:
    return PairRows(np.array(source, np.int64), np.array(target, np.int64), np.ones(len(source), np.float32), count)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_pair_of_sources_counted_by_hand(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 8))
    drawn_sets = [data.draw(st.sets(st.integers(0, count - 1), max_size=3)) for _ in range(count)]
    partners = [targets - {source} for source, targets in enumerate(drawn_sets)]
    caption = np.array(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)))
    pairs = ones([s for s, ts in enumerate(partners) for _ in ts], [t for ts in partners for t in sorted(ts)], count)
    batch, sources = data.draw(st.integers(2, 10)), [s for s, ts in enumerate(partners) if ts]
    label = np.array(data.draw(st.lists(st.integers(-1, 1), min_size=count, max_size=count)))
    got = negatives(pairs, caption, batch, label)
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
    known = [label[a] == label[b] for a, b in couples if min(label[a], label[b]) >= 0]
    assert got["same_label"] == (pytest.approx(drawn * np.mean(known), abs=1e-9) if known else None)


def test_negatives_of_a_hub_in_closed_form() -> None:
    hub = ones(list(range(1, 101)), [0] * 100, 101)
    got = negatives(hub, None, 20)
    assert got["shared_targets"] == pytest.approx(20 * 19 / 2)
    assert got["equal_captions"] is got["either"] is None
    assert effective_targets(hub) == {"entropy_bits": 0.0, "effective_targets": 1.0}


def test_drawn_batches_agree() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 30, 200)
    pairs = ones(list(range(30, 230)), target.tolist(), 230)
    hits = []
    for _ in range(2000):
        batch = rng.choice(200, 16, replace=False)
        hits.append(sum(target[a] == target[b] for i, a in enumerate(batch) for b in batch[:i]))
    expected = negatives(pairs, None, 16)["shared_targets"]
    assert np.mean(hits) == pytest.approx(expected, abs=5 * np.std(hits) / 2000**0.5)


def test_effective_targets_in_closed_form() -> None:
    got = effective_targets(ones([0, 1, 2, 3], [1, 0, 3, 2], 4))
    assert got == {"entropy_bits": pytest.approx(2.0), "effective_targets": pytest.approx(4.0)}
    # With two partners, each is half of the source's choice: shares of 3/4 and 1/4.
    got = effective_targets(ones([0, 0, 3], [1, 2, 1], 4))
    assert got["entropy_bits"] == pytest.approx(0.75 * np.log2(4 / 3) + 0.25 * np.log2(4))
    assert effective_targets(ones([], [], 4)) == {"entropy_bits": None, "effective_targets": None}


def test_diagnostics_use_only_the_pairs_of_each_subreddit() -> None:
    rng = np.random.default_rng(0)
    names = pa.chunked_array([["dogs"] * 30, ["cats"] * 50, ["none"] * 5])
    subreddit = np.array(names.to_pylist())
    source = np.repeat(np.arange(80), 2)
    target = (source + 1 + np.tile([0, 1], 80) + rng.integers(0, 3, 160) * 2) % 85
    pairs, image = PairRows(source, target, np.ones(160, np.float32), 85), rng.random(160)
    rows = by_subreddit(pairs, names, image).to_pylist()
    assert [row["subreddit"] for row in rows] == ["cats", "dogs"]
    for row in rows:
        own = subreddit[source] == row["subreddit"]
        alone = PairRows(source[own], target[own], pairs.cosine[own], 85)
        assert (row["sources"], row["pairs"]) == (own.sum() // 2, own.sum())
        assert row["same_subreddit"] == pytest.approx((subreddit[target[own]] == row["subreddit"]).mean())
        assert row["image_cosine"] == pytest.approx(image[own].mean())
        assert row["effective_targets"] == pytest.approx(effective_targets(alone)["effective_targets"])

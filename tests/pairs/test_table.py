"""Pair tables: kinds, scopes, thresholds and the reasons for having no pair."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.pairs.test_neighbours import hashes
from workflow_scripts.pairs.pair_kind import SCOPES, PairInputs, Pairs, PartnerSettings
from workflow_scripts.pairs.table import REASONS, as_table, keep
from workflow_scripts.pairs.ties import identities
from workflow_scripts.stages.pair_table import PAIR_KINDS, PairTable


def keys_of(subreddits: list[str], years: list[int]) -> pa.Table:
    names = [f"k{i}" for i in range(len(subreddits))]
    return pa.table({"key": names, "subreddit": subreddits, "year": pa.array(years, pa.int16())})


def found(vectors: np.ndarray, keys: pa.Table, label: np.ndarray | None = None, **given: object) -> Pairs:
    kind = PAIR_KINDS[str(given.pop("kind", "nearest"))]
    return kind.find(PairInputs(vectors, keys, label, "cpu", day=label), kind.settings.model_validate(given))


def unit(rng: np.random.Generator, count: int, width: int = 4) -> np.ndarray:
    rows = rng.normal(size=(count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_scopes_row_by_row(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 25))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    vectors = rng.integers(-1, 2, (count, 3)).astype(np.float32)
    keys = keys_of([str(x) for x in rng.choice(["a", "b", "c"], count)], rng.integers(2018, 2020, count).tolist())
    scope, k = data.draw(st.sampled_from(sorted(SCOPES))), data.draw(st.integers(1, 3))
    got = found(vectors, keys, scope=scope, k=k, min_cosine=0.0, seed=3)
    ties = hashes(identities(keys["key"], 3))
    rows, expected, without = keys.to_pylist(), [], dict.fromkeys(REASONS, 0)
    for i in range(count):
        if not vectors[i].any():
            without["empty_caption"] += 1
            continue
        near = [
            j
            for j in range(count)
            if j != i and vectors[j].any() and all(rows[i][c] == rows[j][c] for c in SCOPES[scope])
        ]
        order = {j: ((vectors[i] != vectors[j]).any(), -(vectors[i] @ vectors[j]), ties[i, j]) for j in near}
        fit = [j for j in sorted(near, key=order.__getitem__)[:k] if vectors[i] @ vectors[j] >= 0]
        if not fit:
            without["outside_thresholds" if near else "alone_in_scope"] += 1
        expected += [(f"k{i}", f"k{j}", rank, float(vectors[i] @ vectors[j])) for rank, j in enumerate(fit, start=1)]
    assert [tuple(row.values()) for row in as_table(got, keys["key"]).to_pylist()] == expected
    assert got.without == without


def test_repeated_captions_pair_with_each_other_not_with_themselves() -> None:
    vectors, keys = np.array([[1, 0], [1, 0], [0, 1]], np.float32), keys_of(["s"] * 3, [2020] * 3)
    got = as_table(found(vectors, keys), keys["key"])
    assert got["target"].to_pylist()[:2] == ["k1", "k0"]
    assert got.schema.field("rank").type == pa.int16()
    assert got.schema.field("cosine").type == pa.float32()


@pytest.mark.parametrize("kind", sorted(PAIR_KINDS))
@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_no_images_give_an_empty_table(kind: str, scope: str) -> None:
    keys = keys_of([], []).cast(pa.schema([("key", pa.string()), ("subreddit", pa.string()), ("year", pa.int16())]))
    got = as_table(
        found(np.zeros((0, 4), np.float32), keys, np.zeros(0, np.int64), kind=kind, scope=scope), keys["key"]
    )
    assert len(got) == 0
    assert got.column_names == ["source", "target", "rank", "cosine"]


def test_thresholds_do_not_change_which_partner_a_rule_chooses() -> None:
    vectors, keys = unit(np.random.default_rng(1), 80), keys_of(["s"] * 80, [2020] * 80)
    plain = found(vectors, keys, hubs="cap", k=2)
    cut = found(vectors, keys, hubs="cap", k=2, min_cosine=0.9)
    for row in range(80):
        kept = [t for t, c in zip(plain.target[row], plain.cosine[row], strict=True) if c >= 0.9]
        assert [t for t in cut.target[row].tolist() if t >= 0] == kept


def test_partners_above_the_upper_threshold_are_passed_over() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [1, 0], [-1, 0]], np.float32)
    pairs = found(vectors, keys_of(["s"] * 5, [2020] * 5), k=1, max_cosine=0.9)
    # Without row 3, the same vector as row 0, and row 2, at 0.96 of row 1. All others are on the other side of row 4.
    assert pairs.cosine[:, 0] == pytest.approx([0.8, 0.8, 0.6, 0.8, -0.6])
    assert pairs.target[[0, 3], 0].tolist() == [1, 1]


def test_images_that_lose_all_pairs_are_counted_by_the_reason() -> None:
    target, cosine = np.array([[1, 2], [0, 2], [0, -1], [-1, -1]]), np.array([[0.9, 0.8], [0.9, 0.7], [0.6, 0], [0, 0]])
    pairs = Pairs(target, cosine, {"a": 1})
    kept = keep(pairs, np.array([[False, True], [False, False], [True, True], [True, True]]), "b")
    assert kept.target.tolist() == [[2, -1], [-1, -1], [0, -1], [-1, -1]]
    assert kept.cosine[[0, 2], 0].tolist() == [0.8, 0.6] and kept.without == {"a": 1, "b": 1}
    assert keep(kept, kept.target != 2, "b").without == {"a": 1, "b": 2}


def test_reasons_of_cap() -> None:
    # On a line, each row is nearest to the one before it: 3 to 2, 2 to 1, 1 to 0, and 0 to 1.
    angles = np.cumsum([0.0, 0.1, 0.2, 0.3])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    keys = keys_of(["s"] * 4, [2020] * 4)
    one_use = found(vectors, keys, hubs="cap", candidates=1, max_uses=1)
    assert one_use.without["partners_used_up"] == 1
    assert one_use.target[:, 0].tolist() in ([1, 0, -1, 2], [-1, 0, 1, 2])


@pytest.mark.parametrize("scope", ["global", "subreddit"])
def test_random_partners_are_uniform_within_their_scope(scope: str) -> None:
    count, rng = 300, np.random.default_rng(0)
    subreddit = rng.integers(0, 3, count)
    vectors, keys = unit(rng, count), keys_of([f"s{i}" for i in subreddit], [2020] * count)
    vectors[5] = 0
    got = found(vectors, keys, kind="random", scope=scope, k=2)
    paired = np.delete(np.arange(count), 5)
    target = got.target[paired]
    assert got.target[5].tolist() == [-1, -1]
    assert not np.isin(5, target)
    assert (target != paired[:, None]).all()
    assert (target[:, 0] != target[:, 1]).all()
    cosine = np.einsum("nd,nkd->nk", vectors[paired], vectors[target])
    assert np.allclose(got.cosine[paired], cosine, atol=1e-6)
    same = (subreddit[paired][:, None] == subreddit[target]).mean()
    assert same == (1 if scope == "subreddit" else pytest.approx(1 / 3, abs=0.08))
    uses = np.bincount(target[:, 0], minlength=count)[paired]
    assert (uses == 0).mean() == pytest.approx(np.exp(-1), abs=0.08)  # as of independent draws
    assert got.without["empty_caption"] == 1


def test_oracle_partners_share_the_label() -> None:
    label = np.array([0, 0, 1, 1, 1, 2, -1])
    vectors, keys = unit(np.random.default_rng(0), 7), keys_of(["a", "a", "a", "a", "b", "a", "a"], [2020] * 7)
    got = found(vectors, keys, label, kind="oracle")
    assert got.target[:2, 0].tolist() == [1, 0]
    assert all(label[got.target[i, 0]] == 1 for i in (2, 3, 4))
    assert got.target[5:, 0].tolist() == [-1, -1]
    assert (got.without["alone_in_scope"], got.without["no_label"]) == (1, 1)
    within = found(vectors, keys, label, kind="oracle", scope="subreddit")
    assert within.target[2:5, 0].tolist() == [3, 2, -1]


def test_same_day_partners_were_posted_on_one_day_of_their_scope() -> None:
    day = np.array([18_000] * 40 + [18_001] * 3 + [18_002, -1, -1])
    subreddits = ["ab"[i % 2] for i in range(len(day))]
    vectors, keys = unit(np.random.default_rng(0), len(day)), keys_of(subreddits, [2020] * len(day))
    vectors[2] = 0
    inputs = PairInputs(vectors, keys, None, "cpu", day=day)
    kind = PAIR_KINDS["same_day"]
    for scope in ("global", "subreddit"):
        got, other = (kind.find(inputs, PartnerSettings(k=2, scope=scope, seed=seed)) for seed in (0, 1))
        source, place = np.nonzero(got.target >= 0)
        target = got.target[source, place]
        assert (day[source] == day[target]).all() and (source != target).all() and not {2, 44, 45} & {*source, *target}
        same = [subreddits[i] == subreddits[j] for i, j in zip(source, target, strict=True)]
        assert all(same) if scope == "subreddit" else 0.2 < np.mean(same) < 0.8
        # Of a day with three posts, two in one subreddit, the third has a partner only in all of them.
        alone = {"global": 1, "subreddit": 2}[scope]
        expected = {"empty_caption": 1, "no_date": 2, "alone_in_scope": alone}
        assert {reason: count for reason, count in got.without.items() if count} == expected
        assert len(set(source)) == len(day) - sum(expected.values())
        again = kind.find(inputs, PartnerSettings(k=2, scope=scope, seed=0))
        assert (again.target == got.target).all() and (other.target != got.target).any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_cosine": 0.9, "max_cosine": 0.1}, "min_cosine 0.9 is above max_cosine 0.1"),
        ({"hubs": "cap", "candidates": 2, "k": 3}, "candidates 2 is below k 3"),
        ({"candidates": 5}, "candidates has no effect with hubs none"),
        ({"max_uses": 3}, "max_uses has no effect with hubs none"),
        ({"hubs": "best"}, "Input should be 'none' or 'cap'"),
        ({"kind": "random", "min_cosine": 0.5}, "min_cosine has no effect on pairs of kind random"),
        ({"kind": "oracle", "hubs": "cap"}, "hubs has no effect on pairs of kind oracle"),
        ({"label": "scene"}, "label has no effect on pairs of kind nearest"),
        ({"kind": "oracle", "label": "mood"}, "label"),
        ({"kind": "guess"}, "'nearest', 'oracle', 'random' or 'same_day'"),
    ],
)
def test_contradictory_pair_table_settings_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PairTable.model_validate(given)


def test_all_kinds_share_the_common_settings() -> None:
    for kind in PAIR_KINDS.values():
        assert set(PartnerSettings.model_fields) <= set(kind.settings.model_fields)

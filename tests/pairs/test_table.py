"""Pair tables: scopes, thresholds and the reasons for having no pair."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.pairs.neighbours import Rule
from workflow_scripts.pairs.scopes import SCOPES
from workflow_scripts.pairs.table import pair_table


def keys_of(subreddits: list[str], years: list[int]) -> pa.Table:
    names = [f"k{i}" for i in range(len(subreddits))]
    return pa.table({"key": names, "subreddit": subreddits, "year": pa.array(years, pa.int16())})


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_scopes_row_by_row(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 25))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    vectors = rng.integers(-1, 2, (count, 3)).astype(np.float32)
    keys = keys_of([str(x) for x in rng.choice(["a", "b", "c"], count)], rng.integers(2018, 2020, count).tolist())
    scope = data.draw(st.sampled_from(sorted(SCOPES)))
    rule = Rule(data.draw(st.integers(1, 3)), 0.0, 2.0)
    got = pair_table(vectors, keys, rule, scope, "cpu")
    rows, expected, without = keys.to_pylist(), [], {"empty_caption": 0, "alone_in_scope": 0, "outside_thresholds": 0}
    for i in range(count):
        if not vectors[i].any():
            without["empty_caption"] += 1
            continue
        near = [
            j
            for j in range(count)
            if j != i and vectors[j].any() and all(rows[i][c] == rows[j][c] for c in SCOPES[scope].columns)
        ]
        fit = sorted(
            (j for j in near if 0 <= vectors[i] @ vectors[j] <= 2), key=lambda j: (-(vectors[i] @ vectors[j]), j)
        )
        if not fit:
            without["outside_thresholds" if near else "alone_in_scope"] += 1
        for rank, j in enumerate(fit[: rule.k], start=1):
            expected.append((f"k{i}", f"k{j}", rank, float(vectors[i] @ vectors[j])))
    assert [tuple(row.values()) for row in got.table.to_pylist()] == expected
    assert got.without == without


def test_repeated_captions_pair_with_each_other_not_with_themselves() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    got = pair_table(vectors, keys_of(["s"] * 4, [2020] * 4), Rule(1), "global", "cpu").table
    assert got["target"].to_pylist() == ["k1", "k0", "k0", "k0"]
    assert got.schema.field("rank").type == pa.int16()
    assert got.schema.field("cosine").type == pa.float32()


@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_no_images(scope: str) -> None:
    keys = keys_of([], []).cast(pa.schema([("key", pa.string()), ("subreddit", pa.string()), ("year", pa.int16())]))
    got = pair_table(np.zeros((0, 4), np.float32), keys, Rule(1), scope, "cpu")
    assert len(got.table) == 0
    assert got.table.column_names == ["source", "target", "rank", "cosine"]


def test_scopes_are_complete_and_differ() -> None:
    columns = [scope.columns for scope in SCOPES.values()]
    assert len(set(columns)) == len(columns)
    assert {name for names in columns for name in names} <= {"subreddit", "year"}
    assert all(scope.summary for scope in SCOPES.values())

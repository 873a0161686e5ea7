from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.sets import downstream
from workflow_scripts.evaluation.feature_statistics import Sampling, statistics_table


def test_the_table_uses_test_images_but_for_rankme_and_draws_the_same_for_all_networks() -> None:
    data = downstream(4, n=200)
    spoiled = data.features.copy()
    spoiled[data.rows("train", "val")] *= 100
    sampling = Sampling(40, 500, 0)
    first, other = (
        {row["metric"]: row for row in statistics_table(one, sampling).to_pylist()}
        for one in (data, replace(data, features=spoiled))
    )
    test = data.features[data.rows("test")].astype(float)
    assert first["norm"]["value"] == pytest.approx(np.linalg.norm(test, axis=1).mean())
    assert first["norm_sd"]["value"] == pytest.approx(np.linalg.norm(test, axis=1).std())
    assert first["rankme"]["n"] == 40 and first["norm"]["n"] == len(test)
    assert other["rankme"]["value"] == pytest.approx(first["rankme"]["value"])  # blind to scale
    assert {name: other[name] for name in other if name != "rankme"} == {
        name: first[name] for name in first if name != "rankme"
    }


def test_features_of_zeros_have_no_rank() -> None:
    data = downstream(3)
    table = statistics_table(replace(data, features=np.zeros_like(data.features)), Sampling(40, 500, 0))
    assert "rankme" not in table["metric"].to_pylist() and "norm" in table["metric"].to_pylist()

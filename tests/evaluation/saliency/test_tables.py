import numpy as np

from workflow_scripts.core.declaration.result_names import ALL
from workflow_scripts.evaluation.saliency.tables import strata


def test_images_are_stratified_by_object_size_and_centredness() -> None:
    areas = np.array([0.01, 0.05, 0.149, 0.15, 0.35, 0.9])
    found = strata(areas, np.array([6.0, 5.0, 4.0, 3.0, 2.0, 1.0]))
    assert found[ALL].all()
    assert {name: np.flatnonzero(chosen).tolist() for name, chosen in found.items() if name != ALL} == {
        "object under 5 %": [0],
        "object 5 to 15 %": [1, 2],
        "object 15 to 35 %": [3],
        "object over 35 %": [4, 5],
        "least centred third": [4, 5],
        "middle third": [2, 3],
        "most centred third": [0, 1],
    }


def test_empty_strata_are_left_out_and_ties_are_split() -> None:
    found = strata(np.full(4, 0.2), np.zeros(4))
    assert "object under 5 %" not in found
    assert [int(found[name].sum()) for name in ("least centred third", "middle third", "most centred third")] == [
        2, 1, 1
    ]  # fmt: skip
